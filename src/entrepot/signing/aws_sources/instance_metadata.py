"""The credentials of a virtual machine, from the instance metadata service (IMDS) of Amazon EC2.

The source is "Use the Instance Metadata Service to access instance metadata" in the Amazon EC2 User Guide. The second
version of the service asks for a token first, which a program that is tricked into fetching a URL cannot get.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from entrepot.errors import ConfigInvalid, Timeout, Unexpected
from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.signing.aws import Credentials
from entrepot.signing.call import Response, failure, fetch, json_object, text_of

from .metadata_http import metadata_credentials
from .source import Absent, Scope, checked_endpoint

TOKEN_SECONDS: Final = 21600
"""The life of a token. The service allows no longer one."""

TIMEOUT_SECONDS: Final = 1.0
"""The time limit of each request. Where there is no such service, the connection usually has no answer at all."""

_ENDPOINTS: Final = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
_ROLES: Final = "/latest/meta-data/iam/security-credentials/"
_UNSUPPORTED: Final = frozenset({403, 404, 405})
_LIFE: Final = re.compile("[0-9]{1,5}")


class _Token(NamedTuple):
    """A token of one endpoint, and the time of the runtime at which it expires."""

    endpoint: str
    value: str
    expires: float


class InstanceMetadataSource:
    """The role of the instance. Requests go past any proxy, and each may take a second.

    The token is kept for its life, and replaced when the service refuses it.
    """

    name = "instance metadata"

    def __init__(self) -> None:
        self._token: _Token | None = None

    async def load(self, scope: Scope) -> Credentials | Absent:
        if scope.options.is_metadata_disabled:
            return Absent("disabled by the configuration")
        if scope.environ.get("AWS_EC2_METADATA_DISABLED", "").strip().lower() == "true":
            return Absent("disabled by AWS_EC2_METADATA_DISABLED")
        try:
            return await self._of_role(scope, imds_endpoint(scope))
        except (_Unreachable, _NoRole) as nothing:
            return Absent(str(nothing))

    async def _of_role(self, scope: Scope, endpoint: str) -> Credentials:
        roles = await self._get(scope, endpoint, _ROLES)
        role = roles.content.decode("ascii", "replace").strip().partition("\n")[0].strip()
        if roles.status == 404 or not role:
            raise _NoRole("the instance has no role")
        response = await self._get(scope, endpoint, f"{_ROLES}{role}")
        if response.status == 404:
            raise _NoRole(f"the instance has no credentials for role {role!r}")
        values = json_object("the response of the instance metadata service", response.content)
        if "AccessKeyId" not in values:
            raise _NoRole(f"the service has no credentials for role {role!r}{_reason(values)}")
        return metadata_credentials(f"{self.name}, role {role!r}", values)

    async def _get(self, scope: Scope, endpoint: str, path: str) -> Response:
        """Returns a response of 200 or 404. A token that the service does not accept any more is replaced once."""
        response = await self._asked(scope, endpoint, path)
        if response.status == 401:
            self._token = None
            response = await self._asked(scope, endpoint, path)
        if response.status not in (200, 404):
            raise failure("the request for the credentials of the instance", response.status)
        return response

    async def _asked(self, scope: Scope, endpoint: str, path: str) -> Response:
        headers = await self._token_headers(scope, endpoint)
        return await _sent(scope, HttpRequest("GET", f"{endpoint}{path}", headers))

    async def _token_headers(self, scope: Scope, endpoint: str) -> list[Header]:
        token, now = self._token, scope.runtime.now()
        if token is None or token.endpoint != endpoint or now >= token.expires:
            self._token = token = await _new_token(scope, endpoint, now)
        return [("X-aws-ec2-metadata-token", token.value)] if token is not None else []


class _Unreachable(Exception):
    """There is no metadata service, or none that gives a token."""


class _NoRole(Exception):
    """The service works, and has no credentials for the machine."""


def imds_endpoint(scope: Scope) -> str:
    """The URL of the service, without a slash at its end.

    Raises:
        ConfigInvalid: the configured URL or mode is not valid.
    """
    configured = scope.setting("ec2_metadata_service_endpoint", "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    if configured is not None:
        return checked_endpoint("the endpoint of the instance metadata service", configured)
    mode = scope.setting("ec2_metadata_service_endpoint_mode", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
    if mode is None:
        mode = "ipv6" if scope.is_set("imds_use_ipv6", "AWS_IMDS_USE_IPV6") else "ipv4"
    if mode.lower() not in _ENDPOINTS:
        raise ConfigInvalid("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6", operation="configure")
    return _ENDPOINTS[mode.lower()]


async def _new_token(scope: Scope, endpoint: str, now: float) -> _Token | None:
    """A token; None if the service gives none, and the first version of it is allowed."""
    headers = [("X-aws-ec2-metadata-token-ttl-seconds", str(TOKEN_SECONDS))]
    try:
        response = await _sent(scope, HttpRequest("PUT", f"{endpoint}/latest/api/token", headers))
    except _Unreachable:
        if _is_v1_allowed(scope):  # in a container the token may be lost: its packets make one hop
            return None
        raise
    if response.status == 200:
        life = response.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        seconds = int(life) if _LIFE.fullmatch(life) else TOKEN_SECONDS
        return _Token(endpoint, response.content.decode("ascii", "replace").strip(), now + seconds)
    if response.status not in _UNSUPPORTED:
        raise failure("the request for a token of the instance metadata service", response.status)
    if not _is_v1_allowed(scope):
        raise _Unreachable(f"the service gives no token (status {response.status}), and its version 1 is not allowed")
    return None


def _is_v1_allowed(scope: Scope) -> bool:
    """Whether the caller or the environment says so. Without a word of them it is not."""
    disabled = scope.setting("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED")
    return scope.options.is_imds_v1_allowed or (disabled or "").strip().lower() == "false"


async def _sent(scope: Scope, request: HttpRequest) -> Response:
    """The response to a request. An error of the connection means that there is no such service."""
    host = urlsplit(request.url).netloc
    direct = HttpRequest(
        request.method,
        request.url,
        [("Host", host), *request.headers],
        connect_timeout=TIMEOUT_SECONDS,
        idle_timeout=TIMEOUT_SECONDS,
        is_direct=True,
    )
    try:
        return await scope.runtime.with_timeout(TIMEOUT_SECONDS, fetch, scope.http, direct)
    except (Timeout, TimeoutError):
        problem = f"{host} does not answer within {TIMEOUT_SECONDS:g} second"
    except Unexpected as error:
        if is_of_too_many_files(error):
            raise
        problem = f"{host} cannot be reached ({error.message})"
    raise _Unreachable(problem)


def _reason(values: Mapping[str, Any]) -> str:
    """The reason that the service gives in the place of credentials."""
    code = text_of(values, "Code")
    return f": {code}" if code else ""
