"""The interfaces and helpers for authors of services and layers. Less stable than `entrepot` itself.

A service implements `Accessor` (`accessor.py`, one page) and `ServiceConfig`. A layer implements `Layer` and builds on
`AroundAccessor` or `LayeredAccessor` (`layered.py`); `observation.py` and `per_runtime.py` help layers that measure or
hold state. The arguments of operations are in `ops.py`, their responses in `rps.py`, the bodies in `oio/` (a folder for
each verb, `api.py` first), waiting in `runtime/`, requests in `http/`.
"""

from . import oio
from .accessor import OPERATIONS, Accessor, AccessorInfo
from .config import ServiceConfig
from .context import Context
from .layer import Layer
from .layered import AroundAccessor, LayeredAccessor
from .operation import Operation
from .ops import (
    DEFAULT_COPY,
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_LIST_UPLOADS,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    HINTS,
    MAX_EXPIRES,
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpGetTags,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpStat,
    OpWrite,
)
from .path import (
    build_abs_path,
    build_rel_path,
    build_rooted_abs_path,
    get_basename,
    get_parent,
    is_dir_path,
    normalize_path,
    normalize_root,
)
from .rps import (
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpGetTags,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpSetTags,
    RpStat,
    RpWrite,
)

__all__ = [
    "DEFAULT_COPY",
    "DEFAULT_CREATE_DIR",
    "DEFAULT_DELETE",
    "DEFAULT_LIST",
    "DEFAULT_LIST_UPLOADS",
    "DEFAULT_READ",
    "DEFAULT_RENAME",
    "DEFAULT_STAT",
    "DEFAULT_WRITE",
    "HINTS",
    "MAX_EXPIRES",
    "OPERATIONS",
    "Accessor",
    "AccessorInfo",
    "AroundAccessor",
    "Context",
    "Layer",
    "LayeredAccessor",
    "OpAbortUpload",
    "OpCopy",
    "OpCreateDir",
    "OpDelete",
    "OpGetTags",
    "OpList",
    "OpListUploads",
    "OpPresign",
    "OpRead",
    "OpRename",
    "OpSetTags",
    "OpStat",
    "OpWrite",
    "Operation",
    "RpAbortUpload",
    "RpCopy",
    "RpCreateDir",
    "RpDelete",
    "RpGetTags",
    "RpList",
    "RpListUploads",
    "RpPresign",
    "RpRead",
    "RpRename",
    "RpSetTags",
    "RpStat",
    "RpWrite",
    "ServiceConfig",
    "build_abs_path",
    "build_rel_path",
    "build_rooted_abs_path",
    "get_basename",
    "get_parent",
    "is_dir_path",
    "normalize_path",
    "normalize_root",
    "oio",
]
