"""The public calls: each checks its arguments, holds the lock, and runs a job over a cluster."""

from __future__ import annotations

from functools import partial
from typing import Unpack

from entrepot import Operator
from entrepot.types.transfers import TreeComparison

from .cluster import ClusterLike
from .lock import LEASE
from .report import ClusterReport
from .running import Patterns, Rules, check_exists, run, tabulate, transfer, tree_of, trees_of
from .settings import RunOptions, Settings
from .tables import check_algorithm
from .tasks import Verification, run_delete


def copy_tree(
    cluster: ClusterLike,
    source: Operator,
    target: Operator,
    source_path: str = "/",
    target_path: str | None = None,
    *,
    include: Patterns = (),
    exclude: Patterns = (),
    verify: Verification = "etag",
    manifest: bool = True,
    lock: bool = True,
    lease: float = LEASE,
    **options: Unpack[RunOptions],
) -> ClusterReport:
    """Copies all files below a directory to another operator, by the workers of a cluster.

    Requires `read` and `list` of the source and `write` of the target; the lock requires `write_with_if_not_exists` of
    the target. Each object is copied as by `Operator.copy_to`. Existing files are replaced, and other files of the
    target stay. What fails does not stop the others, and is in the report.

    The target keeps a manifest in `.entrepot/` of its directory. A rerun copies the files that are missing in it, and
    those that `verify` finds changed.

    Arguments:
        cluster: a `distributed.Client`, a cluster, or the address of a scheduler.
        source: the operator to read. Both operators travel to the workers, pickled with their layers.
        target: the operator to write.
        source_path: the directory to copy. By default all.
        target_path: the directory of the copies. By default the same path.
        include: patterns of files, as of `Operator.copy_tree`. By default every file.
        exclude: patterns of files to leave out.
        verify: how a rerun checks an object that is done: `"etag"`, the default, compares the size and the etag of the
            copy with those that the manifest has; `"size"` the size alone; `"checksum"` reads source and copy and
            compares their SHA-256.
        manifest: whether a manifest is kept. By default True. Without one a rerun copies all again.
        lock: whether the target is locked against other runs. By default True.
        lease: seconds without a sign of life after which the owner of a lock is taken for dead. By default 60.
        options: see `RunOptions`.

    Returns:
        The report. `report.check()` raises if something failed.

    Raises:
        NotFound: the directory does not exist.
        InvalidInput: the target is in the source, an operator cannot be pickled, or an argument is invalid.
        ConfigInvalid: no scheduler answers, or workers have other versions.
        AlreadyExists: another run holds the lock of the target; the message names it.
        Unexpected: the scheduler was lost. A rerun goes on.
    """
    return transfer(
        cluster,
        trees_of(source, target, source_path, target_path, include, exclude),
        Settings.of(options),
        Rules(verify=verify, has_manifest=manifest, is_locked=lock, lease=lease),
    )


def sync_tree(
    cluster: ClusterLike,
    source: Operator,
    target: Operator,
    source_path: str = "/",
    target_path: str | None = None,
    *,
    include: Patterns = (),
    exclude: Patterns = (),
    compare: TreeComparison = "time",
    delete: bool = False,
    lock: bool = True,
    lease: float = LEASE,
    **options: Unpack[RunOptions],
) -> ClusterReport:
    """Brings a directory of another operator up to date, by the workers of a cluster.

    It is `copy_tree` without a manifest: each object is compared with the target, by one `stat` each.

    Arguments:
        cluster: see `copy_tree`.
        source: see `copy_tree`.
        target: see `copy_tree`. It requires `stat` as well, and `delete` with `delete`.
        source_path: see `copy_tree`.
        target_path: see `copy_tree`.
        include: see `copy_tree`.
        exclude: see `copy_tree`. Files that are left out are not deleted.
        compare: when the target has a file already, as for `Operator.copy_tree`. By default `"time"`.
        delete: delete the files of the target that the source lacks. By default False. They are deleted last, and only
            if every object was copied or skipped.
        lock: see `copy_tree`.
        lease: see `copy_tree`.
        options: see `RunOptions`.

    Returns:
        The report. Deletions that failed are in `errors`.

    Raises:
        NotFound: the directory does not exist, or `delete` is True and `include` and `exclude` choose no file of it.
        InvalidInput: see `copy_tree`; or the source is in the target and `delete` is True.
        ConfigInvalid: see `copy_tree`.
        AlreadyExists: see `copy_tree`.
        Unexpected: see `copy_tree`.
    """
    return transfer(
        cluster,
        trees_of(source, target, source_path, target_path, include, exclude),
        Settings.of(options),
        Rules(
            compare=compare,
            is_mirror=delete,
            has_manifest=False,
            is_locked=lock,
            lease=lease,
        ),
    )


