"""What the errors of asyncssh and the status codes of SFTP mean (draft-ietf-secsh-filexfer-02 and -13)."""

from __future__ import annotations

from typing import Final

import asyncssh
from asyncssh import constants as fx

from entrepot.errors import (
    AlreadyExists,
    ConfigInvalid,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.raw.few_files import with_file_limit


class UnexplainedFailure(Unexpected):
    """The status FAILURE (4), which says nothing about the cause. The caller finds it out by further requests."""

    kind = Unexpected.kind


_MEANINGS: Final[dict[int, tuple[type[Error], str]]] = {
    fx.FX_NO_SUCH_FILE: (NotFound, "the file does not exist"),
    fx.FX_NO_SUCH_PATH: (NotFound, "the directory does not exist"),
    fx.FX_PERMISSION_DENIED: (PermissionDenied, "the server does not permit it"),
    fx.FX_WRITE_PROTECT: (PermissionDenied, "the file system is read-only"),
    fx.FX_OP_UNSUPPORTED: (Unsupported, "the server does not have this"),
    fx.FX_FAILURE: (UnexplainedFailure, "the server reports a failure without its cause"),
    fx.FX_FILE_ALREADY_EXISTS: (AlreadyExists, "the file exists already"),
    fx.FX_NO_SPACE_ON_FILESYSTEM: (StorageFull, "the file system has no space left"),
    fx.FX_QUOTA_EXCEEDED: (StorageFull, "the quota is used up"),
    fx.FX_DIR_NOT_EMPTY: (IsADirectory, "the path names a directory that is not empty"),
    fx.FX_FILE_IS_A_DIRECTORY: (IsADirectory, "the path names a directory"),
    fx.FX_NOT_A_DIRECTORY: (NotADirectory, "a part of the path names a file"),
    fx.FX_INVALID_FILENAME: (InvalidInput, "the server does not take the name"),
    fx.FX_LINK_LOOP: (PermissionDenied, "the path has symbolic links that cannot be followed"),
}


def of_request(error: Exception) -> Error:
    """Returns the error of a request on an open session."""
    if isinstance(error, asyncssh.SFTPError) and error.code in _MEANINGS:
        kind, message = _MEANINGS[error.code]
        return kind(message)
    if isinstance(error, asyncssh.SFTPError) and not is_loss(error):
        return Unexpected(f"the server reports the status {error.code}")
    return Unexpected(f"the connection was lost: {_reason(error)}", is_temporary=True)


def is_loss(error: Exception) -> bool:
    """Whether the session cannot be used any more."""
    if not isinstance(error, asyncssh.SFTPError):
        return True
    return error.code in {fx.FX_CONNECTION_LOST, fx.FX_NO_CONNECTION, fx.FX_BAD_MESSAGE}


def of_connection(error: Exception, host: str) -> Error:
    """Returns the error of an attempt to connect. No text of it repeats a secret."""
    for kinds, made, message in _REFUSALS:
        if isinstance(error, kinds):
            return made(message.format(host=host))
    if isinstance(error, asyncssh.ChannelOpenError):
        return Unexpected(f"the host {host} refuses a session of SFTP", is_temporary=True)
    unreachable = Unexpected(f"the host {host} cannot be reached: {_reason(error)}", is_temporary=True)
    return with_file_limit(unreachable, error)


def of_options(error: Exception, host: str) -> Error:
    """Returns the error of options that cannot be read. In a container, a process may have neither home nor name."""
    if isinstance(error, RuntimeError):  # of pathlib
        return ConfigInvalid("this process has no home directory, where ssh keeps its files: set the variable HOME")
    if is_without_username(error):
        return ConfigInvalid("this process has no username, which ssh needs for its configuration: set USER")
    return of_connection(error, host)


def is_without_username(error: Exception) -> bool:
    """Whether the process has no username: a `ValueError` of asyncssh, or from Python 3.13 on `getpass`'s `OSError`."""
    return str(error).startswith(("Unknown local username", "No username set"))


_UNKNOWN_HOST: Final = (
    "the key of the host {host} is not in the known hosts, or differs from the one there: check it, or set"
    " known_hosts_strategy to 'add', which accepts the first key of a host"
)
_NO_KEY: Final = (
    "the key cannot be read: it is not a private key, or passphrase is missing or wrong (for a key of OpenSSH with a"
    " passphrase, the package bcrypt is needed)"
)
_REFUSALS: Final[tuple[tuple[tuple[type[Exception], ...], type[Error], str], ...]] = (
    ((asyncssh.HostKeyNotVerifiable,), PermissionDenied, _UNKNOWN_HOST),
    ((asyncssh.PermissionDenied,), PermissionDenied, "the host {host} refuses the login: check user, key and password"),
    ((asyncssh.KeyImportError, asyncssh.KeyEncryptionError), ConfigInvalid, _NO_KEY),
    ((asyncssh.ConfigParseError,), ConfigInvalid, "the configuration of ssh cannot be read"),
    ((TimeoutError,), Timeout, "the host {host} did not answer in time"),
)


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
