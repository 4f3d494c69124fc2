"""A resource of a multi-status response: a file or a directory, as a server describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from entrepot.errors import ContentIncomplete
from entrepot.raw.http.headers import parse_http_date, parse_length, quoted_etag
from entrepot.types import EntryMode, Metadata
from entrepot.types.frozen_mapping import EMPTY

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

OK: Final = 200

Name = str
"""The name of an element, as the parser writes it: its namespace, a blank and its local name."""

_LENGTH: Final = "DAV: getcontentlength"
_MODIFIED: Final = "DAV: getlastmodified"
_ETAG: Final = "DAV: getetag"
_TYPE: Final = "DAV: getcontenttype"
_LANGUAGE: Final = "DAV: getcontentlanguage"

_PLAIN_PATH: Final = re.compile(r"/(?!/)[!-\"$-.0->@-~/]*").fullmatch
"""A path without a query, as most servers state the URL of a resource: `urlsplit` has nothing to split."""


@dataclass(slots=True)
class Resource:
    """One resource of a response.

    Arguments:
        path: the path of its URL, percent-encoded as the server states it.
        status: the status of the resource as a whole; 200 if it is stated for properties only.
        is_directory: whether it is a collection.
        properties: the text of its properties with the status 200, by name.
        refused: the statuses of the other groups of properties.
    """

    path: str = ""
    status: int = OK
    is_directory: bool = False
    properties: dict[Name, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    @property
    def decoded_path(self) -> str:
        """Its path without percent-encoding and without a slash at its end."""
        return unquote(self.path).rstrip("/")

    @property
    def name(self) -> str:
        """The last name of its path, without a slash."""
        return unquote(self.path.rstrip("/").rpartition("/")[2])

    @property
    def length(self) -> int | None:
        """Its length in bytes, if it is stated."""
        stated = self.properties.get(_LENGTH)
        return None if stated is None else parse_length(stated.strip())

    def metadata(self, user_namespace: str = "") -> Metadata:
        """Its metadata; the user's are the properties of their namespace."""
        text = self.properties.get
        modified = text(_MODIFIED)
        last_modified = None if modified is None else parse_http_date(modified.strip())
        if self.is_directory:
            return Metadata(mode=EntryMode.DIR, last_modified=last_modified)
        return Metadata(
            content_length=self.length,
            etag=quoted_etag(text(_ETAG)),
            last_modified=last_modified,
            content_type=text(_TYPE) or None,
            content_language=text(_LANGUAGE) or None,
            user_metadata=self._user_metadata(user_namespace) if user_namespace else EMPTY,
        )

    def _user_metadata(self, namespace: str) -> Mapping[str, str]:
        named = ((*name.rpartition(" ")[::2], text) for name, text in self.properties.items())
        return {local: text for of, local, text in named if of == namespace}


def path_of(href: str) -> str:
    """The path of a URL, or of an absolute path, percent-encoded as it is stated."""
    if _PLAIN_PATH(href):
        return href
    try:
        return urlsplit(href.strip()).path
    except ValueError:
        raise ContentIncomplete("the response names a resource by a malformed URL") from None
