"""Connecting: the options of asyncssh from a configuration, and the keys of hosts that were not known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncssh

from entrepot.errors import ConfigInvalid
from entrepot.raw.few_files import with_file_limit

from .errors import is_without_username, of_connection, of_options
from .session import SftpSession

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

    from .config import Sftp

KEEPALIVE_SECONDS: Final = 15
"""Seconds of silence after which the server is asked for a sign of life; the third one without an answer is the end."""

SSH_PORT: Final = 22

CHEAP_CIPHERS: Final = frozenset({"aes256-gcm@openssh.com", "aes128-gcm@openssh.com"})
"""What is offered first. The first choice of asyncssh, ChaCha20, needs three ciphers made in Python for each packet."""


async def connect(runtime: Runtime, config: Sftp) -> SftpSession:
    """Connects, logs in and opens a channel of SFTP.

    Raises:
        ConfigInvalid: a file of the configuration is missing or cannot be read.
        PermissionDenied: the server refuses the login, or its own key is not a known one.
        Timeout, Unexpected: the server cannot be reached. Temporary.
    """
    options = await _options(runtime, config)
    try:
        connection = await asyncssh.connect(config.host, config.port or (), options=options)
    except (asyncssh.Error, OSError, ValueError) as error:
        raise of_connection(error, config.host) from error
    try:
        if config.known_hosts_strategy == "add" and options.known_hosts is None:
            await runtime.blocking(_add_key, _known_hosts_file(config), options, connection.get_server_host_key())
        client = await connection.start_sftp_client(path_encoding=None)
    except (asyncssh.Error, EOFError) as error:
        connection.abort()
        raise of_connection(error, config.host) from error
    except BaseException:
        connection.abort()
        raise
    return SftpSession(runtime, connection, client)


async def _options(runtime: Runtime, config: Sftp) -> asyncssh.SSHClientConnectionOptions:
    """The options, for which files are read in a thread.

    Raises:
        ConfigInvalid: one of them cannot be read.
    """
    try:
        return await runtime.blocking(_read_options, config)
    except (asyncssh.Error, RuntimeError, ValueError) as error:
        raise of_options(error, config.host) from None  # asyncssh's may repeat a line of the key
    except OSError as error:
        if is_without_username(error):
            raise of_options(error, config.host) from None
        reason = f"{_name_of_file(config, error)} cannot be read: {error.strerror}"
        unreadable = ConfigInvalid(reason, scheme=config.SCHEME, operation="configure")
        raise with_file_limit(unreadable, error) from None


def _name_of_file(config: Sftp, error: OSError) -> str:
    """The option that names the file of an error."""
    names = ("key", "known_hosts", "config_file")
    return next((name for name in names if getattr(config, name) == str(error.filename)), "a file of ssh")


def _read_options(config: Sftp) -> asyncssh.SSHClientConnectionOptions:
    options = asyncssh.SSHClientConnectionOptions(**_arguments(config))
    accepts = config.known_hosts_strategy == "accept" or (
        config.known_hosts_strategy == "add" and not _is_known(_known_hosts_file(config), options)
    )
    known = None if accepts else _read_known_hosts(options.known_hosts)
    return asyncssh.SSHClientConnectionOptions(options, known_hosts=known, encryption_algs=_ciphers(options))


def _ciphers(options: asyncssh.SSHClientConnectionOptions) -> list[str]:
    """The ciphers in the order in which they are offered. Those of a configuration of ssh stay as they are."""
    offered = [name.decode() for name in options.encryption_algs]
    return offered if options.config.get("Ciphers") else sorted(offered, key=lambda name: name not in CHEAP_CIPHERS)


def _read_known_hosts(named: Any) -> Any:
    """The keys in the files, which asyncssh would read on the event loop."""
    return asyncssh.read_known_hosts(named) if isinstance(named, str | list) else named


def _arguments(config: Sftp) -> dict[str, Any]:
    """What the configuration states. What it leaves out comes from the configuration of ssh and its defaults."""
    stated: dict[str, Any] = {
        "host": config.host,
        "port": config.port,
        "username": config.user,
        "password": config.password,
        "passphrase": config.passphrase,
        "known_hosts": config.known_hosts,
        "config": None if config.config_file is None else [config.config_file],
    }
    arguments = {name: value for name, value in stated.items() if value is not None}
    if config.key is not None:
        arguments |= {"client_keys": [_private_key(config.key, config.passphrase)], "agent_path": None}
    elif config.password is not None:
        arguments |= {"client_keys": None, "agent_path": None}
    return arguments | {
        "connect_timeout": config.connect_timeout,
        "login_timeout": config.connect_timeout,
        "keepalive_interval": KEEPALIVE_SECONDS,
    }


def _private_key(key: str, passphrase: str | None) -> asyncssh.SSHKey:
    """The key of a text or of a file."""
    if key.lstrip().startswith("-----BEGIN"):
        return asyncssh.import_private_key(key, passphrase)
    return asyncssh.read_private_key(Path(key).expanduser(), passphrase)


def _known_hosts_file(config: Sftp) -> Path:
    return Path(config.known_hosts or "~/.ssh/known_hosts").expanduser()


def _is_known(file: Path, options: asyncssh.SSHClientConnectionOptions) -> bool:
    """Whether the file has a key of the host; then it must be that key."""
    if not file.exists():
        return False
    known = asyncssh.match_known_hosts(str(file), options.host, "", options.port)
    return any(known[:3])


def _add_key(file: Path, options: asyncssh.SSHClientConnectionOptions, key: asyncssh.SSHKey | None) -> None:
    """Appends the key of a host to the file of known hosts, in one write."""
    if key is None:
        return
    host = options.host if options.port in {SSH_PORT, None} else f"[{options.host}]:{options.port}"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(f"{host} {key.export_public_key('openssh').decode().strip()}\n")
