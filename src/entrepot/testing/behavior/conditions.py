"""Conditional reads: the same four conditions of `stat`, `read` and readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from entrepot.errors import ConditionNotMatch
from entrepot.facade.operator import Operator

from .case import Run, register
from .expect import check, equal
from .target import Target

OTHER_ETAG: Final = '"00000000000000000000000000000000"'
A_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that takes conditions.

    Arguments:
        name: its name.
        flags: the operation whose flags it needs.
        operation: the operation that its errors name.
        length: makes the call, and returns the length of the object.
    """

    name: str
    flags: str
    operation: str
    length: Callable[..., Awaitable[int | None]]


async def _stat(operator: Operator, path: str, **options: Any) -> int | None:
    return (await operator.stat(path, **options)).content_length


async def _read(operator: Operator, path: str, **options: Any) -> int:
    return len(await operator.read(path, **options))


async def _reader(operator: Operator, path: str, **options: Any) -> int:
    async with operator.reader(path, **options) as reader:
        return len(await reader.read())


_CALLS: Final = (
    _Call("stat", "stat", "stat", _stat),
    _Call("read", "read", "read", _read),
    _Call("reader", "read", "reader.read", _reader),
)


async def _etags(target: Target, path: str) -> tuple[str, str]:
    etag = (await target.operator.stat(path)).etag
    check(etag, f"stat of {path!r} has no etag, but the service has conditions on etags")
    return str(etag), OTHER_ETAG


async def _times(target: Target, path: str) -> tuple[datetime, datetime]:
    """When the object was written, and one second earlier."""
    written = (await target.operator.stat(path)).last_modified
    check(written, f"stat of {path!r} has no last_modified, but the service has conditions on it")
    assert written is not None
    return written, written - A_SECOND


async def _if_match(target: Target, path: str) -> tuple[str, str]:
    return await _etags(target, path)


async def _if_none_match(target: Target, path: str) -> tuple[str, str]:
    own, other = await _etags(target, path)
    return other, own


async def _if_modified_since(target: Target, path: str) -> tuple[datetime, datetime]:
    written, earlier = await _times(target, path)
    return earlier, written


async def _if_unmodified_since(target: Target, path: str) -> tuple[datetime, datetime]:
    return await _times(target, path)


_CONDITIONS: Final[dict[str, Callable[[Target, str], Awaitable[tuple[Any, Any]]]]] = {
    "if_match": _if_match,
    "if_none_match": _if_none_match,
    "if_modified_since": _if_modified_since,
    "if_unmodified_since": _if_unmodified_since,
}
"""For each condition, a function that returns a value that holds for an object, and one that does not."""


async def _is_honoured(target: Target, call: _Call, condition: str, path: str, content: bytes) -> None:
    holding, failing = await _CONDITIONS[condition](target, path)
    length = await call.length(target.operator, path, **{condition: holding})
    equal(length, len(content), f"the length by {call.name} with {condition}={holding}")
    with target.raises(ConditionNotMatch, call.operation, path=path):
        await call.length(target.operator, path, **{condition: failing})


def _on_own_object(call: _Call, condition: str) -> Run:
    async def run(target: Target) -> None:
        path = target.path()
        await _is_honoured(target, call, condition, path, await target.put(path))

    return run


def _on_fixture(call: _Call, condition: str) -> Run:
    async def run(target: Target) -> None:
        path = "normal_file.txt"
        await _is_honoured(target, call, condition, path, await target.fixture(path))

    return run


for _call in _CALLS:
    for _condition in _CONDITIONS:
        _needs = tuple(dict.fromkeys(("stat", _call.flags, f"{_call.flags}_with_{_condition}")))
        register(f"conditions.{_call.name}_{_condition}", (*_needs, "put"), _on_own_object(_call, _condition))
        register(f"read_only.{_call.name}_{_condition}", _needs, _on_fixture(_call, _condition))
