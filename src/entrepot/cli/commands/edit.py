"""`edit`: edits an object in the user's editor."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from entrepot import ConditionNotMatch, Error, InvalidInput, Metadata, NotFound
from entrepot.cli.completion import PLACE
from entrepot.cli.output import warn
from entrepot.cli.places import Place
from entrepot.cli.session import Session
from entrepot.cli.verb import verb

_LONGEST_NAME: Final = 200
"""Bytes of the name of the file that is edited. Editors put files beside it whose names are longer."""

_KEPT: Final = ("content_type", "cache_control", "content_disposition", "content_encoding", "content_language")


@verb("edit")
@click.argument("word", type=PLACE, metavar="PLACE")
@click.option("--editor", help="The program.  [default: $VISUAL, $EDITOR or vi]")
async def command(session: Session, word: str, editor: str | None) -> None:
    """Edit an object in your editor.

    It is written when the editor has ended, if it was changed, with the content type and the user metadata that it had.
    If somebody else wrote it meanwhile, or the editor fails, nothing is written, and your version stays in a file.
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
    with _kept_unless_written(session, place, before) as file:
        await _run(editor or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi", file)
        after = file.read_bytes()
        if after == before:
            session.note("not changed")
            return
        await _check_unchanged(place, metadata)
        await place.operator.write(place.path, after, **_options(place, metadata))
        file.unlink()


@contextmanager
def _kept_unless_written(session: Session, place: Place, before: bytes) -> Iterator[Path]:
    """Yields a file with the content of the object. If it is changed and still there at the end, it stays.

    So nothing that was typed is lost where the storage refuses it, the editor fails, or the terminal is closed.
    """
    directory = Path(tempfile.mkdtemp(prefix="entrepot-"))
    file = directory / _file_name(place)
    file.write_bytes(before)
    try:
        yield file
    except Error as error:
        session.fail(place.name, error)
    finally:
        if file.exists() and file.read_bytes() != before:
            warn(f"your version is in {file}")
        else:
            shutil.rmtree(directory)


def _file_name(place: Place) -> str:
    """The name of the object, by which editors know its kind, unless no file can have it."""
    name = place.path.rpartition("/")[2]
    return "object" if name in (".", "..") or len(name.encode()) > _LONGEST_NAME else name


async def _content(place: Place) -> tuple[bytes, Metadata | None]:
    try:
        metadata = await place.operator.stat(place.path)
        return await place.operator.read(place.path), metadata
    except NotFound:
        return b"", None


async def _run(editor: str, file: Path) -> None:
    with _left_to_the_editor(signal.SIGINT):
        try:
            process = await asyncio.create_subprocess_exec(*shlex.split(editor), str(file))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the editor {editor!r} cannot be started: set EDITOR, or use --editor") from error
        code = await process.wait()
    if code != 0:
        raise Error(f"the editor ended with code {code}; nothing was written")


@contextmanager
def _left_to_the_editor(number: signal.Signals) -> Iterator[None]:
    """Does nothing at a signal in a context: the terminal sends Ctrl-C to the editor as well."""
    handler = signal.getsignal(number)
    if handler is not signal.SIG_IGN:
        signal.signal(number, lambda *_: None)  # and not SIG_IGN, which the editor would inherit
    try:
        yield
    finally:
        signal.signal(number, handler)


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
