"""Credential objects of the library azure-identity, and of anything else with its `get_token`."""

from collections.abc import Awaitable
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Protocol

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Unexpected
from entrepot.raw.runtime import Runtime

from .azure import AzureAccessToken, AzureCredentials
from .azure_sources import SCOPE, time_of
from .provider import Provider, check_source, provider_of


class TokenCredential(Protocol):
    """An object that azure-identity calls a `TokenCredential`, or in its module `aio` an `AsyncTokenCredential`."""

    def get_token(self, *scopes: str) -> Any | Awaitable[Any]:
        """Returns a token, with the attributes `token` and `expires_on`; a coroutine function may do so too."""


class IdentityProvider:
    """Loads tokens from a credential object. A plain `get_token` is called in a thread.

    Arguments:
        credential: the object. Its owner closes it.
        runtime: has the thread.
    """

    __slots__ = ("_credential", "_runtime")

    def __init__(self, credential: TokenCredential, runtime: Runtime) -> None:
        self._credential = credential
        self._runtime = runtime

    async def load(self) -> AzureCredentials:
        """Requests a token for Azure Storage.

        Raises:
            PermissionDenied: the object has none. Its own error is the cause.
            Unexpected: it failed otherwise, or what it returned is not a token.
        """
        name = type(self._credential).__name__
        try:
            token = await self._called()
        except Error:
            raise
        except Exception as error:
            message = f"{name} failed with {type(error).__name__}"
            if isinstance(error, OSError):
                raise Unexpected(message, is_temporary=True) from error
            raise PermissionDenied(message) from error
        text, seconds = getattr(token, "token", None), getattr(token, "expires_on", None)
        if not isinstance(text, str):
            raise ConfigInvalid(f"{name} returned {type(token).__name__}, which is not a token", operation="configure")
        return AzureAccessToken(text, time_of(seconds), name)

    async def _called(self) -> object:
        call = self._credential.get_token
        returned = call(SCOPE) if iscoroutinefunction(call) else await self._runtime.blocking_long(call, SCOPE)
        return await returned if isawaitable(returned) else returned


def check_credentials(source: object) -> None:
    """Passes if `azure_provider` accepts this.

    Raises:
        ConfigInvalid: it does not.
    """
    if not _has_tokens(source):
        check_source(source, AzureCredentials)


def azure_provider(source: Any, runtime: Runtime) -> Provider[AzureCredentials]:
    """The provider that a user means.

    Arguments:
        source: credentials, a `Provider`, a function that returns credentials, or an object with `get_token`.
        runtime: calls functions that block in threads.

    Raises:
        ConfigInvalid: it is something else.
    """
    if _has_tokens(source):
        return IdentityProvider(source, runtime)
    return provider_of(source, AzureCredentials, runtime)


def _has_tokens(source: object) -> bool:
    return callable(getattr(source, "get_token", None)) and not isinstance(source, type)
