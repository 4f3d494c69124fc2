"""For authors of services and layers: what to implement, and what helps. Less stable than `entrepot` itself.

Start with `Accessor` and `ServiceConfig` for a service, `AroundAccessor` and `Layer` for a layer.
"""

from . import oio
from .accessor import OPERATIONS, Accessor, AccessorInfo, AroundAccessor, LayeredAccessor
from .config import ServiceConfig
from .context import Context
from .layer import Layer
from .operation import Operation
from .ops import (
    DEFAULT_COPY,
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    HINTS,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpList,
    OpRead,
    OpRename,
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
from .rps import RpCopy, RpCreateDir, RpDelete, RpList, RpRead, RpRename, RpStat, RpWrite

__all__ = [
    "DEFAULT_COPY",
    "DEFAULT_CREATE_DIR",
    "DEFAULT_DELETE",
    "DEFAULT_LIST",
    "DEFAULT_READ",
    "DEFAULT_RENAME",
    "DEFAULT_STAT",
    "DEFAULT_WRITE",
    "HINTS",
    "OPERATIONS",
    "Accessor",
    "AccessorInfo",
    "AroundAccessor",
    "Context",
    "Layer",
    "LayeredAccessor",
    "OpCopy",
    "OpCreateDir",
    "OpDelete",
    "OpList",
    "OpRead",
    "OpRename",
    "OpStat",
    "OpWrite",
    "Operation",
    "RpCopy",
    "RpCreateDir",
    "RpDelete",
    "RpList",
    "RpRead",
    "RpRename",
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
