"""The command `entrepot`. It needs the extra `cli`; `docs/cli.md` is its manual."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # which a shell sets for what it starts with &
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in an import ends the process, and shows no traceback
    try:
        from .program import program
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("entrepot: the command needs the extra cli: pip install 'entrepot[cli]'")
    program(prog_name="entrepot")
