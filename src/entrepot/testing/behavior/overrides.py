"""What the headers of a reply shall say in place of what is stored: of `stat`, a reader and presigned requests."""

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
"""By header, under the name that it has in `Metadata`, a value of signs that URLs give a meaning to."""

_MINUTE: Final = 60
Stated = Callable[[Operator, str, str, dict[str, Any]], Awaitable[str | None]]


async def _by_stat(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    return _told(await operator.stat(path, **options), header)


async def _by_reader(operator: Operator, path: str, header: str, options: dict[str, Any]) -> str | None:
    async with operator.reader(path, **options) as reader:
        await reader.read()
        return _told(await reader.metadata(), header)


def _told(metadata: Metadata, name: str) -> str | None:
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
"""By name: how the header is seen, the operation whose flags it needs, and the flags besides."""


def _is_stated(stated: Stated, header: str) -> Run:
    async def run(target: Target) -> None:
        path = target.path()
        await target.put(path)
        told = await stated(target.operator, path, header, {f"override_{header}": VALUES[header]})
        equal(told, VALUES[header], f"the {header}")

    return run


for _name, (_stated, _operation, _flags) in _WAYS.items():
    for _header in VALUES:
        _needs = (*_flags, f"{_operation}_with_override_{_header}", "put")
        register(f"overrides.{_name}_{_header}", _needs, _is_stated(_stated, _header))
