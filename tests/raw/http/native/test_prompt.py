"""A task that waits promptly goes on within the callback that ends its wait, and is otherwise as with a future."""

import asyncio
import contextvars
import gc
import subprocess
import weakref
from collections.abc import Callable, Generator
from typing import Any

import anyio
import pytest
import uvloop

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.native import NativeTransport, stream
from entrepot.raw.http.native.prompt import PromptWait
from entrepot.testing.scripted_server import PAUSE, ScriptedServer, whole_response
from tests.strict import STRICT, warnings_of

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
NewLoop = Callable[[], asyncio.AbstractEventLoop]

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="of the callback")


async def waiting(wait: PromptWait, order: list[str]) -> None:
    variable.set("of the task")
    await wait
    order.append(f"task, {variable.get()}")


async def in_callback(call: Callable[[], object]) -> None:
    """Makes a call in a callback of the loop, where no task runs, and waits for the turn after it."""
    loop = asyncio.get_running_loop()
    loop.call_soon(call, context=contextvars.Context())
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_task_goes_on_within_the_callback_and_in_its_own_context() -> None:
    wait, order = PromptWait(asyncio.get_running_loop()), list[str]()
    task = asyncio.create_task(waiting(wait, order))
    await asyncio.sleep(0)

    def end() -> None:
        wait.end_at_once()
        order.append(f"callback, {variable.get()}")

    await in_callback(end)
    assert order == ["task, of the task", "callback, of the callback"]
    await task


async def test_within_another_task_it_goes_on_in_the_next_turn() -> None:
    wait, order = PromptWait(asyncio.get_running_loop()), list[str]()
    task = asyncio.create_task(waiting(wait, order))
    await asyncio.sleep(0)
    wait.end_at_once()
    assert order == []
    await task
    assert order == ["task, of the task"]


async def test_a_wait_that_ended_before_it_was_awaited_does_not_wait() -> None:
    wait = PromptWait(asyncio.get_running_loop())
    wait.end_at_once()
    await wait


@pytest.mark.parametrize("message", [None, "why"])
async def test_a_cancellation_arrives_with_its_message_and_later_news_change_nothing(message: str | None) -> None:
    response = stream.ResponseStream("GET", asyncio.get_running_loop())

    async def reads() -> None:
        await response.prompt_news()

    task = asyncio.create_task(reads())
    await asyncio.sleep(0)
    task.cancel(message)
    await in_callback(lambda: response.wake(at_once=True))
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.args == (() if message is None else (message,))


async def test_a_cancellation_after_the_end_of_the_wait_is_not_lost() -> None:
    wait = PromptWait(asyncio.get_running_loop())

    async def waits() -> None:
        await wait

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    wait.set_result(None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_wait_that_ends_before_its_task_has_recorded_how_it_goes_on_does_not_hang() -> None:
    """A coroutine between the wait and the task may hold it back, as one with a time limit does."""
    wait = PromptWait(asyncio.get_running_loop())

    class HeldBack:
        def __await__(self) -> Generator[Any, None, None]:
            steps = wait.__await__()
            step = next(steps)
            wait.end_at_once()
            yield step
            yield from steps

    async def waits() -> str:
        await HeldBack()
        return "went on"

    async with asyncio.timeout(5):
        assert await asyncio.create_task(waits()) == "went on"


async def test_a_cancellation_keeps_nothing_of_the_task() -> None:
    class Content:
        """Something that a frame of the task refers to."""

    async def waits(content: Content) -> None:
        await PromptWait(asyncio.get_running_loop())

    content = Content()
    kept = weakref.ref(content)
    task = asyncio.create_task(waits(content))
    del content
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(asyncio.CancelledError):
        task.result()
    gc.disable()
    try:
        del task
        assert kept() is None
    finally:
        gc.enable()


async def test_time_limits_of_asyncio_and_scopes_of_anyio_end_it() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await PromptWait(loop)
    with anyio.move_on_after(0.001) as scope:
        await PromptWait(loop)
    assert scope.cancelled_caught


@LOOPS
@pytest.mark.parametrize("is_debug", [False, True])
def test_a_request_goes_on_within_the_callback_that_received_its_response(new_loop: NewLoop, *, is_debug: bool) -> None:
    """So a callback that was scheduled with the response, as a future is, comes after the task."""
    order = list[str]()

    class Observed(PromptWait):
        __slots__ = ()

        def end_at_once(self) -> None:
            asyncio.get_running_loop().call_soon(order.append, "next turn")
            super().end_at_once()

    async def main() -> None:
        with ScriptedServer(lambda _: [whole_response(b"content")]) as server:
            transport = NativeTransport()
            for _ in range(3):
                response = await transport.send(HttpRequest("GET", server.endpoint))
                order.append("task")
                assert await response.body.read(100) == b"content"
                await response.body.close()
                await asyncio.sleep(0)
            await transport.close()

    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=new_loop, debug=is_debug) as runner:
        patch.setattr(stream, "PromptWait", Observed)
        runner.run(main())
    assert order == ["task", "next turn"] * 3


@LOOPS
def test_an_exit_within_the_task_ends_the_loop(new_loop: NewLoop) -> None:
    async def main() -> None:
        await read(NativeTransport(), server.endpoint)
        raise SystemExit(7)

    with (
        ScriptedServer(lambda _: [whole_response(b"content")]) as server,
        pytest.raises(SystemExit) as caught,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(main())
    assert caught.value.code == 7


@LOOPS
def test_after_a_failure_within_the_task_the_connection_serves_the_next_request(new_loop: NewLoop) -> None:
    async def main() -> None:
        transport = NativeTransport()

        async def fails() -> None:
            await read(transport, server.endpoint)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await asyncio.create_task(fails())
        assert await read(transport, server.endpoint) == b"content"
        await transport.close()

    with (
        ScriptedServer(lambda _: [whole_response(b"content")]) as server,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(main())
    assert server.connections == 1


async def read(transport: NativeTransport, url: str) -> bytes:
    response = await transport.send(HttpRequest("GET", url))
    content = await response.body.read(100)
    await response.body.close()
    return content


NESTING_PROGRAM = """
import asyncio, sys
import nest_asyncio2
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.native import NativeTransport

url, when = sys.argv[1:]
transport = NativeTransport()

async def content_of(body):
    content = b""
    while piece := await body.read(100):
        content += piece
    await body.close()
    return content

async def read():
    return await content_of((await transport.send(HttpRequest("GET", url))).body)

async def main():
    if when == "before":
        nest_asyncio2.apply()
        body = (await transport.send(HttpRequest("GET", url + "/slow"))).body
        assert asyncio.get_running_loop().run_until_complete(content_of(body)) == b"content"
    await read()
    if when == "within":
        nest_asyncio2.apply()
    for _ in range(3):
        assert asyncio.get_running_loop().run_until_complete(read()) == b"content"
        assert await read() == b"content"
    await transport.close()
    print("fine")

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_task_that_runs_the_loop_within_itself_gets_its_responses(when: str) -> None:
    """Code in notebooks does that. A callback of the connection that is still being called could not be called."""
    whole = whole_response(b"content")
    with ScriptedServer(
        lambda request: [whole[:-3], PAUSE, whole[-3:]] if "slow" in request.target else [whole]
    ) as server:
        command = [*STRICT, "-c", NESTING_PROGRAM, server.endpoint, when]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, warnings_of(done.stderr)) == (0, "fine\n", "")
