"""Bodies: what an operation gives when its answer does not fit in a reply, and what completes them."""

from .by_range_seekable import ByRangeSeekableReader
from .bytes_reader import BytesReader
from .chunked import ChunkedReader
from .file_reader import FileReader, into_read_from_file
from .read import Read
from .seek import seek_target
from .streamable import StreamableReader
from .write import Write

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
