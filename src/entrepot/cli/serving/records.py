"""Listings and metadata as JSON, for programs."""

from __future__ import annotations

from typing import Any

from entrepot import Metadata
from entrepot.cli.output import record_of_metadata

from .listing import Page
from .paths import url_of


def listing_record(page: Page) -> dict[str, Any]:
    """A page of a listing: `path`, `entries` and `next`, the token of the next page or None."""
    return {
        "path": page.path,
        "entries": [file_record(entry.path, entry.metadata) for entry in page.entries],
        "next": page.next,
    }


def file_record(path: str, metadata: Metadata) -> dict[str, Any]:
    """An object or directory: its name, path and URL, and what is known of its metadata."""
    name = path.rstrip("/").rpartition("/")[2]
    return {"name": name, "path": path, "url": url_of(path), **record_of_metadata(metadata)}
