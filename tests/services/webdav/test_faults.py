"""The webdav service where the server, the network or the credentials fail."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot import (
    ConditionNotMatch,
    ContentIncomplete,
    DeletionsFailed,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    TransfersFailed,
    Unexpected,
    Unsupported,
)
from entrepot.errors import ObjectExists
from entrepot.services import Memory, Webdav
from entrepot.services.webdav.behavior import config_for
from entrepot.testing import (
    FORWARD,
    PASS,
    RESET,
    Answer,
    Fault,
    FaultProxy,
    FaultScript,
    ReceivedRequest,
    ScriptedServer,
    WebdavServer,
    raw_response,
    whole_response,
    wsgidav,
)
from tests.behavior.targets import new_root


@pytest.fixture
def root() -> str:
    return new_root()


@pytest.fixture
def folder(wsgidav_server: WebdavServer, root: str) -> Path:
    return wsgidav_server.folder / root


@pytest.fixture
def op(wsgidav_server: WebdavServer, root: str) -> Operator:
    return Operator(config_for(wsgidav_server, root), resilient=False)


@pytest.fixture
def through(wsgidav_server: WebdavServer, root: str) -> Iterator[Callable[..., Operator]]:
    """Opens an operator whose requests to the server pass a script, which answers those that it wants to."""
    running: list[ScriptedServer] = []

    def open_through(
        script: Callable[[ReceivedRequest], Answer | None], *, resilient: bool = False, **options: object
    ) -> Operator:
        host = wsgidav_server.url.removesuffix("/dav")
        server = ScriptedServer(lambda request: script(request) or [PASS], upstream=host)
        running.append(server)
        server.__enter__()
        config = Webdav(
            f"{server.endpoint}/dav",
            root=root,
            username=wsgidav_server.username,
            password=wsgidav_server.password,
            **options,  # type: ignore[arg-type]
        )
        return Operator(config, resilient=resilient)

    yield open_through
    for server in running:
        server.__exit__(None, None, None)


def once(method: str, *answer: object) -> Callable[[ReceivedRequest], Answer | None]:
    """A script that answers the first request with a method."""
    left = [answer]
    return lambda request: left.pop() if request.method == method and left else None  # type: ignore[return-value]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_read_that_breaks_off_is_never_short(op: Operator, through: Callable[..., Operator]) -> None:
    await op.write("a", b"0123456789")
    cut = raw_response("200 OK", "Content-Length: 10", 'ETag: "x"', content=b"01234")
    with pytest.raises(ContentIncomplete):
        await through(once("GET", cut, RESET)).read("a")


async def test_a_write_that_breaks_off_leaves_the_old_file(
    op: Operator, folder: Path, through: Callable[..., Operator]
) -> None:
    await op.write("d/a", b"old")

    def cut(request: ReceivedRequest) -> Answer | None:
        return [RESET] if request.method == "PUT" else None

    with pytest.raises(Unexpected):
        await through(cut).write("d/a", b"new content")
    assert (folder / "d/a").read_bytes() == b"old"
    assert names(folder / "d") == ["a"]


@pytest.mark.parametrize("resilient", [False, True])
async def test_a_put_of_which_the_server_has_half_leaves_the_old_file(
    op: Operator, folder: Path, wsgidav_server: WebdavServer, root: str, resilient: bool
) -> None:
    """WsgiDAV keeps what it has got of the content, under the temporary name, which is deleted."""
    await op.write("d/a", b"old")
    content = b"x" * 2_000_000
    host, _, path = wsgidav_server.url.rpartition("/")
    with FaultProxy(host, FaultScript([None, Fault("reset", after=500_000, way="up")])) as proxy:
        config = Webdav(
            f"{proxy.endpoint}/{path}", root=root, username=wsgidav_server.username, password=wsgidav_server.password
        )
        through = Operator(config, resilient=resilient)
        if resilient:
            await through.write("d/a", content)
        else:
            with pytest.raises(Unexpected):
                await through.write("d/a", content)
    assert (folder / "d/a").read_bytes() == (content if resilient else b"old")
    assert names(folder / "d") == ["a"]


@pytest.mark.parametrize("is_refused_later", [False, True])
async def test_a_temporary_file_that_a_put_makes_again_after_its_deletion_is_deleted(
    op: Operator, folder: Path, through: Callable[..., Operator], is_refused_later: bool
) -> None:
    await op.write("a", b"old")
    put = once("PUT", FORWARD, RESET)
    refused = once("PUT", raw_response("503 Service Unavailable", "Retry-After: 1", "Content-Length: 0"))
    delete = once("DELETE", raw_response("204 No Content"))  # as if the file were made again just after it
    writer = await through(lambda request: put(request) or delete(request) or refused(request)).writer("a")
    await writer.write(b"content")
    for _ in range(1 + is_refused_later):
        with pytest.raises(Error):
            await writer.close()
    assert len(names(folder)) == 2
    await writer.abort()
    assert names(folder) == ["a"]


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_move_whose_response_is_lost_is_looked_into(
    op: Operator, folder: Path, through: Callable[..., Operator], is_made: bool
) -> None:
    """With `if_not_exists` the second attempt would otherwise be refused because of the first one."""
    steps = (FORWARD, RESET) if is_made else (RESET,)
    writer = await through(once("MOVE", *steps)).writer("a", if_not_exists=True)
    await writer.write(b"content")
    with pytest.raises(Unexpected) as caught:
        await writer.close()
    assert caught.value.is_temporary
    assert (await writer.close()).content_length == 7
    assert await op.read("a") == b"content"
    assert names(folder) == ["a"]
    with pytest.raises(ObjectExists):
        await op.write("a", b"other", if_not_exists=True)


async def test_a_rename_whose_response_is_lost_may_have_taken_effect(
    op: Operator, through: Callable[..., Operator]
) -> None:
    await op.write("a", b"content")
    with pytest.raises(Unexpected) as caught:
        await through(once("MOVE", FORWARD, RESET)).rename("a", "b")
    assert caught.value.context["may_have_taken_effect"] is True
    assert await op.read("b") == b"content"


async def test_a_target_that_appears_in_the_meantime_is_replaced_and_a_directory_is_not(
    op: Operator, folder: Path, through: Callable[..., Operator]
) -> None:
    def made_by_another(make: Callable[[], object]) -> Callable[[ReceivedRequest], Answer | None]:
        def script(request: ReceivedRequest) -> Answer | None:
            if request.method == "PUT":
                make()
            return None

        return script

    await op.create_dir("/x/")
    await through(made_by_another(lambda: (folder / "x/a").write_bytes(b"other"))).write("x/a", b"ours")
    assert await op.read("x/a") == b"ours"
    with pytest.raises(IsADirectory):
        await through(made_by_another((folder / "x/d").mkdir)).write("x/d", b"ours")
    assert names(folder / "x") == ["a", "d"]


async def test_a_directory_is_neither_copied_nor_replaced(op: Operator) -> None:
    await op.write("d/inner", b"kept")
    await op.write("a", b"content")
    for call in (op.copy("d", "x"), op.rename("d", "x"), op.copy("a", "d"), op.rename("a", "d"), op.write("d", b"")):
        with pytest.raises(IsADirectory):
            await call
    for call in (op.delete("d"), op.delete("d/"), op.read("d")):
        with pytest.raises(IsADirectory):
            await call
    with pytest.raises(NotADirectory):
        await op.write("a/b", b"")
    assert await op.read("d/inner") == b"kept"


@pytest.mark.parametrize(
    ("status", "kind", "is_temporary"),
    [
        ("401 Unauthorized", PermissionDenied, False),
        ("403 Forbidden", PermissionDenied, False),
        ("423 Locked", Unexpected, True),
        ("429 Too Many Requests", Error, True),
        ("503 Service Unavailable", Unexpected, True),
        ("507 Insufficient Storage", StorageFull, False),
        ("413 Content Too Large", StorageFull, False),
        ("301 Moved Permanently", Unexpected, False),
        ("412 Precondition Failed", ConditionNotMatch, False),
    ],
)
async def test_refusals_have_their_errors(
    through: Callable[..., Operator], folder: Path, status: str, kind: type[Error], is_temporary: bool
) -> None:
    folder.mkdir(exist_ok=True)
    refusal = raw_response(status, "Content-Length: 0", "Retry-After: 7", "Location: http://127.0.0.1:1/x")
    with pytest.raises(kind) as caught:
        await through(once("PUT", refusal)).write("a", b"content")
    assert caught.value.is_temporary is is_temporary
    assert caught.value.context.get("retry_after") == 7.0
    assert names(folder) == []


@pytest.mark.parametrize(
    "answer",
    [
        whole_response(b"<html>Log in</html>"),
        raw_response("405 Method Not Allowed", "Content-Length: 0"),
        raw_response("207 Multi-Status", "Content-Length: 6", content=b"<html>"),
        raw_response("207 Multi-Status", "Content-Length: 13", content=b"<html></html>"),
    ],
)
async def test_a_server_without_webdav_is_an_error(through: Callable[..., Operator], answer: bytes) -> None:
    op = through(lambda request: [answer])
    for call in (op.stat("a"), op.list("d/"), op.delete("a"), op.write("a", b"")):
        with pytest.raises((Unexpected, ContentIncomplete)):
            await call


async def test_wrong_credentials_are_permission_denied_and_shown_nowhere(wsgidav_server: WebdavServer) -> None:
    op = Operator(Webdav(wsgidav_server.url, username="user", password="wrong secret"), resilient=False)
    for call in (op.stat("a"), op.read("a"), op.list("/"), op.write("a", b"")):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert "wrong" not in repr(caught.value) + str(caught.value.__dict__)


async def test_digest_authentication_is_answered_and_the_password_never_sent(tmp_path: Path) -> None:
    with wsgidav(tmp_path, is_digest=True) as server:
        host = server.url.removesuffix("/dav")
        with ScriptedServer(lambda request: [PASS], upstream=host) as relay:
            options = {"username": server.username, "disable_basic": True}
            config = Webdav(f"{relay.endpoint}/dav", password=server.password, **options)  # type: ignore[arg-type]
            op = Operator(config, resilient=False)
            await op.write("a b", b"content")
            assert await op.read("a b") == b"content"
            wrong = Operator(Webdav(server.url, password="wrong", **options), resilient=False)  # type: ignore[arg-type]
            with pytest.raises(PermissionDenied):
                await wrong.stat("a b")
        sent = [request.headers.get("authorization", "") for request in relay.requests]
        assert sent[0] == ""
        assert all(value.startswith("Digest ") for value in sent[1:])


async def test_credentials_stay_with_the_server(through: Callable[..., Operator]) -> None:
    """A read follows a redirect to another host, without credentials; a write does not follow it."""
    with ScriptedServer(lambda request: [whole_response(b"content", 'ETag: "e"')]) as elsewhere:
        away = raw_response("302 Found", f"Location: {elsewhere.endpoint}/x", "Content-Length: 0")
        op = through(lambda request: [away] if request.method in {"GET", "PUT"} else None)
        assert await op.read("a") == b"content"
        with pytest.raises(Unexpected, match="redirects"):
            await op.write("a", b"content")
        assert [request.method for request in elsewhere.requests] == ["GET"]
        assert "authorization" not in elsewhere.requests[0].headers


async def test_a_proxy_that_changes_the_paths_of_the_server_is_named(through: Callable[..., Operator]) -> None:
    """A listing that names nothing in the directory is an error, and not an empty directory."""
    listed = b"""<multistatus xmlns="DAV:"><response><href>/elsewhere/d/a</href><propstat><prop><resourcetype/></prop>
        <status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"""
    answer = raw_response("207 Multi-Status", f"Content-Length: {len(listed)}", content=listed)
    with pytest.raises(Unexpected, match="proxy"):
        await through(lambda request: [answer]).list("d/")


async def test_urls_of_resources_may_be_absolute_and_encoded_in_any_way(
    through: Callable[..., Operator], root: str
) -> None:
    listed_as = {"": "<collection/>", "a%7eb": "", "%C3%A9": "<collection/>", "x%2Fy": "", "..": ""}
    entries = "".join(
        f"<response><href>http://other.example:81/dav/{root}/d/{name}</href><propstat><prop>"
        f"<resourcetype>{kind}</resourcetype><getcontentlength>1</getcontentlength></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
        for name, kind in listed_as.items()
    )
    listed = f'<multistatus xmlns="DAV:">{entries}</multistatus>'.encode()
    answer = raw_response("207 Multi-Status", f"Content-Length: {len(listed)}", content=listed)
    op = through(lambda request: [answer] if request.headers.get("depth") == "1" else None)
    async with op.lister("d/") as lister:
        assert [entry.path async for entry in lister] == ["d/", "d/a~b", "d/\u00e9/"]
    assert [(error.kind, error.path) for error in lister.left_out()] == [("Unsupported", "d/")]
    assert "2 names here, such as 'x/y'," in str(lister.left_out()[0])


async def test_a_listing_names_what_the_server_does_not_describe(through: Callable[..., Operator], root: str) -> None:
    """As it may do with a file that the user may not see. A sync must not take it for a file that is not there."""
    entries = "".join(
        f"<response><href>/dav/{root}/d/{name}</href><status>HTTP/1.1 {status} X</status></response>"
        for name, status in (("gone", 404), ("secret", 403), ("broken", 500))
    )
    listed = f'<multistatus xmlns="DAV:">{entries}</multistatus>'.encode()
    answer = raw_response("207 Multi-Status", f"Content-Length: {len(listed)}", content=listed)
    op = through(lambda request: [answer] if request.headers.get("depth") == "1" else None)
    for recursive in (False, True):
        async with op.lister("d/", recursive=recursive) as lister:
            assert [entry.path async for entry in lister if entry.is_file] == []
        errors = lister.left_out()
        assert [(error.kind, error.path) for error in errors] == [("PermissionDenied", "d/"), ("Unexpected", "d/")]
        assert [error.context["name"] for error in errors] == ["secret", "broken"]


async def test_what_a_server_could_not_delete_is_named(op: Operator, through: Callable[..., Operator]) -> None:
    await op.write("d/a", b"")

    def refused(request: ReceivedRequest) -> Answer | None:
        if request.method != "DELETE":
            return None
        failed = "".join(
            f"<D:response><D:href>{request.target}{name}</D:href><D:status>HTTP/1.1 {status} X</D:status></D:response>"
            for name, status in (("a", 403), ("b/", 423))
        )
        content = f'<D:multistatus xmlns:D="DAV:">{failed}</D:multistatus>'.encode()
        return [raw_response("207 Multi-Status", f"Content-Length: {len(content)}", content=content)]

    with pytest.raises(DeletionsFailed) as caught:
        await through(refused).delete("d/", recursive=True)
    kinds = {failure.path: type(failure) for failure in caught.value.failures}
    assert kinds == {"d/a": PermissionDenied, "d/b": Unexpected}


async def test_a_listing_that_breaks_off_goes_on_without_repeating(
    op: Operator, through: Callable[..., Operator]
) -> None:
    expected = [f"d/{number:02}" for number in range(30)]
    await asyncio.gather(*(op.write(path, b"x") for path in expected))
    first = "".join(
        f"<response><href>/dav{op.info.root}{path}</href><propstat><prop><resourcetype/></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
        for path in expected[:10]
    )
    cut = f'<multistatus xmlns="DAV:">{first}'.encode()
    broken = raw_response("207 Multi-Status", "Content-Length: 100000", content=cut)
    flaky = through(once("PROPFIND", broken, RESET), resilient=True)
    found = [entry.path async for entry in flaky.lister("d/", limit=7)]
    assert sorted(found) == ["d/", *expected]


async def test_a_server_without_properties_refuses_user_metadata(
    through: Callable[..., Operator], folder: Path
) -> None:
    folder.mkdir(exist_ok=True)
    refusal = raw_response("405 Method Not Allowed", "Content-Length: 0")
    with pytest.raises(Unsupported, match="properties"):
        await through(once("PROPPATCH", refusal)).write("a", b"content", user_metadata={"k": "v"})
    assert names(folder) == []


async def test_missing_parents_are_made_unless_that_is_disabled(through: Callable[..., Operator]) -> None:
    await through(lambda request: None).write("x/y/z/a", b"content")
    with pytest.raises(NotFound, match="directory above"):
        await through(lambda request: None, disable_create_dir=True).write("p/q/a", b"content")


async def test_direct_writes_are_one_request(op: Operator, wsgidav_server: WebdavServer) -> None:
    await op.create_dir("d/")
    requests: list[str] = []
    with ScriptedServer(
        lambda request: (requests.append(request.method), [PASS])[1], upstream=wsgidav_server.url.removesuffix("/dav")
    ) as relay:
        config = config_for(wsgidav_server, op.info.root)
        direct = Webdav(
            f"{relay.endpoint}/dav",
            root=config.root,
            username=config.username,
            password=config.password,
            atomic_write=False,
        )
        await Operator(direct, resilient=False).write("d/a", b"content")
        assert requests == ["PUT"]
        with pytest.raises(IsADirectory):
            await Operator(direct, resilient=False).write("d", b"content")
        with pytest.raises(ObjectExists):
            await Operator(direct, resilient=False).write("d/a", b"other", if_not_exists=True)
    assert await op.read("d/a") == b"content"


async def test_temporary_files_of_others_are_neither_listed_nor_reached(op: Operator, folder: Path) -> None:
    name = ".entrepot-0123456789abcdef.tmp"
    await op.create_dir("d/")
    (folder / "d" / name).write_bytes(b"half")
    assert [entry.path for entry in await op.list("d/")] == ["d/"]
    with pytest.raises(NotFound):
        await op.read(f"d/{name}")
    await op.delete("d/")
    assert names(folder) == []
    (folder / name).write_bytes(b"half")
    await op.write("a", b"")
    with pytest.raises(IsADirectory):
        await op.delete("/")
    await op.delete(name)  # no such object
    assert names(folder) == [name, "a"]
    await op.delete("/", recursive=True)
    assert names(folder) == []


def multistatus(*resources: tuple[str, str]) -> bytes:
    """A response of 207 about resources, each with a status, or with what is in its `propstat`."""
    described = "".join(
        f"<response><href>{path}</href>"
        + (f"<status>HTTP/1.1 {told}</status>" if told[0].isdigit() else f"<propstat>{told}</propstat>")
        + "</response>"
        for path, told in resources
    )
    content = f'<multistatus xmlns="DAV:">{described}</multistatus>'.encode()
    return raw_response("207 Multi-Status", f"Content-Length: {len(content)}", content=content)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (multistatus(("/dav/a", "404 Not Found")), NotFound),
        (multistatus(("/dav/a", "500 Broken")), Unexpected),
        (multistatus(("/dav/x", "500 Broken"), ("/dav/y", "500 Broken")), Unexpected),
    ],
)
async def test_a_file_that_is_not_described_is_an_error(
    through: Callable[..., Operator], answer: bytes, error: type[Error]
) -> None:
    with pytest.raises(error):
        await through(lambda request: [answer]).stat("a")


async def test_a_directory_of_which_one_resource_was_not_deleted_is_named(
    op: Operator, through: Callable[..., Operator]
) -> None:
    await op.write("d/a", b"")
    await op.write("d/sub/b", b"")

    def refuse(request: ReceivedRequest) -> Answer | None:
        return [multistatus((f"{request.target}b", "423 Locked"))] if request.method == "DELETE" else None

    with pytest.raises(Unexpected) as caught:
        await through(refuse).delete("d/sub/", recursive=True)
    assert (caught.value.path, caught.value.is_temporary) == ("d/sub/", True)
    with pytest.raises(DeletionsFailed) as several:
        await through(refuse).delete("/", recursive=True)
    assert [failure.path for failure in several.value.failures] == ["d/"]


async def test_a_conditional_deletion_whose_response_is_lost_may_have_taken_effect(
    op: Operator, through: Callable[..., Operator]
) -> None:
    etag = (await op.write("a", b"content")) and (await op.stat("a")).etag
    with pytest.raises(Unexpected) as caught:
        await through(once("DELETE", FORWARD, RESET), resilient=True).delete("a", if_match=etag)
    assert caught.value.context["may_have_taken_effect"] is True
    assert not await op.exists("a")
    with pytest.raises(ConditionNotMatch):
        await op.delete("a", if_match=etag)
    await op.create_dir("d/")
    with pytest.raises(Unsupported, match="no etag"):
        await op.delete("d/", if_match=etag)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
async def test_a_target_that_another_program_makes_is_replaced_only_where_it_may_be(
    op: Operator, folder: Path, through: Callable[..., Operator], method: str
) -> None:
    await op.write("a", b"content")

    def made_by_another(request: ReceivedRequest) -> Answer | None:
        if request.method == method and request.headers["overwrite"] == "F":
            (folder / "b").write_bytes(b"other")
        return None

    racing = through(made_by_another)
    call = racing.copy if method == "COPY" else racing.rename
    with pytest.raises(ObjectExists):
        await call("a", "b", if_not_exists=True)
    assert (folder / "b").read_bytes() == b"other"
    (folder / "b").unlink()
    await call("a", "b")
    assert (folder / "b").read_bytes() == b"content"
    assert names(folder) == (["a", "b"] if method == "COPY" else ["b"])


async def test_other_programs_that_keep_making_and_deleting_the_target_end_the_attempts(
    op: Operator, through: Callable[..., Operator]
) -> None:
    await op.write("a", b"content")
    refusal = raw_response("412 Precondition Failed", "Content-Length: 0")
    racing = through(lambda request: [refusal] if request.method in {"COPY", "MOVE"} else None)
    for call in (racing.copy("a", "b"), racing.write("b", b"other")):
        with pytest.raises(Unexpected, match="keep making and deleting") as caught:
            await call
        assert caught.value.is_temporary
    assert [entry.path for entry in await op.list("/")] == ["/", "a"]


@pytest.mark.parametrize("status", ["403 Forbidden", "409 Conflict", "405 Method Not Allowed", "507 Full"])
async def test_a_directory_that_a_server_refuses_to_make(
    op: Operator, through: Callable[..., Operator], status: str
) -> None:
    await op.create_dir("d/")
    refusal = raw_response(status, "Content-Length: 0")
    with pytest.raises(Error) as caught:
        await through(lambda request: [refusal] if request.method == "MKCOL" else None).create_dir("d/new/")
    assert caught.value.context["status"] == int(status[:3])
    assert [entry.path for entry in await op.list("d/")] == ["d/"]


async def test_a_directory_that_another_program_makes_at_the_same_time_is_there(
    op: Operator, folder: Path, through: Callable[..., Operator]
) -> None:
    await op.create_dir("d/")
    conflict = raw_response("409 Conflict", "Content-Length: 0")

    def made_by_another(request: ReceivedRequest) -> Answer | None:
        if request.method == "MKCOL":
            (folder / "d" / "new").mkdir()
            return [conflict]
        return None

    await through(made_by_another).create_dir("d/new/")
    await through(once("MKCOL", conflict)).create_dir("d/late/")  # the one above it was made since
    assert names(folder / "d") == ["late", "new"]


async def test_a_directory_that_is_made_and_not_there_is_an_error(through: Callable[..., Operator]) -> None:
    """Such as of a server that shows nothing to this user."""
    created, missing, conflict = (
        raw_response(status, "Content-Length: 0") for status in ("201 Created", "404 Not Found", "409 Conflict")
    )

    def script(request: ReceivedRequest) -> Answer:
        if request.method != "MKCOL":
            return [missing]
        return [conflict if request.target.endswith("/d/new/") else created]

    with pytest.raises(Unexpected, match="was made") as caught:
        await asyncio.wait_for(through(script).create_dir("d/new/"), 20)
    assert caught.value.is_temporary


async def test_a_copy_under_a_condition_whose_response_is_lost_is_not_made_again(
    op: Operator, through: Callable[..., Operator], folder: Path
) -> None:
    await op.write("a", b"content")
    lost = once("COPY", FORWARD, RESET)
    with pytest.raises(Unexpected) as caught:
        await through(lost, resilient=True).copy("a", "b", if_not_exists=True)
    assert caught.value.context["may_have_taken_effect"]
    assert names(folder) == ["a", "b"]
    await through(once("COPY", FORWARD, RESET), resilient=True).copy("a", "c")
    with pytest.raises(ObjectExists):
        await through(once("COPY", raw_response("412 No", "Content-Length: 0"))).copy("a", "d", if_not_exists=True)
    assert names(folder) == ["a", "b", "c"]


async def test_a_name_below_a_file_leads_nowhere_at_a_server_that_calls_it_a_bad_request(
    op: Operator, through: Callable[..., Operator]
) -> None:
    await op.write("file", b"content")
    bad = raw_response("400 Bad Request", "Content-Length: 0")
    apache = through(lambda request: [bad] if "/file/" in request.target else None)
    for call in (apache.stat("file/x/y"), apache.read("file/x")):
        with pytest.raises((NotFound, Unexpected)):
            await call
    assert not await apache.exists("file/x/y")
    for call in (apache.write("file/x", b""), apache.create_dir("file/x/"), apache.write("file/x/y", b"")):
        with pytest.raises(NotADirectory):
            await call
    with pytest.raises(Unexpected):
        await through(lambda request: [bad] if request.method == "PROPFIND" else None).stat("other/x")
    assert await op.read("file") == b"content"


@pytest.mark.parametrize(
    ("status", "error"),
    [("507 Full", StorageFull), ("424 Failed Dependency", Unexpected), ("409 Conflict", Unsupported)],
)
async def test_properties_that_are_refused_in_a_multistatus(
    through: Callable[..., Operator], folder: Path, status: str, error: type[Error]
) -> None:
    folder.mkdir(exist_ok=True)
    told = f"<prop><k xmlns='urn:x'/></prop><status>HTTP/1.1 {status}</status>"
    answer = multistatus(("/dav/a", told))
    with pytest.raises(error):
        await through(once("PROPPATCH", answer)).write("a", b"content", user_metadata={"k": "v"})
    assert names(folder) == []


async def test_a_condition_of_a_write_that_stops_to_hold_stops_it(
    op: Operator, folder: Path, through: Callable[..., Operator]
) -> None:
    await op.write("a", b"content")
    etag = (await op.stat("a")).etag
    refusal = raw_response("412 Precondition Failed", "Content-Length: 0")
    with pytest.raises(ConditionNotMatch):
        await through(once("MOVE", refusal)).write("a", b"other", if_match=etag)
    with pytest.raises(ConditionNotMatch, match="no object"):
        await op.write("missing", b"other", if_match=etag)
    for name, value in (("xmlns", "v"), ("a b", "v"), ("k", "a\x00b")):
        with pytest.raises(InvalidInput):
            await op.write("a", b"", user_metadata={name: value})
    assert (names(folder), await op.read("a")) == (["a"], b"content")


@pytest.mark.parametrize("name", ["a?b", "a;b", "a\tb"])
async def test_a_target_whose_name_the_server_misreads_is_not_lost(op: Operator, folder: Path, name: str) -> None:
    """WsgiDAV takes the name of the target for another one, so it must not be deleted to make room."""
    await op.write("source", b"source")
    await op.write(name, b"target")
    with pytest.raises(Unexpected, match="misread"):
        await op.copy("source", name)
    assert await op.read(name) == b"target"
    with pytest.raises(Unexpected, match="misread"):  # what the server made of the name exists now
        await op.rename("source", name)
    assert await op.read(name) == b"target"


async def test_a_target_whose_name_could_be_misread_is_replaced_by_a_server_that_does_not(
    apache_server: WebdavServer,
) -> None:
    apache = Operator(config_for(apache_server, new_root()))
    await apache.write("a?b", b"target")
    for number in range(2):
        await apache.write("source", f"source {number}".encode())
        await (apache.copy if number else apache.rename)("source", "a?b")
        assert await apache.read("a?b") == f"source {number}".encode()
    await apache.write("a", b"what another server could make of the name")
    with pytest.raises(Unexpected, match="delete it first"):
        await apache.copy("source", "a?b")
    assert await apache.read("a?b") == b"source 1"


@pytest.mark.parametrize("method", ["write", "copy", "rename"])
async def test_a_target_that_is_deleted_while_it_is_replaced_is_looked_at_again(
    op: Operator, through: Callable[..., Operator], method: str
) -> None:
    """Apache deletes the target of a MOVE first, and responds with 404 if another client was faster."""
    await op.write("source", b"source")
    await op.write("target", b"target")
    for word in ("COPY", "MOVE"):
        racing = through(once(word, raw_response("404 Not Found", "Content-Length: 0")))
        if method == "write":
            await racing.write("target", b"source")
        else:
            await op.write("source", b"source")
            await (racing.copy if method == "copy" else racing.rename)("source", "target")
        assert await op.read("target") == b"source"
    if method != "write":
        with pytest.raises(NotFound):
            await (op.copy if method == "copy" else op.rename)("missing", "target")


async def test_reads_without_credentials_are_refused_for_one_object_and_writes_for_all() -> None:
    with ScriptedServer(lambda _: [raw_response("401 Unauthorized", "Content-Length: 0")]) as server:
        for config in (Webdav(server.endpoint), Webdav(server.endpoint, token="wrong")):
            op = Operator(config)
            for call, is_read in ((op.read("a"), True), (op.write("a", b"1"), False)):
                with pytest.raises(PermissionDenied) as caught:
                    await call
                assert caught.value.refuses_credentials == (config.token is not None or not is_read)
            await op.close()


async def test_a_tree_with_protected_files_is_copied_without_them() -> None:
    def script(asked: ReceivedRequest) -> Answer:
        if asked.method == "PROPFIND":
            file = "<prop><resourcetype/><getcontentlength>1</getcontentlength></prop><status>HTTP/1.1 200 OK</status>"
            return [multistatus(*((f"/d/{number:02}", file) for number in range(40)))]
        if int(asked.target[-2:]) < 20:
            return [raw_response("401 Unauthorized", "Content-Length: 0")]
        return [whole_response(b"1")]

    target = Operator(Memory())
    with ScriptedServer(script) as server, pytest.raises(TransfersFailed) as failed:
        await Operator(Webdav(server.endpoint)).copy_tree(target, "d/", "/")
    report = failed.value.report
    assert (report.copied, len(failed.value.failures), report.untried) == (20, 20, 0)
