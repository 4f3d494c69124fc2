"""Capability honesty: what a flag denies is refused before the service is asked, what it grants arrives there.

The cases are made from the fields of the argument records, so that an option that is added later is
checked from that day on.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot import BytesRange, Capability, IsADirectory, Metadata, Operator, Unsupported
from entrepot.raw import (
    HINTS,
    Accessor,
    AccessorInfo,
    Context,
    OpRead,
    OpStat,
    RpRead,
    RpStat,
    RpWrite,
    ServiceConfig,
    oio,
)

EVERYTHING = Capability(**{flag.name: True for flag in fields(Capability)})
VALUES: dict[str, Any] = {
    "range": BytesRange(1, 2),
    "version": "v",
    "if_match": '"e"',
    "if_none_match": '"e"',
    "if_modified_since": datetime(2026, 1, 1, tzinfo=UTC),
    "if_unmodified_since": datetime(2026, 1, 1, tzinfo=UTC),
    "chunk": 1,
    "concurrent": 2,
    "gap": 3,
    "content_length_hint": 4,
}


class Recorder(Accessor):
    """Answers everything and remembers what it was asked."""

    def __init__(self, capability: Capability) -> None:
        self.info = AccessorInfo(scheme="recorder", native_capability=capability)
        self.asked: list[Any] = []

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self.asked.append(args)
        return RpStat(metadata=Metadata(content_length=3))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        self.asked.append(args)
        return RpRead(), oio.BytesReader(lambda: b"abc")

    async def write(self, path: str, args: Any) -> tuple[RpWrite, oio.Write]:
        self.asked.append(args)
        return RpWrite(), Sink()


class Sink(oio.Write):
    async def write(self, data: bytes | bytearray | memoryview) -> None:
        return None

    async def close(self) -> Metadata:
        return Metadata(content_length=0)


class Recording(ServiceConfig):
    SCHEME = "recorder"

    def __init__(self, accessor: Recorder) -> None:
        self.accessor = accessor

    def build(self, context: Context) -> Accessor:
        return self.accessor


def operator_with(capability: Capability) -> tuple[Operator, Recorder]:
    recorder = Recorder(capability)
    return Operator(Recording(recorder)), recorder


def options_of(arguments: type) -> Iterator[str]:
    return (option.name for option in fields(arguments) if option.name not in HINTS | {"range"})


OPTIONS = [("stat", option) for option in options_of(OpStat)] + [("read", option) for option in options_of(OpRead)]


@pytest.mark.parametrize(("operation", "option"), OPTIONS)
class TestEachOption:
    async def test_is_refused_before_any_io_where_its_flag_is_false(self, operation: str, option: str) -> None:
        op, recorder = operator_with(replace(EVERYTHING, **{f"{operation}_with_{option}": False}))
        with pytest.raises(Unsupported, match=f"{operation} with {option}") as caught:
            await getattr(op, operation)("p", **{option: VALUES[option]})
        error = caught.value
        assert (error.scheme, error.operation, error.path) == ("recorder", operation, "p")
        assert recorder.asked == []
        await getattr(op, operation)("p")
        assert len(recorder.asked) == 1

    async def test_arrives_where_its_flag_is_true(self, operation: str, option: str) -> None:
        op, recorder = operator_with(EVERYTHING)
        await getattr(op, operation)("p", **{option: VALUES[option]})
        assert getattr(recorder.asked[0], option) == VALUES[option]


@pytest.mark.parametrize(("operation", "arguments"), [("stat", []), ("read", []), ("write", [b"x"])])
async def test_an_operation_is_refused_before_any_io_where_its_flag_is_false(
    operation: str, arguments: list[bytes]
) -> None:
    op, recorder = operator_with(replace(EVERYTHING, **{operation: False}))
    with pytest.raises(Unsupported, match=f"has no {operation}") as caught:
        await getattr(op, operation)("p", *arguments)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("recorder", operation, "p")
    assert recorder.asked == []


@pytest.mark.parametrize("hint", sorted(HINTS - {"chunk"}))
async def test_a_hint_is_never_refused(hint: str) -> None:
    op, recorder = operator_with(Capability(read=True, read_can_seek=True, read_can_next=True))
    assert await op.read("p", **{hint: VALUES[hint]}) == b"abc"
    assert getattr(recorder.asked[0], hint) == VALUES[hint]


async def test_a_suffix_is_refused_where_nothing_can_complete_it() -> None:
    op, recorder = operator_with(Capability(read=True, read_can_seek=True, read_can_next=True))
    with pytest.raises(Unsupported, match="suffix"):
        await op.read("p", range=BytesRange(suffix=3))
    assert recorder.asked == []


@pytest.mark.parametrize("path", ["d/", "/"])
async def test_a_directory_path_is_refused_before_any_io(path: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    for call in (op.read(path), op.write(path, b"")):
        with pytest.raises(IsADirectory):
            await call
    reader = op.reader(path)
    with pytest.raises(IsADirectory) as caught:
        await reader
    assert caught.value.path == path
    assert recorder.asked == []
