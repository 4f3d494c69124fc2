"""A request that whoever holds it can send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from .frozen_mapping import EMPTY, FrozenMapping

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class PresignedRequest:
    """A request that is proven already: any HTTP client can send it, without credentials.

    The URL is a secret for as long as it holds: whoever has it can do what it says. So the repr shows neither its
    query nor the values of the headers.

    Arguments:
        method: such as `"GET"`.
        url: absolute and percent-encoded; it must be sent as it stands.
        headers: what must be sent with it, all of it and unchanged. It is copied, and cannot be changed.
        expires_at: from when on it is refused, with a time zone; None where it needs no proof and holds on.
    """

    method: str
    url: str
    headers: Mapping[str, str] = EMPTY
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if type(self.headers) is not FrozenMapping:
            object.__setattr__(self, "headers", FrozenMapping(self.headers))

    def __repr__(self) -> str:
        address, mark, _ = self.url.partition("?")
        url = f"{address}?..." if mark else address
        until = None if self.expires_at is None else self.expires_at.isoformat()
        return f"PresignedRequest({self.method} {url}, headers={sorted(self.headers)}, expires_at={until})"
