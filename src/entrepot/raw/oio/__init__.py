"""Bodies: what an operation gives when its answer does not fit in a reply, and what completes them."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

from .read import Read
from .write import Write

if TYPE_CHECKING:
    from .by_range_seekable import ByRangeSeekableReader
    from .bytes_reader import BytesReader
    from .chunked import ChunkedReader
    from .file_reader import FileReader, into_read_from_file
    from .seek import seek_target
    from .streamable import StreamableReader

__all__ = [
    "ByRangeSeekableReader",
    "BytesReader",
    "ChunkedReader",
    "FileReader",
    "Read",
    "StreamableReader",
    "Write",
    "into_read_from_file",
    "seek_target",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ByRangeSeekableReader": "by_range_seekable",
        "BytesReader": "bytes_reader",
        "ChunkedReader": "chunked",
        "FileReader": "file_reader",
        "StreamableReader": "streamable",
        "into_read_from_file": "file_reader",
        "seek_target": "seek",
    },
)
