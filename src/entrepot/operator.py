"""What people call: one operator over one storage."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar, TypeVarTuple, Unpack

from entrepot import layers as automatic
from entrepot.errors import Error, InvalidInput, NotADirectory, NotFound
from entrepot.futures import (
    FutureRead,
    FutureReader,
    FutureStat,
    Path,
    ReaderOptions,
    StatOptions,
    read_args,
    stat_args,
)
from entrepot.raw import (
    DEFAULT_WRITE,
    Accessor,
    AccessorInfo,
    Context,
    Layer,
    ServiceConfig,
    normalize_path,
    oio,
)
from entrepot.raw.config import parse_uri
from entrepot.raw.oio.pinned_range import PinnedRange
from entrepot.raw.oio.read import read_to_end
from entrepot.reader import Reader, open_body
from entrepot.registry import service_class
from entrepot.types import BytesRange, Metadata

T = TypeVar("T")
Args = TypeVarTuple("Args")

_PROBE: Final = ".entrepot-check"


def assemble(config: ServiceConfig, layers: tuple[Layer, ...], context: Context) -> Accessor:
    """The stack of an operator: the service, the automatic layers around it, the user's around those."""
    for layer in layers:
        context = layer.wrap_context(context)
    accessor = config.build(context)
    inner = (automatic.CompleteLayer(), automatic.CorrectnessCheckLayer(), automatic.ErrorContextLayer())
    for layer in (*inner, *layers, automatic.TypeEraseLayer()):
        accessor = layer.wrap(accessor)
    _log_debug("built %r with %d layers", config, len(layers))
    return accessor


