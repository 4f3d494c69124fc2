"""Objects that are sent in parts, pure.

The source is the Amazon S3 API Reference: CreateMultipartUpload, UploadPart, UploadPartCopy,
CompleteMultipartUpload and AbortMultipartUpload.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from entrepot.errors import Unexpected
from entrepot.raw import OpWrite
from entrepot.raw.http.headers import header_etag
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.oio.write.multipart import MAX_PARTS, Part
from entrepot.types import Metadata

from .core import Query, S3Core, quoted_etag, stated_version
from .headers import condition_headers, stored_headers
from .xml import NAMESPACE, escaped

MIN_PART: Final = 5 * 1024**2
"""The fewest bytes of a part that is not the last one."""

MAX_PART: Final = 5 * 1024**3
"""The most bytes of a part, and of an object that is stored by one PUT."""

MAX_TOTAL: Final = 5 * 1024**4
"""The most bytes of an object."""

COPY_RANGE: Final = 128 * 1024**2
"""How many bytes of an object one request copies, where it is copied in ranges."""

_MD5: Final = re.compile('"?([0-9a-fA-F]{32})"?')


def initiate(core: S3Core, key: str, args: OpWrite) -> HttpRequest:
    """CreateMultipartUpload. What is stored beside the object is told here, the conditions at the end."""
    return initiate_with(core, key, stored_headers(args))


def initiate_with(core: S3Core, key: str, headers: Sequence[Header]) -> HttpRequest:
    """CreateMultipartUpload with the headers of what is stored beside the object."""
    return core.on_object("POST", key, [("uploads", None)], headers, b"")


def upload_id(core: S3Core, headers: HttpHeaders, content: bytes) -> str:
    """The id of the upload that was begun.

    Raises:
        Error: the reply is an error, or tells none.
    """
    found = core.document(headers, content, "InitiateMultipartUpload").fields.get("UploadId", "").strip()
    if not found:
        raise Unexpected("the storage began an upload without an id", is_temporary=True)
    return found


def upload_part(core: S3Core, key: str, upload: str, number: int, content: Sequence[bytes | memoryview]) -> HttpRequest:
    """UploadPart."""
    body = content[0] if len(content) == 1 else tuple(content)
    return core.on_object("PUT", key, _part_query(upload, number), (), body)


def copy_part(core: S3Core, key: str, upload: str, number: int, source: Sequence[Header], part: range) -> HttpRequest:
    """UploadPartCopy: the part is a range of another object.

    Arguments:
        core: the bucket.
        key: the key of the new object.
        upload: the id of its upload.
        number: the place of the part in it, from 1.
        source: the headers that say what is copied, and what must hold of it.
        part: which bytes, at least one.
    """
    asked = ("x-amz-copy-source-range", f"bytes={part.start}-{part.stop - 1}")
    return core.on_object("PUT", key, _part_query(upload, number), [*source, asked], b"")


def copied_part(core: S3Core, headers: HttpHeaders, content: bytes, number: int, size: int) -> Part:
    """The part that was copied.

    Raises:
        Error: the content says that it failed, in spite of the status.
        Unexpected: it tells no etag, without which the upload cannot be completed.
    """
    etag = quoted_etag(core.document(headers, content, "CopyPart").fields.get("ETag"))
    if etag is None:
        raise Unexpected("the storage copied a part without naming its etag", is_temporary=True)
    return Part(number, etag, size)


def copy_ranges(size: int, chunk: int | None) -> Iterator[range]:
    """The ranges in which an object is copied: all of one size but the last, and never more than fit in an upload.

    Arguments:
        size: the bytes of the object.
        chunk: how many bytes a range should have; None is what suits.
    """
    least = max(MIN_PART, -(-size // MAX_PARTS))
    step = min(max(chunk or COPY_RANGE, least), MAX_PART)
    return (range(start, min(start + step, size)) for start in range(0, size, step))


def _part_query(upload: str, number: int) -> Query:
    return [("partNumber", str(number)), ("uploadId", upload)]


def part_of(headers: HttpHeaders, number: int, size: int) -> Part:
    """The part that was stored.

    Raises:
        Unexpected: the reply has no etag, without which the upload cannot be completed.
    """
    etag = header_etag(headers)
    if not etag:
        raise Unexpected("the storage took a part without naming its etag", is_temporary=True)
    return Part(number, etag, size)


def complete(core: S3Core, key: str, upload: str, parts: Sequence[Part], args: OpWrite) -> HttpRequest:
    """CompleteMultipartUpload."""
    listed = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escaped(part.etag)}</ETag></Part>" for part in parts
    )
    content = f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{listed}</CompleteMultipartUpload>'.encode()
    # No Content-Type: Swift would store it beside the object
    return core.on_object("POST", key, [("uploadId", upload)], condition_headers(args), content)


def completed(core: S3Core, headers: HttpHeaders, content: bytes, parts: Sequence[Part]) -> Metadata:
    """What the reply to a completion says of the object.

    Raises:
        Error: the content says that it failed, in spite of the status.
    """
    fields = core.document(headers, content, "CompleteMultipartUpload").fields
    return Metadata(
        content_length=sum(part.size for part in parts),
        etag=quoted_etag(fields.get("ETag")),
        version=stated_version(headers),
    )


def abort(core: S3Core, key: str, upload: str) -> HttpRequest:
    """AbortMultipartUpload."""
    return core.on_object("DELETE", key, [("uploadId", upload)])


def is_made_of(found: Metadata, parts: Sequence[Part]) -> bool:
    """Whether an object is what these parts make: its etag is the MD5 of theirs, and a count.

    False where etags are no MD5, as with some encryptions: then nobody can tell.
    """
    digests = [match[1] for part in parts if (match := _MD5.fullmatch(part.etag))]
    joint = hashlib.md5(bytes.fromhex("".join(digests)), usedforsecurity=False).hexdigest()
    is_same_size = found.content_length == sum(part.size for part in parts)
    return is_same_size and len(digests) == len(parts) and found.etag == f'"{joint}-{len(parts)}"'
