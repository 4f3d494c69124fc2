"""Multipart uploads that were started, pure: List Multipart Uploads of the XML API."""

from collections.abc import Iterator

from entrepot.errors import Unexpected
from entrepot.raw import RpListUploads, build_abs_path
from entrepot.raw.http.headers import parse_http_date, parse_iso_time
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import encode_query
from entrepot.raw.http.xml import Document, parse
from entrepot.types import Upload

from .core import GcsCore

_ROWS = frozenset({"Upload"})
_SEPARATOR = "\n"


def list_uploads(core: GcsCore, prefix: str, token: str | None) -> HttpRequest:
    """The request for a page. Its token is the last key and id of the page before."""
    key, _, upload = (token or "").rpartition(_SEPARATOR)
    stated = {"prefix": prefix, "key-marker": key, "upload-id-marker": upload}
    query = [("uploads", None), *((name, value) for name, value in stated.items() if value)]
    return HttpRequest("GET", f"{core.xml_bucket_url}{encode_query(query)}", core.every)


def listed_uploads(root: str, path: str, headers: HttpHeaders, content: bytes) -> RpListUploads:
    """The uploads in a response. Keys that no path leads to are left out.

    Raises:
        Unexpected: it cannot be understood.
    """
    document = parse(content, _ROWS)
    if not document.root.startswith("ListMultipartUploads"):
        raise Unexpected("the response of the storage is not a list of uploads", is_temporary=True)
    prefix = build_abs_path(root, path)
    return RpListUploads(
        uploads=list(_uploads(document, root, prefix)),
        next_token=_next_token(document),
        listed_at=parse_http_date(headers.get("date", "")),
    )


def _uploads(document: Document, root: str, prefix: str) -> Iterator[Upload]:
    for _, values in document.rows:
        key, upload = values.get("Key"), values.get("UploadId")
        if not key or not upload:
            raise Unexpected("the storage lists an upload without a key or an id")
        path = key[len(root) - 1 :]
        if key.startswith(prefix) and not path.startswith("/"):
            yield Upload(path or "/", upload, parse_iso_time(values.get("Initiated")))


def _next_token(document: Document) -> str | None:
    if document.fields.get("IsTruncated", "").strip().lower() != "true":
        return None
    key = document.fields.get("NextKeyMarker")
    if not key:
        raise Unexpected("the storage has more uploads and does not state where they go on")
    return key + _SEPARATOR + document.fields.get("NextUploadIdMarker", "")