class Operator:
    """One storage, whatever it is. Immutable, cheap, and safe to share between tasks, loops and threads.

    `await op.read(path, range=(0, 8))` and `await op.read_with(path).range(0, 8)` mean the same.
    Paths are relative to the root of the configuration; a trailing slash names a directory. Every
    method raises `InvalidInput` for a path that cannot work and `Unsupported` for what the service
    cannot do, before any I/O, and otherwise what the storage answers (see `entrepot.errors`).

    An operator can be pickled where its configuration and layers can; the pickle holds their secrets.

    Arguments:
        config: what to operate on, such as `Fs("/data")` or `S3(bucket="b", region="r")`.
        layers: what to put around it, the last one outermost.
        context: runtime and HTTP transport; by default asyncio and aiohttp.
    """

    def __init__(
        self, config: ServiceConfig, *, layers: tuple[Layer, ...] = (), context: Context | None = None
    ) -> None:
        if not isinstance(config, ServiceConfig):
            raise InvalidInput(f"an operator is made from a configuration such as Fs(root), not {config!r:.80}")
        for layer in layers:
            _check_is_layer(layer)
        if context is not None and not isinstance(context, Context):
            raise InvalidInput(f"a context is a Context, not {context!r:.80}")
        self._config = config
        self._layers = layers
        self._context = context or Context()
        self._accessor = assemble(config, layers, self._context)

    @classmethod
    def from_config(cls, scheme: str, options: Mapping[str, Any] | None = None, /, **values: Any) -> Self:
        """An operator from a scheme and its configuration: `Operator.from_config("s3", bucket="b")`.

        Arguments:
            scheme: `"fs"`, `"memory"`, `"http"`, `"s3"` or that of an installed service.
            options: keys and values, as from a file; strings are converted.
            values: the same as keywords; they go before `options`.

        Raises:
            ConfigInvalid: the scheme or a key is unknown, or a value is missing or cannot work.
        """
        return cls(service_class(scheme).from_mapping({**(options or {}), **values}))

    @classmethod
    def from_uri(cls, uri: str, /, **values: Any) -> Self:
        """An operator from a URI: `Operator.from_uri("s3://bucket/root?region=r")`.

        Arguments:
            uri: scheme, place and root of the storage, with its options as the query.
            values: further options; they go before those of the URI.

        Raises:
            ConfigInvalid: as `from_config`, or the text is no URI.
        """
        return cls(service_class(parse_uri(uri).scheme).from_uri(uri, values))

    @property
    def info(self) -> AccessorInfo:
        """Scheme, root and name of the storage, and what it can do, natively and completed."""
        return self._accessor.info

    def layer(self, layer: Layer) -> Operator:
        """A new operator with one more layer around everything. This one stays as it is.

        It shares the connections of this one.
        """
        return Operator(self._config, layers=(*self._layers, layer), context=self._context)

    async def read(self, path: Path, **options: Unpack[ReaderOptions]) -> bytes:
        """Reads an object, or a range of it.

        Arguments:
            path: the object.
            range: which bytes; `(start, end)`, half-open, or a `BytesRange`. By default all.
            version: the version to read. Requires `read_with_version`.
            if_match: only if the object has this etag. Requires `read_with_if_match`.
            if_none_match: only if it has another. Requires `read_with_if_none_match`.
            if_modified_since: only if written after this time. Requires `read_with_if_modified_since`.
            if_unmodified_since: only if not. Requires `read_with_if_unmodified_since`.
            chunk: hint: bytes per request. By default one request for all.
            concurrent: hint: requests in flight, with `chunk`. By default 1.
            gap: hint: for `Reader.fetch`. By default 1 MiB.
            content_length_hint: hint: the size that the object is believed to have, in bytes.

        Raises:
            NotFound: there is no such object.
            IsADirectory: the path names a directory.
            RangeNotSatisfied: the range starts behind the end of the object.
            ConditionNotMatch: a condition does not hold.
        """
        return await self._call_read(path, options)

    def read_with(self, path: Path) -> FutureRead:
        """The same as `read`, described step by step: `await op.read_with(path).range(0, 8)`."""
        return FutureRead(self._call_read, "read_with", path, {})

    def reader(self, path: Path, **options: Unpack[ReaderOptions]) -> FutureReader:
        """A `Reader` over an object or a range of it. Opening it does no I/O; its first use does.

        Await it for the `Reader`, enter it with `async with`, or iterate it by chunks with `async for`.
        Options are those of `read`.
        """
        return FutureReader(self._call_reader, "reader", path, options)

    def reader_with(self, path: Path) -> FutureReader:
        """The same as `reader`, described step by step: `async for chunk in op.reader_with(path).chunk(n)`."""
        return FutureReader(self._call_reader, "reader_with", path, {})

    async def stat(self, path: Path, **options: Unpack[StatOptions]) -> Metadata:
        """What the storage knows of an object or a directory.

        Arguments:
            path: the object; with a trailing slash, the directory.
            version: the version to ask about. Requires `stat_with_version`.
            if_match: only if the object has this etag. Requires `stat_with_if_match`.
            if_none_match: only if it has another. Requires `stat_with_if_none_match`.
            if_modified_since: only if written after this time. Requires `stat_with_if_modified_since`.
            if_unmodified_since: only if not. Requires `stat_with_if_unmodified_since`.

        Raises:
            NotFound: there is nothing of that name.
            ConditionNotMatch: a condition does not hold.
        """
        return await self._call_stat(path, options)

    def stat_with(self, path: Path) -> FutureStat:
        """The same as `stat`, described step by step: `await op.stat_with(path).if_match(etag)`."""
        return FutureStat(self._call_stat, "stat_with", path, {})

    async def exists(self, path: Path) -> bool:
        """Whether there is anything of that name. Only its absence is False; other errors are raised."""
        try:
            await self._call("exists", self._stat, path, {})
        except (NotFound, NotADirectory):
            return False
        return True

    async def check(self) -> None:
        """Raises what keeps this operator from reading: no such bucket, no permission, no connection.

        It reads one byte of an object that need not exist. On S3 it needs the permission to list the
        bucket: without it the service answers for a missing object as for a forbidden one.
        """
        await self._call("check", self._check, "/")

    async def write(self, path: Path, data: bytes | bytearray | memoryview) -> Metadata:
        """Replaces an object by what is given, all or nothing. Requires `write`.

        Arguments:
            path: the object.
            data: its new bytes.

        Raises:
            InvalidInput: `data` is not bytes.
            IsADirectory: the path names a directory.
            PermissionDenied, StorageFull: the storage refuses.
        """
        return await self._call("write", self._write, path, data)

    async def close(self) -> None:
        """Closes the connections of this event loop now. The operator can still be used: it makes new ones.

        They close by themselves when their loop ends. A transport that was passed in is left alone.
        """
        await self._context.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        layers = "".join(f", {type(layer).__name__}" for layer in self._layers)
        return f"Operator({self._config!r}{layers})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._config, self._layers, self._context)

    async def _call(self, operation: str, call: Callable[[str, *Args], Awaitable[T]], path: Path, *args: *Args) -> T:
        """Makes a call on a path whose errors name the call, the scheme and the path."""
        try:
            normalized = normalize_path(path)
            _log_debug("%s %s %r", self._accessor.info.scheme, operation, normalized)
            return await call(normalized, *args)
        except Error as error:
            error.of_call(operation, scheme=self._accessor.info.scheme, path=str(path))
            raise

    async def _call_read(self, path: Path, options: Mapping[str, Any]) -> bytes:
        return await self._call("read", self._read, path, options)

    async def _call_reader(self, path: Path, options: Mapping[str, Any]) -> Reader:
        return await self._call("reader", self._reader, path, options)

    async def _call_stat(self, path: Path, options: Mapping[str, Any]) -> Metadata:
        return await self._call("stat", self._stat, path, options)

    async def _read(self, path: str, options: Mapping[str, Any]) -> bytes:
        args = read_args(options)
        _, body = await open_body(self._context, PinnedRange(self._accessor, path, args), args)
        try:
            return await read_to_end(body)
        finally:
            await body.close()

    async def _reader(self, path: str, options: Mapping[str, Any]) -> Reader:
        args = read_args(options)
        pinned = PinnedRange(self._accessor, path, args)
        opened = await open_body(self._context, pinned, args)
        return Reader(self._context, pinned, args, opened)

    async def _stat(self, path: str, options: Mapping[str, Any]) -> Metadata:
        return (await self._accessor.stat(path, stat_args(options))).metadata

    async def _check(self, path: str) -> None:
        try:
            await self._read(_PROBE, {"range": BytesRange(0, 1)})
        except NotFound:
            return
        except Error as error:
            error.path = path
            raise

    async def _write(self, path: str, data: bytes | bytearray | memoryview) -> Metadata:
        if not isinstance(data, bytes | bytearray | memoryview):
            hint = "; encode it first" if isinstance(data, str) else ""
            raise InvalidInput(f"data is bytes, not {type(data).__name__}{hint}")
        _, body = await self._accessor.write(path, DEFAULT_WRITE)
        try:
            await body.write(data)
            return await body.close()
        except BaseException as error:
            await self._abort(body, error)
            raise

    async def _abort(self, body: oio.Write, cause: BaseException) -> None:
        """Drops what was written, whoever cancels. What goes wrong with that is told beside the cause."""
        try:
            await self._context.runtime.shield(body.abort)
        except Error as second:
            cause.add_note(f"and what was written could not be dropped: {second}")


def _check_is_layer(layer: object) -> None:
    if not isinstance(layer, Layer):
        raise InvalidInput(f"a layer is an instance of Layer, not {layer!r:.80}")


def _log_debug(message: str, *values: object) -> None:
    """Logs under `entrepot`. A program that never imported `logging` has nowhere to log to and is spared it."""
    logging = sys.modules.get("logging")
    if logging is not None and (logger := logging.getLogger("entrepot")).isEnabledFor(logging.DEBUG):
        logger.debug(message, *values)


def _restore(cls: type[Operator], config: ServiceConfig, layers: tuple[Layer, ...], context: Context) -> Operator:
    return cls(config, layers=layers, context=context)
