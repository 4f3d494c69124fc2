"""Refusals of S3 that are corrected before the request is sent once more: old credentials, and a clock that is off."""

from collections.abc import Callable
from typing import Final

from entrepot.errors import Error
from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.log import WARNING, log
from entrepot.services.s3.errors import stated_code
from entrepot.signing.aws import Credentials, is_signed_with
from entrepot.signing.clock import Clock
from entrepot.signing.provider import CredentialCache

OLD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",  # also of a key that was replaced in its source
        "InvalidToken",
        "InvalidTokenId",
        "RequestExpired",
        "TokenRefreshRequired",
    }
)
"""The codes of responses to requests whose credentials may have been replaced in their source."""

GUESS_SECONDS: Final = 300.0
"""How long credentials are held, at least, before a refusal without a code is a reason to replace them."""

_SKEWED: Final = "RequestTimeTooSkewed"
_STATUSES: Final = frozenset({400, 401, 403})


class RenewedCredentials:
    """Replaces the credentials that a storage refuses.

    The response to a HEAD has no code, so a bare 400 or 403 may mean old credentials. Mostly it means something else.
    So it is a reason to replace temporary credentials only, and only after five minutes.

    Arguments:
        credentials: the credentials of the client.
        signs: whether these credentials sign a request; by default they sign all.
    """

    __slots__ = ("_credentials", "_signs")

    def __init__(
        self, credentials: CredentialCache[Credentials], signs: Callable[[HttpRequest], bool] | None = None
    ) -> None:
        self._credentials = credentials
        self._signs = signs

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if there are other credentials now.

        Raises:
            Error: the storage states that the credentials are old, and the provider of others failed.
        """
        if refusal.status not in _STATUSES or not (self._signs is None or self._signs(refusal.request)):
            return None
        code = stated_code(refusal.content)
        if code in OLD_CREDENTIALS:
            return await self._with_others(refusal)
        if code is None and refusal.request.method == "HEAD" and self._may_be_old():
            return await self._with_others_if_possible(refusal)
        return None

    def _may_be_old(self) -> bool:
        held = self._credentials.held
        is_temporary = held is not None and (held.session_token is not None or held.expires_at is not None)
        return is_temporary and self._credentials.age >= GUESS_SECONDS

    async def _with_others(self, refusal: Refusal) -> HttpRequest | None:
        current = await self._credentials.get()
        if not is_signed_with(refusal.sent, current):
            return refusal.request  # another request has replaced them
        return None if await self._credentials.renew(current) == current else refusal.request

    async def _with_others_if_possible(self, refusal: Refusal) -> HttpRequest | None:
        try:
            return await self._with_others(refusal)
        except Error as error:
            log(WARNING, "the storage refused a HEAD, and other credentials cannot be loaded: %s", error)
            return None


class CorrectedClock:
    """Sets the clock of a client to the storage's where it refuses the time of a signature.

    Arguments:
        clock: the clock of the client.
    """

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if the Date of the response shows that the clock was off.

        A refusal without a code, as to a HEAD, counts too: the Date tells.
        """
        if refusal.status not in _STATUSES or stated_code(refusal.content) not in {_SKEWED, None}:
            return None
        return refusal.request if self._clock.correct(refusal.headers) else None
