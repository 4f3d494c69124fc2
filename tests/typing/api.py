"""The public surface as type checkers see it. Never run: `make check` has mypy and basedpyright read it."""

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, TypeVar, TypeVarTuple, assert_type

from entrepot import (
    BytesRange,
    Capability,
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    Copied,
    DeletionsFailed,
    Entry,
    EntryMode,
    Error,
    IsADirectory,
    Lister,
    Metadata,
    NotFound,
    Operator,
    Part,
    PermissionDenied,
    PresignedRequest,
    Reader,
    Scheme,
    Timeout,
    TreeReport,
    Unsupported,
    Upload,
    Writer,
)
from entrepot.facade.files import BinaryReader, BinaryWriter
from entrepot.facade.futures import (
    FutureList,
    FutureLister,
    FutureRead,
    FutureReader,
    FutureStat,
    FutureWrite,
    FutureWriter,
)
from entrepot.facade.text_files import TextReader, TextWriter
from entrepot.layers import ErrorContextLayer, RetryLayer, TimeoutLayer
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    Operation,
    OpRead,
    OpStat,
    RpRead,
    RpStat,
    ServiceConfig,
    oio,
)
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3, Fs, Http, Memory, Sqlite
from entrepot.signing import CredentialCache, Credentials, Provider, provider_of

T = TypeVar("T")
Args = TypeVarTuple("Args")

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


async def files(op: Operator) -> None:
    async with op.open("a", "rb", range=(0, 8)) as binary:
        assert_type(binary, BinaryReader)
        assert_type(await binary.readline(), bytes)
        async for line in binary:
            assert_type(line, bytes)
    async with op.open("a") as text:
        assert_type(text, TextReader)
        assert_type(await text.readlines(), list[str])
    async with op.open("a", "wb", content_type="text/plain") as written:
        assert_type(written, BinaryWriter)
        assert_type(await written.write(bytearray()), int)
    assert_type(await op.open("a", "w", newline=""), TextWriter)


def operators() -> None:
    assert_type(Operator(Fs("/data")), Operator)
    assert_type(Fs(Path("/data"), fsync=True).root, str)
    assert_type(Sqlite(Path("/data/x.db"), table="t").connection_string, str)
    assert_type(Operator(Memory(root="/a"), layers=(ErrorContextLayer(),), context=Context()), Operator)
    assert_type(Operator(Http("https://example.org", token=None)), Operator)
    assert_type(Operator(S3(bucket="b", region="r", access_key_id="k", secret_access_key="s")), Operator)
    assert_type(Operator.from_config("s3", {"bucket": "b"}, region="r"), Operator)
    assert_type(Operator.from_uri("s3://b/root?region=r"), Operator)
    assert_type(Operator(Http("https://example.org"), resilient=False), Operator)
    assert_type(Operator.from_config("s3", bucket="b", resilient=False), Operator)
    assert_type(Operator.from_uri("s3://b/root?region=r", resilient=False), Operator)
    op = Operator(Memory())
    assert_type(op.layer(ErrorContextLayer()), Operator)
    assert_type(op.layer(RetryLayer(max_times=5)).layer(TimeoutLayer(timeout=5)), Operator)
    assert_type(op.at("dir/"), Operator)
    assert_type(op.info, AccessorInfo)
    assert_type(op.info.capability, Capability)
    assert_type(op.info.capability.read_with_if_match, bool)
    assert_type(str(Scheme.S3), str)


class Vault:
    """A provider by its shape."""

    async def load(self) -> Credentials:
        return Credentials("k", "s")


async def lease() -> Credentials:
    return Credentials("k", "s", "t", expires_at=NOON, source="vault")


async def credentials(context: Context) -> None:
    S3(bucket="b", credentials=lease)
    S3(bucket="b", credentials=lambda: Credentials("k", "s"))
    S3(bucket="b", credentials=Vault())
    cache = CredentialCache(provider_of(Vault(), Credentials, context.runtime), context.runtime)
    assert_type(cache.fresh(), Credentials | None)
    assert_type(await cache.renew(await cache.get()), Credentials)
    provider: Provider[Credentials] = Vault()
    assert_type(await provider.load(), Credentials)


async def entered() -> None:
    async with Operator(Memory()) as op:
        assert_type(op, Operator)
    assert_type(await op.close(), None)
    assert_type(await op.check(), None)


