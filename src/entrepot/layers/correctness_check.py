"""Refuses, before any I/O, what the service cannot do.

An option that changes the answer is either honoured or refused, never ignored. Which options a
service honours is data (`Capability`), and so is the check: the flag of option `if_match` of `read`
is `read_with_if_match`. Hints change no answer and are not looked at.
"""

from __future__ import annotations

from dataclasses import fields

from entrepot.errors import IsADirectory, Unsupported
from entrepot.raw import HINTS, Accessor, Layer, LayeredAccessor, OpRead, OpStat, OpWrite, RpRead, RpStat, RpWrite, oio
from entrepot.raw.path import is_dir_path
from entrepot.types import Capability


class CorrectnessCheckLayer(Layer):
    """Part of every stack, inside the error context."""

    def wrap(self, accessor: Accessor) -> Accessor:
        return _CorrectnessCheckAccessor(accessor)


class _CorrectnessCheckAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        self._refused = {
            operation: _refused_options(operation, arguments, self.info.capability)
            for operation, arguments in _ARGUMENTS.items()
        }

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self._check("stat", args)
        return await self.inner.stat(path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        self._check("read", args)
        if args.range.suffix is not None:
            self._require("read_with_suffix", "read of a suffix")
        _check_is_file(path)
        return await self.inner.read(path, args)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        self._check("write", args)
        _check_is_file(path)
        return await self.inner.write(path, args)

    def _check(self, operation: str, args: OpStat | OpRead | OpWrite) -> None:
        self._require(operation, operation)
        for option, default in self._refused[operation]:
            if getattr(args, option) != default:
                self._require(f"{operation}_with_{option}", f"{operation} with {option}")

    def _require(self, flag: str, what: str) -> None:
        if not getattr(self.info.capability, flag):
            raise Unsupported(f"the service {self.info.scheme} has no {what}")


_ARGUMENTS = {"stat": OpStat, "read": OpRead, "write": OpWrite}
_NOT_OPTIONS = HINTS | {"range"}


def _refused_options(operation: str, arguments: type, capability: Capability) -> list[tuple[str, object]]:
    """The options of an operation that the service does not have, with the default that asks nothing."""
    return [
        (option.name, option.default)
        for option in fields(arguments)
        if option.name not in _NOT_OPTIONS and not getattr(capability, f"{operation}_with_{option.name}")
    ]


def _check_is_file(path: str) -> None:
    if is_dir_path(path):
        raise IsADirectory("the path names a directory; a file has no slash at its end")
