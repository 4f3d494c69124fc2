"""What `cp`, `mv` and `sync` have in common: the target of each source, the options, and the copies themselves.

The target of a file is the place itself, or the place and the name of the file, if the place is a directory: it ends
with a slash, it is a local directory that exists, or there are several sources. A directory is copied with what is in
it: `cp -r a/ b/` makes `b/x` of `a/x`, as the commands of object stores do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from entrepot import (
    AlreadyExists,
    DeletionsFailed,
    Entry,
    Error,
    IsADirectory,
    Metadata,
    NotFound,
    PathFilter,
    TransfersFailed,
    TreeReport,
    TreeStep,
)

from .output import record_of_metadata
from .places import Place, check_apart, leads_to_directory
from .progress import shown_progress
from .quantities import SIZE, human_size
from .selection import described, expanded, tests_of_bounds, with_bounds
from .session import Session

_CONTENT_OPTIONS: Final = (
    "content_type", "cache_control", "content_disposition", "content_encoding", "storage_class", "acl",
)  # fmt: skip
_TREE_OPTIONS: Final = (
    click.option("--include", multiple=True, metavar="GLOB",
                 help="Only files that match; a glob without a slash is compared with the name. Repeatable."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="No files that match. Repeatable."),
    click.option("-n", "--dry-run", is_flag=True, help="Change nothing, and say what would be done."),
    click.option("--concurrency", type=click.IntRange(1), default=16, show_default=True, help="Files in flight."),
    click.option("--chunk", type=SIZE, metavar="SIZE", help="Bytes of one request of a large file."),
    click.option("--no-guess-mime-type", is_flag=True, help="Do not guess the media type of a copy by its name."),
    click.option("--checksum", is_flag=True, help="Skip files whose content is the same: both are read."),
    click.option("--size-only", is_flag=True, help="Skip files of the same size."),
    click.option("--update", is_flag=True, help="Skip files that are no older at the target."),
)  # fmt: skip
_NO_CLOBBER: Final = click.option("--no-clobber", is_flag=True, help="Replace nothing that exists.")
_CONTENT: Final = (
    click.option("--content-type", metavar="TYPE", help="The media type of the copies."),
    click.option("--cache-control", metavar="TEXT", help="The Cache-Control of the copies."),
    click.option("--content-disposition", metavar="TEXT", help="The Content-Disposition of the copies."),
    click.option("--content-encoding", metavar="TEXT", help="The Content-Encoding to state for the copies."),
    click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="User metadata of the copies. Repeatable."),
    click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the copies. Repeatable."),
    click.option("--storage-class", metavar="NAME", help="The storage class of the copies."),
    click.option("--acl", metavar="NAME", help="The predefined access control of the copies, such as public-read."),
)  # fmt: skip

_CHOOSING: Final = (
    "include", "exclude", "min_size", "max_size", "min_age", "max_age", "size_only", "update",
)  # fmt: skip

_SHORTEST_PART: Final = 64 * 1024
_LONGEST_PART: Final = 8 * 1024 * 1024

_COMPARISONS: Final = (("content", "checksum"), ("size", "size_only"), ("update", "update"), ("name", "no_clobber"))
"""How `copy_tree` compares, and the option that asks for it."""

Decorator = Callable[[Any], Any]


def with_tree_options(function: Any) -> Any:
    """Gives a verb the options of a transfer of a tree."""
    return _decorated(with_bounds(function), _TREE_OPTIONS)


def with_content_options(function: Any) -> Any:
    """Gives a verb the options of the content of copies."""
    return _decorated(function, _CONTENT)


def with_file_options(function: Any) -> Any:
    """Gives a verb the options of a copy of a file."""
    return _decorated(function, (_NO_CLOBBER, *_CONTENT))


def _decorated(function: Any, options: tuple[Decorator, ...]) -> Any:
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class TreeRules:
    """The options of a transfer of a tree, as keywords of `copy_tree` and `sync`.

    Arguments:
        options: the values of `with_tree_options`.
        skips_same: whether files that the target has are skipped also if no option says how to compare.
        copy_options: the values of `file_keywords`.
    """

    options: dict[str, Any]
    skips_same: bool = False
    copy_options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is changed."""
        return bool(self.options["dry_run"])

    def keywords(self) -> dict[str, Any]:
        """The keywords of `copy_tree`."""
        compare = self._comparison()
        return {
            "include": self.options["include"],
            "exclude": self.options["exclude"],
            "choose": self._choose(),
            "concurrent": self.options["concurrency"],
            "dry_run": self.options["dry_run"],
            "skip_same": self.skips_same or compare is not None,
            "compare": compare or "time",
            "copy_options": self.copy_options,
        }

    async def accepts(self, place: Place) -> bool:
        """Whether a file that a wildcard matches is transferred, by its name, size and age."""
        name = place.path.rpartition("/")[2]
        if not PathFilter(self.options["include"], self.options["exclude"]).accepts(name):
            return False
        choose = self._choose()
        return choose is None or choose(Entry(place.path, await place.operator.stat(place.path)))

    def _choose(self) -> Callable[[Entry], bool] | None:
        tests = tests_of_bounds(self.options)
        return (lambda entry: all(test(entry) for test in tests)) if tests else None

    def _comparison(self) -> str | None:
        chosen = [(name, flag) for name, flag in _COMPARISONS if self.options.get(flag)]
        if len(chosen) > 1:
            flags = " and ".join(f"--{flag.replace('_', '-')}" for _, flag in chosen)
            raise click.UsageError(f"{flags} exclude each other")
        return chosen[0][0] if chosen else None


