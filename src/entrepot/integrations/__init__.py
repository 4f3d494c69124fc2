"""Entrepot as the storage of other libraries.

The modules `fsspec`, `upath`, `zarr`, `pyarrow` and `obspec` are named after them. Each module needs its library, which
an extra of the same name installs: `pip install "entrepot[fsspec]"`. Nothing here is imported by the rest of entrepot.
"""
