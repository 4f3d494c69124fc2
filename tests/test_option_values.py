"""Every value of every option works or is refused as `InvalidInput`, and never raises anything that is not ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from entrepot import BytesRange, Error, InvalidInput, Operator
from entrepot.facade.options import _CHECKS
from entrepot.services import Fs, Memory

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


class Nowhere(tzinfo):
    """A time zone that tells no offset, so that its times are naive all the same."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None


class Huge:
    """Something that stands for a huge integer."""

    def __index__(self) -> int:
        return 2**100


VALUES: list[Any] = [
    datetime.min,
    datetime.max,
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=EAST),
    datetime.max.replace(tzinfo=WEST),
    datetime(2026, 1, 1, tzinfo=Nowhere()),
    date(2026, 1, 1),
    timedelta.max,
    *(0, 1, -1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30, 10**5000, -(10**5000), Huge()),
    *(1.5, float("nan"), float("inf"), Fraction(1, 2), True, None),
    *("", "x", "\0", "\ud800", "\u2126", "a" * 100_000, b"x"),
    *([], (), (0,), (0, 1), (5, 1), ("a", "b"), (None, None), (0, 2**63 - 1), (2**63 - 2, None), (10**30, None)),
    *(BytesRange(suffix=2**63 - 1), BytesRange(2**63 - 2), BytesRange(2**63 - 2, 2**63 - 1)),
    *({}, {"a": 5}, {5: "a"}, {"a": "\ud800"}, {"A": "1", "a": "2"}, {"k": "v" * 1_000_000}),
]


async def is_ours(call: Callable[[], Awaitable[object]], where: str) -> None:
    """A call works, raises an error of ours, or says that it has no such option."""
    try:
        await call()
    except Error as error:
        assert str(error), where
    except TypeError as error:
        assert "there is no option" in str(error), where


@pytest.mark.parametrize("option", _CHECKS)
async def test_every_value_of_an_option_works_or_is_refused(option: str, tmp_path: Path) -> None:
    for op in (Operator(Memory()), Operator(Fs(tmp_path))):
        await op.write("a", b"0123456789")
        for value in VALUES:
            options: dict[str, Any] = {option: value}
            for name, call in calls(op, options).items():
                await is_ours(call, f"{name} {option} {type(value).__name__}")


def calls(op: Operator, options: dict[str, Any]) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every operation that takes options, with its bodies used."""

    async def reader() -> None:
        async with op.reader("a", **options) as reader:
            await reader.read(5)
            await reader.fetch([(0, 3)])
            await reader.size()

    async def writer() -> None:
        async with op.writer("b", **options) as writer:
            await writer.write(b"content")

    async def lister() -> None:
        async for _ in op.lister("/", **options):
            pass

    return {
        "read": lambda: op.read("a", **options),
        "stat": lambda: op.stat("a", **options),
        "write": lambda: op.write("b", b"x", **options),
        "list": lambda: op.list("/", **options),
        "copy": lambda: op.copy("a", "c", **options),
        "copy_to": lambda: op.copy_to(Operator(Memory()), "a", "c", **options),
        "rename": lambda: op.rename("b", "d", **options),
        "delete": lambda: op.delete("d", **options),
        "presign_read": lambda: op.presign_read("a", 60, **options),
        "reader": reader,
        "writer": writer,
        "lister": lister,
    }


async def test_every_argument_of_a_reader_works_or_is_refused(tmp_path: Path) -> None:
    for op in (Operator(Memory()), Operator(Fs(tmp_path))):
        await op.write("a", b"0123456789")
        for value in VALUES:
            for verb in ("read", "readexactly", "receive", "readinto", "seek", "fetch"):
                async with op.reader("a") as reader:
                    await is_ours(lambda reader=reader, verb=verb, value=value: getattr(reader, verb)(value), verb)
                    await is_ours(lambda reader=reader, value=value: reader.seek(0, value), "whence")
                    await is_ours(lambda reader=reader, value=value: reader.fetch([value]), "a range")


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)])
async def test_a_time_that_utc_does_not_have_is_refused(moment: datetime) -> None:
    op = Operator(Memory())
    await op.write("a", b"")
    with pytest.raises(InvalidInput, match="if_modified_since lies outside the years") as caught:
        await op.read("a", if_modified_since=moment)
    assert (caught.value.operation, caught.value.path) == ("read", "a")


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=Nowhere())])
async def test_a_time_without_a_zone_is_refused(moment: datetime) -> None:
    with pytest.raises(InvalidInput, match="a datetime with a time zone; this one has none"):
        await Operator(Memory()).stat("a", if_unmodified_since=moment)


@pytest.mark.parametrize("option", ["content_disposition", "override_content_disposition"])
async def test_the_name_of_a_file_in_other_letters_says_how_it_is_encoded(option: str) -> None:
    op = Operator(Memory())
    values: dict[str, Any] = {option: 'attachment; filename="naïve.pdf"'}
    with pytest.raises(InvalidInput, match=r"filename\*=UTF-8''na%C3%AFve.pdf"):
        await (op.read("a", **values) if option.startswith("override") else op.write("a", b"", **values))
    encoded = "attachment; filename*=UTF-8''na%C3%AFve.pdf"
    await op.write("a", b"", content_disposition=encoded)
    assert (await op.stat("a")).content_disposition == encoded
