"""One suite for all layers: on every operation and every verb of its bodies, a layer keeps what layers owe.

A new layer gets a line in `LAYERS`, a new operation one in `CALLS`; the suite says so if they are missing.
"""

from asyncio import wait_for
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from entrepot import Capability, Entry, EntryMode, Metadata, NotFound, PresignedRequest, layers
from entrepot.layers import (
    CapabilityOverrideLayer,
    ChaosLayer,
    CompleteLayer,
    ConcurrentLimitLayer,
    CorrectnessCheckLayer,
    ErrorContextLayer,
    LoggingLayer,
    MetricsLayer,
    MimeGuessLayer,
    PrefixLayer,
    ReadOnlyLayer,
    RetryLayer,
    ThrottleLayer,
    TimeoutLayer,
    TracingLayer,
    TypeEraseLayer,
)
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_LIST_UPLOADS,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    OPERATIONS,
    Accessor,
    AccessorInfo,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    Operation,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    oio,
)
from entrepot.raw.http import HttpRequest
from entrepot.testing.transport import MockTransport, reply

PATH = "folder/file"
TARGET = "folder/other"
DIRECTORY = "folder/new/"
METADATA = Metadata(mode=EntryMode.FILE, content_length=7)
PAGE = [Entry(PATH, METADATA)]
ABORT = OpAbortUpload(id="u")
PRESIGN = OpPresign(operation=DEFAULT_READ, expires=timedelta(minutes=1))
EVERYTHING = Capability(**dict.fromkeys(Capability.__slots__, True))

# Each layer as its users make it, and the operations that it changes. It leaves the others as they are.
LAYERS: dict[type[Layer], tuple[Callable[[], Layer], set[str]]] = {
    ChaosLayer: (lambda: ChaosLayer(error_ratio=0), set(OPERATIONS)),
    CompleteLayer: (CompleteLayer, {"stat", "read", "create_dir", "list"}),
    ConcurrentLimitLayer: (lambda: ConcurrentLimitLayer(1, http_limit=1), set(OPERATIONS) - {"presign"}),
    CorrectnessCheckLayer: (CorrectnessCheckLayer, set(OPERATIONS)),
    ErrorContextLayer: (ErrorContextLayer, set(OPERATIONS)),
    RetryLayer: (RetryLayer, set(OPERATIONS)),
    LoggingLayer: (LoggingLayer, set(OPERATIONS)),
    MetricsLayer: (lambda: MetricsLayer(CollectorRegistry()), set(OPERATIONS)),
    ThrottleLayer: (lambda: ThrottleLayer(bandwidth=1e9, requests=1e9), set(OPERATIONS) - {"presign"}),
    TimeoutLayer: (TimeoutLayer, set(OPERATIONS)),
    TracingLayer: (TracingLayer, set(OPERATIONS)),
    TypeEraseLayer: (TypeEraseLayer, set()),
    CapabilityOverrideLayer: (CapabilityOverrideLayer, set()),
    MimeGuessLayer: (MimeGuessLayer, {"stat", "write"}),
}

# Layers that are there to change what passes through. Their own tests go through all of `CALLS`.
CHANGING: set[type[Layer]] = {PrefixLayer, ReadOnlyLayer}


async def _reader(accessor: Accessor) -> oio.Read:
    return (await accessor.read(PATH, DEFAULT_READ))[1]


async def _writer(accessor: Accessor) -> oio.Write:
    return (await accessor.write(PATH, DEFAULT_WRITE))[1]


async def _stat(accessor: Accessor) -> object:
    return await accessor.stat(PATH, DEFAULT_STAT)


async def _read(accessor: Accessor) -> object:
    return (await accessor.read(PATH, DEFAULT_READ))[0]


async def _reader_read(accessor: Accessor) -> object:
    return await (await _reader(accessor)).read(3)


async def _reader_seek(accessor: Accessor) -> object:
    return await (await _reader(accessor)).seek(-2, 2)


async def _reader_next(accessor: Accessor) -> object:
    return await (await _reader(accessor)).next()


async def _reader_close(accessor: Accessor) -> object:
    return await (await _reader(accessor)).close()


async def _write(accessor: Accessor) -> object:
    return (await accessor.write(PATH, DEFAULT_WRITE))[0]


async def _writer_write(accessor: Accessor) -> object:
    return await (await _writer(accessor)).write(b"data")


async def _writer_close(accessor: Accessor) -> object:
    return await (await _writer(accessor)).close()


async def _writer_abort(accessor: Accessor) -> object:
    return await (await _writer(accessor)).abort()


async def _create_dir(accessor: Accessor) -> object:
    return await accessor.create_dir(DIRECTORY, DEFAULT_CREATE_DIR)


async def _delete(accessor: Accessor) -> object:
    return (await accessor.delete())[0]


async def _deleter_delete(accessor: Accessor) -> object:
    return await (await accessor.delete())[1].delete(PATH, DEFAULT_DELETE)


async def _deleter_close(accessor: Accessor) -> object:
    return await (await accessor.delete())[1].close()


async def _list(accessor: Accessor) -> object:
    return (await accessor.list(PATH, DEFAULT_LIST))[0]


