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
    Error,
    InvalidInput,
    IsADirectory,
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
from .operator import Operator
from .reader import Reader
from .types import BytesRange, Capability, EntryMode, Metadata, Scheme

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "BytesRange",
    "Capability",
    "ConditionNotMatch",
    "ConfigInvalid",
    "ContentIncomplete",
    "ContentTruncated",
    "EntryMode",
    "Error",
    "InvalidInput",
    "IsADirectory",
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
    "__version__",
]
