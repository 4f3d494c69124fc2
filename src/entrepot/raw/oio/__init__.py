"""Bodies: the streams that read, write, list, delete and copy return, and the helpers that complete them.

A folder for each verb. In each, `api.py` is the interface (`Read`, `Write`, `List`, `Delete`, `Copy`); the other files
are helpers that a service returns as its body or that `CompleteLayer` puts around one.
"""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

from .copy.api import Copy
from .delete.api import Delete
from .list.api import LeftOut, List, left_out_names
from .read.api import Read
from .write.api import Write

if TYPE_CHECKING:
    from entrepot.types import Part

    from .copy.one_shot import OneShotCopier
    from .copy.ranged import RangedCopier, RangedUpload
    from .copy.staged import StagedCopier
    from .delete.batch_delete import BatchDeleter
    from .delete.recursive_delete import RecursiveDeleter
    from .list.flat import FlatLister
    from .list.hierarchy import HierarchyLister
    from .list.lengths import LengthLister
    from .list.page import Page, PageLister
    from .list.prefix import PrefixLister
    from .list.self_entry import SelfEntryLister
    from .read.by_range_seekable import ByRangeSeekableReader
    from .read.bytes_reader import BytesReader
    from .read.chunked import ChunkedReader
    from .read.failed import FailedReader
    from .read.file_reader import FileReader, into_read_from_file, read_window_of_file
    from .read.loaded import LoadedReader
    from .read.seek import seek_target
    from .read.streamable import StreamableReader
    from .write.append import AppendWriter
    from .write.failed import FailedWriter
    from .write.multipart import MultipartUpload, MultipartWriter, PartSizes
    from .write.one_shot import OneShotWriter
    from .write.position import PositionedFile, PositionWriter
    from .write.staged import StagedWriter

__all__ = [
    "AppendWriter",
    "BatchDeleter",
    "ByRangeSeekableReader",
    "BytesReader",
    "ChunkedReader",
    "Copy",
    "Delete",
    "FailedReader",
    "FailedWriter",
    "FileReader",
    "FlatLister",
    "HierarchyLister",
    "LeftOut",
    "LengthLister",
    "List",
    "LoadedReader",
    "MultipartUpload",
    "MultipartWriter",
    "OneShotCopier",
    "OneShotWriter",
    "Page",
    "PageLister",
    "Part",
    "PartSizes",
    "PositionWriter",
    "PositionedFile",
    "PrefixLister",
    "RangedCopier",
    "RangedUpload",
    "Read",
    "RecursiveDeleter",
    "SelfEntryLister",
    "StagedCopier",
    "StagedWriter",
    "StreamableReader",
    "Write",
    "into_read_from_file",
    "left_out_names",
    "read_window_of_file",
    "seek_target",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AppendWriter": "write.append",
        "BatchDeleter": "delete.batch_delete",
        "ByRangeSeekableReader": "read.by_range_seekable",
        "BytesReader": "read.bytes_reader",
        "ChunkedReader": "read.chunked",
        "FailedReader": "read.failed",
        "FailedWriter": "write.failed",
        "FileReader": "read.file_reader",
        "FlatLister": "list.flat",
        "HierarchyLister": "list.hierarchy",
        "SelfEntryLister": "list.self_entry",
        "LengthLister": "list.lengths",
        "LoadedReader": "read.loaded",
        "MultipartUpload": "write.multipart",
        "MultipartWriter": "write.multipart",
        "OneShotCopier": "copy.one_shot",
        "OneShotWriter": "write.one_shot",
        "Page": "list.page",
        "PageLister": "list.page",
        "Part": "write.multipart",
        "PartSizes": "write.multipart",
        "PositionWriter": "write.position",
        "PositionedFile": "write.position",
        "PrefixLister": "list.prefix",
        "RangedCopier": "copy.ranged",
        "RangedUpload": "copy.ranged",
        "RecursiveDeleter": "delete.recursive_delete",
        "StagedCopier": "copy.staged",
        "StagedWriter": "write.staged",
        "StreamableReader": "read.streamable",
        "into_read_from_file": "read.file_reader",
        "read_window_of_file": "read.file_reader",
        "seek_target": "read.seek",
    },
)
__dir__ = lazy_dir(__name__)
