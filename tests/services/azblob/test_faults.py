"""The azblob service where the storage refuses, is busy, breaks off or is no Azure at all."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    Unexpected,
)
from entrepot.errors import DeletionsFailed, ObjectExists
from entrepot.raw import OpList, oio
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services import Azblob
from entrepot.services.azblob.core import AzblobCore
from entrepot.services.azblob.listing import Listing
from entrepot.signing import AzureAccessToken, AzureAccountKey, AzureCredentials
from entrepot.testing import (
    RESET,
    Answer,
    ReceivedRequest,
    ScriptedServer,
    raw_response,
    whole_response,
)

from .fake import ACCOUNT, KEY, TOKEN, AzureFake
from .test_fake import config_of

HTML = whole_response(b"<html><body>Welcome</body></html>", "Content-Type: text/html", 'ETag: "1"')
CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def fake() -> Iterator[AzureFake]:
    with AzureFake() as server:
        yield server


def once(answer: Answer, is_meant: Callable[[ReceivedRequest], bool]) -> Callable[[ReceivedRequest], Answer | None]:
    """A script that answers the first request of a kind."""
    left = [answer]

    def script(request: ReceivedRequest) -> Answer | None:
        return left.pop() if left and is_meant(request) else None

    return script


async def names(op: Operator, **options: int) -> list[str]:
    """The paths of all blobs, and of directories that are blobs."""
    entries = await op.list("/", recursive=True, **options)  # type: ignore[arg-type]
    return sorted(entry.path for entry in entries if entry.path != "/")


def is_of(method: str, text: str = "") -> Callable[[ReceivedRequest], bool]:
    return lambda request: request.method == method and text in request.target


async def test_a_token_that_azure_refuses_is_renewed_once(fake: AzureFake) -> None:
    given = [f"token-{number}" for number in (9, 8, 7, 1)]  # the last one is good
    calls = list[str]()

    async def load() -> AzureAccessToken:
        calls.append(given[len(calls)])
        return AzureAccessToken(calls[-1], datetime.now(UTC) + timedelta(hours=1))

    op = Operator(config_of(fake, account_key=None, credentials=load), resilient=False)
    with pytest.raises(PermissionDenied, match="does not accept") as caught:
        await op.write("a", b"1")
    assert (len(calls), "token-" in str(caught.value)) == (2, False)
    fake.tokens = {"token-7"}
    await op.write("a", b"1")
    assert (await op.read("a"), len(calls)) == (b"1", 3)


async def test_a_refusal_by_a_proxy_is_no_reason_to_renew_a_young_token(fake: AzureFake) -> None:
    calls = list[int]()

    def load() -> AzureAccessToken:
        calls.append(1)
        return AzureAccessToken(TOKEN)

    fake.before = lambda _: [whole_response(b"", status="403 -")]
    op = Operator(config_of(fake, account_key=None, credentials=load), resilient=False)
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            await op.stat("a")
    assert (len(calls), len(fake.server.requests)) == (1, 3)


async def test_parts_of_a_batch_that_are_refused_are_sent_alone(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    for name in "abc":
        await op.write(name, b"1")
    fake.refused_parts = 2
    await op.delete_many(["a", "b", "c"])
    assert await names(op) == []


async def test_throttling_is_temporary_and_says_when_to_retry(fake: AzureFake) -> None:
    def busy(request: ReceivedRequest) -> Answer:
        return [whole_response(b"", "x-ms-error-code: ServerBusy", "Retry-After: 7", status="503 Busy")]

    fake.before = busy
    with pytest.raises(RateLimited) as caught:
        await Operator(config_of(fake), resilient=False).stat("a")
    assert (caught.value.is_temporary, caught.value.context["retry_after"]) == (True, 7.0)


@pytest.mark.parametrize("call", ["stat", "read", "write", "list", "delete", "delete_many", "copy"])
async def test_a_web_server_in_the_place_of_azure_is_found_out(call: str) -> None:
    with ScriptedServer(lambda _: [HTML]) as server:
        op = Operator(Azblob("container", endpoint=server.endpoint, account_name="a", account_key=KEY), resilient=False)
        arguments: dict[str, tuple[object, ...]] = {
            "write": ("a", b"1"),
            "list": ("/",),
            "delete_many": (["a", "b"],),
            "copy": ("a", "b"),
        }
        with pytest.raises(Error) as caught:
            await getattr(op, call)(*arguments.get(call, ("a",)))
        assert "not one of Azure Storage: check endpoint" in str(caught.value)


async def test_a_web_page_for_what_is_missing_is_no_missing_blob() -> None:
    with ScriptedServer(lambda _: [raw_response("404 Not Found", "Content-Length: 0")]) as server:
        op = Operator(Azblob("container", endpoint=server.endpoint, account_name="a", account_key=KEY), resilient=False)
        with pytest.raises(Unexpected, match="check endpoint"):
            await op.exists("a")


async def test_a_redirect_is_not_followed() -> None:
    with ScriptedServer(lambda _: [whole_response(HTML)]) as elsewhere:
        moved = raw_response("307 Moved", f"Location: {elsewhere.endpoint}/container/a", "Content-Length: 0")
        with ScriptedServer(lambda _: [moved]) as server:
            config = Azblob("container", endpoint=server.endpoint, account_name="a", sas_token="sig=secret")
            with pytest.raises(ConfigInvalid, match="set endpoint") as caught:
                await Operator(config).read("a")
        assert (elsewhere.requests, "secret" in str(caught.value)) == ([], False)


async def test_a_read_that_breaks_off_goes_on_where_it_was(fake: AzureFake) -> None:
    op = Operator(config_of(fake))
    etag = (await op.write("a", CONTENT)).etag
    head = f"Content-Length: {len(CONTENT)}", f"ETag: {etag}", "x-ms-request-id: 1"
    fake.before = once([raw_response("200 OK", *head, content=CONTENT[:1000]), RESET], is_of("GET"))
    assert await op.read("a") == CONTENT
    assert [request.range for request in fake.server.requests[-2:]] in (
        [None, f"bytes=1000-{len(CONTENT) - 1}"],
        [None, "bytes=1000-"],
        [None, None],
    )


async def test_a_read_that_breaks_off_is_never_short(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    etag = (await op.write("a", CONTENT)).etag
    head = f"Content-Length: {len(CONTENT)}", f"ETag: {etag}", "x-ms-request-id: 1"
    fake.before = once([raw_response("200 OK", *head, content=CONTENT[:1000]), RESET], is_of("GET"))
    with pytest.raises((ContentIncomplete, Unexpected)):
        await op.read("a")


async def test_a_write_that_breaks_off_leaves_the_old_blob(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"old")
    fake.before = once([RESET], is_of("PUT", "comp=blocklist"))
    async with op.writer("b", chunk=70_000) as other:
        await other.write(CONTENT)
        with pytest.raises(Unexpected):
            await other.close()
        assert not await op.exists("b")
        await other.close()
    assert (await op.read("a"), await op.read("b")) == (b"old", CONTENT)


def lose(fake: AzureFake, text: str) -> Callable[[ReceivedRequest], Answer | None]:
    """A script that does the first request whose target has the text, and loses the response."""

    def script(request: ReceivedRequest) -> Answer | None:
        if text not in request.target:
            return None
        fake.before = lambda _: None
        fake.answer(request)
        return [RESET]

    return script


@pytest.mark.parametrize(("chunk", "lost"), [(None, "/a"), (70_000, "comp=blocklist")])
async def test_a_write_whose_response_is_lost_says_what_may_have_happened(
    fake: AzureFake, chunk: int | None, lost: str
) -> None:
    op = Operator(config_of(fake), resilient=False)
    writer = await op.writer("a", if_not_exists=True, chunk=chunk)
    fake.before = lose(fake, lost)
    await writer.write(CONTENT)
    with pytest.raises(Unexpected):
        await writer.close()
    with pytest.raises(ObjectExists, match="may have stored this"):
        await writer.close()
    await writer.abort()
    assert await op.read("a") == CONTENT


async def test_a_commit_that_is_sent_again_succeeds(fake: AzureFake) -> None:
    op = Operator(config_of(fake))
    fake.before = lose(fake, "comp=blocklist")
    await op.write("a", CONTENT, chunk=70_000)
    assert await op.read("a") == CONTENT


async def test_an_append_whose_response_is_lost_is_stored_once(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"one,", append=True, content_type="text/csv")
    writer = await op.writer("a", append=True)
    await writer.write(b"two,")
    fake.before = lose(fake, "comp=appendblock")
    with pytest.raises(Unexpected):
        await writer.close()
    await writer.close()
    metadata = await op.stat("a")
    assert (await op.read("a"), metadata.content_type) == (b"one,two,", "text/csv")


@pytest.mark.parametrize("verb", ["write", "close"])
async def test_a_new_blob_of_an_append_whose_response_is_lost_says_what_may_have_happened(
    fake: AzureFake, verb: str
) -> None:
    def script(request: ReceivedRequest) -> Answer | None:
        if request.method != "PUT" or "comp=" in request.target:
            return None
        fake.before = lambda _: None
        fake.answer(request)
        return [RESET]

    op = Operator(config_of(fake), resilient=False)
    writer = await op.writer("a", append=True, if_not_exists=True, chunk=4)
    await writer.write(b"one," if verb == "close" else b"one,two,")
    fake.before = script
    with pytest.raises(Unexpected):
        await (writer.close() if verb == "close" else writer.write(b"three"))
    with pytest.raises(ObjectExists) as caught:
        await writer.close()
    assert caught.value.context["may_have_taken_effect"]
    await writer.abort()


async def test_an_append_that_others_overtake_is_refused(fake: AzureFake) -> None:
    op = Operator(config_of(fake))
    await op.write("a", b"one,", append=True)
    async with op.writer("a", append=True, chunk=4) as writer:
        await writer.write(b"two,")
        await writer.write(b"three")
        await op.write("a", b"other", append=True)
        with pytest.raises(ConditionNotMatch, match="appended"):
            await writer.close()
        await writer.abort()
    assert await op.read("a") == b"one,two,other"


async def test_one_of_two_writers_of_blocks_wins(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    first, second = [await op.writer("a", chunk=30_000) for _ in range(2)]
    for _ in range(4):
        await first.write(b"1" * 30_000)
        await second.write(b"2" * 30_000)
    while len(fake.staged.get("container/root/a", {})) < 4:
        await asyncio.sleep(0.01)
    await first.close()
    with pytest.raises(ConditionNotMatch, match="write the whole blob again"):
        await second.close()
    await second.abort()
    assert await op.read("a") == b"1" * 120_000


async def test_a_clock_that_is_off_is_corrected(fake: AzureFake) -> None:
    fake.clock = lambda: datetime.now(UTC) + timedelta(hours=3)
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"1")
    await op.stat("a")
    assert len(fake.server.requests) == 3


async def test_a_pending_copy_is_awaited(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"1")
    fake.pending = 1
    await op.copy("a", "b")
    states = [request.method for request in fake.server.requests[1:]]
    assert (states, await op.read("b")) == (["PUT", "HEAD", "HEAD"], b"1")


def copy_of(etag: str, status: str, copy_id: str) -> Answer:
    """A description of the target of a copy."""
    facts = (f'ETag: "{etag}"', f"x-ms-copy-status: {status}", f"x-ms-copy-id: {copy_id}", "x-ms-request-id: 1")
    return [whole_response(b"", *facts)]


@pytest.mark.parametrize(
    ("status", "copy_id", "message"),
    [
        ("failed", None, "gave the copy up"),
        ("aborted", None, "gave the copy up"),
        ("success", "of another one", "another write replaced the target"),
    ],
)
async def test_a_pending_copy_that_does_not_succeed_is_an_error_and_aborted(
    fake: AzureFake, status: str, copy_id: str | None, message: str
) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"1")
    fake.pending = 5

    def script(request: ReceivedRequest) -> Answer | None:
        if request.method != "HEAD":
            return None
        [blob] = [blob for versions in fake.blobs.values() for blob in versions if blob.copy_id]
        return copy_of("x", status, copy_id or blob.copy_id)

    fake.before = script
    with pytest.raises(Unexpected, match=message):
        await op.copy("a", "b")
    last = fake.server.requests[-1]
    assert (last.method, "comp=copy" in last.target, last.headers["x-ms-copy-action"]) == ("PUT", True, "abort")


async def test_a_copy_that_is_cancelled_while_it_is_pending_is_aborted(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"1")
    fake.pending = 1000
    copying = asyncio.ensure_future(op.copy("a", "b"))
    while not [request for request in fake.server.requests if request.method == "HEAD"]:
        await asyncio.sleep(0.001)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert fake.server.requests[-1].headers["x-ms-copy-action"] == "abort"


async def test_a_copy_with_a_condition(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    await op.write("a", b"1")
    missing = whole_response(b"", "x-ms-error-code: BlobNotFound", "x-ms-request-id: 1", status="404 -")
    for source, error in (("missing", NotFound), ("a", ConditionNotMatch)):  # of Azure, which of both is not said
        fake.before = once([missing], lambda request: "x-ms-copy-source" in request.headers)
        with pytest.raises(error):
            await op.copy(source, "b", if_match='"0x1"')
    await op.write("b", b"2")
    with pytest.raises(ObjectExists):
        await op.copy("a", "b", if_not_exists=True)
    fake.before = once([RESET], lambda request: "x-ms-copy-source" in request.headers)
    with pytest.raises(Unexpected) as caught:
        await op.copy("a", "c", if_not_exists=True)
    assert caught.value.context["may_have_taken_effect"] is True


async def test_a_batch_has_one_request_for_256_blobs(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    for number in range(300):
        fake.put(f"container/root/{number}", b"")
    paths = await names(op, limit=5000)
    before = len(fake.server.requests)
    await op.delete_many(paths)
    assert (len(paths), len(fake.server.requests) - before) == (300, 2)
    assert await names(op) == []


async def test_directories_of_hierarchical_accounts(fake: AzureFake) -> None:
    config = config_of(fake)
    op = Operator(config)
    root = f"container{op.info.root}"
    for key, user in (("d", {"hdi_isfolder": "true"}), ("d/a", {}), ("d-e", {}), ("empty", {"hdi_isfolder": "true"})):
        fake.put(root + key, b"", **user)
    assert await names(op) == ["d-e", "d/", "d/a", "empty/"]
    assert sorted(entry.path for entry in await op.list("/")) == ["/", "d-e", "d/", "empty/"]
    with pytest.raises(IsADirectory):
        await op.read("d")
    assert (await op.stat("d")).is_dir


@pytest.mark.parametrize("recursive", [False, True])
async def test_a_listing_with_directories_that_are_blobs_goes_on_after_any_of_its_entries(
    fake: AzureFake, recursive: bool
) -> None:
    op = Operator(config_of(fake))
    root = f"container{op.info.root}"
    for key in ("d", "d-e/f", "x!", "x!/y"):
        fake.put(root + key, b"", hdi_isfolder="true")
    for key in ("d!", "d+", "d-e/g", "d/a", "x", "x!-"):
        fake.put(root + key, b"")
    paths = [entry.path for entry in await op.list("/", recursive=recursive)][1:]
    assert paths == sorted(paths)
    for number, path in enumerate(paths):
        assert [entry.path for entry in await op.list("/", recursive=recursive, start_after=path)] == paths[
            number + 1 :
        ]


async def test_more_pages_than_a_listing_may_have_empty_ones_may_come_before_its_start() -> None:
    listing = Listing(AzblobCore("http://host/c", "host", "c"), "/", "/", OpList(start_after="48", limit=1))
    limits = set[str]()

    async def fetch(token: str | None) -> oio.Page:
        number = int(token or 10)
        limits.add(listing.request(token).url.partition("maxresults=")[2].partition("&")[0])
        marker = "" if number == 50 else f"<NextMarker>{number + 1}</NextMarker>"
        page = f"<EnumerationResults><Blobs><Blob><Name>{number}</Name></Blob></Blobs>{marker}</EnumerationResults>"
        return listing.page(HttpHeaders([("x-ms-request-id", "1")]), page.encode())

    lister = oio.PageLister(fetch, max_empty=2)
    assert [entry.path for entry in await lister.next() or ()] == ["49"]
    assert limits == {"1500"}  # the pages before the start are as large as can be
    assert [entry.path for entry in await lister.next() or ()] == ["50"]
    assert limits == {"1500", "1"}


@pytest.mark.parametrize("name", ["a/../b", "..", "a/./b", "dot.", "d./a", "back\\slash", "tab\t", "\x7f", "\uffff"])
async def test_names_that_azure_changes_are_refused_before_any_request(fake: AzureFake, name: str) -> None:
    op = Operator(config_of(fake))
    for call in (op.read(name), op.stat(name), op.write(name, b""), op.delete(name), op.copy("a", name)):
        with pytest.raises(InvalidInput, match="does not keep the name"):
            await call
    assert fake.server.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"user_metadata": {"some-key": "v"}},
        {"user_metadata": {"hdi_isfolder": "true"}},
        {"user_metadata": {"k": "é"}},
        {"tags": {"é": "v"}},
        {"tags": {str(number): "v" for number in range(11)}},
    ],
)
async def test_metadata_that_azure_refuses_is_refused_before_any_request(
    fake: AzureFake, options: dict[str, dict[str, str]]
) -> None:
    with pytest.raises(InvalidInput):
        await Operator(config_of(fake)).write("a", b"", **options)  # type: ignore[arg-type]
    assert fake.server.requests == []


async def test_blobs_with_a_key_of_the_caller(fake: AzureFake) -> None:
    own = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    op = Operator(config_of(fake, encryption_key=own))
    await op.write("a", CONTENT, chunk=70_000)
    assert (await op.read("a"), (await op.stat("a")).content_length) == (CONTENT, len(CONTENT))
    with pytest.raises(Unexpected, match="does not allow"):
        await Operator(config_of(fake), resilient=False).read("a")
    capability = op.info.capability
    assert (capability.copy, capability.copy_with_if_match, capability.presign_read) == (False, False, False)
    assert own not in repr(op)
    with pytest.raises(ConfigInvalid, match="over TLS only"):
        Operator(Azblob("container", endpoint="http://example.org/a", encryption_key=own))


async def test_a_token_is_not_sent_without_tls(fake: AzureFake) -> None:
    op = Operator(Azblob("container", endpoint="http://example.invalid/a", bearer_token="secret"), resilient=False)
    with pytest.raises(ConfigInvalid, match="over TLS only") as caught:
        await op.read("a")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["key", "token"])
async def test_what_is_presigned_works_for_anyone(fake: AzureFake, kind: str) -> None:
    from entrepot.testing.behavior.send import send

    credentials: AzureCredentials = AzureAccountKey(ACCOUNT, KEY) if kind == "key" else AzureAccessToken(TOKEN)
    op = Operator(config_of(fake, account_key=None, credentials=lambda: credentials))
    write = await op.presign_write("a b/é", 60, content_type="text/x-a")
    assert (await send(write, b"content")).status == 201
    read = await op.presign_read("a b/é", 60)
    assert (await send(read)).content == b"content"
    attachment = 'attachment; filename="a+b.txt"'
    stated = await op.stat("a b/é", override_content_type="x/y", override_content_disposition=attachment)
    assert (stated.content_type, stated.content_disposition) == ("x/y", attachment)
    version = (await op.stat("a b/é")).version
    assert (await send(await op.presign_read("a b/é", 60, version=version))).content == b"content"
    assert (await send(await op.presign_stat("a b/é", 60))).status == 200
    await op.write("a b/é", b"new")
    assert (await send(await op.presign_delete("a b/é", 60, version=version))).status == 202
    assert (await send(await op.presign_delete("a b/é", 60))).status == 202
    assert fake.delegations == (1 if kind == "token" else 0)
    assert "x-ms-version" not in {name.lower() for name in read.headers}


async def test_a_sas_token_cannot_presign_and_is_in_no_text(fake: AzureFake) -> None:
    op = Operator(Azblob("container", endpoint=fake.endpoint, sas_token="?sv=2022-11-02&sr=c&sp=r&sig=SECRET"))
    assert not op.info.capability.presign
    with pytest.raises(PermissionDenied) as caught:
        await op.stat("a")
    assert "SECRET" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}{op!r}"


async def test_a_lost_batch_is_no_failure(fake: AzureFake) -> None:
    op = Operator(config_of(fake))
    for name in "ab":
        await op.write(name, b"")

    fake.before = lose(fake, "comp=batch")
    await op.delete_many(["a", "b"])
    assert await names(op) == []


async def test_a_missing_container_is_not_a_server_without_batches(fake: AzureFake) -> None:
    op = Operator(config_of(fake), resilient=False)
    missing = raw_response("404 -", "x-ms-request-id: 1", "x-ms-error-code: ContainerNotFound", "Content-Length: 0")
    fake.before = lambda request: [missing] if "comp=batch" in request.target else None
    with pytest.raises(DeletionsFailed, match="there is no container"):
        await op.delete_many(["a", "b"])
    fake.before = lambda request: None
    await op.delete_many(["a", "b"])
    assert all("comp=batch" in request.target for request in fake.server.requests)


async def test_a_server_without_batches_gets_single_requests(fake: AzureFake) -> None:
    op = Operator(config_of(fake))
    for name in "ab":
        await op.write(name, b"")

    def missing(request: ReceivedRequest) -> Answer | None:
        if "comp=batch" in request.target:
            return [
                whole_response(b"", "x-ms-request-id: 1", "x-ms-error-code: UnsupportedQueryParameter", status="400 -")
            ]
        return None

    fake.before = missing
    await op.delete_many(["a", "b"])
    assert await names(op) == []
