"""HTTP/1.1 without I/O: exchanges, heads, framing, targets, proxies and socket options. Nothing here knows aiohttp."""
