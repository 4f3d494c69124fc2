"""Where the behaviour suite runs on the azblob service, and what each server lacks.

A case that a server lacks must fail there; once it passes the test fails, so that the line is removed.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Store, SuiteTarget, all_of

from .config import Azblob

_KINDS: Final = "Azure appends only to blobs that an append made"
_TAGS: Final = "Azure takes tags of some characters of ASCII only"
_UNKEPT: Final = "Azure would keep the blob under another name, so that the name is refused"
_VERSIONS: Final = "it keeps no versions"

OF_AZURE: Final[dict[str, str]] = {
    "write.user_metadata_is_kept": "Azure takes names of user metadata that are identifiers only",
    **all_of(
        "append",
        _KINDS,
        *("append_extends_a_written_object", "writer_appends_piece_by_piece", "append_of_nothing_changes_nothing"),
    ),
    "copy.tags_are_copied_or_replaced": _TAGS,
    **all_of("tags", _TAGS, "of_a_write", "of_an_object_in_parts", "replaced"),
    "presign.write_under_a_condition": "Azure refuses it with 409 instead of 412",
    **all_of("paths", _UNKEPT, "tab", "backslash", "three_dots", "dots_at_the_end", "dot", "only_a_dot"),
    "versions.deletion_of_a_deletion_brings_the_object_back": "Azure has no marks of deletions that could be deleted",
    **all_of("paths", _UNKEPT, "two_dots", "two_dots_at_the_end", "two_dots_between_backslashes"),
}
"""Cases that Azure itself cannot pass."""

_LACKS: Final[dict[str, str]] = {
    **OF_AZURE,
    **all_of(
        "versions",
        _VERSIONS,
        *("stat_of_a_version", "stat_of_a_version_of_another_object"),
        *("read_of_a_version", "read_of_a_version_of_another_object", "read_of_a_version_after_a_deletion"),
        *("delete_of_a_version", "delete_of_a_version_of_another_object", "delete_of_many_versions"),
        *("list_of_versions", "list_of_versions_in_pages", "list_of_versions_after_a_path", "list_of_deletions"),
        *("copy_of_a_version", "copy_of_a_version_over_itself", "copy_of_a_version_of_another_object"),
        *("malformed_version", "list_of_versions_and_deletions", "tags_of_a_version"),
    ),
}
"""Cases that Azurite cannot pass."""

_KEY: Final = "c2VjcmV0"
_SAMPLE: Final = Azblob("sample", account_name="sample", account_key=_KEY)


def config_for(server: Any, container: str, root: str) -> Azblob:
    """The configuration of a root in a container of an `entrepot.testing.AzuriteServer`."""
    return Azblob(
        container,
        root,
        endpoint=server.endpoint,
        account_name=server.account_name,
        account_key=server.account_key,
    )


def _open(place: Place) -> Store:
    server = place.server
    config = config_for(server, server.container, place.root)
    return Store(config, lambda path, content: server.put(f"{place.root}/{path}", content))


TARGETS: Final = (SuiteTarget("azblob", _SAMPLE, _open, server="azurite", lacks=_LACKS),)
"""Azurite, the emulator of Microsoft."""