def delete_tree(cluster: ClusterLike, operator: Operator, path: str, **options: Unpack[RunOptions]) -> ClusterReport:
    """Deletes a directory and everything in it, by the workers of a cluster. Requires `list` and `delete`.

    Each task deletes in batches as large as the service takes. The directories themselves go at the end, if every file
    is deleted.

    Arguments:
        cluster: see `copy_tree`.
        operator: the operator.
        path: the directory.
        options: see `RunOptions`.

    Raises:
        NotFound: the directory does not exist.
        InvalidInput: the operator cannot be pickled, or an argument is invalid.
        ConfigInvalid: see `copy_tree`.
        Unexpected: see `copy_tree`.
    """
    tree, settings = tree_of(operator, path, "operator"), Settings.of(options)
    check_exists(tree)
    report = run(cluster, tree, settings, partial(run_delete, tree))
    if report.is_complete:
        operator.blocking().delete(tree.path, recursive=True)
    return report


def list_tree(
    cluster: ClusterLike,
    source: Operator,
    target: Operator,
    source_path: str = "/",
    target_path: str = "listing/",
    *,
    include: Patterns = (),
    exclude: Patterns = (),
    resume: bool = False,
    **options: Unpack[RunOptions],
) -> ClusterReport:
    """Writes the listing of a directory as files of Parquet, by the workers of a cluster. Requires the extra `pyarrow`.

    The columns are `path` (relative to the directory), `size`, `etag` and `last_modified`. Each task writes one file.

    Arguments:
        cluster: see `copy_tree`.
        source: the operator to list.
        target: the operator to write.
        source_path: the directory to list. By default all.
        target_path: the directory of the files, which must be empty. By default `"listing/"`.
        include: see `copy_tree`.
        exclude: see `copy_tree`.
        resume: keep the files of an earlier run, and write the others. By default False. Rows of files that have
            changed since stay beside the new ones.
        options: see `RunOptions`.

    Raises:
        ImportError: pyarrow is not installed.
        AlreadyExists: the directory of the files is not empty.
        NotFound: the directory to list does not exist.
        InvalidInput: see `copy_tree`.
        ConfigInvalid: see `copy_tree`.
        Unexpected: see `copy_tree`.
    """
    trees = trees_of(source, target, source_path, target_path, include, exclude)
    return tabulate(cluster, trees, Settings.of(options), None, is_resumed=resume)


def checksum_tree(
    cluster: ClusterLike,
    source: Operator,
    target: Operator,
    source_path: str = "/",
    target_path: str = "checksums/",
    *,
    algorithm: str = "sha256",
    include: Patterns = (),
    exclude: Patterns = (),
    resume: bool = False,
    **options: Unpack[RunOptions],
) -> ClusterReport:
    """Reads every file below a directory, and writes the digests as files of Parquet. Requires the extra `pyarrow`.

    The files are as `list_tree` writes them, with one more column. It has the name of the algorithm, and the digest in
    hexadecimal.

    Arguments:
        cluster: see `copy_tree`.
        source: the operator to read.
        target: the operator to write.
        source_path: the directory to read. By default all.
        target_path: the directory of the files, which must be empty. By default `"checksums/"`.
        algorithm: the digest, by its name in `hashlib`. By default `"sha256"`.
        include: see `copy_tree`.
        exclude: see `copy_tree`.
        resume: see `list_tree`.
        options: see `RunOptions`.

    Raises:
        ImportError: pyarrow is not installed.
        AlreadyExists: the directory of the files is not empty.
        NotFound: the directory to read does not exist.
        InvalidInput: see `copy_tree`; or there is no such digest.
        ConfigInvalid: see `copy_tree`.
        Unexpected: see `copy_tree`.
    """
    trees = trees_of(source, target, source_path, target_path, include, exclude)
    return tabulate(cluster, trees, Settings.of(options), check_algorithm(algorithm), is_resumed=resume)
