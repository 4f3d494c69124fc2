"""How a case says what it expected."""

from __future__ import annotations

from typing import Any


def check(holds: object, otherwise: str) -> None:
    """Ends the case with a sentence unless something holds."""
    if not holds:
        raise AssertionError(otherwise)


def equal(actual: object, expected: object, what: str) -> None:
    """Ends the case unless both are equal."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {short(expected)}, got {short(actual)}")


def short(value: object) -> str:
    """A value for a message; of many bytes the first ones and how many they are."""
    if isinstance(value, bytes | bytearray) and len(value) > 40:
        return f"{bytes(value[:40])!r} and so on ({len(value)} bytes)"
    return f"{value!r:.1000}"


def one_of(actual: Any, expected: list[Any], what: str) -> None:
    """Ends the case unless the value is one of those expected."""
    if actual not in expected:
        raise AssertionError(f"{what}: expected one of {', '.join(map(short, expected))}, got {short(actual)}")
