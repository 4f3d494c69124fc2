"""Entrepot as the storage of other libraries, one module for each: `fsspec`, `zarr`, `pyarrow` and `obspec`.

Each module needs its library, which an extra of the same name installs: `pip install "entrepot[fsspec]"`. Nothing here
is imported by the rest of entrepot.
"""
