"""Where the behaviour suite runs on the gcs service, and what each server lacks."""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Store, SuiteTarget, all_of

from .config import Gcs

_CONDITIONS: Final = "it ignores conditions on generations"
_VERSIONS: Final = "it ignores the generation of a deletion"

_LACKS: Final = {
    **all_of("write", _CONDITIONS, "if_not_exists", "if_not_exists_has_one_winner", "parts_if_not_exists"),
    "copy.if_not_exists_to_an_old_target": _CONDITIONS,
    "copy_to.if_not_exists_to_an_old_target": _CONDITIONS,
    "presign.read_under_a_condition": _CONDITIONS,
    **all_of("versions", _VERSIONS, "delete_of_a_version", "delete_of_a_version_of_another_object"),
    "versions.delete_of_many_versions": _VERSIONS,
    "versions.list_of_versions_in_pages": "its next page starts with the last name again, and so with its versions",
}

_SAMPLE: Final = Gcs("sample", skip_signature=True, xml_uploads=False)
_SIGNED: Final = Gcs("sample", token="token")  # noqa: S106


def config_for(server: Any, bucket: str, root: str) -> Gcs:
    """The configuration of a root in a bucket of an `entrepot.testing.GcsServer`."""
    return Gcs(bucket, root, server.endpoint, skip_signature=True)


def _open(place: Place) -> Store:
    server = place.server
    bucket = server.versioned_bucket() if place.is_versioned else server.bucket
    config = config_for(server, bucket, place.root)
    return Store(config, lambda path, content: server.put(f"{place.root}/{path}", content))


def _open_strict(place: Place) -> Store:
    server = place.server
    bucket = server.versioned_bucket() if place.is_versioned else server.bucket
    config = Gcs(bucket, place.root, server.endpoint, credential=server.credential, xml_uploads=True)
    return Store(config, lambda path, content: server.put(f"{place.root}/{path}", content))


TARGETS: Final = (
    SuiteTarget("gcs", _SAMPLE, _open, server="fake_gcs", lacks=_LACKS),
    SuiteTarget("gcs_strict", _SIGNED, _open_strict, server="strict_gcs", is_ours=True),
)
"""Objects in fake-gcs-server, and in a server of ours that has the rest."""
