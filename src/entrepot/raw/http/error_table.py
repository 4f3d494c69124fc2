"""The errors of a store by the codes and statuses of its responses.

Only text that is known to be a plain name is copied from a response into an error. Everything else in a response may
repeat a secret of the request.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from entrepot.errors import Error

from .errors import Meaning, retry_context, status_error
from .transport import HttpHeaders

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """Maps responses to errors. The code in the content decides; without a known code, the status does.

    Arguments:
        codes: the errors by code.
        statuses: the errors by status, where they differ from `status_error`.
    """

    codes: Mapping[str, Meaning]
    statuses: Mapping[int, Meaning] = field(default_factory=dict)

    def by_code(self, code: str | None) -> Error | None:
        """The error of a code; None if the table does not have it."""
        meaning = self.codes.get(code or "")
        return None if meaning is None else meaning.error()

    def by_status(self, status: int, headers: HttpHeaders) -> Error:
        """The error of a status."""
        meaning = self.statuses.get(status)
        return status_error(status, headers) if meaning is None else meaning.error()


def with_facts(error: Error, headers: HttpHeaders, **facts: Any) -> Error:
    """Adds facts about the response, and when to retry, to the context of an error. It returns the same error."""
    return error.add_context(**facts, **retry_context(headers))


def plain_name(text: str | None) -> str | None:
    """Text of a response that may be shown, such as a code or a region; None for anything else."""
    return text if text is not None and re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text) else None


def plain_id(text: str | None) -> str | None:
    """An id of a request that may be shown: up to 128 characters of base64; None for anything else.

    64 hexadecimal digits are not shown: a signature has that form, and a response may repeat it.
    """
    is_id = text is not None and re.fullmatch(r"(?![0-9a-f]{64}$)[A-Za-z0-9+/=]{1,128}", text)
    return text if is_id else None
