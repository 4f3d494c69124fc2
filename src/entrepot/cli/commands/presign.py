"""`presign`: makes a link that works without credentials for a while."""

from __future__ import annotations

from datetime import timedelta

import click

from entrepot import Error, PresignedRequest
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.quantities import DURATION
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("presign")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("--expires", type=DURATION, default="1h", show_default=True, metavar="AGE", help="How long it works.")
@click.option("--method", type=click.Choice(["GET", "HEAD", "PUT", "DELETE"]), default="GET", show_default=True)
async def command(session: Session, words: tuple[str, ...], expires: timedelta, method: str) -> None:
    """Make links that work without credentials for a while. Whoever has a link can use it."""
    places = [session.find(word) for word in words]
    session.check_values()
    for place in places:
        try:
            request = await _presigned(place, method, expires)
        except Error as error:
            session.fail(place.name, error)
            continue
        record = {"uri": place.name, "method": request.method, "url": request.url, "headers": dict(request.headers)}
        session.output.show(_text(request), **record, expires_at=request.expires_at)


async def _presigned(place: Place, method: str, expires: timedelta) -> PresignedRequest:
    match method:
        case "GET":
            return await place.operator.presign_read(place.path, expires)
        case "HEAD":
            return await place.operator.presign_stat(place.path, expires)
        case "PUT":
            return await place.operator.presign_write(place.path, expires)
        case _:
            return await place.operator.presign_delete(place.path, expires)


def _text(request: PresignedRequest) -> str:
    """The link, and the headers that must be sent with it."""
    headers = [f"  {name}: {value}" for name, value in dict(request.headers).items()]
    return "\n".join([request.url, *headers])
