"""What short texts of responses mean, so that each is interpreted once and not in each response."""

from collections.abc import Callable
from typing import Final, TypeVar

MAX_ENTRIES: Final = 512
"""The most entries of a cache."""

MAX_TEXT: Final = 64
"""The longest text that is cached, in characters or bytes."""

_Text = TypeVar("_Text", str, bytes)
_Meaning = TypeVar("_Meaning")


class TextCache(dict[_Text, _Meaning]):
    """The meaning of each text. It is bounded, since servers choose the texts, and for all servers and threads.

    Arguments:
        interpret: returns the meaning of a text, which depends on nothing else, or raises ValueError. What is refused
            is not cached.
    """

    __slots__ = ("_interpret",)

    def __init__(self, interpret: Callable[[_Text], _Meaning]) -> None:
        super().__init__()
        self._interpret: Callable[[_Text], _Meaning] = interpret

    def __missing__(self, text: _Text) -> _Meaning:
        meaning = self._interpret(text)
        if len(text) <= MAX_TEXT:
            if len(self) >= MAX_ENTRIES:
                self.clear()
            self[text] = meaning
        return meaning
