"""Where the behaviour suite runs on the services over archives: an archive on disk, and one in an S3 server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from entrepot.raw.composite import CompositeConfig
from entrepot.raw.suite import Place, Store, SuiteTarget, put_file

Pack = Callable[[dict[str, bytes]], bytes]
"""Makes an archive of members."""


def archive_targets(
    name: str, config: Callable[[str, str], CompositeConfig], path: str, pack: Pack
) -> list[SuiteTarget]:
    """The targets of a service over archives: one over a local directory, one over SeaweedFS.

    Each object that a case puts becomes a member, and the archive is stored again.

    Arguments:
        name: the name of the first target.
        config: makes the configuration of a source and a path.
        path: the name of the archive.
        pack: makes it.
    """
    sample = config("file:///", path)

    def on_disk(place: Place) -> Store:
        return Store(config(place.folder.as_uri(), path), _putting(pack, partial(put_file, place.folder / path)))

    def on_server(place: Place) -> Store:
        store = partial(place.server.put, f"{place.root}/{path}")
        return Store(config(_uri(place), path), _putting(pack, store))

    return [
        SuiteTarget(name, sample, on_disk),
        SuiteTarget(f"{name}_seaweedfs", sample, on_server, server="seaweedfs"),
    ]


def _putting(pack: Pack, store: Callable[[bytes], object]) -> Callable[[str, bytes], None]:
    members: dict[str, bytes] = {}

    def put(path: str, content: bytes) -> None:
        members[path] = content
        store(pack(members))

    store(pack(members))
    return put


def _uri(place: Place) -> str:
    """The URI of a directory of an S3 server."""
    names = ("endpoint", "region", "access_key_id", "secret_access_key")
    options = urlencode({name: getattr(place.server, name) for name in names})
    return f"s3://{place.server.bucket}/{place.root}?{options}"
