"""`BlockingOperator`: the operations of one storage, without `await`.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

from entrepot.facade.operations import Entries, Found, Uploads
from entrepot.facade.operator import ABORT_CONCURRENT, DELETE_CONCURRENT, STAT_CONCURRENT
from entrepot.facade.options import Expires, Path
from entrepot.facade.sources import BlockingSource
from entrepot.types import Copied, Entry, Metadata, Part, PresignedRequest, TreeReport, Usage
from entrepot.types.transfers import ReportProgress

from .base import BlockingBase
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
from .writer import BlockingWriter

if TYPE_CHECKING:
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
    from entrepot.facade.tree_keywords import SyncOptions, TreeOptions


class BlockingOperator(BlockingBase):
    """Access to one storage without `await`. Immutable, cheap to make, and safe to share between threads.

    Made by `Operator.blocking`. Each method does and raises the same as the method of that name of `Operator`, in two
    spellings: `op.read(path, range=(0, 8))` and `op.read_with(path).range(0, 8).run()`.

    It also works in a thread that runs an event loop, and blocks that loop during each call.
    """

    def read(self, path: Path, **options: Unpack[ReaderOptions]) -> bytes:
        """Reads an object, or a range of it. Requires `read`.

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
            read_ahead: the most bytes that a reader requests ahead (a hint); 0 requests only the bytes that are read.
                By default a reader that never seeks makes one request, and after a seek it requests ahead as long as it
                continues to read.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
            RangeNotSatisfied: the range starts past the end of the object.
            ConditionNotMatch: a condition does not hold.
        """
        side = self._side("read", options)
        return side.run(side.operator.read(path, **options))

    def read_text(
        self, path: Path, *, encoding: str = "utf-8", errors: str = "strict", **options: Unpack[ReaderOptions]
    ) -> str:
        """Reads an object, or a range of it, as text. It is `read`, decoded; line ends stay as they are.

        Arguments:
            path: the object.
            encoding: the encoding of the text. By default UTF-8, whatever the locale.
            errors: what is done with bytes that are not text, as in `bytes.decode`. By default an error.
            options: see `read`.

        Raises:
            UnicodeDecodeError: the object is not text in this encoding.
        """
        side = self._side("read_text", options)
        return side.run(side.operator.read_text(path, encoding=encoding, errors=errors, **options))

    def read_with_metadata(self, path: Path, **options: Unpack[ReaderOptions]) -> tuple[bytes, Metadata]:
        """Reads an object, or a range of it, and its metadata, which is of the same content. Requires `read`.

        It is one request where the storage describes an object in the response to a read, as most do; otherwise a
        `stat` follows. A field that the response to a read lacks may be None although `stat` has it.

        With the etag a changed object can be stored only if no one else has changed it:
        `write(path, data, if_match=metadata.etag)`.

        Arguments:
            path: the object.
            options: see `read`.

        Returns:
            The bytes of the range, and the metadata of the whole object.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
            RangeNotSatisfied: the range starts past the end of the object.
            ConditionNotMatch: a condition does not hold, or the object changed before the `stat`.
        """
        side = self._side("read_with_metadata", options)
        return side.run(side.operator.read_with_metadata(path, **options))

    def read_with(self, path: Path) -> ReadCall:
        """The step-by-step form of `read`: `op.read_with(path).range(0, 8).run()`."""
        return ReadCall(self.read, "read_with", (path,))

    def reader(self, path: Path, **options: Unpack[ReaderOptions]) -> BlockingReader:
        """Opens a `BlockingReader` over an object or a range of it. Opening does no I/O; its first use does.

        Enter it with `with`, or iterate it by chunks with `for`.
        The options are the same as for `read`.
        """
        side = self._side("reader", options)
        return BlockingReader(
            self._opened(side, side.operator.reader(path, **options)), side.runner, self._overlapping.runner
        )

    def reader_with(self, path: Path) -> ReaderCall:
        """The step-by-step form of `reader`: `for chunk in op.reader_with(path).chunk(n)`."""
        return ReaderCall(self.reader, "reader_with", (path,))

    def stat(self, path: Path, **options: Unpack[StatOptions]) -> Metadata:
        """Returns the metadata of an object or a directory. Requires `stat`.

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
            NotFound: the object or directory does not exist.
            ConditionNotMatch: a condition does not hold.
        """
        return self._run(self._inner.stat(path, **options))

    def stat_with(self, path: Path) -> StatCall:
        """The step-by-step form of `stat`: `op.stat_with(path).if_match(etag).run()`."""
        return StatCall(self.stat, "stat_with", (path,))

    def stat_many(self, paths: Iterable[Path | Entry], *, concurrent: int = STAT_CONCURRENT) -> Found:
        """Returns the metadata of many paths, in their order: None for each path where nothing exists. Requires `stat`.

        Arguments:
            paths: paths, or entries of a listing, in any iterable. For an entry with a version, it is
                that version.
            concurrent: requests in flight. By default 8.

        Raises:
            PermissionDenied: the storage refuses one of the requests. This or any other error ends the call, and its
                `path` says which path it is about.
            InvalidInput: an item is not a path.
        """
        side = self._overlapping
        return side.run(side.operator.stat_many(self._bring("stat_many", "/", paths), concurrent=concurrent))

    def exists(self, path: Path) -> bool:
        """Whether the object or directory exists. Errors other than its absence are raised. Requires `stat`."""
        return self._run(self._inner.exists(path))

    def check(self) -> None:
        """Checks that the storage can be used. Raises, for example, if the bucket or the permission is missing.

        It requests the first entry of the root. Where the service lacks `list`, it reads one byte of an object that
        need not exist.

        Raises:
            PermissionDenied: the storage refuses the credentials.
            Unexpected: the storage cannot be reached, or its response makes no sense.
        """
        self._run(self._inner.check())

    def write(self, path: Path, data: BlockingSource, **options: Unpack[WriterOptions]) -> Metadata:
        """Replaces an object, all or nothing, and returns its metadata. Requires `write`.

        Missing parent directories are made where the storage has directories. When the call fails or is interrupted,
        the object is unchanged, unless it was just being published.

        Arguments:
            path: the object.
            data: the new content: `bytes`, or any contiguous object with the buffer protocol. It is streamed from an
                iterable of bytes, from the `pathlib.Path` of a local file, or from
                an open binary file from its position on. The file stays open.
            append: add the data to the end of the object, which need not exist. By default False. Requires
                `write_with_append`.
            content_type: the media type to store. Requires `write_with_content_type`.
            content_disposition: the Content-Disposition to store, which says how a browser presents the object.
                Requires `write_with_content_disposition`.
            content_encoding: the encodings of the data, such as `"gzip"`, to store. The data itself is stored as it is.
                Requires `write_with_content_encoding`.
            content_language: the languages of the content, such as `"de, en"`, to store. Requires
                `write_with_content_language`.
            cache_control: the Cache-Control to store, which says how long caches may keep the object. Requires
                `write_with_cache_control`.
            user_metadata: names and values to store with the object. Names are stored in lower case. Requires
                `write_with_user_metadata`.
            tags: names and values to attach to the object. Unlike user metadata they can be replaced later
                (`set_tags`), and rules of the storage can refer to them. Requires `write_with_tags`.
            storage_class: the storage class, by the name that the storage has for it, such as `"STANDARD_IA"`. Requires
                `write_with_storage_class`.
            acl: the predefined access control, by the name that the storage has for it, such as `"public-read"`.
                Requires `write_with_acl`.
            retain_until: the time until which the storage refuses to delete or replace this version, with a time zone.
                Requires `write_with_retain_until`.
            legal_hold: let the storage refuse to delete or replace this version until the hold is removed. By default
                False. Requires `write_with_legal_hold`.
            if_match: succeed only if the object has this etag. Requires `write_with_if_match`.
            if_none_match: succeed only if the object has another etag, or does not exist. Requires
                `write_with_if_none_match`.
            if_not_exists: succeed only if the object does not exist. By default False. Requires
                `write_with_if_not_exists`.
            chunk: bytes per part (a hint). Later parts are larger where the object would need more parts than the
                service takes. By default the service chooses.
            concurrent: parts in flight (a hint). By default the service chooses.
            content_length_hint: the expected size of the data in bytes (a hint), so that all parts of a large object
                have one size. By default the size of bytes and of local files.

        Raises:
            InvalidInput: `data` is not bytes, is larger than the service allows, or is a file in text mode.
            IsADirectory: the path names a directory.
            ConditionNotMatch: a condition does not hold.
            PermissionDenied: the storage refuses the write.
            StorageFull: the storage has no space left.
        """
        content = self._bring_data("write", path, data)
        side = self._side("write", options, content)
        return side.run(side.operator.write(path, content, **options))

    def write_text(
        self,
        path: Path,
        text: str,
        *,
        encoding: str = "utf-8",
        errors: str = "strict",
        **options: Unpack[WriterOptions],
    ) -> Metadata:
        """Replaces an object by text, and returns its metadata. It is `write` of the encoded text.

        Arguments:
            path: the object.
            text: the text. Line ends stay as they are.
            encoding: the encoding. By default UTF-8, whatever the locale.
            errors: what is done with characters that the encoding lacks, as in `str.encode`. By default an error.
            options: see `write`.

        Raises:
            InvalidInput: `text` is not text.
            UnicodeEncodeError: the text has characters that the encoding lacks.
        """
        side = self._side("write_text", options, text)
        return side.run(side.operator.write_text(path, text, encoding=encoding, errors=errors, **options))

    def write_with(self, path: Path, data: BlockingSource) -> WriteCall:
        """The step-by-step form of `write`: `op.write_with(path, data).if_not_exists().run()`."""
        return WriteCall(
            self.write,
            "write_with",
            (
                path,
                data,
            ),
        )

    def writer(self, path: Path, **options: Unpack[WriterOptions]) -> BlockingWriter:
        """Opens a `BlockingWriter` of an object, which appears when the writer is closed. Opening does no I/O.

        Enter it: `with op.writer(path) as writer`. The options are
        the same as for `write`.
        """
        side = self._overlapping
        return BlockingWriter(self._opened(side, side.operator.writer(path, **options)), side.runner)

    def writer_with(self, path: Path) -> WriterCall:
        """The step-by-step form of `writer`: `with op.writer_with(path).chunk(n) as writer`."""
        return WriterCall(self.writer, "writer_with", (path,))

    def delete(self, path: Path, **options: Unpack[DeleteOptions]) -> None:
        """Deletes an object or an empty directory. Deleting a missing one succeeds. Requires `delete`.

        Arguments:
            path: the object; with a trailing slash, the directory.
            version: delete this version, permanently. By default the object is deleted, and its older versions stay.
                Requires `delete_with_version`.
            if_match: succeed only if the object has this etag. Requires `delete_with_if_match`.
            recursive: delete everything under the path as well. For `"a/"` that is the directory with its contents, but
                not an object `a`; for `"a"` that object too. Neither deletes `ab`. By default False. Requires
                `delete_with_recursive`.

        Raises:
            IsADirectory: the directory is not empty, and the deletion is not recursive.
            PermissionDenied: the storage refuses the deletion.
            DeletionsFailed: some deletions of a recursive one failed; all others were made.
        """
        side = self._side("delete", options)
        side.run(side.operator.delete(path, **options))

    def delete_with(self, path: Path) -> DeleteCall:
        """The step-by-step form of `delete`: `op.delete_with(path).recursive().run()`."""
        return DeleteCall(self.delete, "delete_with", (path,))

    def delete_many(self, paths: Iterable[Path | Entry], *, concurrent: int = DELETE_CONCURRENT) -> None:
        """Deletes many objects, in batches as large as the service allows. Requires `delete`.

        Directories are deleted last, the deepest first, so that the paths may come in any order.

        Arguments:
            paths: paths, or entries of a listing, in any iterable, such as
                `op.lister("a/", recursive=True)`. For an entry with a version, that version is deleted permanently.
                For a deletion mark, which a listing with `deleted=True` yields, that restores the object.
            concurrent: batches in flight. By default 8.

        Raises:
            DeletionsFailed: some deletions failed; `failures` has the error of each. All others were made.
            InvalidInput: an item is not a path. If it came from an iterator, earlier items may have been deleted.
        """
        side = self._overlapping
        side.run(side.operator.delete_many(self._bring("delete_many", "/", paths), concurrent=concurrent))

    def list(self, path: Path, **options: Unpack[ListerOptions]) -> Entries:
        """Returns all entries of a listing. Requires `list`.

        A path with a trailing slash lists a directory, including the directory itself; `"/"` is the root. Any other
        path lists all paths that start with it: `"a/b"` lists `a/b`, `a/bc` and `a/b/`. A listing of a missing path is
        empty. The storage determines the order.

        Arguments:
            path: the directory or the prefix.
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
            PermissionDenied: the storage refuses the listing.
        """
        return self._run(self._inner.list(path, **options))

    def list_with(self, path: Path) -> ListCall:
        """The step-by-step form of `list`: `op.list_with(path).recursive().run()`."""
        return ListCall(self.list, "list_with", (path,))

    def lister(self, path: Path, **options: Unpack[ListerOptions]) -> BlockingLister:
        """Opens a `BlockingLister`, which yields the entries of a listing page by page. Opening does no I/O.

        Enter it with `with`, or iterate it with `for`. The options are
        the same as for `list`.
        """
        side = self._overlapping
        return BlockingLister(self._opened(side, side.operator.lister(path, **options)), side.runner)

    def lister_with(self, path: Path) -> ListerCall:
        """The step-by-step form of `lister`: `for entry in op.lister_with(path).recursive()`."""
        return ListerCall(self.lister, "lister_with", (path,))

    def copy(self, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Metadata:
        """Copies an object within the storage and returns the metadata of the copy. Requires `copy`.

        An existing target is replaced.

        Arguments:
            source: the object to copy.
            target: the path of the copy. Missing parent directories are made where the storage has directories.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `copy_with_if_not_exists`.
            if_match: succeed only if the target has this etag. Requires `copy_with_if_match`.
            source_version: the version of the source to copy. The target may then be the source itself, which restores
                that version. Requires `copy_with_source_version`.
            content_type: the media type of the target. By default this and the next five are the source's. Requires
                `copy_with_content_type`.
            content_disposition: the Content-Disposition of the target. Requires `copy_with_content_disposition`.
            content_encoding: the encodings of the content, such as `"gzip"`, to state for the target. Requires
                `copy_with_content_encoding`.
            content_language: the languages of the content, such as `"de, en"`, to state for the target. Requires
                `copy_with_content_language`.
            cache_control: the Cache-Control of the target. Requires `copy_with_cache_control`.
            user_metadata: the user metadata of the target, in the place of all of the source's. With one of these six,
                or with `storage_class`, the target may be the source itself, which is then changed in place. Requires
                `copy_with_user_metadata`.
            tags: the tags of the target, in the place of all of the source's. By default the storage decides. Requires
                `copy_with_tags`.
            storage_class: the storage class of the target, by the name that the storage has for it. By default the one
                of new objects. Requires `copy_with_storage_class`.
            acl: the predefined access control of the target, by the name that the storage has for it. The source's is
                not copied: by default the target has the one of new objects. Requires `copy_with_acl`.
            chunk: bytes per range, where an object is copied in ranges (a hint). By default the service chooses.
            concurrent: ranges in flight (a hint). By default the service chooses.
            source_content_length_hint: the expected size of the source in bytes (a hint), to choose the right way to
                copy without a request.

        Raises:
            NotFound: the source does not exist.
            IsADirectory: one of the paths names a directory.
            IsSameFile: source and target are the same, and neither a version nor other metadata is given.
            ConditionNotMatch: a condition does not hold; the target is unchanged.
        """
        side = self._overlapping
        return side.run(side.operator.copy(source, target, **options))

    def copy_with(self, source: Path, target: Path) -> CopyCall:
        """The step-by-step form of `copy`: `op.copy_with(source, target).if_not_exists().run()`."""
        return CopyCall(
            self.copy,
            "copy_with",
            (
                source,
                target,
            ),
        )

    def copy_to(
        self,
        other: BlockingOperator,
        source: Path,
        target: Path,
        *,
        progress: ReportProgress | None = None,
        **options: Unpack[CopyOptions],
    ) -> Copied:
        """Copies an object from this storage to another one, or within one. Requires `read` here and `write` there.

        An existing target is replaced. If both operators use the same store with equal layers, and the store supports
        the copy, the store makes it. Otherwise the object is streamed through this process: read in chunks that are
        all of one content, and written as they arrive, by default 4 requests of 8 MiB at a time; `chunk` and
        `concurrent` apply to reading and to writing. When the call fails or is interrupted, the target is unchanged.

        Arguments:
            other: the operator of the target.
            source: the object to copy.
            target: the path of the copy. Missing parent directories are made where the storage has directories.
            progress: a function that is called after each piece with a `Progress`. What it raises
                ends the copy.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `write_with_if_not_exists` there.
            if_match: succeed only if the target has this etag. Requires `write_with_if_match` there.
            source_version: the version of the source to copy. The target may then be the source itself, which restores
                that version. Requires `read_with_version` here.
            content_type: the media type of the target. By default this and the next five are the source's. Requires
                `write_with_content_type` there.
            content_disposition: the Content-Disposition of the target. Requires `write_with_content_disposition` there.
            content_encoding: the encodings of the content, such as `"gzip"`, to state for the target. Requires
                `write_with_content_encoding` there.
            content_language: the languages of the content, such as `"de, en"`, to state for the target. Requires
                `write_with_content_language` there.
            cache_control: the Cache-Control of the target. Requires `write_with_cache_control` there.
            user_metadata: the user metadata of the target, in the place of all of the source's. With one of these six,
                or with `storage_class`, the target may be the source itself, which is then changed in place. Requires
                `write_with_user_metadata` there.
            tags: the tags of the target, in the place of all of the source's. By default the storage decides. Requires
                `write_with_tags` there.
            storage_class: the storage class of the target, by the name that the storage has for it. By default the one
                of new objects. Requires `write_with_storage_class` there.
            acl: the predefined access control of the target, by the name that the storage has for it. The source's is
                not copied: by default the target has the one of new objects. Requires `write_with_acl` there.
            chunk: bytes per range, where an object is copied in ranges (a hint). By default the service chooses.
            concurrent: ranges in flight (a hint). By default the service chooses.
            source_content_length_hint: the expected size of the source in bytes (a hint), to choose the right way to
                copy without a request.

        Returns:
            The metadata of the new object, the names of the source's content headers and user metadata that the target
            cannot store, and whether the store made the copy.

        Raises:
            NotFound: the source does not exist.
            IsADirectory: one of the paths names a directory.
            IsSameFile: source and target are the same object, and neither a version nor other metadata is given.
            ConditionNotMatch: a condition does not hold, or the source changed during the copy; the target is
                unchanged.
        """
        return self._run_beside(
            "copy_to",
            other,
            lambda operator, target_operator: operator.copy_to(
                target_operator, source, target, progress=progress, **options
            ),
        )

    def copy_to_with(self, other: BlockingOperator, source: Path, target: Path) -> CopyToCall:
        """The step-by-step form of `copy_to`: `op.copy_to_with(other, source, target).chunk(n).run()`."""
        return CopyToCall(
            self.copy_to,
            "copy_to_with",
            (
                other,
                source,
                target,
            ),
        )

    def has_same_content(self, other: BlockingOperator, path: Path, other_path: Path | None = None) -> bool:
        """Returns whether an object has the same bytes as one of another operator, or of this one. Requires `read`.

        Both are read, piece by piece and up to the first difference. Metadata is not compared.

        Arguments:
            other: the operator of the other object.
            path: the object here.
            other_path: the object there. By default the same path.

        Raises:
            NotFound: one of them does not exist.
            IsADirectory: one of the paths names a directory.
        """
        return self._run_beside(
            "has_same_content",
            other,
            lambda operator, target_operator: operator.has_same_content(target_operator, path, other_path),
        )

    def download(
        self,
        path: Path,
        local: Path,
        *,
        resume: bool = False,
        progress: ReportProgress | None = None,
        **options: Unpack[CopyOptions],
    ) -> Metadata:
        """Copies an object to a local file, all or nothing, and returns the metadata of the file. Requires `read`.

        It is `copy_to` into the directory of the file: read in chunks that are all of one content, and visible only
        when it is complete. An existing file is replaced, and missing directories are made.

        Arguments:
            path: the object.
            local: the file.
            resume: keep what has arrived of a download that fails, in a hidden file beside `local`, and go on from
                there the next time, if the object is still the same. By default False. Requires a version or a strong
                etag of the storage; without one the download starts again. The file has no user metadata then.
            progress: a function that is called after each piece with a `Progress`. What it raises
                ends the download.
            options: see `copy_to`.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: one of the paths names a directory.
            ConditionNotMatch: the object changed during the download.
        """
        side = self._overlapping
        return side.run(side.operator.download(path, local, resume=resume, progress=progress, **options))

    def upload(
        self, local: Path, path: Path, *, progress: ReportProgress | None = None, **options: Unpack[WriterOptions]
    ) -> Metadata:
        """Stores a local file as an object, all or nothing, and returns its metadata. Requires `write`.

        It is `write` with the blocks of the file.

        Arguments:
            local: the file.
            path: the object.
            progress: a function that is called after each block with a `Progress`. What it raises
                ends the upload.
            options: see `write`.

        Raises:
            NotFound: the file does not exist.
            IsADirectory: one of the paths names a directory.
        """
        side = self._overlapping
        return side.run(side.operator.upload(local, path, progress=progress, **options))

    def download_tree(self, path: Path, local: Path, **options: Unpack[TreeOptions]) -> TreeReport:
        """Copies all files below a directory to a local directory. Requires `read` and `list`.

        The arguments but `local` and the errors are those of `copy_tree`. An object whose name the file system cannot
        hold, or that would lead out of the directory, fails; the others are copied.

        Arguments:
            path: the directory; `"/"` is all.
            local: the local directory, which is made if it is missing.
        """
        side = self._overlapping
        return side.run(side.operator.download_tree(path, local, **options))

    def upload_tree(self, local: Path, path: Path, **options: Unpack[TreeOptions]) -> TreeReport:
        """Copies all files below a local directory. Requires `write`, and `list` with `skip_same`.

        The arguments but `local` and the errors are those of `copy_tree`. A symbolic link to a file is followed within
        the directory, and one to a directory is not entered. A link that leads out of the directory or to nothing, a
        FIFO, a socket and a device fail.

        Arguments:
            local: the local directory.
            path: the directory of the copies; `"/"` is the root.
        """
        side = self._overlapping
        return side.run(side.operator.upload_tree(local, path, **options))

    def copy_tree(
        self, other: BlockingOperator, source: Path = "/", target: Path | None = None, **options: Unpack[TreeOptions]
    ) -> TreeReport:
        """Copies all files below a directory to another operator, or within one. Each copy is made as by `copy_to`.

        Requires `read` and `list` here, and `write` there. Existing files are replaced, and other files of the target
        stay. Directories without files are not copied. Files that fail do not stop the others.

        Arguments:
            other: the operator of the target.
            source: the directory to copy. By default all.
            target: the directory of the copies. By default the same path.
            include: patterns of files, as of `glob` and relative to the directory, of which one must match. A pattern
                without any slash is compared with the name of the file at any depth. By default every
                file.
            exclude: patterns of files to leave out.
            choose: a function that returns whether a file of these is copied: it receives its `Entry`, with what the
                listing says of its size and time. By default every one is.
            skip_same: leave out files that the target has already: of the same size, and no older or with the same MD5
                as their etag. By default False. The target is listed first. A transfer that was interrupted goes on
                this way.
            compare: what `skip_same` compares. By default `"time"`, as above; `"size"` the sizes alone; `"update"` the
                times alone; `"content"` every byte, for which both files are read; `"name"` nothing, so that no file of
                the target is replaced.
            concurrent: files in flight. By default 8, each with 2 requests of 8 MiB.
            dry_run: copy and delete nothing, and report what would be done. By default False.
            progress: a function that is called after each piece with a `Progress`. What it raises
                ends the transfer.
            on_file: a function that is called once for each file with a `TreeStep`. What it raises
                ends the transfer.
            copy_options: the options of each copy, as of `copy_to`: `{"content_type": "text/plain"}`. By default none.

        Raises:
            NotFound: the directory does not exist.
            TransfersFailed: some files failed, or some are missing in the listing; `failures` has the error of each
                file or directory, and `report` the rest. If a storage refuses the credentials for several files in a
                row, the others are not tried.
            InvalidInput: the target is in the source, a pattern is invalid, or an option of a copy is for one object.
            Unsupported: the target lacks an option of a copy.
        """
        return self._run_beside(
            "copy_tree",
            other,
            lambda operator, target_operator: operator.copy_tree(target_operator, source, target, **options),
        )

    def sync(
        self, other: BlockingOperator, source: Path = "/", target: Path | None = None, **options: Unpack[SyncOptions]
    ) -> TreeReport:
        """Brings a directory of another operator up to date. It is `copy_tree` with `skip_same`.

        Arguments:
            other: the operator of the target.
            source: the directory to copy. By default all.
            target: the directory of the copies. By default the same path.
            delete: delete the files of the target that the source lacks, if `include` and `exclude` choose them. By
                default False. They are deleted last, and only if every copy was successful. A source without
                files deletes nothing: a mistyped or unmounted one looks the same.
            include: see `copy_tree`.
            exclude: see `copy_tree`. Files that are left out are not deleted.
            choose: see `copy_tree`. It chooses the files to delete as well, by their entries in the target.
            compare: see `copy_tree`.
            concurrent: see `copy_tree`.
            dry_run: see `copy_tree`.
            progress: see `copy_tree`.
            on_file: see `copy_tree`.
            copy_options: see `copy_tree`.

        Raises:
            NotFound: the directory does not exist; or `delete` is True, `include` and `exclude` choose no file of it,
                and files of the target would be deleted.
            TransfersFailed: some files failed, or some are missing in the listing; `failures` has the error of each
                file or directory, and `report` the rest. If a storage refuses the credentials for several files in a
                row, the others are not tried.
            DeletionsFailed: all copies were made, and some deletions failed. What the target's listing lacks is in it.
            InvalidInput: the target is in the source, the source is in the target and `delete` is True, or a pattern is
                invalid.
        """
        return self._run_beside(
            "sync", other, lambda operator, target_operator: operator.sync(target_operator, source, target, **options)
        )

    def remove_tree(self, path: Path) -> None:
        """Deletes a directory and everything in it. Requires `delete_with_recursive` and `stat`.

        Unlike `delete` with `recursive`, it raises if there is no such directory, and never deletes an object of the
        same name.

        Arguments:
            path: the directory, with or without a trailing slash.

        Raises:
            NotFound: the directory does not exist.
            DeletionsFailed: some deletions failed; all others were made.
        """
        side = self._overlapping
        side.run(side.operator.remove_tree(path))

    def glob(self, pattern: Path) -> BlockingLister:
        """Opens a `BlockingLister` of the files whose paths match a pattern. Opening does no I/O. Requires `list`.

        Enter it with `with`, or iterate it with `for`.

        `*` matches any characters of a name, `?` one, `[ab]` and `[a-z]` one of these and `[!ab]` one other; `**`
        between slashes is any number of directories. With a slash at its end a pattern matches directories. Only the
        directories that may have matches are listed, and from a `**` on all is listed once.

        Arguments:
            pattern: the pattern, such as `"logs/2026-*/**/*.json"`.

        Raises:
            InvalidInput: the pattern is empty, has `**` beside other characters of a name, or has a range that ends
                before its start.
        """
        side = self._overlapping
        return BlockingLister(self._opened(side, side.operator.glob(pattern)), side.runner)

    def du(self, path: Path = "/") -> Usage:
        """Returns the size of all files below a directory, and their number. Requires `list`.

        Arguments:
            path: the directory, with or without a trailing slash. By default all.

        Raises:
            NotFound: the directory does not exist.
        """
        side = self._overlapping
        return side.run(side.operator.du(path))

    def rename(self, source: Path, target: Path, **options: Unpack[RenameOptions]) -> None:
        """Moves an object within the storage. An existing target is replaced. Requires `rename`.

        Arguments:
            source: the object to move.
            target: its new path. Missing parent directories are made where the storage has directories.
            if_not_exists: succeed only if the target does not exist. By default False. Requires
                `rename_with_if_not_exists`.

        Raises:
            NotFound: the source does not exist.
            IsADirectory: one of the paths names a directory.
            IsSameFile: source and target are the same.
            ConditionNotMatch: the condition does not hold; both objects are unchanged.
        """
        side = self._overlapping
        side.run(side.operator.rename(source, target, **options))

    def rename_with(self, source: Path, target: Path) -> RenameCall:
        """The step-by-step form of `rename`: `op.rename_with(source, target).if_not_exists().run()`."""
        return RenameCall(
            self.rename,
            "rename_with",
            (
                source,
                target,
            ),
        )

    def create_dir(self, path: Path) -> None:
        """Makes a directory and its missing parents. An existing directory is unchanged. Requires `create_dir`.

        Arguments:
            path: the directory, with a trailing slash.

        Raises:
            NotADirectory: the path has no trailing slash, or leads through a file.
        """
        self._run(self._inner.create_dir(path))

    def presign_read(self, path: Path, expires: Expires, **options: Unpack[PresignReadOptions]) -> PresignedRequest:
        """Returns a signed request that reads the object without further credentials. Requires `presign_read`.

        It is made without I/O, so a missing object is noticed only when the request is sent. Any client that has the
        request can send it, any number of times, until it expires.

        Arguments:
            path: the object.
            expires: how long the request is valid: a `timedelta`, or whole seconds; from 1 second to 7 days.
            options: the options of `read` except its hints; they are signed. Conditions and `range` are headers of the
                request; `override_*` and `version` are in its URL. They require the same capabilities as for `read`.

        Raises:
            InvalidInput: `expires` is invalid, or the range is empty.
            IsADirectory: the path names a directory.
        """
        return self._run(self._inner.presign_read(path, expires, **options))

    def presign_read_with(self, path: Path, expires: Expires) -> PresignReadCall:
        """The step-by-step form of `presign_read`: `op.presign_read_with(path, 60).range(0, 8).run()`."""
        return PresignReadCall(
            self.presign_read,
            "presign_read_with",
            (
                path,
                expires,
            ),
        )

    def presign_stat(self, path: Path, expires: Expires, **options: Unpack[PresignStatOptions]) -> PresignedRequest:
        """Returns a signed request for the headers of the object, without its content. Requires `presign_stat`.

        Arguments and errors are the same as for `presign_read`, the options the same as for `stat`.
        """
        return self._run(self._inner.presign_stat(path, expires, **options))

    def presign_stat_with(self, path: Path, expires: Expires) -> PresignStatCall:
        """The step-by-step form of `presign_stat`: `op.presign_stat_with(path, 60).version(v).run()`."""
        return PresignStatCall(
            self.presign_stat,
            "presign_stat_with",
            (
                path,
                expires,
            ),
        )

    def presign_write(self, path: Path, expires: Expires, **options: Unpack[PresignWriteOptions]) -> PresignedRequest:
        """Returns a signed request that replaces the object by the content of the request. Requires `presign_write`.

        The content is not signed. Until the request expires, it can be sent again with other content, unless
        `if_not_exists` or `if_match` is signed as well.

        Arguments:
            path: the object.
            expires: how long the request is valid; see `presign_read`.
            options: the options of `write` except `append` and its hints; they are headers of the request. They require
                the same capabilities as for `write`.

        Raises:
            InvalidInput: `expires` is invalid, or a value does not fit into a header.
            IsADirectory: the path names a directory.
        """
        return self._run(self._inner.presign_write(path, expires, **options))

    def presign_write_with(self, path: Path, expires: Expires) -> PresignWriteCall:
        """The step-by-step form of `presign_write`: `op.presign_write_with(path, 60).if_match(e).run()`."""
        return PresignWriteCall(
            self.presign_write,
            "presign_write_with",
            (
                path,
                expires,
            ),
        )

    def presign_delete(self, path: Path, expires: Expires, **options: Unpack[PresignDeleteOptions]) -> PresignedRequest:
        """Returns a signed request that deletes the object. Requires `presign_delete`.

        Arguments and errors are the same as for `presign_read`. The only option is `version`; see `delete`.
        """
        return self._run(self._inner.presign_delete(path, expires, **options))

    def presign_delete_with(self, path: Path, expires: Expires) -> PresignDeleteCall:
        """The step-by-step form of `presign_delete`: `op.presign_delete_with(path, 60).version(v).run()`."""
        return PresignDeleteCall(
            self.presign_delete,
            "presign_delete_with",
            (
                path,
                expires,
            ),
        )

    def get_tags(self, path: Path, *, version: str | None = None) -> Mapping[str, str]:
        """Returns the tags of an object. Requires `get_tags`.

        They are set by the option `tags` of `write`, or by `set_tags`.

        Arguments:
            path: the object.
            version: the version of the object. By default the current one.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
        """
        return self._run(self._inner.get_tags(path, version=version))

    def set_tags(self, path: Path, tags: Mapping[str, str], *, version: str | None = None) -> None:
        """Replaces all tags of an object. Its content and its metadata stay. Requires `set_tags`.

        Arguments:
            path: the object.
            tags: names and values; an empty mapping removes all tags.
            version: the version of the object. By default the current one.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
        """
        self._run(self._inner.set_tags(path, tags, version=version))

    def presign_post(
        self,
        path: Path,
        expires: Expires,
        *,
        content_length: tuple[int, int] | None = None,
        content_type_prefix: str | None = None,
        **options: Unpack[PresignWriteOptions],
    ) -> PresignedRequest:
        """Returns a signed form by which a browser stores the object. Requires `presign_post`.

        The result has `fields`: they and the file are sent as multipart/form-data to its `url`. The storage refuses a
        file that the conditions do not allow.

        Arguments:
            path: the object. A directory, with a slash at the end, lets the sender choose the name below it: the fields
                have `${filename}` for it, which the storage replaces by the name of the sent file.
            expires: how long the form is valid; see `presign_read`.
            content_length: the fewest and the most bytes of the file. By default any number.
            content_type_prefix: the start of the media type, such as `"image/"`; the sender adds a field
                `Content-Type` with the whole. By default none can be stated; `content_type` sets a fixed one.
            options: what is stored with the object, as for `presign_write`. A form has no conditions on the object.

        Raises:
            InvalidInput: a value is invalid, or cannot be part of a form.
            Unsupported: the service has no forms.
        """
        return self._run(
            self._inner.presign_post(
                path, expires, content_length=content_length, content_type_prefix=content_type_prefix, **options
            )
        )

    def presign_part(self, path: Path, expires: Expires, upload: str, number: int) -> PresignedRequest:
        """Returns a signed request that sends one part of an upload. Requires `presign_part`.

        Who sends it keeps the ETag of the response, which the end of the upload needs.

        Arguments:
            path: the object of the upload.
            expires: how long the request is valid; see `presign_read`.
            upload: the id of the upload, such as `Upload.id`.
            number: the number of the part in the object, from 1.

        Raises:
            InvalidInput: a value is invalid.
            Unsupported: the service has no such requests.
        """
        return self._run(self._inner.presign_part(path, expires, upload, number))

    def start_upload(self, path: Path, **options: Unpack[WriterOptions]) -> str:
        """Starts an upload whose parts several processes send, and returns its id. Requires `shared_upload`.

        Any process with an operator of the same storage sends parts by `upload_part`, in any order and at the same
        time. The object appears at `complete_upload`. Until then, or `abort_upload`, the parts use storage.

        Arguments:
            path: the object.
            options: the metadata to store, as for `write`. Conditions and `append` are refused.

        Raises:
            InvalidInput: an option is invalid.
            IsADirectory: the path names a directory.
            Unsupported: the service has no such uploads.
        """
        side = self._overlapping
        return side.run(side.operator.start_upload(path, **options))

    def upload_part(self, path: Path, upload: str, number: int, data: bytes | bytearray | memoryview) -> Part:
        """Sends one part of an upload that `start_upload` started. Requires `shared_upload`.

        A part that is sent again replaces the first one.

        Arguments:
            path: the object of the upload.
            upload: the id of the upload.
            number: the number of the part in the object, from 1 to 10,000.
            data: the bytes of the part, at least one. All parts but the last have at least
                `info.capability.write_multi_min_size`.

        Returns:
            The stored part, which `complete_upload` needs. It can be pickled.

        Raises:
            NotFound: there is no such upload.
            InvalidInput: a value is invalid.
            Unsupported: the service has no such uploads.
        """
        side = self._overlapping
        return side.run(side.operator.upload_part(path, upload, number, data))

    def complete_upload(self, path: Path, upload: str, parts: Iterable[Part]) -> Metadata:
        """Makes the object of the parts of an upload, and returns its metadata. Requires `shared_upload`.

        An existing object is replaced. A call that is repeated after it succeeded, by this or another process,
        succeeds again as long as the object is the one of these parts.

        Arguments:
            path: the object of the upload.
            upload: the id of the upload.
            parts: all its parts, in any order.

        Raises:
            NotFound: there is no such upload.
            InvalidInput: there are no parts, or two have the same number.
            Unsupported: the service has no such uploads.
        """
        side = self._overlapping
        return side.run(side.operator.complete_upload(path, upload, parts))

    def abort_upload(self, path: Path, upload: str) -> None:
        """Drops an upload and its parts. One that no longer exists is not an error. Requires `abort_upload`.

        Arguments:
            path: the object of the upload.
            upload: the id of the upload, such as `Upload.id`.
        """
        side = self._overlapping
        side.run(side.operator.abort_upload(path, upload))

    def list_uploads(self, path: Path = "/", *, older_than: timedelta | None = None) -> Uploads:
        """Returns the multipart uploads that were neither completed nor aborted. Requires `list_uploads`.

        Uploads of active writers, in this process or elsewhere, are included.

        Arguments:
            path: a prefix of the paths of the objects. By default all.
            older_than: only uploads that were started longer ago than this, by the clock of the storage. By default
                all.

        Raises:
            PermissionDenied: the storage refuses the listing.
        """
        side = self._overlapping
        return side.run(side.operator.list_uploads(path, older_than=older_than))

    def abort_uploads(self, path: Path, *, older_than: timedelta, concurrent: int = ABORT_CONCURRENT) -> Uploads:
        """Aborts abandoned multipart uploads and returns them. Requires `list_uploads` and `abort_upload`.

        A writer whose upload is aborted fails, so `older_than` should be longer than any upload takes. Younger uploads
        are not touched.

        Arguments:
            path: a prefix of the paths of the objects; `"/"` is all.
            older_than: only uploads that were started longer ago than this, by the clock of the storage.
            concurrent: requests in flight. By default 8.

        Raises:
            DeletionsFailed: some uploads could not be aborted; `failures` has the error of each. All others were
                aborted.
            PermissionDenied: the storage refuses the listing.
        """
        side = self._overlapping
        return side.run(side.operator.abort_uploads(path, older_than=older_than, concurrent=concurrent))
