"""Patterns of paths: `*`, `**`, `?` and `[...]`, and the listing of the paths that match one.

Theory of operation. A pattern is split at its slashes. A part without wildcards is a directory to go into, which costs
no request. A part with wildcards is matched against the names of one directory, so `2026-*/a.csv` lists the root and
not the contents of its directories. From the first `**` on, one recursive listing is matched against the rest of the
pattern. The recursive listing of an object store has no directories, so where these are wanted they are listed one by
one. A directory that the pattern found and that may not be read is left out, as in a recursive listing; the one where
it starts raises.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import lru_cache
from itertools import starmap
from typing import Any, Final, NamedTuple

from entrepot.errors import InvalidInput, NotADirectory, NotFound, PermissionDenied
from entrepot.raw import DEFAULT_LIST, DEFAULT_STAT, Accessor, OpList, normalize_path, oio
from entrepot.raw.log import log_left_out
from entrepot.types import Entry
from entrepot.types.patterns import pattern
from entrepot.types.shown import shown

from .future import Entered
from .iterate import ByAsyncFor
from .lister import Lister

Patterns = str | Iterable[str]

_ANY_DEPTH: Final = "**"
_RECURSIVE: Final = OpList(recursive=True)
_WILDCARD: Final = pattern(r"[*?\[]")
_PIECE: Final = pattern(r"\*|\?|\[!?+[^/][^\]/]*\]|[^*?\[]+|\[")
"""A piece of a name. `]` right after `[` or `[!` is a character of the class; a `[` that no `]` closes is itself."""

_MEMBER: Final = pattern(r"(.)(?:-(.))?", re.DOTALL)
"""A character of a class, or the first and the last one of a range."""

_OTHER: Final = "\n"
"""Stands for a character that a pattern does not mention: no path has it, and no class matches it."""

_COMPILED: Final = 256
"""The most expressions that are kept. Patterns may come from users without end."""


class FutureGlob(Entered[Lister], ByAsyncFor):
    """`glob`, not made yet. It can be awaited, entered with `async with`, or iterated by entries."""

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async with await self as lister:
            while page := await lister.next_page():
                for entry in page:
                    yield entry


class PathFilter:
    """Chooses paths by patterns.

    A pattern with a slash in it, also at its start, is compared with the whole path; one without is compared with the
    last name at any depth. A pattern that ends with a slash matches everything in the directories that it names.

    Arguments:
        include: patterns, one of which must match. Without any, every path is included.
        exclude: patterns, none of which may match.

    Raises:
        InvalidInput: a pattern is not text, is empty, or cannot match.
    """

    def __init__(self, include: Patterns = (), exclude: Patterns = ()) -> None:
        self._include_paths = _whole_paths("include", include)
        self._include = list(map(compiled, self._include_paths))
        self._exclude = list(map(compiled, _whole_paths("exclude", exclude)))

    def accepts(self, path: str) -> bool:
        """Whether a path, relative to the tree, is chosen."""
        if self._include and not any(pattern.fullmatch(path) for pattern in self._include):
            return False
        return not any(pattern.fullmatch(path) for pattern in self._exclude)

    def accepts_below(self, directory: str) -> bool:
        """Whether a path in a directory may be chosen: a pattern can match there, and none excludes all that is in it.

        Arguments:
            directory: the directory relative to the tree, with a slash at its end; empty for the tree itself.
        """
        if self._include and not any(_may_match_below(path, directory) for path in self._include_paths):
            return False
        names = (_OTHER, f"{_OTHER}/{_OTHER}", f"{_OTHER * 2}/{_OTHER * 2}")
        probes = [directory + name for name in names]
        return not any(all(map(pattern.fullmatch, probes)) for pattern in self._exclude)


class _Step(NamedTuple):
    """A directory to list, and the parts of the pattern that are left.

    Arguments:
        directory: the directory.
        parts: the parts of the pattern below `origin`.
        origin: the length of the path that the parts before them matched. It is the length of the directory, except
            below a `**`.
    """

    directory: str
    parts: tuple[str, ...]
    origin: int


class GlobLister(oio.List):
    """Lists the paths that match a pattern. A page is never lost: after an error, `next` continues where it was.

    Arguments:
        accessor: has the listings.
        pattern: the pattern, a normalized path. With a slash at its end it matches directories, otherwise files.
    """

    __slots__ = (
        "_accessor",
        "_body",
        "_is_listed_whole",
        "_is_of_directories",
        "_is_past_start",
        "_left_out",
        "_step",
        "_steps",
    )

    def __init__(self, accessor: Accessor, pattern: str) -> None:
        self._accessor = accessor
        self._is_of_directories = pattern.endswith("/")
        # A recursive listing of a file system has its directories, and does not enter links, which may lead in circles.
        self._is_listed_whole = not self._is_of_directories or accessor.info.native_capability.create_dir
        self._steps = deque([_Step("", tuple(pattern.rstrip("/").split("/")), 0)])
        self._step = self._steps[0]
        self._body: oio.List | None = None
        self._is_past_start = False
        self._left_out: list[oio.LeftOut] = []

    async def next(self) -> Sequence[Entry] | None:
        while self._body is not None or self._steps:
            page = await self._next_page()
            if page:
                return page
        return None

    def left_out(self) -> Sequence[oio.LeftOut]:
        return [*self._left_out, *(() if self._body is None else self._body.left_out())]

    async def close(self) -> None:
        self._steps.clear()
        if self._body is not None:
            await self._close_body(self._body)

    async def _next_page(self) -> Sequence[Entry]:
        """The matches in the next page of the open listing, or those of a step that needs none."""
        if self._body is None:
            self._step = _beneath_plain_parts(self._steps[0])
            if len(self._step.parts) == 1 and not _WILDCARD.search(self._step.parts[0]):
                entries = await self._stat(self._step)
                self._steps.popleft()
                return entries
            self._body = await self._open(self._step)
            self._steps.popleft()
        try:
            page = await self._body.next()
        except (NotFound, NotADirectory):  # a plain part of the pattern that is not a directory
            page = None
        except PermissionDenied as error:
            self._leave_out(error)
            page = None
        if page is None:
            self._is_past_start = True
            await self._close_body(self._body)
            return ()
        inner = [entry for entry in page if entry.path not in {self._step.directory, "/"}]  # not the directory itself
        return self._matches(self._step, inner)

    def _leave_out(self, error: PermissionDenied) -> None:
        """Notes that the directory of the step may not be read. If the pattern starts there, the error is raised.

        So is one after the first page there, such as that of credentials that have expired meanwhile.
        """
        if not self._is_past_start:
            raise error
        self._left_out.append(oio.LeftOut(self._step.directory, error))
        log_left_out("left out of the matches: %r: %s", self._step.directory, error.message)

    async def _close_body(self, body: oio.List) -> None:
        self._body = None
        self._left_out += body.left_out()
        await body.close()

    async def _open(self, step: _Step) -> oio.List:
        is_recursive = step.parts[0] == _ANY_DEPTH and self._is_listed_whole
        _, body = await self._accessor.list(step.directory or "/", _RECURSIVE if is_recursive else DEFAULT_LIST)
        return body

    async def _stat(self, step: _Step) -> Sequence[Entry]:
        """The entry of a path without wildcards."""
        path = f"{step.directory}{step.parts[0]}{'/' if self._is_of_directories else ''}"
        try:
            return (Entry(path, (await self._accessor.stat(path, DEFAULT_STAT)).metadata),)
        except (NotFound, NotADirectory):
            return ()
        except PermissionDenied as error:
            self._leave_out(error)
            return ()

    def _matches(self, step: _Step, page: Sequence[Entry]) -> Sequence[Entry]:
        if step.parts[0] == _ANY_DEPTH:
            return self._matches_at_any_depth(step, page)
        name = compiled(step.parts[0])
        rest = step.parts[1:]
        matches = [entry for entry in page if name.fullmatch(entry.name.rstrip("/"))]
        if rest:
            self._steps += [_Step(entry.path, rest, len(entry.path)) for entry in matches if entry.is_dir]
            return ()
        return [entry for entry in matches if entry.is_dir == self._is_of_directories]

    def _matches_at_any_depth(self, step: _Step, page: Sequence[Entry]) -> Sequence[Entry]:
        below = compiled("/".join(step.parts))
        if not self._is_of_directories:
            return [entry for entry in page if not entry.is_dir and below.fullmatch(entry.path[step.origin :])]
        directories = [entry for entry in page if entry.is_dir]
        if not self._is_listed_whole:
            self._steps += [step._replace(directory=entry.path) for entry in directories]
        return [entry for entry in directories if below.fullmatch(entry.path[step.origin : -1])]


def _beneath_plain_parts(step: _Step) -> _Step:
    """The step with its leading parts without wildcards, but the last part, made part of the directory."""
    directory, parts, origin = step
    while len(parts) > 1 and not _WILDCARD.search(parts[0]):
        directory, parts = f"{directory}{parts[0]}/", parts[1:]
        origin = len(directory)
    return _Step(directory, parts, origin)


@lru_cache(_COMPILED)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern.

    `*` and `?` do not match a slash. `**` matches any characters, and `**/` also nothing. `[ab]`, `[a-z]` and `[!ab]`
    are one character, and so `[*]` is a star.

    Raises:
        InvalidInput: a range such as `[z-a]` ends before its start.
    """
    stretches = [_path_expression(stretch) for stretch in pattern.split("**/")]
    return re.compile(_joined(stretches, "(?:.*?/)??", "(?:.*/)?"), re.DOTALL)


