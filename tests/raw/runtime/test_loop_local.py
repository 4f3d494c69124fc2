"""Values of a loop whose owner is collected while the loop goes on, and what the child of a fork does with them.

What the child does is called here as well: processes of their own (`tests/reliability`) show that the parent survives.
"""

import asyncio
import gc
import socket
import threading
import weakref

from entrepot.raw.runtime import loop_local
from entrepot.raw.runtime.loop_local import LoopLocal
from tests.reliability.helpers import until


class Value:
    def __init__(self, ends):
        self._ends = ends
        self._is_closed = False

    async def close(self):
        self._is_closed = True

    def __del__(self):
        self._ends.append((self._is_closed, threading.current_thread()))


async def test_a_value_whose_owner_is_collected_in_a_cycle_is_closed_first_and_on_its_loop():
    ends = []
    owner = {"local": LoopLocal(lambda: Value(ends), Value.close)}
    owner["owner"] = owner
    await owner["local"].get()
    del owner
    collecting = threading.Thread(target=gc.collect)
    collecting.start()
    collecting.join()
    assert ends == []
    await until(lambda: ends)
    assert ends == [(True, threading.current_thread())]


async def test_a_value_that_is_leaked_is_neither_closed_nor_collected():
    ends = []
    local = LoopLocal(lambda: Value(ends), Value.close)
    value = await local.get()
    local.leak()
    assert local.find(asyncio.get_running_loop()) is None
    assert await local.get() is not value
    del value
    gc.collect()
    assert ends == []
    await local.close()
    gc.collect()
    assert [is_closed for is_closed, _ in ends] == [True]


async def test_the_values_of_closed_loops_leave_with_the_next_value():
    ends = []
    local = LoopLocal(lambda: Value(ends), Value.close)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(local.get(),))
    thread.start()
    thread.join()
    loop.close()  # without closing its generators
    await local.get()
    assert set(local._held) == {asyncio.get_running_loop()}
    await local.close()


def test_an_inherited_loop_can_be_closed_without_a_word_to_its_peers(monkeypatch):
    """A parent's loop in its child: what is buffered is not sent, and what is shared with the parent stays open."""
    loop = asyncio.new_event_loop()
    mine, peer = socket.socketpair()
    sent = 0

    async def leave_bytes_in_the_buffer():
        nonlocal sent
        _, writer = await asyncio.open_connection(sock=mine)
        writer.write(bytes(10 << 20))
        sent = (10 << 20) - writer.transport.get_write_buffer_size()
        await loop.run_in_executor(None, int)
        return writer

    writer = loop.run_until_complete(leave_bytes_in_the_buffer())
    selector, wake_up = loop._selector, loop._ssock
    monkeypatch.setattr(loop_local, "used_loops", weakref.WeakSet([loop]))
    monkeypatch.setattr(loop_local, "_all_locals", weakref.WeakSet())
    loop_local._leak_inherited()
    writer.write(b"from the child")
    loop.run_until_complete(asyncio.sleep(0))
    writer.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert mine.fileno() >= 0
    assert wake_up.fileno() >= 0
    assert wake_up.fileno() in selector.get_map()
    received = 0
    peer.setblocking(False)
    while received < sent:
        received += len(peer.recv(1 << 20))
    assert 0 < received == sent
    peer.close()
