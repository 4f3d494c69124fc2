"""Where the behaviour suite runs on the webdav service, and what each server lacks."""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Sometimes, Store, SuiteTarget, all_of, put_file

from .config import Webdav

_DESTINATION: Final = "it misreads '?', ';' and tabs in the header Destination"
_WEAK: Final = Sometimes("its etags are weak while a file is younger than a second, and a weak one matches none")
_GAP: Final = Sometimes("it deletes a file before it copies or moves another one to its name")
_RACES: Final = Sometimes("it looks whether there is a file and makes one in two steps")

_GAPS: Final = all_of(
    "robustness",
    _GAP,
    *("cancelled_write_leaves_the_old_or_the_new", "cancelled_copy_leaves_the_old_or_the_new"),
    *("cancelled_close_can_be_made_again", "readers_never_see_half_a_write"),
)
_WSGIDAV_LACKS: Final = {
    "copy.special_characters_are_characters": _DESTINATION,
    "rename.special_characters_are_characters": _DESTINATION,
    **all_of("paths", _DESTINATION, "tab", "question_mark", "star_and_dollar"),
    "write.if_not_exists_has_one_winner": _RACES,
    **_GAPS,
}
_APACHE_LACKS: Final = {
    **all_of("conditions", _WEAK, "stat_if_match", "read_if_match", "reader_if_match"),
    **all_of("read_only", _WEAK, "stat_if_match", "read_if_match", "reader_if_match"),
    **all_of("write", _WEAK, "if_match", "parts_if_match"),
    "delete.if_match_that_holds": _WEAK,
    "write.if_not_exists_has_one_winner": _RACES,
    **_GAPS,
}
_SAMPLE: Final = Webdav("http://127.0.0.1:1/dav", username="user", password="secret")  # noqa: S106


def config_for(server: Any, root: str) -> Webdav:
    """The configuration of a root on an `entrepot.testing.WebdavServer`."""
    return Webdav(server.url, root=root, username=server.username, password=server.password)


def _open(place: Place) -> Store:
    folder = place.server.folder / place.root
    return Store(config_for(place.server, place.root), lambda path, content: put_file(folder / path, content))


TARGETS: Final = (
    SuiteTarget("webdav", _SAMPLE, _open, server="wsgidav", lacks=_WSGIDAV_LACKS),
    SuiteTarget("webdav_apache", _SAMPLE, _open, server="apache", lacks=_APACHE_LACKS),
)
