"""The command over a server of each service: by a URI with options, and as a remote of the configuration file."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.behavior.targets import new_root

from .running import run


@dataclass(frozen=True)
class At:
    """How a place in a service is written.

    Arguments:
        uri: the URI of a directory, with a slash at its end, as the command takes it.
        options: the values of `-o`, and of the remote.
        secrets: the same, of which a remote names variables of the environment.
        remote: the URI of the remote; None is the one of the command.
    """

    uri: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    remote: str | None = None

    def words(self) -> list[str]:
        """The options of the command."""
        return [word for key, value in {**self.options, **self.secrets}.items() for word in ("-o", f"{key}={value}")]

    def configured(self, folder: Path) -> dict[str, str]:
        """Writes a configuration file with the remote `r`, and returns the environment that it needs."""
        values = {"uri": self.remote or self.uri, **self.options} | {key: f"${{THE_{key}}}" for key in self.secrets}
        lines = [f'{key} = "{value}"' for key, value in values.items()]
        file = folder / "config.toml"
        file.write_text("\n".join(["[remotes.r]", *lines]))
        return {f"THE_{key}": value for key, value in self.secrets.items()} | {"ENTREPOT_CONFIG": str(file)}


def _azblob(server: Any, root: str) -> At:
    options = {"endpoint": server.endpoint, "account_name": server.account_name}
    return At(f"azblob://{server.container}/{root}/", options, {"account_key": server.account_key})


def _azdls(server: Any, root: str) -> At:
    options = {"endpoint": server.endpoint, "account_name": server.account_name}
    return At(f"abfs://{server.filesystem}/{root}/", options, {"account_key": server.account_key})


def _gcs(server: Any, root: str) -> At:
    return At(f"gs://{server.bucket}/{root}/", {"endpoint": server.endpoint, "skip_signature": "true"})


def _webdav(server: Any, root: str) -> At:
    address = server.url.partition("://")[2]
    return At(f"dav://{server.username}@{address}/{root}/", {"allow_http": "true"}, {"password": server.password})


def _ftp(server: Any, root: str) -> At:
    address = f"{server.user}@{server.endpoint.partition('://')[2]}"
    return At(f"ftp://{address}{server.root}/{root}/", {}, {"password": server.password})


def _sftp(server: Any, root: str) -> At:
    options = {"known_hosts": server.known_hosts, "config_file": "/dev/null"}
    address = server.endpoint.partition("://")[2] or server.endpoint
    return At(f"sftp://{server.user}@{address}{server.folder}/{root}/", options, {"key": server.key})


def _redis(server: Any, root: str) -> At:
    return At(f"redis://127.0.0.1:{server.port}/0/{root}/")


def _postgresql(server: Any, root: str) -> At:
    uri = server.connection_string
    return At(f"{uri}/{root}/", {"create_table": "true"}, remote=f"{uri}?root={root}")


def _etcd(server: Any, root: str) -> At:
    return At(f"etcd://127.0.0.1:{server.port}/{root}/")


def _webhdfs(server: Any, root: str) -> At:
    return At(f"webhdfs://{server.url.partition('://')[2]}/{root}/", {}, {"delegation": server.token})


def _hf(server: Any, root: str) -> At:
    repository = server.new_repository("dataset")
    return At(f"hf://datasets/{repository}/{root}/", {"endpoint": server.endpoint}, {"token": server.token})


SERVICES: dict[str, Callable[[Any, str], At]] = {
    "azurite": _azblob,
    "azure_datalake": _azdls,
    "fake_gcs": _gcs,
    "wsgidav": _webdav,
    "pyftpd": _ftp,
    "sshd": _sftp,
    "valkey": _redis,
    "postgresql": _postgresql,
    "etcd": _etcd,
    "fake_hdfs": _webhdfs,
    "hub": _hf,
}
"""The place in each server. S3 and the file system have tests of their own."""


@pytest.mark.parametrize("server", SERVICES)
def test_trees_go_into_each_service_and_out_of_it(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    at = SERVICES[server](request.getfixturevalue(f"{server}_server"), new_root())
    tree = {"a.txt": b"one\n", "sub/b c\u00fc.txt": b"two\n"}
    for name, content in tree.items():
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_bytes(content)
    up = run("cp", "-r", "--json", "d", at.uri, *at.words(), cwd=tmp_path)
    assert (up.code, {record["target"] for record in up.records}) == (0, {f"{at.uri}{name}" for name in tree}), up
    env = at.configured(tmp_path)
    down = run("cp", "-r", "--json", "r:", "back", cwd=tmp_path, env=env)
    assert (down.code, {record["source"] for record in down.records}) == (0, {f"r:{name}" for name in tree}), down
    assert {name: (tmp_path / "back" / name).read_bytes() for name in tree} == tree
    listed = run("ls", f"{at.uri}*.txt", *at.words(), cwd=tmp_path)
    assert (listed.code, listed.lines) == (0, [f"{at.uri}a.txt"]), listed
    missing = run("cat", "r:nope", cwd=tmp_path, env=env)
    assert (missing.code, missing.err.startswith("entrepot: cat: r:nope: "), missing.err.count("\n")) == (3, True, 1)


def test_a_web_server_and_an_archive_on_it_are_read(nginx_server: Any, tmp_path: Path) -> None:
    root = new_root()
    folder = nginx_server.folder / root
    folder.mkdir()
    (folder / "a b.txt").write_bytes(b"one\n")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("sub/c.txt", "two\n")
    env = At(f"{nginx_server.url}/{root}/").configured(tmp_path)
    assert run("cat", f"{nginx_server.url}/{root}/a%20b.txt", "r:a b.txt", cwd=tmp_path, env=env).out == "one\none\n"
    member = f"zip://sub/c.txt::{nginx_server.url}/{root}/a.zip"
    assert run("cp", member, "out", cwd=tmp_path).lines == [f"copy: {member} to out"]
    refused = run("ls", "r:", cwd=tmp_path, env=env)
    assert (refused.code, refused.err.startswith("entrepot: ls: r:: the service http has no list"), refused.out) == (
        1, True, "",
    )  # fmt: skip
