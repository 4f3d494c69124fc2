"""The transport over aiohttp. The only room that knows the library.

What aiohttp does on its own is off: redirects, cookies, decoding, default headers, proxies from the
environment on each request, and repeating whatever a reset hit. What is sent is what was asked for.
"""

from .transport import AiohttpTransport

__all__ = ["AiohttpTransport"]
