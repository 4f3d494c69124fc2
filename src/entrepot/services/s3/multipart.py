"""Uploads of objects in parts, pure.

The source is the Amazon S3 API Reference: CreateMultipartUpload, UploadPart, UploadPartCopy,
CompleteMultipartUpload and AbortMultipartUpload.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from entrepot.errors import InvalidInput, Unexpected
from entrepot.raw import OpWrite
from entrepot.raw.http.headers import header_etag, quoted_etag
from entrepot.raw.http.stored_headers import write_conditions
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query
from entrepot.raw.http.xml import escaped
from entrepot.raw.oio.write.multipart import MAX_PARTS
from entrepot.types import Metadata, Part
from entrepot.types.patterns import pattern

from .core import NAMESPACE, S3Core, stated_version
from .headers.checksums import MD5, Algorithm, completing, declared, whole_checksum

MIN_PART: Final = 5 * 1024**2
"""The fewest bytes of a part, unless it is the last one."""

MAX_PART: Final = 5 * 1024**3
"""The most bytes of a part, and of an object that is stored by one PUT."""

MAX_TOTAL: Final = MAX_PARTS * MAX_PART
"""The most bytes of an object: 48.8 TiB."""

COPY_RANGE: Final = 128 * 1024**2
"""The size of a range in bytes, where an object is copied in ranges."""

DEFAULT_CONCURRENT: Final = 4
"""How many parts of an object, or ranges of a copy, are in flight, unless `concurrent` says otherwise."""

_MD5: Final = pattern('"?([0-9a-fA-F]{32})"?')


def initiate(core: S3Core, key: str, args: OpWrite) -> HttpRequest:
    """CreateMultipartUpload. It has the metadata of the object; the conditions belong to the completion."""
    return initiate_with(core, key, [*core.new_object(args), *declared(checksum_of(core, args))])


def checksum_of(core: S3Core, args: OpWrite) -> Algorithm | None:
    """The checksum that is sent with the content of a write: the configured one, and MD5 of an object that is locked.

    Amazon requires a checksum of each object that is locked.
    """
    is_locked = args.retain_until is not None or args.legal_hold
    return core.checksum or (MD5 if is_locked else None)


def initiate_with(core: S3Core, key: str, headers: Sequence[Header]) -> HttpRequest:
    """CreateMultipartUpload with the headers that are stored with the object."""
    return core.on_object("POST", key, [("uploads", None)], headers, b"")


def upload_id(core: S3Core, headers: HttpHeaders, content: bytes) -> str:
    """The id of the upload that was started.

    Raises:
        Error: the response is an error, or has no id.
    """
    upload = core.document(headers, content, "InitiateMultipartUpload").fields.get("UploadId", "").strip()
    if not upload:
        raise Unexpected("the storage started an upload without an id", is_temporary=True)
    return upload


def upload_part(core: S3Core, key: str, upload: str, number: int, content: Sequence[bytes | memoryview]) -> HttpRequest:
    """UploadPart."""
    body = content[0] if len(content) == 1 else tuple(content)
    return core.on_object("PUT", key, _part_query(upload, number), core.fixed.customer_key, body)


def presigned_part(core: S3Core, key: str, upload: str, number: int) -> HttpRequest:
    """UploadPart without its content, to be signed for others.

    Raises:
        InvalidInput: an upload cannot have such a part.
    """
    check_part_number(number)
    return core.on_object("PUT", key, _part_query(upload, number), core.fixed.customer_key)


def check_part_number(number: int) -> None:
    """Checks that an upload can have a part.

    Raises:
        InvalidInput: it cannot.
    """
    if not 1 <= number <= MAX_PARTS:
        raise InvalidInput(f"the number of a part must be from 1 to {MAX_PARTS}, not {number}")


def copy_part(core: S3Core, key: str, upload: str, number: int, source: Sequence[Header], part: range) -> HttpRequest:
    """UploadPartCopy: the part is a range of another object.

    Arguments:
        core: the bucket.
        key: the key of the new object.
        upload: the id of its upload.
        number: the place of the part in it, from 1.
        source: the headers that name the source, and its conditions.
        part: the range, at least one byte.
    """
    stated = ("x-amz-copy-source-range", f"bytes={part.start}-{part.stop - 1}")
    keys = (*core.fixed.customer_key, *core.fixed.copy_source)
    return core.on_object("PUT", key, _part_query(upload, number), [*source, stated, *keys], b"")


def copied_part(core: S3Core, headers: HttpHeaders, content: bytes, number: int, size: int) -> Part:
    """The part that was copied.

    Raises:
        Error: the content is an error in spite of the status.
        Unexpected: it has no etag, without which the upload cannot be completed.
    """
    etag = quoted_etag(core.document(headers, content, "CopyPart").fields.get("ETag"))
    if etag is None:
        raise Unexpected("the storage copied a part without stating its etag", is_temporary=True)
    return Part(number, etag, size)


def copy_ranges(size: int, chunk: int | None) -> Iterator[range]:
    """The ranges in which an object is copied: all of one size but the last, and at most `MAX_PARTS` of them.

    Arguments:
        size: the bytes of the object.
        chunk: the size of a range in bytes (a hint); None is `COPY_RANGE`.
    """
    least = max(MIN_PART, -(-size // MAX_PARTS))
    step = min(max(chunk or COPY_RANGE, least), MAX_PART)
    return (range(start, min(start + step, size)) for start in range(0, size, step))


def part_of(headers: HttpHeaders, number: int, size: int, checksum: str | None = None) -> Part:
    """The part that was stored, and its checksum, which the completion repeats.

    Raises:
        Unexpected: the response has no etag, without which the upload cannot be completed.
    """
    etag = header_etag(headers)
    if not etag:
        raise Unexpected("the storage stored a part without stating its etag", is_temporary=True)
    return Part(number, etag, size, checksum)


def complete(core: S3Core, key: str, upload: str, parts: Sequence[Part], args: OpWrite) -> HttpRequest:
    """CompleteMultipartUpload."""
    listed = "".join(_listed(part, core.checksum) for part in parts)
    content = f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{listed}</CompleteMultipartUpload>'.encode()
    # No Content-Type: Swift would store it with the object
    size = ("x-amz-mp-object-size", str(sum(part.size for part in parts)))
    headers = [*write_conditions(args), *core.fixed.customer_key, size, *completing(core.checksum, parts)]
    return core.on_object("POST", key, [("uploadId", upload)], headers, content)


def _listed(part: Part, algorithm: Algorithm | None) -> str:
    """A part in a completion."""
    named = f"<PartNumber>{part.number}</PartNumber><ETag>{escaped(part.etag)}</ETag>"
    if part.checksum is not None and algorithm is not None:
        named += f"<{algorithm.element}>{part.checksum}</{algorithm.element}>"
    return f"<Part>{named}</Part>"


def completed(core: S3Core, headers: HttpHeaders, content: bytes, parts: Sequence[Part]) -> Metadata:
    """The metadata of the object in the response to a completion.

    Raises:
        Error: the content is an error in spite of the status.
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


