"""A server that is killed as by a power cut, and started again on the same ports and data."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from entrepot.testing import ServerFailed
from entrepot.testing.servers.process import family


class Restartable:
    """Takes a running server over, with the command, the variables and the folder that it was started with.

    Arguments:
        pid: its process.
        is_ready: makes a request and says whether it was answered well; an `OSError` means not yet.
    """

    def __init__(self, pid: int, is_ready: Callable[[], bool]) -> None:
        known = Path(f"/proc/{pid}")
        self._command = _strings(known / "cmdline")
        self._environment = dict(one.split("=", 1) for one in _strings(known / "environ"))
        self._folder = (known / "cwd").readlink()
        self._is_ready = is_ready
        self._pid = pid
        self._started: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Kills it and its children (SIGKILL), and waits until they are gone."""
        everyone = family(self._pid)
        for pid in everyone:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._started is not None:
            self._started.wait()
        _wait_until(lambda: not family(self._pid).get(self._pid))

    def start(self) -> None:
        """Starts it again, and waits until it answers."""
        self._started = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._pid = self._started.pid
        _wait_until(self._answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """What we started, we stop; what we took over is stopped by who started it."""
        if self._started is not None:
            self.kill()

    def _answers(self) -> bool:
        with suppress(OSError, ServerFailed):
            return self._is_ready()
        return False


def _strings(file: Path) -> list[str]:
    return [one for one in file.read_text().split("\0") if one]


def _wait_until(condition: Callable[[], bool]) -> None:
    latest = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.02)
