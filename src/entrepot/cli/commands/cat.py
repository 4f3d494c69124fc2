"""`cat`: writes objects to the standard output."""

from __future__ import annotations

import click

from entrepot import BytesRange
from entrepot.cli.completion import PLACE
from entrepot.cli.quantities import RANGE
from entrepot.cli.session import Session
from entrepot.cli.streams import write_words
from entrepot.cli.verb import verb
from entrepot.cli.versions import VERSION, check_one_object


@verb("cat")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("--range", "span", type=RANGE, help="Only these bytes: START:END, START:, :END or -N.")
@VERSION
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(
    session: Session, words: tuple[str, ...], span: dict[str, int | None] | None, version: str | None, is_raw: bool
) -> None:
    """Write objects to the standard output, one after the other."""
    check_one_object(session, words, version, is_raw=is_raw)
    options = {} if span is None else {"range": BytesRange(**span)}  # type: ignore[arg-type]
    await write_words(session, words, is_raw=is_raw, version=version, **options)
