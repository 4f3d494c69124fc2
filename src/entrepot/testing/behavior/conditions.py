"""Reading under conditions: the same four, of `stat`, of `read` and of a reader."""

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
class _Asking:
    """One way to ask about an object.

    Arguments:
        name: what it is called.
        flags: the operation whose flags it needs.
        operation: what its errors name.
        length: asks, and gives the length of what it got.
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


_ASKINGS: Final = (
    _Asking("stat", "stat", "stat", _stat),
    _Asking("read", "read", "read", _read),
    _Asking("reader", "read", "reader.read", _reader),
)


async def _etags(target: Target, path: str) -> tuple[str, str]:
    etag = (await target.operator.stat(path)).etag
    check(etag, f"stat of {path!r} tells no etag, and the service has conditions on it")
    return str(etag), OTHER_ETAG


async def _times(target: Target, path: str) -> tuple[datetime, datetime]:
    """When the object was written, and one second earlier."""
    written = (await target.operator.stat(path)).last_modified
    check(written, f"stat of {path!r} tells no time, and the service has conditions on it")
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
"""By condition: the value that holds for an object, and one that does not."""


async def _is_honoured(target: Target, asking: _Asking, condition: str, path: str, content: bytes) -> None:
    holding, failing = await _CONDITIONS[condition](target, path)
    length = await asking.length(target.operator, path, **{condition: holding})
    equal(length, len(content), f"what came of {asking.name} with {condition}={holding}")
    with target.raises(ConditionNotMatch, asking.operation, path=path):
        await asking.length(target.operator, path, **{condition: failing})


def _on_own_object(asking: _Asking, condition: str) -> Run:
    async def run(target: Target) -> None:
        path = target.path()
        await _is_honoured(target, asking, condition, path, await target.put(path))

    return run


def _on_fixture(asking: _Asking, condition: str) -> Run:
    async def run(target: Target) -> None:
        path = "normal_file.txt"
        await _is_honoured(target, asking, condition, path, await target.fixture(path))

    return run


for _asking in _ASKINGS:
    for _condition in _CONDITIONS:
        _needs = tuple(dict.fromkeys(("stat", _asking.flags, f"{_asking.flags}_with_{_condition}")))
        register(f"conditions.{_asking.name}_{_condition}", (*_needs, "put"), _on_own_object(_asking, _condition))
        register(f"read_only.{_asking.name}_{_condition}", _needs, _on_fixture(_asking, _condition))
