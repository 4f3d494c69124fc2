"""Entrepot as the storage of other libraries.

The modules `fsspec`, `upath`, `zarr`, `pyarrow`, `obspec` and `starlette` are named after them. Each module needs its
library, which an extra of the same name installs: `pip install "entrepot[fsspec]"`. `asgi` and `aiohttp` need nothing
more, and `progress` takes the bars that the caller made with tqdm or rich. `dask` runs transfers of trees over a
cluster. The rest of entrepot imports none of them.
"""
