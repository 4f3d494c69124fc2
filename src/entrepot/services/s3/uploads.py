"""Uploads in parts that were started, pure: ListMultipartUploads of the Amazon S3 API Reference.

Keys are not requested percent-encoded: SeaweedFS states that it encoded keys when it did not, and aborting the upload
of a wrong key looks like a success. XML cannot write every key, so only if the response is not XML are the keys
requested again, encoded.
"""

from collections.abc import Iterator

from entrepot.errors import Unexpected
from entrepot.raw import RpListUploads, build_abs_path
from entrepot.raw.http.headers import parse_http_date, parse_iso_time
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.xml import Document
from entrepot.types import Upload

from .core import S3Core
from .listing import SEPARATOR, decoded, is_truncated

_ROWS = frozenset({"Upload"})


def list_uploads(core: S3Core, prefix: str, token: str | None, *, is_encoded: bool = False) -> HttpRequest:
    """The request for a page. Its token is the last key and id of the page before."""
    query: list[tuple[str, str | None]] = [("uploads", None)]
    if is_encoded:
        query.append(("encoding-type", "url"))
    if prefix:
        query.append(("prefix", prefix))
    if token is not None:
        key, _, upload = token.rpartition(SEPARATOR)  # a key may hold a line feed, an id does not
        query.append(("key-marker", key))
        if upload:
            query.append(("upload-id-marker", upload))
    return core.on_bucket("GET", query)


def listed_uploads(core: S3Core, root: str, path: str, headers: HttpHeaders, content: bytes) -> RpListUploads:
    """The uploads in a response. Keys that no path leads to, and keys that were not requested, are left out.

    Raises:
        Error: the response is an error, or cannot be understood.
    """
    document = core.document(headers, content, "ListMultipartUploads", _ROWS)
    listed = list(_uploads(document))
    prefix = build_abs_path(root, path)
    uploads = [
        Upload(below, upload.id, upload.initiated) for upload in listed if (below := _path(root, prefix, upload.path))
    ]
    listed_at = parse_http_date(headers.get("date", ""))
    return RpListUploads(uploads=uploads, next_token=_next_token(document, listed), listed_at=listed_at)


def _uploads(document: Document) -> Iterator[Upload]:
    """The uploads by their keys."""
    for _, values in document.rows:
        key, upload = values.get("Key"), values.get("UploadId")
        if not key or not upload:
            raise Unexpected("the storage lists an upload without a key or an id")
        yield Upload(decoded(key, document), upload, parse_iso_time(values.get("Initiated")))


def _path(root: str, prefix: str, key: str) -> str | None:
    path = key[len(root) - 1 :]
    if not key.startswith(prefix) or path.startswith("/"):
        return None
    return path or "/"


def _next_token(document: Document, listed: list[Upload]) -> str | None:
    """The start of the next page: the one stated in the response, or else after its last upload."""
    if not is_truncated(document):
        return None
    stated = document.fields.get("NextKeyMarker")
    if stated:
        return decoded(stated, document) + SEPARATOR + document.fields.get("NextUploadIdMarker", "")
    if not listed:
        raise Unexpected("the storage has more pages and does not state the token of the next one")
    return listed[-1].path + SEPARATOR + listed[-1].id
