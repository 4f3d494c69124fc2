"""Runs the command as a process of its own, in pipes and on a pseudo-terminal."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Commands would inherit what is ignored here: SIGINT in the background of a shell, SIGHUP below `nohup`.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

COMMAND = (sys.executable, "-m", "entrepot")
SECRET = "sEcReT-kEy-0123456789"


class Done(NamedTuple):
    """How a command ended.

    Arguments:
        code: its exit code.
        out: its standard output.
        err: its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of the standard output."""
        return self.out.splitlines()

    @property
    def records(self) -> list[Any]:
        """The records of `--json`."""
        return [json.loads(line) for line in self.lines]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment that no configuration of the machine's user reaches."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC", "ENTREPOT_CONFIG": "/dev/null", **(changes or {})}


def run(*words: Any, cwd: Path, given: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """Runs the command in pipes. Its standard error never has a traceback or the secret."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=cwd, input=given, env=environment(env), capture_output=True, timeout=50, check=False,
    )  # fmt: skip
    err = done.stderr.decode()
    assert "Traceback" not in err or "-vv" in words
    assert SECRET not in err + done.stdout.decode(errors="replace")
    return Done(done.returncode, done.stdout.decode(), err)


def run_on_terminal(*words: Any, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Runs the command on a pseudo-terminal, which is its standard output and error."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
        env=environment({"TERM": "xterm-256color", "COLUMNS": "100", **(env or {})}),
    ) as process:  # fmt: skip
        os.close(follower)
        shown = bytearray()
        try:
            while block := os.read(leader, 65536):
                shown += block
        except OSError:  # how a pseudo-terminal ends
            pass
        code = process.wait()
    os.close(leader)
    return Done(code, shown.decode(), "")


def without_privileges(*words: Any, cwd: Path) -> Done:
    """Runs the command as a user whom the permissions of files bind. It skips the test where that is impossible."""
    if os.geteuid():
        return run(*words, cwd=cwd)
    if not shutil.which("setpriv"):
        pytest.skip("root may read everything, and there is no setpriv")
    command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--", *COMMAND, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=50, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until something is so, for ten seconds at most."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")
