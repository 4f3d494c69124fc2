"""What the behaviour suite does not check of the azdls service: its configuration, and faults."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    IsSameFile,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    Unexpected,
    Unsupported,
)
from entrepot.errors import ObjectExists
from entrepot.raw import OpWrite, oio
from entrepot.services import Azblob, Azdls
from entrepot.services.azdls.accessor import _part_sizes
from entrepot.services.azdls.behavior import config_for
from entrepot.services.azdls.writer import MAX_TOTAL
from entrepot.testing import (
    RESET,
    Answer,
    DatalakeServer,
    ReceivedRequest,
    ScriptedServer,
    azure_datalake,
    raw_response,
    whole_response,
)
from entrepot.testing.behavior.send import send
from entrepot.types import Capability

KEY = "c2VjcmV0"
CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[DatalakeServer]:
    with azure_datalake(tmp_path) as server:
        yield server


def is_of(method: str, text: str = "") -> Callable[[ReceivedRequest], bool]:
    return lambda request: request.method == method and text in request.target


def is_rename(request: ReceivedRequest) -> bool:
    return "x-ms-rename-source" in request.headers


def once(lake: DatalakeServer, is_meant: Callable[[ReceivedRequest], bool], answer: Answer, *, does: bool) -> None:
    """Answers the first request of a kind in another way, after it was done or not."""
    left = [answer]

    def script(request: ReceivedRequest) -> Answer:
        if left and is_meant(request):
            if does:
                lake.answer(request)
            return left.pop()
        return lake.answer(request)

    lake.server.script = script


async def leftovers(lake: DatalakeServer) -> list[str]:
    return [name for name in lake._nodes if ".entrepot-" in name]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("azdls://fs1/a/b?account_name=acc", ("fs1", "/a/b", None)),
        ("abfss://fs1@acc.dfs.core.windows.net/a", ("fs1", "/a", "https://acc.dfs.core.windows.net")),
        ("abfs://fs1@acc.blob.core.windows.net/a", ("fs1", "/a", "https://acc.dfs.core.windows.net")),
    ],
)
def test_uris(uri: str, expected: tuple[str, str, str | None]) -> None:
    config = Azdls.from_uri(uri)
    assert (config.filesystem, config.root, config.endpoint) == expected


def test_what_cannot_work_is_refused() -> None:
    for values, message in (
        ({"filesystem": "ab"}, "filesystem must have"),
        ({"use_emulator": True}, "the emulator has no data lake"),
        ({"root": "a/../b"}, "does not keep the name"),
        ({"account_key": "!"}, "not base64"),
    ):
        with pytest.raises(ConfigInvalid, match=message):
            Azdls(**{"filesystem": "fs1", "account_name": "acc", **values})  # type: ignore[arg-type]
    with pytest.raises(ConfigInvalid, match="no password"):
        Azdls.from_uri("abfss://fs:secret@acc.dfs.core.windows.net/a")


def test_both_services_reach_the_same_account() -> None:
    from entrepot.raw import Context
    from entrepot.signing.azure_access import access_of

    for config, host in (
        (Azdls("fs1", account_name="acc"), "acc.dfs"),
        (Azblob("fs1", account_name="acc"), "acc.blob"),
    ):
        assert access_of(config, Context()).url == f"https://{host}.core.windows.net"
    text = f"AccountName=acc;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
    assert access_of(Azdls("fs1", connection_string=text), Context()).host == "acc.dfs.core.chinacloudapi.cn"


async def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("a", b"old")
    for is_meant in (is_of("PATCH", "append"), is_of("PATCH", "flush"), is_rename):
        writer = await op.writer("a", chunk=70_000)
        once(lake, is_meant, [RESET], does=False)
        with pytest.raises(Unexpected):
            await writer.write(CONTENT)
            await writer.close()
        assert await op.read("a") == b"old"
        await writer.abort()
        assert await leftovers(lake) == []
    async with op.writer("a", chunk=70_000) as writer:
        await writer.write(CONTENT)
    assert (await op.read("a"), await leftovers(lake)) == (CONTENT, [])


@pytest.mark.parametrize("size", [0, 10, len(CONTENT)])
async def test_a_rename_whose_response_is_lost_is_recognized(lake: DatalakeServer, size: int) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    writer = await op.writer("a", chunk=70_000, if_not_exists=True)
    await writer.write(CONTENT[:size])
    once(lake, is_rename, [RESET], does=True)
    with pytest.raises(Unexpected):
        await writer.close()
    await writer.close()
    assert (await op.read("a"), await leftovers(lake)) == (CONTENT[:size], [])


async def test_a_lost_rename_is_recognized_although_the_look_at_it_fails(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    writer = await op.writer("a", if_not_exists=True)
    await writer.write(CONTENT)
    for is_meant, does in ((is_rename, True), (is_of("HEAD"), False)):
        once(lake, is_meant, [RESET], does=does)
        with pytest.raises(Unexpected):
            await writer.close()
    await writer.close()
    assert (await op.read("a"), await leftovers(lake)) == (CONTENT, [])


async def test_a_failing_cleanup_does_not_hide_why_a_write_is_refused(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("a", b"old")
    writer = await op.writer("a", if_not_exists=True)
    await writer.write(CONTENT)
    once(lake, is_of("DELETE"), [RESET], does=False)
    with pytest.raises(ObjectExists):
        await writer.close()
    await writer.abort()
    assert (await op.read("a"), await leftovers(lake)) == (b"old", [])


async def test_a_refused_write_leaves_no_temporary_file(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("a", b"old")
    with pytest.raises(ObjectExists):
        await op.write("a", b"new", if_not_exists=True)
    with pytest.raises(ConditionNotMatch):
        await op.write("a", b"new", if_match='"other"')
    with pytest.raises(NotADirectory):
        await op.write("a/b", b"new")
    assert (await op.read("a"), await leftovers(lake)) == (b"old", [])


def remove_directory_before(lake: DatalakeServer, is_meant: Callable[[ReceivedRequest], bool]) -> list[str]:
    """Removes `root/d` with the temporary file in it before the first request of a kind, as another process may."""
    removed = list[str]()

    def script(request: ReceivedRequest) -> Answer:
        if not removed and is_meant(request):
            removed.extend([name for name in lake._nodes if name.startswith("root/d")])
            for name in removed:
                del lake._nodes[name]
        return lake.answer(request)

    lake.server.script = script
    return removed


@pytest.mark.parametrize(
    "is_meant", [is_of("PATCH", "append"), is_of("PATCH", "flush"), is_rename], ids=["append", "flush", "rename"]
)
@pytest.mark.parametrize("condition", [{}, {"if_not_exists": True}])
async def test_a_write_whose_directory_is_deleted_meanwhile_is_made_again(
    lake: DatalakeServer, is_meant: Callable[[ReceivedRequest], bool], condition: dict[str, bool]
) -> None:
    removed = remove_directory_before(lake, is_meant)
    await Operator(config_for(lake, "root")).write("d/a", CONTENT, **condition)
    assert any(".entrepot-" in name for name in removed)
    assert (await Operator(config_for(lake, "root")).read("d/a"), await leftovers(lake)) == (CONTENT, [])


@pytest.mark.parametrize(
    "is_meant", [is_of("PATCH", "append"), is_of("PATCH", "flush"), is_rename], ids=["append", "flush", "rename"]
)
async def test_a_long_write_whose_directory_is_deleted_meanwhile_must_be_made_again(
    lake: DatalakeServer, is_meant: Callable[[ReceivedRequest], bool]
) -> None:
    remove_directory_before(lake, is_meant)
    op = Operator(config_for(lake, "root"))
    writer = await op.writer("d/a", chunk=256 * 1024)
    with pytest.raises(Unexpected, match="with its directory: write the whole file again") as caught:
        for _ in range(3):
            await writer.write(CONTENT)
        await writer.close()
    assert not caught.value.is_temporary
    await writer.abort()
    assert await leftovers(lake) == []
    assert not await op.exists("d/a")


async def test_a_read_that_breaks_off_is_never_short(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"))
    await op.write("a", CONTENT)
    etag = (await op.stat("a")).etag
    head = f"Content-Length: {len(CONTENT)}", f"ETag: {etag}", "x-ms-request-id: 1"
    answer = [raw_response("200 OK", *head, content=CONTENT[:1000]), RESET]
    once(lake, is_of("GET"), answer, does=False)
    assert await op.read("a") == CONTENT
    once(lake, is_of("GET"), answer, does=False)
    with pytest.raises((ContentIncomplete, Unexpected)):
        await Operator(config_for(lake, "root"), resilient=False).read("a")


async def test_throttling_wrong_keys_and_a_missing_file_system(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    busy = whole_response(b"", "x-ms-error-code: ServerBusy", "Retry-After: 3", status="503 -")
    once(lake, is_of("HEAD"), [busy], does=False)
    with pytest.raises(RateLimited) as caught:
        await op.stat("a")
    assert caught.value.context["retry_after"] == 3
    wrong = Azdls(lake.filesystem, endpoint=lake.endpoint, account_name=lake.account_name, account_key=KEY)
    with pytest.raises(PermissionDenied, match="does not accept"):
        await Operator(wrong, resilient=False).stat("a")
    missing = Azdls("missing", endpoint=lake.endpoint, account_name=lake.account_name, account_key=lake.account_key)
    for call in ("stat", "read", "list"):
        with pytest.raises(ConfigInvalid, match="there is no file system missing"):
            await getattr(Operator(missing), call)("a/" if call == "list" else "a")


@pytest.mark.parametrize("call", ["stat", "read", "write", "list", "create_dir", "rename"])
async def test_a_web_server_in_the_place_of_azure_is_found_out(call: str) -> None:
    page = whole_response(b"<html></html>", "Content-Type: text/html", 'ETag: "1"')
    with ScriptedServer(lambda _: [page]) as server:
        op = Operator(Azdls("fs1", endpoint=server.endpoint, account_name="a", account_key=KEY), resilient=False)
        arguments = {"write": ("a", b"1"), "list": ("a/",), "create_dir": ("a/",), "rename": ("a", "b")}
        with pytest.raises(Error, match="not one of Azure Storage"):
            await getattr(op, call)(*arguments.get(call, ("a",)))
        for path in ("d/", "/"):
            with pytest.raises(Error, match="not one of Azure Storage"):
                await op.delete(path, recursive=True)
        with pytest.raises(Error, match="not one of Azure Storage"):
            await op.check()


async def test_pages_of_a_listing_go_on_after_any_name(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    names = [" lead", "a&b=c", "a+b", "trail ", "x\u2028y", "\u00e9"]
    for name in names:
        await op.write(name, b"")
    assert [entry.path for entry in await op.list("/", recursive=True, limit=1)] == ["/", *names]


async def test_large_directories_are_deleted_in_several_requests(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"))
    for number in range(10):
        await op.write(f"d/{number}/x", b"")
    await op.write("e", b"")
    await op.delete("d/", recursive=True)
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "e"]
    await op.delete("/", recursive=True)
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/"]


async def test_a_deletion_that_the_storage_continues_without_end_is_an_error(
    lake: DatalakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.services.azdls.deletions.MAX_REPEATED", 5)
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("d/a", b"")
    tokens = cycle("xyz")

    def script(request: ReceivedRequest) -> Answer:
        if request.method != "DELETE":
            return lake.answer(request)
        return [raw_response("200 OK", "x-ms-request-id: 1", f"x-ms-continuation: {next(tokens)}", "Content-Length: 0")]

    lake.server.script = script
    with pytest.raises(Unexpected, match="without end") as caught:
        await asyncio.wait_for(op.delete("d/", recursive=True), 20)
    assert caught.value.is_temporary


async def test_what_writers_that_died_have_left_is_deleted_with_its_directory(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    for directory in ("", "d/", "e/"):
        for number in range(4):  # more than one page of a listing, and before other names
            lake.put(f"root/{directory}.entrepot-{number:016x}.tmp", b"left")
    await op.write("e/x", b"")
    await op.delete("d/")
    with pytest.raises(IsADirectory):
        await op.delete("e/")
    with pytest.raises(IsADirectory):
        await op.delete("/")
    assert len(await leftovers(lake)) == 8
    await op.delete("/", recursive=True)
    assert list(lake._nodes) == ["root"]
    lake.put(f"root/.entrepot-{0:016x}.tmp", b"left")
    await op.delete("/")


async def test_a_file_that_is_stored_while_an_empty_directory_is_deleted_stays(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    lake.put(f"root/d/.entrepot-{0:016x}.tmp", b"left")
    stored = ["root/d/new"]

    def script(request: ReceivedRequest) -> Answer:
        answer = lake.answer(request)
        if stored and is_of("GET", "resource=filesystem")(request):
            lake.put(stored.pop(), b"new")
        return answer

    lake.server.script = script
    with pytest.raises(IsADirectory):
        await op.delete("d/")
    assert await op.read("d/new") == b"new"


async def test_parts_are_as_large_as_they_are_asked_to_be(lake: DatalakeServer) -> None:
    sizes = list[int]()

    def script(request: ReceivedRequest) -> Answer:
        if is_of("PATCH", "action=append")(request):
            sizes.append(int(request.headers["content-length"]))
        return lake.answer(request)

    lake.server.script = script
    async with Operator(config_for(lake, "root")).writer("a", chunk=100_000) as writer:
        await writer.write(CONTENT)
    assert sizes == [100_000, 100_000, len(CONTENT) - 200_000]


@pytest.mark.parametrize(
    ("chunk", "hint", "first", "capacity"),
    [
        (None, None, 8 * 1024**2, 4 * 1024**4),
        (1024**2, None, 1024**2, 4 * 1024**4),
        (1024**3, None, 100 * 1024**2, MAX_TOTAL),
        (None, MAX_TOTAL, 100 * 1024**2, MAX_TOTAL),
    ],
)
def test_parts_hold_a_large_file(chunk: int | None, hint: int | None, first: int, capacity: int) -> None:
    sizes = _part_sizes(chunk, hint)
    assert (sizes.size(1), sizes.size(1000)) == (first, first)
    assert capacity <= sizes.capacity <= capacity * 1.01


async def test_parts_of_different_sizes_are_put_where_they_belong(
    lake: DatalakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = oio.PartSizes(Capability(write_multi_max_size=2000), OpWrite(chunk=1000), max_parts=200)
    monkeypatch.setattr("entrepot.services.azdls.accessor._part_sizes", lambda *_: sizes)
    op = Operator(config_for(lake, "root"), resilient=False)
    async with op.writer("a", concurrent=4) as writer:
        await writer.write(CONTENT[:200_000])
    assert await op.read("a") == CONTENT[:200_000]


async def test_a_root_whose_entries_stay_after_their_deletion_is_an_error(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("a", b"")
    done = raw_response("200 OK", "x-ms-request-id: 1", "Content-Length: 0")
    lake.server.script = lambda request: [done] if request.method == "DELETE" else lake.answer(request)
    with pytest.raises(Unexpected, match="still has") as caught:
        await asyncio.wait_for(op.delete("/", recursive=True), 20)
    assert caught.value.is_temporary


async def test_user_metadata_and_headers_are_kept_by_a_rename(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"))
    await op.write("a", b"1", content_type="text/csv", cache_control="no-store", user_metadata={"Key_1": "a, b=c"})
    await op.rename("a", "new/deep/b")
    found = await op.stat("new/deep/b")
    assert (found.content_type, found.cache_control, dict(found.user_metadata)) == (
        "text/csv",
        "no-store",
        {"key_1": "a, b=c"},
    )
    for name in ("a//b", "..", "x/../y", "dot.", "back\\slash"):
        before = len(lake.server.requests)
        with pytest.raises(InvalidInput):
            await op.write(name, b"")
        assert len(lake.server.requests) == before


async def test_what_is_presigned_works_for_anyone(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"))
    await op.write("a b/é", b"content")
    assert (await send(await op.presign_read("a b/é", 60))).content == b"content"
    assert (await send(await op.presign_stat("a b/é", 60))).status == 200
    token = Operator(Azdls("fs1", account_name="acc", sas_token="sig=SECRET"))
    assert (token.info.capability.presign, "SECRET" in repr(token)) == (False, False)


async def test_a_name_that_is_taken_by_another_kind(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    await op.write("a", b"1")
    await op.write("d/x", b"2")
    for call, error in (
        (lambda: op.write("d", b""), IsADirectory),
        (lambda: op.rename("a", "d"), IsADirectory),
        (lambda: op.rename("d", "e"), IsADirectory),
        (lambda: op.rename("a", "a"), IsSameFile),
        (lambda: op.delete("d"), IsADirectory),
        (lambda: op.delete("/"), IsADirectory),
        (lambda: op.create_dir("a/"), NotADirectory),
        (lambda: op.create_dir("a/b/c/"), NotADirectory),
        (lambda: op.stat("a/"), NotFound),
        (lambda: op.delete("d/", if_match='"0x1"'), Unsupported),
        (lambda: op.delete("missing", if_match='"0x1"'), ConditionNotMatch),
        (lambda: op.write("missing", b"", if_match='"0x1"'), ConditionNotMatch),
    ):
        with pytest.raises(error):
            await call()
    await op.create_dir("d/")
    await op.create_dir("/")
    await op.rename("a", "new/er/a")
    assert [entry.path for entry in await op.list("/", recursive=True)][1:] == [
        "d/",
        "d/x",
        "new/",
        "new/er/",
        "new/er/a",
    ]
    assert await op.list("new/er/a/") == []


async def test_calls_whose_response_is_lost_say_what_may_have_happened(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"))
    await op.write("a", b"1")
    once(lake, is_rename, [RESET], does=True)
    with pytest.raises(Unexpected) as renamed:
        await op.rename("a", "b")
    assert renamed.value.context["may_have_taken_effect"]
    etag = (await op.stat("b")).etag
    once(lake, is_of("DELETE"), [RESET], does=True)
    with pytest.raises(Unexpected) as deleted:
        await op.delete("b", if_match=etag)
    assert deleted.value.context["may_have_taken_effect"]
    assert not await op.exists("b")


async def test_a_file_that_is_replaced_after_a_lost_rename_is_not_taken_for_the_own_one(lake: DatalakeServer) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    writer = await op.writer("a")
    await writer.write(CONTENT)
    once(lake, is_rename, [RESET], does=True)
    with pytest.raises(Unexpected):
        await writer.close()
    await op.write("a", b"of another program")
    with pytest.raises(Unexpected, match="may have been stored and then replaced"):
        await writer.close()
    await writer.abort()
    assert (await op.read("a"), await leftovers(lake)) == (b"of another program", [])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"paths": [{"na', ContentIncomplete),
        (b"[]", Unexpected),
        (b'{"paths": 7}', Unexpected),
        (b'{"paths": [{"noname": 1}]}', Unexpected),
        (b'{"paths": [[]]}', Unexpected),
    ],
)
async def test_a_listing_that_cannot_be_read(lake: DatalakeServer, content: bytes, error: type[Error]) -> None:
    op = Operator(config_for(lake, "root"), resilient=False)
    once(lake, is_of("GET"), [whole_response(content, "x-ms-request-id: 1")], does=False)
    with pytest.raises(error) as caught:
        await op.list("/")
    assert caught.value.is_temporary
