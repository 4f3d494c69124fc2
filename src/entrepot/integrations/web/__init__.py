"""What the web frameworks share: requests for objects, their answers, and requests that store objects.

It imports no framework. The modules `asgi`, `starlette` and `aiohttp` beside it translate from and to the frameworks.
"""
