"""One operator, any storage: async-first, unified storage access.

    from entrepot import Operator
    from entrepot.services import Fs

    op = Operator(Fs("/data"))
    data = await op.read("a/b", range=(0, 1024))

Services are in `entrepot.services`, layers in `entrepot.layers`, what authors of either need in `entrepot.raw`.
"""

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from .errors import (
    AlreadyExists,
    ChecksumMismatch,
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    ContentTruncated,
    DeletionsFailed,
    Error,
    InvalidInput,
    IsADirectory,
    IsSameFile,
    NotADirectory,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    StorageFull,
    Timeout,
    TransfersFailed,
    Unexpected,
    Unsupported,
)
from .facade.lister import Lister
from .facade.operator import Operator
from .facade.reader import Reader
from .facade.writer import Writer
from .types import BytesRange, Capability, Entry, EntryMode, Metadata, PresignedRequest, Scheme

if TYPE_CHECKING:
    from .blocking import BlockingOperator
    from .facade.globs import PathFilter
    from .types import Checksum, Copied, Progress, TreeReport, TreeStep, Upload, Usage

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "BlockingOperator",
    "BytesRange",
    "Capability",
    "Checksum",
    "ChecksumMismatch",
    "ConditionNotMatch",
    "ConfigInvalid",
    "ContentIncomplete",
    "ContentTruncated",
    "Copied",
    "DeletionsFailed",
    "Entry",
    "EntryMode",
    "Error",
    "InvalidInput",
    "IsADirectory",
    "IsSameFile",
    "Lister",
    "Metadata",
    "NotADirectory",
    "NotFound",
    "Operator",
    "PathFilter",
    "PermissionDenied",
    "PresignedRequest",
    "Progress",
    "RangeNotSatisfied",
    "RateLimited",
    "Reader",
    "Scheme",
    "StorageFull",
    "Timeout",
    "TransfersFailed",
    "TreeReport",
    "TreeStep",
    "Unexpected",
    "Unsupported",
    "Upload",
    "Usage",
    "Writer",
    "__version__",
]

__getattr__ = lazy_names(
    __name__,
    {
        "BlockingOperator": "blocking",
        "Checksum": "types",
        "Copied": "types",
        "PathFilter": "facade.globs",
        "Progress": "types",
        "TreeReport": "types",
        "TreeStep": "types",
        "Upload": "types",
        "Usage": "types",
    },
)
