"""The content of a response."""

from collections.abc import Awaitable, Callable

from entrepot.raw.http.transport import HttpBody
from entrepot.raw.runtime.running import call_on, is_another_loop_running, of_another_loop

from .breaks import GIVEN_UP
from .stream import ResponseStream


class NativeBody(HttpBody):
    """Content that is still to arrive, or that ends with the connection.

    Arguments:
        stream: the exchange that it belongs to.
        note_use: called at each read.
        settle: called when the body is closed.
    """

    __slots__ = ("_is_read", "_note_use", "_settle", "_stream")

    def __init__(
        self, stream: ResponseStream, *, note_use: Callable[[], None], settle: Callable[[], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._note_use = note_use
        self._settle = settle
        self._is_read = False

    @property
    def is_at_end(self) -> bool:
        stream = self._stream
        ends_with_connection = stream.head is None or stream.head.ends_with_connection
        return self._is_read or (not ends_with_connection and stream.has_ended and not stream.held)

    async def read(self, n: int) -> bytes:
        if self._is_read or n == 0:
            return b""
        stream = self._stream
        if is_another_loop_running(stream.loop):
            raise of_another_loop()
        self._note_use()
        while not stream.held:
            if self._has_no_more(stream):
                return b""
            await stream.news()
        data = stream.content(n)
        self._note_read(stream)
        return data

    async def readinto(self, buffer: memoryview) -> int:
        """As `HttpBody.readinto`: content that has not arrived yet is received directly into the buffer."""
        stream = self._stream
        if self._is_read or not buffer:
            return 0
        if is_another_loop_running(stream.loop):
            raise of_another_loop()
        self._note_use()
        if not stream.held:
            return await self._receive_into(stream, buffer)
        size = stream.content_into(buffer)
        self._note_read(stream)
        return size

    async def _receive_into(self, stream: ResponseStream, buffer: memoryview) -> int:
        size = 0
        while not stream.held and not size:
            if self._has_no_more(stream):
                return 0
            news = stream.news()  # refuses a second reader before its buffer takes the place of the first one's
            size = await self._filled(stream, buffer, news)
        size = size or stream.content_into(buffer)
        self._note_read(stream)
        return size

    async def _filled(self, stream: ResponseStream, buffer: memoryview, news: Awaitable[None]) -> int:
        """Waits for something new. Returns how many bytes were received directly into the buffer."""
        try:
            try:
                if stream.connection is not None:
                    stream.connection.receive_into(stream, buffer)
                await news
            finally:
                if stream.connection is not None:
                    stream.connection.receive_into_scratch()
        except BaseException:
            # Bytes that were received before a cancellation have not been handed out.
            if stream.filled:
                stream.put_back(bytes(buffer[: stream.filled]))
            raise
        else:
            return stream.filled
        finally:
            stream.filled = 0

    def _has_no_more(self, stream: ResponseStream) -> bool:
        """Whether the content has ended.

        Raises:
            Error: it will never end.
        """
        if stream.has_ended:
            self._is_read = True
        elif stream.failure is not None:
            raise stream.failure.error_in_content()
        return self._is_read

    def _note_read(self, stream: ResponseStream) -> None:
        if stream.connection is not None:
            stream.connection.note_read(stream)

    async def close(self) -> None:
        """Closes without waiting. TLS is cut off, since the peer's close notification may never come.

        On another loop, the loop of the connection is scheduled to close it.
        """
        if is_another_loop_running(self._stream.loop):
            self._abandon()
            return
        _close(self._stream)
        await self._settle()

    def _abandon(self) -> None:
        """Closes the exchange soon, from any thread: an unclosed body is garbage-collected in any thread."""
        stream = self._stream
        if stream.connection is not None:
            call_on(stream.loop, _close, stream)

    def __del__(self) -> None:
        """Gives up the connection of a body that was not closed."""
        self._abandon()


def _close(stream: ResponseStream) -> None:
    """Ends the connection if the response has not ended, and wakes the reader of the content."""
    if stream.connection is not None and not stream.has_ended and not stream.loop.is_closed():
        stream.connection.give_up(stream, GIVEN_UP)
