"""The meaning of the errors of asyncpg, by SQLSTATE (PostgreSQL's manual, appendix A).

Texts of the server are not repeated: some have keys and contents in them.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from entrepot.errors import (
    ConfigInvalid,
    Error,
    InvalidInput,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
)
from entrepot.raw.few_files import with_file_limit

NO_TABLE: Final = "42P01"
NO_SCHEMA: Final = "3F000"
NOT_UNIQUE: Final = "23505"

_MISFIT: Final = "the table lacks a column of the configuration, one has another type, or the keys are not unique"
_POOLER: Final = "a pooler shares connections between clients: set statement_cache_size=0"

_STATES: Final[dict[str, tuple[type[Error], str, bool]]] = {
    "08P01": (Unexpected, "the server does not understand the client", False),
    "08": (Unexpected, "the connection broke", True),
    "22000": (ConfigInvalid, _MISFIT, False),  # from asyncpg: a value does not fit the type of its column
    "22001": (InvalidInput, "the path is longer than the column of the keys takes", False),
    "22021": (InvalidInput, "the encoding of the database lacks a character of the path", False),
    "22P05": (InvalidInput, "the encoding of the database lacks a character of the path", False),
    "23502": (ConfigInvalid, "the table has another column, which needs a value", False),
    NOT_UNIQUE: (Unexpected, "another call stored the same key at the same time", True),
    "25006": (PermissionDenied, "the database is read-only", False),
    "26000": (ConfigInvalid, _POOLER, False),
    "28": (PermissionDenied, "the server refuses the username or the password", False),
    "3D000": (ConfigInvalid, "the server has no such database", False),
    "3F000": (ConfigInvalid, "the database has no such schema", False),
    "40": (Unexpected, "another transaction is in the way", True),
    "42P05": (ConfigInvalid, _POOLER, False),
    "42501": (PermissionDenied, "the role may not do this", False),
    "42703": (ConfigInvalid, _MISFIT, False),
    "42804": (ConfigInvalid, _MISFIT, False),
    "42883": (ConfigInvalid, _MISFIT, False),
    "42P10": (ConfigInvalid, _MISFIT, False),
    "42P18": (ConfigInvalid, _MISFIT, False),
    "53100": (StorageFull, "the disk of the server is full", False),
    "53200": (StorageFull, "the server has no memory left for this value", False),
    "53": (Unexpected, "the server has too many connections", True),
    "54": (InvalidInput, "the key or the value is larger than the server takes", False),
    "55P03": (Unexpected, "another transaction is in the way", True),
    "57014": (Timeout, "the server stopped the statement", True),
    "57": (Unexpected, "the server is starting or stopping", True),
}
"""Meanings by SQLSTATE, or by its class."""


@contextmanager
def translated() -> Iterator[None]:
    """Raises, in place of an error of asyncpg or of the connection, the matching `Error`."""
    try:
        yield
    except Error:
        raise
    except asyncpg.PostgresError as error:
        raise meaning_of(error) from error
    except asyncpg.ClientConfigurationError as error:
        raise ConfigInvalid(f"the configuration cannot work: {error.args[0]}") from error
    except asyncpg.TargetServerAttributeNotMatched as error:
        raise Unexpected("no server has the role of target_session_attrs", is_temporary=True) from error
    except TimeoutError as error:
        raise Timeout("the server did not answer in time") from error
    except ssl.SSLCertVerificationError as error:
        raise Unexpected("the certificate of the server is not trusted") from error
    except OSError as error:
        broken = Unexpected("the server cannot be reached, or the connection broke", is_temporary=True)
        raise with_file_limit(broken, error) from error
    except asyncpg.InternalClientError as error:
        raise Unexpected("the response is not one of PostgreSQL: the host is another server") from error
    except asyncpg.InterfaceError as error:
        raise Unexpected("the connection was closed during the call", is_temporary=True) from error


def meaning_of(error: asyncpg.PostgresError) -> Error:
    """The `Error` that a SQLSTATE means."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return Unexpected("the table was changed since the connection used it", is_temporary=True)
    state = error.sqlstate or ""
    unknown = Unexpected, "the server refused the statement", False
    kind, message, is_temporary = _STATES.get(state) or _STATES.get(state[:2]) or unknown
    return kind(message, is_temporary=is_temporary, context={"sqlstate": state})
