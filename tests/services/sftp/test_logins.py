"""Logging in: keys, passwords, and the server's own key."""

from __future__ import annotations

import asyncio
import getpass
import pwd
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from entrepot import ConfigInvalid, Operator, PermissionDenied, Timeout, Unexpected
from entrepot.services import Sftp
from entrepot.testing import SshServer

PASSWORD = "correct horse"


def config_of(server: SshServer, **options: object) -> Sftp:
    """The configuration of a test, which reads nothing of this machine."""
    config = Sftp(server.endpoint, str(server.folder), user=server.user, key=server.key, known_hosts=server.known_hosts)
    return replace(config, **{"config_file": "/dev/null", **options})  # type: ignore[arg-type]


async def exists(config: Sftp) -> bool:
    async with Operator(config, resilient=False) as op:
        return await op.exists("nothing")


class PasswordServer(asyncssh.SSHServer):
    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD

    def password_auth_supported(self) -> bool:
        return True


@pytest.fixture
async def password_port(sshd_server: SshServer) -> AsyncIterator[int]:
    """A server that takes a password."""
    host_key = str(Path(sshd_server.known_hosts).parent / "host_key")
    async with asyncssh.listen(
        "127.0.0.1", 0, server_factory=PasswordServer, server_host_keys=[host_key], sftp_factory=True
    ) as server:
        yield server.get_port()


async def test_a_key_may_be_its_text_and_have_a_passphrase(sshd_server: SshServer) -> None:
    key = asyncssh.read_private_key(sshd_server.key)
    assert not await exists(config_of(sshd_server, key=key.export_private_key().decode()))
    encrypted = key.export_private_key("pkcs8-pem", passphrase="secret words").decode()
    assert not await exists(config_of(sshd_server, key=encrypted, passphrase="secret words"))
    with pytest.raises(ConfigInvalid, match="passphrase is missing or wrong") as refused:
        await exists(config_of(sshd_server, key=encrypted, passphrase="other words"))
    text = "".join(traceback.format_exception(refused.value))
    assert "other words" not in text.replace('passphrase="other words"', "")
    assert encrypted.splitlines()[1] not in text


@pytest.mark.parametrize(("variable", "message"), [("HOME", "no home directory"), ("USER", "no username")])
async def test_a_process_without_home_or_name_is_told_so(
    monkeypatch: pytest.MonkeyPatch, variable: str, message: str
) -> None:
    """As in a container that runs as a user whom `/etc/passwd` does not list."""

    def find_none(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", find_none)
    for name in ("LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USER"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.delenv(variable)
    with pytest.raises(ConfigInvalid, match=message):
        await Operator(Sftp("127.0.0.1:1", user="u")).read("a")


@pytest.mark.parametrize("error", [KeyError("no uid"), OSError("No username set in the environment")])
async def test_a_process_without_name_is_told_so_on_every_python(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """`getpass.getuser` raises the first up to Python 3.12, and the second from 3.13 on."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail)
    with pytest.raises(ConfigInvalid, match="no username"):
        await Operator(Sftp("127.0.0.1:1", user="u")).read("a")


async def test_an_unknown_key_is_refused(sshd_server: SshServer) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(PermissionDenied, match="refuses the login"):
        await exists(config_of(sshd_server, key=other))


@pytest.mark.parametrize("option", ["key", "known_hosts", "config_file"])
async def test_a_file_that_cannot_be_read_is_named(sshd_server: SshServer, option: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(ConfigInvalid, match=f"{option} cannot be read"):
        await exists(replace(config_of(sshd_server), **{option: missing}))


async def test_a_password_is_enough_and_a_wrong_one_is_not_shown(
    sshd_server: SshServer, password_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    config = config_of(sshd_server, key=None, endpoint=f"127.0.0.1:{password_port}", known_hosts_strategy="accept")
    assert not await exists(replace(config, password=PASSWORD))
    wrong = replace(config, password="battery staple")
    with pytest.raises(PermissionDenied, match="refuses the login") as refused:
        await exists(wrong)
    text = "".join([str(refused.value), repr(refused.value.__cause__), repr(wrong), caplog.text])
    assert "battery" not in text
    assert "correct horse" not in text


async def test_a_server_with_another_key_is_refused(sshd_server: SshServer, tmp_path: Path) -> None:
    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{sshd_server.port} {public}")
    for strategy in ("strict", "add"):
        config = config_of(sshd_server, known_hosts=str(known_hosts), known_hosts_strategy=strategy)
        with pytest.raises(PermissionDenied, match="known hosts"):
            await exists(config)
    assert not await exists(replace(config, known_hosts_strategy="accept"))


async def test_the_key_of_a_new_server_is_refused_or_added_once(sshd_server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "new" / "known_hosts"
    config = config_of(sshd_server, known_hosts=str(known_hosts), known_hosts_strategy="add")
    for _ in range(2):
        assert not await exists(config)
    [line] = known_hosts.read_text().splitlines()
    assert line.split()[:2] == Path(sshd_server.known_hosts).read_text().split()[:2]
    assert not await exists(replace(config, known_hosts_strategy="strict"))
    known_hosts.write_text("")
    with pytest.raises(PermissionDenied, match="known hosts"):
        await exists(replace(config, known_hosts_strategy="strict"))


async def test_a_configuration_of_ssh_gives_the_host_the_port_and_the_login(
    sshd_server: SshServer, tmp_path: Path
) -> None:
    settings = tmp_path / "config"
    settings.write_text(
        f"Host files\n HostName 127.0.0.1\n Port {sshd_server.port}\n User {sshd_server.user}\n"
        f" IdentityFile {sshd_server.key}\n UserKnownHostsFile {sshd_server.known_hosts}\n"
    )
    assert not await exists(Sftp("files", str(sshd_server.folder), config_file=str(settings)))


@pytest.mark.parametrize(
    ("line", "cipher"),
    [
        ("", "aes256-gcm@openssh.com"),
        ("Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"),
    ],
)
async def test_the_cipher_is_a_cheap_one_unless_the_configuration_of_ssh_states_others(
    sshd_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, cipher: str
) -> None:
    used = list[str]()

    async def connect(*args: Any, **kwargs: Any) -> asyncssh.SSHClientConnection:
        connection = await connected(*args, **kwargs)
        used.append(connection.get_extra_info("send_cipher"))
        return connection

    connected = asyncssh.connect
    monkeypatch.setattr(asyncssh, "connect", connect)
    settings = tmp_path / "config"
    settings.write_text(line)
    assert not await exists(config_of(sshd_server, config_file=str(settings)))
    assert used == [cipher]


async def answered_by(sshd_server: SshServer, answer: bytes | None, **options: object) -> bool:
    """A call to a server that answers with these bytes, or with none and stays."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await exists(config_of(sshd_server, endpoint=f"127.0.0.1:{port}", **options))


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", b""])
async def test_another_kind_of_server_is_a_typed_error(sshd_server: SshServer, answer: bytes) -> None:
    with pytest.raises(Unexpected, match="cannot be reached") as failed:
        await answered_by(sshd_server, answer)
    assert failed.value.is_temporary


async def test_a_server_that_says_nothing_is_a_timeout(sshd_server: SshServer) -> None:
    with pytest.raises(Timeout):
        await answered_by(sshd_server, None, connect_timeout=0.2)
