"""Facts about sockets, on loopback."""

import select
import socket
import sys
from collections.abc import Iterator

import pytest

from entrepot.raw.http.wire.sockets import acknowledge, readability, receive, unacknowledged


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            yield client, peer


def test_bytes_and_the_end_are_seen_before_they_are_read(pair: tuple[socket.socket, socket.socket]) -> None:
    client, peer = pair
    look = readability(client.fileno())
    assert look is not None
    assert not look(0)
    peer.sendall(b"abc")
    assert look(1000)
    acknowledge(client)
    assert receive(client.fileno()) == b"abc"
    assert not look(0)
    peer.close()
    assert look(1000)
    assert receive(client.fileno()) == b""


def test_nothing_to_receive_is_an_error_on_a_socket_that_does_not_block(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        receive(pair[0].fileno())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports it")
def test_bytes_that_the_peer_has_no_room_for_are_unacknowledged(pair: tuple[socket.socket, socket.socket]) -> None:
    client, _ = pair
    client.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += client.send(bytes(65536))
    assert 0 < unacknowledged(client.fileno()) < sent


def test_other_systems_report_less(pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll", raising=False)
    monkeypatch.delattr(socket, "TCP_QUICKACK", raising=False)
    monkeypatch.setattr(sys, "platform", "other")
    assert readability(pair[0].fileno()) is None
    acknowledge(pair[0])
    assert unacknowledged(pair[0].fileno()) == 0
