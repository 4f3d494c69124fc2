import os
import pickle
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from entrepot import InvalidInput
from entrepot.testing import Fault, FaultMix, FaultProxy, FaultScript
from entrepot.testing.scripted_server import OneObject, ScriptedServer

CONTENT = bytes(range(256)) * 1024
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server():
    with ScriptedServer(OneObject(CONTENT)) as running:
        yield running


@contextmanager
def connected(proxy, *, timeout=10.0):
    url = urlsplit(proxy.endpoint)
    with socket.create_connection((url.hostname, url.port), timeout) as client:
        yield client


def ask(client):
    client.sendall(ASK)
    return take_response(client)


def take_response(client):
    """The content of a whole response; anything less is an error of the socket."""
    received = b""
    while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < len(CONTENT):
        data = client.recv(1 << 16)
        if not data:
            raise EOFError(len(received))
        received += data
    return received.partition(b"\r\n\r\n")[2]


def gather(client):
    """All bytes that arrive, and how the connection ended."""
    received = b""
    try:
        while data := client.recv(1 << 16):
            received += data
    except (TimeoutError, ConnectionError) as error:
        return received, type(error)
    return received, None


def send_and_listen(proxy):
    """A reset may arrive with the connection."""
    with connected(proxy) as client:
        client.sendall(ASK)
        client.recv(1)


def until(condition):
    latest = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.01)


def outcome_of(server, fault):
    with FaultProxy(server.endpoint, FaultScript([fault])) as proxy, connected(proxy) as client:
        client.sendall(ASK)
        return *gather(client), proxy.counts()[fault.kind]


def test_without_a_plan_everything_passes_and_is_counted(server):
    with FaultProxy(server.endpoint) as proxy, connected(proxy) as client:
        assert [ask(client), ask(client)] == [CONTENT, CONTENT]
        done = proxy.counts()
    assert done["down"] > 2 * len(CONTENT)
    assert (done["up"], done["connections"], done["exchanges"], done["open"]) == (2 * len(ASK), 1, 2, 1)


@pytest.mark.parametrize("after", [0, 1, 70_000])
def test_a_reset_comes_after_so_many_bytes(server, after):
    received, how, count = outcome_of(server, Fault("reset", after=after))
    assert (how, count) == (ConnectionResetError, 1)
    assert len(received) <= after  # the system drops what a reset overtakes


def test_a_reset_on_the_way_up_keeps_the_request_from_the_server(server):
    _, how, count = outcome_of(server, Fault("reset", after=10, way="up"))
    assert (how, count, server.requests) == (ConnectionResetError, 1, [])


@pytest.mark.parametrize("kind", ["close", "truncate"])
def test_the_reply_ends_after_so_many_bytes(server, kind):
    received, how, count = outcome_of(server, Fault(kind, after=1000))
    assert (len(received), how, count) == (1000, None, 1)


def test_a_stalled_reply_stays_open_until_the_client_leaves(server):
    with FaultProxy(server.endpoint, FaultScript([Fault("stall", after=1000)])) as proxy:
        with connected(proxy) as client:
            client.sendall(ASK)
            assert len(client.recv(1000, socket.MSG_WAITALL)) == 1000
            client.settimeout(0.2)
            assert gather(client) == (b"", TimeoutError)
            assert proxy.counts()["open"] == 1
        until(lambda: proxy.counts()["open"] == 0)
    server.wait_until_left()


def test_a_request_that_is_truncated_ends_for_the_server_and_its_answer_comes_back():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        plan = FaultScript([Fault("truncate", after=7, way="up")])
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with FaultProxy(url, plan) as proxy, connected(proxy) as client:
            client.sendall(b"request that is long")
            accepted, _ = listening.accept()
            with accepted:
                assert gather(accepted) == (b"request", None)
                accepted.sendall(b"answer")
            assert client.recv(100) == b"answer"


def test_a_reply_that_drips_is_whole(server):
    with FaultProxy(server.endpoint, FaultScript([Fault("drip", after=1000, rate=1 << 20)])) as proxy:
        with connected(proxy) as client:
            assert [ask(client), ask(client)] == [CONTENT, CONTENT]
        assert proxy.counts()["drip"] == 1


def test_who_is_refused_has_not_reached_the_server(server):
    with FaultProxy(server.endpoint, FaultScript([Fault("refuse")])) as proxy:
        with pytest.raises(ConnectionResetError):
            send_and_listen(proxy)
        assert (proxy.counts()["refuse"], server.connections) == (1, 0)


def test_the_silent_one_takes_the_request_and_the_server_hears_nothing(server):
    with FaultProxy(server.endpoint, FaultScript([Fault("silent")])) as proxy, connected(proxy, timeout=0.2) as client:
        client.sendall(ASK)
        assert gather(client) == (b"", TimeoutError)
        until(lambda: proxy.counts()["silent"] == 1)
        assert server.requests == []


