"""Values of a loop whose owner is collected while the loop goes on."""

import gc
import threading

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
