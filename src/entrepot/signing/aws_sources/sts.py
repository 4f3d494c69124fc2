"""Calls of the AWS Security Token Service (STS).

The source is the "AWS Security Token Service API Reference": the query protocol, in which the parameters are a form and
the response is XML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from entrepot.errors import ConfigInvalid, Error, Unexpected
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.xml import parse
from entrepot.signing.aws import Credentials, Signer
from entrepot.signing.call import Response, failure, fetch

from .source import Scope, checked_credentials, parse_time

_CREDENTIALS: Final = re.compile(rb"<Credentials>.*?</Credentials>", re.DOTALL)
_SHOWN: Final = frozenset({"AccessDenied", "ExpiredTokenException", "IDPRejectedClaim", "RegionDisabledException"})
"""The codes whose messages are shown. Others repeat parameters or the signed text, and so may hold secrets."""

MIN_DURATION: Final = 900
MAX_DURATION: Final = 43200


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume.

    Arguments:
        arn: its name.
        session_name: the name of the session; by default one with the time.
        external_id: the identifier that its trust policy may require.
        duration_seconds: for how many seconds; by default as STS decides, which is 3,600.
        tags: the tags of the session, by key.

    Raises:
        ConfigInvalid: `duration_seconds` is not possible.
    """

    arn: str
    session_name: str | None = None
    external_id: str | None = None
    duration_seconds: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seconds = self.duration_seconds
        if seconds is not None and not MIN_DURATION <= seconds <= MAX_DURATION:
            message = (
                f"the duration of role {self.arn!r} must be {MIN_DURATION} to {MAX_DURATION} seconds, not {seconds}"
            )
            raise ConfigInvalid(message, operation="configure")

    def parameters(self, scope: Scope) -> dict[str, str]:
        """The parameters that both calls have."""
        name = self.session_name or f"entrepot-{int(scope.now().timestamp())}"
        parameters = {"RoleArn": self.arn, "RoleSessionName": name}
        if self.duration_seconds is not None:
            parameters["DurationSeconds"] = str(self.duration_seconds)
        return parameters


async def assume_role(scope: Scope, credentials: Credentials, role: Role) -> Credentials:
    """Assumes a role with other credentials (AssumeRole).

    Raises:
        PermissionDenied: STS refuses.
        Error: STS cannot be reached. Temporary.
    """
    parameters = {"Action": "AssumeRole", **role.parameters(scope)}
    if role.external_id:
        parameters["ExternalId"] = role.external_id
    for number, (key, value) in enumerate(role.tags.items(), 1):
        parameters |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
    request = _request(scope, parameters)
    signed = Signer("sts").sign(request, credentials, scope.signing_region, scope.now())
    return await _credentials(scope, signed, f"role {role.arn!r} by the {credentials.source or 'given credentials'}")


async def assume_role_with_web_identity(scope: Scope, token: str, role: Role) -> Credentials:
    """Assumes a role with the token of an identity provider (AssumeRoleWithWebIdentity). It is not signed.

    Raises:
        PermissionDenied: STS refuses.
        Error: STS cannot be reached. Temporary.
    """
    parameters = {"Action": "AssumeRoleWithWebIdentity", **role.parameters(scope), "WebIdentityToken": token}
    return await _credentials(scope, _request(scope, parameters), f"role {role.arn!r} by web identity")


def _request(scope: Scope, parameters: Mapping[str, str]) -> HttpRequest:
    url = f"{scope.endpoint('sts', scope.region)}/"
    form = urlencode({**parameters, "Version": "2011-06-15"}).encode()
    headers = [("Host", urlsplit(url).netloc), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    return HttpRequest("POST", url, headers, form)


async def _credentials(scope: Scope, request: HttpRequest, source: str) -> Credentials:
    response = await fetch(scope.http, request)
    if response.status != 200:
        raise _error(source, response)
    match = _CREDENTIALS.search(response.content)
    if match is None:
        raise Unexpected(f"the response of STS to {source} has no credentials", is_temporary=True)
    fields = parse(match[0]).fields
    values = {
        "access_key_id": fields.get("AccessKeyId"),
        "secret_access_key": fields.get("SecretAccessKey"),
        "session_token": fields.get("SessionToken"),
    }
    return checked_credentials(source, values, parse_time(source, fields.get("Expiration")))


def _error(source: str, response: Response) -> Error:
    code = detail = ""
    try:
        for _, error in parse(response.content, ("Error",)).rows:
            code, detail = error.get("Code", ""), error.get("Message", "")
    except Error:  # a proxy or a load balancer sent it, and the status says enough
        code = ""
    return failure(f"{source}: the call of STS", response.status, code, detail if code in _SHOWN else "")
