"""Every flag that is False: its operation or option is refused before any I/O.

The cases are made from the fields of the `Op*` records, so that a new option has its case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import Field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from entrepot.errors import Unsupported
from entrepot.facade.operator import Operator
from entrepot.raw import HINTS, OpCopy, OpDelete, OpList, OpRead, OpRename, OpStat, OpWrite
from entrepot.raw.ops import option_type
from entrepot.types import BytesRange, Part

from .case import Run, register
from .expect import equal
from .io_recorder import IoRecorder
from .target import Target

Call = Callable[..., Awaitable[object]]


async def _read_by_reader(operator: Operator, path: str, **options: Any) -> None:
    async with operator.reader(path, **options) as reader:
        await reader.read()


async def _write_by_writer(operator: Operator, path: str, **options: Any) -> None:
    async with operator.writer(path, **options) as writer:
        await writer.write(b"content")


async def _list_by_lister(operator: Operator, path: str, **options: Any) -> None:
    async with operator.lister(path, **options) as lister:
        await lister.next()


_PRESIGNS: Final[dict[str, Call]] = {
    "presign_read": lambda operator, path: operator.presign_read(path, 60),
    "presign_stat": lambda operator, path: operator.presign_stat(path, 60),
    "presign_write": lambda operator, path: operator.presign_write(path, 60),
    "presign_delete": lambda operator, path: operator.presign_delete(path, 60),
    "presign_post": lambda operator, path: operator.presign_post(path, 60),
    "presign_part": lambda operator, path: operator.presign_part(path, 60, "id", 1),
}

_CALLS: Final[dict[str, dict[str, Call]]] = {
    "stat": {"stat": lambda operator, path, **options: operator.stat(path, **options)},
    "read": {
        "read": lambda operator, path, **options: operator.read(path, **options),
        "reader": _read_by_reader,
    },
    "write": {
        "write": lambda operator, path, **options: operator.write(path, b"content", **options),
        "writer": _write_by_writer,
    },
    "create_dir": {"create_dir": lambda operator, path: operator.create_dir(f"{path}/")},
    "delete": {"delete": lambda operator, path, **options: operator.delete(path, **options)},
    "list": {
        "list": lambda operator, path, **options: operator.list(path, **options),
        "lister": _list_by_lister,
    },
    "copy": {"copy": lambda operator, path, **options: operator.copy(path, f"{path}-2", **options)},
    "rename": {"rename": lambda operator, path, **options: operator.rename(path, f"{path}-2", **options)},
    "get_tags": {"get_tags": lambda operator, path: operator.get_tags(path)},
    "set_tags": {"set_tags": lambda operator, path: operator.set_tags(path, {})},
    "list_uploads": {"list_uploads": lambda operator, path: operator.list_uploads(path)},
    "abort_upload": {"abort_uploads": lambda operator, path: operator.abort_uploads(path, older_than=timedelta(1))},
    "shared_upload": {
        "start_upload": lambda operator, path: operator.start_upload(path),
        "upload_part": lambda operator, path: operator.upload_part(path, "id", 1, b"content"),
        "complete_upload": lambda operator, path: operator.complete_upload(path, "id", [Part(1, '"x"', 7)]),
    },
    "presign": _PRESIGNS,
    **{name: {name: call} for name, call in _PRESIGNS.items()},
}
"""The public calls of each operation."""

_OPTIONS: Final = {
    "stat": OpStat,
    "read": OpRead,
    "write": OpWrite,
    "delete": OpDelete,
    "list": OpList,
    "copy": OpCopy,
    "rename": OpRename,
}

_SAMPLES: Final = {
    "str | None": "x",
    "PathText | None": "x",
    "bool": True,
    "datetime | None": datetime(2026, 1, 1, tzinfo=UTC),
    "Tags | None": {"name": "value"},
}
"""A value by the type of an option that is not its default."""

_REFUSED_BY_VALUE: Final = {"user_metadata": {"name": "value"}, "if_match": '"x"', "if_none_match": '"x"'}


def _sample(option: Field[Any]) -> Any:
    return _REFUSED_BY_VALUE.get(option.name) or _SAMPLES[option_type(str(option.type))]


def _is_refused(operation: str, **options: Any) -> Run:
    async def run(target: Target) -> None:
        for name, call in _CALLS[operation].items():
            await _refuses(target, name, call, options)

    return run


async def _refuses(target: Target, name: str, call: Call, options: dict[str, Any]) -> None:
    recorder = IoRecorder()
    operator = target.operator.layer(recorder)
    path = target.path()
    named = f"{path}/" if name == "create_dir" else path
    with target.raises(Unsupported, name, f"{name}.read", f"{name}.next", f"{name}.write", path=named):
        await call(operator, path, **options)
    equal(recorder.calls, [], f"the I/O of {name} with {options}, which is refused")


for _operation in _CALLS:
    register(f"refusals.{_operation}", (f"not {_operation}",), _is_refused(_operation))
for _operation, _record in _OPTIONS.items():
    for _option in fields(_record):
        if _option.name not in HINTS | {"range"}:
            _flag = f"{_operation}_with_{_option.name}"
            _options = {_option.name: _sample(_option)}
            register(f"refusals.{_flag}", (_operation, f"not {_flag}"), _is_refused(_operation, **_options))
register(
    "refusals.read_with_suffix",
    ("read", "not read_with_suffix"),
    _is_refused("read", range=BytesRange(suffix=1)),
)
