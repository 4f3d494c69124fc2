"""Tokens of a service account, by its key. The source is "Using OAuth 2.0 for Server to Server Applications"."""

import json
from collections.abc import Mapping
from typing import Any, Final

from entrepot.signing.call import text_of

from .rsa import encoded, sign
from .source import LIFETIME, BlobSigner, ClockWasOff, Machine, TokenOf, checked_url, post_form, required, token_of
from .token import GoogleToken

TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - a URL
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class ServiceAccount:
    """A service account whose key is known. It signs a claim for each token, and URLs.

    Arguments:
        values: the credential.
        machine: sends requests and has threads.

    Raises:
        ConfigInvalid: a part of the credential is missing.
    """

    def __init__(self, values: Mapping[str, Any], machine: Machine) -> None:
        self._email, self._key = required("the key of a service account", values, "client_email", "private_key")
        self._key_id = text_of(values, "private_key_id")
        self._url = checked_url("token_uri of the service account", values.get("token_uri") or TOKEN_URL)
        self._machine = machine

    async def load(self) -> GoogleToken:
        try:
            return await self._exchanged()
        except ClockWasOff:
            return await self._exchanged()

    async def _exchanged(self) -> GoogleToken:
        claim = await self._machine.runtime.blocking(self._claim)
        what = f"the token of service account {self._email}"
        response = await post_form(self._machine, what, self._url, {"grant_type": _GRANT, "assertion": claim})
        return token_of(self._machine, what, response)

    async def signer(self, token: TokenOf) -> BlobSigner:
        return BlobSigner(self._email, self._sign)

    async def _sign(self, content: bytes) -> bytes:
        return await self._machine.runtime.blocking(sign, self._key, content)

    def _claim(self) -> str:
        issued = int(self._machine.clock().timestamp())
        header = {"alg": "RS256", "typ": "JWT"} | ({"kid": self._key_id} if self._key_id else {})
        claims = {
            "iss": self._email,
            "scope": self._machine.scope,
            "aud": self._url,
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
        }
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{encoded(sign(self._key, signed.encode()))}"
