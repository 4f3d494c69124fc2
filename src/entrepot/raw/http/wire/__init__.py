"""HTTP/1.1 without I/O: heads, targets, proxies and socket options. Nothing here knows aiohttp."""
