"""Tokens of a user, by the refresh token that `gcloud auth application-default login` keeps."""

from collections.abc import Mapping
from typing import Any

from .service_account import TOKEN_URL
from .source import BlobSigner, Machine, TokenOf, checked_url, post_form, required, token_of
from .token import GoogleToken


class AuthorizedUser:
    """A user who has signed in.

    Arguments:
        values: the credential.
        machine: sends requests.

    Raises:
        ConfigInvalid: a part of the credential is missing.
    """

    def __init__(self, values: Mapping[str, Any], machine: Machine) -> None:
        names = ("client_id", "client_secret", "refresh_token")
        texts = required("the credential of a user", values, *names)
        self._form = {**dict(zip(names, texts, strict=True)), "grant_type": "refresh_token"}
        self._url = checked_url("token_uri of the user", values.get("token_uri") or TOKEN_URL)
        self._machine = machine

    async def load(self) -> GoogleToken:
        what = "the token of the signed-in user"
        return token_of(self._machine, what, await post_form(self._machine, what, self._url, self._form))

    async def signer(self, token: TokenOf) -> BlobSigner | None:
        return None
