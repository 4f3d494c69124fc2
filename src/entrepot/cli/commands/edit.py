"""`edit`: edits an object in the user's editor."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import click

from entrepot import ConditionNotMatch, Error, InvalidInput, Metadata, NotFound
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.session import Session
from entrepot.cli.verb import verb

_KEPT = ("content_type", "cache_control", "content_disposition", "content_encoding", "content_language")


@verb("edit")
@click.argument("word", type=PLACE, metavar="PLACE")
@click.option("--editor", help="The program.  [default: $VISUAL, $EDITOR or vi]")
async def command(session: Session, word: str, editor: str | None) -> None:
    """Edit an object in your editor.

    It is written when the editor has ended, if it was changed, with the content type and the user metadata that it had.
    If somebody else wrote it meanwhile, nothing is written, and your version stays in a file.
    """
    place = session.find(word)
    session.check_values()
    if place.is_directory:
        raise click.UsageError("a directory cannot be edited")
    try:
        before, metadata = await _content(place)
    except Error as error:
        session.fail(place.name, error)
        return
    with tempfile.TemporaryDirectory(prefix="entrepot-") as directory:
        file = Path(directory, place.path.rpartition("/")[2])
        file.write_bytes(before)  # noqa: ASYNC240 - nothing else runs
        await _run(editor or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi", file)
        after = file.read_bytes()  # noqa: ASYNC240
    if after == before and metadata is not None:
        session.note("not changed")
        return
    try:
        await _check_unchanged(place, metadata)
        await place.operator.write(place.path, after, **_options(place, metadata))
    except Error as error:
        session.fail(place.name, error)
        session.note(f"your version is in {_saved(place, after)}")


async def _content(place: Place) -> tuple[bytes, Metadata | None]:
    try:
        metadata = await place.operator.stat(place.path)
        return await place.operator.read(place.path), metadata
    except NotFound:
        return b"", None


async def _run(editor: str, file: Path) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*shlex.split(editor), str(file))
    except OSError as error:
        raise InvalidInput(f"the editor {editor!r} cannot be started: set EDITOR, or use --editor") from error
    if (code := await process.wait()) != 0:
        raise click.ClickException(f"the editor ended with code {code}; nothing was written")


async def _check_unchanged(place: Place, metadata: Metadata | None) -> None:
    """Compares the object with what was read. A storage with conditions compares once more when it writes."""
    try:
        now = (await place.operator.stat(place.path)).etag
    except NotFound:
        now = None
    if now != (None if metadata is None else metadata.etag):
        raise ConditionNotMatch("somebody else wrote it meanwhile")


def _options(place: Place, metadata: Metadata | None) -> dict[str, Any]:
    """The options of the write: only over the version that was read, and with its metadata, as far as is possible."""
    capability = place.operator.info.capability
    if metadata is None:
        return {"if_not_exists": True} if capability.write_with_if_not_exists else {}
    options = {name: getattr(metadata, name) for name in _KEPT if getattr(metadata, name) is not None}
    if metadata.user_metadata:
        options["user_metadata"] = metadata.user_metadata
    if metadata.etag is not None and not metadata.etag.startswith("W/"):
        options["if_match"] = metadata.etag
    return {name: value for name, value in options.items() if getattr(capability, f"write_with_{name}")}


def _saved(place: Place, content: bytes) -> str:
    suffix = place.path.rpartition("/")[2]
    with tempfile.NamedTemporaryFile(prefix="entrepot-", suffix=f"-{suffix}", delete=False) as file:
        file.write(content)
    return file.name
