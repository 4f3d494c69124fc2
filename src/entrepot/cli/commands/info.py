"""`info`: shows what a storage can do."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from entrepot import Capability
from entrepot.cli.completion import PLACE
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("info")
@click.argument("word", type=PLACE, metavar="PLACE")
@click.option("--all", "is_all", is_flag=True, help="With what it cannot do.")
async def command(session: Session, word: str, is_all: bool) -> None:
    """Show what a storage can do. Nothing is sent.

    What is native the storage does itself; what is completed the library does with several requests.
    """
    place = session.find(word)
    session.check_values()
    is_own_root = place.is_local and place.is_directory  # which has otherwise the one of the directory above it
    info = (session.find(f"{place.name.removesuffix('/')}/.") if is_own_root else place).operator.info
    rows = _rows(info.capability, info.native_capability, is_all=is_all)
    record = {"uri": place.name, "scheme": str(info.scheme), "root": info.root, "name": info.name}
    heading = [f"{name}: {value}" for name, value in record.items() if value]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    session.output.show("\n".join([*heading, "capability:", *lines]), **record, capability=dict(rows))


def _rows(capability: Capability, native: Capability, *, is_all: bool) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for field in fields(Capability):
        value = getattr(capability, field.name)
        if isinstance(value, bool):
            shown = "native" if getattr(native, field.name) else "completed" if value else "no"
            if value or is_all:
                rows.append((field.name, shown))
        elif value is not None:
            rows.append((field.name, value))
    return rows
