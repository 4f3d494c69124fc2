"""What the behaviour suite does not check of the webhdfs service: its configuration, both steps, tokens, and faults."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import (
    ConfigInvalid,
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    Unexpected,
)
from entrepot.errors import ObjectExists
from entrepot.layers import RetryLayer
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services import Webhdfs
from entrepot.services.webhdfs.behavior import config_for
from entrepot.services.webhdfs.core import parse_batch, parse_boolean, parse_location, parse_status, parse_statuses
from entrepot.testing import (
    FORWARD,
    PASS,
    RESET,
    Answer,
    FakeHdfs,
    Fault,
    FaultProxy,
    FaultScript,
    ReceivedRequest,
    ScriptedServer,
    fake_hdfs,
    raw_response,
    whole_response,
)
from tests.behavior.targets import new_root


@pytest.fixture
def root() -> str:
    return new_root()


@pytest.fixture(params=["hdfs", "httpfs"])
def server(request: pytest.FixtureRequest) -> FakeHdfs:
    running: FakeHdfs = request.getfixturevalue(f"fake_{request.param}_server")
    return running


@pytest.fixture
def op(server: FakeHdfs, root: str) -> Operator:
    return Operator(config_for(server, root), resilient=False)


Script = Callable[[ReceivedRequest], Answer | None]


@pytest.fixture
def through(server: FakeHdfs, root: str) -> Iterator[Callable[[Script], Operator]]:
    """Opens an operator whose requests to the namenode pass a script, which answers those that it wants to."""
    running: list[ScriptedServer] = []

    def open_through(script: Script) -> Operator:
        relay = ScriptedServer(lambda request: script(request) or [PASS], upstream=server.url)
        running.append(relay)
        relay.__enter__()
        return Operator(Webhdfs(relay.endpoint, root=root, delegation=server.token), resilient=False)

    yield open_through
    for relay in running:
        relay.__exit__(None, None, None)


def once(operation: str, *answer: Any) -> Script:
    """A script that answers the first request of an operation."""
    left = [answer]
    return lambda request: left.pop() if f"op={operation}&" in request.target and left else None


def refused(exception: str, status: str = "403 Forbidden") -> bytes:
    content = json.dumps({"RemoteException": {"exception": exception, "message": "secret", "javaClassName": "x"}})
    return raw_response(status, f"Content-Length: {len(content)}", content=content.encode())


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("webhdfs://nn:9870/user/a?user_name=ann", Webhdfs("http://nn:9870", root="/user/a", user_name="ann")),
        ("swebhdfs://nn/x?delegation=abc", Webhdfs("https://nn", root="/x", delegation="abc")),
        ("webhdfs:///x", Webhdfs(root="/x")),
    ],
)
def test_a_uri_gives_endpoint_root_and_user(uri: str, expected: Webhdfs) -> None:
    assert Webhdfs.from_uri(uri) == expected


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"endpoint": "hdfs://nn"}, "must start with http"),
        ({"endpoint": "http://u:secret@nn"}, "userinfo"),
        ({"user_name": "a", "delegation": "secret"}, "excludes"),
        ({"user_name": "a&op=DELETE"}, "user_name"),
        ({"delegation": "sec ret&"}, "delegation token"),
        ({"root": "/a:b"}, "colon"),
        ({"root": "/a/../b"}, "'..'"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_a_secret(arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigInvalid, match=part) as caught:
        Webhdfs(**arguments)
    assert "sec" not in str(caught.value.__dict__)


def test_the_token_is_shown_nowhere() -> None:
    config = Webhdfs(delegation="SECRETTOKEN")
    assert "SECRETTOKEN" not in repr(config) + str(config) + repr(Operator(config))


async def test_names_that_hdfs_cannot_have_are_refused_before_any_request() -> None:
    op = Operator(Webhdfs("http://127.0.0.1:1"), resilient=False)
    for path in ("a:b", "a/../b"):
        for call in (op.stat(path), op.read(path), op.write(path, b"x"), op.delete(path), op.rename("a", path)):
            with pytest.raises(InvalidInput):
                await call


async def test_content_goes_to_the_datanode_in_parts_and_is_published_whole(
    op: Operator, server: FakeHdfs, root: str
) -> None:
    content = bytes(range(256)) * 40
    await op.write("d/a", b"old")
    server.operations()
    async with op.writer("d/a", chunk=1000) as writer:
        for start in range(0, len(content), 700):
            await writer.write(content[start : start + 700])
            assert (await op.stat("d/a")).content_length == 3
    assert await op.read("d/a") == content
    assert server.paths(f"/{root}") == [f"/{root}/d/a"]
    operations = server.operations()
    assert operations.count("CONCAT") == 1
    assert operations.count("CREATE") == 2 * 11


async def test_a_directory_with_a_comma_takes_content_as_a_whole(op: Operator) -> None:
    async with op.writer("a,b/c", chunk=10) as writer:
        for _ in range(5):
            await writer.write(b"0123456789")
    assert await op.read("a,b/c") == b"0123456789" * 5


async def test_a_root_is_emptied_whatever_abandoned_writes_have_left_in_it(
    op: Operator, server: FakeHdfs, root: str
) -> None:
    for number in range(4):  # more than one batch of a listing, and before other names
        server.put(f"/{root}/.entrepot-{number:016x}.tmp", b"left")
    await op.write("a", b"")
    await op.write("d/e/f", b"")
    with pytest.raises(IsADirectory):
        await op.delete("/")
    await op.delete("/.entrepot-0000000000000000.tmp")  # no such object
    assert len(server.paths(f"/{root}")) == 6
    await op.delete("/", recursive=True)
    assert server.paths(f"/{root}") == []
    await op.delete("/", recursive=True)
    await op.delete("/")


async def test_a_directory_with_nothing_but_what_abandoned_writes_have_left_is_empty(
    op: Operator, server: FakeHdfs, root: str
) -> None:
    await op.create_dir("d/")
    for number in range(4):
        server.put(f"/{root}/d/.entrepot-{number:016x}.tmp", b"left")
    await op.write("d/x", b"")
    with pytest.raises(IsADirectory):
        await op.delete("d/")
    assert len(server.paths(f"/{root}/d")) == 5
    await op.delete("d/x")
    await op.delete("d/")
    assert server.paths(f"/{root}") == []


async def test_a_file_that_is_stored_while_an_empty_directory_is_deleted_stays(
    op: Operator, server: FakeHdfs, root: str, through: Callable[[Script], Operator]
) -> None:
    server.put(f"/{root}/d/.entrepot-{0:016x}.tmp", b"left")
    listings = list[str]()

    def script(request: ReceivedRequest) -> None:
        if "op=LISTSTATUS" in request.target:
            listings.append(request.target)
            if len(listings) == 2:  # the first one has found nothing
                server.put(f"/{root}/d/new", b"new")

    with pytest.raises(IsADirectory):
        await through(script).delete("d/")
    assert await op.read("d/new") == b"new"


async def test_a_root_whose_entries_stay_after_their_deletion_is_an_error(
    op: Operator, through: Callable[[Script], Operator]
) -> None:
    await op.write("a", b"")
    done = whole_response(b'{"boolean": true}', "Content-Type: application/json")
    with pytest.raises(Unexpected, match="still has"):
        await through(lambda request: [done] if "op=DELETE&" in request.target else None).delete("/", recursive=True)


async def test_an_aborted_write_leaves_nothing(op: Operator, server: FakeHdfs, root: str) -> None:
    with pytest.raises(KeyError):
        async with op.writer("d/a", chunk=10) as writer:
            await writer.write(b"0123456789" * 5)
            await writer.write(b"0123456789" * 5)
            raise KeyError
    assert server.paths(f"/{root}") == []


def remove_directory_before(operation: str, server: FakeHdfs, root: str) -> Script:
    """Removes `d` with the temporary files in it before the first request of an operation, as another process may."""
    left = [f"/webhdfs/v1/{root}/d?op=DELETE&recursive=true&delegation={server.token}"]

    def script(request: ReceivedRequest) -> None:
        if left and f"op={operation}&" in request.target:
            server._ask("DELETE", left.pop())

    return script


async def test_a_write_whose_directory_is_deleted_meanwhile_is_made_again(
    op: Operator, server: FakeHdfs, root: str, through: Callable[[Script], Operator]
) -> None:
    await through(remove_directory_before("RENAME", server, root)).layer(RetryLayer()).write("d/a", b"content")
    assert await op.read("d/a") == b"content"
    assert server.paths(f"/{root}") == [f"/{root}/d/a"]


@pytest.mark.parametrize("operation", ["CONCAT", "RENAME"])
async def test_a_long_write_whose_directory_is_deleted_meanwhile_must_be_made_again(
    server: FakeHdfs, root: str, through: Callable[[Script], Operator], operation: str
) -> None:
    writer = await through(remove_directory_before(operation, server, root)).writer("d/a", chunk=10)
    await writer.write(b"0123456789")
    await writer.write(b"0123456789")
    with pytest.raises(Unexpected, match="with its directory: write the whole file again") as caught:
        await writer.close()
    assert not caught.value.is_temporary
    await writer.abort()
    assert server.paths(f"/{root}") == []


@pytest.mark.parametrize("operation", ["RENAME", "CONCAT"])
async def test_a_lost_response_is_looked_into(
    op: Operator, server: FakeHdfs, root: str, through: Callable[[Script], Operator], operation: str
) -> None:
    writer = await through(once(operation, FORWARD, RESET)).writer("a", if_not_exists=True, chunk=10)
    await writer.write(b"0123456789")
    await writer.write(b"0123456789")
    with pytest.raises(Unexpected) as caught:
        await writer.close()
    assert caught.value.is_temporary
    assert (await writer.close()).content_length == 20
    assert await op.read("a") == b"0123456789" * 2
    assert server.paths(f"/{root}") == [f"/{root}/a"]


async def test_a_rename_whose_response_is_lost_may_have_taken_effect(
    op: Operator, through: Callable[[Script], Operator]
) -> None:
    await op.write("a", b"content")
    with pytest.raises(Unexpected) as caught:
        await through(once("RENAME", FORWARD, RESET)).rename("a", "b")
    assert caught.value.context["may_have_taken_effect"] is True
    assert await op.read("b") == b"content"


@pytest.mark.parametrize(
    ("exception", "status", "kind", "is_temporary"),
    [
        ("StandbyException", "403 Forbidden", Unexpected, True),
        ("SafeModeException", "403 Forbidden", Unexpected, True),
        ("RetriableException", "403 Forbidden", Unexpected, True),
        ("AlreadyBeingCreatedException", "403 Forbidden", Unexpected, True),
        ("AccessControlException", "403 Forbidden", PermissionDenied, False),
        ("InvalidToken", "403 Forbidden", PermissionDenied, False),
        ("DSQuotaExceededException", "403 Forbidden", StorageFull, False),
        ("FileNotFoundException", "404 Not Found", NotFound, False),
        ("ParentNotDirectoryException", "403 Forbidden", NotADirectory, False),
        ("SomeNewException", "403 Forbidden", Unexpected, False),
        ("", "503 Service Unavailable", Unexpected, True),
    ],
)
async def test_exceptions_have_their_errors(
    through: Callable[[Script], Operator], exception: str, status: str, kind: type[Error], is_temporary: bool
) -> None:
    with pytest.raises(kind) as caught:
        await through(once("CREATE", refused(exception, status))).write("a", b"content")
    assert type(caught.value) is kind
    assert caught.value.is_temporary is is_temporary
    assert caught.value.context["exception"] == (exception or None)
    assert "secret" not in str(caught.value.__dict__)


async def test_a_directory_is_neither_read_nor_replaced(op: Operator) -> None:
    await op.write("d/a", b"kept")
    await op.write("b", b"content")
    for call in (op.read("d"), op.write("d", b""), op.rename("b", "d"), op.rename("d", "x"), op.delete("d")):
        with pytest.raises(IsADirectory):
            await call
    with pytest.raises(IsADirectory):
        await op.delete("d/")
    with pytest.raises(ObjectExists):
        await op.rename("b", "d/a", if_not_exists=True)
    assert await op.read("d/a") == b"kept"


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b"{}", b"[]", b'{"FileStatus":[]}', b"", b'{"a":' * 9000])
async def test_a_server_without_webhdfs_is_an_error(through: Callable[[Script], Operator], content: bytes) -> None:
    op = through(lambda request: [whole_response(content)])
    for call in (op.stat("a"), op.read("a"), op.list("a/"), op.write("a", b"x")):
        with pytest.raises((Unexpected, ContentIncomplete)):
            await call


@pytest.mark.parametrize("keys", [{"delegation": "expired"}, {"user_name": "u"}, {}])
@pytest.mark.parametrize(
    "answer", [refused("InvalidToken", "403 Forbidden"), raw_response("401 Unauthorized", "Content-Length: 0")]
)
async def test_refused_credentials_are_those_of_reads_too(keys: dict[str, Any], answer: bytes) -> None:
    with ScriptedServer(lambda request: [answer]) as server:
        op = Operator(Webhdfs(server.endpoint, **keys), resilient=False)
        for call in (op.read("a"), op.stat("a"), op.list("a/")):
            with pytest.raises(PermissionDenied) as caught:
                await call
            assert caught.value.refuses_credentials


async def test_a_read_that_breaks_off_is_never_short(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: [raw_response("200 OK", "Content-Length: 7", content=b"con"), RESET]) as bad:
        away = raw_response("307 Temporary Redirect", f"Location: {bad.endpoint}/x?op=OPEN", "Content-Length: 0")
        with (
            fake_hdfs(tmp_path) as server,
            ScriptedServer(
                lambda request: [away] if "op=OPEN" in request.target else [PASS], upstream=server.url
            ) as relay,
        ):
            server.put("/a", b"content")
            broken = Operator(Webhdfs(relay.endpoint, delegation=server.token), resilient=False)
            with pytest.raises(ContentIncomplete):
                await broken.read("a")


async def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    with fake_hdfs(tmp_path) as server, ScriptedServer(lambda request: [RESET]) as datanode:
        away = raw_response("307 Temporary Redirect", f"Location: {datanode.endpoint}/x", "Content-Length: 0")
        with ScriptedServer(
            lambda request: [away] if "op=CREATE" in request.target else [PASS], upstream=server.url
        ) as relay:
            server.put("/a", b"old")
            op = Operator(Webhdfs(relay.endpoint, delegation=server.token), resilient=False)
            with pytest.raises(Unexpected) as caught:
                await op.write("a", b"new content")
            assert caught.value.is_temporary
            assert await op.read("a") == b"old"
            assert server.paths("/") == ["/a"]


@pytest.mark.parametrize(("operation", "before"), [("APPEND", b"before"), ("CREATE", b"")])
async def test_an_append_that_was_cut_goes_on_after_what_the_server_has(
    op: Operator, server: FakeHdfs, root: str, through: Callable[[Script], Operator], operation: str, before: bytes
) -> None:
    content = bytes(range(256)) * 1000
    if before:
        await op.write("a", before)
    with FaultProxy(server.url, FaultScript([Fault("close", after=100_000, way="up")])) as proxy:
        location = f"{proxy.endpoint}/webhdfs/v1/{root}/a?op={operation}&overwrite=false&data=true"
        location += f"&delegation={server.token}"
        away = raw_response("307 Temporary Redirect", f"Location: {location}", "Content-Length: 0")
        writer = await through(once(operation, away)).writer("a", append=True)
        await writer.write(content)
        with pytest.raises(Unexpected) as caught:
            await writer.close()
    assert caught.value.is_temporary
    while not await op.exists("a") or (await op.stat("a")).content_length == len(before):
        pass  # the server has not noticed yet
    assert (await writer.close()).content_length == len(before + content)
    assert await op.read("a") == before + content


async def test_a_datanode_gets_what_the_namenode_wrote_and_no_header_of_the_configuration(tmp_path: Path) -> None:
    with fake_hdfs(tmp_path) as server, ScriptedServer(lambda request: [whole_response(b"content")]) as datanode:
        away = raw_response("307 Temporary Redirect", f"Location: {datanode.endpoint}/x?op=OPEN", "Content-Length: 0")
        with ScriptedServer(
            lambda request: [away] if "op=OPEN" in request.target else [PASS], upstream=server.url
        ) as namenode:
            server.put("/a", b"content")
            headers = {"Authorization": "Basic key"}
            op = Operator(Webhdfs(namenode.endpoint, delegation=server.token, headers=headers), resilient=False)
            assert await op.read("a") == b"content"
        assert all(request.headers["authorization"] == "Basic key" for request in namenode.requests)
        [request] = datanode.requests
        assert request.target == "/x?op=OPEN"
        assert "authorization" not in request.headers


async def test_a_wrong_token_is_permission_denied_and_shown_nowhere(server: FakeHdfs) -> None:
    op = Operator(Webhdfs(server.url, delegation="WRONGTOKEN"), resilient=False)
    for call in (op.stat("a"), op.read("a"), op.list("/"), op.write("a", b"x")):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert "WRONGTOKEN" not in repr(caught.value) + str(caught.value.__dict__)


async def test_a_file_that_is_replaced_while_it_is_opened_is_read_whole(
    op: Operator, server: FakeHdfs, root: str, through: Callable[[Script], Operator]
) -> None:
    await op.write("a", b"short")
    left = [b"much longer"]

    def replace_once(request: ReceivedRequest) -> Answer | None:
        if "op=OPEN" in request.target and left:
            server.put(f"/{root}/a", left.pop())
        return None

    assert await through(replace_once).read("a") == b"much longer"


@pytest.mark.parametrize(
    ("base", "location", "kind"),
    [
        ("https://nn/x", "http://dn/x", PermissionDenied),
        ("http://nn/x", "ftp://dn/x", Unexpected),
        ("http://nn/x", "http://dn/a b", Unexpected),
        ("http://nn/x", "", Unexpected),
    ],
)
def test_a_datanode_that_cannot_be_reached_safely_is_refused(base: str, location: str, kind: type[Error]) -> None:
    with pytest.raises(kind):
        parse_location(base, 307, HttpHeaders([("Location", location)]), b"")


def test_responses_are_read_as_the_description_has_them() -> None:
    status = (
        b'{"FileStatus":{"length":24930,"modificationTime":1320171722771,"pathSuffix":"","type":"FILE","fileId":5}}'
    )
    found = parse_status(status)
    assert (found.length, found.is_directory, found.number) == (24930, False, 5)
    assert found.modified is not None
    assert found.modified.isoformat() == "2011-11-01T18:22:02.771000+00:00"
    listed = b'{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[]}},"remainingEntries":2}}'
    assert parse_batch(listed) == ([], 2)


@pytest.mark.parametrize(
    ("parse", "content", "kind"),
    [
        (parse_status, b'{"FileStatus": {"len', ContentIncomplete),
        (parse_status, b"<html>", Unexpected),
        (parse_status, b"[" * 100_000, Unexpected),
        (parse_status, b"[]", Unexpected),
        (parse_status, b'{"FileStatus": []}', Unexpected),
        (parse_status, b'{"FileStatus": {"length": -1}}', Unexpected),
        (parse_status, b'{"FileStatus": {"pathSuffix": 7}}', Unexpected),
        (parse_status, b'{"FileStatus": {"type": "FILE"}}', Unexpected),
        (parse_statuses, b'{"FileStatuses": {"FileStatus": {}}}', Unexpected),
        (parse_statuses, b'{"FileStatuses": {"FileStatus": ["a"]}}', Unexpected),
        (parse_batch, b'{"DirectoryListing": {"partialListing": {}}}', Unexpected),
        (parse_boolean, b'{"boolean": "true"}', Unexpected),
        (parse_boolean, b'{"boo', ContentIncomplete),
    ],
)
def test_responses_of_another_form_are_errors(
    parse: Callable[[bytes], object], content: bytes, kind: type[Error]
) -> None:
    with pytest.raises(kind):
        parse(content)


@pytest.mark.parametrize("time", ["true", '"1320171722771"', "1e400", str(10**30), "null"])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    found = parse_status(b'{"FileStatus": {"length": 1, "modificationTime": %s}}' % time.encode())
    assert (found.length, found.modified) == (1, None)
