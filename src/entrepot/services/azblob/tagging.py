"""Tags of a blob, pure: Get Blob Tags and Set Blob Tags of the Azure Storage REST API Reference."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from entrepot.errors import InvalidInput, Unexpected
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.http.xml import escaped

if TYPE_CHECKING:
    from .core import AzblobCore

MAX_TAGS: Final = 10
_TEXT: Final = re.compile("[A-Za-z0-9 +./:=_-]*", re.ASCII)
_ROWS: Final = frozenset({"Tag"})


def tags_header(tags: Mapping[str, str]) -> Header:
    """The header that gives a new blob its tags.

    Raises:
        InvalidInput: Azure takes no such tags.
    """
    check_tags(tags)
    return "x-ms-tags", "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in tags.items())


def get_tags(core: "AzblobCore", key: str, version: str | None) -> HttpRequest:
    """Get Blob Tags."""
    return core.on_blob("GET", key, [("comp", "tags"), *_version(version)])


def tags_of(core: "AzblobCore", headers: HttpHeaders, content: bytes) -> dict[str, str]:
    """The tags in a response.

    Raises:
        Error: the response cannot be understood.
    """
    if not content:  # some servers send nothing for a blob without tags
        return {}
    document = core.document(headers, content, "Tags", _ROWS, row_depth=3)
    try:
        return {values["Key"]: values.get("Value", "") for _, values in document.rows}
    except KeyError:
        raise Unexpected("the storage lists a tag without a name") from None


def set_tags(core: "AzblobCore", key: str, tags: Mapping[str, str], version: str | None) -> HttpRequest:
    """Set Blob Tags.

    Raises:
        InvalidInput: Azure takes no such tags.
    """
    check_tags(tags)
    listed = "".join(f"<Tag><Key>{escaped(name)}</Key><Value>{escaped(tags[name])}</Value></Tag>" for name in tags)
    content = f'<?xml version="1.0" encoding="utf-8"?><Tags><TagSet>{listed}</TagSet></Tags>'.encode()
    headers = [("Content-Type", "application/xml; charset=UTF-8")]
    return core.on_blob("PUT", key, [("comp", "tags"), *_version(version)], headers, content)


def check_tags(tags: Mapping[str, str]) -> None:
    """Passes if a blob can have these tags.

    Raises:
        InvalidInput: there are too many, or one has other characters or a length that Azure refuses.
    """
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"a blob has at most {MAX_TAGS} tags, not {len(tags)}")
    for name, value in tags.items():
        if not 0 < len(name) <= 128 or len(value) > 256 or not (_TEXT.fullmatch(name) and _TEXT.fullmatch(value)):
            raise InvalidInput(
                f"the tag {name!r} cannot be stored: names of 1 to 128 and values of up to 256 letters and digits of "
                "ASCII, blanks and '+-./:=_'"
            )


def _version(version: str | None) -> list[tuple[str, str]]:
    return [] if version is None else [("versionid", version)]
