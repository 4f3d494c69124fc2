"""`uploads`: lists uploads that were never completed, or aborts them."""

from __future__ import annotations

from datetime import timedelta

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.output import shown_time
from entrepot.cli.quantities import DURATION
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("uploads")
@click.argument("word", type=PLACE, metavar="PLACE")
@click.option("--older-than", type=DURATION, metavar="AGE", help="Only those that began before this time, such as 7d.")
@click.option("--abort", is_flag=True, help="Abort them: their parts are deleted. Needs --older-than.")
async def command(session: Session, word: str, older_than: timedelta | None, abort: bool) -> None:
    """List uploads below a place that were begun and never completed. Their parts take space that is paid for."""
    if abort and older_than is None:
        raise click.UsageError("--abort needs --older-than, since a younger upload may still be running")
    place = session.find(word)
    session.check_values()
    try:
        if abort and older_than is not None:
            found = await place.operator.abort_uploads(place.path, older_than=older_than)
        else:
            found = await place.operator.list_uploads(place.path, older_than=older_than)
    except Error as error:
        session.fail(place.name, error)
        return
    for upload in found:
        name = place.name_of(upload.path)
        text = f"{shown_time(upload.initiated)} {upload.id} {name}"
        session.output.show(
            f"abort: {text}" if abort else text, uri=name, id=upload.id, initiated=upload.initiated, aborted=abort
        )
