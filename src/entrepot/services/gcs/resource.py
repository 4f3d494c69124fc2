"""Object resources of the JSON API, pure: from options to resources, and from resources to metadata.

The source is "Objects" in the reference of the Cloud Storage JSON API. Numbers of 64 bits are text there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from entrepot.errors import Unexpected
from entrepot.raw import OpWrite
from entrepot.raw.http.headers import parse_iso_time, parse_length, quoted_etag
from entrepot.raw.http.stored_headers import StoredHeaders
from entrepot.types import Checksum, EntryMode, Metadata
from entrepot.types.frozen_mapping import EMPTY

STORED: Final = StoredHeaders("x-goog-meta-")
"""The same metadata as headers, for the XML API. It also checks which values can be stored."""

_FIELDS: Final = {
    "Content-Type": "contentType",
    "Content-Disposition": "contentDisposition",
    "Content-Encoding": "contentEncoding",
    "Content-Language": "contentLanguage",
    "Cache-Control": "cacheControl",
}

Resource = Mapping[str, Any]

_FILE: Final = EntryMode.FILE  # on Python 3.11 to look one up takes as long as a call
_new_metadata: Final = Metadata.__new__  # takes two thirds of the time of a call of the class

EDITABLE: Final = (*_FIELDS.values(), "metadata", "customTime")
"""The fields that the copy of an object has from its source."""


def new_resource(args: OpWrite, default_class: str | None) -> dict[str, Any]:
    """What a write stores beside the content.

    Arguments:
        args: the options of the write.
        default_class: the storage class if the write names none.

    Raises:
        InvalidInput: a value cannot be stored.
    """
    stored = dict(STORED.to_store(args))
    resource: dict[str, Any] = {field: stored[name] for name, field in _FIELDS.items() if name in stored}
    if args.user_metadata is not None:
        prefix = STORED.user_prefix
        resource["metadata"] = {
            name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)
        }
    storage_class = args.storage_class or default_class
    if storage_class is not None:
        resource["storageClass"] = storage_class
    return resource


def parse_resource(content: bytes) -> Resource:
    """The JSON object in a response.

    Raises:
        Unexpected: it is something else, such as the page of a proxy. Temporary.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Unexpected("the response of the storage is not a JSON object: is this its endpoint?", is_temporary=True)
    return value


def describe(
    resource: Resource, *, mode: EntryMode = _FILE, has_version: bool = True, is_current: bool | None = None
) -> Metadata:
    """The metadata of an object.

    Arguments:
        resource: the object as the storage states it.
        mode: whether its path is the one of a directory.
        has_version: whether its generation is the version of the metadata.
        is_current: whether it is the current version, where that is known.
    """
    text = resource.get
    crc32c = text("crc32c")
    user_metadata = text("metadata")
    return _new_metadata(
        Metadata,
        mode,
        parse_length(text("size")),
        quoted_etag(text("etag")),
        parse_iso_time(text("updated")),
        text("contentType"),
        text("contentEncoding"),
        text("contentDisposition"),
        text("cacheControl"),
        text("md5Hash"),
        text("generation") if has_version else None,
        is_current,
        user_metadata=_lower(user_metadata) if user_metadata else EMPTY,
        content_language=text("contentLanguage"),
        storage_class=text("storageClass"),
        checksums=(Checksum("crc32c", crc32c),) if crc32c else (),
    )


def _lower(user_metadata: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in user_metadata.items()}
