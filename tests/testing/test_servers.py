"""Servers are processes of their own, on loopback, and end with their block."""

import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme

from entrepot.testing import ServerFailed, nginx, running, servers

LISTENING = """
import socket, sys
listening = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    listening.accept()[0].close()
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nginx_serves_names_as_they_are_and_ends_with_its_block(tmp_path):
    (tmp_path / "a b?#%é").write_bytes(b"content")
    with nginx(tmp_path) as server:
        with urllib.request.urlopen(server.url_of("a b?#%é")) as response:
            assert response.read() == b"content"
        assert is_running(server.pid)
    assert not is_running(server.pid)


def test_nginx_speaks_tls_and_asks_for_a_password(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "chain")
    issued.private_key_pem.write_to_path(tmp_path / "key")
    (tmp_path / "passwords").write_text("user:{PLAIN}password\n")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file").write_bytes(b"content")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with nginx(
        tmp_path / "www",
        certificate=tmp_path / "chain",
        key=tmp_path / "key",
        password_file=tmp_path / "passwords",
    ) as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(server.url_of("file"), context=trusting)
        caught.value.close()
        assert caught.value.code == 401
        request = urllib.request.Request(server.url_of("file"), headers={"Authorization": "Basic dXNlcjpwYXNzd29yZA=="})
        with urllib.request.urlopen(request, context=trusting) as response:
            assert response.read() == b"content"


def test_seaweedfs_takes_bytes_and_files_and_forgets_them(seaweedfs_server, tmp_path):
    (tmp_path / "file").write_bytes(b"from a file")
    seaweedfs_server.put("taken", b"from bytes")
    seaweedfs_server.put("taken", tmp_path / "file")
    seaweedfs_server.delete("taken")
    seaweedfs_server.delete("taken")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{seaweedfs_server.endpoint}/{seaweedfs_server.bucket}/taken")
    caught.value.close()
    assert caught.value.code == 403  # it wants a signature


def test_the_secret_is_not_in_the_repr(seaweedfs_server):
    assert seaweedfs_server.secret_access_key not in repr(seaweedfs_server)


def test_a_server_that_ends_at_once_shows_what_it_said(tmp_path):
    command = [sys.executable, "-c", "print('this is why'); raise SystemExit(3)"]
    with (
        pytest.raises(ServerFailed, match=r"(?s)ended with 3.*this is why"),
        running(command, tmp_path / "log", lambda: False),
    ):
        pytest.fail("it runs")


def test_a_server_that_never_answers_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "START_SECONDS", 0.2)
    command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    with (
        pytest.raises(ServerFailed, match="does not answer"),
        running(command, tmp_path / "log", lambda: False),
    ):
        pytest.fail("it runs")
    assert not is_running(int((tmp_path / "log").read_text()))


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the check reads /proc")
@pytest.mark.parametrize(("address", "is_allowed"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_server_that_others_can_reach_is_refused(tmp_path, address, is_allowed):
    [port] = servers.free_ports(1)

    def is_ready():
        with servers.socket.create_connection(("127.0.0.1", port)):
            return True

    command = [sys.executable, "-c", LISTENING, address, str(port)]
    try:
        with running(command, tmp_path / "log", is_ready):
            ran = True
    except ServerFailed as error:
        ran = False
        assert "more than loopback" in str(error)
    assert ran is is_allowed


def test_a_program_that_is_missing_says_what_to_install():
    with pytest.raises(ServerFailed, match="pip install the-package"):
        servers._script("no-such-program", "the-package")


FORKING = """
import os, sys
from pathlib import Path
from entrepot.testing import nginx
folder = Path(sys.argv[1])
with nginx(folder) as server:
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    os.kill(server.pid, 0)
    print("still there")
"""


def test_a_forked_child_stops_no_server(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, tmp_path], capture_output=True, text=True, timeout=40, check=False
    )
    assert (ended.stdout, ended.stderr) == ("still there\n", "")
