"""The keywords that all calls have, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any, Final, TypedDict

from entrepot import InvalidInput
from entrepot.types.numbers import as_integer, as_seconds

from .cluster import CONNECT
from .items import BYTES, KEYS, LARGE, PART, Limits
from .report import ReportRun
from .schedule import ATTEMPTS

CONCURRENT: Final = 16
"""Objects in flight in one task, by default."""


class RunOptions(TypedDict, total=False):
    """The keywords of every call.

    Arguments:
        keys: objects of one task, at most. By default 1,000.
        size: bytes of one task, at most, unless one object has more. By default 512 MiB.
        large: the size in bytes from which an object is spread over the workers by its parts. By default 1 GiB.
        part: bytes of such a part. Larger ones are sent where the object would need more than 10,000. By default 64
            MiB; a worker holds one for each of its threads.
        concurrent: objects in flight in one task. By default 16.
        attempts: how often an object is tried after temporary errors, besides the retries of its operators. By
            default 4.
        in_flight: tasks in flight, at most. By default two for each thread of the workers.
        timeout: seconds to wait for the scheduler and its first worker. By default 10.
        progress: a function that is called after each task with the `ClusterReport` so far, in the calling thread.
            An exception in it ends the run.
    """

    keys: int
    size: int
    large: int
    part: int
    concurrent: int
    attempts: int
    in_flight: int | None
    timeout: float
    progress: ReportRun | None


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked keywords. See `RunOptions`.

    Raises:
        InvalidInput: a value is invalid.
    """

    keys: int = KEYS
    size: int = BYTES
    large: int = LARGE
    part: int = PART
    concurrent: int = CONCURRENT
    attempts: int = ATTEMPTS
    in_flight: int | None = None
    timeout: float = CONNECT
    progress: ReportRun | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("keys", "size", "large", "part", "concurrent", "attempts"):
            as_integer(name, getattr(self, name), 1)
        if self.in_flight is not None:
            as_integer("in_flight", self.in_flight, 1)
        as_seconds("timeout", self.timeout, least=0)
        if iscoroutinefunction(self.progress) or not (self.progress is None or callable(self.progress)):
            raise InvalidInput("progress must be a function that is not async: it is called, and not awaited")

    @classmethod
    def of(cls, options: Any) -> Settings:
        """Makes the settings of the keywords of a call.

        Raises:
            InvalidInput: a keyword is unknown, or a value is invalid.
        """
        unknown = options.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            raise InvalidInput(f"there is no option {min(unknown)!r}; the options are {', '.join(cls.__slots__)}")
        return cls(**options)

    @property
    def limits(self) -> Limits:
        """How the tree is cut into tasks."""
        return Limits(keys=self.keys, size=self.size, large=self.large)
