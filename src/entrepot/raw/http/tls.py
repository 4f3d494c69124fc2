"""The TLS configuration of a transport, from files that are read when the first connection needs it."""

import ssl
from dataclasses import field
from typing import TYPE_CHECKING

from entrepot.errors import ConfigInvalid, Error
from entrepot.raw.few_files import is_of_too_many_files, with_file_limit
from entrepot.raw.runtime.threads import in_thread

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a TLS configuration.

    Arguments:
        ca_file: certificates to trust instead of the system's.
        ca_name: the name of that option or variable, for messages.
        client_certificate: the certificate that the client shows, and possibly its key.
        client_key: the key, unless the certificate's file has it.
        client_key_password: the password of the key.
        allow_invalid_certificates: whether any certificate of a server is trusted.
    """

    ca_file: str | None = None
    ca_name: str = "ca_file"
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)
    client_key_password: str | None = field(default=None, repr=False)
    allow_invalid_certificates: bool = False

    @property
    def are_default(self) -> bool:
        """Whether the default TLS configuration does."""
        return self.ca_file is None and self.client_certificate is None and not self.allow_invalid_certificates

    def load(self) -> ssl.SSLContext:
        """Reads the files.

        Raises:
            ConfigInvalid: one cannot be read, or does not hold what it should.
            Unexpected: there are too many open files. Temporary.
        """
        context = self._trusting()
        context.set_alpn_protocols(["http/1.1"])
        if self.allow_invalid_certificates:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None:
            self._load_client(context, self.client_certificate)
        return context

    def _trusting(self) -> ssl.SSLContext:
        try:
            return trusting(self.ca_file)
        except OSError as error:
            raise _unreadable(f"the certificates of {self.ca_name}", error) from error

    def _load_client(self, context: ssl.SSLContext, certificate: str) -> None:
        try:
            # Without a function for the password, OpenSSL would ask for it on the terminal.
            context.load_cert_chain(certificate, self.client_key, password=lambda: self.client_key_password or "")
        except OSError as error:
            raise _unreadable("client_certificate and client_key", error) from error


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """A client's TLS configuration.

    Arguments:
        ca_file: certificates to trust instead of the system's.

    Raises:
        OSError: a file cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file)
    system_file = ssl.get_default_verify_paths().cafile
    if system_file is not None and not context.cert_store_stats()["x509"]:
        _trust_again(context, system_file)
    return context


def _trust_again(context: ssl.SSLContext, system_file: str) -> None:
    """Reads the certificates of the system, of which there seem to be none: OpenSSL ignores every error."""
    try:
        context.load_verify_locations(system_file)
    except OSError as error:
        if is_of_too_many_files(error):
            raise


def _unreadable(files: str, error: OSError) -> Error:
    reason = (error.reason or error.strerror) if isinstance(error, ssl.SSLError) else error.strerror
    unreadable = ConfigInvalid(f"{files} cannot be read: {reason or type(error).__name__}", operation="configure")
    return with_file_limit(unreadable, error)


class Tls:
    """The TLS configuration of a transport.

    Arguments:
        files: the files to read.
        context: the configuration, if the caller made it.

    Attributes:
        context: the configuration; None is the default one. It is complete once `prepare` has returned.
        is_ready: whether no file must be read.
    """

    __slots__ = ("_files", "context", "is_ready")

    def __init__(self, files: TlsFiles, context: ssl.SSLContext | None = None) -> None:
        self._files = files
        self.context = context
        self.is_ready = context is not None or files.are_default

    async def prepare(self) -> None:
        """Reads the files, in a thread. A failure is not remembered: the files may be corrected.

        Raises:
            ConfigInvalid: as `TlsFiles.load`.
        """
        await in_thread(self.load)

    def load(self) -> None:
        """Reads the files, in this thread.

        Raises:
            ConfigInvalid: as `TlsFiles.load`.
        """
        context = self._files.load()
        self.context = self.context or context  # of two calls at the same time, the first one's stays
        self.is_ready = True


def check_protocol(secured: ssl.SSLSocket | ssl.SSLObject) -> None:
    """Checks, after the handshake, that the server expects HTTP/1.

    Raises:
        ConfigInvalid: it chose another protocol, which the TLS configuration of the caller offers.
    """
    chosen = secured.selected_alpn_protocol()
    if not (chosen is None or chosen.startswith("http/1")):
        raise ConfigInvalid(
            f"the server chose the protocol {chosen!r:.40}, which ssl_context offers: offer only 'http/1.1' by ALPN"
        )
