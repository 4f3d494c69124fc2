"""The public operations: signatures and documentation. `operations.py` carries them out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from entrepot import layers
from entrepot.errors import Error, InvalidInput
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, AccessorInfo, Context, Layer, ServiceConfig
from entrepot.raw.config import parse_uri
from entrepot.raw.layer import warn_of_order
from entrepot.services.registry import service_class
from entrepot.types import Metadata, PresignedRequest
from entrepot.types.shown import shown_type

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
from .operations import Entries, Found, Operations, Uploads, gathered
from .options import Expires, Path, shown_path
from .reader import Reader, overlap_fetches
from .sources import Source
from .stack import Stack
from .writer import finish_whole

if TYPE_CHECKING:
    from datetime import timedelta

    from entrepot.blocking import BlockingOperator
    from entrepot.types import Copied, Part, TreeReport, Usage
    from entrepot.types.transfers import ReportProgress

    from .globs import FutureGlob
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
    from .tree_keywords import SyncOptions, TreeOptions

DELETE_CONCURRENT: Final = 8
STAT_CONCURRENT: Final = 8
ABORT_CONCURRENT: Final = 8


class Operator(Operations):
    """Access to one storage. Immutable, cheap to make, and safe to share between tasks, event loops and threads.

    Each operation has two spellings with the same meaning: `await op.read(path, range=(0, 8))` and
    `await op.read_with(path).range(0, 8)`. Paths are relative to the root of the configuration; a trailing slash names
    a directory. Before any I/O, every method raises `InvalidInput` for an invalid path or option, and `Unsupported` for
    an operation or option that the service lacks. Other errors come from the storage (see `entrepot.errors`).

    The stack of a remote service (`info.is_remote`) has a `RetryLayer` and a `TimeoutLayer` by default: calls that fail
    with a temporary error are repeated, and each call has a time limit. `repr` shows both layers. A layer of the same
    class that you add replaces the default one.

    An operator can be pickled if its configuration and layers can. The pickle contains their secrets.

    Arguments:
        config: the service and its settings, such as `Fs("/data")` or `S3(bucket="b", region="r")`.
        layers: the layers around the service, the last one outermost.
        context: the runtime and the HTTP transport. By default asyncio, and our own connections.
        resilient: whether a remote service gets the default retries and timeouts. By default True.

    Raises:
        InvalidInput: an argument has the wrong type.
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
        """Makes an operator from a scheme and configuration values: `Operator.from_config("s3", bucket="b")`.

        Arguments:
            scheme: `"fs"`, `"memory"`, `"http"`, `"s3"` or the scheme of an installed service.
            options: keys and values, such as those of a configuration file. Strings are converted.
            resilient: see the constructor.
            values: more keys and values, which override `options`.

        Raises:
            ConfigInvalid: the scheme or a key is unknown, or a value is missing or invalid.
        """
        service = service_class(scheme)
        if not isinstance(options, Mapping | None):
            raise service.invalid(f"the options must be a mapping of keys to values, not {type(options).__name__}")
        return cls(service.from_mapping({**(options or {}), **values}), resilient=resilient)

    @classmethod
    def from_uri(cls, uri: str, /, *, resilient: bool = True, **values: Any) -> Self:
        """Makes an operator from a URI: `Operator.from_uri("s3://bucket/root?region=r")`.

        Arguments:
            uri: the scheme, location and root of the storage. Its query holds configuration values.
            resilient: see the constructor.
            values: more configuration values, which override the query.

        Raises:
            ConfigInvalid: `uri` is not a URI, its scheme or a key is unknown, or a value is missing or invalid.
        """
        return cls(service_class(parse_uri(uri).scheme).from_uri(uri, values), resilient=resilient)

    @property
    def info(self) -> AccessorInfo:
        """The scheme, root and name of the storage, and its capabilities."""
        return self._accessor.info

    def layer(self, layer: Layer) -> Operator:
        """Returns a new operator with one more layer, outermost. This operator is not changed.

        Both share their connections.

        Arguments:
            layer: the layer to add.

        Raises:
            InvalidInput: `layer` is not a `Layer`.
        """
        stack = self._stack.with_layer(layer)
        warn_of_order(stack.layers)
        return _over(stack)

    def at(self, prefix: str) -> Operator:
        """Returns a new operator whose root is a directory of this one. This operator is not changed.

        Paths and results of the new operator are relative to that directory, and no path leads out of it. The directory
        need not exist: the new operator shows it as its root anyway. `op.at("a/").at("b/")` equals `op.at("a/b/")`.
        It is short for `op.layer(PrefixLayer(prefix))`.

        Arguments:
            prefix: the directory, with a trailing slash.

        Raises:
            InvalidInput: `prefix` has no trailing slash, or is not a valid path.
        """
        return self.layer(layers.PrefixLayer(prefix))

    def blocking(self) -> BlockingOperator:
        """Returns an operator with the same layers whose operations are called without `await`.

        A service that needs no event loop, such as fs and memory, runs in the calling thread, and so does a call with a
        single request over HTTP. Others run on a background event loop, one for the whole process.
        """
        from entrepot.blocking import BlockingOperator

        return BlockingOperator(self)

    async def read(self, path: Path, **options: Unpack[ReaderOptions]) -> bytes:
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
        if options:
            return await self._call("read", self._read, path, options)
        try:  # `_call` and `_read` without options, in this coroutine: they take a fifth of a small read
            content = await self._accessor.read_whole(self._begin("read", path), DEFAULT_READ)
            return content if isinstance(content, bytes) else await gathered(content[1])
        except Error as error:
            self._name(error, "read", path)
            raise

    async def read_text(
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
        return (await self.read(path, **options)).decode(encoding, errors)

    async def read_with_metadata(self, path: Path, **options: Unpack[ReaderOptions]) -> tuple[bytes, Metadata]:
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
        return await self._call("read_with_metadata", self._read_with_metadata, path, options)

    def read_with(self, path: Path) -> FutureRead:
        """The step-by-step form of `read`: `await op.read_with(path).range(0, 8)`."""
        return FutureRead(self._caller("read", self._read), "read_with", (path,), {})

    def reader(self, path: Path, **options: Unpack[ReaderOptions]) -> FutureReader:
        """Opens a `Reader` over an object or a range of it. Opening does no I/O; its first use does.

        Await it for the `Reader`, enter it with `async with`, or iterate it by chunks with `async for`.
        The options are the same as for `read`.
        """
        return FutureReader(self._caller("reader", self._reader), "reader", (path,), options)

    def reader_with(self, path: Path) -> FutureReader:
        """The step-by-step form of `reader`: `async for chunk in op.reader_with(path).chunk(n)`."""
        return FutureReader(self._caller("reader", self._reader), "reader_with", (path,), {})

    async def stat(self, path: Path, **options: Unpack[StatOptions]) -> Metadata:
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
        if options:
            return await self._call("stat", self._stat, path, options)
        try:  # as in `read`
            return (await self._accessor.stat(self._begin("stat", path), DEFAULT_STAT)).metadata
        except Error as error:
            self._name(error, "stat", path)
            raise

    def stat_with(self, path: Path) -> FutureStat:
        """The step-by-step form of `stat`: `await op.stat_with(path).if_match(etag)`."""
        return FutureStat(self._caller("stat", self._stat), "stat_with", (path,), {})

    async def stat_many(self, paths: Targets, *, concurrent: int = STAT_CONCURRENT) -> Found:
        """Returns the metadata of many paths, in their order: None for each path where nothing exists. Requires `stat`.

        Arguments:
            paths: paths, or entries of a listing, in any iterable or async iterable. For an entry with a version, it is
                that version.
            concurrent: requests in flight. By default 8.

        Raises:
            PermissionDenied: the storage refuses one of the requests. This or any other error ends the call, and its
                `path` says which path it is about.
            InvalidInput: an item is not a path.
        """
        return await self._call("stat_many", self._stat_many, "/", paths, concurrent)

    async def exists(self, path: Path) -> bool:
        """Whether the object or directory exists. Errors other than its absence are raised. Requires `stat`."""
        return await self._exists(path)

    async def check(self) -> None:
        """Checks that the storage can be used. Raises, for example, if the bucket or the permission is missing.

        It requests the first entry of the root. Where the service lacks `list`, it reads one byte of an object that
        need not exist.

        Raises:
            PermissionDenied: the storage refuses the credentials.
            Unexpected: the storage cannot be reached, or its response makes no sense.
        """
        await self._call("check", self._check, "/")

    async def write(self, path: Path, data: Source, **options: Unpack[WriterOptions]) -> Metadata:
        """Replaces an object, all or nothing, and returns its metadata. Requires `write`.

        Missing parent directories are made where the storage has directories. When the call fails or is cancelled,
        the object is unchanged, unless it was just being published.

        Arguments:
            path: the object.
            data: the new content: `bytes`, or any contiguous object with the buffer protocol. It is streamed from an
                iterable or async iterable of bytes, from the `pathlib.Path` of a local file, or from
                an open binary file, whose `read(n)` may be async, from its position on. The file stays open.
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
        try:
            normalized = self._begin("write", path)
            if options or type(data) is not bytes or not 0 < len(data) <= self._longest_whole:
                return await self._write(normalized, data, options)
            stored = await self._accessor.write_whole(normalized, data, DEFAULT_WRITE)  # as in `read`
            if isinstance(stored, Metadata) and stored.content_length == len(data):
                return stored
            return await finish_whole(self._context, self._accessor, stored, data, DEFAULT_WRITE)
        except Error as error:
            self._name(error, "write", path)
            raise

    async def write_text(
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
        if not isinstance(text, str):
            raise InvalidInput(f"text must be str, not {shown_type(text)}").of_call(
                "write_text", scheme=self.info.scheme, path=shown_path(path)
            )
        return await self.write(path, text.encode(encoding, errors), **options)

    def write_with(self, path: Path, data: Source) -> FutureWrite:
        """The step-by-step form of `write`: `await op.write_with(path, data).if_not_exists()`."""
        return FutureWrite(self._caller("write", self._write), "write_with", (path, data), {})

    def writer(self, path: Path, **options: Unpack[WriterOptions]) -> FutureWriter:
        """Opens a `Writer` of an object, which appears when the writer is closed. Opening does no I/O.

        Await it for the `Writer`, or better enter it: `async with op.writer(path) as writer`. The options are
        the same as for `write`.
        """
        return FutureWriter(self._caller("writer", self._writer), "writer", (path,), options)

    def writer_with(self, path: Path) -> FutureWriter:
        """The step-by-step form of `writer`: `async with op.writer_with(path).chunk(n) as writer`."""
        return FutureWriter(self._caller("writer", self._writer), "writer_with", (path,), {})

    async def delete(self, path: Path, **options: Unpack[DeleteOptions]) -> None:
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
        await self._call("delete", self._delete, path, options)

    def delete_with(self, path: Path) -> FutureDelete:
        """The step-by-step form of `delete`: `await op.delete_with(path).recursive()`."""
        return FutureDelete(self._caller("delete", self._delete), "delete_with", (path,), {})

    async def delete_many(self, paths: Targets, *, concurrent: int = DELETE_CONCURRENT) -> None:
        """Deletes many objects, in batches as large as the service allows. Requires `delete`.

        Directories are deleted last, the deepest first, so that the paths may come in any order.

        Arguments:
            paths: paths, or entries of a listing, in any iterable or async iterable, such as
                `op.lister("a/", recursive=True)`. For an entry with a version, that version is deleted permanently.
                For a deletion mark, which a listing with `deleted=True` yields, that restores the object.
            concurrent: batches in flight. By default 8.

        Raises:
            DeletionsFailed: some deletions failed; `failures` has the error of each. All others were made.
            InvalidInput: an item is not a path. If it came from an iterator, earlier items may have been deleted.
        """
        await self._call("delete_many", self._delete_many, "/", paths, concurrent)

    async def list(self, path: Path, **options: Unpack[ListerOptions]) -> Entries:
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
        return await self._call("list", self._list, path, options)

    def list_with(self, path: Path) -> FutureList:
        """The step-by-step form of `list`: `await op.list_with(path).recursive()`."""
        return FutureList(self._caller("list", self._list), "list_with", (path,), {})

    def lister(self, path: Path, **options: Unpack[ListerOptions]) -> FutureLister:
        """Opens a `Lister`, which yields the entries of a listing page by page. Opening does no I/O.

        Await it for the `Lister`, enter it with `async with`, or iterate it with `async for`. The options are
        the same as for `list`.
        """
        return FutureLister(self._caller("lister", self._lister), "lister", (path,), options)

    def lister_with(self, path: Path) -> FutureLister:
        """The step-by-step form of `lister`: `async for entry in op.lister_with(path).recursive()`."""
        return FutureLister(self._caller("lister", self._lister), "lister_with", (path,), {})

    async def copy(self, source: Path, target: Path, **options: Unpack[CopyOptions]) -> Metadata:
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
        return await self._call("copy", self._copy, source, target, options)

    def copy_with(self, source: Path, target: Path) -> FutureCopy:
        """The step-by-step form of `copy`: `await op.copy_with(source, target).if_not_exists()`."""
        return FutureCopy(self._caller("copy", self._copy), "copy_with", (source, target), {})

    async def copy_to(
        self,
        other: Operator,
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
        `concurrent` apply to reading and to writing. When the call fails or is cancelled, the target is unchanged.

        Arguments:
            other: the operator of the target.
            source: the object to copy.
            target: the path of the copy. Missing parent directories are made where the storage has directories.
            progress: a function that is called after each piece with a `Progress`, on the event loop. What it raises
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
        return await self._call("copy_to", self._copy_to, source, other, target, options, progress)

    def copy_to_with(self, other: Operator, source: Path, target: Path) -> FutureCopyTo:
        """The step-by-step form of `copy_to`: `await op.copy_to_with(other, source, target).chunk(n)`."""
        return FutureCopyTo(self._copy_to_later, "copy_to_with", (other, source, target), {})

    async def has_same_content(self, other: Operator, path: Path, other_path: Path | None = None) -> bool:
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
        return await self._call("has_same_content", self._has_same_content, path, other, other_path)

    async def download(
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
            progress: a function that is called after each piece with a `Progress`, on the event loop. What it raises
                ends the download.
            options: see `copy_to`.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: one of the paths names a directory.
            ConditionNotMatch: the object changed during the download.
        """
        return await self._call("download", self._download, path, local, options, resume, progress)

    async def upload(
        self, local: Path, path: Path, *, progress: ReportProgress | None = None, **options: Unpack[WriterOptions]
    ) -> Metadata:
        """Stores a local file as an object, all or nothing, and returns its metadata. Requires `write`.

        It is `write` with the blocks of the file.

        Arguments:
            local: the file.
            path: the object.
            progress: a function that is called after each block with a `Progress`, on the event loop. What it raises
                ends the upload.
            options: see `write`.

        Raises:
            NotFound: the file does not exist.
            IsADirectory: one of the paths names a directory.
        """
        return await self._call("upload", self._upload, path, local, options, progress)

    async def download_tree(
        self,
        path: Path,
        local: Path,
        **options: Unpack[TreeOptions],
    ) -> TreeReport:
        """Copies all files below a directory to a local directory. Requires `read` and `list`.

        The arguments but `local` and the errors are those of `copy_tree`. An object whose name the file system cannot
        hold, or that would lead out of the directory, fails; the others are copied.

        Arguments:
            path: the directory; `"/"` is all.
            local: the local directory, which is made if it is missing.
        """
        return await self._call("download_tree", self._download_tree, path, local, options)

    async def upload_tree(
        self,
        local: Path,
        path: Path,
        **options: Unpack[TreeOptions],
    ) -> TreeReport:
        """Copies all files below a local directory. Requires `write`, and `list` with `skip_same`.

        The arguments but `local` and the errors are those of `copy_tree`. A symbolic link to a file is followed within
        the directory, and one to a directory is not entered. A link that leads out of the directory or to nothing, a
        FIFO, a socket and a device fail.

        Arguments:
            local: the local directory.
            path: the directory of the copies; `"/"` is the root.
        """
        return await self._call("upload_tree", self._upload_tree, path, local, options)

    async def copy_tree(
        self,
        other: Operator,
        source: Path = "/",
        target: Path | None = None,
        **options: Unpack[TreeOptions],
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
            progress: a function that is called after each piece with a `Progress`, on the event loop. What it raises
                ends the transfer.
            on_file: a function that is called once for each file with a `TreeStep`, on the event loop. What it raises
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
        return await self._call("copy_tree", self._copy_tree, source, other, target, options)

    async def sync(
        self,
        other: Operator,
        source: Path = "/",
        target: Path | None = None,
        **options: Unpack[SyncOptions],
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
        return await self._call("sync", self._copy_tree, source, other, target, {**options, "skip_same": True})

    async def remove_tree(self, path: Path) -> None:
        """Deletes a directory and everything in it. Requires `delete_with_recursive` and `stat`.

        Unlike `delete` with `recursive`, it raises if there is no such directory, and never deletes an object of the
        same name.

        Arguments:
            path: the directory, with or without a trailing slash.

        Raises:
            NotFound: the directory does not exist.
            DeletionsFailed: some deletions failed; all others were made.
        """
        await self._call("remove_tree", self._remove_tree, path)

    def glob(self, pattern: Path) -> FutureGlob:
        """Opens a `Lister` of the files whose paths match a pattern. Opening does no I/O. Requires `list`.

        Await it for the `Lister`, enter it with `async with`, or iterate it with `async for`.

        `*` matches any characters of a name, `?` one, `[ab]` and `[a-z]` one of these and `[!ab]` one other; `**`
        between slashes is any number of directories. With a slash at its end a pattern matches directories. Only the
        directories that may have matches are listed, and from a `**` on all is listed once.

        Arguments:
            pattern: the pattern, such as `"logs/2026-*/**/*.json"`.

        Raises:
            InvalidInput: the pattern is empty, has `**` beside other characters of a name, or has a range that ends
                before its start.
        """
        from .globs import FutureGlob

        return FutureGlob(self._caller("glob", self._glob), "glob", (pattern,), {})

    def walk(self, path: Path = "/") -> AsyncGenerator[tuple[str, Entries, Entries], None]:
        """Yields each directory of a tree with its directories and its files, from the top down. Requires `list`.

        Directories that the caller removes from the second value are not visited, as with `os.walk`.

        Arguments:
            path: the directory to start from, with or without a trailing slash. By default the root.

        Raises:
            NotFound: the directory to start from does not exist.
        """
        return self._walk(path)

    async def du(self, path: Path = "/") -> Usage:
        """Returns the size of all files below a directory, and their number. Requires `list`.

        Arguments:
            path: the directory, with or without a trailing slash. By default all.

        Raises:
            NotFound: the directory does not exist.
        """
        return await self._call("du", self._usage, path)

    async def rename(self, source: Path, target: Path, **options: Unpack[RenameOptions]) -> None:
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
        await self._call("rename", self._rename, source, target, options)

    def rename_with(self, source: Path, target: Path) -> FutureRename:
        """The step-by-step form of `rename`: `await op.rename_with(source, target).if_not_exists()`."""
        return FutureRename(self._caller("rename", self._rename), "rename_with", (source, target), {})

    async def create_dir(self, path: Path) -> None:
        """Makes a directory and its missing parents. An existing directory is unchanged. Requires `create_dir`.

        Arguments:
            path: the directory, with a trailing slash.

        Raises:
            NotADirectory: the path has no trailing slash, or leads through a file.
        """
        await self._call("create_dir", self._create_dir, path)

    async def presign_read(
        self, path: Path, expires: Expires, **options: Unpack[PresignReadOptions]
    ) -> PresignedRequest:
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
        return await self._presigner("read")(path, expires, options)

    def presign_read_with(self, path: Path, expires: Expires) -> FuturePresignRead:
        """The step-by-step form of `presign_read`: `await op.presign_read_with(path, 60).range(0, 8)`."""
        return FuturePresignRead(self._presigner("read"), "presign_read_with", (path, expires), {})

    async def presign_stat(
        self, path: Path, expires: Expires, **options: Unpack[PresignStatOptions]
    ) -> PresignedRequest:
        """Returns a signed request for the headers of the object, without its content. Requires `presign_stat`.

        Arguments and errors are the same as for `presign_read`, the options the same as for `stat`.
        """
        return await self._presigner("stat")(path, expires, options)

    def presign_stat_with(self, path: Path, expires: Expires) -> FuturePresignStat:
        """The step-by-step form of `presign_stat`: `await op.presign_stat_with(path, 60).version(v)`."""
        return FuturePresignStat(self._presigner("stat"), "presign_stat_with", (path, expires), {})

    async def presign_write(
        self, path: Path, expires: Expires, **options: Unpack[PresignWriteOptions]
    ) -> PresignedRequest:
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
        return await self._presigner("write")(path, expires, options)

    def presign_write_with(self, path: Path, expires: Expires) -> FuturePresignWrite:
        """The step-by-step form of `presign_write`: `await op.presign_write_with(path, 60).if_match(e)`."""
        return FuturePresignWrite(self._presigner("write"), "presign_write_with", (path, expires), {})

    async def presign_delete(
        self, path: Path, expires: Expires, **options: Unpack[PresignDeleteOptions]
    ) -> PresignedRequest:
        """Returns a signed request that deletes the object. Requires `presign_delete`.

        Arguments and errors are the same as for `presign_read`. The only option is `version`; see `delete`.
        """
        return await self._presigner("delete")(path, expires, options)

    def presign_delete_with(self, path: Path, expires: Expires) -> FuturePresignDelete:
        """The step-by-step form of `presign_delete`: `await op.presign_delete_with(path, 60).version(v)`."""
        return FuturePresignDelete(self._presigner("delete"), "presign_delete_with", (path, expires), {})

    async def get_tags(self, path: Path, *, version: str | None = None) -> Mapping[str, str]:
        """Returns the tags of an object. Requires `get_tags`.

        They are set by the option `tags` of `write`, or by `set_tags`.

        Arguments:
            path: the object.
            version: the version of the object. By default the current one.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
        """
        return await self._call("get_tags", self._get_tags, path, version)

    async def set_tags(self, path: Path, tags: Mapping[str, str], *, version: str | None = None) -> None:
        """Replaces all tags of an object. Its content and its metadata stay. Requires `set_tags`.

        Arguments:
            path: the object.
            tags: names and values; an empty mapping removes all tags.
            version: the version of the object. By default the current one.

        Raises:
            NotFound: the object does not exist.
            IsADirectory: the path names a directory.
        """
        await self._call("set_tags", self._set_tags, path, tags, version)

    async def presign_post(
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
        call = self._caller("presign_post", self._presign_post)
        return await call(path, expires, content_length, content_type_prefix, options)

    async def presign_part(self, path: Path, expires: Expires, upload: str, number: int) -> PresignedRequest:
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
        return await self._caller("presign_part", self._presign_part)(path, expires, upload, number)

    async def start_upload(self, path: Path, **options: Unpack[WriterOptions]) -> str:
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
        return await self._call("start_upload", self._start_upload, path, options)

    async def upload_part(self, path: Path, upload: str, number: int, data: bytes | bytearray | memoryview) -> Part:
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
        return await self._call("upload_part", self._upload_part, path, upload, number, data)

    async def complete_upload(self, path: Path, upload: str, parts: Iterable[Part]) -> Metadata:
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
        return await self._call("complete_upload", self._complete_upload, path, upload, parts)

    async def abort_upload(self, path: Path, upload: str) -> None:
        """Drops an upload and its parts. One that no longer exists is not an error. Requires `abort_upload`.

        Arguments:
            path: the object of the upload.
            upload: the id of the upload, such as `Upload.id`.
        """
        await self._call("abort_upload", self._abort_upload, path, upload)

    async def list_uploads(self, path: Path = "/", *, older_than: timedelta | None = None) -> Uploads:
        """Returns the multipart uploads that were neither completed nor aborted. Requires `list_uploads`.

        Uploads of active writers, in this process or elsewhere, are included.

        Arguments:
            path: a prefix of the paths of the objects. By default all.
            older_than: only uploads that were started longer ago than this, by the clock of the storage. By default
                all.

        Raises:
            PermissionDenied: the storage refuses the listing.
        """
        return await self._call("list_uploads", self._list_uploads, path, older_than)

    async def abort_uploads(self, path: Path, *, older_than: timedelta, concurrent: int = ABORT_CONCURRENT) -> Uploads:
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
        return await self._call("abort_uploads", self._abort_uploads, path, older_than, concurrent)

    async def close(self) -> None:
        """Closes the connections of this event loop. The operator can still be used: it then opens new ones.

        Calling it is optional: connections close when their event loop ends. A transport that the caller passed in is
        not closed.
        """
        await self._context.close()

    async def aclose(self) -> None:
        """The same as `close`, under the name that `contextlib.aclosing` and anyio use."""
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
    """The operator on a runtime without an event loop, for its blocking twin; None if its calls may need a loop.

    Those of a subclass may, where the service does: its methods may await anything.
    """
    stack = operator._stack  # noqa: SLF001 - a function of this module, so that the class has no public name for it
    may_await_anything = type(operator) is not Operator and stack.config.NEEDS_LOOP
    return _over(stack.without_loop()) if stack.works_without_loop and not may_await_anything else None


def gains_by_loop(operator: Operator) -> bool:
    """Whether calls with several requests are faster on an event loop, on which the requests overlap."""
    return operator._stack.config.NEEDS_LOOP  # noqa: SLF001


def fetch_on(reader: Reader, operator: Operator) -> None:
    """Has `reader.fetch` send its requests through another operator over the same storage, on another runtime."""
    overlap_fetches(reader, operator._context, operator._accessor)  # noqa: SLF001


def _over(stack: Stack) -> Operator:
    operator = Operator.__new__(Operator)
    operator._use(stack)  # noqa: SLF001
    return operator


def _restore(
    cls: type[Operator], config: ServiceConfig, layers: tuple[Layer, ...], context: Context, resilient: bool
) -> Operator:
    return cls(config, layers=layers, context=context, resilient=resilient)
