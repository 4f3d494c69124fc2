"""The `override_*` options of `stat`, readers and presigned requests: response headers that replace the stored ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from entrepot.facade.operator import Operator
from entrepot.types import Metadata

from .case import Run, register
from .expect import equal
from .send import send
from .target import Target

VALUES: Final = {
    "content_type": "application/x-overridden",
    "content_disposition": 'attachment; filename="a b+c.txt"',
    "cache_control": "no-cache, max-age=7",
}
"""A value for each header, by its name in `Metadata`, with characters that mean something in URLs."""

_MINUTE: Final = 60
Stated = Callable[[Operator, str, str, dict[str, Any]], Awaitable[str | None]]


async def _by_stat(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    return _value_of(await operator.stat(path, **options), header)


async def _by_reader(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    async with operator.reader(path, **options) as reader:
        await reader.read()
        return _value_of(await reader.metadata(), header)


def _value_of(metadata: Metadata, name: str) -> str | None:
    value: str | None = getattr(metadata, name)
    return value


async def _by_presigned_stat(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    sent = await send(await operator.presign_stat(path, _MINUTE, **options))
    return sent.headers.get(header.replace("_", "-"))


async def _by_presigned_read(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    sent = await send(await operator.presign_read(path, _MINUTE, **options))
    return sent.headers.get(header.replace("_", "-"))


_WAYS: Final[dict[str, tuple[Stated, str, tuple[str, ...]]]] = {
    "stat": (_by_stat, "stat", ("stat",)),
    "reader": (_by_reader, "read", ("read",)),
    "presigned_stat": (_by_presigned_stat, "stat", ("stat", "presign_stat")),
    "presigned_read": (_by_presigned_read, "read", ("read", "presign_read")),
}
"""By name: how the header is read, the operation whose flags it needs, and the other flags."""


def _is_stated(stated: Stated, header: str) -> Run:
    async def run(target: Target) -> None:
        path = target.path()
        await target.put(path)
        value = await stated(target.operator, path, header, {f"override_{header}": VALUES[header]})
        equal(value, VALUES[header], f"the {header}")

    return run


for _name, (_stated, _operation, _flags) in _WAYS.items():
    for _header in VALUES:
        _needs = (*_flags, f"{_operation}_with_override_{_header}", "put")
        register(f"overrides.{_name}_{_header}", _needs, _is_stated(_stated, _header))
