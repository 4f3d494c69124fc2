"""The session of a user who has signed in with `aws login`.

The AWS CLI keeps the credentials in a file of `~/.aws/login/cache`, whose name is the SHA-256 of `login_session` of the
profile. They last 15 minutes. Their renewal needs a signature with an elliptic curve, which the standard library does
not have, so it is left to the AWS CLI, which `credential_process` can call.
"""

import hashlib
from pathlib import Path
from typing import Final

from entrepot.errors import PermissionDenied
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import expanded
from entrepot.signing.call import text_of

from .source import Absent, Scope, checked_credentials, parse_time
from .token_file import read_json

CACHE_FOLDER: Final = "~/.aws/login/cache"


class LoginSource:
    """`login_session` of the profile: the credentials in the file, until they expire."""

    name = "login"

    async def load(self, scope: Scope) -> Credentials | Absent:
        session = scope.profile.get("login_session")
        if session is None:
            return Absent(f"profile {scope.profile.name!r} has no login_session")
        source = f"login session of profile {scope.profile.name!r}"
        values = (await scope.runtime.blocking(read_json, _path(scope, session)) or {}).get("accessToken")
        advice = f"run 'aws login --profile {scope.profile.name}'"
        if not isinstance(values, dict):
            raise PermissionDenied(f"the {source} does not exist: {advice}")
        expires_at = parse_time(source, values.get("expiresAt"))
        if expires_at <= scope.now():
            raise PermissionDenied(
                f"the credentials of the {source} have expired, and this library cannot renew them: {advice}, "
                "or set credential_process to 'aws configure export-credentials --format process'"
            )
        keys = {
            "access_key_id": text_of(values, "accessKeyId"),
            "secret_access_key": text_of(values, "secretAccessKey"),
            "session_token": text_of(values, "sessionToken"),
        }
        return checked_credentials(source, keys, expires_at)


def _path(scope: Scope, session: str) -> Path:
    folder = scope.environ.get("AWS_LOGIN_CACHE_DIRECTORY") or CACHE_FOLDER
    return Path(expanded(folder)) / f"{hashlib.sha256(session.encode()).hexdigest()}.json"
