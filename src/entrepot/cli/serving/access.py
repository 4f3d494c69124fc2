"""Whether a request is allowed: the host it names, its token, and whether another site made a browser send it."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .refusals import Refused

CUSTOM_HEADER: Final = "X-Entrepot"
"""A header that a page of another site cannot send: browsers ask the server first, and it does not permit it."""

READING: Final = ("GET", "HEAD")
_WRITING: Final = ("PUT", "DELETE")
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="entrepot", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for requests.

    Arguments:
        token: the secret that each request must have; None if none is needed.
        hosts: the names that a request may have in Host; None is any. A page of another site whose name resolves to
            this machine (DNS rebinding) sends its own name.
        is_writable: whether objects may be stored and deleted.
    """

    token: str | None = None
    hosts: frozenset[str] | None = None
    is_writable: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are allowed."""
        return (*READING, *_WRITING) if self.is_writable else READING

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuses a request that is not allowed.

        Raises:
            Refused: 421 for another host, 401 without the token, 405 for a method that is not allowed, 403 for a
                change that another site may have requested.
        """
        if self.hosts is not None and _host_name(headers.get("Host", "")) not in self.hosts:
            raise Refused(421, "This server does not answer for that host name.")
        if self.token is not None and not _has_token(headers.get("Authorization", ""), self.token):
            raise Refused(401, "A token is needed: as the password, or as a bearer token.", _CHALLENGE)
        if method not in self.methods:
            raise Refused(405, headers={"Allow": ", ".join(self.methods)})
        if method in _WRITING and not _is_from_here(headers):
            raise Refused(403, f"A change needs a page of this server, or the header {CUSTOM_HEADER}.")


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # such as an open bracket
        return None


def _has_token(authorization: str, token: str) -> bool:
    """Whether the credentials are the token: bearer, or the password of any user. Compared in constant time."""
    scheme, _, value = authorization.partition(" ")
    sent = value.strip().encode(errors="surrogateescape")
    if scheme.lower() == "basic":
        try:
            sent = base64.b64decode(sent, validate=True).partition(b":")[2]
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(sent, token.encode())


def _is_from_here(headers: Mapping[str, str]) -> bool:
    """Whether a change was not requested by a page of another site.

    Browsers say where a request comes from: newer ones in Sec-Fetch-Site, all in Origin. Other programs send neither.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site == "same-origin" or (site == "none" and CUSTOM_HEADER in headers)
    if origin is not None:
        return _authority(origin) == headers.get("Host", "").lower()
    return CUSTOM_HEADER in headers


def _authority(origin: str) -> str:
    return origin.partition("://")[2].lower()
