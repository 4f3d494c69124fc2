"""The transport over aiohttp. The only room that knows the library.

What aiohttp does on its own is off: redirects, cookies, decoding, default headers, proxies from the
environment on each request, and repeating whatever a reset hit. What is sent is what was asked for.
"""

from .private_names import check_private_names

check_private_names()  # before the modules that use them are imported

from .transport import AiohttpTransport  # noqa: E402

__all__ = ["AiohttpTransport"]
