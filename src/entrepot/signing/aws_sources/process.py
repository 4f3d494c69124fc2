"""A program that prints credentials (`credential_process` of the profile).

The source is "Sourcing credentials with an external process" in the AWS CLI User Guide.
"""

import shlex
import subprocess
from pathlib import PurePath
from typing import Final

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Timeout
from entrepot.raw.few_files import with_file_limit
from entrepot.signing.aws import Credentials
from entrepot.signing.call import json_object, text_of

from .source import Absent, Scope, checked_credentials, parse_time

TIMEOUT_SECONDS: Final = 60.0
"""After how many seconds the program is killed."""


class ProcessSource:
    """`credential_process` of the profile. The program is started again for each load, without a shell.

    Its standard error goes to the one of this process, as its author meant it for people.
    """

    name = "credential process"

    async def load(self, scope: Scope) -> Credentials | Absent:
        command = scope.profile.get("credential_process")
        if command is None:
            return Absent(f"profile {scope.profile.name!r} has no credential_process")
        return await scope.runtime.blocking_long(_run, command, f"credential process of profile {scope.profile.name!r}")


def _run(command: str, name: str) -> Credentials:
    output = _output(_words(command, name), name)
    values = json_object(f"the output of the {name}", output)
    if values.get("Version") != 1:
        raise ConfigInvalid(f"the output of the {name} is not of version 1", operation="configure")
    keys = {
        "access_key_id": text_of(values, "AccessKeyId"),
        "secret_access_key": text_of(values, "SecretAccessKey"),
        "session_token": text_of(values, "SessionToken"),
    }
    expiration = values.get("Expiration")
    return checked_credentials(name, keys, None if expiration is None else parse_time(name, expiration))


def _words(command: str, name: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise ConfigInvalid(f"the command of the {name} is empty, or has an open quote", operation="configure")
    return words


def _output(words: list[str], name: str) -> bytes:
    """The output of the program. Errors name the program only: its arguments may hold a password."""
    program = PurePath(words[0]).name
    problem: Error
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        problem = Timeout(f"the {name} ({program}) did not end within {TIMEOUT_SECONDS:g} seconds")
    except OSError as error:
        message = f"the {name} ({program}) cannot be started: {error.strerror}"
        problem = with_file_limit(ConfigInvalid(message, operation="configure"), error)
    else:
        if done.returncode == 0:
            return done.stdout
        problem = PermissionDenied(f"the {name} ({program}) failed with exit status {done.returncode}")
    raise problem  # raised here, since the other errors hold the command
