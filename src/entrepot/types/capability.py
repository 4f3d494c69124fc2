"""What a service can do, as data."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, repr=False)
class Capability:
    """What a service can do. A flag that is False is refused with `Unsupported` before any I/O.

    A flag is named after what it allows: `stat` the operation, `stat_with_if_match` its option.
    `read_can_seek` and `read_can_next` say which verbs the bodies of the service have natively;
    the stack completes the others, so that every reader an operator gives has all of them.
    """

    stat: bool = False
    stat_with_version: bool = False
    stat_with_if_match: bool = False
    stat_with_if_none_match: bool = False
    stat_with_if_modified_since: bool = False
    stat_with_if_unmodified_since: bool = False

    read: bool = False
    read_can_seek: bool = False
    read_can_next: bool = False
    read_with_suffix: bool = False
    read_with_version: bool = False
    read_with_if_match: bool = False
    read_with_if_none_match: bool = False
    read_with_if_modified_since: bool = False
    read_with_if_unmodified_since: bool = False

    write: bool = False

    def __repr__(self) -> str:
        return f"Capability({', '.join(flag.name for flag in fields(self) if getattr(self, flag.name))})"
