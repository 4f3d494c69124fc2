"""Replies in XML, hostile ones included."""

import pytest

from entrepot import ContentIncomplete, Unexpected
from entrepot.raw.http.xml import MAX_DEPTH, can_carry, escaped, parse

REPLY = b"""<?xml version="1.0" encoding="UTF-8"?>
<List xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><Empty/>
  <Row><Key>a &amp; &lt;b&gt; &#34;c&#x22;</Key><Owner><ID>1</ID></Owner></Row>
  <Other><Key>not a row</Key></Other>
  <Row><Key/></Row>
</List>"""


def test_a_reply_is_its_root_its_fields_and_its_rows() -> None:
    found = parse(REPLY, {"Row"})
    assert found.root == "List"
    assert {name: found.fields[name] for name in ("Name", "Empty")} == {"Name": "b", "Empty": ""}
    assert [(name, row["Key"]) for name, row in found.rows] == [("Row", 'a & <b> "c"'), ("Row", "")]


def test_texts_in_a_group_of_a_row_have_its_name() -> None:
    content = b"<L><B><F><N>a</N><P><E>1</E><T/></P><M><N>2</N><X><Y>3</Y></X></M></F></B></L>"
    [(_, row)] = parse(content, {"F"}, row_depth=3).rows
    assert row == {"N": "a", "P": "", "P/E": "1", "P/T": "", "M": "", "M/N": "2", "M/X": ""}


def test_prefixes_of_namespaces_say_nothing() -> None:
    found = parse(b'<s:List xmlns:s="urn:x"><s:Name>b</s:Name><s:Row><s:Key>k</s:Key></s:Row></s:List>', {"Row"})
    assert (found.root, found.fields, found.rows) == ("List", {"Name": "b"}, [("Row", {"Key": "k"})])


def test_text_is_as_it_stands() -> None:
    content = "<L><K> a\tb \U0001f986 é e\u0301 </K><C><![CDATA[<x>&amp;]]></C></L>".encode()
    assert parse(content).fields == {"K": " a\tb \U0001f986 é e\u0301 ", "C": "<x>&amp;"}


def test_blanks_before_the_reply_kept_the_connection_alive() -> None:
    assert parse(b" \n\n  " + REPLY).root == "List"


@pytest.mark.parametrize("size", range(0, len(REPLY), 7))
def test_what_is_cut_short_is_incomplete(size: int) -> None:
    with pytest.raises(ContentIncomplete) as caught:
        parse(REPLY[:size], {"Row"})
    assert caught.value.is_temporary


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1}',
        b"plain text",
        b"<a><b></a></b>",
        b"<a></a><b></b>",
        b"<a>&nbsp;</a>",
        b"<a>\xff\xfe</a>",
        b"<a>\x00</a>",
        b"<a>&#0;</a>",
        b"<html><br><p></html>",
    ],
)
def test_what_is_no_xml_is_unexpected_and_temporary(content: bytes) -> None:
    with pytest.raises(Unexpected) as caught:
        parse(content)
    assert caught.value.is_temporary


BOMB = b"<!DOCTYPE l [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;'>" % ((98 + n,) + (97 + n,) * 10) for n in range(20)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB + b"]><l>&t;</l>",
        b"<!DOCTYPE l><l/>",
        b'<!DOCTYPE l SYSTEM "file:///etc/passwd"><l/>',
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "http://127.0.0.1:1/">]><l>&x;</l>',
        b'<!DOCTYPE l [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><l/>',
    ],
)
def test_a_document_type_is_refused(content: bytes) -> None:
    with pytest.raises(Unexpected, match="document type") as caught:
        parse(content)
    assert not caught.value.is_temporary


def test_elements_nest_to_a_bound() -> None:
    assert parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).root == "a"
    with pytest.raises(Unexpected, match="nests"):
        parse(b"<a>" * 100_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a&b", "a&amp;b"),
        ("<a>", "&lt;a&gt;"),
        ("]]>", "]]&gt;"),
        ("&amp;", "&amp;amp;"),
        ('"é', '"é'),
        ("\r", "&#13;"),
    ],
)
def test_text_is_escaped_and_comes_back(text: str, expected: str) -> None:
    assert escaped(text) == expected
    assert parse(f"<a><b>{expected}</b></a>".encode()).fields == {"b": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("a\tb", True),
        ("\U0001f986é\u0301\x7f\x85", True),
        ("\x01", False),
        ("a\x1fb", False),
        ("\ufffe", False),
        ("\uffff", False),
    ],
)
def test_not_every_character_can_be_written(text: str, expected: bool) -> None:
    assert can_carry(text) is expected
    if expected:
        assert parse(f"<a><b>{escaped(text)}</b></a>".encode()).fields == {"b": text}
