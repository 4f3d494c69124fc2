"""The operator itself: what it is made of, what it refuses, what it says."""

import logging
import pickle
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    StorageFull,
    Unsupported,
)
from entrepot.raw import Accessor, AccessorInfo, Context, Layer, LayeredAccessor, OpList, OpRead, RpList, RpRead, oio
from entrepot.services import Memory

CONTENT = bytes(range(256)) * 4


@pytest.fixture
async def op() -> Operator:
    op = Operator(Memory())
    await op.write("dir/file", CONTENT)
    return op


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, CONTENT),
        ({"range": (0, 10)}, CONTENT[:10]),
        ({"range": (10, None)}, CONTENT[10:]),
        ({"range": (1000, 5000)}, CONTENT[1000:]),
        ({"range": (1024, 1030)}, b""),
        ({"range": (1024, None)}, b""),
        ({"range": (7, 7)}, b""),
        ({"range": (5000, 5000)}, b""),
        ({"range": BytesRange(suffix=0)}, b""),
        ({"range": BytesRange(suffix=5)}, CONTENT[-5:]),
        ({"range": BytesRange(suffix=5000)}, CONTENT),
    ],
    ids=str,
)
@pytest.mark.parametrize("hints", [{}, {"chunk": 100}, {"chunk": 100, "concurrent": 4, "content_length_hint": 9000}])
async def test_read_gives_the_range(
    op: Operator, options: dict[str, Any], hints: dict[str, Any], expected: bytes
) -> None:
    assert await op.read("dir/file", **options, **hints) == expected


@pytest.mark.parametrize("hints", [{}, {"chunk": 100}, {"chunk": 100, "concurrent": 4, "content_length_hint": 9000}])
async def test_a_range_behind_the_end_is_not_satisfied(op: Operator, hints: dict[str, Any]) -> None:
    with pytest.raises(RangeNotSatisfied) as caught:
        await op.read("dir/file", range=(1025, 1030), **hints)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "read", "dir/file")


@pytest.mark.parametrize("path", ["dir/file", "/dir/file", "//dir/file", PurePosixPath("dir/file")])
async def test_paths_that_mean_the_same(op: Operator, path: Any) -> None:
    assert await op.read(path) == CONTENT
    assert await op.exists(path)


async def test_a_missing_file_is_a_file_not_found_error(op: Operator) -> None:
    for call in (op.read("no"), op.stat("no")):
        with pytest.raises(FileNotFoundError) as caught:
            await call
        error = caught.value
        assert isinstance(error, NotFound)
        assert (error.scheme, error.path, error.filename) == ("memory", "no", "no")
        assert error.operation in {"read", "stat"}


@pytest.mark.parametrize("path", ["dir/", "/", ""])
async def test_reading_or_writing_a_directory_path_is_refused(op: Operator, path: str) -> None:
    with pytest.raises(IsADirectory) as caught:
        await op.read(path)
    assert caught.value.operation == "read"
    with pytest.raises(IsADirectory) as caught:
        await op.write(path, b"")
    assert caught.value.operation == "write"


@pytest.mark.parametrize("path", ["a\0b", b"a", 7, "a\r\nb", "\udc80"])
async def test_a_path_that_cannot_be_is_refused_everywhere(op: Operator, path: Any) -> None:
    calls = {"read": op.read(path), "stat": op.stat(path), "exists": op.exists(path), "write": op.write(path, b"")}
    shown = path if isinstance(path, str) else f"<{type(path).__name__}>"  # of what is no path only the type
    for name, call in {**calls, "reader": op.reader(path)}.items():
        with pytest.raises(InvalidInput) as caught:
            await call
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", name, shown)


async def test_exists_tells_absence_from_other_errors(op: Operator) -> None:
    class Locked(Layer):
        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return LockedAccessor(accessor)

    class LockedAccessor(LayeredAccessor):
        async def stat(self, path: str, args: Any) -> Any:
            raise PermissionDenied("locked")

    assert await op.exists("dir/file")
    assert await op.exists("dir/")
    assert await op.exists("/")
    assert not await op.exists("dir/other")
    with pytest.raises(PermissionDenied) as caught:
        await op.layer(Locked()).exists("dir/file")
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "exists", "dir/file")


