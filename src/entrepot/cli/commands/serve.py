"""`serve`: serves a storage over HTTP."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import sys
from pathlib import Path

import click

from entrepot import Operator
from entrepot.cli.completion import PLACE
from entrepot.cli.exit_codes import line_of
from entrepot.cli.output import warn
from entrepot.cli.quantities import SIZE
from entrepot.cli.session import Session
from entrepot.cli.verb import verb

TOKEN_VARIABLE = "ENTREPOT_SERVE_TOKEN"  # noqa: S105 - its name
_SHORTEST_TOKEN = 16


@verb("serve", reports_listings=False)
@click.argument("word", type=PLACE, metavar="[PLACE]", default=".")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0: a free one.")
@click.option("--write", "is_writable", is_flag=True, help="Allow uploads and deletions.")
@click.option("--max-upload", type=SIZE, default="1G", show_default=True, help="The largest upload.")
@click.option(
    "--min-upload-rate",
    type=SIZE,
    default="1K",
    show_default=True,
    help="The lowest rate of an upload per second; one that is 30 seconds late by it is ended. 0: any.",
)
@click.option(
    "--token",
    "needs_token",
    is_flag=True,
    help=f"Require a token: from {TOKEN_VARIABLE}, otherwise generated. Always on beyond this machine.",
)
@click.option(
    "--trust-content",
    "is_content_trusted",
    is_flag=True,
    help="Let browsers show HTML, SVG, PDF and scripts from the storage.",
)
async def command(
    session: Session, word: str, host: str, port: int, max_upload: int, min_upload_rate: int, **flags: bool
) -> None:
    """Serve a storage over HTTP: pages for a browser, JSON for programs, ranges and conditions.

    Without a place, the current directory is served. Ctrl-C ends it.
    """
    from entrepot.cli.serving.access import Access
    from entrepot.cli.serving.server import end_of_serving, load_assets, running
    from entrepot.cli.serving.site import Rules, Site

    def report(path: str, error: Exception) -> None:
        warn(line_of("serve", path, error))
        session.explain(error)

    is_writable = flags["is_writable"]
    operator, title = await _root(session, word, is_writable=is_writable)
    is_local = _is_loopback(host)
    token = _token() if flags["needs_token"] or not is_local else None
    hosts = frozenset({"localhost", "127.0.0.1", "::1", host.lower()}) if is_local else None
    access = Access(token, hosts, is_writable=is_writable)
    rules = Rules(title, access, max_upload, min_upload_rate or None, is_content_trusted=flags["is_content_trusted"])
    site = Site(operator, rules, report, await load_assets())
    async with running(site, host, port) as bound:
        ended = end_of_serving()  # first, since whoever reads the announcement may end the server at once
        _announce(session, title, f"http://{f'[{host}]' if ':' in host else host}:{bound}/", token)
        await ended.wait()


def _announce(session: Session, title: str, url: str, token: str | None) -> None:
    """Shows where the site is, and its token if it was generated: it is shown nowhere else."""
    generated = {} if token is None or TOKEN_VARIABLE in os.environ else {"token": token}
    lines = [f"{title} at {url}", *(f"{name}: {value}" for name, value in generated.items())]
    session.output.show("\n".join(lines), url=url, **generated)
    sys.stdout.flush()


async def _root(session: Session, word: str, *, is_writable: bool) -> tuple[Operator, str]:
    """The operator whose root is served, and its name.

    A local directory is opened as a root of its own, so that no symbolic link in it leads out of it.
    """
    place = session.find(word).as_directory()
    session.check_values()
    if is_writable and not place.operator.info.capability.write:
        raise click.UsageError(f"{place.name} cannot be written to: leave out --write")
    if not is_writable or place.is_local:
        await place.operator.stat(place.path)
    if place.is_local:
        folder = place.name if place.name.endswith("/") else f"{place.name}/"
        return session.find(f"{folder}.").operator, _name_of(folder)
    if place.path == "/":
        return place.operator, _without_credentials(place.name)
    return place.operator.at(place.path), _without_credentials(place.name.rstrip("/"))


def _name_of(folder: str) -> str:
    return Path(folder).absolute().name or "/"


def _without_credentials(uri: str) -> str:
    return re.sub(r"(?<=://)[^/]*@", "", uri)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token() -> str:
    token = os.environ.get(TOKEN_VARIABLE)
    if token is None:
        return secrets.token_urlsafe(24)
    if len(token) < _SHORTEST_TOKEN:
        raise click.UsageError(f"{TOKEN_VARIABLE} must have at least {_SHORTEST_TOKEN} characters")
    return token
