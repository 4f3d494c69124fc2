"""Deletions in batches: each is made, none is lost, and what failed is told and kept."""

from collections.abc import Sequence

import pytest

from entrepot import DeletionsFailed, Error, InvalidInput, PermissionDenied, Unexpected
from entrepot.raw import DEFAULT_DELETE, OpDelete, oio


class Server:
    """Deletes unless told not to, and remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[list[tuple[str, str | None]]] = []
        self.forbidden = set[tuple[str, str | None]]()
        self.breaks = 0
        self.says_whose = True

    def deleter(self, max_size: int = 3) -> oio.BatchDeleter:
        return oio.BatchDeleter(self.delete_one, self.delete_many, max_size)

    async def delete_one(self, path: str, args: OpDelete) -> None:
        self._request([(path, args.version)])
        if (path, args.version) in self.forbidden:
            raise PermissionDenied("forbidden")

    async def delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        asked = [(path, args.version) for path, args in deletions]
        self._request(asked)
        return [self._failure(*one) for one in asked if one in self.forbidden]

    def _failure(self, path: str, version: str | None) -> Error:
        if not self.says_whose:
            return PermissionDenied("forbidden")
        return PermissionDenied("forbidden", path=path, context={"version": version} if version else None)

    def _request(self, asked: list[tuple[str, str | None]]) -> None:
        if self.breaks:
            self.breaks -= 1
            raise Unexpected("reset", is_temporary=True)
        self.requests.append(asked)


async def delete_all(deleter: oio.Delete, paths: str) -> None:
    for path in paths:
        await deleter.delete(path, DEFAULT_DELETE)


def requested(server: Server) -> list[str]:
    return ["".join(path for path, _ in request) for request in server.requests]


@pytest.mark.parametrize(
    ("paths", "requests"),
    [("", []), ("a", ["a"]), ("abc", ["abc"]), ("abcd", ["abc", "d"]), ("abcdefgh", ["abc", "def", "gh"])],
)
async def test_as_many_as_a_request_takes_go_by_one_and_the_rest_on_close(paths: str, requests: list[str]) -> None:
    server = Server()
    deleter = server.deleter()
    await delete_all(deleter, paths)
    await deleter.close()
    await deleter.close()
    assert requested(server) == requests


async def test_with_room_for_one_none_is_held_back() -> None:
    server = Server()
    await delete_all(server.deleter(max_size=1), "ab")
    assert requested(server) == ["a", "b"]


async def test_a_deletion_that_is_alone_fails_with_its_own_error_and_path() -> None:
    server = Server()
    server.forbidden = {("a", None)}
    deleter = server.deleter()
    await delete_all(deleter, "a")
    with pytest.raises(PermissionDenied) as caught:
        await deleter.close()
    assert caught.value.path == "a"
    server.forbidden.clear()
    await deleter.close()
    assert requested(server) == ["a", "a"]


async def test_the_last_one_fails_by_name_where_others_went_before() -> None:
    server = Server()
    server.forbidden = {("d", "v")}
    deleter = server.deleter()
    await delete_all(deleter, "abc")
    await deleter.delete("d", OpDelete(version="v"))
    for _ in range(2):
        with pytest.raises(DeletionsFailed) as caught:
            await deleter.close()
        failures = [(one.kind, one.path, one.context) for one in caught.value.failures]
        assert failures == [("PermissionDenied", "d", {"version": "v"})]
    assert requested(server) == ["abc", "d", "d"]


async def test_those_that_failed_are_named_and_tried_again_and_the_others_are_not() -> None:
    server = Server()
    server.forbidden = {("a", None), ("c", None)}
    deleter = server.deleter()
    await delete_all(deleter, "abc")
    with pytest.raises(DeletionsFailed) as caught:
        await deleter.delete("d", DEFAULT_DELETE)
    assert [(failure.kind, failure.path) for failure in caught.value.failures] == [
        ("PermissionDenied", "a"),
        ("PermissionDenied", "c"),
    ]
    server.forbidden.clear()
    await deleter.delete("e", DEFAULT_DELETE)  # "d" was not taken
    await deleter.close()
    assert requested(server) == ["abc", "ace"]


async def test_versions_of_one_path_fail_one_by_one() -> None:
    server = Server()
    server.forbidden = {("a", "2")}
    deleter = server.deleter()
    for version in ("1", "2", "3"):
        await deleter.delete("a", OpDelete(version=version))
    with pytest.raises(DeletionsFailed) as caught:
        await deleter.close()
    assert [failure.context["version"] for failure in caught.value.failures] == ["2"]
    server.forbidden.clear()
    await deleter.close()
    assert server.requests == [[("a", "1"), ("a", "2"), ("a", "3")], [("a", "2")]]


async def test_a_failure_that_does_not_say_whose_it_is_keeps_them_all() -> None:
    server = Server()
    server.forbidden, server.says_whose = {("a", None)}, False
    deleter = server.deleter()
    await delete_all(deleter, "ab")
    with pytest.raises(DeletionsFailed):
        await deleter.close()
    server.forbidden.clear()
    await deleter.close()
    assert requested(server) == ["ab", "ab"]


async def test_a_request_that_broke_names_all_that_it_was_to_delete_and_is_made_again_whole() -> None:
    server = Server()
    server.breaks = 1
    deleter = server.deleter()
    await delete_all(deleter, "ab")
    await deleter.delete("c", OpDelete(version="v"))
    with pytest.raises(DeletionsFailed) as caught:
        await deleter.delete("d", DEFAULT_DELETE)
    assert caught.value.is_temporary
    assert isinstance(caught.value.__cause__, Unexpected)
    failures = [(one.kind, one.path, one.context) for one in caught.value.failures]
    assert failures == [("Unexpected", "a", {}), ("Unexpected", "b", {}), ("Unexpected", "c", {"version": "v"})]
    assert [one.filename for one in caught.value.failures if isinstance(one, OSError)] == ["a", "b", "c"]
    await deleter.close()
    assert requested(server) == ["abc"]


async def test_a_request_for_one_that_broke_is_its_own_error_and_is_made_again() -> None:
    server = Server()
    server.breaks = 1
    deleter = server.deleter()
    await deleter.delete("a", OpDelete(version="v"))
    with pytest.raises(Unexpected) as caught:
        await deleter.close()
    assert (caught.value.is_temporary, caught.value.path, caught.value.context) == (True, "a", {"version": "v"})
    await deleter.close()
    assert requested(server) == ["a"]


async def test_a_closed_deleter_refuses_and_sends_nothing() -> None:
    server = Server()
    deleter = server.deleter()
    await deleter.close()
    with pytest.raises(InvalidInput):
        await deleter.delete("a", DEFAULT_DELETE)
    assert server.requests == []
