"""How a connection is made: names, and the first address that answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from entrepot.raw.http.native import names as names_module
from entrepot.raw.http.native import sockets
from entrepot.raw.http.native.names import Names, SocketAddress
from entrepot.raw.http.native.sockets import connected_socket, interleaved
from tests.sockets import stop_accepting


def v4(number: int, port: int = 80) -> SocketAddress:
    return SocketAddress(socket.AF_INET, (f"192.0.2.{number}", port))


def v6(number: int, port: int = 80) -> SocketAddress:
    return SocketAddress(socket.AF_INET6, (f"2001:db8::{number}", port, 0, 0))


def test_the_families_are_tried_in_turn() -> None:
    assert interleaved([v6(1), v6(2), v6(3), v4(1)]) == [v6(1), v4(1), v6(2), v6(3)]
    assert interleaved([v4(1), v6(1), v6(2)]) == [v4(1), v6(1), v6(2)]


# Names.


class Resolver:
    """Answers look-ups of one name, and counts them.

    Arguments:
        monkeypatch: puts it in the place of the loop's.
        error: what it raises in place of an answer.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.calls, self.error, self.may_answer = 0, error, asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._answer)

    async def _answer(self, host: str, port: int, **_: Any) -> list[Any]:
        self.calls += 1
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return [(address.family, socket.SOCK_STREAM, 6, "", address.target) for address in (v4(1), v4(2), v6(1))]


async def test_connections_share_a_look_up_and_start_with_different_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, names = Resolver(monkeypatch), Names(asyncio.get_running_loop())
    waiting = [asyncio.ensure_future(names.addresses("a.example", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    resolver.may_answer.set()
    found = await asyncio.gather(*waiting)
    assert [addresses[0] for addresses in found] == [v4(1), v4(2), v6(1)]
    assert all(set(addresses) == {v4(1), v4(2), v6(1)} for addresses in found)
    assert (await names.addresses("a.example", 80))[0] == v4(1)
    assert resolver.calls == 1


async def test_a_name_is_looked_up_again_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "KEPT", 0.0)
    resolver, names = Resolver(monkeypatch), Names(asyncio.get_running_loop())
    resolver.may_answer.set()
    for _ in range(3):
        await names.addresses("a.example", 80)
    assert resolver.calls == 3


async def test_the_failure_of_a_look_up_is_shared_and_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, socket.gaierror(-2, "Name or service not known"))
    names = Names(asyncio.get_running_loop())
    waiting = [asyncio.ensure_future(names.addresses("a.example", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    resolver.may_answer.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in errors] == ["[Errno -2] Name or service not known"] * 3
    resolver.error = None
    assert len(await names.addresses("a.example", 80)) == 3
    assert resolver.calls == 2


async def test_a_look_up_that_is_cancelled_is_made_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, names = Resolver(monkeypatch), Names(asyncio.get_running_loop())
    first, second = (asyncio.ensure_future(names.addresses("a.example", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    resolver.may_answer.set()
    assert len(await second) == 3
    assert resolver.calls == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_look_up(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    resolver, names = Resolver(monkeypatch), Names(asyncio.get_running_loop())
    (found,) = await names.addresses(host, 81)
    assert found.target[:2] == (host, 81)
    assert resolver.calls == 0


# The first address that answers.


@pytest.fixture
async def port() -> AsyncIterator[int]:
    def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    await stop_accepting(server)


class Network:
    """Connects to some addresses at once, to others never, and refuses the rest."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, silent: list[SocketAddress], slow: Sequence[SocketAddress] = ()
    ) -> None:
        self.tried = list[SocketAddress]()
        self._slow = slow
        self._silent = silent
        self._connect = sockets._connect
        monkeypatch.setattr(sockets, "_connect", self._attempt)

    async def _attempt(self, loop: asyncio.AbstractEventLoop, address: SocketAddress) -> socket.socket:
        self.tried.append(address)
        if address in self._silent:
            await asyncio.Event().wait()
        while address in self._slow and v4(9) not in self.tried:
            await asyncio.sleep(0.001)
        if address.target[0] != "127.0.0.1":
            raise ConnectionRefusedError(111, f"refused {address.target[0]}")
        return await self._connect(loop, address)


async def test_an_address_that_does_not_answer_is_joined_by_the_next(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(sockets, "DELAY", 0.01)
    good = SocketAddress(socket.AF_INET, ("127.0.0.1", port))
    network = Network(monkeypatch, silent=[v6(1)])
    with await connected_socket(asyncio.get_running_loop(), [v6(1), v4(9), good]) as connection:
        assert connection.getpeername() == good.target
    assert network.tried == [v6(1), v4(9), good]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_an_address_that_answers_after_all_were_tried_is_taken(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(sockets, "DELAY", 0.001)
    good = SocketAddress(socket.AF_INET, ("127.0.0.1", port))
    network = Network(monkeypatch, silent=[v6(1), v6(2)], slow=[good])
    with await connected_socket(asyncio.get_running_loop(), [v6(1), good, v6(2), v4(9)]) as connection:
        assert connection.getpeername() == good.target
    assert network.tried == [v6(1), good, v6(2), v4(9)]


async def test_a_refusal_is_answered_by_the_next_address_at_once(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(sockets, "DELAY", 3600)
    good = SocketAddress(socket.AF_INET, ("127.0.0.1", port))
    Network(monkeypatch, silent=[])
    with await connected_socket(asyncio.get_running_loop(), [v6(1), good]) as connection:
        assert connection.getpeername() == good.target


async def test_the_error_is_that_of_the_first_address(monkeypatch: pytest.MonkeyPatch) -> None:
    Network(monkeypatch, silent=[])
    with pytest.raises(ConnectionRefusedError, match="2001:db8::1"):
        await connected_socket(asyncio.get_running_loop(), [v6(1), v4(1)])


async def test_a_cancelled_connection_closes_what_was_connected(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(sockets, "DELAY", 3600)
    network = Network(monkeypatch, silent=[v6(1)])
    connecting = asyncio.ensure_future(connected_socket(asyncio.get_running_loop(), [v6(1), v4(1)]))
    while not network.tried:
        await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait([connecting])
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
