"""Transfers of trees: all files below a directory, copied from one operator to another.

Theory of operation. The source is listed once, recursively. A fixed number of workers take the entries from the
listing one by one and copy each as `copy_to` does, so one large file does not hold up the others. Memory holds a page
of the listing and the chunks of `concurrent` files. A file that fails is noted and the others go on; at the end one
`TransfersFailed` names all of them. A listing that fails ends the transfer in the same way, and so do credentials that
are refused for several files in a row (`Refusals`): all the others would fail too, with one request each.

Where equal files are skipped or surplus ones deleted, the target is listed first, and kept as a dict of paths: about
300 bytes for each of its files. Deletions come last, and only if all copies were successful. A source without a file
that the patterns choose deletes nothing: a directory that is mistyped, not mounted or not filled yet looks the same,
and the target may be the only copy.

A listing leaves out what is in a directory that may not be read, and names that no path can have. Its `left_out` says
so, and each such directory is a failure unless the patterns leave it out. Otherwise its files would be missing from the
target without an error, and surplus files there would be deleted. Names that no path can have are in no target either,
so a deletion would be safe; but one rule is easier to know: after a failure nothing is deleted. What the listing of the
target leaves out may be surplus. It is a failure too if surplus files are deleted, but does not keep others from it.

A dry run takes the same way and the same decisions; only the copies and the deletions are not made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar, get_args

from entrepot.errors import DeletionsFailed, Error, InvalidInput, NotFound, TransfersFailed
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    OpCopy,
    OpList,
    is_dir_path,
    normalize_path,
)
from entrepot.types import Entry, Metadata
from entrepot.types.comparison import COMPARISONS
from entrepot.types.file_names import check_file_names
from entrepot.types.numbers import as_integer
from entrepot.types.records import replace
from entrepot.types.shown import shown
from entrepot.types.transfers import (
    NO_FILES,
    Progress,
    ReportFile,
    ReportProgress,
    TreeAction,
    TreeComparison,
    TreeReport,
    TreeStep,
)

from .comparing import have_same_content
from .copying import Copier, Side
from .deleting import delete_many
from .globs import PathFilter, Patterns
from .lister import Lister
from .options import Path, checked, checked_flag
from .refusals import Refusals

if TYPE_CHECKING:
    from dataclasses import dataclass

    from entrepot.raw.runtime import Window

    from .keywords import CopyOptions
else:
    from entrepot.types.records import dataclass

F = TypeVar("F")

ChooseEntry: TypeAlias = Callable[[Entry], bool]

CONCURRENT: Final = 8
"""Files in flight, by default."""

_RECURSIVE: Final = OpList(recursive=True)
_REQUESTS: Final = 2
"""Requests in flight for each file, by default: fewer than for a single copy, as there are several files already."""

_OF_ONE_OBJECT: Final = ("if_match", "source_version", "source_content_length_hint")
"""Options of a copy that name a content, which the files of a tree do not have in common."""


class Rules:
    """How a tree is transferred: the checked keywords.

    Arguments:
        include: patterns of files.
        exclude: patterns of files to leave out.
        choose: returns whether a file is transferred or deleted.
        skip_same: whether files that the target has already are skipped.
        compare: when the target has a file already.
        delete: whether files that the source lacks are deleted from the target.
        concurrent: files in flight.
        dry_run: whether nothing is copied or deleted.
        progress: called after each piece.
        on_file: called once for each file.
        copy_options: the options of each copy.

    Attributes:
        copying: the arguments of each copy.

    Raises:
        InvalidInput: a value is invalid, or an option of a copy is for a single object.
    """

    def __init__(  # noqa: PLR0913 - each is a keyword of `copy_tree` or `sync`
        self,
        *,
        include: Patterns = (),
        exclude: Patterns = (),
        choose: ChooseEntry | None = None,
        skip_same: bool = False,
        compare: TreeComparison = "time",
        delete: bool = False,
        concurrent: int = CONCURRENT,
        dry_run: bool = False,
        progress: ReportProgress | None = None,
        on_file: ReportFile | None = None,
        copy_options: CopyOptions | None = None,
    ) -> None:
        chosen = PathFilter(include, exclude)
        self.accepts, self.accepts_below = chosen.accepts, chosen.accepts_below
        self._choose = _checked_function("choose", choose)
        self.is_difference = checked_flag("skip_same", skip_same)
        self.is_mirror = checked_flag("delete", delete)
        self.compare = _checked_comparison(compare)
        self.concurrent = as_integer("concurrent", concurrent, 1)
        self.is_dry = checked_flag("dry_run", dry_run)
        self.meter = Meter(progress)
        self.on_file = _checked_function("on_file", on_file)
        self.copying = _checked_copying(copy_options)

    def chooses(self, entry: Entry) -> bool:
        """Whether the caller's function, if there is one, chooses a file."""
        return self._choose is None or self._choose(entry)

    def note(self, action: TreeAction, path: str, size: int | None = None, error: Error | None = None) -> None:
        """Reports what was done with a file."""
        if self.on_file is not None:
            self.on_file(TreeStep(action, path, size, error))


