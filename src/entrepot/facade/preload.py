"""The modules that operations need, imported when an operator is built.

An import reads files. Without free descriptors it raises an `OSError`, which would replace the real error, and after
a change of user or root a `ModuleNotFoundError`. So no operation imports anything, in particular not on its way to an
error or while it cleans up. `import entrepot` imports none of these modules. An operator that is built before the
program has an event loop does not either, unless its service needs a loop; its blocking operator does. What only
blocking operators need is imported when one is built.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Final

_FACADE: Final = (
    "facade.copying",
    "facade.opened_file",
    "facade.globs",
    "facade.local_files",
    "facade.stating",
    "facade.trees",
    "facade.uploads",
)
_BLOCKING: Final = ("blocking", "blocking.files")
_HELPERS: Final = {
    "copy": "one_shot ranged staged",
    "read": (
        "block by_range_seekable bytes_reader chunked failed fetch file_reader loaded read_ahead"
        " stream_ahead streamable"
    ),
    "write": "append byte_queue failed multipart one_shot parts_in_flight position staged",
    "list": "flat hierarchy lengths page prefix self_entry tokens whole",
    "delete": "batch_delete recursive_delete",
}


def preload(*, needs_loop: bool) -> None:
    """Imports the modules that operations need, if the program has or will have an event loop.

    Arguments:
        needs_loop: whether the service needs an event loop, also for blocking calls.
    """
    if needs_loop or "asyncio" in sys.modules:
        _preload_helpers()
        _import_runtime()


@cache
def preload_blocking() -> None:
    """Imports the modules that the operations of a blocking operator need."""
    _preload_helpers()
    for name in _BLOCKING:
        import_module(f"entrepot.{name}")
    _name_options(import_module("entrepot.blocking").BlockingOperator)


@cache
def _preload_helpers() -> None:
    """Imports the modules that operations need with and without an event loop, and names their options."""
    for name in _FACADE:
        import_module(f"entrepot.{name}")
    import_module("entrepot.raw.oio.windowed")
    for room, names in _HELPERS.items():
        for name in names.split():
            import_module(f"entrepot.raw.oio.{room}.{name}")
    _name_options(import_module("entrepot.facade.operator").Operator)


def _name_options(operator: type) -> None:
    """Shows the options of an operator's methods to interactive help. Notebooks have an event loop."""
    import_module("entrepot.facade.signatures").name_options(operator)


@cache
def _import_runtime() -> None:
    import_module("entrepot.raw.runtime.asyncio")
    import_module("concurrent.futures.thread")  # the event loop imports it for its first thread
    if "anyio" in sys.modules:
        with suppress(ImportError):  # anyio imports it for its first scope; a later anyio may keep it elsewhere
            import_module("anyio._backends._asyncio")
