"""The program: its verbs, each in a module that is imported when the verb is used, so that it starts fast."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

VERBS: Final = {
    "bench": "Measure a place: upload, read and list objects, and delete them again.",
    "cat": "Write objects to the standard output.",
    "check": "Say whether a storage can be reached with these credentials.",
    "cp": "Copy objects between any two storages.",
    "diff": "Compare two objects, or two trees.",
    "du": "Count the bytes and objects of trees.",
    "edit": "Edit an object in your editor.",
    "find": "List the objects of a tree that match.",
    "head": "Write the start of objects.",
    "info": "Show what a storage can do.",
    "ls": "List directories.",
    "mkdir": "Make directories.",
    "mv": "Move objects between any two storages.",
    "presign": "Make a link that works without credentials for a while.",
    "rm": "Delete objects.",
    "serve": "Serve a storage over HTTP, with pages for a browser.",
    "stat": "Show the metadata of objects.",
    "sync": "Bring a tree up to date with another one.",
    "tail": "Write the end of objects.",
    "tee": "Copy the standard input to objects and to the standard output.",
    "tree": "Draw a tree.",
    "uploads": "List uploads that were never completed, or abort them.",
}
"""Each verb with its summary. The summaries are here so that `entrepot --help` imports no verb."""


class Program(click.Group):
    """A group whose commands are imported on use: the verb `cp` is `commands.cp.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f".commands.{name}", __package__).command
        command.short_help = VERBS[name]
        return command

    def make_context(self, *arguments: Any, **keywords: Any) -> click.Context:
        with _output_errors():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: click.Context) -> Any:
        with _output_errors():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@contextmanager
def _output_errors() -> Iterator[None]:
    """Ends the program as a verb would, where a help text or the version cannot be written."""
    try:
        yield
    except OSError as error:
        from .verb import end_without_output

        sys.exit(end_without_output(error))


def _version(ctx: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from entrepot import __version__

        click.echo(f"entrepot {__version__}")
        ctx.exit()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def program() -> None:
    """One command for any storage.

    A place is a URI (s3://bucket/key, https://host/file, fs:///dir/file), a remote of the configuration file
    (name:path), a local path, or - for the standard input or output.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 permission or credentials, 5 temporary failure: try
    again, 130 interrupted.
    """
