"""The operator that a case works on, with unique names and random content."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from entrepot.errors import Error
from entrepot.facade.operator import Operator
from entrepot.raw import AccessorInfo
from entrepot.types import Entry

from .expect import check, one_of
from .fixtures import FIXTURES, SPECIAL_FILE

Put = Callable[[str, bytes], Awaitable[object]]
"""Puts an object into the storage, by a path relative to the root of the operator."""

SPECIAL: Final = SPECIAL_FILE
"""A name of characters that mean something in URLs, shells or headers."""

KIB: Final = 1024


class Target:
    """The argument of a case: an operator, and helpers around it.

    Arguments:
        operator: the operator to check. Its root may contain other objects; a case looks only at its own.
        name: the name of the case. It seeds the random content, so that a failure can be repeated.
        put: stores an object; by default `operator.write`.

    Attributes:
        operator: the operator to check.
    """

    def __init__(self, operator: Operator, name: str, put: Put | None = None) -> None:
        self.operator = operator
        self._put = put
        self._random = random.Random(name)
        self._directory = f"{uuid4().hex[:12]}"
        self._serial = 0

    @property
    def info(self) -> AccessorInfo:
        """The scheme, root, name and capability of the service."""
        return self.operator.info

    @property
    def part(self) -> int:
        """The smallest number of bytes of a part, where objects are sent in parts."""
        return self.info.capability.write_multi_min_size or 64 * KIB

    def has(self, *flags: str) -> bool:
        """Whether all of these flags are set."""
        return all(getattr(self.info.capability, flag) for flag in flags)

    def path(self, name: str = "file.bin") -> str:
        """An unused path that ends with the name."""
        self._serial += 1
        return f"{self._directory}-{self._serial}-{name}"

    def directory(self) -> str:
        """An unused path of a directory, with its slash."""
        return self.path("dir/")

    def content(self, size: int | None = None) -> bytes:
        """Random bytes, `size` of them; by default from 1 byte to 16 KiB."""
        return self._random.randbytes(self._random.randint(1, 16 * KIB) if size is None else size)

    def number(self, lowest: int, highest: int) -> int:
        """A random number, both ends included."""
        return self._random.randint(lowest, highest)

    async def put(self, path: str, content: bytes | None = None) -> bytes:
        """Stores an object and returns its content, by default random."""
        content = self.content() if content is None else content
        await (self._put or self.operator.write)(path, content)
        return content

    async def put_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Stores objects with random content and returns the content by path."""
        return {path: await self.put(path) for path in paths}

    async def fixture(self, name: str) -> bytes:
        """The content of one of `FIXTURES`, which is stored first unless nothing can be put."""
        if self._put is not None or self.info.capability.write:
            await self.put(name, FIXTURES[name])
        return FIXTURES[name]

    async def listed(self, path: str, *, recursive: bool = False, limit: int | None = None) -> dict[str, Entry]:
        """The entries of a listing by path. Each path must be listed once."""
        entries = await self.operator.list(path, recursive=recursive, limit=limit)
        by_path = {entry.path: entry for entry in entries}
        check(len(by_path) == len(entries), f"a path is listed twice in {[entry.path for entry in entries]}")
        return by_path

    @contextmanager
    def raises(self, kind: type[Error], *operations: str, path: str) -> Iterator[None]:
        """Checks that the block raises the error, and that it names the operation and the path.

        Arguments:
            kind: the type of the error.
            operations: the operation that the error must name, or several of which it must name one.
            path: the path that it must name.
        """
        what = f"{operations[0]} of {path!r}"
        try:
            yield
        except kind as error:
            one_of(error.operation, list(operations), f"the operation that the {kind.kind} names")
            one_of(error.path, [path, path.lstrip("/") or "/"], f"the path that the {kind.kind} names")
            one_of(error.scheme, [self.info.scheme], f"the scheme that the {kind.kind} names")
        except Error as error:
            raise AssertionError(f"{what}: expected {kind.kind}, got {error.kind}: {error}") from error
        else:
            raise AssertionError(f"{what}: expected {kind.kind}, got no error")