async def _lister_next(accessor: Accessor) -> object:
    return await (await accessor.list(PATH, DEFAULT_LIST))[1].next()


async def _lister_close(accessor: Accessor) -> object:
    return await (await accessor.list(PATH, DEFAULT_LIST))[1].close()


async def _copy(accessor: Accessor) -> object:
    return await accessor.copy(PATH, TARGET, DEFAULT_COPY)


async def _rename(accessor: Accessor) -> object:
    return await accessor.rename(PATH, TARGET, DEFAULT_RENAME)


async def _presign(accessor: Accessor) -> object:
    return await accessor.presign(PATH, PRESIGN)


async def _list_uploads(accessor: Accessor) -> object:
    return await accessor.list_uploads(PATH, DEFAULT_LIST_UPLOADS)


async def _abort_upload(accessor: Accessor) -> object:
    return await accessor.abort_upload(PATH, ABORT)


# The path that a call is about, where that is not `PATH`.
PATHS = {Operation.CREATE_DIR: DIRECTORY, Operation.DELETE: None, Operation.DELETER_CLOSE: None}

# How each operation is called, with what arguments it must arrive at the service, and what the service answers.
CALLS: dict[Operation, tuple[Callable[[Accessor], Awaitable[object]], tuple[object, ...], object]] = {
    Operation.STAT: (_stat, (PATH, DEFAULT_STAT), RpStat(metadata=METADATA)),
    Operation.READ: (_read, (PATH, DEFAULT_READ), RpRead(metadata=METADATA)),
    Operation.READER_READ: (_reader_read, (3,), b"abc"),
    Operation.READER_SEEK: (_reader_seek, (-2, 2), 5),
    Operation.READER_NEXT: (_reader_next, (), b"abcdefg"),
    Operation.READER_CLOSE: (_reader_close, (), None),
    Operation.WRITE: (_write, (PATH, DEFAULT_WRITE), RpWrite()),
    Operation.WRITER_WRITE: (_writer_write, (b"data",), None),
    Operation.WRITER_CLOSE: (_writer_close, (), METADATA),
    Operation.WRITER_ABORT: (_writer_abort, (), None),
    Operation.CREATE_DIR: (_create_dir, (DIRECTORY, DEFAULT_CREATE_DIR), RpCreateDir()),
    Operation.DELETE: (_delete, (), RpDelete()),
    Operation.DELETER_DELETE: (_deleter_delete, (PATH, DEFAULT_DELETE), None),
    Operation.DELETER_CLOSE: (_deleter_close, (), None),
    Operation.LIST: (_list, (PATH, DEFAULT_LIST), RpList()),
    Operation.LISTER_NEXT: (_lister_next, (), PAGE),
    Operation.LISTER_CLOSE: (_lister_close, (), None),
    Operation.COPY: (_copy, (PATH, TARGET, DEFAULT_COPY), RpCopy(metadata=METADATA)),
    Operation.RENAME: (_rename, (PATH, TARGET, DEFAULT_RENAME), RpRename()),
    Operation.LIST_UPLOADS: (_list_uploads, (PATH, DEFAULT_LIST_UPLOADS), RpListUploads(uploads=())),
    Operation.ABORT_UPLOAD: (_abort_upload, (PATH, ABORT), RpAbortUpload()),
    Operation.PRESIGN: (_presign, (PATH, PRESIGN), RpPresign(request=PresignedRequest("GET", "http://h/p"))),
}


