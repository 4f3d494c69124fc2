"""Connecting: TLS, the login, and what the server has."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aioftp

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Timeout, Unexpected
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.http.tls import trusting

from .replies import Reply
from .session import FtpSession

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Ftp


async def connect(runtime: Runtime, config: Ftp) -> FtpSession:
    """Connects, starts TLS if that is wanted, logs in, and asks for the extensions of the server.

    Raises:
        ConfigInvalid: `ca_file` cannot be read.
        PermissionDenied: the login is refused, or the certificate of the server is not trusted.
        RateLimited: the server has too many connections. Temporary.
        Timeout, Unexpected: the server cannot be reached. Temporary.
    """
    context = await runtime.blocking(_tls_context, config) if config.is_secure else None
    client = aioftp.Client(encoding="latin-1", ssl=context if config.has_implicit_tls else None)
    session = FtpSession(runtime, client, config.timeout)
    try:
        await runtime.with_timeout(config.connect_timeout, lambda: _opened(session, client, config, context))
    except BaseException as error:
        session.close()
        if isinstance(error, OSError) and not isinstance(error, Error):
            raise _unreachable(error, config) from error
        raise
    return session


async def _opened(session: FtpSession, client: aioftp.Client, config: Ftp, context: ssl.SSLContext | None) -> None:
    await aioftp.client.BaseClient.connect(client, config.host, config.port)
    await session.greeting()
    if context is not None:
        await _secure(session, client, config, context)
    await _log_in(session, config)
    session.reserve()
    await session.ask("TYPE", "I")
    session.features = _features(await session.command("FEAT"))
    if "UTF8" in session.features:
        await session.command("OPTS", "UTF8 ON")


async def _secure(session: FtpSession, client: aioftp.Client, config: Ftp, context: ssl.SSLContext) -> None:
    if not config.has_implicit_tls:
        await session.ask("AUTH", "TLS")
        await client.stream.start_tls(context, config.host)
    await session.ask("PBSZ", "0")
    await session.ask("PROT", "P")


async def _log_in(session: FtpSession, config: Ftp) -> None:
    reply = await session.ask("USER", config.user)
    if reply.code // 100 == 3:
        password = config.password if config.password is not None else "anonymous@"
        reply = await session.ask("PASS", password, secret=True)
    if reply.code // 100 == 3:
        raise PermissionDenied("the server requires an account, which this service does not send")


def _features(reply: Reply) -> frozenset[str]:
    """The names of the extensions in the reply to FEAT, which has one on each line but the first and the last."""
    lines = [line.strip().upper() for line in reply.lines[1:-1]] if reply.is_success else []
    return frozenset(name for line in lines for name in (line, line.partition(" ")[0]))


def _tls_context(config: Ftp) -> ssl.SSLContext:
    """The configuration of TLS. Reads files."""
    try:
        context = trusting(config.ca_file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        unreadable = ConfigInvalid(f"ca_file cannot be read: {reason}", scheme=config.SCHEME, operation="configure")
        raise with_file_limit(unreadable, error) from None
    if config.allow_invalid_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unreachable(error: OSError, config: Ftp) -> Error:
    if isinstance(error, ssl.SSLCertVerificationError):
        return PermissionDenied(f"the certificate of the host {config.host} is not trusted: {error.verify_message}")
    if isinstance(error, TimeoutError):
        return Timeout(f"the host {config.host} did not answer in time")
    reason = error.strerror or type(error).__name__
    unreachable = Unexpected(f"the host {config.host} cannot be reached: {reason}", is_temporary=True)
    return with_file_limit(unreachable, error)
