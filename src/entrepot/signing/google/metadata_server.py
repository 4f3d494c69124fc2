"""Tokens of the service account of a machine in Google Cloud, from its metadata server.

The source is "About VM metadata" in the Compute Engine documentation. Requests go past any proxy.
"""

from typing import Final

from entrepot.errors import ConfigInvalid, Error, Timeout, Unexpected
from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.url import encode_query
from entrepot.signing.call import Response, fetch, json_object

from .impersonation import remote_signer
from .source import BlobSigner, Machine, TokenOf, refused, token_of
from .token import GoogleToken

CONNECT_SECONDS: Final = 1.0
"""How long a connection may take. Elsewhere than in Google Cloud, the address usually does not answer."""

IDLE_SECONDS: Final = 10.0
"""How long the server may be silent. It is slow while a machine starts."""

_FLAVOR: Final = ("Metadata-Flavor", "Google")


class MetadataServer:
    """The metadata server of this machine.

    Arguments:
        machine: sends requests, and says which service account.
    """

    def __init__(self, machine: Machine) -> None:
        host = machine.variable("GCE_METADATA_HOST") or machine.variable("GCE_METADATA_ROOT")
        account = machine.service_account or "default"
        self._host = host or "metadata.google.internal"
        self._account = f"http://{self._host}/computeMetadata/v1/instance/service-accounts/{account}"
        self._machine = machine

    async def load(self) -> GoogleToken:
        what = "the token of the metadata server"
        response = await self._get(f"{self._account}/token{encode_query([('scopes', self._machine.scope)])}")
        if response.status != 200:
            raise refused(what, response.status, response.content)
        return token_of(self._machine, what, json_object(f"the response of {what}", response.content))

    async def signer(self, token: TokenOf) -> BlobSigner:
        response = await self._get(f"{self._account}/email")
        if response.status != 200:
            raise refused("the email address of the metadata server", response.status, response.content)
        return remote_signer(self._machine, response.content.decode("ascii", "replace").strip(), token)

    async def _get(self, url: str) -> Response:
        request = HttpRequest(
            "GET", url, [("Host", self._host), _FLAVOR], None, CONNECT_SECONDS, IDLE_SECONDS, is_direct=True
        )
        try:
            response = await fetch(self._machine.http, request)
        except (Timeout, Unexpected) as error:
            if is_of_too_many_files(error):
                raise
            raise Unreachable(error.message) from None
        if response.headers.get("metadata-flavor") != "Google":
            raise Unreachable("something else answers in its place")
        if response.status == 404:
            raise ConfigInvalid("the metadata server has no such service account", operation="configure")
        return response


class Unreachable(Error):
    """The metadata server does not answer."""
