"""Reads the configuration files of the AWS tools: `~/.aws/config` and `~/.aws/credentials`.

The format and its rules are those of botocore: the INI format of the standard library's `configparser`, in which a
value may span indented lines, and an indented block of `key = value` lines under a key without a value is a nested
table.

`parse_files` is pure; `load_files` reads the files in a thread.
"""

import shlex
from collections.abc import Mapping
from configparser import (
    DuplicateOptionError,
    DuplicateSectionError,
    Error,
    MissingSectionHeaderError,
    RawConfigParser,
)
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.os_errors import meaning_of
from entrepot.raw.runtime import Runtime

from .aws_profile import DEFAULT_PROFILE, FileText, ProfileFiles, Sections, Value, expanded, invalid_profile

_CONFIG: Final = ("AWS_CONFIG_FILE", "~/.aws/config")
_CREDENTIALS: Final = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
_PROBLEMS: Final[Mapping[type[Error], str]] = {
    MissingSectionHeaderError: "there is text before the first [section]",
    DuplicateSectionError: "the section is there twice",
    DuplicateOptionError: "the key is there twice in its section",
}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


async def load_files(runtime: Runtime, environ: Mapping[str, str]) -> ProfileFiles:
    """Reads both files in a thread. A file that does not exist or cannot be read has no profiles.

    Arguments:
        runtime: has the threads.
        environ: the environment variables, of which `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` are paths.

    Raises:
        ConfigInvalid: a file is malformed. The message names the file and the line.
        Unexpected: there are too many open files. Temporary.
    """
    return await runtime.blocking(read_files, environ)


def read_files(environ: Mapping[str, str]) -> ProfileFiles:
    """Reads both files in the calling thread. Arguments and errors as `load_files`."""
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


def _path(environ: Mapping[str, str], variable: str, default: str) -> str:
    return expanded(environ.get(variable) or default)


def _read(path: str) -> FileText:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib takes more than a hundredth of a first request
            content = file.read()
    except FileNotFoundError:
        return FileText(path)
    except OSError as error:
        if is_of_too_many_files(error):
            raise meaning_of(error) from None
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
    return invalid_profile(f"{path}, line {line}: {problem}")