async def test_root_is_a_directory_without_asking(op: Operator) -> None:
    assert (await op.stat("/")).is_dir
    assert (await op.stat("")).is_dir


async def test_conditions_are_checked_before_bytes_are_given(op: Operator) -> None:
    with pytest.raises(ConditionNotMatch) as caught:
        await op.read("dir/file", if_match='"other"')
    assert (caught.value.operation, caught.value.path) == ("read", "dir/file")


async def test_an_option_that_the_service_lacks_is_unsupported(op: Operator) -> None:
    for call in (op.read("dir/file", version="1"), op.stat("dir/file", version="1")):
        with pytest.raises(Unsupported, match="with version") as caught:
            await call
        assert caught.value.scheme == "memory"


async def test_layer_gives_a_new_operator_and_leaves_the_old_one(op: Operator) -> None:
    class Upper(Layer):
        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return UpperAccessor(accessor)

    class UpperAccessor(LayeredAccessor):
        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
            return RpRead(), oio.BytesReader(lambda: b"LAYERED")

    layered = op.layer(Upper())
    assert await layered.read("dir/file") == b"LAYERED"
    assert await op.read("dir/file") == CONTENT


async def test_the_layer_added_last_is_outermost_and_contexts_are_wrapped_too(op: Operator) -> None:
    order: list[str] = []

    class Named(Layer):
        def __init__(self, name: str) -> None:
            self.name = name

        def wrap_context(self, context: Context) -> Context:
            order.append(f"context {self.name}")
            return context

        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return NamedAccessor(accessor, self.name)

    class NamedAccessor(LayeredAccessor):
        def __init__(self, inner: Accessor, name: str) -> None:
            super().__init__(inner)
            self.name = name

        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
            order.append(self.name)
            return await self.inner.read(path, args)

    await op.layer(Named("inner")).layer(Named("outer")).read("dir/file")
    assert order[-2:] == ["outer", "inner"]
    assert order[-4:-2] == ["context inner", "context outer"]


@pytest.mark.parametrize("wrong", [5, "fs", Memory, None])
def test_what_is_no_configuration_or_layer_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        Operator(wrong)
    with pytest.raises(InvalidInput):
        Operator(Memory()).layer(wrong)
    with pytest.raises(InvalidInput):
        Operator(Memory(), layers=(wrong,))
    if wrong is not None:
        with pytest.raises(InvalidInput):
            Operator(Memory(), context=wrong)


def test_info_says_what_it_is_and_can(op: Operator) -> None:
    info = op.info
    assert isinstance(info, AccessorInfo)
    assert (info.scheme, info.root, info.name) == ("memory", "/", "")
    assert info.native_capability.read
    assert info.capability.read_can_seek


async def test_operators_over_one_memory_see_the_same_objects() -> None:
    memory = Memory(root="/a")
    await Operator(memory).write("x", b"1")
    assert await Operator(memory).read("x") == b"1"
    assert not await Operator(Memory(root="/a")).exists("x")


def test_memory_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Operator(Memory()))


async def test_builds_and_operations_log_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="entrepot"):
        op = Operator(Memory())
        await op.write("a", b"")
        await op.read("a")
        await op.stat("a")
    said = [record.getMessage() for record in caplog.records if record.name == "entrepot"]
    assert said == [f"built {Memory()!r} with 0 layers", "memory write 'a'", "memory read 'a'", "memory stat 'a'"]


@pytest.mark.parametrize("operation", ["copy", "rename"])
async def test_an_error_of_two_paths_names_both(op: Operator, operation: str) -> None:
    await op.write("there", b"")
    with pytest.raises(ConditionNotMatch) as caught:
        await getattr(op, operation)("dir/file", "there", if_not_exists=True)
    error = caught.value
    assert (error.operation, error.path, error.context["target"]) == (operation, "dir/file", "there")
    with pytest.raises(InvalidInput) as caught:
        await getattr(op, operation)("dir/file", 5)
    assert (caught.value.operation, caught.value.path) == (operation, "dir/file")


