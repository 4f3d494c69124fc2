"""The fields of the `Op*` records are the options of both spellings: names, types and defaults."""

import inspect
from dataclasses import Field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, get_type_hints

import pytest

from entrepot import BytesRange, Operator, raw
from entrepot.facade.futures import (
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
from entrepot.facade.keywords import (
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
from entrepot.facade.options import Path, Range, checked, checked_presign
from entrepot.raw import (
    OpAbortUpload,
    OpCompleteUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpGetTags,
    OpList,
    OpListUploads,
    OpPart,
    OpPost,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpStartUpload,
    OpStat,
    OpUploadPart,
    OpWrite,
)

RECORDS = {
    OpStat: (StatOptions, [FutureStat]),
    OpRead: (ReaderOptions, [FutureRead, FutureReader]),
    OpWrite: (WriterOptions, [FutureWrite, FutureWriter]),
    OpDelete: (DeleteOptions, [FutureDelete]),
    OpList: (ListerOptions, [FutureList, FutureLister]),
    OpCopy: (CopyOptions, [FutureCopy, FutureCopyTo]),
    OpRename: (RenameOptions, [FutureRename]),
}
SPELLINGS = [
    (record, options, builder, partial(checked, record()))
    for record, (options, builders) in RECORDS.items()
    for builder in builders
]
METHODS = {OpStat: "stat", OpRead: "read", OpWrite: "write", OpDelete: "delete", OpList: "list", OpCopy: "copy"}
METHODS[OpRename] = "rename"
EXAMPLES: dict[str, Any] = {
    "range": BytesRange(1, 2),
    "version": "v1",
    "if_match": '"a"',
    "if_none_match": '"b"',
    "if_modified_since": datetime(2024, 1, 1, tzinfo=UTC),
    "if_unmodified_since": datetime(2025, 1, 1, tzinfo=UTC),
    "override_content_type": "text/csv",
    "override_content_disposition": "attachment",
    "override_cache_control": "no-cache",
    "chunk": 3,
    "concurrent": 4,
    "gap": 5,
    "content_length_hint": 6,
    "read_ahead": 7,
    "source_content_length_hint": 9,
    "append": True,
    "content_type": "text/plain",
    "content_disposition": "inline",
    "content_encoding": "gzip",
    "cache_control": "no-store",
    "user_metadata": {"colour": "red"},
    "content_language": "de",
    "tags": {"Colour": "r\u00f6d"},
    "storage_class": "STANDARD_IA",
    "acl": "public-read",
    "retain_until": datetime(2030, 1, 1, tzinfo=UTC),
    "legal_hold": True,
    "if_not_exists": True,
    "recursive": True,
    "start_after": "a/b",
    "versions": True,
    "deleted": True,
    "limit": 7,
    "source_version": "v2",
}


def test_every_record_with_options_is_looked_at() -> None:
    records = {value for name, value in vars(raw).items() if name.startswith("Op") and hasattr(value, "__slots__")}
    assert {one for one in records if isinstance(one, type) and hasattr(one, "__dataclass_fields__")} == {
        *RECORDS,
        OpAbortUpload,
        OpCompleteUpload,
        OpCreateDir,
        OpGetTags,
        OpSetTags,
        OpListUploads,
        OpPart,
        OpPost,
        OpPresign,
        OpSharedUpload,
        OpStartUpload,
        OpUploadPart,
    }
    assert fields(OpCreateDir) == ()


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
def test_keywords_have_the_names_and_types_of_the_record(record, options, builder, parse) -> None:
    expected = get_type_hints(record)
    if "range" in expected:
        assert expected["range"] is BytesRange
        expected["range"] = Range
    if "start_after" in expected:  # any path, and given on as the text of it
        expected["start_after"] = Path | None
    assert get_type_hints(options) == expected


@pytest.mark.parametrize(("record", "options", "builder", "parse"), SPELLINGS)
def test_builders_have_a_method_for_each_field_that_takes_its_type(record, options, builder, parse) -> None:
    steps = {name for name, _ in inspect.getmembers(builder, inspect.isfunction) if not name.startswith("_")}
    assert steps == {one.name for one in fields(record)}
    for one in fields(record):
        if one.name not in ("range", "start_after"):
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
        await _step(builder(call, "test", ("path",), {}), one)
        arrived.append(parse({one.name: EXAMPLES[one.name]}))
        by_builder, by_keyword = arrived[-2:]
        assert by_builder == by_keyword == record(**{one.name: EXAMPLES[one.name]})


@pytest.mark.parametrize(("record", "method"), [*METHODS.items(), (OpCopy, "copy_to")])
def test_the_docstring_of_the_operation_names_each_option(record: type, method: str) -> None:
    text = inspect.getdoc(getattr(Operator, method)) or ""
    silent = [one.name for one in fields(record) if f"{one.name}:" not in text]
    assert not silent, f"Operator.{method} does not describe {', '.join(silent)}"


PRESIGNS: dict[type, tuple[Any, type, set[str]]] = {
    OpRead: (
        PresignReadOptions,
        FuturePresignRead,
        {"chunk", "concurrent", "gap", "content_length_hint", "read_ahead"},
    ),
    OpStat: (PresignStatOptions, FuturePresignStat, set()),
    OpWrite: (PresignWriteOptions, FuturePresignWrite, {"append", "chunk", "concurrent", "content_length_hint"}),
    OpDelete: (PresignDeleteOptions, FuturePresignDelete, {"recursive"}),
}
"""By operation: the options of its presign, the builder, and which options one request cannot say."""


@pytest.mark.parametrize("record", PRESIGNS)
def test_the_options_of_a_presign_are_those_of_its_operation_that_one_request_can_say(record: type) -> None:
    options, builder, left_out = PRESIGNS[record]
    of_operation = get_type_hints(RECORDS[record][0])
    steps = {name for name, _ in inspect.getmembers(builder, inspect.isfunction) if not name.startswith("_")}
    assert get_type_hints(options) == {name: hint for name, hint in of_operation.items() if name not in left_out}
    assert steps == set(get_type_hints(options))


@pytest.mark.parametrize("record", PRESIGNS)
async def test_both_spellings_of_a_presign_arrive_as_the_same_record(record: type) -> None:
    _, builder, left_out = PRESIGNS[record]

    async def call(path: str, expires: Any, options: Any) -> Any:
        return checked_presign(record(), expires, options)

    for one in fields(record):
        if one.name not in left_out:
            by_builder = await _step(builder(call, "test", ("path", 60), {}), one)
            by_keyword = checked_presign(record(), timedelta(minutes=1), {one.name: EXAMPLES[one.name]})
            operation = record(**{one.name: EXAMPLES[one.name]})
            assert by_builder == by_keyword == OpPresign(operation=operation, expires=timedelta(minutes=1))
    for unknown in left_out:
        with pytest.raises(TypeError, match=unknown):
            checked_presign(record(), 60, {unknown: EXAMPLES[unknown]})


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
