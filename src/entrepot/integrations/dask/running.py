"""The shared parts of the public calls: checks of their arguments, and the run of a job over a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, get_args

from entrepot import AlreadyExists, InvalidInput, NotFound, Operator, PathFilter
from entrepot.types.transfers import NO_FILES, TreeComparison

from .cluster import ClusterLike, DaskPool, check_travels, connected
from .items import Batch
from .large import Spreader
from .lock import LEASE, LOCK, Lock
from .report import ClusterReport, Outcome
from .schedule import Job, Run, Spread, whole
from .settings import Settings
from .survey import STATE, Tree, stream
from .tables import Table, check_parquet, run_table
from .tasks import Copying, Verification, run_copy, run_prune, run_survey
from .window import PER_THREAD, Window

Patterns: TypeAlias = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a tree is transferred.

    Arguments:
        verify: how a rerun checks an object that is done.
        compare: how files that the target has are compared, to skip those that are the same; None copies all.
        is_mirror: whether files that the source lacks are deleted from the target.
        has_manifest: whether a manifest is kept.
        is_locked: whether the target is locked against other runs.
        lease: seconds without a sign of life after which the owner of a lock is taken for dead.

    Raises:
        InvalidInput: a value is invalid.
    """

    verify: Verification = "etag"
    compare: TreeComparison | None = None
    is_mirror: bool = False
    has_manifest: bool = True
    is_locked: bool = True
    lease: float = LEASE

    def __post_init__(self) -> None:
        _check_choice("verify", self.verify, get_args(Verification))
        _check_choice("compare", self.compare, (None, *get_args(TreeComparison)))
        for name, value in (("delete", self.is_mirror), ("manifest", self.has_manifest), ("lock", self.is_locked)):
            if not isinstance(value, bool):
                raise InvalidInput(f"{name} must be True or False, not {type(value).__name__}")
        if not isinstance(self.lease, int | float) or self.lease <= 0:
            raise InvalidInput("lease must be a number of seconds, more than 0")


