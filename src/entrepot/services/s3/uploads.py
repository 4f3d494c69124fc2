"""Uploads in parts that were begun, pure: ListMultipartUploads of the Amazon S3 API Reference.

Keys are not asked for percent-encoded: SeaweedFS says of keys that it encoded them, and did not, and to abort the
upload of a wrong key looks like a success. Only where the reply is no XML, since XML cannot write every key, are
they asked for again, encoded.
"""

from collections.abc import Iterator

from entrepot.errors import Unexpected
from entrepot.raw import RpListUploads, build_abs_path
from entrepot.raw.http.headers import parse_http_date
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.types import Upload

from .core import S3Core, parse_moment
from .listing import SEPARATOR, decoded, is_truncated
from .xml import Document

_ROWS = frozenset({"Upload"})


def list_uploads(core: S3Core, prefix: str, token: str | None, *, is_encoded: bool = False) -> HttpRequest:
    """The request for a page. Its token is the key and the id that the page before ended with."""
    query: list[tuple[str, str | None]] = [("uploads", None)]
    if is_encoded:
        query.append(("encoding-type", "url"))
    if prefix:
        query.append(("prefix", prefix))
    if token is not None:
        key, _, upload = token.rpartition(SEPARATOR)  # a key may hold a line feed, an id none
        query.append(("key-marker", key))
        if upload:
            query.append(("upload-id-marker", upload))
    return core.on_bucket("GET", query)


def listed_uploads(core: S3Core, root: str, path: str, headers: HttpHeaders, content: bytes) -> RpListUploads:
    """What a reply holds. Keys that no path leads to are left out, and those that were not asked for.

    Raises:
        Error: the reply is an error, or nothing that can be understood.
    """
    document = core.document(headers, content, "ListMultipartUploads", _ROWS)
    told = list(_uploads(document))
    prefix = build_abs_path(root, path)
    uploads = [Upload(found, one.id, one.initiated) for one in told if (found := _path(root, prefix, one.path))]
    told_at = parse_http_date(headers.get("date", ""))
    return RpListUploads(uploads=uploads, next_token=_next_token(document, told), told_at=told_at)


def _uploads(document: Document) -> Iterator[Upload]:
    """The uploads by their keys."""
    for _, values in document.rows:
        key, upload = values.get("Key"), values.get("UploadId")
        if not key or not upload:
            raise Unexpected("the storage lists an upload without a key or an id")
        yield Upload(decoded(key, document), upload, parse_moment(values.get("Initiated")))


def _path(root: str, prefix: str, key: str) -> str | None:
    path = key[len(root) - 1 :]
    if not key.startswith(prefix) or path.startswith("/"):
        return None
    return path or "/"


def _next_token(document: Document, told: list[Upload]) -> str | None:
    """Where the next page begins: what the reply says, or else behind the last upload in it."""
    if not is_truncated(document):
        return None
    stated = document.fields.get("NextKeyMarker")
    if stated:
        return decoded(stated, document) + SEPARATOR + document.fields.get("NextUploadIdMarker", "")
    if not told:
        raise Unexpected("the storage has more to list and does not say how to ask for it")
    return told[-1].path + SEPARATOR + told[-1].id