def file_keywords(options: dict[str, Any], chunk: int | None) -> dict[str, Any]:
    """The keywords of `copy_to` from the values of `with_file_options` or `with_content_options`.

    Raises:
        click.UsageError: user metadata or a tag has no `=`.
    """
    keywords = {name: options[name] for name in _CONTENT_OPTIONS if options[name] is not None}
    if options["metadata"]:
        keywords["user_metadata"] = _paired("--metadata", options["metadata"])
    if options["tags"]:
        keywords["tags"] = _paired("--tag", options["tags"])
    if options.get("no_clobber"):
        keywords["if_not_exists"] = True
    return keywords | ({} if chunk is None else {"chunk": chunk})


def _paired(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(separator for _, separator, _ in pairs):
        raise click.UsageError(f"{option} is written as key=value")
    return {key: value for key, _, value in pairs}


def check_for_files(options: dict[str, Any], *, has_checksum: bool = False) -> None:
    """Refuses options that choose files of a tree, where there is none: they would do nothing.

    Arguments:
        options: the values of `with_tree_options`.
        has_checksum: whether the verb has `--checksum` for single files too.

    Raises:
        click.UsageError: one is given.
    """
    names = _CHOOSING if has_checksum else (*_CHOOSING, "checksum")
    given = [f"--{name.replace('_', '-')}" for name in names if options[name] not in (None, False, ())]
    if given:
        raise click.UsageError(f"{' and '.join(given)}: only with -r")


def is_existing_directory(place: Place, word: str) -> bool:
    """Whether a target is a directory: it is written as one, or it is a local one that exists."""
    return place.is_directory or (place.is_local and leads_to_directory(word))


def is_local_file(session: Session, words: tuple[str, ...]) -> bool:
    """Whether -r has nothing to recurse into: the one source is a local file, or is missing."""
    source = session.find(words[0])
    return len(words) == 1 and source.is_local and not source.is_directory and not source.is_pattern


def target_of(source: Place, target: Place, *, into: bool) -> Place:
    """The target of one file or directory."""
    return target.inside(source.path.rstrip("/").rpartition("/")[2]) if into else target


async def matches_with_targets(
    session: Session, word: str, target: Place, rules: TreeRules
) -> AsyncGenerator[tuple[Place, Place], None]:
    """Yields what a word with wildcards matches, files and then directories, each with its target in a directory.

    Arguments:
        session: reports.
        word: the word.
        target: the directory of the targets.
        rules: choose the files.

    Raises:
        click.UsageError: an option compares files by what the listing of a tree says.
    """
    if rules.options["size_only"] or rules.options["update"]:
        raise click.UsageError("--size-only and --update go with a directory, not with a wildcard")
    async with (
        aclosing(expanded(session, (word,), directories=True)) as places,
        aclosing(_chosen(session, places, rules)) as chosen,
        aclosing(with_targets(session, chosen, target, into=True)) as pairs,
    ):
        async for pair in pairs:
            yield pair


async def with_targets(
    session: Session, sources: AsyncIterable[Place], target: Place, *, into: bool
) -> AsyncGenerator[tuple[Place, Place], None]:
    """Yields sources, each with its target. One whose target another one has is reported, and left out.

    Otherwise the second copy would replace the first one, and a move would lose a file.
    """
    taken = set[str]()
    async for source in sources:
        place = target_of(source, target, into=into)
        place = place.as_directory() if source.is_directory and into else place
        if place.path in taken:
            session.fail(source.name, AlreadyExists(f"{place.name} is the target of another source of this command"))
            continue
        taken.add(place.path)
        yield source, place


async def _chosen(session: Session, places: AsyncIterable[Place], rules: TreeRules) -> AsyncGenerator[Place, None]:
    async for place in places:
        try:
            is_chosen = place.is_directory or await rules.accepts(place)
        except Error as error:
            session.fail(place.name, error)
        else:
            if is_chosen:
                yield place


class CopiedFiles:
    """The files of a tree that were copied, with the metadata that each had in the listing before its copy.

    Attributes:
        metadata: the metadata by path.
    """

    def __init__(self) -> None:
        self.metadata: dict[str, Metadata] = {}
        self._listed: dict[str, Metadata] = {}

    def choosing(self, choose: Callable[[Entry], bool] | None) -> Callable[[Entry], bool]:
        """A `choose` function that notes the metadata of each file that is chosen."""

        def note_if_chosen(entry: Entry) -> bool:
            is_chosen = choose is None or choose(entry)
            if is_chosen:
                self._listed[entry.path] = entry.metadata
            return is_chosen

        return note_if_chosen

    def add(self, path: str) -> None:
        """Notes that a file was copied."""
        self.metadata[path] = self._listed.pop(path)


class Transfer:
    """Copies files and trees for one command, and says what it did.

    Arguments:
        session: reports.
        word: what a copy is called in the output: `"copy"` or `"move"`.
    """

    def __init__(self, session: Session, word: str) -> None:
        self._session = session
        self._word = word
        self._done = {"copy": "copied", "move": "moved"}.get(word, word)
        self._reported: set[int] = set()  # the `id` of each error of this tree that was reported as it occurred

    async def file(
        self,
        source: Place,
        target: Place,
        keywords: dict[str, Any],
        *,
        is_dry: bool,
        resume: bool,
        skips_same: bool = False,
    ) -> Metadata | None:
        """Copies a file. Returns the metadata that it had before; None if it was not copied.

        Arguments:
            source: the file.
            target: the place of the copy.
            keywords: the options of `copy_to`.
            is_dry: copy nothing.
            resume: go on with an interrupted download.
            skips_same: copy nothing if the target has the same content, for which both are read.
        """
        try:
            source, metadata = await described(source, keywords.get("source_version"))
            if source.is_directory:
                raise IsADirectory(f"this is a directory: {self._word} it with -r")
            check_apart(source, target)
            if skips_same and await _has_same(source, target):
                self._session.note(f"{target.name} has this content already")
                return None
            if not is_dry:
                async with shown_progress(self._session, size=metadata.content_length) as progress:
                    keywords = self._paced(source, target, keywords)
                    keywords |= {"source_content_length_hint": metadata.content_length, "progress": progress}
                    await self._copy(source, target, keywords, resume=resume)
        except Error as error:
            self._session.fail(source.name, error, target=target.name)
            return None
        self.show(self._word, source.name, target.name, is_dry=is_dry, **record_of_metadata(metadata))
        return metadata

    def _paced(self, source: Place, target: Place, keywords: dict[str, Any]) -> dict[str, Any]:
        """The keywords of a copy whose parts are no longer than a limit of the bandwidth allows: each is one read."""
        bandwidth = self._session.settings.bandwidth
        if bandwidth is None or not (source.is_local and target.is_local):
            return dict(keywords)
        return {"chunk": min(max(bandwidth // 4, _SHORTEST_PART), _LONGEST_PART)} | keywords

    async def _copy(self, source: Place, target: Place, keywords: dict[str, Any], *, resume: bool) -> None:
        if resume and target.is_local:
            local = Path(_root_of(target), target.path)
            await source.operator.download(source.path, local, resume=True, **keywords)
            return
        copied = await source.operator.copy_to(target.operator, source.path, target.path, **keywords)
        if copied.not_carried and self._session.settings.verbosity:
            self._session.note(f"{target.name} has no {', '.join(copied.not_carried)}")

    async def tree(
        self, source: Place, target: Place, rules: TreeRules, copied: CopiedFiles | None = None, **keywords: Any
    ) -> None:
        """Copies a tree.

        Arguments:
            source: the directory to copy.
            target: the directory of the copies.
            rules: the options.
            copied: receives the files that are copied.
            keywords: more keywords of `copy_tree` or `sync`.
        """
        self._reported.clear()  # the errors of the tree before are gone, and those of this one may have their `id`
        note = partial(self._note, source, target, copied, is_dry=rules.is_dry)
        method = source.operator.sync if "delete" in keywords else source.operator.copy_tree
        options = rules.keywords() | keywords
        options["copy_options"] = self._paced(source, target, rules.copy_options)
        if "delete" in keywords:
            del options["skip_same"]
        is_filtered = bool(
            options["include"] or options["exclude"] or options["choose"] or options.get("skip_same", True)
        )
        counted = None if is_filtered or rules.is_dry else source
        if copied is not None:
            options["choose"] = copied.choosing(options["choose"])
        try:
            check_apart(source, target)
            if "delete" in keywords:
                check_apart(target, source)
            async with shown_progress(self._session, counted) as progress:
                report = await method(
                    target.operator, source.path, target.path, progress=progress, on_file=note, **options
                )
        except TransfersFailed as error:
            self._fail_some(error, source, target)
            self._summarize(error.report, is_dry=rules.is_dry, failed=len(error.failures))
        except DeletionsFailed as error:
            self._session.fail(target.name, error, target.name_of)
        except Error as error:
            self._session.fail(source.name, error, target=target.name)
        else:
            self._summarize(report, is_dry=rules.is_dry)

    def _fail_some(self, error: TransfersFailed, source: Place, target: Place) -> None:
        """Reports the failures of a tree that were not reported as they occurred."""
        for failure in error.failures:
            if id(failure) not in self._reported:
                side = target if failure.context.get("side") == "target" else source
                self._session.fail(side.name_of(failure.path or side.path), failure)
        if error.report.untried:
            self._session.warn(f"{error.report.untried} more files were not tried: the credentials are refused")

    def _note(self, source: Place, target: Place, copied: CopiedFiles | None, step: TreeStep, *, is_dry: bool) -> None:
        if step.action == "copy" and copied is not None:
            copied.add(source.inside(step.path).path)
        if step.error is not None:  # which may be hours before the end of the transfer
            self._session.fail(source.name_inside(step.path), step.error, target=target.name_inside(step.path))
            self._reported.add(id(step.error))
        if self._session.settings.is_quiet or step.action not in {"copy", "delete"}:
            return
        there = target.name_inside(step.path)
        if step.action == "copy":
            self.show(self._word, source.name_inside(step.path), there, is_dry=is_dry, size=step.size)
        else:
            self.show("delete", there, is_dry=is_dry, size=step.size)

    def show(self, action: str, source: str, target: str | None = None, *, is_dry: bool = False, **facts: Any) -> None:
        """Says what was done with one file."""
        if self._session.settings.is_quiet:
            return
        text = f"{action}: {source}" if target is None else f"{action}: {source} to {target}"
        record = {"action": action, "source": source, "target": target, "dry_run": is_dry or None, **facts}
        known = {name: value for name, value in record.items() if value is not None}
        self._session.output.show(f"(dry run) {text}" if is_dry else text, **known)

    def _summarize(self, report: TreeReport, *, is_dry: bool, failed: int = 0) -> None:
        files = "1 file" if report.copied == 1 else f"{report.copied} files"
        done = f"would be {self._done}" if is_dry else self._done
        others = {"skipped": report.skipped, "deleted": report.deleted, "failed": failed}
        rest = "".join(f", {count} {name}" for name, count in others.items() if count)
        self._session.note(f"{files} ({human_size(report.copied_bytes)}) {done}{rest}")


async def _has_same(source: Place, target: Place) -> bool:
    try:
        return await source.operator.has_same_content(target.operator, source.path, target.path)
    except NotFound:
        return False  # or the source is missing, which the copy will say


def _root_of(place: Place) -> str:
    root: str = place.operator.info.root
    return root
