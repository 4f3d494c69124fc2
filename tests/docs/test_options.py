"""The fields of `OpRead` and `OpStat` are the options of both spellings: names, types and defaults."""

import inspect
from dataclasses import Field, fields
from datetime import UTC, datetime
from typing import Any, get_type_hints

import pytest

from entrepot import BytesRange, Operator
from entrepot.futures import (
    FutureRead,
    FutureReader,
    FutureStat,
    Range,
    ReaderOptions,
    StatOptions,
    read_args,
    stat_args,
)
from entrepot.raw import OpRead, OpStat

READS = [(OpRead, ReaderOptions, builder, read_args) for builder in (FutureRead, FutureReader)]
SPELLINGS = [*READS, (OpStat, StatOptions, FutureStat, stat_args)]
EXAMPLES: dict[str, Any] = {
    "range": BytesRange(1, 2),
    "version": "v1",
    "if_match": '"a"',
    "if_none_match": '"b"',
    "if_modified_since": datetime(2024, 1, 1, tzinfo=UTC),
    "if_unmodified_since": datetime(2025, 1, 1, tzinfo=UTC),
    "chunk": 3,
    "concurrent": 4,
    "gap": 5,
    "content_length_hint": 6,
}


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
def test_keywords_have_the_names_and_types_of_the_record(record, options, builder, parse) -> None:
    expected = get_type_hints(record)
    if "range" in expected:
        assert expected["range"] is BytesRange
        expected["range"] = Range
    assert get_type_hints(options) == expected


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
def test_builders_have_a_method_for_each_field_that_takes_its_type(record, options, builder, parse) -> None:
    steps = {name for name, _ in inspect.getmembers(builder, inspect.isfunction) if not name.startswith("_")}
    assert steps == {one.name for one in fields(record)}
    for one in fields(record):
        if one.name != "range":
            assert _parameter_types(builder, one.name) == [_without_none(get_type_hints(record)[one.name])], one.name


def test_the_range_of_a_builder_has_the_fields_of_a_bytes_range() -> None:
    parameters = list(inspect.signature(_Reading.range).parameters.values())[1:]
    expected = [(one.name, one.default) for one in fields(BytesRange)]
    assert [(one.name, one.default) for one in parameters] == expected
    hints = get_type_hints(BytesRange)
    assert _parameter_types(_Reading, "range") == [hints[one.name] for one in fields(BytesRange)]


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
def test_saying_nothing_means_the_defaults_of_the_record(record, options, builder, parse) -> None:
    assert parse({}) == record()
    assert parse({one.name: one.default for one in fields(record)}) == record()


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
async def test_both_spellings_arrive_as_the_same_record(record, options, builder, parse) -> None:
    arrived: list[object] = []

    async def call(path: object, options: Any) -> None:
        arrived.append(parse(options))

    for one in fields(record):
        await _step(builder(call, "test", "path", {}), one)
        arrived.append(parse({one.name: EXAMPLES[one.name]}))
        by_builder, by_keyword = arrived[-2:]
        assert by_builder == by_keyword == record(**{one.name: EXAMPLES[one.name]})


@pytest.mark.parametrize("method", ["read", "stat"])
def test_the_docstring_of_the_operation_names_each_option(method: str) -> None:
    text = inspect.getdoc(getattr(Operator, method)) or ""
    silent = [one.name for one in fields({"read": OpRead, "stat": OpStat}[method]) if f"{one.name}:" not in text]
    assert not silent, f"Operator.{method} does not describe {', '.join(silent)}"


def _step(builder: Any, one: "Field[Any]") -> Any:
    value = EXAMPLES[one.name]
    return builder.range(value.start, value.end) if one.name == "range" else getattr(builder, one.name)(value)


def _parameter_types(cls: type, method: str) -> list[Any]:
    hints = get_type_hints(getattr(cls, method), vars(inspect.getmodule(cls)) | {"range": range})
    return [hint for name, hint in hints.items() if name != "return"]


def _without_none(hint: Any) -> Any:
    members = [one for one in getattr(hint, "__args__", ()) if one is not type(None)]
    return members[0] if len(members) == 1 else hint


_Reading = FutureRead
