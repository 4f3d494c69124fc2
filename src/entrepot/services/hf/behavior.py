"""Where the behaviour suite runs on the hf service: on a hub of our own, since the real one cannot be started here."""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Hf

_SAMPLE: Final = Hf("owner/name", "dataset", token="hf_sample", disable_config_load=True)  # noqa: S106


def config_for(server: Any, repo_id: str, root: str) -> Hf:
    """The configuration of a root in a dataset of an `entrepot.testing.HubServer`."""
    return Hf(repo_id, "dataset", root=root, token=server.token, endpoint=server.endpoint, disable_config_load=True)


def _open(place: Place) -> Store:
    repo_id = place.server.new_repository("dataset")
    config = config_for(place.server, repo_id, place.root)
    return Store(config, lambda path, content: place.server.put("dataset", repo_id, f"{place.root}/{path}", content))


TARGETS: Final = (SuiteTarget("hf", _SAMPLE, _open, server="hub", is_ours=True),)