async def reading(op: Operator) -> None:
    assert_type(await op.read("a"), bytes)
    assert_type(await op.read(PurePosixPath("a"), range=(0, 8)), bytes)
    assert_type(await op.read("a", range=(8, None), version="v", if_match='"e"', if_none_match='"f"'), bytes)
    assert_type(await op.read("a", range=BytesRange(suffix=8), if_modified_since=NOON), bytes)
    assert_type(await op.read("a", chunk=4096, concurrent=4, gap=0, content_length_hint=10, read_ahead=0), bytes)
    assert_type(await op.exists("a"), bool)


async def refused(op: Operator) -> None:
    await op.read("a", rnage=(0, 8))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await op.read("a", range=8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await op.read(b"a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await op.stat("a", chunk=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await op.write("a", "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await op.write("a", b"", if_match=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await op.list("a", chunk=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await op.delete_many("a", concurrent="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Operator("fs")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    OpRead().gap = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def described(op: Operator) -> None:
    assert_type(await op.stat("a"), Metadata)
    assert_type(await op.stat("a", if_match='"e"', if_unmodified_since=NOON), Metadata)
    metadata = await op.stat_with("a").version("v").if_match('"e"').if_none_match('"f"')
    assert_type(metadata, Metadata)
    assert_type(metadata.mode, EntryMode)
    assert_type(metadata.content_length, int | None)
    assert_type(metadata.etag, str | None)
    assert_type(metadata.last_modified, datetime | None)
    assert_type(metadata.is_dir, bool)


async def built_step_by_step(op: Operator) -> None:
    assert_type(await op.read_with_metadata("a", range=(0, 8), version="v"), tuple[bytes, Metadata])
    assert_type(op.read_with("a"), FutureRead)
    assert_type(op.read_with("a").range(0, 8), FutureRead)
    assert_type(await op.read_with("a").range(0, 8).if_match('"e"').version("v"), bytes)
    assert_type(await op.read_with("a").range(suffix=8).if_modified_since(NOON).if_unmodified_since(NOON), bytes)
    assert_type(op.stat_with("a"), FutureStat)
    assert_type(op.reader_with("a").chunk(1).concurrent(2).gap(3).content_length_hint(4).read_ahead(5), FutureReader)


async def writing(op: Operator, pieces: Iterator[bytes], stream: AsyncIterator[bytes]) -> None:
    assert_type(await op.write("a", b"data"), Metadata)
    assert_type(await op.write("a", memoryview(b"data"), append=True), Metadata)
    assert_type(await op.write("a", array("d", [1.5])), Metadata)
    assert_type(await op.write("a", [array("d", [1.5])]), Metadata)
    assert_type(await op.write("a", BytesIO(b"data")), Metadata)
    assert_type(await op.write("a", Path("file")), Metadata)
    assert_type(await op.write("a", pieces, content_type="text/plain", user_metadata={"k": "v"}), Metadata)
    assert_type(await op.write("a", stream, if_not_exists=True, chunk=8, concurrent=2), Metadata)
    assert_type(await op.write("a", op.reader("b"), if_match='"e"', if_none_match='"f"'), Metadata)
    assert_type(op.write_with("a", b"data").content_type("text/plain"), FutureWrite)
    assert_type(await op.write_with("a", [b"data"]).append().if_not_exists(), Metadata)
    assert_type(op.writer("a", cache_control="no-store"), FutureWriter)
    assert_type(await op.writer_with("a").chunk(8).concurrent(2).user_metadata({"k": "v"}), Writer)
    async with op.writer("a") as writer:
        assert_type(await writer.write(bytearray(b"data")), None)
        assert_type(writer.tell(), int)
        assert_type(await writer.abort(), None)
        assert_type(await writer.close(), Metadata)


async def listing(op: Operator) -> None:
    assert_type(await op.list("a/", recursive=True, start_after=PurePosixPath("a/b"), limit=10), list[Entry])
    assert_type(op.list_with("a/").versions().deleted(), FutureList)
    assert_type(op.lister("a/"), FutureLister)
    assert_type(await op.lister_with("a/").recursive().start_after("a/b").limit(1), Lister)
    async for entry in op.lister("a/"):
        assert_type(entry.path, str)
        assert_type(entry.name, str)
        assert_type(entry.metadata, Metadata)
    async with op.lister("a/") as lister:
        assert_type(await lister.next(), Entry | None)
        assert_type(await lister.next_page(), Sequence[Entry] | None)
        async for entry in lister:
            assert_type(entry, Entry)
        assert_type(await lister.aclose(), None)


async def deleting_and_moving(op: Operator) -> None:
    assert_type(await op.delete("a", recursive=True), None)
    assert_type(await op.delete_with("a").version("v").recursive(), None)
    assert_type(await op.delete_many(["a", PurePosixPath("b")]), None)
    assert_type(await op.stat_many(["a", PurePosixPath("b")], concurrent=4), list[Metadata | None])
    assert_type(await op.delete_many(op.lister("a/", versions=True), concurrent=4), None)
    assert_type(await op.copy("a", "b", if_not_exists=True, source_version="v"), Metadata)
    assert_type(await op.copy_with("a", "b").if_match('"e"'), Metadata)
    assert_type(await op.copy("a", "b", chunk=8, concurrent=2, source_content_length_hint=99), Metadata)
    assert_type(await op.rename("a", "b"), None)
    assert_type(await op.rename_with("a", "b").if_not_exists(), None)
    assert_type(await op.create_dir("a/"), None)


async def copying_to(op: Operator, other: Operator) -> None:
    assert_type(await op.copy_to(other, "a", PurePosixPath("b"), if_not_exists=True), Copied)
    copied = await op.copy_to_with(other, "a", "b").source_version("v").if_match('"e"').chunk(8).concurrent(2)
    assert_type(copied, Copied)
    assert_type(copied.metadata, Metadata)
    assert_type(copied.not_carried, tuple[str, ...])
    assert_type(copied.is_server_side, bool)
    await op.copy_to("memory://", "a", "b")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def dangling_uploads(op: Operator) -> None:
    assert_type(await op.get_tags("a", version="v"), Mapping[str, str])
    assert_type(await op.set_tags("a", {"b": "c"}), None)
    assert_type(await op.list_uploads(), list[Upload])
    for upload in await op.list_uploads("a/", older_than=timedelta(days=1)):
        assert_type(upload.path, str)
        assert_type(upload.id, str)
        assert_type(upload.initiated, datetime | None)
    assert_type(await op.abort_uploads("a/", older_than=timedelta(days=1), concurrent=2), list[Upload])
    await op.abort_uploads("a/")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    upload_id = await op.start_upload("a", content_type="text/plain")
    assert_type(upload_id, str)
    part = await op.upload_part("a", upload_id, 1, b"content")
    assert_type(part, Part)
    assert_type(await op.complete_upload("a", upload_id, [part]), Metadata)
    assert_type(await op.abort_upload("a", upload_id), None)
    assert_type(op.blocking().start_upload("a"), str)


async def presigning(op: Operator) -> None:
    request = await op.presign_read("a", timedelta(hours=1), range=(0, 8), override_content_type="text/plain")
    assert_type(request, PresignedRequest)
    assert_type(request.headers, Mapping[str, str])
    assert_type(request.expires_at, datetime | None)
    assert_type(await op.presign_read_with("a", 60).range(0, 8).if_match('"e"'), PresignedRequest)
    assert_type(await op.presign_stat("a", 60, version="v"), PresignedRequest)
    assert_type(await op.presign_stat_with("a", 60).override_cache_control("no-store"), PresignedRequest)
    assert_type(await op.presign_write("a", 60, content_type="text/plain"), PresignedRequest)
    assert_type(await op.presign_write_with("a", 60).if_not_exists(), PresignedRequest)
    assert_type(await op.presign_delete("a", 60, version="v"), PresignedRequest)
    assert_type(await op.presign_post("a", 60, content_length=(1, 9), content_type="a/b"), PresignedRequest)
    assert_type(await op.presign_part("a", 60, "id", 1), PresignedRequest)
    assert_type(await op.presign_delete_with("a", 60).version("v"), PresignedRequest)


def failures_are_errors(error: DeletionsFailed) -> None:
    assert_type(error.failures, tuple[Error, ...])


async def readers(op: Operator) -> None:
    assert_type(op.reader("a", range=(0, 8)), FutureReader)
    assert_type(await op.reader("a"), Reader)
    async with op.reader("a") as reader:
        assert_type(reader, Reader)
    async for chunk in op.reader_with("a").chunk(4096).concurrent(4):
        assert_type(chunk, bytes)


async def reader_verbs(reader: Reader) -> None:
    assert_type(await reader.read(), bytes)
    assert_type(await reader.read(8), bytes)
    assert_type(await reader.readexactly(8), bytes)
    assert_type(await reader.readinto(bytearray(8)), int)
    assert_type(await reader.readinto(memoryview(bytearray(8))), int)
    assert_type(await reader.receive(8), bytes)
    assert_type(await reader.seek(-8, 2), int)
    assert_type(reader.tell(), int)
    assert_type(await reader.size(), int)
    assert_type(await reader.metadata(), Metadata)
    assert_type(await reader.fetch([(0, 8), (16, None), BytesRange(suffix=1)]), list[bytes])
    assert_type(await reader.fetch_views([(0, 8)]), list[memoryview])
    async for chunk in reader:
        assert_type(chunk, bytes)
    assert_type(await reader.aclose(), None)


def is_an_anyio_stream(reader: Reader) -> tuple[Callable[[int], Awaitable[bytes]], Callable[[], Awaitable[None]]]:
    """`Reader` has what `anyio.abc.ByteReceiveStream` has, without deriving from it."""
    return reader.receive, reader.aclose


def errors_are_built_in_ones(error: Error) -> None:
    missing: FileNotFoundError = NotFound("m")
    denied: PermissionError = PermissionDenied("m", path="p")
    late: TimeoutError = Timeout("m", operation="read")
    wrong: ValueError = ConfigInvalid("m", scheme="s3", context={"key": "bucket"})
    folder: IsADirectoryError = IsADirectory("m")
    changed: OSError = ConditionNotMatch("m")
    short: OSError = ContentIncomplete("m", is_temporary=False)
    cannot: OSError = Unsupported("m")
    del missing, denied, late, wrong, folder, changed, short, cannot
    assert_type(error.kind, str)
    assert_type(error.operation, str | None)
    assert_type(error.path, str | None)
    assert_type(error.is_temporary, bool)
    assert_type(NotFound("m").add_context(path="p"), NotFound)


class Counted(Layer):
    """A layer with both hooks."""

    def wrap_context(self, context: Context) -> Context:
        return context.replace(http=CountingTransport(context.http))

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return CountingAccessor(Narrow(accessor))


class CountingAccessor(AroundAccessor):
    """One coroutine around all calls keeps their argument and result types."""

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        return await call(*args)


class Narrow(LayeredAccessor):
    """Changes one operation and leaves the others."""

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return await self.inner.stat(path, args)


class CountingTransport(HttpTransport):
    """A transport around another."""

    def __init__(self, inner: HttpTransport) -> None:
        self.inner = inner

    async def send(self, request: HttpRequest) -> HttpResponse:
        response = await self.inner.send(request)
        assert_type(response.body, HttpBody)
        assert_type(response.headers.get("etag"), str | None)
        return response


class Minimal(ServiceConfig):
    """A service narrows what its operations return."""

    SCHEME = "minimal"

    def build(self, context: Context) -> Accessor:
        return MinimalAccessor()


class MinimalAccessor(Accessor):
    """The accessor of `Minimal`."""

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.BytesReader]:
        assert_type(args.range, BytesRange)
        assert_type(args.if_match, str | None)
        return RpRead(), oio.BytesReader(bytes)


async def streamed(op: Operator) -> AsyncIterator[bytes]:
    """A reader stands where an iterable of bytes is wanted."""
    async for chunk in op.reader("a"):
        yield chunk


def exits_are_not_swallowed(reader: Reader) -> None:
    leave: Callable[
        [type[BaseException] | None, BaseException | None, TracebackType | None], Coroutine[Any, Any, None]
    ] = reader.__aexit__
    del leave


async def trees_are_typed(op: Operator, other: Operator) -> None:
    report: TreeReport = await op.copy_tree(other, "a/", include="*.csv", concurrent=2)
    assert_type(report.copied_bytes, int)
    assert_type(report.untried, int)
    assert_type(await op.download("a", "b", resume=True, chunk=1), Metadata)
    async for entry in op.glob("*"):
        assert_type(entry, Entry)
    async for path, directories, _files in op.walk():
        assert_type(path, str)
        assert_type(directories, list[Entry])
