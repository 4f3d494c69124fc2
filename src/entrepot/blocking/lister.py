"""`BlockingLister`: the entries of a listing, with the next page fetched ahead.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from .paging import Pages


class BlockingLister(Pages):
    """Iterates the entries of a listing. Made by `BlockingOperator.lister`; opening it does no I/O.

    One page is in memory while the next one is fetched. After a temporary error or a timeout the same call can be made
    again and continues at the same entry. One thread at a time may use a lister.

    Close the lister, best with `with`. A lister that is garbage-collected while it fetches a page issues a
    `ResourceWarning`.

    Every method may raise the errors of the storage (`PermissionDenied`, `Timeout`, `Unexpected`), and `InvalidInput`
    if the lister is closed or in use by another thread.
    """

    def close(self) -> None:
        """Closes the lister and stops fetching the next page. Closing it again has no effect."""
        self._run(self._inner.aclose())
