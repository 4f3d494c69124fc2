"""Bodies: what an operation gives when its answer does not fit in a reply, and what completes them."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

from .delete import Delete
from .list import List
from .read import Read
from .write import Write

if TYPE_CHECKING:
    from .append import AppendWriter
    from .batch_delete import BatchDeleter
    from .by_range_seekable import ByRangeSeekableReader
    from .bytes_reader import BytesReader
    from .chunked import ChunkedReader
    from .file_reader import FileReader, into_read_from_file
    from .flat import FlatLister
    from .hierarchy import HierarchyLister
    from .itself_first import ItselfFirstLister
    from .lengths import LengthLister
    from .multipart import MultipartUpload, MultipartWriter, Part, PartSizes
    from .one_shot import OneShotWriter
    from .page import Page, PageLister
    from .position import PositionedFile, PositionWriter
    from .prefix import PrefixLister
    from .recursive_delete import RecursiveDeleter
    from .seek import seek_target
    from .staged import StagedWriter
    from .streamable import StreamableReader

__all__ = [
    "AppendWriter",
    "BatchDeleter",
    "ByRangeSeekableReader",
    "BytesReader",
    "ChunkedReader",
    "Delete",
    "FileReader",
    "FlatLister",
    "HierarchyLister",
    "ItselfFirstLister",
    "LengthLister",
    "List",
    "MultipartUpload",
    "MultipartWriter",
    "OneShotWriter",
    "Page",
    "PageLister",
    "Part",
    "PartSizes",
    "PositionWriter",
    "PositionedFile",
    "PrefixLister",
    "Read",
    "RecursiveDeleter",
    "StagedWriter",
    "StreamableReader",
    "Write",
    "into_read_from_file",
    "seek_target",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AppendWriter": "append",
        "BatchDeleter": "batch_delete",
        "ByRangeSeekableReader": "by_range_seekable",
        "BytesReader": "bytes_reader",
        "ChunkedReader": "chunked",
        "FileReader": "file_reader",
        "FlatLister": "flat",
        "HierarchyLister": "hierarchy",
        "ItselfFirstLister": "itself_first",
        "LengthLister": "lengths",
        "MultipartUpload": "multipart",
        "MultipartWriter": "multipart",
        "OneShotWriter": "one_shot",
        "Page": "page",
        "PageLister": "page",
        "Part": "multipart",
        "PartSizes": "multipart",
        "PositionWriter": "position",
        "PositionedFile": "position",
        "PrefixLister": "prefix",
        "RecursiveDeleter": "recursive_delete",
        "StagedWriter": "staged",
        "StreamableReader": "streamable",
        "into_read_from_file": "file_reader",
        "seek_target": "seek",
    },
)
