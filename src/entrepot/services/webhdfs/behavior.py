"""Where the behaviour suite runs on the webhdfs service: on fakes, since no server of HDFS can be installed."""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Sometimes, Store, SuiteTarget

from .config import Webhdfs

_SAMPLE: Final = Webhdfs("http://127.0.0.1:1", user_name="user")
_GAP: Final = Sometimes("its RENAME never replaces, so that the old file is deleted first")

_NAMES: Final = {"paths.colon": "HDFS has no names with a colon"}
_GAPS: Final = {
    "robustness.readers_never_see_half_a_write": _GAP,
    "robustness.cancelled_write_leaves_the_old_or_the_new": _GAP,
}


def config_for(server: Any, root: str) -> Webhdfs:
    """The configuration of a root on an `entrepot.testing.FakeHdfs`."""
    return Webhdfs(server.url, root=root, delegation=server.token)


def _open(place: Place) -> Store:
    server = place.server
    return Store(config_for(server, place.root), lambda path, content: server.put(f"/{place.root}/{path}", content))


TARGETS: Final = (
    SuiteTarget("webhdfs", _SAMPLE, _open, server="fake_hdfs", lacks=_NAMES, is_ours=True),
    SuiteTarget("webhdfs_httpfs", _SAMPLE, _open, server="fake_httpfs", lacks=_NAMES | _GAPS, is_ours=True),
)
