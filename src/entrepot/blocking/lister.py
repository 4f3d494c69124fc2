"""`BlockingLister`: the entries of a listing, with the next page fetched ahead.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from entrepot.errors import Error

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

    def left_out(self) -> list[Error]:
        """Returns an error for each directory of which the pages so far lack something.

        A directory without permission to list is `PermissionDenied`; names in it that no path can have, such as one
        that is not UTF-8, are `Unsupported`. The path of each error is the directory. At the end of the listing an
        empty list means that nothing is missing. It may also be called when the lister is closed.
        """
        return self._inner.left_out()

    def close(self) -> None:
        """Closes the lister and stops fetching the next page. Closing it again has no effect."""
        self._run(self._inner.aclose())
