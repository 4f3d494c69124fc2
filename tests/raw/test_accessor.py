"""The interface and its two bases."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from entrepot import Entry, Metadata, PresignedRequest, Unsupported
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
    LayeredAccessor,
    OpAbortUpload,
    Operation,
    OpGetTags,
    OpPresign,
    OpSetTags,
    OpSharedUpload,
    OpStat,
    OpUploadPart,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpGetTags,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpStat,
    RpWrite,
    oio,
)

ARGUMENTS = {
    "stat": ("p", DEFAULT_STAT),
    "read": ("p", DEFAULT_READ),
    "write": ("p", DEFAULT_WRITE),
    "create_dir": ("p/", DEFAULT_CREATE_DIR),
    "delete": (),
    "list": ("p", DEFAULT_LIST),
    "copy": ("p", "q", DEFAULT_COPY),
    "rename": ("p", "q", DEFAULT_RENAME),
    "get_tags": ("p", OpGetTags()),
    "set_tags": ("p", OpSetTags(tags={"a": "b"})),
    "list_uploads": ("p", DEFAULT_LIST_UPLOADS),
    "abort_upload": ("p", OpAbortUpload(id="u")),
    "shared_upload": ("p", OpSharedUpload(step=OpUploadPart(upload="u", number=1)), b"content"),
    "presign": ("p", OpPresign(operation=DEFAULT_STAT, expires=timedelta(seconds=1))),
}


class Writer(oio.Write):
    async def write(self, data: bytes | bytearray | memoryview) -> None:
        return None

    async def close(self) -> Metadata:
        return Metadata(content_length=1)

    async def abort(self) -> None:
        return None


class Deleter(oio.Delete):
    async def delete(self, path: str, args: object) -> None:
        return None


class Lister(oio.List):
    async def next(self) -> Sequence[Entry] | None:
        return None


class Copier(oio.Copy):
    async def next(self) -> int | None:
        return None

    async def close(self) -> Metadata:
        return Metadata(content_length=2)


class Service(Accessor):
    info = AccessorInfo(scheme="test")

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return RpStat(metadata=Metadata(content_length=3))

    async def read(self, path: str, args: object) -> tuple[RpRead, oio.Read]:
        return RpRead(), oio.BytesReader(lambda: b"abc")

    async def write(self, path: str, args: object) -> tuple[RpWrite, oio.Write]:
        return RpWrite(), Writer()

    async def create_dir(self, path: str, args: object) -> RpCreateDir:
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), Deleter()

    async def list(self, path: str, args: object) -> tuple[RpList, oio.List]:
        return RpList(), Lister()

    async def copy(self, source: str, target: str, args: object) -> tuple[RpCopy, oio.Copy]:
        return RpCopy(), Copier()

    async def rename(self, source: str, target: str, args: object) -> RpRename:
        return RpRename()

    async def get_tags(self, path: str, args: object) -> RpGetTags:
        return RpGetTags(tags={"a": "b"})

    async def set_tags(self, path: str, args: object) -> RpSetTags:
        return RpSetTags()

    async def list_uploads(self, path: str, args: object) -> RpListUploads:
        return RpListUploads(uploads=())

    async def abort_upload(self, path: str, args: object) -> RpAbortUpload:
        return RpAbortUpload()

    async def shared_upload(self, path: str, args: object, content: bytes) -> RpSharedUpload:
        return RpSharedUpload(upload="u")

    async def presign(self, path: str, args: object) -> RpPresign:
        return RpPresign(request=PresignedRequest("GET", "http://h/p"))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_a_service_leaves_out_is_unsupported(operation: str) -> None:
    with pytest.raises(Unsupported, match=operation):
        await getattr(Accessor(), operation)(*ARGUMENTS[operation])


@pytest.mark.parametrize("verb", ["read", "seek", "next"])
async def test_what_a_read_body_leaves_out_is_unsupported(verb: str) -> None:
    with pytest.raises(Unsupported):
        await getattr(oio.Read(), verb)(*([] if verb == "next" else [1]))
    await oio.Read().close()


@pytest.mark.parametrize(("verb", "arguments"), [("write", [b"x"]), ("close", [])])
async def test_what_a_write_body_leaves_out_is_unsupported(verb: str, arguments: list[bytes]) -> None:
    with pytest.raises(Unsupported):
        await getattr(oio.Write(), verb)(*arguments)
    await oio.Write().abort()


@pytest.mark.parametrize("verb", ["next", "close"])
async def test_what_a_copy_body_leaves_out_is_unsupported(verb: str) -> None:
    with pytest.raises(Unsupported):
        await getattr(oio.Copy(), verb)()
    await oio.Copy().abort()


async def test_what_the_bodies_of_deletions_and_listings_leave_out_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        await oio.Delete().delete("p", DEFAULT_DELETE)
    with pytest.raises(Unsupported):
        await oio.List().next()
    await oio.Delete().close()
    await oio.List().close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_a_layer_does_not_override_is_the_inner_bound_method(operation: str) -> None:
    service = Service()
    assert getattr(LayeredAccessor(LayeredAccessor(service)), operation) == getattr(service, operation)


async def test_an_overridden_operation_is_kept() -> None:
    class Larger(LayeredAccessor):
        async def stat(self, path: str, args: OpStat) -> RpStat:
            inner = await super().stat(path, args)
            return RpStat(metadata=Metadata(content_length=(inner.metadata.content_length or 0) + 1))

    layered = Larger(Service())
    assert (await layered.stat("p", DEFAULT_STAT)).metadata.content_length == 4
    assert layered.read == layered.inner.read


async def test_every_forward_of_a_layer_reaches_the_inner_one() -> None:
    layered = LayeredAccessor(Service())
    for operation in OPERATIONS:
        assert await getattr(LayeredAccessor, operation)(layered, *ARGUMENTS[operation]) is not None


class Recording(AroundAccessor):
    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        self.calls: list[Operation] = []

    async def around(self, operation: Operation, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self.calls.append(operation)
        return await super().around(operation, path, call, *args)


async def _call_everything(accessor: Accessor) -> None:
    await accessor.stat("p", DEFAULT_STAT)
    _, reader = await accessor.read("p", DEFAULT_READ)
    assert await reader.read(1) == b"a"
    assert await reader.seek(2) == 2
    assert await reader.next() == b"c"
    await reader.close()
    _, writer = await accessor.write("p", DEFAULT_WRITE)
    await writer.write(b"x")
    assert (await writer.close()).content_length == 1
    await writer.abort()
    await accessor.create_dir("p/", DEFAULT_CREATE_DIR)
    _, deleter = await accessor.delete()
    await deleter.delete("p", DEFAULT_DELETE)
    await deleter.close()
    _, lister = await accessor.list("p", DEFAULT_LIST)
    assert await lister.next() is None
    await lister.close()
    _, copier = await accessor.copy("p", "q", DEFAULT_COPY)
    assert await copier.next() is None
    assert (await copier.close()).content_length == 2
    await copier.abort()
    await accessor.rename("p", "q", DEFAULT_RENAME)
    assert (await accessor.get_tags(*ARGUMENTS["get_tags"])).tags == {"a": "b"}
    await accessor.set_tags(*ARGUMENTS["set_tags"])
    assert (await accessor.list_uploads("p", DEFAULT_LIST_UPLOADS)).uploads == ()
    await accessor.abort_upload("p", OpAbortUpload(id="u"))
    assert (await accessor.shared_upload(*ARGUMENTS["shared_upload"])).upload == "u"
    await accessor.presign(*ARGUMENTS["presign"])


async def test_around_sees_every_operation_and_every_verb_once() -> None:
    accessor = Recording(Service())
    await _call_everything(accessor)
    assert sorted(accessor.calls) == sorted(Operation)


@pytest.mark.parametrize("operation", list(Operation))
async def test_around_sees_only_what_is_named(operation: Operation) -> None:
    class Narrow(Recording):
        operations = frozenset({operation})

    service = Service()
    accessor = Narrow(service)
    await _call_everything(accessor)
    assert accessor.calls == [operation]
    for other in set(OPERATIONS) - {operation.capability}:
        assert getattr(accessor, other) == getattr(service, other)


async def test_a_subclass_of_around_may_override_an_operation_that_it_does_not_name() -> None:
    class Own(AroundAccessor):
        operations = frozenset({Operation.READ})

        async def stat(self, path: str, args: OpStat) -> RpStat:
            return RpStat(metadata=Metadata(content_length=99))

    assert (await Own(Service()).stat("p", DEFAULT_STAT)).metadata.content_length == 99


def test_capability_is_what_is_native_unless_told() -> None:
    from entrepot import Capability

    native = Capability(read=True)
    assert AccessorInfo(scheme="x", native_capability=native).capability == native
    nothing = Capability()
    assert AccessorInfo(scheme="x", native_capability=native, capability=nothing).capability == nothing
    full = Capability(read=True, stat=True)
    assert AccessorInfo(scheme="x", native_capability=native, capability=full).capability == full


async def test_a_body_of_which_no_verb_is_named_is_the_inner_one() -> None:
    class OpensOnly(Recording):
        operations = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST})

    accessor = OpensOnly(Service())
    _, reader = await accessor.read("p", DEFAULT_READ)
    _, writer = await accessor.write("p", DEFAULT_WRITE)
    assert type(reader) is oio.BytesReader
    assert type(writer) is Writer
    assert type((await accessor.delete())[1]) is Deleter
    assert type((await accessor.list("p", DEFAULT_LIST))[1]) is Lister
    assert accessor.calls == [Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST]


async def test_a_verb_that_is_not_named_is_the_inner_bodys_own() -> None:
    class ReadsOnly(Recording):
        operations = frozenset({Operation.READER_READ})

    _, reader = await ReadsOnly(Service()).read("p", DEFAULT_READ)
    assert reader.next.__self__ is not reader
    assert reader.read.__self__ is reader
