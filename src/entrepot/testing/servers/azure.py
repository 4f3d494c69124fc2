"""Azurite: the emulator of Azure Blob Storage by Microsoft, with its data in memory."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from entrepot.raw.http import HttpRequest
from entrepot.signing.azure import VERSION_HEADER, AzureAccountKey, authorized
from entrepot.signing.azure_account import EMULATOR_ACCOUNT, EMULATOR_KEY

from .process import free_ports, npm_program, running
from .request import Reply, ask, connection_to


@dataclass(frozen=True, slots=True)
class AzuriteServer:
    """A running server with one container.

    Arguments:
        endpoint: the URL of the blob service of the account, without a slash at its end.
        account_name: the name of the account.
        account_key: its key, in base64.
        container: the name of the container, which is empty at the start.
        pid: the process id of the server; 0 before it is running.
    """

    endpoint: str
    account_name: str = EMULATOR_ACCOUNT
    account_key: str = field(default=EMULATOR_KEY, repr=False)
    container: str = "entrepot"
    pid: int = 0

    def put(self, key: str, content: bytes) -> None:
        """Stores a blob without the azblob service.

        Raises:
            OSError: the server refuses it.
        """
        self._call("PUT", f"/{self.container}/{quote(key, safe='/')}", content, ("x-ms-blob-type", "BlockBlob"))

    def make_container(self, name: str) -> None:
        """Makes a container, or keeps the one that there is.

        Raises:
            OSError: the server refuses it.
        """
        self._call("PUT", f"/{name}?restype=container", b"", is_there=http.client.CONFLICT)

    def _call(self, method: str, target: str, content: bytes, *headers: tuple[str, str], is_there: int = 0) -> None:
        reply = self.send(method, target, content, *headers)
        if reply.status not in {http.client.CREATED, is_there}:
            raise OSError(f"the server refuses {method}: {reply.status} {reply.content[:200]!r}")

    def send(self, method: str, target: str, content: bytes, *headers: tuple[str, str]) -> Reply:
        """Sends a signed request.

        Arguments:
            method: its method.
            target: its path and query below the endpoint, percent-encoded.
            content: its body.
            headers: more headers.
        """
        request = HttpRequest(method, f"{self.endpoint}{target}", [VERSION_HEADER, *headers], content)
        signed = authorized(request, AzureAccountKey(self.account_name, self.account_key), datetime.now(UTC))
        parts = urlsplit(request.url)
        full = parts.path + (f"?{parts.query}" if parts.query else "")
        connection = connection_to(parts.netloc, is_tls=parts.scheme == "https")
        return ask(connection, method, full, content, **dict(signed.headers))


@contextmanager
def azurite(folder: Path, *, certificate: Path | None = None, key: Path | None = None) -> Iterator[AzuriteServer]:
    """Starts Azurite.

    Arguments:
        folder: where it keeps its log (`azurite.log`).
        certificate: a PEM file with the chain of certificates; with it, the server speaks TLS and accepts tokens.
        key: a PEM file with the key of the certificate.

    Raises:
        NotInstalled: it is not installed (`npm install azurite`).
        ServerFailed: it did not start.
    """
    binary = npm_program("azurite-blob", "azurite")
    [port] = free_ports(1)
    scheme = "http" if certificate is None else "https"
    server = AzuriteServer(endpoint=f"{scheme}://127.0.0.1:{port}/{EMULATOR_ACCOUNT}")
    folder.mkdir(parents=True, exist_ok=True)
    tls = () if certificate is None or key is None else ("--cert", certificate, "--key", key, "--oauth", "basic")
    command: list[str | Path] = [
        *(binary, "--blobHost", "127.0.0.1", "--blobPort", str(port)),
        *("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"),
        *tls,
    ]

    def is_ready() -> bool:
        server.make_container(server.container)
        return True

    with running(command, folder / "azurite.log", is_ready) as process:
        yield replace(server, pid=process.pid)
