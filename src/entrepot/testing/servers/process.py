"""Starting and stopping a server: wait until it answers, check that only loopback reaches it, remove its files.

Only the process that started a server stops it and removes its files: a forked child that leaves the
`with` block does neither.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

START_SECONDS: Final = 30.0
"""Seconds until a server must answer."""

STOP_SECONDS: Final = 2.0
"""Seconds that a server has to end by itself before it is killed."""

COMMAND_SECONDS: Final = 60.0
"""Seconds until a command that prepares a server must end."""

STARTS: Final = 3
"""The number of attempts to start a server, on other ports each time."""

EPHEMERAL: Final = 32_768
"""The first port that Linux uses for outgoing connections."""


class ServerFailed(RuntimeError):
    """A server is not installed, did not start, or listens where it must not. Ends with the tail of its log."""


class NotInstalled(ServerFailed):
    """The program of a server is not on this machine, or cannot be run by this user. The message says what to do."""


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server: waits until it answers, and stops it and its children at the end.

    Arguments:
        command: the program and its arguments; it must stay in the foreground.
        log: the file that receives all that it prints.
        is_ready: makes a request and returns whether it succeeded; an `OSError` means not yet.
        environment: variables to set in addition to the environment of this process.

    Raises:
        ServerFailed: it ended, did not answer within `START_SECONDS`, or listens on more than loopback.
    """
    owner = os.getpid()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        _wait_until_ready(process, log, is_ready)
        check_loopback(process.pid)
        yield process
    finally:
        if os.getpid() == owner:
            _stop(process)


def run(command: Sequence[str | Path], *, folder: Path | None = None) -> str:
    """Runs a command that prepares a server, and returns its output.

    Arguments:
        command: the program and its arguments.
        folder: where it runs.

    Raises:
        ServerFailed: it failed, or took longer than `COMMAND_SECONDS`.
    """
    try:
        ended = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=folder,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerFailed(f"{command[0]} did not end within {error.timeout:.0f} s") from None
    if ended.returncode != 0:
        raise ServerFailed(f"{command[0]} ended with {ended.returncode}:\n{_end_of(ended.stdout + ended.stderr)}")
    return ended.stdout


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="entrepot-"))
    with at_end(lambda: shutil.rmtree(folder, ignore_errors=True)):
        yield folder


@contextmanager
def at_end(clean_up: Callable[[], object]) -> Iterator[None]:
    """Calls `clean_up` at the end of the block, but not where a forked child leaves it."""
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:
            clean_up()


@contextmanager
def started(start: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """Starts a server, in a few attempts: a port that was free may have been taken in the meantime.

    Arguments:
        start: starts a server on new ports.

    Raises:
        ServerFailed: the last attempt failed too.
    """
    with ExitStack() as running_servers:
        for _ in range(STARTS - 1):
            with suppress(ServerFailed):
                server = running_servers.enter_context(start())
                break
        else:
            server = running_servers.enter_context(start())
        yield server


def free_ports(count: int, *, also_above: int = 0) -> list[int]:
    """Unused ports of 127.0.0.1, for which the ports `also_above` higher are unused too.

    All are below the ports that systems use for outgoing connections, one of which could take them in between.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(10_000, EPHEMERAL - also_above)
        if port not in ports and _is_free(port) and _is_free(port + also_above):
            ports.append(port)
    return ports


def program(name: str, how: str, *folders: str) -> str:
    """A program that a wheel installed beside the interpreter, or that the system has.

    Arguments:
        name: the name of the program.
        how: the command that installs it, for the error.
        folders: where it may be besides the folders of PATH, such as `"/usr/sbin"`. They may be patterns, the greatest
            match of which counts: `"/usr/lib/postgresql/*/bin"`.

    Raises:
        NotInstalled: the program is not installed.
    """
    beside = Path(sys.executable).parent
    elsewhere = [match for folder in folders for match in sorted(Path("/").glob(folder.lstrip("/")), reverse=True)]
    path = shutil.which(name, path=os.pathsep.join([str(beside), os.environ.get("PATH", ""), *map(str, elsewhere)]))
    if path is None:
        raise NotInstalled(f"{name} is not installed; it comes with `{how}`")
    return path


def npm_program(name: str, package: str) -> str:
    """A program of an npm package that `make servers` installed in the environment of the interpreter.

    Arguments:
        name: the name of the program.
        package: the package, for the error.

    Raises:
        NotInstalled: the program is not installed.
    """
    prefix = Path(sys.prefix) / "npm"
    return program(name, f"npm install --prefix {prefix} {package}", str(prefix / "node_modules" / ".bin"))


def check_loopback(pid: int) -> None:
    """Refuses a server that other machines can reach. Without /proc its configuration is trusted.

    Arguments:
        pid: the process id of the server; its children are looked at as well.

    Raises:
        ServerFailed: one of its sockets listens on another address.
    """
    for table, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        for address in _listening(family(pid), Path("/proc/net", table)):
            if not address.startswith(loopback):
                raise ServerFailed(f"the server listens on more than loopback: {address} in {table}")


def family(pid: int) -> dict[int, str]:
    """A process and its descendants, each with its start time as the kernel writes it."""
    processes = {int(folder.name): _parent_and_start(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")}
    members: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        members |= {child: processes[child][1] for child in wanted if child in processes}
        wanted = {child for child, (parent, _) in processes.items() if parent in wanted} - set(members)
    return members


def _parent_and_start(pid: int) -> tuple[int, str]:
    """The parent of a process and when it started; (0, "") when it has ended, waited for or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, ""
    return (0, "") if fields[0] in "ZX" else (int(fields[1]), fields[19])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    latest = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise ServerFailed(f"{process.args!r:.60} ended with {process.returncode}:\n{_tail(log)}")
        with suppress(OSError, ServerFailed):
            if is_ready():
                return
        if time.monotonic() > latest:
            raise ServerFailed(f"{process.args!r:.60} does not answer:\n{_tail(log)}")
        time.sleep(0.02)


def _tail(log: Path) -> str:
    return _end_of(log.read_text(errors="replace"))


def _end_of(text: str) -> str:
    return "\n".join(text.splitlines()[-20:])


def _listening(pids: Mapping[int, str], table: Path) -> Iterator[str]:
    """The addresses, as the kernel writes them, on which the processes listen."""
    if not table.exists():
        return
    own = {name for pid in pids for name in _descriptors(pid)}
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in own:
            yield columns[1]


def _descriptors(pid: int) -> Iterator[str]:
    """What the open files of a process are called."""
    with suppress(FileNotFoundError):  # a child that ended since it was found
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                yield str(file.readlink())


def _stop(process: subprocess.Popen[bytes]) -> None:
    children = family(process.pid)
    for how in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            break
    else:
        process.wait(STOP_SECONDS)
    _kill_left(children)


def _kill_left(children: Mapping[int, str]) -> None:
    """Kills children that outlived their server. A process id that was reused by another process is left alone."""
    latest = time.monotonic() + STOP_SECONDS
    while left := [pid for pid, started in children.items() if started and _parent_and_start(pid)[1] == started]:
        if time.monotonic() > latest:
            raise ServerFailed(f"these processes of the server cannot be killed: {left}")
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
