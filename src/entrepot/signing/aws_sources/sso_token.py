"""The token that `aws sso login` leaves in `~/.aws/sso/cache`, and how it is renewed.

The name of the file is the SHA-1 of the name of the session, or of the start URL if the profile names no session. The
AWS CLI and the SDKs share the file. A token of a session is renewed with its refresh token (CreateToken in the "IAM
Identity Center OIDC API Reference"), and written back, since the refresh token may change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from entrepot.errors import Error, PermissionDenied
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.log import WARNING, log
from entrepot.signing.aws_profile import expanded
from entrepot.signing.call import failure, fetch, json_object, text_of

from .source import Scope, parse_time
from .token_file import read_json, write_json

CACHE_FOLDER: Final = "~/.aws/sso/cache"

RENEWED_BEFORE: Final = timedelta(minutes=15)
"""How long before it expires a token is renewed."""

MAX_SECONDS: Final = 366 * 24 * 3600
"""The longest life of a token that is believed. Sessions of users last at most 90 days."""

_FOR_RENEWAL: Final = ("refreshToken", "clientId", "clientSecret", "registrationExpiresAt")


@dataclass(frozen=True, slots=True)
class SsoSession:
    """The session of a user.

    Arguments:
        profile: the profile that it is used for.
        name: the name of its `[sso-session]` section; None is the older form without one.
        start_url: the URL that the user signs in at.
        region: the region of the service.
    """

    profile: str
    name: str | None
    start_url: str
    region: str

    @property
    def path(self) -> Path:
        """The file of its token."""
        digest = hashlib.sha1((self.name or self.start_url).encode(), usedforsecurity=False).hexdigest()
        return Path(expanded(CACHE_FOLDER)) / f"{digest}.json"

    @property
    def advice(self) -> str:
        """The command that gets another token, for errors."""
        return f"run 'aws sso login --profile {self.profile}'"


async def access_token(scope: Scope, session: SsoSession) -> str:
    """The token that gets credentials, renewed if it is about to expire and can be.

    Raises:
        PermissionDenied: there is none, or it has expired. The message says which command gets another.
    """
    token = await scope.runtime.blocking(read_json, session.path)
    if token is None or not isinstance(token.get("accessToken"), str):
        raise PermissionDenied(f"profile {session.profile!r} has no SSO token: {session.advice}")
    left = parse_time(f"token {session.path}", token.get("expiresAt")) - scope.now()
    if left < RENEWED_BEFORE and session.name is not None and _can_be_renewed(scope, token):
        try:
            return await _renewed(scope, session, token)
        except Error as error:
            if left <= timedelta(0):
                raise
            log(WARNING, "the SSO token cannot be renewed, and is used until it expires: %s", error)
    if left <= timedelta(0):
        raise PermissionDenied(f"the SSO token of profile {session.profile!r} has expired: {session.advice}")
    return str(token["accessToken"])


def _can_be_renewed(scope: Scope, token: Mapping[str, Any]) -> bool:
    if not all(isinstance(token.get(key), str) for key in _FOR_RENEWAL):
        return False
    return parse_time("registration of the SSO client", token["registrationExpiresAt"]) > scope.now()


async def _renewed(scope: Scope, session: SsoSession, token: Mapping[str, Any]) -> str:
    """Gets another token, writes it to the file, and returns it."""
    values = await _create_token(scope, session, token)
    access, seconds = text_of(values, "accessToken"), values.get("expiresIn")
    if access is None or not isinstance(seconds, int) or not 0 <= seconds <= MAX_SECONDS:
        raise PermissionDenied(
            f"the renewal of the SSO token of profile {session.profile!r} gave none: {session.advice}"
        )
    renewed = {
        **token,
        "startUrl": session.start_url,
        "region": session.region,
        "accessToken": access,
        "expiresAt": (scope.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if (refresh := text_of(values, "refreshToken")) is not None:
        renewed["refreshToken"] = refresh
    await scope.runtime.blocking(write_json, session.path, renewed)
    return access


async def _create_token(scope: Scope, session: SsoSession, token: Mapping[str, Any]) -> Mapping[str, Any]:
    url = f"{scope.endpoint('sso_oidc', session.region)}/token"
    form = {"grantType": "refresh_token"} | {key: token[key] for key in ("clientId", "clientSecret", "refreshToken")}
    headers = [("Host", urlsplit(url).netloc), ("Content-Type", "application/json")]
    response = await fetch(scope.http, HttpRequest("POST", url, headers, json.dumps(form).encode()))
    what = f"the renewal of the SSO token of profile {session.profile!r}"
    if 400 <= response.status < 500 and response.status != 429:
        raise PermissionDenied(f"{what} was refused: {session.advice}")
    if response.status != 200:
        raise failure(what, response.status)
    return json_object(f"the response to {what}", response.content)
