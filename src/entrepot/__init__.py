"""One operator, any storage: async-first, unified storage access.

    from entrepot import Operator
    from entrepot.services import Fs

    op = Operator(Fs("/data"))
    data = await op.read("a/b", range=(0, 1024))

Services are in `entrepot.services`, layers in `entrepot.layers`, what authors of either need in `entrepot.raw`.
"""

from ._lazy import lazy_dir, lazy_names

TYPE_CHECKING = False  # type checkers know the name; `typing` has it too, and takes 10 ms to import
if TYPE_CHECKING:
    from .blocking import BlockingOperator
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
    from .facade.globs import PathFilter
    from .facade.lister import Lister
    from .facade.operator import Operator
    from .facade.reader import Reader
    from .facade.writer import Writer
    from .types import (
        BytesRange,
        Capability,
        Checksum,
        Copied,
        Entry,
        EntryMode,
        Metadata,
        Part,
        PresignedRequest,
        Progress,
        Scheme,
        TreeReport,
        TreeStep,
        Upload,
        Usage,
    )

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
    "Part",
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

# Nothing is imported before it is used. The command shows its help without the library: a tenth of a second less.
__getattr__ = lazy_names(
    __name__,
    {
        "AlreadyExists": "errors",
        "BlockingOperator": "blocking",
        "BytesRange": "types",
        "Capability": "types",
        "Checksum": "types",
        "ChecksumMismatch": "errors",
        "ConditionNotMatch": "errors",
        "ConfigInvalid": "errors",
        "ContentIncomplete": "errors",
        "ContentTruncated": "errors",
        "Copied": "types",
        "DeletionsFailed": "errors",
        "Entry": "types",
        "EntryMode": "types",
        "Error": "errors",
        "InvalidInput": "errors",
        "IsADirectory": "errors",
        "IsSameFile": "errors",
        "Lister": "facade.lister",
        "Metadata": "types",
        "NotADirectory": "errors",
        "NotFound": "errors",
        "Operator": "facade.operator",
        "Part": "types",
        "PathFilter": "facade.globs",
        "PermissionDenied": "errors",
        "PresignedRequest": "types",
        "Progress": "types",
        "RangeNotSatisfied": "errors",
        "RateLimited": "errors",
        "Reader": "facade.reader",
        "Scheme": "types",
        "StorageFull": "errors",
        "Timeout": "errors",
        "TransfersFailed": "errors",
        "TreeReport": "types",
        "TreeStep": "types",
        "Unexpected": "errors",
        "Unsupported": "errors",
        "Upload": "types",
        "Usage": "types",
        "Writer": "facade.writer",
    },
    packages=("errors", "layers", "raw", "services", "types"),
)
__dir__ = lazy_dir(__name__)
