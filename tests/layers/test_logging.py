"""Records of the standard library, and what they cost when nobody wants them."""

import asyncio
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from entrepot import (
    ConditionNotMatch,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    RateLimited,
    Unexpected,
)
from entrepot.layers import LoggingLayer
from entrepot.raw import DEFAULT_DELETE, DEFAULT_STAT, OPERATIONS, Accessor, AccessorInfo, Context, OpStat, RpStat
from entrepot.services import Memory
from tests.conftest import Storage

NAME = "tests.operations"


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What is logged under `NAME`, at any level."""
    logger, handler = logging.getLogger(NAME), Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.records
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


def _facts(record: logging.LogRecord, *names: str) -> list[Any]:
    return [getattr(record, name) for name in names]


class Failing(Accessor):
    info = AccessorInfo("test", name="bucket")

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def stat(self, path: str, args: OpStat) -> RpStat:
        raise self.error


async def _fail(layer: LoggingLayer, error: BaseException) -> None:
    with pytest.raises(type(error)):
        await layer.wrap(Failing(error), Context()).stat("a", DEFAULT_STAT)


async def test_an_operation_is_logged_when_it_begins_and_when_it_has_ended(records) -> None:
    op = Operator(Memory()).layer(LoggingLayer(NAME))
    await op.write("a", b"bytes")
    await op.copy("a", "b")
    began, ended, copying, copied = records
    assert began.getMessage() == "write of 'a' started"
    assert ended.getMessage().startswith("write of 'a' ended after 0.")
    assert ended.getMessage().endswith(" s, with 5 bytes and 0 entries")
    assert copying.getMessage() == "copy of 'a' to 'b' started"
    assert _facts(ended, "scheme", "namespace", "operation", "call", "path", "target") == [
        *("memory", "", "write", "write", "a", "")
    ]
    assert _facts(ended, "size", "entries") == [5, 0]
    assert 0 < ended.duration < 60
    assert _facts(copied, "operation", "path", "target") == ["copy", "a", "b"]


async def test_a_listing_and_deletions_tell_how_many_entries_there_were(records) -> None:
    op = Operator(Memory()).layer(LoggingLayer(NAME))
    for path in ("a", "b"):
        await op.write(path, b"x")
    records.clear()
    assert len(await op.list("/")) == 3
    await op.delete("a")
    await op.delete_many(["a", "b"])
    ended = [record for record in records if hasattr(record, "entries")]
    assert [_facts(one, "operation", "path", "entries") for one in ended] == [
        ["list", "/", 3],
        ["delete", "a", 1],
        ["delete", "a", 1],
        ["delete", "b", 1],
    ]
    assert records[2].getMessage() == "delete started"


async def test_a_deleter_of_several_paths_is_about_none_of_them(records) -> None:
    _, deleter = await LoggingLayer(NAME).wrap(Memory().build(Context()), Context()).delete()
    for path in ("a", "b"):
        await deleter.delete(path, DEFAULT_DELETE)
    await deleter.close()
    assert records[-1].getMessage().startswith("delete ended after 0.")
    assert _facts(records[-1], "path", "entries") == ["", 2]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (NotFound("m"), logging.DEBUG),
        (ConditionNotMatch("m"), logging.DEBUG),
        (RateLimited("m"), logging.WARNING),
        (Unexpected("m", is_temporary=True), logging.WARNING),
        (Unexpected("m"), logging.ERROR),
        (ValueError("m"), logging.ERROR),
        (asyncio.CancelledError(), logging.DEBUG),
    ],
    ids=lambda value: getattr(value, "kind", type(value).__name__),
)
async def test_the_level_of_a_failure_is_that_of_its_kind(records, error: Exception, level: int) -> None:
    await _fail(LoggingLayer(NAME), error)
    assert [record.levelno for record in records] == [logging.DEBUG, level]
    kind = error.kind if isinstance(error, Error) else type(error).__name__
    assert _facts(records[1], "error_kind", "call", "path", "namespace") == [kind, "stat", "a", "bucket"]
    assert kind in records[1].getMessage()


async def test_the_levels_are_those_that_were_asked_for(records) -> None:
    layer = LoggingLayer(logging.getLogger(NAME), level=logging.INFO, levels={"NotFound": logging.CRITICAL})
    await _fail(layer, NotFound("m"))
    assert [record.levelno for record in records] == [logging.INFO, logging.CRITICAL]


async def test_what_nobody_wants_is_not_logged_and_failures_still_are(records) -> None:
    logging.getLogger(NAME).setLevel(logging.WARNING)
    op = Operator(Memory()).layer(LoggingLayer(NAME))
    await op.write("a", b"")
    with pytest.raises(NotFound):
        await op.read("missing")
    await _fail(LoggingLayer(NAME), RateLimited("too many"))
    (text,) = [record.getMessage() for record in records]
    assert text.startswith("stat of 'a' failed after 0.")
    assert text.endswith("RateLimited: too many (temporary, see RetryLayer)")


async def test_a_failed_verb_of_a_body_is_logged_with_its_name_and_the_operation_does_not_end_well(records) -> None:
    with pytest.raises(NotFound):
        await Operator(Memory()).layer(LoggingLayer(NAME)).read("missing")
    began, failed = records
    assert _facts(failed, "operation", "call", "error_kind") == ["read", "reader.read", "NotFound"]
    assert not hasattr(began, "error_kind")


async def test_every_service_is_logged_and_no_record_holds_a_secret_or_content(records, storage: Storage) -> None:
    storage.put("a b", b"THE CONTENT")
    op = storage.operator.layer(LoggingLayer(NAME))
    assert await op.read("a b") == b"THE CONTENT"
    with pytest.raises(NotFound):
        await op.stat("missing")
    assert [record.path for record in records if record.name == NAME][:2] == ["a b", "a b"]
    shown = "\n".join(f"{record.getMessage()} {vars(record)}" for record in records if record.name == NAME)
    secret = getattr(storage.config, "secret_access_key", None) or "Authorization"
    assert secret not in shown
    assert "THE CONTENT" not in shown


def test_the_blocking_twin_logs_the_same(records) -> None:
    op = Operator(Memory()).layer(LoggingLayer(NAME)).blocking()
    op.write("a", b"x")
    assert [record.operation for record in records] == ["write", "write"]


def test_it_can_be_pickled(records) -> None:
    layer = pickle.loads(pickle.dumps(LoggingLayer(NAME, levels={"NotFound": logging.INFO})))
    asyncio.run(_fail(layer, NotFound("m")))
    assert records[1].levelno == logging.INFO


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"logger": None}, "logger"),
        ({"level": "DEBUG"}, "level"),
        ({"level": 0}, "level"),
        ({"level": True}, "level"),
        ({"levels": {"NotFound": -1}}, "NotFound"),
        ({"levels": {"NotThere": 10}}, "NotThere"),
    ],
)
def test_arguments_that_cannot_work_are_refused_by_name(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field) as caught:
        LoggingLayer(**arguments)
    assert caught.value.kind == "InvalidInput"


def test_every_operation_is_logged() -> None:
    service = Failing(NotFound("m"))
    wrapped = LoggingLayer(NAME).wrap(service, Context())
    assert all(getattr(wrapped, one) != getattr(service, one) for one in OPERATIONS)
