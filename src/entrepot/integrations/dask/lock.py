"""The lock of a target: an object that only one run can make.

Theory of operation. The lock is an object that is written with `if_not_exists`, and names its owner. A thread of the
owner writes it again, with a higher count, three times in each lease. A run that finds the lock reads it, waits for a
lease, and reads it again. If the count is the same, the owner is dead, and the lock is taken over. No clocks are
compared. A dead process on this host is recognized at once. Of several that take over, one succeeds: the lock is
replaced under the condition that it is still the one that was read (`if_match`), or, where the service has no such
condition, read once more, deleted, and made again with `if_not_exists`. There, one that is taken over between the last
read and the deletion has a second owner. Each owner looks at its lock before it renews it, and stops when it has lost
it.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import sleep
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from entrepot import AlreadyExists, ConditionNotMatch, Error, NotFound, Unexpected, Unsupported
from entrepot.blocking import BlockingOperator

LOCK: Final = "lock"
LEASE: Final = 60.0
"""Seconds without a sign of life after which the owner of a lock is taken for dead."""


class _Found(NamedTuple):
    """The lock of another run: its owner, and the etag that it had before the owner was read."""

    owner: dict[str, Any]
    etag: str | None


class Lock:
    """Holds the lock of a target, in a `with` block.

    Arguments:
        state: the operator of the manifest.
        lease: seconds without a sign of life after which the owner of a lock is taken for dead.
        wait: waits for some seconds.
    """

    def __init__(
        self, state: BlockingOperator, *, lease: float = LEASE, wait: Callable[[float], object] = sleep
    ) -> None:
        self._state = state
        self._lease = lease
        self._wait = wait
        self._count = 0
        self._owner = {"host": socket.gethostname(), "process": os.getpid(), "user": _user(), "since": _now()}
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost: Error | None = None

    def __enter__(self) -> Self:
        if not self._state.info.capability.write_with_if_not_exists:
            raise Unsupported("the target cannot keep a lock, since its service has no if_not_exists: pass lock=False")
        try:
            self._make()
        except AlreadyExists:
            self._take_over()
        self._thread = threading.Thread(target=self._renew, name="entrepot-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._has_ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._is_mine():
            self._state.delete(LOCK)

    def check(self) -> None:
        """Checks that the lock is still held.

        Raises:
            Unexpected: another run has taken the lock, because this one gave no sign of life.
        """
        if self._lost is not None:
            raise self._lost

    def _make(self) -> None:
        self._state.write(LOCK, self._content(), if_not_exists=True)

    def _take_over(self) -> None:
        found = self._find()
        if found is not None and not self._is_dead(found.owner):
            self._wait(self._lease)
            before, found = found, self._find()
            if found is not None and found.owner != before.owner:
                raise AlreadyExists(f"another run works on this target: {described(before.owner)}", path=LOCK)
        try:
            self._replace(found)
        except (AlreadyExists, ConditionNotMatch):
            raise AlreadyExists("another run has just taken the lock of this target", path=LOCK) from None

    def _replace(self, found: _Found | None) -> None:
        """Replaces the lock of a dead owner, or makes the lock that its owner has given up."""
        if found is None:
            self._make()
        elif found.etag is not None and self._state.info.capability.write_with_if_match:
            self._state.write(LOCK, self._content(), if_match=found.etag)
        else:
            if self._read() not in (found.owner, None):
                raise AlreadyExists("another run has just taken the lock of this target", path=LOCK)
            self._state.delete(LOCK)
            self._make()

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        """Whether the owner was a process of this host that has ended."""
        if owner.get("host") != self._owner["host"] or not isinstance(owner.get("process"), int):
            return False
        try:
            os.kill(owner["process"], 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # a process of another user
            return False
        return False

    def _renew(self) -> None:
        while not self._has_ended.wait(self._lease / 3):
            try:
                if not self._is_mine():
                    self._lost = Unexpected("another run has taken the lock of this target, since this one stalled")
                    return
                self._count += 1
                self._state.write(LOCK, self._content())
            except Error as error:
                if not error.is_temporary:
                    self._lost = error
                    return

    def _is_mine(self) -> bool:
        owner = self._read()
        return owner is not None and all(owner.get(name) == value for name, value in self._owner.items())

    def _find(self) -> _Found | None:
        """The lock of another run. Its etag is read first, so that a lock that was replaced since has another one."""
        try:
            etag = self._state.stat(LOCK).etag
        except NotFound:
            return None
        owner = self._read()
        return None if owner is None else _Found(owner, etag)

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self._state.read(LOCK))
        except NotFound:
            return None
        except ValueError:  # written by something else
            return {}
        return content if isinstance(content, dict) else {}

    def _content(self) -> bytes:
        return json.dumps({**self._owner, "count": self._count}).encode()


def described(owner: dict[str, Any]) -> str:
    """The owner of a lock, for messages."""
    return ", ".join(f"{name} {owner[name]}" for name in ("host", "process", "user", "since") if name in owner)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
