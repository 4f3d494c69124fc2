"""The role of a user of AWS IAM Identity Center, formerly Single Sign-On (SSO).

The sources are "IAM Identity Center credential provider" in the AWS SDKs and Tools Reference Guide, and the "IAM
Identity Center Portal API Reference".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from entrepot.errors import ConfigInvalid, PermissionDenied, Unexpected
from entrepot.raw.http.transport import HttpRequest
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import Value
from entrepot.signing.call import failure, fetch, json_object, text_of

from .source import Absent, Scope, checked_credentials
from .sso_token import SsoSession, access_token

_OF_PROFILE: Final = ("sso_role_name", "sso_account_id")
_OF_SESSION: Final = ("sso_start_url", "sso_region")


class _SsoRole(NamedTuple):
    """A role of a user.

    Attributes:
        session: the session of the user.
        name: the name of the role.
        account: the account that it belongs to.
    """

    session: SsoSession
    name: str
    account: str


class SsoSource:
    """`sso_role_name` and `sso_account_id` of the profile, with an `[sso-session]` section or in the older form.

    `aws sso login` leaves a token in a file. The token of a section is renewed here while its session lasts.
    """

    name = "SSO"

    async def load(self, scope: Scope) -> Credentials | Absent:
        if not any(key in scope.profile for key in _OF_PROFILE):
            return Absent(f"profile {scope.profile.name!r} has no {' and no '.join(_OF_PROFILE)}")
        role = _role(scope)
        return await _credentials(scope, role, await access_token(scope, role.session))


def _role(scope: Scope) -> _SsoRole:
    """The role that the profile describes.

    Raises:
        ConfigInvalid: a key is missing, or the profile contradicts its `[sso-session]` section.
    """
    values = _settings(scope)
    missing = [key for key in (*_OF_PROFILE, *_OF_SESSION) if not isinstance(values.get(key), str)]
    if missing:
        raise _invalid(scope, f"is configured for SSO, and {' and '.join(missing)} is missing")
    session = SsoSession(
        scope.profile.name, scope.profile.get("sso_session"), str(values["sso_start_url"]), str(values["sso_region"])
    )
    return _SsoRole(session, str(values["sso_role_name"]), str(values["sso_account_id"]))


def _settings(scope: Scope) -> dict[str, Value | None]:
    """The settings of the profile and of the `[sso-session]` section that it names."""
    values: dict[str, Value | None] = {key: scope.profile.get(key) for key in (*_OF_PROFILE, *_OF_SESSION)}
    name = scope.profile.get("sso_session")
    if name is None:
        return values
    if name not in scope.files.sso_sessions:
        raise _invalid(
            scope, f"names the section [sso-session {name}], which {scope.files.config_file.path} does not have"
        )
    for key, value in scope.files.sso_sessions[name].items():
        if scope.profile.get(key) not in (None, value):
            raise _invalid(scope, f"and its section [sso-session {name}] have different values of {key}")
        values[key] = value
    return values


async def _credentials(scope: Scope, role: _SsoRole, token: str) -> Credentials:
    query = urlencode({"role_name": role.name, "account_id": role.account})
    url = f"{scope.endpoint('sso', role.session.region)}/federation/credentials?{query}"
    headers = [("Host", urlsplit(url).netloc), ("x-amz-sso_bearer_token", token)]
    response = await fetch(scope.http, HttpRequest("GET", url, headers))
    what = f"SSO role {role.name!r} of account {role.account} by profile {scope.profile.name!r}"
    if response.status == 401:
        raise PermissionDenied(f"{what}: the token is not valid any more: {role.session.advice}")
    if response.status != 200:
        raise failure(what, response.status)
    values = json_object(f"the response to {what}", response.content).get("roleCredentials")
    return _read(what, values if isinstance(values, dict) else {})


def _read(source: str, values: Mapping[str, Any]) -> Credentials:
    expires_at = _time(values.get("expiration"))
    if expires_at is None:
        raise Unexpected(f"the response to {source} has no credentials", is_temporary=True)
    keys = {
        "access_key_id": text_of(values, "accessKeyId"),
        "secret_access_key": text_of(values, "secretAccessKey"),
        "session_token": text_of(values, "sessionToken"),
    }
    return checked_credentials(source, keys, expires_at)


def _time(milliseconds: object) -> datetime | None:
    """The time of so many milliseconds since 1970; None if it is not a number, or not a time."""
    if not isinstance(milliseconds, int):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _invalid(scope: Scope, problem: str) -> ConfigInvalid:
    return ConfigInvalid(f"profile {scope.profile.name!r} {problem}", operation="configure")