def _joined(expressions: Sequence[str], shortest: str, longest: str) -> str:
    """Joins the expressions on both sides of wildcards.

    The first place where an expression matches leaves the most to those after it, so only the last one is ever tried at
    another place: without that, a pattern of many wildcards would take exponential time.

    Arguments:
        expressions: the expressions, each of which matches texts of one form.
        shortest: the expression of a wildcard that prefers to match little.
        longest: the same, which prefers to match much.
    """
    first, *rest = expressions
    middle = "".join(f"(?>{shortest}{expression})" for expression in rest[:-1])
    return first + middle + "".join(f"{longest}{expression}" for expression in rest[-1:])


def _path_expression(path: str) -> str:
    return "/".join(map(_name_expression, path.split("/")))


def _name_expression(name: str) -> str:
    if name == _ANY_DEPTH:
        return ".*"
    expressions = [""]
    for piece in _PIECE.findall(name):
        if piece == "*":
            expressions.append("")
        else:
            expressions[-1] += _expression(piece)
    return _joined(expressions, "[^/]*?", "[^/]*")


def _expression(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if piece[0] == "[" and len(piece) > 1:
        members = "".join(starmap(_member, _MEMBER.findall(piece[1:-1].removeprefix("!"))))
        return f"(?![/{_OTHER}])[{'^' if piece[1] == '!' else ''}{members}]"
    return re.escape(piece)


def _member(first: str, last: str) -> str:
    if not last:
        return re.escape(first)
    if last < first:
        raise InvalidInput(f"the range {first}-{last} of a pattern ends before its start")
    return f"{re.escape(first)}-{re.escape(last)}"


def check_pattern(pattern: Any) -> str:
    """A pattern as a normalized path.

    Raises:
        InvalidInput: it is not text, is empty, has `**` beside other characters of a name, or has a range that ends
            before its start.
    """
    text = normalize_path(pattern)
    if text == "/":
        raise InvalidInput("the pattern is empty")
    if any(_ANY_DEPTH in part and part != _ANY_DEPTH for part in text.split("/")):
        raise InvalidInput("** must stand alone between slashes")
    compiled(text)  # checks its ranges, before any I/O
    return text


def _may_match_below(pattern: str, directory: str) -> bool:
    """Whether a pattern of paths can match a path in a directory."""
    parts, names = pattern.split("/"), directory.split("/")[:-1]
    for part, name in zip(parts[:-1], names, strict=False):
        if part == _ANY_DEPTH:
            return True
        if not compiled(part).fullmatch(name):
            return False
    return len(parts) > len(names) or parts[-1] == _ANY_DEPTH


def _whole_paths(name: str, patterns: Patterns) -> list[str]:
    """Patterns as patterns of whole paths."""
    if not isinstance(patterns, str | Iterable) or isinstance(patterns, bytes):
        raise InvalidInput(f"{name} must be a pattern or an iterable of patterns, not {shown(patterns)}")
    return [_whole_path(pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns)]


def _whole_path(pattern: str) -> str:
    path = check_pattern(pattern)
    is_name = "/" not in os.fspath(pattern).rstrip("/")
    return f"{'**/' if is_name else ''}{path}{'**' if path.endswith('/') else ''}"
