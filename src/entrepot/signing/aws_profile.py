"""The profiles in the configuration files of the AWS tools, `~/.aws/config` and `~/.aws/credentials`, as values.

In the config file the profile `dev` is the section `[profile dev]`, in the credentials file it is `[dev]`; `[default]`
is the same in both. The config file also has `[sso-session name]` and `[services name]` sections. Where both files have
a profile, it has the keys of both, and the credentials file wins ("Configuration and credential file settings" in the
AWS CLI User Guide).

`aws_profile_files.py` reads the files. It is apart, because an operator whose configuration says everything needs
neither a parser nor what it imports.
"""

import os
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

DEFAULT_PROFILE: Final = "default"

Value = str | Mapping[str, str]
Section = Mapping[str, Value]
Sections = Mapping[str, Section]

_EMPTY: Final[Section] = {}
_TRUE: Final = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True, slots=True)
class FileText:
    """One file as it was read.

    Arguments:
        path: its path, `~` and variables expanded.
        text: its text; None if it does not exist or cannot be read.
        problem: why it has no text, for error messages.
    """

    path: str
    text: str | None = field(default=None, repr=False)
    problem: str = "does not exist"


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings of one profile, from both files.

    Arguments:
        name: the name of the profile.
        config: its settings in the config file.
        credentials: its settings in the credentials file.
    """

    name: str
    config: Section = field(default_factory=dict, repr=False)
    credentials: Section = field(default_factory=dict, repr=False)

    def get(self, key: str) -> str | None:
        """A setting, from the credentials file if both files have it. None if it is missing, or is a nested table."""
        value = self.credentials.get(key, self.config.get(key))
        return value if isinstance(value, str) else None

    def nested(self, key: str) -> Mapping[str, str]:
        """A nested table, such as `s3`; empty if there is none."""
        value = self.credentials.get(key, self.config.get(key))
        return value if isinstance(value, Mapping) else {}

    def __contains__(self, key: str) -> bool:
        return key in self.config or key in self.credentials


@dataclass(frozen=True, slots=True)
class ProfileFiles:
    """The content of both files. Its repr shows no value.

    Arguments:
        config_file: the config file.
        credentials_file: the credentials file.
        config: the profiles of the config file, by name.
        credentials: the profiles of the credentials file, by name.
        sso_sessions: the `[sso-session name]` sections, by name.
        services: the `[services name]` sections, by name.
    """

    config_file: FileText
    credentials_file: FileText
    config: Sections = field(default_factory=dict, repr=False)
    credentials: Sections = field(default_factory=dict, repr=False)
    sso_sessions: Sections = field(default_factory=dict, repr=False)
    services: Sections = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted({*self.config, *self.credentials})

    def profile(self, name: str | None = None) -> Profile:
        """A profile by its name; None is the default profile, which may be missing and is empty then.

        Raises:
            ConfigInvalid: no file has the profile. The message lists the profiles that they have.
        """
        if name is not None and name not in self.config and name not in self.credentials:
            raise invalid_profile(f"the AWS profile {name!r} does not exist: {self._existing()}")
        name = name or DEFAULT_PROFILE
        return Profile(name, self.config.get(name, _EMPTY), self.credentials.get(name, _EMPTY))

    def service(self, profile: Profile, service: str) -> Mapping[str, str]:
        """The settings of one service in the `[services name]` section that the profile names; empty if it names none.

        Arguments:
            profile: the profile.
            service: the identifier of the service, such as `"s3"` or `"sso_oidc"`.

        Raises:
            ConfigInvalid: the section that the profile names does not exist.
        """
        section = profile.get("services")
        if section is None:
            return {}
        if section not in self.services:
            raise invalid_profile(
                f"profile {profile.name!r} names the section [services {section}], "
                f"which {self.config_file.path} does not have"
            )
        value = self.services[section].get(service, {})
        return value if isinstance(value, Mapping) else {}

    def _existing(self) -> str:
        if self.names:
            return f"{self.config_file.path} and {self.credentials_file.path} have {', '.join(map(repr, self.names))}"
        problems = [f"{file.path} {file.problem}" for file in (self.config_file, self.credentials_file) if file.problem]
        return " and ".join(problems) or f"{self.config_file.path} and {self.credentials_file.path} have no profile"


NO_FILES: Final = ProfileFiles(FileText(""), FileText(""))
"""The files where none are read."""


def profile_name(environ: Mapping[str, str]) -> str | None:
    """The profile that the environment selects; None is the default profile."""
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or None


def configured_region(profile: Profile, environ: Mapping[str, str]) -> str | None:
    """The region that the environment or the profile sets; None if neither does."""
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region") or None


def configured_endpoint(service: str, files: ProfileFiles, profile: Profile, environ: Mapping[str, str]) -> str | None:
    """The URL that is configured for a service; None if there is none, or configured ones are to be ignored.

    The order is: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, `endpoint_url` of the service in the `[services]`
    section of the profile, `endpoint_url` of the profile ("Service-specific endpoints" in the AWS SDKs and Tools
    Reference Guide).

    Arguments:
        service: the identifier of the service, such as `"s3"`, `"sts"` or `"sso_oidc"`.
        files: the files.
        profile: the profile.
        environ: the environment variables.

    Raises:
        ConfigInvalid: the profile names a `[services]` section that does not exist.
    """
    if is_set("ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", profile, environ):
        return None
    return (
        environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or environ.get("AWS_ENDPOINT_URL")
        or files.service(profile, service).get("endpoint_url")
        or profile.get("endpoint_url")
        or None
    )


def is_set(key: str, variable: str, profile: Profile, environ: Mapping[str, str]) -> bool:
    """Whether a switch is on, in a variable of the environment or else in a key of the profile."""
    value = environ[variable] if variable in environ else profile.get(key)
    return (value or "").strip().lower() in _TRUE


def expanded(path: str) -> str:
    """A path with `~` and the variables in it replaced."""
    return os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111 - that of Path fails without a home


def invalid_profile(message: str) -> ConfigInvalid:
    """The error for a profile or a file of them that cannot be used."""
    return ConfigInvalid(message, operation="configure")
