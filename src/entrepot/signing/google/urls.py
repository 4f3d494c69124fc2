"""URLs that are signed for Google Cloud Storage, pure: V4 signing with RSA.

The source is "V4 signing process with your own program" and "Canonical requests" of the Cloud Storage documentation.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlsplit

from entrepot.raw.http.transport import HttpRequest

ALGORITHM: Final = "GOOG4-RSA-SHA256"


@dataclass(frozen=True, slots=True)
class UnsignedUrl:
    """A URL that lacks only its signature.

    Arguments:
        url: the URL, with its query.
        text: the text to sign.
    """

    url: str
    text: bytes

    def signed(self, signature: bytes) -> str:
        """The URL with the signature of `text`."""
        return f"{self.url}&X-Goog-Signature={signature.hex()}"


def unsigned_url(request: HttpRequest, email: str, now: datetime, seconds: int) -> UnsignedUrl:
    """The URL of a request, and the text to sign. All headers of the request are signed.

    Arguments:
        request: the request, with a Host header.
        email: the service account that signs.
        now: the time, in UTC.
        seconds: how long the URL is valid.
    """
    parts = urlsplit(request.url)
    scope = f"{now:%Y%m%d}/auto/storage/goog4_request"
    headers = sorted((name.lower(), " ".join(value.split())) for name, value in request.headers)
    names = ";".join(name for name, _ in headers)
    added = {
        "X-Goog-Algorithm": ALGORITHM,
        "X-Goog-Credential": f"{email}/{scope}",
        "X-Goog-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Goog-Expires": str(seconds),
        "X-Goog-SignedHeaders": names,
    }
    given = parts.query.split("&") if parts.query else []
    stated = [pair if "=" in pair else f"{pair}=" for pair in given]
    query = "&".join(sorted([*stated, *(f"{name}={quote(value, safe='')}" for name, value in added.items())]))
    listed = "".join(f"{name}:{value}\n" for name, value in headers)
    canonical = f"{request.method}\n{parts.path}\n{query}\n{listed}\n{names}\nUNSIGNED-PAYLOAD"
    digest = sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, added["X-Goog-Date"], scope, digest))
    return UnsignedUrl(f"{parts.scheme}://{parts.netloc}{parts.path}?{query}", text.encode())
