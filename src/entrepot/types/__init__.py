"""Values that entrepot takes and returns. Nothing here does I/O."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

from .bytes_range import BytesRange
from .capability import Capability
from .entry import Entry
from .entry_mode import EntryMode
from .metadata import Metadata
from .presigned_request import PresignedRequest
from .scheme import Scheme

if TYPE_CHECKING:
    from .checksum import Checksum
    from .copied import Copied
    from .transfers import Progress, TreeReport, TreeStep, Usage
    from .upload import Part, Upload

__all__ = [
    "BytesRange",
    "Capability",
    "Checksum",
    "Copied",
    "Entry",
    "EntryMode",
    "Metadata",
    "Part",
    "PresignedRequest",
    "Progress",
    "Scheme",
    "TreeReport",
    "TreeStep",
    "Upload",
    "Usage",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Checksum": "checksum",
        "Copied": "copied",
        "Part": "upload",
        "Progress": "transfers",
        "TreeReport": "transfers",
        "TreeStep": "transfers",
        "Upload": "upload",
        "Usage": "transfers",
    },
)
__dir__ = lazy_dir(__name__)
