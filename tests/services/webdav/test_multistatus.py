"""Multi-status responses as servers write them, hostile ones included."""

from datetime import UTC, datetime

import pytest

from entrepot import ContentIncomplete, Unexpected
from entrepot.services.webdav.multistatus import MultiStatus
from entrepot.services.webdav.resource import Resource

LISTED = b"""<?xml version="1.0" encoding="utf-8"?>
<multistatus xmlns="DAV:" xmlns:u="urn:u">
  <response>
    <href>https://h/dav/a%20b/</href>
    <propstat><prop><resourcetype><collection/></resourcetype>
      <getlastmodified>Thu, 29 Feb 2024 12:00:01 GMT</getlastmodified></prop><status>HTTP/1.1 200 OK</status></propstat>
    <propstat><prop><getcontentlength/><getetag/></prop><status>HTTP/1.1 404 Not Found</status></propstat>
  </response>
  <x:response xmlns:x="DAV:">
    <x:href>/dav/a%20b/%C3%A9%2Fx</x:href>
    <x:propstat><x:prop><x:resourcetype/><x:getcontentlength> 12 </x:getcontentlength><x:getetag>1-2</x:getetag>
      <u:k>v &amp; w</u:k><k>other</k><u:nested><u:k>no</u:k></u:nested></x:prop><x:status>HTTP/1.1 200 OK</x:status>
    </x:propstat>
  </x:response>
  <response><href>/dav/c</href><status>HTTP/1.1 423 Locked</status></response>
</multistatus>"""


def parsed(content: bytes, piece: int = 1 << 20) -> list[Resource]:
    document = MultiStatus()
    for start in range(0, len(content), piece):
        document.feed(content[start : start + piece])
    document.feed(b"", is_end=True)
    return document.resources


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_resources_have_the_properties_that_the_server_has(piece: int) -> None:
    directory, file, locked = parsed(LISTED, piece)
    assert (directory.decoded_path, directory.name, directory.is_directory) == ("/dav/a b", "a b", True)
    metadata = directory.metadata()
    assert (metadata.is_dir, metadata.content_length) == (True, None)
    assert metadata.last_modified == datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)
    metadata = file.metadata("urn:u")
    assert (file.name, metadata.content_length, metadata.etag) == ("\u00e9/x", 12, '"1-2"')
    assert dict(metadata.user_metadata) == {"k": "v & w", "nested": ""}
    assert dict(file.metadata().user_metadata) == {}
    assert (locked.path, locked.status) == ("/dav/c", 423)


@pytest.mark.parametrize("size", range(0, len(LISTED), 23))
def test_what_is_cut_short_is_incomplete(size: int) -> None:
    with pytest.raises(ContentIncomplete):
        parsed(LISTED[:size])


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"<html><body>Log in</body></html>", "not a multi-status"),
        (b"<multistatus/>", "not a multi-status"),
        (b"404 not found", "not XML"),
        (b'<!DOCTYPE x [<!ENTITY e "x">]><multistatus xmlns="DAV:"/>', "document type"),
        (b'<multistatus xmlns="DAV:">' + b"<a>" * 20, "deeper"),
        (b'<multistatus xmlns="DAV:"><response><href>' + b"x" * (17 << 20), "more than"),
    ],
)
def test_what_is_no_multi_status_is_refused(content: bytes, part: str) -> None:
    with pytest.raises(Unexpected, match=part):
        parsed(content, 1 << 20)
