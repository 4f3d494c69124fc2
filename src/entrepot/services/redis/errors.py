"""The meaning of the errors of redis-py. Its texts are not repeated: some have parts of a call in them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis.exceptions as theirs

from entrepot.errors import (
    ConfigInvalid,
    Error,
    InvalidInput,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.raw.few_files import with_file_limit

_KINDS: Final[list[tuple[type[Exception], type[Error], str, bool]]] = [
    (theirs.TimeoutError, Timeout, "the server did not answer in time", True),
    (theirs.AuthenticationError, PermissionDenied, "the server refuses the username or the password", False),
    (theirs.AuthorizationError, PermissionDenied, "the server refuses the connection", False),
    (theirs.AuthenticationWrongNumberOfArgsError, PermissionDenied, "the server knows no usernames", False),
    (theirs.NoPermissionError, PermissionDenied, "the user may not make this call, or not on this key", False),
    (theirs.BusyLoadingError, Unexpected, "the server is loading its data", True),
    (theirs.OutOfMemoryError, StorageFull, "the server has no memory left", False),
    (theirs.ReadOnlyError, PermissionDenied, "the server is a replica, which cannot be written", False),
    (theirs.AskError, ConfigInvalid, "the server is a node of a cluster, which this service does not support", False),
    (theirs.MasterDownError, Unexpected, "the server is a replica that has lost its primary", True),
    (theirs.TryAgainError, Unexpected, "the server asks to try again", True),
    (theirs.ConnectionError, Unexpected, "the server cannot be reached, or the connection broke", True),
]
"""The first match counts."""

_TEXTS: Final[dict[str, tuple[type[Error], str, bool]]] = {
    "WRONGTYPE": (Unexpected, "the key holds another type than a string", False),
    "BUSY": (Unexpected, "the server runs a script", True),
    "MISCONF": (StorageFull, "the server cannot save its data", False),
    "NOREPLICAS": (Unexpected, "the server has too few replicas", True),
    "DB index": (ConfigInvalid, "the server has no database of that number", False),
    "invalid DB index": (ConfigInvalid, "the server has no database of that number", False),
    "unknown command": (Unsupported, "the server does not have this command", False),
    "string exceeds": (InvalidInput, "the value is larger than the server takes", False),
    "Protocol error: invalid bulk length": (InvalidInput, "the value is larger than the server takes", False),
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises, in place of an error of redis-py, the matching `Error`."""
    try:
        yield
    except theirs.RedisError as error:
        raise with_file_limit(meaning_of(error), error) from error
    except Error:
        raise
    except TimeoutError as error:
        raise Timeout("the server did not answer in time") from error
    except OSError as error:
        raise with_file_limit(Unexpected("the connection to the server broke", is_temporary=True), error) from error
    except (ValueError, RecursionError) as error:  # of the parser of redis-py
        raise no_redis() from error


def no_redis() -> Error:
    """The error of a response that Redis does not make."""
    return Unexpected("the response is not one of Redis: the endpoint is another server")


def meaning_of(error: Exception) -> Error:
    """The `Error` that an error of redis-py means."""
    if isinstance(error, theirs.ConnectionError) and _is_refused_certificate(error):
        return Unexpected("the certificate of the server is not trusted")
    if isinstance(error, theirs.InvalidResponse) or "Protocol Error" in str(error):
        return no_redis()
    for start, (kind, message, is_temporary) in _TEXTS.items():
        if type(error) is theirs.ResponseError and str(error).removeprefix("ERR ").startswith(start):
            return kind(message, is_temporary=is_temporary)
    for theirs_kind, kind, message, is_temporary in _KINDS:
        if isinstance(error, theirs_kind):
            return kind(message, is_temporary=is_temporary)
    return Unexpected("the server refused the call")


def _is_refused_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
