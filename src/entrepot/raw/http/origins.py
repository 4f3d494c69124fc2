"""The origins that a transport has sent requests to, each made once."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from .transport import HttpRequest
from .wire.target import split_url

T = TypeVar("T")

_MOST: Final = 256
"""How many origins are kept."""

_START: Final = len("http://h")
"""The first slash from here on is that of the target: neither of those before the host is."""


class Origins(Generic[T]):
    """The origins that a transport has sent requests to, for all event loops and threads.

    Arguments:
        make: makes what a transport keeps of an origin, from scheme, host and port as in a URL, and whether requests to
            it go past any proxy.
    """

    __slots__ = ("_direct", "_make", "_usual")

    def __init__(self, make: Callable[[str, bool], T]) -> None:
        self._make = make
        self._usual: dict[str, T] = {}
        self._direct: dict[str, T] = {}

    def split(self, request: HttpRequest) -> tuple[T, str]:
        """The origin of a request, and its target, as `split_url` divides its URL.

        Raises:
            InvalidInput: the URL cannot be used.
            ConfigInvalid: the environment does not name an HTTP proxy.
        """
        known = self._direct if request.is_direct else self._usual
        url = request.url
        end = url.find("/", _START)
        origin = known.get(url[:end])
        if origin is not None and end > 0 and "#" not in url:  # most URLs: what is known has been checked
            return origin, url[end:]
        text, target = split_url(url)
        if (origin := known.get(text)) is None:
            origin = self._make(text, request.is_direct)
            if len(known) >= _MOST:
                known.clear()
            known[text] = origin
        return origin, target
