"""The credentials of a container: a task of Amazon ECS, or a pod of Amazon EKS with Pod Identity.

The source is "Container credential provider" in the AWS SDKs and Tools Reference Guide.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.signing.aws import Credentials
from entrepot.signing.call import failure, fetch, json_object

from .metadata_http import metadata_credentials
from .source import Absent, Scope
from .web_identity import read_token

RELATIVE_HOST: Final = "http://169.254.170.2"
"""The host of `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, which only the container reaches."""

TIMEOUT_SECONDS: Final = 2.0

_LOCAL_HOSTS: Final = frozenset({"localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"})


class ContainerSource:
    """`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`, with the token for it.

    A host without TLS must be a loopback address or one of the addresses of the platforms, and is reached past any
    proxy.
    """

    name = "container"

    async def load(self, scope: Scope) -> Credentials | Absent:
        url = _url(scope)
        if url is None:
            return Absent("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set")
        request = HttpRequest(
            "GET",
            url,
            [("Host", urlsplit(url).netloc), ("Accept", "application/json"), *await _authorization(scope)],
            connect_timeout=TIMEOUT_SECONDS,
            idle_timeout=TIMEOUT_SECONDS,
            is_direct=url.startswith("http:"),
        )
        response = await fetch(scope.http, request)
        if response.status != 200:
            raise failure("the request for the credentials of the container", response.status)
        return metadata_credentials(self.name, json_object("the response for the container", response.content))


def _url(scope: Scope) -> str | None:
    """The URL of the credentials; None if there is none. An empty variable is the same as none.

    Raises:
        ConfigInvalid: it is not a URL, or its host may not have the token.
    """
    relative = scope.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if relative:
        if not relative.startswith("/") or not _is_plain(relative):  # anything else would become part of the host
            raise _invalid("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must start with '/', and have no blanks")
        return f"{RELATIVE_HOST}{relative}"
    url = scope.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or None
    if url is not None and not _is_allowed(url):
        raise _invalid(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI must be a URL of https://, or of http:// and a loopback address or "
            "one of "
            f"{', '.join(sorted(_LOCAL_HOSTS))}"
        )
    return url


def _is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not _is_plain(url):
        return False
    is_local = host in _LOCAL_HOSTS or _is_loopback(host)
    return parts.scheme == "https" or (parts.scheme == "http" and is_local)


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def _authorization(scope: Scope) -> list[Header]:
    """The header with the token, which is read again for each request where it is in a file."""
    path = scope.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if path:
        return [("Authorization", await scope.runtime.blocking(read_token, path))]
    token = scope.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if not token:
        return []
    if not token.isascii() or not token.isprintable():
        raise _invalid("AWS_CONTAINER_AUTHORIZATION_TOKEN has line breaks, or characters outside of ASCII")
    return [("Authorization", token)]


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
