"""The body of a response that has arrived completely."""

from entrepot.raw.http.arrived_body import ArrivedBody


async def test_it_is_read_in_pieces_up_to_its_end() -> None:
    body = ArrivedBody(b"hello")
    assert [await body.read(2), body.is_at_end] == [b"he", False]
    assert [await body.read(9), body.is_at_end] == [b"llo", True]
    assert await body.read(1) == b""


async def test_the_whole_is_the_object_that_arrived() -> None:
    content = b"hello"
    assert await ArrivedBody(content).read(5) is content
    assert ArrivedBody(content).take_rest() is content


async def test_the_rest_is_taken_once() -> None:
    body = ArrivedBody(b"hello")
    await body.read(1)
    assert [body.take_rest(), body.take_rest(), body.is_at_end] == [b"ello", b"", True]


async def test_nothing_is_at_its_end() -> None:
    body = ArrivedBody(b"")
    assert [body.is_at_end, await body.read(1), body.take_rest()] == [True, b"", b""]
