"""Paging by tokens: nothing lost when a request fails, and no server can be listed for ever."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from entrepot import InvalidInput, Unexpected
from entrepot.raw import oio
from entrepot.types import Entry, Metadata
from tests.raw.oio.listers import drain, entry, paths_of


class Server:
    """Answers each token by a rule, and remembers the tokens. It fails before the requests of some numbers."""

    def __init__(self, rule: Callable[[str | None], oio.Page], fails_at: Sequence[int] = ()) -> None:
        self.rule = rule
        self.fails_at = fails_at
        self.asked: list[str | None] = []

    async def fetch(self, token: str | None) -> oio.Page:
        self.asked.append(token)
        await asyncio.sleep(0)
        if len(self.asked) in self.fails_at:
            raise Unexpected("reset", is_temporary=True)
        return self.rule(token)


def page(paths: Sequence[str], token: str | None) -> oio.Page:
    return oio.Page([entry(path) for path in paths], token)


def book(pages: dict[str | None, oio.Page]) -> Callable[[str | None], oio.Page]:
    return pages.__getitem__


THREE = book({None: page(["a"], "1"), "1": page([], "2"), "2": page(["b", "c"], None)})


async def test_pages_come_in_turn_and_empty_ones_are_passed_over() -> None:
    server = Server(THREE)
    lister = oio.PageLister(server.fetch)
    assert server.asked == []
    assert await paths_of(lister) == ["a", "b", "c"]
    assert server.asked == [None, "1", "2"]


async def test_keys_that_no_path_can_name_are_counted_by_directory_and_once() -> None:
    pages = {
        None: oio.Page([entry("a")], "1", unnamed=("/x", "d/e\n", "d/f\r/g")),
        "1": oio.Page([], None, unnamed=("d/h\0",)),
    }
    lister = oio.PageLister(Server(book(pages), fails_at=[2]).fetch)
    assert [found.path for found in await drain(lister)] == ["a"]
    found = {each.path: each.error.message for each in lister.left_out()}
    assert found == {
        "/": "a name here, '/x', cannot be in a path",
        "d/": r"3 names here, such as 'd/e\n', cannot be in a path",
    }


async def test_a_request_that_failed_is_made_again_with_the_same_token() -> None:
    server = Server(THREE, fails_at=[1, 3, 5])
    assert await paths_of(oio.PageLister(server.fetch)) == ["a", "b", "c"]
    assert server.asked == [None, None, "1", "1", "2", "2"]


async def test_a_cancelled_verb_goes_on_at_the_same_page() -> None:
    server = Server(THREE)
    lister = oio.PageLister(server.fetch)
    await lister.next()
    task = asyncio.ensure_future(lister.next())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await paths_of(lister) == ["b", "c"]
    assert server.asked == [None, "1", "1", "2"]


async def test_the_end_stays_the_end_without_asking() -> None:
    server = Server(lambda _: page([], None))
    lister = oio.PageLister(server.fetch)
    assert [await lister.next() for _ in range(3)] == [None, None, None]
    assert server.asked == [None]


async def test_a_token_that_names_itself_is_an_error_and_not_a_loop() -> None:
    server = Server(book({None: page(["a"], "1"), "1": page(["b"], "1")}))
    lister = oio.PageLister(server.fetch)
    assert await lister.next() == [entry("a")]
    for _ in range(2):
        with pytest.raises(Unexpected) as caught:
            await lister.next()
        assert not caught.value.is_temporary
    assert server.asked == [None, "1", "1"]


@pytest.mark.parametrize("length", [2, 3, 7, 100])
@pytest.mark.parametrize("lead", [0, 1, 5, 50])
async def test_tokens_that_go_round_in_a_circle_are_an_error(length: int, lead: int) -> None:
    def rule(token: str | None) -> oio.Page:
        number = int(token or 0) + 1
        return page(["a"], str(number if number < lead + length else lead))

    server = Server(rule)
    lister = oio.PageLister(server.fetch)
    with pytest.raises(Unexpected):
        while await lister.next():
            assert len(server.asked) <= 4 * (lead + length)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("lead", [0, 1, 5, 50])
async def test_pages_that_go_round_in_a_circle_are_an_error_whatever_their_tokens(length: int, lead: int) -> None:
    def rule(token: str | None) -> oio.Page:
        number = int(token or 0)
        return page([str(number if number < lead else lead + (number - lead) % length)], str(number + 1))

    server = Server(rule)
    lister = oio.PageLister(server.fetch)
    with pytest.raises(Unexpected):
        while await lister.next():
            assert len(server.asked) <= 4 * (lead + length)
    with pytest.raises(Unexpected):
        await lister.next()


async def test_a_page_that_is_given_again_as_the_last_one_is_an_error_too() -> None:
    lister = oio.PageLister(Server(book({None: page(["a", "b"], "1"), "1": page(["a", "b"], None)})).fetch)
    assert len(await lister.next() or ()) == 2
    with pytest.raises(Unexpected):
        await lister.next()


async def test_a_page_of_the_same_names_whose_rest_differs_is_given() -> None:
    def rule(token: str | None) -> oio.Page:
        number = int(token or 0)
        return oio.Page([Entry("a", Metadata(version=str(number)))], str(number + 1) if number < 50 else None)

    assert len(await drain(oio.PageLister(Server(rule).fetch))) == 51


async def test_too_many_empty_pages_in_a_row_are_an_error() -> None:
    def rule(token: str | None) -> oio.Page:
        number = int(token or 0) + 1
        return page(["a"] if number % 4 == 0 else [], str(number))

    patient = oio.PageLister(Server(rule).fetch, max_empty=3)
    for _ in range(5):
        assert await patient.next() == [entry("a")]
    server = Server(rule)
    impatient = oio.PageLister(server.fetch, max_empty=2)
    with pytest.raises(Unexpected):
        await impatient.next()
    assert len(server.asked) == 3


async def test_pages_whose_rows_were_left_out_are_not_empty_but_may_go_round_in_a_circle() -> None:
    def rounds(length: int) -> oio.PageLister:
        def rule(token: str | None) -> oio.Page:
            number = int(token or 0)
            return oio.Page([], str(number + 1) if number < 50 else None, [str(number % length)])

        return oio.PageLister(Server(rule).fetch, max_empty=2)

    assert await rounds(100).next() is None
    with pytest.raises(Unexpected, match="twice"):
        await rounds(7).next()


async def test_many_pages_are_all_given() -> None:
    last = 1000
    server = Server(lambda token: page([f"{int(token or 0):04}"], str(int(token or 0) + 1) if token != "999" else None))
    entries = await drain(oio.PageLister(server.fetch))
    assert [int(one.path) for one in entries] == list(range(last))


async def test_a_closed_lister_refuses_and_sends_nothing() -> None:
    server = Server(THREE)
    lister = oio.PageLister(server.fetch)
    await lister.close()
    await lister.close()
    with pytest.raises(InvalidInput):
        await lister.next()
    assert server.asked == []
