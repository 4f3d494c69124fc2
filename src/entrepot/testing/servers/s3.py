"""The common part of all S3 servers: their address and keys, and the requests that find out whether they are ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

from entrepot.raw.http import HttpRequest
from entrepot.signing.aws import Credentials, Signer

from .request import Reply, ask, connection_to

PROBE_SECONDS: Final = 10.0
"""Seconds until a request that finds out whether a server is ready must be answered."""

VERSIONED: Final = "entrepot-versions"
VERSIONING: Final = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
"""What makes a bucket keep versions."""

PROBE: Final = ".entrepot-is-ready"
"""The key of the object that these requests put, read and remove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running S3 server that checks signatures, with one bucket, empty.

    Arguments:
        endpoint: the URL of the S3 API, for requests in path style.
        pid: the process id of the server; of several, the one that speaks S3. 0 is one that was not started here.
        region: the region that requests are signed for.
        bucket: the name of the bucket.
        access_key_id: the only key id that it knows.
        secret_access_key: the secret of that key.
    """

    endpoint: str
    pid: int = 0
    region: str = "us-east-1"
    bucket: str = "entrepot"
    access_key_id: str = "AKIATEST0001"
    secret_access_key: str = field(default="secretsecret01", repr=False)

    def versioned_bucket(self) -> str:
        """The name of a bucket that keeps versions of objects. It is made unless it exists.

        Raises:
            OSError: the server does not answer, or refuses.
        """
        _make_versioned_bucket(self)
        return VERSIONED


def is_serving(server: S3Server) -> bool:
    """Creates the bucket, and checks that an object can be put, read and removed, and not read without a signature.

    Raises:
        OSError: the server does not answer.
    """
    key = f"/{server.bucket}/{PROBE}"
    return (
        ask_signed(server, "PUT", f"/{server.bucket}").status in {200, 409}
        and ask_signed(server, "PUT", key, b"ready").status == 200
        and ask_signed(server, "GET", key) == Reply(200, b"ready")
        and 400 <= ask(_connection(server), "GET", key).status < 500
        and ask_signed(server, "DELETE", key).status == 204
    )


@cache
def _make_versioned_bucket(server: S3Server) -> None:
    for target, body in ((f"/{VERSIONED}", b""), (f"/{VERSIONED}?versioning=", VERSIONING)):
        response = ask_signed(server, "PUT", target, body)
        if response.status not in {200, 409}:
            raise OSError(f"{server.endpoint} answered {response.status} to PUT {target}: {response.content!r:.300}")


def ask_signed(
    server: S3Server, method: str, target: str, body: bytes = b"", *, service: str = "s3", **headers: str
) -> Reply:
    """The response to one signed request.

    Arguments:
        server: the server, and the keys.
        method: such as `"GET"`.
        target: path and query, percent-encoded.
        body: the content.
        service: the service that the request is signed for.
        headers: more headers.

    Raises:
        OSError: the server sent no response.
    """
    url = urlsplit(server.endpoint + target)
    given = [("Host", url.netloc), *headers.items()]
    keys = Credentials(server.access_key_id, server.secret_access_key)
    request = Signer(service).sign(
        HttpRequest(method, url.geturl(), given, body), keys, server.region, datetime.now(UTC)
    )
    return ask(_connection(server), method, target, body, **dict(request.headers))


def _connection(server: S3Server) -> HTTPConnection:
    return connection_to(urlsplit(server.endpoint).netloc, timeout=PROBE_SECONDS)
