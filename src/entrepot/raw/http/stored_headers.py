"""Metadata that is stored with an object, to and from headers.

User metadata is printable ASCII in writes. The documentation of Amazon S3 says that it is US-ASCII in REST requests
("Working with object metadata"). Amazon would accept other characters as RFC 2047 encodes them, but few other servers
decode that, and none says whether it does. Other characters are therefore refused, since other programs could read them
changed. Metadata that another program stored is decoded when it is read, for a store that answers so.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.raw.ops import OpCopy, OpDelete, OpWrite
from entrepot.types.patterns import pattern

from .encoded_words import decode_words
from .headers import header_text
from .transport import Header, HttpHeaders

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_CARRIED: Final = frozenset(
    {"content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires"}
)

_NAME: Final = pattern(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_VALUE: Final = pattern(r"(?:[!-~](?:[ -~\t]*[!-~])?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredHeaders:
    """Translates between metadata and the headers of a store.

    Arguments:
        user_prefix: the start of the header names of user metadata, in lower case, such as `"x-amz-meta-"`.
        has_encoded_words: whether the store returns values that are not ASCII as encoded words (RFC 2047).
    """

    user_prefix: str
    has_encoded_words: bool = False

    def to_store(self, args: OpWrite) -> list[Header]:
        """The headers that a write stores with the object. Content-Type is among them only if the caller set it.

        Raises:
            InvalidInput: a value cannot be a header, or two names of user metadata differ only in case.
        """
        given = {
            "Content-Type": args.content_type,
            "Content-Disposition": args.content_disposition,
            "Content-Encoding": args.content_encoding,
            "Content-Language": args.content_language,
            "Cache-Control": args.cache_control,
        }
        headers = [(name, _checked(name, value)) for name, value in given.items() if value is not None]
        return [*headers, *self._user_headers(args.user_metadata or {})]

    def carried(self, headers: HttpHeaders) -> list[Header]:
        """The stored headers of an object, from a response, as headers that store the same with its copy.

        Raises:
            InvalidInput: a value cannot be sent back as it came.
        """
        return [
            (name, _checked(name, value))
            for name, value in headers.items()
            if name in _CARRIED or name.startswith(self.user_prefix)
        ]

    def replaced(self, headers: HttpHeaders, args: OpWrite) -> list[Header]:
        """The stored headers of an object, with the ones of a write in their place.

        User metadata of the write takes the place of all of the object's.

        Raises:
            InvalidInput: a value cannot be a header.
        """
        given = self.to_store(args)
        names = {name.lower() for name, _ in given}
        kept = [(name, value) for name, value in self.carried(headers) if name not in names]
        if args.user_metadata is not None:
            kept = [(name, value) for name, value in kept if not name.startswith(self.user_prefix)]
        return [*kept, *given]

    def user_metadata(self, headers: HttpHeaders) -> dict[str, str]:
        """The user metadata in the headers of a response."""
        prefix = self.user_prefix
        if prefix not in "\n".join(headers):  # most objects have none
            return {}
        names = [name for name in headers if name.startswith(prefix)]
        found = {name.removeprefix(prefix): header_text(headers, name) or "" for name in names}
        return {name: decode_words(value) for name, value in found.items()} if self.has_encoded_words else found

    def _user_headers(self, user_metadata: Mapping[str, str]) -> Iterator[Header]:
        seen = set[str]()
        for name, value in user_metadata.items():
            key = name.lower()
            if not _NAME.fullmatch(name):
                raise InvalidInput(f"user_metadata cannot have the name {key!r}: use ASCII letters, digits and '-'")
            if key in seen:
                raise InvalidInput(f"user_metadata has the name {key!r} twice: names do not differ by case")
            seen.add(key)
            yield self.user_prefix + key, _checked(f"user_metadata[{key!r}]", value)


def write_conditions(args: OpWrite | OpCopy | OpDelete) -> list[Header]:
    """The conditions on the object that a write replaces or a deletion removes (RFC 9110, 13.1).

    Raises:
        InvalidInput: an etag cannot be a header.
    """
    headers: list[Header] = []
    if args.if_match is not None:
        headers.append(("If-Match", _checked("if_match", args.if_match)))
    if not isinstance(args, OpDelete) and args.if_not_exists:
        headers.append(("If-None-Match", "*"))
    return headers


def _checked(name: str, value: str) -> str:
    """A value that a server returns as it was sent: it would drop blanks around it."""
    if not _VALUE.fullmatch(value):
        raise InvalidInput(f"{name} cannot be stored: it must be printable ASCII without blanks around it")
    return value
