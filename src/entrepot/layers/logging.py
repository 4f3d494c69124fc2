"""Logs operations with the standard library's logging."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple

from entrepot import errors
from entrepot.errors import Error, InvalidInput
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    AroundAccessor,
    Context,
    Layer,
    Operation,
    OpRead,
    OpWrite,
    RpRead,
    WholeRead,
    WholeWrite,
)
from entrepot.raw.observation import Observation, ObservedAccessor, kind_of, target_of
from entrepot.types.shown import shown, shown_name

T = TypeVar("T")
Args = TypeVarTuple("Args")

EXPECTED: Final = frozenset(
    {
        "AlreadyExists",
        "ConditionNotMatch",
        "InvalidInput",
        "IsADirectory",
        "IsSameFile",
        "NotADirectory",
        "NotFound",
        "RangeNotSatisfied",
        "Unsupported",
    }
)
"""The kinds of errors that programs expect and handle."""


class LoggingLayer(Layer):
    """Logs the start and the end of each operation, and each failed call.

    Errors that programs expect (`NotFound`, `ConditionNotMatch` and the like) are logged at DEBUG, temporary errors
    at WARNING, all others at ERROR. Paths are logged, as in errors; contents and credentials never are.

    Records have the same values as attributes, for a formatter that writes JSON: `scheme`, `namespace`, `operation`,
    `call` (the operation or a verb of its body), `path`, `target`, `duration` (seconds); at the end of an operation
    `size` (bytes) and `entries`; with a failure `error_kind`.

    Arguments:
        logger: the logger, or its name. By default `"entrepot.operations"`.
        level: the level of starts, ends and cancellations. By default DEBUG.
        levels: other levels for kinds of errors, such as `{"NotFound": logging.INFO}`.

    Raises:
        InvalidInput: an argument cannot work.
    """

    WORKS_WITHOUT_LOOP = True

    def __init__(
        self,
        logger: str | logging.Logger = "entrepot.operations",
        *,
        level: int = logging.DEBUG,
        levels: Mapping[str, int] | None = None,
    ) -> None:
        if not isinstance(logger, str | logging.Logger):
            raise InvalidInput(f"logger is a logger or its name, not {shown(logger)}")
        _check_level("level", level)
        if not isinstance(levels, Mapping | None):
            raise InvalidInput(f"levels is a mapping of kinds of errors to levels, not {shown(levels)}")
        for kind, one in (levels or {}).items():
            if kind not in errors.__all__:
                raise InvalidInput(f"levels: there is no kind of error {shown_name(kind)}")
            _check_level(f"levels[{kind!r}]", one)
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.level = level
        self._levels = {**dict.fromkeys(EXPECTED, logging.DEBUG), **(levels or {})}

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        failures = _Failures(accessor, context, self)
        observed = partial(_Logged, failures, context, self)
        return ObservedAccessor(failures, lambda: observed() if self.is_enabled_for(self.level) else failures)

    def is_enabled_for(self, level: int) -> bool:
        """Whether the logger takes records of a level."""
        return self._logger.isEnabledFor(level)

    def log(self, level: int, message: str, values: tuple[object, ...], facts: dict[str, object]) -> None:
        """Logs a record with values as its attributes."""
        self._logger.log(level, message, *values, extra=facts)

    def level_of(self, error: BaseException) -> int:
        """The level of an error."""
        if not isinstance(error, Exception):
            return self.level
        named = self._levels.get(kind_of(error))
        if named is not None:
            return named
        return logging.WARNING if isinstance(error, Error) and error.is_temporary else logging.ERROR


def _check_level(name: str, level: Any) -> None:
    if type(level) is not int or level < 1:
        raise InvalidInput(f"{name} is a level of logging such as logging.INFO, not {shown(level)}")


def _facts(info: AccessorInfo, call: Operation, path: str, target: str) -> dict[str, object]:
    """The attributes of every record."""
    place = {"scheme": str(info.scheme), "namespace": info.name, "path": path, "target": target}
    return {**place, "operation": call.capability, "call": call.value}


def _place(path: str, target: str) -> str:
    """The paths in a message; empty for a deleter as a whole."""
    return (f" of {path!r} to {target!r}" if target else f" of {path!r}") if path else ""


class _Failures(AroundAccessor):
    """Logs only failed calls: enough if the logger takes no other records."""

    reads_into = True

    def __init__(self, inner: Accessor, context: Context, layer: LoggingLayer) -> None:
        super().__init__(inner)
        self._context = context
        self._layer = layer

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        started = self._context.runtime.now()
        try:
            return await call(*args)
        except BaseException as error:
            self._log_failure(error, started, operation, path, target_of(operation, args))
            raise

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        started = self._context.runtime.now()
        try:
            content = await self.inner.read_whole(path, args, described)
        except BaseException as error:
            call = Operation.READ if isinstance(error, Exception) else Operation.READER_READ
            self._log_failure(error, started, call, path)
            raise
        return content if isinstance(content, bytes) else self.around_reader(path, *content)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        started = self._context.runtime.now()
        try:
            stored = await self.inner.write_whole(path, data, args)
        except BaseException as error:
            call = Operation.WRITE if isinstance(error, Exception) else Operation.WRITER_CLOSE
            self._log_failure(error, started, call, path)
            raise
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored

    def _log_failure(self, error: BaseException, started: float, call: Operation, path: str, target: str = "") -> None:
        level = self._layer.level_of(error)
        if self._layer.is_enabled_for(level):
            self._log(level, error, self._context.runtime.now() - started, call, path, target)

    def _log(self, level: int, error: BaseException, seconds: float, call: Operation, path: str, target: str) -> None:
        kind = kind_of(error)
        what = f"{kind}: {error}" if isinstance(error, Error) else kind
        facts = {**_facts(self.info, call, path, target), "duration": seconds, "error_kind": kind}
        values = (call.value, _place(path, target), seconds, what)
        self._layer.log(level, "%s%s failed after %.6f s: %s", values, facts)


class _Logged(Observation[None]):
    """Logs the start and the end of an operation."""

    def __init__(self, inner: Accessor, context: Context, layer: LoggingLayer) -> None:
        super().__init__(inner, context)
        self._layer = layer

    def started(self) -> None:
        self._log("%s%s started", {})

    def ended(self) -> None:
        if self.failure is None:
            facts: dict[str, object] = {"duration": self.seconds, "size": self.size, "entries": self.entries}
            self._log("%s%s ended after %.6f s, with %d bytes and %d entries", facts)

    def _log(self, message: str, measured: dict[str, object]) -> None:
        facts = _facts(self.info, self.operation, self.path, self.target) | measured
        values = (self.operation.value, _place(self.path, self.target), *measured.values())
        self._layer.log(self._layer.level, message, values, facts)
