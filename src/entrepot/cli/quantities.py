"""Sizes, durations and ranges as people type them, and sizes as they read them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_RANGE: Final = re.compile(r"(\d*):(\d*)|-(\d+)")


class Size(click.ParamType):  # type: ignore[type-arg]  # older releases have none
    """A number of bytes: `500`, `10k`, `1.5M`, `8MiB`. Units are powers of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SIZE.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not a size, such as 500, 10k or 1.5M", param, ctx)
        return int(float(found[1]) * _UNITS[found[2].lower()])


class Duration(click.ParamType):  # type: ignore[type-arg]  # older releases have none
    """A duration: `500ms`, `30s`, `5m`, `2h`, `7d`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        parts = _DURATION.findall(str(value))
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value!r} is not a duration, such as 30s, 5m, 1h30m or 7d", param, ctx)
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


class Range(click.ParamType):  # type: ignore[type-arg]  # older releases have none
    """A range of bytes: `START:END` without the end, `START:`, `:END`, or `-N` for the last N bytes."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int | None]:
        if isinstance(value, dict):
            return value
        found = _RANGE.fullmatch(value)
        if found is None or value == ":":
            self.fail(f"{value!r} is not a range, such as 0:1024, 100: or -50", param, ctx)
        if found[3] is not None:
            return {"suffix": int(found[3])}
        start, end = int(found[1] or 0), int(found[2]) if found[2] else None
        if end is not None and end < start:
            self.fail(f"{value!r} ends before it starts", param, ctx)
        return {"start": start, "end": end}


SIZE, DURATION, RANGE = Size(), Duration(), Range()


def human_size(size: float) -> str:
    """A size as people read it: `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PiB"
