"""Options of reads and copies, as code for other file systems gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WITHOUT_EFFECT: Final = frozenset(
    {"anon", "default_block_size", "default_cache_type", "default_fill_cache", "fill_cache"}
)
"""Those that programs for s3fs give to `open`: they change no content, and credentials are options of a file system."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that mean something: None is the default of each, in every file system."""
    return {name: value for name, value in options.items() if value is not None and name not in _WITHOUT_EFFECT}
