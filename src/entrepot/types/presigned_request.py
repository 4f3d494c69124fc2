"""`PresignedRequest`: a signed request that any HTTP client can send."""

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
    """A signed request: any HTTP client can send it, without credentials.

    The URL is a secret until it expires: it grants access to everyone who has it. So the repr shows neither its
    query nor the values of headers and fields.

    Arguments:
        method: the HTTP method, such as `"GET"`.
        url: the URL, absolute and percent-encoded; it must be sent unchanged.
        headers: the headers that must be sent, all of them and unchanged. The mapping is copied, and immutable.
        expires_at: the time of expiry, with a time zone; None if the request needs no signature and does not expire.
        fields: the fields of a form, which is sent as multipart/form-data: all of them, unchanged and in this order,
            and after them the file, in a field named `file`. Empty for other requests.
    """

    method: str
    url: str
    headers: Mapping[str, str] = EMPTY
    expires_at: datetime | None = None
    fields: Mapping[str, str] = EMPTY

    def __post_init__(self) -> None:
        if type(self.headers) is not FrozenMapping:
            object.__setattr__(self, "headers", FrozenMapping(self.headers))
        if type(self.fields) is not FrozenMapping:
            object.__setattr__(self, "fields", FrozenMapping(self.fields))

    def __repr__(self) -> str:
        address, mark, _ = self.url.partition("?")
        url = f"{address}?..." if mark else address
        until = None if self.expires_at is None else self.expires_at.isoformat()
        fields = f", fields={sorted(self.fields)}" if self.fields else ""
        return f"PresignedRequest({self.method} {url}, headers={sorted(self.headers)}, expires_at={until}{fields})"