class Meter:
    """Counts what a transfer has done, and reports it.

    Arguments:
        report: the caller's function, if there is one.

    Raises:
        InvalidInput: it is not a function, or one that must be awaited.
    """

    def __init__(self, report: ReportProgress | None) -> None:
        self._report = _checked_function("progress", report)
        self._raised: BaseException | None = None
        self._total = 0
        self._files = 0

    def of(self, path: str, size: int | None) -> FileMeter:
        """The meter of one file."""
        return FileMeter(self, path, size)

    def add(self, path: str, done: int, size: int | None, count: int, *, is_complete: bool) -> None:
        """Notes `count` more bytes of a file of which `done` are transferred now.

        What the caller's function raises ends the transfer, so every later call of another worker raises it again.
        """
        if self._raised is not None:
            raise self._raised
        self._total += count
        self._files += is_complete
        if self._report is not None:
            try:
                self._report(Progress(path, done, size, self._total, self._files))
            except BaseException as error:
                self._raised = error
                raise


class FileMeter:
    """Counts the bytes of one file.

    Attributes:
        done: the bytes so far.
    """

    __slots__ = ("_meter", "_path", "_size", "done")

    def __init__(self, meter: Meter, path: str, size: int | None) -> None:
        self._meter = meter
        self._path = path
        self._size = size
        self.done = 0

    def add(self, count: int) -> None:
        """Notes a piece."""
        self.done += count
        self._meter.add(self._path, self.done, self._size, count, is_complete=False)

    def complete(self, size: int | None) -> None:
        """Notes the end of the file.

        Arguments:
            size: its size, where the store made the copy, whose steps need not all be noted; None where the pieces are
                all.
        """
        rest = 0 if size is None else max(0, size - self.done)
        self.done += rest
        self._meter.add(self._path, self.done, self.done, rest, is_complete=True)


