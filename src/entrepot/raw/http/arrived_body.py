"""The body of a response that has arrived completely."""

from .transport import HttpBody


class ArrivedBody(HttpBody):
    """Content that has arrived completely. It needs no connection.

    Arguments:
        content: the content.
    """

    __slots__ = ("_content", "_taken")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._taken = 0

    @property
    def is_at_end(self) -> bool:
        return self._taken == len(self._content)

    async def read(self, n: int) -> bytes:
        return self.take(n)

    def take_rest(self) -> bytes:
        start, content = self._taken, self._content
        self._taken = len(content)
        return content[start:] if start else content

    def take(self, n: int) -> bytes:
        """Up to `n` bytes, without a copy if that is all."""
        start, content = self._taken, self._content
        if not start and n >= len(content):
            self._taken = len(content)
            return content
        self._taken = min(len(content), start + n)
        return content[start : self._taken]
