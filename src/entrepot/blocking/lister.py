"""What `lister` gives: one listing, entry by entry, with the next page on its way.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from .paging import Pages


class BlockingLister(Pages):
    """A listing, with a position. Made by `BlockingOperator.lister`; opening it does no I/O.

    It holds one page in memory while the next one is fetched. After a temporary error or a timeout the same
    call goes on at the same place. One thread at a time uses it. Every method may raise what the storage
    answers: `PermissionDenied`, `Timeout`, `Unexpected`; and `InvalidInput` when the lister is closed or in use.

    Close it, best by `with`: one that is dropped while a page is on its way warns (`ResourceWarning`).
    """

    def close(self) -> None:
        """Closes the lister. Closing twice is closing once."""
        self._run(self._inner.aclose())
