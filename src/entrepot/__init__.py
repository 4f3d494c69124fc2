"""One operator, any storage: async-first, unified storage access.

    from entrepot import Operator
    from entrepot.services import Fs

    op = Operator(Fs("/data"))
    data = await op.read("a/b", range=(0, 1024))

Services are in `entrepot.services`, layers in `entrepot.layers`, what authors of either need in `entrepot.raw`.
"""

from .errors import (
    AlreadyExists,
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
    Unexpected,
    Unsupported,
)
from .lister import Lister
from .operator import Operator
from .reader import Reader
from .types import BytesRange, Capability, Entry, EntryMode, Metadata, Scheme
from .writer import Writer

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "BytesRange",
    "Capability",
    "ConditionNotMatch",
    "ConfigInvalid",
    "ContentIncomplete",
    "ContentTruncated",
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
    "PermissionDenied",
    "RangeNotSatisfied",
    "RateLimited",
    "Reader",
    "Scheme",
    "StorageFull",
    "Timeout",
    "Unexpected",
    "Unsupported",
    "Writer",
    "__version__",
]
