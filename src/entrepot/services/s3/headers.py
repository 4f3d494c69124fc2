"""What is stored beside an object, as headers of the request that stores it, pure.

The source is PutObject, CreateMultipartUpload and "Working with object metadata" in the Amazon S3 API
Reference and User Guide. Amazon says of user metadata in REST requests that it is US-ASCII. It would take
other characters as RFC 2047 has them, but few other servers decode that, and none tells. So what is not
printable ASCII is refused here, rather than come back as something else. Whoever needs more encodes it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw import OpCopy, OpWrite
from entrepot.raw.http.transport import Header, HttpHeaders

USER_METADATA: Final = "x-amz-meta-"

_CARRIED: Final = frozenset(
    {"content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires"}
)

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_VALUE: Final = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?", re.ASCII)


def stored_headers(args: OpWrite) -> list[Header]:
    """The headers that are stored beside the object. Content-Type is among them only if asked for.

    Raises:
        InvalidInput: a value cannot be a header, or two names of user metadata differ only in case.
    """
    given = {
        "Content-Type": args.content_type,
        "Content-Disposition": args.content_disposition,
        "Content-Encoding": args.content_encoding,
        "Cache-Control": args.cache_control,
    }
    headers = [(name, _checked(name, value)) for name, value in given.items() if value is not None]
    return [*headers, *_user_headers(args.user_metadata or {})]


def carried_headers(headers: HttpHeaders) -> list[Header]:
    """Of the headers of a reply to a HEAD those that an upload in parts must be told, to be a copy of the object.

    They are all that CopyObject copies by itself but for the tags of the object, which are no headers: a copy in ranges
    has none.

    Raises:
        InvalidInput: a value cannot be sent back as it came.
    """
    return [
        (name, _checked(name, value))
        for name, value in headers.items()
        if name in _CARRIED or name.startswith(USER_METADATA)
    ]


def condition_headers(args: OpWrite | OpCopy) -> list[Header]:
    """The conditions on what is written over: PutObject, CompleteMultipartUpload and CopyObject take the same.

    Raises:
        InvalidInput: an etag cannot be a header.
    """
    headers: list[Header] = []
    if args.if_match is not None:
        headers.append(("If-Match", _checked("if_match", args.if_match)))
    if args.if_not_exists:
        headers.append(("If-None-Match", "*"))
    return headers


def _user_headers(user_metadata: Mapping[str, str]) -> Iterator[Header]:
    seen = set[str]()
    for name, value in user_metadata.items():
        key = name.lower()
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"user_metadata cannot have the name {key!r}: a name is ASCII letters, digits and '-'")
        if key in seen:
            raise InvalidInput(f"user_metadata has the name {key!r} twice: names do not differ by case")
        seen.add(key)
        yield USER_METADATA + key, _checked(f"user_metadata[{key!r}]", value)


def _checked(name: str, value: str) -> str:
    """A value that arrives as it was sent: a server would drop blanks around it."""
    if not _VALUE.fullmatch(value):
        raise InvalidInput(f"{name} cannot be stored: it must be printable ASCII without blanks around it")
    return value