def _check_choice(name: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        raise InvalidInput(f"{name} must be one of {', '.join(repr(one) for one in known if one is not None)}")


def tree_of(operator: Operator, path: Any, role: str, include: Patterns = (), exclude: Patterns = ()) -> Tree:
    """Makes a tree of the arguments of a call.

    Arguments:
        operator: the operator.
        path: the directory, with or without a trailing slash.
        role: its role in the call: `"source"` or `"target"`.
        include: patterns of files.
        exclude: patterns of files to leave out.

    Raises:
        InvalidInput: one of them is invalid.
    """
    check_travels(operator, role)
    if not isinstance(path, str):
        raise InvalidInput(f"the path of the {role} must be text, not {type(path).__name__}")
    directory = f"{path.strip('/')}/".removeprefix("/") or "/"
    patterns = [(one,) if isinstance(one, str) else tuple(one) for one in (include, exclude)]
    PathFilter(*patterns)  # here, so that an invalid pattern is found before anything is sent
    return Tree(operator, directory, *patterns)


def trees_of(
    source: Operator,
    target: Operator,
    source_path: str,
    target_path: str | None,
    include: Patterns,
    exclude: Patterns,
) -> tuple[Tree, Tree]:
    """Makes the trees of a transfer, which are apart. See `tree_of`."""
    here = tree_of(source, source_path, "source", include, exclude)
    there = tree_of(target, source_path if target_path is None else target_path, "target", include, exclude)
    if is_below(there, here):
        raise InvalidInput("the target is in the source, so the copies would be copied again")
    return here, there


def is_below(inner: Tree, outer: Tree) -> bool:
    """Whether a tree is a part of another one, or the same."""
    return is_same_store(inner.operator, outer.operator) and _key(inner).startswith(_key(outer))


def is_same_store(first: Operator, second: Operator) -> bool:
    """Whether two operators use one store. Their configurations, which their pickles have, decide."""
    _, (_, config, *_) = first.__reduce__()
    _, (_, other, *_) = second.__reduce__()
    return bool(config.is_same_store(other))


def _key(tree: Tree) -> str:
    return tree.operator.info.root + tree.prefix


def check_exists(tree: Tree) -> None:
    """Checks that a directory exists.

    Raises:
        NotFound: it does not.
    """
    tree.operator.blocking().stat(tree.path)


def run(
    cluster: ClusterLike,
    tree: Tree,
    settings: Settings,
    work: Callable[[Batch], Outcome],
    lock: Lock | None = None,
    spread: Callable[[Batch], Spread | None] = whole,
) -> ClusterReport:
    """Runs a job over a tree.

    Arguments:
        cluster: the cluster.
        tree: the tree.
        settings: the keywords of the call.
        work: the task that does the work of a batch.
        lock: a lock that must be held.
        spread: prepares a batch of one large object whose parts are tasks of their own.
    """

    def progress(report: ClusterReport) -> None:
        if lock is not None:
            lock.check()
        if settings.progress is not None:
            settings.progress(report)

    job = Job(
        survey=partial(run_survey, tree, settings.limits),
        work=work,
        stream=partial(stream, tree),
        limits=settings.limits,
        attempts=settings.attempts,
        spread=spread,
    )
    with connected(cluster, settings.timeout) as client:
        pool = DaskPool(client)
        window = Window(settings.in_flight or pool.size * PER_THREAD)
        return Run(pool, job, window, progress).all(tree.path)


def transfer(cluster: ClusterLike, trees: tuple[Tree, Tree], settings: Settings, rules: Rules) -> ClusterReport:
    """Copies a tree. See `copy_tree` and `sync_tree`."""
    source, target = trees
    if rules.is_mirror and is_below(source, target):
        raise InvalidInput("the source is in the target, so `delete` would delete the source")
    check_exists(source)
    state = target.operator.at(target.at(STATE))
    with Lock(state.blocking(), lease=rules.lease) if rules.is_locked else nullcontext() as lock:
        copying = Copying(
            source=source,
            target=target,
            state=state if rules.has_manifest else None,
            is_rerun=rules.has_manifest and _has_entries(state, "/", besides=LOCK),
            verify=rules.verify,
            compare=rules.compare,
            concurrent=settings.concurrent,
        )
        can_copy = target.operator.info.capability.copy and is_same_store(source.operator, target.operator)
        spread = Spreader(copying, settings.large, settings.part, is_server_side=can_copy)
        report = run(cluster, source, settings, partial(run_copy, copying), lock, spread)
        if not rules.is_mirror or not report.is_complete:
            return report
        if not report.listed:
            raise NotFound(NO_FILES)
        pruned = run(cluster, target, settings, partial(run_prune, source, target), lock)
    errors = (*report.errors, *pruned.errors, *pruned.failures)
    return replace(report, deleted=pruned.done, tasks=report.tasks + pruned.tasks, errors=errors)


def tabulate(
    cluster: ClusterLike,
    trees: tuple[Tree, Tree],
    settings: Settings,
    algorithm: str | None,
    *,
    is_resumed: bool,
) -> ClusterReport:
    """Writes a table about a tree. See `list_tree` and `checksum_tree`."""
    check_parquet()
    source, target = trees
    check_exists(source)
    if not is_resumed and _has_entries(target.operator, target.path):
        raise AlreadyExists(
            "the directory of the files is not empty: choose another, or pass resume=True", path=target.path
        )
    table = Table(target.operator, target.path, algorithm, is_resumed, settings.concurrent)
    return run(cluster, source, settings, partial(run_table, source, table))


def _has_entries(operator: Operator, directory: str, besides: str | None = None) -> bool:
    lister = operator.blocking().lister(directory)
    return any(entry.path not in {directory, besides} for entry in lister)