def is_made_of(metadata: Metadata, parts: Sequence[Part], algorithm: Algorithm | None) -> bool:
    """Whether an object consists of these parts, by its etag or its checksum.

    The etag is the MD5 of theirs, and their count; with some encryptions, and in directory buckets, it is not. False
    where neither can be compared.

    Arguments:
        metadata: the metadata of the object.
        parts: the parts.
        algorithm: the algorithm of the checksums of the parts, if they have any.
    """
    return metadata.content_length == sum(part.size for part in parts) and (
        _is_made_by_etag(metadata, parts) or _is_made_by_checksum(metadata, parts, algorithm)
    )


def _is_made_by_checksum(metadata: Metadata, parts: Sequence[Part], algorithm: Algorithm | None) -> bool:
    expected = None if algorithm is None else whole_checksum(algorithm, parts)
    return expected is not None and any(
        (stated.algorithm, stated.value) == (expected.algorithm, expected.value) for stated in metadata.checksums
    )


def _is_made_by_etag(metadata: Metadata, parts: Sequence[Part]) -> bool:
    digests = [match[1] for part in parts if (match := _MD5.fullmatch(part.etag))]
    joint = hashlib.md5(bytes.fromhex("".join(digests)), usedforsecurity=False).hexdigest()
    return len(digests) == len(parts) and metadata.etag == f'"{joint}-{len(parts)}"'


def _part_query(upload: str, number: int) -> Query:
    return [("partNumber", str(number)), ("uploadId", upload)]
