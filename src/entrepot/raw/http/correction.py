"""Requests that are sent once more after the reason for their refusal was corrected."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .transport import HttpHeaders, HttpRequest

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is not a success.

    Arguments:
        request: the request before it was signed.
        sent: the request as it was sent.
        status: the status of the response.
        headers: its headers.
        content: the start of its content; empty in the response to a HEAD.
    """

    request: HttpRequest
    sent: HttpRequest
    status: int
    headers: HttpHeaders
    content: bytes


class Correction(Protocol):
    """One reason for which a storage refuses requests, and what corrects it, such as other credentials.

    It is shared by all requests of a client. For each request it corrects one refusal at most.
    """

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request to sign and send now; None if the refusal has another reason or cannot be corrected.

        Raises:
            Error: the reason is certain, and to correct it failed.
        """
        ...


async def corrected(refusal: Refusal, corrections: Sequence[Correction]) -> tuple[HttpRequest, Correction] | None:
    """The request to send after the first of the corrections that applies, with that correction."""
    for correction in corrections:
        request = await correction.correct(refusal)
        if request is not None:
            return request, correction
    return None