@dataclass(slots=True)
class _Transfer:
    """One transfer of a tree, while it runs. The workers share it."""

    source: Side
    target: Side
    rules: Rules
    lister: Lister
    lock: AbstractAsyncContextManager[object]
    surplus: dict[str, Metadata]
    copier: Copier
    entries: deque[Entry] = field(default_factory=deque)
    copied: int = 0
    copied_bytes: int = 0
    skipped: int = 0
    failures: list[Error] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    has_ended: bool = False
    is_empty: bool = True
    has_files: bool = False
    source_prefix_length: int = field(init=False)
    target_prefix: str = field(init=False)
    is_into_directories: bool = field(init=False)

    def __post_init__(self) -> None:
        self.source_prefix_length = len(_prefix(self.source.path))
        self.target_prefix = _prefix(self.target.path)
        self.is_into_directories = self.target.accessor.info.native_capability.create_dir

    @property
    def report(self) -> TreeReport:
        """What was done so far."""
        return TreeReport(self.copied, self.copied_bytes, self.skipped, untried=self._count_untried())

    def _count_untried(self) -> int:
        return sum(self._is_file_to_transfer(entry) for entry in self.entries) if self.refusals.final else 0

    async def work(self) -> None:
        """Copies files until none are left. An error that is not of one file ends the other workers too."""
        try:
            await self._work()
        except BaseException:
            self.has_ended = True
            raise

    async def _work(self) -> None:
        while (entry := await self._next()) is not None:
            path = entry.path[self.source_prefix_length :]
            known = self.surplus.pop(path, None)
            if self.rules.is_difference and known is not None and await self._is_there(entry, known, path):
                self.skipped += 1
                self.rules.note("skip", path, entry.size)
            else:
                await self._copy(entry, path)

    async def _next(self) -> Entry | None:
        while (entry := await self._next_of_listing()) is not None:
            self.is_empty = self.is_empty and entry.path == "/"  # which every operator has
            if self._is_file_to_transfer(entry):
                return entry
        return None

    def _is_file_to_transfer(self, entry: Entry) -> bool:
        return not entry.is_dir and self._is_chosen(entry)  # a copy says what is wrong with a broken link or FIFO

    async def _next_of_listing(self) -> Entry | None:
        while not self.has_ended and not self.entries:
            async with self.lock:
                if not self.has_ended and not self.entries:
                    await self._turn_page()
        return None if self.has_ended else self.entries.popleft()

    async def _turn_page(self) -> None:
        try:
            page = await self.lister.next_page()
        except Error as error:
            self.failures.append(error)
            page = None
        if page is None:
            self.has_ended = True
        else:
            self.entries.extend(page)

    def _is_chosen(self, entry: Entry) -> bool:
        path = entry.path[self.source_prefix_length :]
        if not self.rules.accepts(path):
            return False
        self.has_files = True
        is_chosen = self.rules.chooses(entry)
        if not is_chosen:
            self.surplus.pop(path, None)  # the source has it, so it is not surplus
        return is_chosen

    async def _is_there(self, entry: Entry, known: Metadata, path: str) -> bool:
        """Whether the target has the file already. If that cannot be found out, it is copied, which says why."""
        if self.rules.compare != "content":
            return COMPARISONS[self.rules.compare](entry.metadata, known)
        if entry.size != known.content_length:
            return False
        try:
            return await have_same_content(replace(self.source, path=entry.path), self._there(path))
        except Error:
            return False

    async def _copy(self, entry: Entry, path: str) -> None:
        meter = self.rules.meter.of(entry.path, entry.size)
        target = self.target_prefix + path
        try:
            if self.is_into_directories:
                check_file_names(path)
            size = entry.size if self.rules.is_dry else await self._copy_one(entry, target, meter)
        except Error as error:
            error.of_call("copy_to", scheme=self.source.accessor.info.scheme, path=entry.path)
            error.path = entry.path  # an error of the target has the path there
            error.add_context(target=target)
            self.failures.append(error)
            self.refusals.note(error)
            self.has_ended = self.has_ended or self.refusals.final is not None
            self.rules.note("fail", path, entry.size, error)
            return
        self.refusals.note(None)
        meter.complete(size)
        self.copied += 1
        self.copied_bytes += meter.done
        self.rules.note("copy", path, meter.done)

    async def _copy_one(self, entry: Entry, target: str, meter: FileMeter) -> int | None:
        """Copies a file. Returns its size where the store made the copy; None where all pieces were noted."""
        made = await self.copier.copy_listed(entry.path, target, entry.size, meter.add)
        if not made.is_server_side:
            return None
        size = made.metadata.content_length
        return entry.size if size is None else size

    def _there(self, path: str) -> Side:
        return replace(self.target, path=self.target_prefix + path)


async def _check_options(target: Side, rules: Rules) -> None:
    """Refuses options that the target lacks, before the source is listed."""
    given = rules.copying.to_write()
    if given != DEFAULT_WRITE or rules.copying.if_not_exists:
        args = replace(given, if_not_exists=rules.copying.if_not_exists)
        try:
            await target.accessor.write(f"{_prefix(target.path)}any", args)  # without I/O
        except Error as error:
            error.path = target.path
            raise


async def transfer_tree(source: Side, target: Side, rules: Rules) -> TreeReport:
    """Copies the files below one directory to another.

    Arguments:
        source: the directory to read.
        target: the directory to write.
        rules: how to transfer it.

    Raises:
        InvalidInput: the target is in the source; or the source is in the target, and surplus files are deleted.
        NotFound: there is no such directory; or it has no files that the patterns choose, and surplus ones would be
            deleted.
        TransfersFailed: some files failed, or some are missing in the listing; the others are copied, unless the
            credentials are refused.
        DeletionsFailed: some surplus files could not be deleted, or may be there and are missing in the listing.
    """
    _check_apart(source, target, is_mirror=rules.is_mirror)
    await _check_options(target, rules)
    index = await _index(target, rules) if rules.is_difference or rules.is_mirror else _Index({}, [])
    runtime = source.context.runtime
    copier = Copier(source.stack, target.stack, rules.copying)
    workers: Window[None] = runtime.window(rules.concurrent)
    async with await _lister(source) as lister:
        transfer = _Transfer(source, target, rules, lister, runtime.lock(), index.files, copier)
        try:
            for _ in range(rules.concurrent):
                workers.spawn(transfer.work)
            while workers:
                await workers.take()
        finally:
            await workers.close()
    transfer.failures += _left_out(lister, transfer.source_prefix_length, rules)
    if transfer.is_empty and not transfer.failures:
        await source.accessor.stat(source.path, DEFAULT_STAT)  # a missing directory is not an empty one
    if transfer.failures:
        raise TransfersFailed.of(transfer.failures, transfer.report)
    if not rules.is_mirror:
        return transfer.report
    try:
        report = await _delete_surplus(transfer)
    except DeletionsFailed as error:
        if index.lacking:
            raise DeletionsFailed.of([*error.failures, *index.lacking]) from error
        raise
    if index.lacking:
        raise TransfersFailed.of(index.lacking, report)
    return report


