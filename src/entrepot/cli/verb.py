"""How a verb is declared and run: `@verb("ls")` makes a command of an async function.

The function receives the session, and its own arguments and options by keyword. It reports the errors that it can go on
after with `session.fail`; any other error ends it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import click

from entrepot import Error

from .ending import Ending
from .exit_codes import BROKEN_PIPE, FAILED, INTERRUPTED, message_of
from .output import warn
from .quantities import SIZE
from .session import Session, Settings

Function = Callable[..., Awaitable[None]]


def _pair(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    values = dict(text.partition("=")[::2] for text in texts if "=" in text)
    if len(values) < len({text.partition("=")[0] for text in texts}):
        raise click.BadParameter("write it as key=value", ctx, parameter)
    return values


_COMMON: Final = (
    click.option("-o", "--option", "values", multiple=True, metavar="KEY=VALUE", callback=_pair,
                 help="A value of the storage's configuration. Repeatable."),
    click.option("--endpoint-url", metavar="URL", help="Short for -o endpoint=URL."),
    click.option("--region", help="Short for -o region=REGION."),
    click.option("--profile", help="Short for -o profile=PROFILE, of the files of the AWS tools."),
    click.option("--no-sign-request", is_flag=True, help="Short for -o skip_signature=true: a public bucket."),
    click.option("--config", type=click.Path(dir_okay=False, path_type=Path),
                 help="The configuration file, with the remotes."),
    click.option("--retries", type=click.IntRange(0), help="How often a call is retried.  [default: 3]"),
    click.option("--bandwidth", type=SIZE, metavar="SIZE", help="The most bytes per second, such as 10M."),
    click.option("--json", "is_json", is_flag=True, help="Write results as JSON, one object a line."),
    click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Write errors only."),
    click.option("-v", "--verbose", "verbosity", count=True, help="Say more about errors; -vv with tracebacks."),
)  # fmt: skip
_SHORT: Final = {"endpoint_url": "endpoint", "region": "region", "profile": "profile"}


def verb(name: str, *, reports_listings: bool = True) -> Callable[[Function], click.Command]:
    """Makes a command of an async function.

    Arguments:
        name: the name of the command.
        reports_listings: whether it reports what listings leave out, so that the log need not.
    """

    def declare(function: Function) -> click.Command:
        for option in reversed(_COMMON):
            function = option(function)

        @functools.wraps(function)
        def callback(**values: Any) -> None:
            settings = _settings(values)
            if reports_listings:
                logging.getLogger("entrepot.listing").setLevel(logging.ERROR)
            sys.exit(_run(Session(name, settings), function, values))

        return click.command(name, context_settings={"help_option_names": ["-h", "--help"]})(callback)

    return declare


def _settings(values: dict[str, Any]) -> Settings:
    """Takes the common options out of the values of a command."""
    configured = dict(values.pop("values"))
    for name, key in _SHORT.items():
        if (value := values.pop(name)) is not None:
            configured[key] = value
    if values.pop("no_sign_request"):
        configured["skip_signature"] = "true"
    common = {name: values.pop(name) for name in ("config", "retries", "bandwidth", "is_json", "is_quiet", "verbosity")}
    if common["verbosity"]:
        _show_log(common["verbosity"])
    return Settings(configured, **common)


def _show_log(verbosity: int) -> None:
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO if verbosity == 1 else logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _run(session: Session, function: Function, values: dict[str, Any]) -> int:
    with Ending(session.verb) as ending:
        try:
            return asyncio.run(_call(session, function, values, ending))
        except (KeyboardInterrupt, asyncio.CancelledError):
            warn(f"entrepot: {session.verb}: {'interrupted' if ending.code == INTERRUPTED else 'terminated'}")
            return ending.code
        except BrokenPipeError:
            _forget_standard_output()
            return BROKEN_PIPE
        except click.ClickException:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the program is one line too
            if isinstance(error, Error | OSError):
                session.fail("", error)
            else:
                warn(f"entrepot: {session.verb}: internal error, please report it: {type(error).__name__}: {error}")
                session.explain(error)
            _forget_what_cannot_be_written()
            return session.exit_code or FAILED


async def _call(session: Session, function: Function, values: dict[str, Any], ending: Ending) -> int:
    """Runs a verb, and closes its storages.

    Arguments:
        session: the session.
        function: the verb.
        values: its arguments and options.
        ending: ends it by signals.
    """
    with ending.of_this_task():
        try:
            await function(session, **values)
            if sys.stdout is not None:
                sys.stdout.flush()
        finally:
            await session.close()
    return session.exit_code


def end_without_output(error: OSError) -> int:
    """Reports that the standard output cannot be written, and returns the exit code. A closed pipe is quiet."""
    _forget_standard_output()
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    warn(f"entrepot: {message_of(error)}")
    return FAILED


def _forget_what_cannot_be_written() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # it was reported when it was written
        _forget_standard_output()


def _forget_standard_output() -> None:
    """Sends what is still buffered nowhere: the interpreter flushes it at its end, and would report the error again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
