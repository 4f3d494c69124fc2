"""Tokens of a service account, by the permission to act as it.

The source is the reference of the IAM Service Account Credentials API.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from entrepot.errors import ConfigInvalid, Unexpected
from entrepot.raw.http.headers import parse_iso_time
from entrepot.signing.call import text_of

from .source import LIFETIME, BlobSigner, Machine, Source, TokenOf, checked_url, new_token, post_json, required
from .token import GoogleToken

IAM: Final = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
_ACCOUNT: Final = re.compile(r"(.*/serviceAccounts/)([^/:]+):generateAccessToken")


class Impersonated:
    """A service account that another credential acts as.

    Arguments:
        url: the URL of its `generateAccessToken`.
        base: the credential that acts.
        machine: sends requests.
        delegates: service accounts in between.

    Raises:
        ConfigInvalid: the URL is not valid.
    """

    def __init__(self, url: str, base: Source, machine: Machine, delegates: Sequence[str] = ()) -> None:
        self._url = checked_url("service_account_impersonation_url", url)
        match = _ACCOUNT.fullmatch(self._url)
        if match is None:
            raise ConfigInvalid(
                "service_account_impersonation_url must end with serviceAccounts/EMAIL:generateAccessToken",
                operation="configure",
            )
        self._accounts, self._email = match[1], match[2]
        self._base = base
        self._machine = machine
        self._delegates = list(delegates)

    async def load(self) -> GoogleToken:
        what = f"the token of service account {self._email}"
        values = {
            "scope": self._machine.scope.split(),
            "lifetime": f"{int(LIFETIME.total_seconds())}s",
            "delegates": self._delegates,
        }
        token = await self._base.load()
        response = await post_json(self._machine, what, self._url, values, token.value)
        return new_token(what, text_of(response, "accessToken"), parse_iso_time(text_of(response, "expireTime")))

    async def signer(self, token: TokenOf) -> BlobSigner:
        return remote_signer(self._machine, self._email, token, self._accounts)


def impersonated(values: Mapping[str, Any], base: Source, machine: Machine) -> Impersonated:
    """The source of a credential of type `impersonated_service_account`.

    Raises:
        ConfigInvalid: it is not valid.
    """
    [url] = required("the credential of an impersonated account", values, "service_account_impersonation_url")
    delegates = values.get("delegates") or []
    if not isinstance(delegates, list) or not all(isinstance(each, str) for each in delegates):
        raise ConfigInvalid("delegates of an impersonated account must be a list of names", operation="configure")
    return Impersonated(url, base, machine, delegates)


def remote_signer(machine: Machine, email: str, token: TokenOf, accounts: str = IAM) -> BlobSigner:
    """Signs as a service account whose key is not known here: by its `signBlob`, one request for each signature.

    Arguments:
        machine: sends the request.
        email: the service account.
        token: returns a token whose owner may sign as it.
        accounts: the URL of service accounts, with a slash at its end.
    """

    async def sign(content: bytes) -> bytes:
        what = f"the signature of service account {email}"
        values = {"payload": b64encode(content).decode()}
        response = await post_json(machine, what, f"{accounts}{email}:signBlob", values, (await token()).value)
        try:
            signature = b64decode(text_of(response, "signedBlob") or "", validate=True)
        except ValueError:
            signature = b""
        if not signature:
            raise Unexpected(f"the response of {what} has no signature", is_temporary=True)
        return signature

    return BlobSigner(email, sign)
