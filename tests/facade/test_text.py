"""Objects as text."""

import pytest

from entrepot import InvalidInput, Operator
from entrepot.services import Memory

TEXT = "é\r\n\ud7ff𝄞\n"


async def test_text_is_written_and_read_as_it_is():
    op = Operator(Memory())
    metadata = await op.write_text("a", TEXT, content_type="text/plain", if_not_exists=True)
    assert metadata.content_length == len(TEXT.encode())
    assert await op.read("a") == TEXT.encode()
    assert await op.read_text("a") == TEXT
    assert await op.read_text("a", range=(0, 2)) == "é"
    assert op.blocking().read_text("a") == TEXT


async def test_encodings_and_their_errors_are_those_of_python():
    op = Operator(Memory()).blocking()
    op.write_text("a", "é", encoding="latin-1")
    assert op.read_text("a", encoding="latin-1") == "é"
    assert op.read_text("a", errors="replace") == "\ufffd"
    with pytest.raises(UnicodeDecodeError):
        op.read_text("a")
    with pytest.raises(UnicodeEncodeError):
        op.write_text("b", "é", encoding="ascii")
    with pytest.raises(InvalidInput, match="text must be str, not bytes") as refused:
        op.write_text("b", b"bytes")  # type: ignore[arg-type]
    assert (refused.value.operation, refused.value.path) == ("write_text", "b")
    assert not op.exists("b")
