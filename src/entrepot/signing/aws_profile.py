"""The configuration files of the AWS tools: `~/.aws/config` and `~/.aws/credentials`.

The format and its rules are those of botocore ("Configuration and credential file settings" in the AWS CLI User
Guide): the INI format of the standard library's `configparser`, in which a value may span indented lines, and an
indented block of `key = value` lines under a key without a value is a nested table. In the config file the profile
`dev` is the section `[profile dev]`, in the credentials file it is `[dev]`; `[default]` is the same in both. The config
file also has `[sso-session name]` and `[services name]` sections. Where both files have a profile, it has the keys of
both, and the credentials file wins.

`parse_files` is pure; `load_files` reads the files in a thread.
"""

import os
import shlex
from collections.abc import Mapping
from configparser import (
    DuplicateOptionError,
    DuplicateSectionError,
    Error,
    MissingSectionHeaderError,
    RawConfigParser,
)
from dataclasses import field
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.runtime import Runtime

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

DEFAULT_PROFILE: Final = "default"

Value = str | Mapping[str, str]
Section = Mapping[str, Value]
Sections = Mapping[str, Section]

_EMPTY: Final[Section] = {}
_CONFIG: Final = ("AWS_CONFIG_FILE", "~/.aws/config")
_CREDENTIALS: Final = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
_PROBLEMS: Final[Mapping[type[Error], str]] = {
    MissingSectionHeaderError: "there is text before the first [section]",
    DuplicateSectionError: "the section is there twice",
    DuplicateOptionError: "the key is there twice in its section",
}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
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
            raise _invalid(f"the AWS profile {name!r} does not exist: {self._existing()}")
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
            raise _invalid(
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


async def load_files(runtime: Runtime, environ: Mapping[str, str]) -> ProfileFiles:
    """Reads both files in a thread. A file that does not exist or cannot be read has no profiles.

    Arguments:
        runtime: has the threads.
        environ: the environment variables, of which `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` are paths.

    Raises:
        ConfigInvalid: a file is malformed. The message names the file and the line.
    """
    return await runtime.blocking(read_files, environ)


def read_files(environ: Mapping[str, str]) -> ProfileFiles:
    """Does the same in the calling thread."""
    return parse_files(_read(_path(environ, *_CONFIG)), _read(_path(environ, *_CREDENTIALS)))


def parse_files(config_file: FileText, credentials_file: FileText) -> ProfileFiles:
    """Parses the text of both files.

    Raises:
        ConfigInvalid: a file is malformed. The message names the file and the line.
    """
    sections = _parsed(config_file)
    return ProfileFiles(
        config_file,
        credentials_file,
        config=_named("profile", sections, DEFAULT_PROFILE),
        credentials=_parsed(credentials_file),
        sso_sessions=_named("sso-session", sections),
        services=_named("services", sections),
    )


def expanded(path: str) -> str:
    """A path with `~` and the variables in it replaced."""
    return os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111 - that of Path fails without a home


def _path(environ: Mapping[str, str], variable: str, default: str) -> str:
    return expanded(environ.get(variable) or default)


def _read(path: str) -> FileText:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib takes more than a hundredth of a first request
            content = file.read()
    except FileNotFoundError:
        return FileText(path)
    except OSError as error:
        return FileText(path, problem=f"cannot be read ({error.strerror})")
    return FileText(path, _decoded(path, content), "")


def _decoded(path: str, content: bytes) -> str:
    null = content.find(b"\0")
    if null >= 0:
        raise _malformed(path, content.count(b"\n", 0, null) + 1, "it has a null byte, as text in UTF-16 has")
    try:
        text = content.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    else:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise _malformed(path, line, "it is not UTF-8")  # raised here, since the other error holds the content


def _parsed(file: FileText) -> dict[str, dict[str, Value]]:
    """The sections of a file. Errors of `configparser` hold the text of a line, so none becomes a cause of ours."""
    if file.text is None:
        return {}
    parser, problem = RawConfigParser(), None
    try:
        parser.read_string(file.text)
    except Error as error:
        problem = _problem(error)
    if problem is not None:
        raise _malformed(file.path, *problem)
    return {
        name: {key: _value(file, parser.get(name, key)) for key in parser.options(name)} for name in parser.sections()
    }


def _problem(error: Error) -> tuple[int, str]:
    """The line of a malformed file, and what is wrong there."""
    lines = [line for line, _ in getattr(error, "errors", ())]
    line = getattr(error, "lineno", None) or (lines[0] if lines else 0)
    return line, _PROBLEMS.get(type(error), "it is not a [section] or 'key = value'")


def _value(file: FileText, text: str) -> Value:
    """The text of a value, or the table that is nested in it: its first line is empty then."""
    if not text.startswith("\n"):
        return text
    table = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, separator, value = line.partition("=")
        if not separator:
            raise _malformed(file.path, _line_of(file, line), "it is not 'key = value' of a nested table")
        table[key.strip()] = value.strip()
    return table


def _line_of(file: FileText, content: str) -> int:
    """The number of the first indented line with this content."""
    lines = enumerate((file.text or "").splitlines(), 1)
    return next((number for number, line in lines if line[:1].isspace() and line.strip() == content), 0)


def _named(kind: str, sections: Mapping[str, dict[str, Value]], *unprefixed: str) -> Sections:
    """The sections `[kind name]` by name, and those with one of the other names, in the order of the file."""
    named = {}
    for title, section in sections.items():
        name = title if title in unprefixed else _name(kind, title)
        if name is not None:
            named[name] = section
    return named


def _name(kind: str, title: str) -> str | None:
    """The name in the title of a section `[kind name]`, which may be quoted; None if it is another section."""
    if not title.startswith(kind):
        return None
    try:
        words = shlex.split(title)
    except ValueError:  # an open quote: botocore does not take it for a section of the kind either
        return None
    return words[1] if len(words) == 2 else None


def _malformed(path: str, line: int, problem: str) -> ConfigInvalid:
    return _invalid(f"{path}, line {line}: {problem}")


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
