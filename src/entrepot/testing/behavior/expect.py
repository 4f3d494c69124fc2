"""The checks of a case, whose messages name the expected value."""

from __future__ import annotations

from typing import Any


def check(holds: object, otherwise: str) -> None:
    """Raises `AssertionError` with the message unless the value is true."""
    if not holds:
        raise AssertionError(otherwise)


def equal(actual: object, expected: object, what: str) -> None:
    """Raises `AssertionError` unless both are equal."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {short(expected)}, got {short(actual)}")


def short(value: object) -> str:
    """A value for a message. Long bytes are cut, with their length."""
    if isinstance(value, bytes | bytearray) and len(value) > 40:
        return f"{bytes(value[:40])!r} and so on ({len(value)} bytes)"
    return f"{value!r:.1000}"


def one_of(actual: Any, expected: list[Any], what: str) -> None:
    """Raises `AssertionError` unless the value is one of the expected ones."""
    if actual not in expected:
        raise AssertionError(f"{what}: expected one of {', '.join(map(short, expected))}, got {short(actual)}")
