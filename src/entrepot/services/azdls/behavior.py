"""Where the behaviour suite runs on the azdls service: on a server of our own, since the emulator has no data lake."""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Store, SuiteTarget, all_of

from .config import Azdls

_UNKEPT: Final = "Azure would keep the file under another name, so that the name is refused"
_LACKS: Final = {
    "write.user_metadata_is_kept": "Azure takes names of user metadata that are identifiers only",
    **all_of("paths", _UNKEPT, "tab", "backslash", "three_dots", "dots_at_the_end"),
}
_SAMPLE: Final = Azdls("sample", account_name="sample", account_key="c2VjcmV0")


def config_for(server: Any, root: str) -> Azdls:
    """The configuration of a root in the file system of an `entrepot.testing.DatalakeServer`."""
    return Azdls(
        server.filesystem,
        root,
        endpoint=server.endpoint,
        account_name=server.account_name,
        account_key=server.account_key,
    )


def _open(place: Place) -> Store:
    config = config_for(place.server, place.root)
    return Store(config, lambda path, content: place.server.put(f"{place.root}/{path}", content))


TARGETS: Final = (SuiteTarget("azdls", _SAMPLE, _open, server="azure_datalake", lacks=_LACKS, is_ours=True),)
"""A server of our own, made from the documentation of Azure."""
