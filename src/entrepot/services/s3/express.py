"""The requests that only directory buckets (S3 Express One Zone) have.

The sources are "Differences for directory buckets" in the Amazon S3 User Guide, and PutObject and RenameObject in the
Amazon S3 API Reference.
"""

from collections.abc import Sequence
from typing import Final

from entrepot.raw import OpRename, OpWrite
from entrepot.raw.http.stored_headers import write_conditions
from entrepot.raw.http.transport import Header, HttpRequest

from .core import S3Core

_OFFSET: Final = "x-amz-write-offset-bytes"
_RENAME_SOURCE: Final = "x-amz-rename-source"


def append(core: S3Core, key: str, offset: int, content: bytes, args: OpWrite) -> HttpRequest:
    """PutObject that adds content to the end of an object, which has `offset` bytes. At 0 it may create the object."""
    request = core.put(key, content, args)
    return request.with_headers([*request.headers, (_OFFSET, str(offset))])


def rename(core: S3Core, source: str, target: str, args: OpRename) -> HttpRequest:
    """RenameObject. It replaces the target unless a condition forbids it."""
    _, named = core.copy_source(source, None)
    headers: Sequence[Header] = write_conditions(OpWrite(if_not_exists=args.if_not_exists))
    return core.on_object("PUT", target, [("renameObject", None)], [(_RENAME_SOURCE, named), *headers], b"")