class _Index(NamedTuple):
    """What the target has.

    Arguments:
        files: the chosen files by their path in the tree.
        lacking: an error for each directory of which something is missing.
    """

    files: dict[str, Metadata]
    lacking: list[Error]


async def _index(side: Side, rules: Rules) -> _Index:
    start = len(_prefix(side.path))
    files: dict[str, Metadata] = {}
    try:
        async with await _lister(side) as lister:
            while page := await lister.next_page():
                files |= {entry.path[start:]: entry.metadata for entry in page if entry.is_file}
            lacking = _left_out(lister, start, rules)
    except Error as error:
        error.add_context(side="target")
        raise
    for lack in lacking:
        lack.add_context(side="target")
    return _Index({path: metadata for path, metadata in files.items() if rules.accepts(path)}, lacking)


def _left_out(lister: Lister, start: int, rules: Rules) -> list[Error]:
    """What a listing has left out, unless the patterns leave it out as well.

    Arguments:
        lister: the listing, at its end.
        start: the length of the path of the tree.
        rules: have the patterns.
    """
    return [error for error in lister.left_out() if rules.accepts_below(_prefix(error.path or "/")[start:])]


async def _delete_surplus(transfer: _Transfer) -> TreeReport:
    target, prefix = transfer.target, _prefix(transfer.target.path)
    surplus = [Entry(prefix + path, metadata) for path, metadata in transfer.surplus.items()]
    chosen = [entry for entry in surplus if transfer.rules.chooses(entry)]
    if chosen and not transfer.has_files:
        raise NotFound(NO_FILES)
    try:
        if not transfer.rules.is_dry:
            paths = [entry.path for entry in chosen]
            await delete_many(target.accessor, target.context, paths, transfer.rules.concurrent)
    except DeletionsFailed as error:
        failed = {failure.path for failure in error.failures}
        _note_deleted(transfer.rules, prefix, [entry for entry in chosen if entry.path not in failed])
        raise
    _note_deleted(transfer.rules, prefix, chosen)
    return replace(transfer.report, deleted=len(chosen))


def _note_deleted(rules: Rules, prefix: str, entries: Iterable[Entry]) -> None:
    for entry in entries:
        rules.note("delete", entry.path[len(prefix) :], entry.size)


async def _lister(side: Side) -> Lister:
    _, body = await side.accessor.list(side.path, _RECURSIVE)
    return Lister(side.context, side.accessor.info.scheme, side.path, body)


def _checked_comparison(compare: TreeComparison) -> TreeComparison:
    known = get_args(TreeComparison)
    if compare not in known:
        raise InvalidInput(f"compare must be one of {', '.join(map(repr, known))}, not {shown(compare)}")
    return compare


def _checked_copying(options: CopyOptions | None) -> OpCopy:
    given = options or {}
    if not isinstance(given, Mapping):
        raise InvalidInput(f"copy_options is a mapping of options of copy_to, not {type(options).__name__}")
    if wrong := [name for name in _OF_ONE_OBJECT if name in given]:
        raise InvalidInput(f"copy_options has {wrong[0]}, which is for a single object")
    return checked(DEFAULT_COPY, {"concurrent": _REQUESTS, **given})


def _checked_function(name: str, function: F) -> F:
    if function is not None and not callable(function):
        raise InvalidInput(f"{name} must be a function, not {type(function).__name__}")
    if iscoroutinefunction(function):
        raise InvalidInput(f"{name} must be a function that is not async: it is called, and not awaited")
    return function


def _check_apart(source: Side, target: Side, *, is_mirror: bool) -> None:
    if not target.stack.config.is_same_store(source.stack.config):
        return
    if target.key.startswith(source.key):
        raise InvalidInput("the target is in the source, so the copies would be copied again")
    if is_mirror and source.key.startswith(target.key):
        raise InvalidInput("the source is in the target, so `delete` would delete the source")


def tree_path(path: Path) -> str:
    """The path of a tree: a directory, also without its slash.

    Raises:
        InvalidInput: it is not a path.
    """
    normalized = normalize_path(path)
    return normalized if is_dir_path(normalized) else f"{normalized}/"


def _prefix(directory: str) -> str:
    return "" if directory == "/" else directory
