"""What people call: one operator over one storage."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from entrepot.layers import PrefixLayer
from entrepot.raw import AccessorInfo, Context, Layer, ServiceConfig
from entrepot.raw.config import parse_uri
from entrepot.raw.layer import warn_of_order
from entrepot.services.registry import service_class
from entrepot.types import Metadata, PresignedRequest

from .deleting import Targets
from .futures import (
    FutureCopy,
    FutureCopyTo,
    FutureDelete,
    FutureList,
    FutureLister,
    FuturePresignDelete,
    FuturePresignRead,
    FuturePresignStat,
    FuturePresignWrite,
    FutureRead,
    FutureReader,
    FutureRename,
    FutureStat,
    FutureWrite,
    FutureWriter,
)
from .operations import Entries, Operations, Uploads
from .options import Expires, Path
from .sources import Source
from .stack import Stack

if TYPE_CHECKING:
    from datetime import timedelta

    from entrepot.blocking import BlockingOperator
    from entrepot.types import Copied

    from .keywords import (
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

DELETE_CONCURRENT: Final = 8
ABORT_CONCURRENT: Final = 8


class Operator(Operations):
    """One storage, whatever it is. Immutable, cheap, and safe to share between tasks, loops and threads.

    `await op.read(path, range=(0, 8))` and `await op.read_with(path).range(0, 8)` mean the same.
    Paths are relative to the root of the configuration; a trailing slash names a directory. Every
    method raises `InvalidInput` for a path that cannot work and `Unsupported` for what the service
    cannot do, before any I/O, and otherwise what the storage answers (see `entrepot.errors`).

    Where the service goes over a network (`info.is_remote`), calls that fail for the moment are made again, and none
    waits for ever: the stack has a `TimeoutLayer` and a `RetryLayer`, which `repr` shows. One that is added takes the
    place of its kind.

    An operator can be pickled where its configuration and layers can; the pickle holds their secrets.

    Arguments:
        config: what to operate on, such as `Fs("/data")` or `S3(bucket="b", region="r")`.
        layers: what to put around it, the last one outermost.
        context: runtime and HTTP transport; by default asyncio and aiohttp.
        resilient: whether a service over a network gets retries and timeouts; False leaves it bare. By default True.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        layers: tuple[Layer, ...] = (),
        context: Context | None = None,
        resilient: bool = True,
    ) -> None:
        self._use(Stack.of(config, layers, context, resilient))
        warn_of_order(self._stack.layers)

    @classmethod
    def from_config(
        cls, scheme: str, options: Mapping[str, Any] | None = None, /, *, resilient: bool = True, **values: Any
    ) -> Self:
        """An operator from a scheme and its configuration: `Operator.from_config("s3", bucket="b")`.

        Arguments:
            scheme: `"fs"`, `"memory"`, `"http"`, `"s3"` or that of an installed service.
            options: keys and values, as from a file; strings are converted.
            resilient: as of the constructor.
            values: the same as keywords; they go before `options`.

        Raises:
            ConfigInvalid: the scheme or a key is unknown, or a value is missing or cannot work.
        """
        service = service_class(scheme)
        if not isinstance(options, Mapping | None):
            raise service.invalid(f"the options are a mapping of keys to values, not {type(options).__name__}")
        return cls(service.from_mapping({**(options or {}), **values}), resilient=resilient)

    @classmethod
    def from_uri(cls, uri: str, /, *, resilient: bool = True, **values: Any) -> Self:
        """An operator from a URI: `Operator.from_uri("s3://bucket/root?region=r")`.

        Arguments:
            uri: scheme, place and root of the storage, with its options as the query.
            resilient: as of the constructor.
            values: further options; they go before those of the URI.

        Raises:
            ConfigInvalid: as `from_config`, or the text is no URI.
        """
        return cls(service_class(parse_uri(uri).scheme).from_uri(uri, values), resilient=resilient)

    @property
    def info(self) -> AccessorInfo:
        """Scheme, root and name of the storage, and what it can do, natively and completed."""
        return self._accessor.info

    def layer(self, layer: Layer) -> Operator:
        """A new operator with one more layer around everything. This one stays as it is.

        It shares the connections of this one.
        """
        stack = self._stack.with_layer(layer)
        warn_of_order(stack.layers)
        return _over(stack)

    def at(self, prefix: str) -> Operator:
        """A new operator whose root is a directory of this one. This one stays as it is.

        Every path of it lies beneath that directory, and what comes back is relative to it; no path leads out.
        The directory need not exist: the new operator shows it as its root anyway. `op.at("a/").at("b/")` is
        `op.at("a/b/")`. The same as one more `PrefixLayer` around everything.

        Arguments:
            prefix: the directory, with a trailing slash.

        Raises:
            InvalidInput: it has no trailing slash, or cannot be a path.
        """
        return self.layer(PrefixLayer(prefix))

    def blocking(self) -> BlockingOperator:
        """The same operations without `await`, with the same layers.

        A service that needs no event loop, such as fs and memory, then runs without one, in the thread that
        calls; others run on one event loop for the whole process, in a thread of its own.
        """
        from entrepot.blocking import BlockingOperator

        return BlockingOperator(self)

    async def read(self, path: Path, **options: Unpack[ReaderOptions]) -> bytes:
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
        return await self._call("read", self._read, path, options)

    def read_with(self, path: Path) -> FutureRead:
        """The same as `read`, described step by step: `await op.read_with(path).range(0, 8)`."""
        return FutureRead(self._caller("read", self._read), "read_with", (path,), {})

    def reader(self, path: Path, **options: Unpack[ReaderOptions]) -> FutureReader:
        """A `Reader` over an object or a range of it. Opening it does no I/O; its first use does.

        Await it for the `Reader`, enter it with `async with`, or iterate it by chunks with `async for`.
        Options are those of `read`.
        """
        return FutureReader(self._caller("reader", self._reader), "reader", (path,), options)

    def reader_with(self, path: Path) -> FutureReader:
        """The same as `reader`, described step by step: `async for chunk in op.reader_with(path).chunk(n)`."""
        return FutureReader(self._caller("reader", self._reader), "reader_with", (path,), {})

    async def stat(self, path: Path, **options: Unpack[StatOptions]) -> Metadata:
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
        return await self._call("stat", self._stat, path, options)

    def stat_with(self, path: Path) -> FutureStat:
        """The same as `stat`, described step by step: `await op.stat_with(path).if_match(etag)`."""
        return FutureStat(self._caller("stat", self._stat), "stat_with", (path,), {})

    async def exists(self, path: Path) -> bool:
        """Whether there is anything of that name. Only its absence is False; other errors are raised."""
        return await self._exists(path)

    async def check(self) -> None:
        """Raises what keeps this operator from working: no such bucket, no permission, no connection.

        It lists the root, or reads one byte of an object that need not exist where there is no listing.
        """
        await self._call("check", self._check, "/")

    async def write(self, path: Path, data: Source, **options: Unpack[WriterOptions]) -> Metadata:
        """Replaces an object, all or nothing, and returns what the storage says of it. Requires `write`.

        Directories above it are made where the storage has such. When it fails or is cancelled, nothing of
        the new content is left on the storage, unless it was being published at that moment.

        Arguments:
            path: the object.
            data: its new bytes: `bytes`, or any contiguous object with the buffer protocol. More is streamed from
                an iterator or async iterator of bytes, from the `pathlib.Path` of a local file, or from
                an open binary file, whose `read(n)` may be async, from its position on. The file stays open.
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
        return await self._call("write", self._write, path, data, options)

    def write_with(self, path: Path, data: Source) -> FutureWrite:
        """The same as `write`, described step by step: `await op.write_with(path, data).if_not_exists()`."""
        return FutureWrite(self._caller("write", self._write), "write_with", (path, data), {})

    def writer(self, path: Path, **options: Unpack[WriterOptions]) -> FutureWriter:
        """A `Writer` of an object, which appears when the writer is closed. Opening it does no I/O.

        Await it for the `Writer`, or better enter it: `async with op.writer(path) as writer`. Options are
        those of `write`.
        """
        return FutureWriter(self._caller("writer", self._writer), "writer", (path,), options)

    def writer_with(self, path: Path) -> FutureWriter:
        """The same as `writer`, described step by step: `async with op.writer_with(path).chunk(n) as writer`."""
        return FutureWriter(self._caller("writer", self._writer), "writer_with", (path,), {})

    async def delete(self, path: Path, **options: Unpack[DeleteOptions]) -> None:
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
        await self._call("delete", self._delete, path, options)

    def delete_with(self, path: Path) -> FutureDelete:
        """The same as `delete`, described step by step: `await op.delete_with(path).recursive()`."""
        return FutureDelete(self._caller("delete", self._delete), "delete_with", (path,), {})

    async def delete_many(self, paths: Targets, *, concurrent: int = DELETE_CONCURRENT) -> None:
        """Deletes many objects, in batches as large as the service takes. Requires `delete`.

        Directories come last, the deepest first, so that a listing can be deleted in whatever order it came.

        Arguments:
            paths: paths, or entries of a listing, in any iterable or async iterable, such as
                `op.lister("a/", recursive=True)`. An entry that names a version removes that version, for good. So
                does the mark of a deletion, which a listing with `deleted=True` gives: that brings the object back.
            concurrent: how many batches may be in flight.

        Raises:
            DeletionsFailed: some failed; its `failures` are the error of each. The others were made.
            InvalidInput: an item is no path. Of an iterator, what came before it may have been deleted.
        """
        await self._call("delete_many", self._delete_many, "/", paths, concurrent)

    async def list(self, path: Path, **options: Unpack[ListerOptions]) -> Entries:
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
        return await self._call("list", self._list, path, options)

    def list_with(self, path: Path) -> FutureList:
        """The same as `list`, described step by step: `await op.list_with(path).recursive()`."""
        return FutureList(self._caller("list", self._list), "list_with", (path,), {})

    def lister(self, path: Path, **options: Unpack[ListerOptions]) -> FutureLister:
        """A `Lister`, which gives the entries of a listing as they come. Opening it does no I/O.

        Await it for the `Lister`, enter it with `async with`, or iterate it with `async for`. Options are
        those of `list`.
        """
        return FutureLister(self._caller("lister", self._lister), "lister", (path,), options)

    def lister_with(self, path: Path) -> FutureLister:
        """The same as `lister`, described step by step: `async for entry in op.lister_with(path).recursive()`."""
        return FutureLister(self._caller("lister", self._lister), "lister_with", (path,), {})

    async def copy(self, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Metadata:
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
        return await self._call("copy", self._copy, source, target, options)

    def copy_with(self, source: Path, target: Path) -> FutureCopy:
        """The same as `copy`, described step by step: `await op.copy_with(source, target).if_not_exists()`."""
        return FutureCopy(self._caller("copy", self._copy), "copy_with", (source, target), {})

    async def copy_to(self, other: Operator, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Copied:
        """Copies an object of this storage into another one, over what is at the target. Both may be one.

        Where both operators are of one store and have equal layers, and the store can, it makes the copy
        itself. Else the object is streamed through here: read in chunks, which cannot be of two contents, and
        written as it comes. Requires `read` here and `write` there. When it fails or is cancelled, nothing of it is
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
        return await self._call("copy_to", self._copy_to, source, other, target, options)

    def copy_to_with(self, other: Operator, source: Path, target: Path) -> FutureCopyTo:
        """The same as `copy_to`, described step by step: `await op.copy_to_with(other, source, target).chunk(n)`."""
        return FutureCopyTo(self._copy_to_later, "copy_to_with", (other, source, target), {})

    async def rename(self, source: Path, target: Path, **options: Unpack[RenameOptions]) -> None:
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
        await self._call("rename", self._rename, source, target, options)

    def rename_with(self, source: Path, target: Path) -> FutureRename:
        """The same as `rename`, described step by step: `await op.rename_with(source, target).if_not_exists()`."""
        return FutureRename(self._caller("rename", self._rename), "rename_with", (source, target), {})

    async def create_dir(self, path: Path) -> None:
        """Makes a directory and those above it; one that exists is left as it is. Requires `create_dir`.

        Arguments:
            path: the directory, with a trailing slash.

        Raises:
            NotADirectory: the path has no trailing slash, or leads through a file.
        """
        await self._call("create_dir", self._create_dir, path)

    async def presign_read(
        self, path: Path, expires: Expires, **options: Unpack[PresignReadOptions]
    ) -> PresignedRequest:
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
        return await self._presigner("read")(path, expires, options)

    def presign_read_with(self, path: Path, expires: Expires) -> FuturePresignRead:
        """The same as `presign_read`, described step by step: `await op.presign_read_with(path, 60).range(0, 8)`."""
        return FuturePresignRead(self._presigner("read"), "presign_read_with", (path, expires), {})

    async def presign_stat(
        self, path: Path, expires: Expires, **options: Unpack[PresignStatOptions]
    ) -> PresignedRequest:
        """A request that asks about the object, and whose reply has headers alone. Requires `presign_stat`.

        Arguments and errors are those of `presign_read`, and options those of `stat`.
        """
        return await self._presigner("stat")(path, expires, options)

    def presign_stat_with(self, path: Path, expires: Expires) -> FuturePresignStat:
        """The same as `presign_stat`, described step by step: `await op.presign_stat_with(path, 60).version(v)`."""
        return FuturePresignStat(self._presigner("stat"), "presign_stat_with", (path, expires), {})

    async def presign_write(
        self, path: Path, expires: Expires, **options: Unpack[PresignWriteOptions]
    ) -> PresignedRequest:
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
        return await self._presigner("write")(path, expires, options)

    def presign_write_with(self, path: Path, expires: Expires) -> FuturePresignWrite:
        """The same as `presign_write`, described step by step: `await op.presign_write_with(path, 60).if_match(e)`."""
        return FuturePresignWrite(self._presigner("write"), "presign_write_with", (path, expires), {})

    async def presign_delete(
        self, path: Path, expires: Expires, **options: Unpack[PresignDeleteOptions]
    ) -> PresignedRequest:
        """A request that deletes the object. Requires `presign_delete`.

        Arguments and errors are those of `presign_read`; the only option is `version`, as of `delete`.
        """
        return await self._presigner("delete")(path, expires, options)

    def presign_delete_with(self, path: Path, expires: Expires) -> FuturePresignDelete:
        """The same as `presign_delete`, described step by step: `await op.presign_delete_with(path, 60).version(v)`."""
        return FuturePresignDelete(self._presigner("delete"), "presign_delete_with", (path, expires), {})

    async def list_uploads(self, path: Path = "/", *, older_than: timedelta | None = None) -> Uploads:
        """The uploads in parts that were begun, and neither completed nor aborted. Requires `list_uploads`.

        Those of writers that are at work are among them, here or elsewhere.

        Arguments:
            path: which: of objects whose path begins with this. By default all.
            older_than: only those begun longer ago than this, by the clock of the storage. By default all.

        Raises:
            PermissionDenied: the storage refuses.
        """
        return await self._call("list_uploads", self._list_uploads, path, older_than)

    async def abort_uploads(self, path: Path, *, older_than: timedelta, concurrent: int = ABORT_CONCURRENT) -> Uploads:
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
        return await self._call("abort_uploads", self._abort_uploads, path, older_than, concurrent)

    async def close(self) -> None:
        """Closes the connections of this event loop now. The operator can still be used: it makes new ones.

        They close by themselves when their loop ends. A transport that was passed in is left alone.
        """
        await self._context.close()

    async def aclose(self) -> None:
        """The same as `close`, for code that closes any resource by `aclose`, such as `contextlib.aclosing`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Operator({self._stack!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        stack = self._stack
        return _restore, (type(self), stack.config, stack.layers, stack.context, stack.resilience is not None)


def without_loop(operator: Operator) -> Operator | None:
    """The operator on a runtime without an event loop, for `entrepot.blocking`; None if its service needs a loop."""
    stack = operator._stack  # noqa: SLF001 - a function of this module, so that the class has no public name for it
    return None if stack.needs_loop else _over(stack.without_loop())


def _over(stack: Stack) -> Operator:
    operator = Operator.__new__(Operator)
    operator._use(stack)  # noqa: SLF001
    return operator


def _restore(
    cls: type[Operator], config: ServiceConfig, layers: tuple[Layer, ...], context: Context, resilient: bool
) -> Operator:
    return cls(config, layers=layers, context=context, resilient=resilient)
