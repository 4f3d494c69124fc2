"""Keys in a profile of the credentials file, and of the config file."""

from collections.abc import Mapping

from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import FileText, Section

from .source import Absent, Scope, checked_credentials


class CredentialsFileSource:
    """The keys of the profile in the credentials file."""

    name = "credentials file"

    async def load(self, scope: Scope) -> Credentials | Absent:
        return _keys(scope, scope.files.credentials_file, scope.profile.credentials, scope.files.credentials)


class ConfigFileSource:
    """The keys of the profile in the config file."""

    name = "config file"

    async def load(self, scope: Scope) -> Credentials | Absent:
        return _keys(scope, scope.files.config_file, scope.profile.config, scope.files.config)


def _keys(scope: Scope, file: FileText, section: Section, profiles: Mapping[str, Section]) -> Credentials | Absent:
    name = scope.profile.name
    if file.text is None:
        return Absent(f"{file.path} {file.problem}")
    if name not in profiles:
        return Absent(f"{file.path} has no profile {name!r}")
    if "aws_access_key_id" not in section:
        return Absent(f"profile {name!r} in {file.path} has no aws_access_key_id")
    values = {
        "access_key_id": _text(section, "aws_access_key_id"),
        "secret_access_key": _text(section, "aws_secret_access_key"),
        "session_token": _text(section, "aws_security_token") or _text(section, "aws_session_token"),
    }
    return checked_credentials(f"profile {name!r} in {file.path}", values, None)


def _text(section: Section, key: str) -> str | None:
    value = section.get(key)
    return value if isinstance(value, str) else None
