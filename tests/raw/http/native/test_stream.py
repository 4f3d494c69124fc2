"""What a response has received waits in `ResponseStream` until it is read, in any pieces."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw.http.native.stream import ResponseStream

steps = st.lists(
    st.tuples(st.just("add"), st.binary(min_size=1, max_size=6))
    | st.tuples(st.sampled_from(["content", "content_into"]), st.integers(1, 8))
    | st.tuples(st.just("whole_content"), st.none())
    | st.tuples(st.just("put_back"), st.binary(min_size=1, max_size=4)),
    max_size=30,
)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@given(steps)
def test_content_is_read_in_its_order_and_none_is_lost(
    loop: asyncio.AbstractEventLoop, steps: list[tuple[str, Any]]
) -> None:
    stream, waiting, is_first_unread = ResponseStream("GET", loop), b"", True
    for name, value in steps:
        if name == "add":
            stream.add(value)
            waiting += value
        elif name == "put_back":
            if is_first_unread:  # it is put back before all that waits, of which nothing was read
                stream.put_back(value)
                waiting = value + waiting
        else:
            read = _read(stream, name, value)
            assert waiting.startswith(read)
            assert bool(read) is bool(waiting)
            waiting, is_first_unread = waiting[len(read) :], len(read) == len(waiting)
        assert stream.held == len(waiting)
    assert stream.whole_content() == waiting
    assert stream.held == 0


def _read(stream: ResponseStream, name: str, size: int) -> bytes:
    if name == "whole_content":
        return stream.whole_content()
    if name == "content":
        return stream.content(size)
    buffer = bytearray(size)
    return bytes(buffer[: stream.content_into(memoryview(buffer))])
