"""What people call who do not await: one operator over one storage.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Unpack

from entrepot.facade.keywords import (
    CopyOptions,
    DeleteOptions,
    ListerOptions,
    PresignDeleteOptions,
    PresignReadOptions,
    PresignStatOptions,
    PresignWriteOptions,
    ReaderOptions,
    RenameOptions,
    StatOptions,
    WriterOptions,
)
from entrepot.facade.operations import Entries, Uploads
from entrepot.facade.operator import ABORT_CONCURRENT, DELETE_CONCURRENT
from entrepot.facade.options import Expires, Path
from entrepot.facade.sources import BlockingSource
from entrepot.types import Copied, Entry, Metadata, PresignedRequest

from .calls import (
    CopyCall,
    CopyToCall,
    DeleteCall,
    ListCall,
    ListerCall,
    PresignDeleteCall,
    PresignReadCall,
    PresignStatCall,
    PresignWriteCall,
    ReadCall,
    ReaderCall,
    RenameCall,
    StatCall,
    WriteCall,
    WriterCall,
)
from .lister import BlockingLister
from .reader import BlockingReader
from .twin import BlockingBase
from .writer import BlockingWriter


class BlockingOperator(BlockingBase):
    """One storage, whatever it is, without `await`. Immutable, cheap, and safe to share between threads.

    Made by `Operator.blocking`, and means the same in all it does: `op.read(path, range=(0, 8))` and
    `op.read_with(path).range(0, 8).run()`. Every method raises what the same method of `Operator` raises.

    It works in a thread that runs an event loop too, and holds that up.
    """

    def read(self, path: Path, **options: Unpack[ReaderOptions]) -> bytes:
        """Reads an object, or a range of it.

        Arguments:
            path: the object.
            range: the bytes to read: `(start, end)` without `end` itself, or a `BytesRange`. By default all. A suffix
                requires `read_with_suffix`.
            version: the version of the object. By default the current one. Requires `read_with_version`.
            if_match: succeed only if the object has this etag. Requires `read_with_if_match`.
            if_none_match: succeed only if the object has another etag. Requires `read_with_if_none_match`.
            if_modified_since: succeed only if the object was written after this time, which has a time zone. Requires
                `read_with_if_modified_since`.
            if_unmodified_since: succeed only if the object was not written after this time, which has a time zone.
                Requires `read_with_if_unmodified_since`.
            override_content_type: the Content-Type of the response, instead of the stored one. Requires
                `read_with_override_content_type`.
            override_content_disposition: the Content-Disposition of the response, instead of the stored one. Requires
                `read_with_override_content_disposition`.
            override_cache_control: the Cache-Control of the response, instead of the stored one. Requires
                `read_with_override_cache_control`.
            chunk: bytes per request (a hint). By default one request for the whole range.
            concurrent: requests in flight (a hint). By default 1 for a stream, 8 for `Reader.fetch`.
            gap: `Reader.fetch` joins ranges that are at most this many bytes apart (a hint). By default 1 MiB.
            content_length_hint: the expected size of the object in bytes (a hint), to request chunks ahead from the
                start.

        Raises:
            NotFound: there is no such object.
            IsADirectory: the path names a directory.
            RangeNotSatisfied: the range starts behind the end of the object.
            ConditionNotMatch: a condition does not hold.
        """
        return self._run(self._inner.read(path, **options))

    def read_with(self, path: Path) -> ReadCall:
        """The same as `read`, described step by step: `op.read_with(path).range(0, 8).run()`."""
        return ReadCall(self.read, "read_with", (path,))

    def reader(self, path: Path, **options: Unpack[ReaderOptions]) -> BlockingReader:
        """A `BlockingReader` over an object or a range of it. Opening it does no I/O; its first use does.

        Enter it with `with`, or iterate it by chunks with `for`.
        Options are those of `read`.
        """
        return BlockingReader(self._opened(self._inner.reader(path, **options)), self._runner)

    def reader_with(self, path: Path) -> ReaderCall:
        """The same as `reader`, described step by step: `for chunk in op.reader_with(path).chunk(n)`."""
        return ReaderCall(self.reader, "reader_with", (path,))

    def stat(self, path: Path, **options: Unpack[StatOptions]) -> Metadata:
        """What the storage knows of an object or a directory.

        Arguments:
            path: the object; with a trailing slash, the directory.
            version: the version of the object. By default the current one. Requires `stat_with_version`.
            if_match: succeed only if the object has this etag. Requires `stat_with_if_match`.
            if_none_match: succeed only if the object has another etag. Requires `stat_with_if_none_match`.
            if_modified_since: succeed only if the object was written after this time, which has a time zone. Requires
                `stat_with_if_modified_since`.
            if_unmodified_since: succeed only if the object was not written after this time, which has a time zone.
                Requires `stat_with_if_unmodified_since`.
            override_content_type: the Content-Type of the response, instead of the stored one. Requires
                `stat_with_override_content_type`.
            override_content_disposition: the Content-Disposition of the response, instead of the stored one. Requires
                `stat_with_override_content_disposition`.
            override_cache_control: the Cache-Control of the response, instead of the stored one. Requires
                `stat_with_override_cache_control`.

        Raises:
            NotFound: there is nothing of that name.
            ConditionNotMatch: a condition does not hold.
        """
        return self._run(self._inner.stat(path, **options))

    def stat_with(self, path: Path) -> StatCall:
        """The same as `stat`, described step by step: `op.stat_with(path).if_match(etag).run()`."""
        return StatCall(self.stat, "stat_with", (path,))

    def exists(self, path: Path) -> bool:
        """Whether there is anything of that name. Only its absence is False; other errors are raised."""
        return self._run(self._inner.exists(path))

    def check(self) -> None:
        """Raises what keeps this operator from working: no such bucket, no permission, no connection.

        It lists the root, or reads one byte of an object that need not exist where there is no listing.
        """
        self._run(self._inner.check())

    def write(self, path: Path, data: BlockingSource, **options: Unpack[WriterOptions]) -> Metadata:
        """Replaces an object, all or nothing, and returns what the storage says of it. Requires `write`.

        Directories above it are made where the storage has such. When it fails or is interrupted, nothing of
        the new content is left on the storage, unless it was being published at that moment.

        Arguments:
            path: the object.
            data: its new bytes: `bytes`, or any contiguous object with the buffer protocol. More is streamed from
                an iterable of bytes, from the `pathlib.Path` of a local file, or from
                an open binary file from its position on. The file stays open.
            append: add the data to the end of the object, which need not exist. By default False. Requires
                `write_with_append`.
            content_type: the media type to store. Requires `write_with_content_type`.
            content_disposition: the Content-Disposition to store, which says how a browser presents the object.
                Requires `write_with_content_disposition`.
            content_encoding: the encodings of the data, such as `"gzip"`, to store. The data itself is stored as it is.
                Requires `write_with_content_encoding`.
            cache_control: the Cache-Control to store, which says how long caches may keep the object. Requires
                `write_with_cache_control`.
            user_metadata: names and values to store with the object. Names are stored in lower case. Requires
                `write_with_user_metadata`.
            if_match: succeed only if the object has this etag. Requires `write_with_if_match`.
            if_none_match: succeed only if the object has another etag, or does not exist. Requires
                `write_with_if_none_match`.
            if_not_exists: succeed only if the object does not exist. By default False. Requires
                `write_with_if_not_exists`.
            chunk: bytes per part (a hint). Later parts are larger where the object would need more parts than the
                service takes. By default the service chooses.
            concurrent: parts in flight (a hint). By default the service chooses.

        Raises:
            InvalidInput: `data` is not bytes, or more than the service takes, or a file that gives text.
            IsADirectory: the path names a directory.
            ConditionNotMatch: a condition does not hold.
            PermissionDenied, StorageFull: the storage refuses.
        """
        return self._run(self._inner.write(path, self._bring_data("write", path, data), **options))

    def write_with(self, path: Path, data: BlockingSource) -> WriteCall:
        """The same as `write`, described step by step: `op.write_with(path, data).if_not_exists().run()`."""
        return WriteCall(
            self.write,
            "write_with",
            (
                path,
                data,
            ),
        )

    def writer(self, path: Path, **options: Unpack[WriterOptions]) -> BlockingWriter:
        """A `BlockingWriter` of an object, which appears when the writer is closed. Opening it does no I/O.

        Enter it: `with op.writer(path) as writer`. Options are
        those of `write`.
        """
        return BlockingWriter(self._opened(self._inner.writer(path, **options)), self._runner)

    def writer_with(self, path: Path) -> WriterCall:
        """The same as `writer`, described step by step: `with op.writer_with(path).chunk(n) as writer`."""
        return WriterCall(self.writer, "writer_with", (path,))

    def delete(self, path: Path, **options: Unpack[DeleteOptions]) -> None:
        """Deletes an object or an empty directory. What is missing is gone already. Requires `delete`.

        Arguments:
            path: the object; with a trailing slash, the directory.
            version: delete this version, permanently. By default the object is deleted, and its older versions stay.
                Requires `delete_with_version`.
            recursive: delete everything under the path as well. For `"a/"` that is the directory with its contents, but
                not an object `a`; for `"a"` that object too. Neither deletes `ab`. By default False. Requires
                `delete_with_recursive`.

        Raises:
            PermissionDenied: the storage refuses.
            DeletionsFailed: some of many deletions of a recursive one failed; the others were made.
        """
        self._run(self._inner.delete(path, **options))

    def delete_with(self, path: Path) -> DeleteCall:
        """The same as `delete`, described step by step: `op.delete_with(path).recursive().run()`."""
        return DeleteCall(self.delete, "delete_with", (path,))

    def delete_many(self, paths: Iterable[Path | Entry], *, concurrent: int = DELETE_CONCURRENT) -> None:
        """Deletes many objects, in batches as large as the service takes. Requires `delete`.

        Directories come last, the deepest first, so that a listing can be deleted in whatever order it came.

        Arguments:
            paths: paths, or entries of a listing, in any iterable, such as
                `op.lister("a/", recursive=True)`. An entry that names a version removes that version, for good. So
                does the mark of a deletion, which a listing with `deleted=True` gives: that brings the object back.
            concurrent: how many batches may be in flight.

        Raises:
            DeletionsFailed: some failed; its `failures` are the error of each. The others were made.
            InvalidInput: an item is no path. Of an iterator, what came before it may have been deleted.
        """
        self._run(self._inner.delete_many(self._bring("delete_many", "/", paths), concurrent=concurrent))

    def list(self, path: Path, **options: Unpack[ListerOptions]) -> Entries:
        """All entries of a listing. Requires `list`.

        A path with a trailing slash lists the directory, itself included; `"/"` is the root. Any other
        path lists what begins with it: `"a/b"` gives `a/b`, `a/bc` and `a/b/`. What does not exist gives
        nothing. The order is that of the storage.

        Arguments:
            path: what to list.
            recursive: list everything under the path, not only its direct children. By default False. Requires
                `list_with_recursive`.
            start_after: list only entries after this path, in the order of the service. Requires
                `list_with_start_after`.
            versions: list every version of each object, each as an entry. Other listings name versions of deletion
                marks only, so that deleting a listed entry deletes the object. By default False. Requires
                `list_with_versions`.
            deleted: list deletion marks as well; without `versions` only the current ones. By default False. Requires
                `list_with_deleted`.
            limit: entries per request (a hint). It does not end the listing. By default the service chooses.

        Raises:
            PermissionDenied: the storage refuses.
        """
        return self._run(self._inner.list(path, **options))

    def list_with(self, path: Path) -> ListCall:
        """The same as `list`, described step by step: `op.list_with(path).recursive().run()`."""
        return ListCall(self.list, "list_with", (path,))

    def lister(self, path: Path, **options: Unpack[ListerOptions]) -> BlockingLister:
        """A `BlockingLister`, which gives the entries of a listing as they come. Opening it does no I/O.

        Enter it with `with`, or iterate it with `for`. Options are
        those of `list`.
        """
        return BlockingLister(self._opened(self._inner.lister(path, **options)), self._runner)

    def lister_with(self, path: Path) -> ListerCall:
        """The same as `lister`, described step by step: `for entry in op.lister_with(path).recursive()`."""
        return ListerCall(self.lister, "lister_with", (path,))

    def copy(self, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Metadata:
        """Copies an object within the storage, over what is at the target. Requires `copy`.

        Arguments:
            source: the object to copy.
            target: its new path. Directories above it are made where the storage has such.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `copy_with_if_not_exists`.
            if_match: succeed only if the target has this etag. Requires `copy_with_if_match`.
            source_version: the version of the source to copy. The target may then be the source itself, which restores
                that version. Requires `copy_with_source_version`.
            chunk: bytes per range, where an object is copied in ranges (a hint). By default the service chooses.
            concurrent: ranges in flight (a hint). By default the service chooses.
            source_content_length_hint: the expected size of the source in bytes (a hint), to choose the right way to
                copy without a request.

        Raises:
            NotFound: there is no such source.
            IsADirectory: one of the paths names a directory.
            IsSameFile: both are the same.
            ConditionNotMatch: a condition does not hold; the target is unchanged.
        """
        return self._run(self._inner.copy(source, target, **options))

    def copy_with(self, source: Path, target: Path) -> CopyCall:
        """The same as `copy`, described step by step: `op.copy_with(source, target).if_not_exists().run()`."""
        return CopyCall(
            self.copy,
            "copy_with",
            (
                source,
                target,
            ),
        )

    def copy_to(self, other: BlockingOperator, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Copied:
        """Copies an object of this storage into another one, over what is at the target. Both may be one.

        Where both operators are of one store and have equal layers, and the store can, it makes the copy
        itself. Else the object is streamed through here: read in chunks, which cannot be of two contents, and
        written as it comes. Requires `read` here and `write` there. When it fails or is interrupted, nothing of it is
        left.

        Arguments:
            other: the operator of the target.
            source: the object to copy.
            target: its new path there. Directories above it are made where the storage has such.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `write_with_if_not_exists` there.
            if_match: succeed only if the target has this etag. Requires `write_with_if_match` there.
            source_version: the version of the source to copy. The target may then be the source itself, which restores
                that version. Requires `read_with_version` here.
            chunk: bytes per range, where an object is copied in ranges (a hint). By default the service chooses.
            concurrent: ranges in flight (a hint). By default the service chooses.
            source_content_length_hint: the expected size of the source in bytes (a hint), to choose the right way to
                copy without a request.

        Returns:
            What the target's storage says of the new object, what of the source's content headers and user
            metadata it cannot keep, and whether the storage made the copy itself.

        Raises:
            NotFound: there is no such source.
            IsADirectory: one of the paths names a directory.
            IsSameFile: both are one object, and no version is given.
            ConditionNotMatch: a condition does not hold, or the source changed meanwhile; the target is unchanged.
        """
        return self._run_beside("copy_to", other, lambda one, two: one.copy_to(two, source, target, **options))

    def copy_to_with(self, other: BlockingOperator, source: Path, target: Path) -> CopyToCall:
        """The same as `copy_to`, described step by step: `op.copy_to_with(other, source, target).chunk(n).run()`."""
        return CopyToCall(
            self.copy_to,
            "copy_to_with",
            (
                other,
                source,
                target,
            ),
        )

    def rename(self, source: Path, target: Path, **options: Unpack[RenameOptions]) -> None:
        """Moves an object within the storage, over what is at the target. Requires `rename`.

        Arguments:
            source: the object to move.
            target: its new path. Directories above it are made where the storage has such.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `rename_with_if_not_exists`.

        Raises:
            NotFound: there is no such source.
            IsADirectory: one of the paths names a directory.
            IsSameFile: both are the same.
            ConditionNotMatch: the condition does not hold; both objects are unchanged.
        """
        self._run(self._inner.rename(source, target, **options))

    def rename_with(self, source: Path, target: Path) -> RenameCall:
        """The same as `rename`, described step by step: `op.rename_with(source, target).if_not_exists().run()`."""
        return RenameCall(
            self.rename,
            "rename_with",
            (
                source,
                target,
            ),
        )

    def create_dir(self, path: Path) -> None:
        """Makes a directory and those above it; one that exists is left as it is. Requires `create_dir`.

        Arguments:
            path: the directory, with a trailing slash.

        Raises:
            NotADirectory: the path has no trailing slash, or leads through a file.
        """
        self._run(self._inner.create_dir(path))

    def presign_read(self, path: Path, expires: Expires, **options: Unpack[PresignReadOptions]) -> PresignedRequest:
        """A request that reads the object, for whoever it is given to. Requires `presign_read`.

        It is made without asking the storage: whether there is such an object shows when it is sent. Who has it
        can use it until it expires, as often as they like.

        Arguments:
            path: the object.
            expires: for how long it shall hold: a `timedelta`, or whole seconds; from 1 second to 7 days.
            options: those of `read` that are no hints, signed with it. A condition and `range` are headers of the
                request, and `override_*` and `version` are in its URL. Each requires what it requires of `read`.

        Raises:
            InvalidInput: `expires` cannot work, or the range is empty.
            IsADirectory: the path names a directory.
        """
        return self._run(self._inner.presign_read(path, expires, **options))

    def presign_read_with(self, path: Path, expires: Expires) -> PresignReadCall:
        """The same as `presign_read`, described step by step: `op.presign_read_with(path, 60).range(0, 8).run()`."""
        return PresignReadCall(
            self.presign_read,
            "presign_read_with",
            (
                path,
                expires,
            ),
        )

    def presign_stat(self, path: Path, expires: Expires, **options: Unpack[PresignStatOptions]) -> PresignedRequest:
        """A request that asks about the object, and whose reply has headers alone. Requires `presign_stat`.

        Arguments and errors are those of `presign_read`, and options those of `stat`.
        """
        return self._run(self._inner.presign_stat(path, expires, **options))

    def presign_stat_with(self, path: Path, expires: Expires) -> PresignStatCall:
        """The same as `presign_stat`, described step by step: `op.presign_stat_with(path, 60).version(v).run()`."""
        return PresignStatCall(
            self.presign_stat,
            "presign_stat_with",
            (
                path,
                expires,
            ),
        )

    def presign_write(self, path: Path, expires: Expires, **options: Unpack[PresignWriteOptions]) -> PresignedRequest:
        """A request that replaces the object by the content that it is sent with. Requires `presign_write`.

        What the content may be is not signed. Until it expires the object can be replaced again and again, unless
        `if_not_exists` or `if_match` is signed with it.

        Arguments:
            path: the object.
            expires: for how long it shall hold, as of `presign_read`.
            options: those of `write` but for `append` and its hints; they are headers of the request. Each requires
                what it requires of `write`.

        Raises:
            InvalidInput: `expires` cannot work, or what is to be stored cannot be a header.
            IsADirectory: the path names a directory.
        """
        return self._run(self._inner.presign_write(path, expires, **options))

    def presign_write_with(self, path: Path, expires: Expires) -> PresignWriteCall:
        """The same as `presign_write`, described step by step: `op.presign_write_with(path, 60).if_match(e).run()`."""
        return PresignWriteCall(
            self.presign_write,
            "presign_write_with",
            (
                path,
                expires,
            ),
        )

    def presign_delete(self, path: Path, expires: Expires, **options: Unpack[PresignDeleteOptions]) -> PresignedRequest:
        """A request that deletes the object. Requires `presign_delete`.

        Arguments and errors are those of `presign_read`; the only option is `version`, as of `delete`.
        """
        return self._run(self._inner.presign_delete(path, expires, **options))

    def presign_delete_with(self, path: Path, expires: Expires) -> PresignDeleteCall:
        """The same as `presign_delete`, described step by step: `op.presign_delete_with(path, 60).version(v).run()`."""
        return PresignDeleteCall(
            self.presign_delete,
            "presign_delete_with",
            (
                path,
                expires,
            ),
        )

    def list_uploads(self, path: Path = "/", *, older_than: timedelta | None = None) -> Uploads:
        """The uploads in parts that were begun, and neither completed nor aborted. Requires `list_uploads`.

        Those of writers that are at work are among them, here or elsewhere.

        Arguments:
            path: which: of objects whose path begins with this. By default all.
            older_than: only those begun longer ago than this, by the clock of the storage. By default all.

        Raises:
            PermissionDenied: the storage refuses.
        """
        return self._run(self._inner.list_uploads(path, older_than=older_than))

    def abort_uploads(self, path: Path, *, older_than: timedelta, concurrent: int = ABORT_CONCURRENT) -> Uploads:
        """Aborts uploads in parts that nobody will complete, and returns them. Requires `abort_upload`.

        Whoever still writes one that is aborted fails, so `older_than` should be longer than any upload takes. What
        is younger is never touched.

        Arguments:
            path: which: of objects whose path begins with this; `"/"` is all.
            older_than: only those begun longer ago than this, by the clock of the storage.
            concurrent: how many requests may be in flight.

        Raises:
            DeletionsFailed: some could not be aborted; its `failures` are the error of each. The others were.
            PermissionDenied: the storage refuses.
        """
        return self._run(self._inner.abort_uploads(path, older_than=older_than, concurrent=concurrent))

    def close(self) -> None:
        """Closes the connections of this operator now. The operator can still be used: it makes new ones.

        They close by themselves when the interpreter ends. A transport that was passed in is left alone.
        """
        self._run(self._inner.close())
