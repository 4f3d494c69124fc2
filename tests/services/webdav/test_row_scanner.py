"""The scanner of long responses, whose result must be that of the XML parser."""

import pytest

from entrepot import Error
from entrepot.services.webdav.multistatus import MultiStatus
from entrepot.services.webdav.resource import Resource
from entrepot.services.webdav.row_scanner import RowScanner

DATE = "Thu, 29 Feb 2024 12:00:01 GMT"
WSGIDAV_ROW = (
    "<ns0:response><ns0:href>/dav/{0}</ns0:href><ns0:propstat><ns0:prop><ns0:resourcetype/><ns0:getcontentlength>{0}"
    f"</ns0:getcontentlength><ns0:getlastmodified>{DATE}</ns0:getlastmodified><ns0:getetag>1-{{0}}</ns0:getetag>"
    "</ns0:prop><ns0:status>HTTP/1.1 200 OK</ns0:status></ns0:propstat></ns0:response>"
)
APACHE_ROW = (
    '<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">\n<D:href>/dav/{0}%20x</D:href>\n'
    "<D:propstat>\n<D:prop>\n<lp1:resourcetype/>\n<lp1:getcontentlength>{0}</lp1:getcontentlength>\n"
    f'<lp1:getlastmodified>{DATE}</lp1:getlastmodified>\n<lp1:getetag>"{{0}}-5"</lp1:getetag>\n</D:prop>\n'
    "<D:status>HTTP/1.1 200 OK</D:status>\n</D:propstat>\n<D:propstat>\n<D:prop>\n<D:getcontenttype/>\n</D:prop>\n"
    "<D:status>HTTP/1.1 404 Not Found</D:status>\n</D:propstat>\n</D:response>\n"
)
DEFAULT_ROW = (
    "<response><href>https://h/dav/{0}/</href><propstat><prop><resourcetype><collection/></resourcetype><u:k>{0}</u:k>"
    "<u:n><u:k>{0}</u:k></u:n></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
)
WSGIDAV = (
    '<?xml version="1.0" encoding="utf-8"?>\n<ns0:multistatus xmlns:ns0="DAV:">',
    WSGIDAV_ROW,
    "</ns0:multistatus>",
)
APACHE = (
    '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">\n',
    APACHE_ROW,
    "</D:multistatus>\n",
)
DEFAULT = (
    '<multistatus xmlns="DAV:" xmlns:u="urn:u">',
    DEFAULT_ROW,
    "</multistatus>",
)
FORMS = (WSGIDAV, APACHE, DEFAULT)
COUNT = 30


def page(form: tuple[str, str, str], odd: str = "", place: int = 20) -> bytes:
    start, row, end = form
    rows = [row.format(number) for number in range(COUNT)]
    rows.insert(place, odd)
    return (start + "".join(rows) + end).encode()


def by_parser(content: bytes) -> list[Resource] | str:
    document = MultiStatus()
    try:
        document.parse(content, is_end=True)
    except Error as error:
        return str(error)
    return document.resources


def by_both(content: bytes, piece: int) -> list[Resource] | str:
    document = MultiStatus()
    try:
        for begin in range(0, len(content), piece):
            document.feed(content[begin : begin + piece])
        document.feed(b"", is_end=True)
    except Error as error:
        return str(error)
    return document.resources


@pytest.mark.parametrize("form", FORMS)
def test_a_long_response_is_scanned(form: tuple[str, str, str]) -> None:
    content = page(form)
    start, resources, rest = RowScanner(_parsed).take(content, is_end=True)
    assert (start, len(resources), rest.strip()) == (form[0].encode(), COUNT, form[2].strip().encode())
    assert resources == by_parser(content)


def _parsed(content: bytes) -> list[Resource]:
    found = by_parser(content)
    assert isinstance(found, list)
    return found


ODD = [
    "",
    "<!-- <D:response> -->",
    "<!-- </ns0:response> --></ns0:response>",
    "<![CDATA[</response>]]>",
    "&amp;",
    "text",
    "<other><a/></other>",
    WSGIDAV_ROW.format("&amp;"),
    WSGIDAV_ROW.format("&lt;"),
    WSGIDAV_ROW.format("\u00e9"),
    WSGIDAV_ROW.format("<x/>"),
    WSGIDAV_ROW.format(" \t7\n"),
    WSGIDAV_ROW.format(""),
    WSGIDAV_ROW.format("HTTP/1.1 404 x"),
    WSGIDAV_ROW.replace("HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"),
    WSGIDAV_ROW.replace("HTTP/1.1 200 OK", "\n HTTP/1.1 200 OK"),
    WSGIDAV_ROW.replace("HTTP/1.1 200 OK", "200"),
    WSGIDAV_ROW.replace("<ns0:status>HTTP/1.1 200 OK</ns0:status>", ""),
    WSGIDAV_ROW.replace("<ns0:href>", "<ns0:href>https://h</ns0:href><ns0:href>"),
    WSGIDAV_ROW.replace("ns0:href", "ns0:other"),
    WSGIDAV_ROW.replace("<ns0:response>", '<ns0:response xmlns:ns0="urn:other">'),
    WSGIDAV_ROW.replace("<ns0:response>", "<ns0:response a='>'>"),
    WSGIDAV_ROW.replace("</ns0:prop>", "</ns0:other>"),
    WSGIDAV_ROW.replace("ns0:", ""),
    "<ns0:response><ns0:href>/a</ns0:href><ns0:status>HTTP/1.1 423 Locked</ns0:status></ns0:response>",
    "</ns0:multistatus>",
    "<?pi <ns0:response> ?>",
]


@pytest.mark.parametrize("piece", [500, 1 << 20])
@pytest.mark.parametrize("place", [0, 20])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("form", FORMS)
def test_the_result_is_that_of_the_parser(form: tuple[str, str, str], odd: str, place: int, piece: int) -> None:
    content = page(form, odd, place)
    assert by_both(content, piece) == by_parser(content)


@pytest.mark.parametrize("size", range(1, len(page(WSGIDAV)), 397))
def test_a_response_that_is_cut_short_is_one_of_the_parser(size: int) -> None:
    content = page(WSGIDAV)[:size]
    assert by_both(content, 2000) == by_parser(content)


@pytest.mark.parametrize(
    "start",
    [
        "<!DOCTYPE a><D:multistatus xmlns:D='DAV:'>",
        "<!-- <D:multistatus> -->" + WSGIDAV[0].partition("\n")[2],
        '<ns0:multistatus xmlns:ns0="urn:other">',
        '<html><ns0:multistatus xmlns:ns0="DAV:">',
        "<ns0:multistatus>",
    ],
)
def test_an_unusual_start_is_left_to_the_parser(start: str) -> None:
    content = page((start, *WSGIDAV[1:]))
    assert by_both(content, 1 << 20) == by_parser(content)


def test_more_shapes_than_are_remembered_are_left_to_the_parser() -> None:
    rows = "".join(WSGIDAV_ROW.format(number).replace("getetag", f"p{number}") for number in range(50))
    content = f"{WSGIDAV[0]}{rows}{WSGIDAV[2]}".encode()
    assert by_both(content, 1 << 20) == by_parser(content)