class Service(Accessor):
    """Answers every operation and verb as `CALLS` says, writes down what arrived, and fails where it is told to."""

    def __init__(self, fails_at: Operation | None = None) -> None:
        self.info = AccessorInfo("test", native_capability=EVERYTHING)
        self.arrived: list[tuple[Operation, tuple[object, ...]]] = []
        self._fails_at = fails_at

    def answer(self, operation: Operation, *args: object) -> Any:
        self.arrived.append((operation, args))
        if operation is self._fails_at:
            raise NotFound("as the test asked for")
        return CALLS[operation][2]

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return self.answer(Operation.STAT, path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return self.answer(Operation.READ, path, args), _Reader(self)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return self.answer(Operation.WRITE, path, args), _Writer(self)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        return self.answer(Operation.CREATE_DIR, path, args)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return self.answer(Operation.DELETE), _Deleter(self)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return self.answer(Operation.LIST, path, args), _Lister(self)

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        return self.answer(Operation.COPY, source, target, args)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        return self.answer(Operation.RENAME, source, target, args)

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        return self.answer(Operation.LIST_UPLOADS, path, args)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        return self.answer(Operation.ABORT_UPLOAD, path, args)

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        return self.answer(Operation.PRESIGN, path, args)


class _Reader(oio.Read):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def read(self, n: int) -> bytes:
        return self.answer(Operation.READER_READ, n)

    async def seek(self, offset: int, whence: int = 0) -> int:
        return self.answer(Operation.READER_SEEK, offset, whence)

    async def next(self) -> bytes | None:
        return self.answer(Operation.READER_NEXT)

    async def close(self) -> None:
        return self.answer(Operation.READER_CLOSE)


class _Writer(oio.Write):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        return self.answer(Operation.WRITER_WRITE, data)

    async def close(self) -> Metadata:
        return self.answer(Operation.WRITER_CLOSE)

    async def abort(self) -> None:
        return self.answer(Operation.WRITER_ABORT)


class _Deleter(oio.Delete):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def delete(self, path: str, args: OpDelete) -> None:
        return self.answer(Operation.DELETER_DELETE, path, args)

    async def close(self) -> None:
        return self.answer(Operation.DELETER_CLOSE)


class _Lister(oio.List):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def next(self) -> Sequence[Entry] | None:
        return self.answer(Operation.LISTER_NEXT)

    async def close(self) -> None:
        return self.answer(Operation.LISTER_CLOSE)


every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
every_operation = pytest.mark.parametrize("operation", CALLS, ids=str)


def _layer_classes() -> set[type[Layer]]:
    """The public layers, by looking into every file of the room."""
    folder = str(Path(layers.__file__).parent)
    modules = [import_module(f"{layers.__name__}.{one.name}") for one in iter_modules([folder])]
    values = [value for module in modules for name, value in vars(module).items() if not name.startswith("_")]
    return {value for value in values if isclass(value) and issubclass(value, Layer) and value is not Layer}


def test_every_layer_is_in_this_suite() -> None:
    names = {layer.__name__ for layer in _layer_classes()}
    missing = names - {layer.__name__ for layer in {*LAYERS, *CHANGING}}
    assert not missing, f"not exercised by the suite of all layers: add {', '.join(missing)} to LAYERS in {__file__}"
    unlisted = names - set(layers.__all__)
    assert not unlisted, f"{', '.join(unlisted)} cannot be imported from entrepot.layers: add it to its __all__"


def test_every_operation_is_in_this_suite() -> None:
    missing = set(Operation) - set(CALLS)
    assert not missing, f"not exercised by the suite of all layers: add {', '.join(missing)} to CALLS in {__file__}"


@every_layer
@every_operation
async def test_what_passes_through_is_unchanged(layer: type[Layer], operation: Operation) -> None:
    service = Service()
    call, arguments, answer = CALLS[operation]
    assert await call(LAYERS[layer][0]().wrap(service, Context())) is answer
    assert [args for arrived, args in service.arrived if arrived is operation] == [arguments]


@every_layer
@every_operation
async def test_an_error_comes_out_typed_and_names_scheme_operation_and_path(
    layer: type[Layer], operation: Operation
) -> None:
    service = Service(fails_at=operation)
    stack = LAYERS[layer][0]().wrap(ErrorContextLayer().wrap(service, Context()), Context())
    with pytest.raises(NotFound) as caught:
        await CALLS[operation][0](stack)
    error = caught.value
    path = PATHS.get(operation, PATH)
    assert (error.kind, error.scheme, error.operation, error.path) == ("NotFound", "test", operation, path)
    assert service.arrived[-1][0] is operation


@every_layer
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_is_not_changed_is_the_inner_bound_method(layer: type[Layer], operation: str) -> None:
    service = Service()
    wrapped = LAYERS[layer][0]().wrap(service, Context())
    is_untouched = getattr(wrapped, operation) == getattr(service, operation)
    assert is_untouched == (operation not in LAYERS[layer][1])


@every_layer
def test_the_scheme_root_and_name_stay(layer: type[Layer]) -> None:
    service = Service()
    info = LAYERS[layer][0]().wrap(service, Context()).info
    assert (info.scheme, info.root, info.name) == (service.info.scheme, service.info.root, service.info.name)
    assert info.native_capability == EVERYTHING


@pytest.mark.parametrize(
    "layer", [one for one in LAYERS if one is not ConcurrentLimitLayer], ids=lambda one: one.__name__
)
@every_operation
async def test_the_same_layer_twice_waits_for_nothing(layer: type[Layer], operation: Operation) -> None:
    twice = LAYERS[layer][0]()
    context = twice.wrap_context(twice.wrap_context(Context()))
    stack = twice.wrap(twice.wrap(Service(), context), context)
    call, _, answer = CALLS[operation]
    assert await wait_for(call(stack), 30) is answer


@every_layer
async def test_a_request_stays_what_its_sender_made(layer: type[Layer]) -> None:
    transport = MockTransport(lambda _: reply(200, b"content"))
    context = LAYERS[layer][0]().wrap_context(Context(http=transport))
    request = HttpRequest("GET", "http://h/a", [("a", "b")], b"content")
    before = replace(request, headers=list(request.headers))
    for _ in range(2):
        await (await context.http.send(request)).body.close()
    assert request == before
    assert len(transport.requests) == 2


@pytest.mark.parametrize("base", [LayeredAccessor, AroundAccessor], ids=lambda base: base.__name__)
@every_operation
async def test_the_bases_of_layers_pass_everything_through(base: type[LayeredAccessor], operation: Operation) -> None:
    service = Service()
    call, arguments, answer = CALLS[operation]
    assert await call(base(service)) is answer
    assert [args for arrived, args in service.arrived if arrived is operation] == [arguments]
