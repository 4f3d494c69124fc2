"""Options of calls, as code for other file systems gives them, by the names that `Operator` has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from entrepot import InvalidInput

_WITHOUT_EFFECT: Final = frozenset(
    {
        *("anon", "default_block_size", "default_cache_type", "default_fill_cache", "fill_cache"),
        *("auto_mkdir", "consistency", "preserve_etag"),
    }
)
"""Those that change no content: credentials are options of a file system, directories are made, writes are checked."""

_NAMES: Final = {
    "version_id": "version",
    "generation": "version",
    "max_concurrency": "concurrent",
    "chunksize": "chunk",
    "metadata": "user_metadata",
    "overwrite": "if_not_exists",
    "ACL": "acl",
    "CacheControl": "cache_control",
    "ContentDisposition": "content_disposition",
    "ContentEncoding": "content_encoding",
    "ContentLanguage": "content_language",
    "ContentType": "content_type",
    "Metadata": "user_metadata",
    "StorageClass": "storage_class",
}
"""The names that s3fs, gcsfs, adlfs and boto3 have for options of `Operator`."""

_TRANSLATED: Final[Mapping[str, Callable[[Any], object]]] = {"generation": str, "overwrite": lambda value: not value}

_OF_FILE_SYSTEM: Final = frozenset({"requester_pays", "version_aware"})
"""Those that have an effect on all calls or on none."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that mean something, by our names. None is the default of each, in every file system.

    Raises:
        InvalidInput: an option is given by two names, or is one of the file system.
    """
    result: dict[str, Any] = {}
    for name, value in _flattened(options).items():
        if name in _WITHOUT_EFFECT or _is_default(name, value):
            continue
        if name in _OF_FILE_SYSTEM:
            raise InvalidInput(f"{name} is an option of the file system, not of one call")
        ours = _NAMES.get(name, name)
        if ours in result:
            raise InvalidInput(f"the option {ours} is given twice, once as {name}")
        result[ours] = _TRANSLATED[name](value) if name in _TRANSLATED else value
    return result


def version_of(options: Mapping[str, Any]) -> str | None:
    """The version among options of which no other one has an effect."""
    names = [name for name in options if name == "version" or _NAMES.get(name) == "version"]
    version: str | None = given({name: options[name] for name in names}).get("version")
    return version


def _flattened(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those that s3fs passes on to its client."""
    if not options.get("s3_additional_kwargs"):
        return {name: value for name, value in options.items() if name != "s3_additional_kwargs"}
    rest = dict(options)
    return {**rest.pop("s3_additional_kwargs"), **rest}


def _is_default(name: str, value: Any) -> bool:
    if name == "overwrite":  # of adlfs
        return value is None or bool(value)
    return value is None or (not value and name in {"acl", *_OF_FILE_SYSTEM})
