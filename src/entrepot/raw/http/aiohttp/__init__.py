"""The transport over aiohttp. No other room imports the library.

Everything that aiohttp would do by itself is off: redirects, cookies, decoding, default headers, proxies from the
environment on each request, and repeating requests that a reset hit. Requests are sent as they were given.
"""

from .private_names import check_private_names

check_private_names()  # before the modules that use them are imported

from .transport import AiohttpTransport  # noqa: E402

__all__ = ["AiohttpTransport"]
