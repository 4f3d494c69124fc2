"""Entrepot as the storage of other libraries.

The modules `fsspec`, `upath`, `zarr`, `pyarrow`, `obspec` and `starlette` are named after them. Each module needs its
library, which an extra of the same name installs: `pip install "entrepot[fsspec]"`. `asgi` and `aiohttp` need nothing
more. Nothing here is imported by the rest of entrepot.
"""
