"""Deletions of many objects by one request, pure: DeleteObjects of the Amazon S3 API Reference.

The request has two digests of its content, because each is required by some servers and unknown to others: Content-MD5
by the older ones, `x-amz-checksum-crc32` where MD5 is no longer used. If the second is refused, the request is sent
again without it. A directory bucket takes only the second.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.xml import can_carry, escaped

from .core import NAMESPACE, NULL_VERSION, S3Core
from .errors import code_error
from .headers.digests import content_md5
from .location.buckets import zone_of

MAX_DELETIONS: Final = 1000
"""The most objects that one request deletes."""

KeyVersion = tuple[str, str | None]
"""A key and the version to delete; None is the object."""


def can_join(key: str, version: str | None) -> bool:
    """Whether a deletion can share a request. XML cannot write every key; the others are deleted one by one."""
    return can_carry(key) and can_carry(version or "")


def delete_objects(core: S3Core, objects: Sequence[KeyVersion], *, has_checksum: bool = True) -> HttpRequest:
    """The request, with or without the checksum header. Its response names only what failed."""
    listed = "".join(_object(key, version) for key, version in objects)
    content = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{listed}</Delete>'.encode()
    headers = [] if zone_of(core.bucket) is not None else [content_md5(content)]
    if has_checksum:
        headers.append(("x-amz-checksum-crc32", _base64(crc32(content).to_bytes(4))))
    return core.on_bucket("POST", [("delete", None)], headers, content)


def deletion_failures(
    core: S3Core, headers: HttpHeaders, content: bytes, objects: Sequence[KeyVersion]
) -> Iterator[tuple[int, Error]]:
    """The deletions that failed, by their index in the request.

    An object that the response does not name was deleted. An empty response therefore means that all were deleted:
    some servers send nothing when nothing failed. An object that did not exist is not a failure.

    Raises:
        Error: the response is an error as a whole, or cannot be understood.
        Unexpected: a failure is of an object that was not in the request. Temporary: deleting twice does no harm.
    """
    if not content:
        return iter(())
    document = core.document(headers, content, "Delete", {"Error"})
    places = defaultdict[str | None, list[int]](list)
    for index, (key, _) in enumerate(objects):
        places[key].append(index)
    failed = dict[int, Error]()
    for _, values in document.rows:
        error = code_error(values.get("Code", ""))
        if not isinstance(error, NotFound):
            failed |= dict.fromkeys(_matching(values, places.get(values.get("Key"), ()), objects), error)
    return ((index, _copy(error)) for index, error in sorted(failed.items()))


def _matching(values: dict[str, str], of_key: Sequence[int], objects: Sequence[KeyVersion]) -> Sequence[int]:
    """The deletions of a key that a failure is about: the one of its version, or all if none has it."""
    if not of_key:
        raise Unexpected("the storage states that a deletion failed which was not requested", is_temporary=True)
    version = values.get("VersionId") or None
    exact = [index for index in of_key if objects[index][1] in (version, version or NULL_VERSION)]
    return exact or of_key


def _copy(error: Error) -> Error:
    return type(error)(error.message, context=error.context, is_temporary=error.is_temporary)


def _object(key: str, version: str | None) -> str:
    stated = "" if version is None else f"<VersionId>{escaped(version)}</VersionId>"
    return f"<Object><Key>{escaped(key)}</Key>{stated}</Object>"


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
