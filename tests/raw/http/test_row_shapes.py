"""Rows of XML that are read by their shapes."""

import pytest

from entrepot.raw.http.row_shapes import NO_TEXT, RowShapes, plain_text


@pytest.mark.parametrize("block", ["", "<a>b</a>", '<a x="1">b\n\t</a>\n<c/>'])
def test_tags_and_plain_texts_are_plain(block: str) -> None:
    assert plain_text(block.encode()) == block


@pytest.mark.parametrize(
    "block", ["a>b<c", "<a<b>>", "<a>b>c<", "<a>&amp;</a>", "<a>\u00e9</a>", "<a>\0</a>", "<a>\r</a>"]
)
def test_anything_else_is_left_to_the_parser(block: str) -> None:
    assert plain_text(block.encode()) is None


def test_a_shape_is_parsed_once() -> None:
    parsed: list[str] = []

    def understand(row: str) -> int:
        parsed.append(row)
        return 2

    shapes = RowShapes(understand)
    for text in ("x", "", " y "):
        read = shapes.read(f"\n<a>{text}</a>\n")
        assert read is not None
        meaning, pieces = read
        assert (pieces[meaning], pieces[NO_TEXT]) == (text, "")
    assert parsed == ["<a>2</a>"]


@pytest.mark.parametrize(
    "row", ["<a", "<!-- --><a></a>", "<a x='1'></a>", "<?a?>", "x<a></a>", "<a></a>x", "< a></a>", ""]
)
def test_a_row_of_anything_but_tags_and_texts_is_not_parsed(row: str) -> None:
    shapes = RowShapes[object](pytest.fail)
    assert shapes.read(row) is None


def test_texts_that_decide_are_parsed_as_they_are() -> None:
    parsed: list[str] = []

    def understand(row: str) -> bool:
        parsed.append(row)
        return True

    shapes = RowShapes(understand, "OK")
    for row in ("<a>OK 1</a>", "<a>OK 2</a>", "<a>no 1</a>", "<a>no 2</a>"):
        assert shapes.read(row) is not None
    assert parsed == ["<a>OK 1</a>", "<a>OK 2</a>", "<a>2</a>"]


def test_the_place_of_a_text_that_decides_belongs_to_the_shape() -> None:
    """Another text may begin like those that decide, where one of these does not."""
    parsed: list[str] = []

    def understand(row: str) -> bool:
        parsed.append(row)
        return True

    shapes = RowShapes(understand, "OK")
    for row in ("<a>OK</a><b>x</b>", "<a>x</a><b>OK</b>"):
        assert shapes.read(row) is not None
    assert parsed == ["<a>OK</a>4<b>6</b>", "<a>2</a>4<b>OK</b>"]
