"""Deletions of many objects by one request, pure: DeleteObjects of the Amazon S3 API Reference.

The digest of the content goes along twice, because each is required by some servers and unknown to others:
Content-MD5 by the older ones, `x-amz-checksum-crc32` where MD5 is not used any more. Where the second is refused, the
request is made again without it.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest

from .core import NULL_VERSION, S3Core
from .digests import content_md5
from .errors import code_error
from .xml import NAMESPACE, can_carry, escaped

MAX_DELETIONS: Final = 1000
"""How many objects one request can delete."""

Doomed = tuple[str, str | None]
"""A key and the version to remove; None is the object."""


def can_join(key: str, version: str | None) -> bool:
    """Whether a deletion can go with others. XML cannot write every key; those are deleted one by one."""
    return can_carry(key) and can_carry(version or "")


def delete_objects(core: S3Core, doomed: Sequence[Doomed], *, has_checksum: bool = True) -> HttpRequest:
    """The request, with or without the checksum header. Its response names only what failed."""
    objects = "".join(_object(key, version) for key, version in doomed)
    content = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()
    headers = [content_md5(content)]
    if has_checksum:
        headers.append(("x-amz-checksum-crc32", _base64(crc32(content).to_bytes(4))))
    return core.on_bucket("POST", [("delete", None)], headers, content)


def deletion_failures(
    core: S3Core, headers: HttpHeaders, content: bytes, doomed: Sequence[Doomed]
) -> Iterator[tuple[int, Error]]:
    """The deletions that failed, by their index among those that were asked for.

    What the response does not name was deleted, so that all were where it is empty: some servers send nothing where
    nothing failed. What was not there is no failure.

    Raises:
        Error: the reply is an error as a whole, or nothing that can be understood.
        Unexpected: a failure cannot be told to be of one that was asked for. Temporary: deleting twice is no harm.
    """
    if not content:
        return iter(())
    document = core.document(headers, content, "Delete", {"Error"})
    places = defaultdict[str | None, list[int]](list)
    for index, (key, _) in enumerate(doomed):
        places[key].append(index)
    failed = dict[int, Error]()
    for _, values in document.rows:
        error = code_error(values.get("Code", ""))
        if not isinstance(error, NotFound):
            failed |= dict.fromkeys(_meant(values, places.get(values.get("Key"), ()), doomed), error)
    return ((index, _copy(error)) for index, error in sorted(failed.items()))


def _meant(values: dict[str, str], of_key: Sequence[int], doomed: Sequence[Doomed]) -> Sequence[int]:
    """Which deletions of a key a failure is of: that of its version, or all if none has that."""
    if not of_key:
        raise Unexpected("the storage names a deletion as failed that was not asked for", is_temporary=True)
    version = values.get("VersionId") or None
    exact = [index for index in of_key if doomed[index][1] in (version, version or NULL_VERSION)]
    return exact or of_key


def _copy(error: Error) -> Error:
    return type(error)(error.message, context=error.context, is_temporary=error.is_temporary)


def _object(key: str, version: str | None) -> str:
    stated = "" if version is None else f"<VersionId>{escaped(version)}</VersionId>"
    return f"<Object><Key>{escaped(key)}</Key>{stated}</Object>"


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