def test_a_kept_connection_has_one_fault_an_exchange(server):
    with FaultProxy(server.endpoint, FaultScript([None, None, Fault("close", after=5)])) as proxy:
        with connected(proxy) as client:
            assert [ask(client), ask(client)] == [CONTENT, CONTENT]
            with pytest.raises(EOFError):
                ask(client)
        with connected(proxy) as client:
            assert ask(client) == CONTENT


def test_an_interim_reply_begins_no_exchange():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with FaultProxy(url) as proxy, connected(proxy) as client:
            client.sendall(b"PUT")
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.recv(100) == b"PUT"
                accepted.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 100")
                client.sendall(b"content")
                assert accepted.recv(100) == b"content"
            assert proxy.counts()["exchanges"] == 1


def test_a_script_by_connection_gives_each_exchange_of_it_the_same_fault(server):
    plan = FaultScript([Fault("drip", rate=1 << 22), None], per="connection")
    with FaultProxy(server.endpoint, plan) as proxy:
        for _ in range(2):
            with connected(proxy) as client:
                assert [ask(client), ask(client)] == [CONTENT, CONTENT]
        assert proxy.counts()["drip"] == 2


def test_a_plan_can_be_set_meanwhile_and_counts_from_its_own_start(server):
    with FaultProxy(server.endpoint, FaultScript([Fault("refuse")] * 9)) as proxy:
        with pytest.raises(ConnectionResetError):
            send_and_listen(proxy)
        proxy.plan(FaultScript([None, Fault("close")]))
        with connected(proxy) as client:
            assert ask(client) == CONTENT
            with pytest.raises(EOFError):
                ask(client)


def test_a_cut_resets_what_is_open(server):
    with FaultProxy(server.endpoint) as proxy, connected(proxy) as client:
        assert ask(client) == CONTENT
        proxy.cut()
        assert gather(client) == (b"", ConnectionResetError)
        until(lambda: proxy.counts()["open"] == 0)


def test_a_server_that_is_away_refuses():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with FaultProxy(url) as proxy, pytest.raises(ConnectionResetError):
        send_and_listen(proxy)


def test_in_the_end_all_is_closed(server):
    with FaultProxy(server.endpoint) as proxy, connected(proxy) as client:
        assert ask(client) == CONTENT
        proxy.__exit__()
        assert gather(client)[0] == b""
        with pytest.raises(ConnectionRefusedError), connected(proxy):
            pass
    server.wait_until_left()
    assert not [child for child in children() if "fault_relay" in child]


def test_a_forked_child_that_leaves_the_block_does_not_end_it(server):
    with FaultProxy(server.endpoint) as proxy:
        child = os.fork()
        if child == 0:
            proxy.__exit__()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with connected(proxy) as client:
            assert ask(client) == CONTENT


def test_a_mix_gives_the_same_faults_to_the_same_numbers():
    plan = FaultMix(7, 0.3, [Fault("reset"), Fault("stall", way="up"), Fault("drip", after=9)], most=1000)
    faults = [plan.fault(number, 0) for number in range(2000)]
    assert faults == [pickle.loads(pickle.dumps(plan)).fault(number, 5) for number in range(2000)]
    found = [fault for fault in faults if fault is not None]
    assert 500 < len(found) < 700
    assert {fault.kind for fault in found} == {"reset", "stall", "drip"}
    assert {fault.after for fault in found if fault.kind == "drip"} == {9}
    drawn = [fault.after for fault in found if fault.kind != "drip"]
    assert (min(drawn), max(drawn) <= 1000, max(drawn) > 500) == (0, True, True)
    assert faults != [FaultMix(8, 0.3, plan.faults).fault(number, 0) for number in range(2000)]


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: Fault("explode"), "kind"),
        (lambda: Fault("reset", way="left"), "way"),
        (lambda: Fault("reset", after=-1), "after"),
        (lambda: Fault("reset", after=True), "after"),
        (lambda: Fault("drip", rate=0), "rate"),
        (lambda: FaultMix(1, 1.5, [Fault("reset")]), "share"),
        (lambda: FaultMix(1, 0.5, []), "faults"),
        (lambda: FaultMix(1, 0.5, [Fault("reset")], most=-1), "most"),
    ],
)
def test_a_bad_argument_is_refused_by_its_name(make, named):
    with pytest.raises(InvalidInput, match=named):
        make()


def children():
    """The command lines of the processes that this one has started."""
    found = []
    for pid in Path("/proc/self/task").glob("*/children"):
        found += [Path(f"/proc/{child}/cmdline").read_text() for child in pid.read_text().split()]
    return found
