"""The transport over blocking sockets, for the inline runtime: its coroutines never suspend."""

from .transport import BlockingTransport

__all__ = ["BlockingTransport"]