async def test_check_tolerates_that_nothing_is_there_and_raises_the_rest(op: Operator) -> None:
    class Locked(Layer):
        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return LockedAccessor(accessor)

    class LockedAccessor(LayeredAccessor):
        async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
            raise PermissionDenied("locked")

    await op.check()
    with pytest.raises(PermissionDenied) as caught:
        await op.layer(Locked()).check()
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "check", "/")


async def test_check_reads_where_there_is_no_listing(op: Operator) -> None:
    class ReadOnly(Layer):
        def __init__(self, error: Error | None) -> None:
            self.error = error

        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return ReadOnlyAccessor(accessor, self.error)

    class ReadOnlyAccessor(LayeredAccessor):
        def __init__(self, inner: Accessor, error: Error | None) -> None:
            super().__init__(inner)
            self.error = error
            self.info = replace(self.info, capability=replace(self.info.capability, list=False))

        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
            if self.error is not None:
                raise self.error
            return await self.inner.read(path, args)

    await op.layer(ReadOnly(None)).check()
    with pytest.raises(PermissionDenied) as caught:
        await op.layer(ReadOnly(PermissionDenied("locked"))).check()
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "check", "/")


async def test_close_leaves_the_operator_usable(op: Operator) -> None:
    async with op as same:
        assert same is op
    await op.close()
    assert await op.read("dir/file") == CONTENT


async def test_a_failed_write_is_aborted_and_publishes_nothing(op: Operator) -> None:
    aborted: list[str] = []

    class Failing(Layer):
        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return FailingAccessor(accessor)

    class FailingAccessor(LayeredAccessor):
        async def write(self, path: str, args: Any) -> Any:
            reply, body = await self.inner.write(path, args)
            return reply, FailingWriter(body)

    class FailingWriter(oio.Write):
        def __init__(self, inner: oio.Write) -> None:
            self.inner = inner

        async def write(self, data: bytes | bytearray | memoryview) -> None:
            await self.inner.write(data)

        async def close(self) -> Any:
            raise PermissionDenied("no")

        async def abort(self) -> None:
            aborted.append("aborted")
            await self.inner.abort()

    with pytest.raises(PermissionDenied) as caught:
        await op.layer(Failing()).write("new", b"x")
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "write", "new")
    assert aborted == ["aborted"]
    assert not await op.exists("new")


async def test_an_abort_that_fails_does_not_hide_why() -> None:
    class Broken(Layer):
        def wrap(self, accessor: Accessor, context: Context) -> Accessor:
            return BrokenAccessor(accessor)

    class BrokenAccessor(LayeredAccessor):
        async def write(self, path: str, args: Any) -> Any:
            return (await self.inner.write(path, args))[0], BrokenWriter()

    class BrokenWriter(oio.Write):
        async def write(self, data: bytes | bytearray | memoryview) -> None:
            raise StorageFull("no room")

        async def abort(self) -> None:
            raise PermissionDenied("not even that")

    with pytest.raises(StorageFull, match="no room") as caught:
        await Operator(Memory()).layer(Broken()).write("new", b"x")
    assert any("not even that" in note for note in caught.value.__notes__)


async def test_a_uri_as_a_path_gets_a_hint(op: Operator) -> None:
    for call in (op.read, op.stat, op.read_with, lambda path: op.copy(path, "b")):
        with pytest.raises(NotFound, match=r"hint='a path is relative .* Operator\.from_uri takes a URI'") as caught:
            await call("s3://bucket/x")
        assert caught.value.path == "s3://bucket/x"
    with pytest.raises(NotFound, match="from_uri"):
        async with op.reader("s3://bucket/x") as reader:
            await reader.read()
    with pytest.raises(NotFound) as caught:
        await op.read("bucket/x")
    assert "hint" not in caught.value.context


@pytest.mark.parametrize(
    ("config", "hint"),
    [
        ("s3://key:hunter2@bucket", r"not str; Operator\.from_uri takes a URI"),
        ({"secret_access_key": "hunter2"}, r"not dict; Operator\.from_config takes a scheme and a mapping"),
        (PurePosixPath("/hunter2"), r"not PurePosixPath; Fs\(path\)"),
        (Memory, "not type; make an instance of it"),
    ],
)
def test_a_wrong_configuration_gets_a_hint_and_shows_no_value(config: Any, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint) as caught:
        Operator(config)
    assert "hunter2" not in str(caught.value)
