"""Connections that break, tokens that expire, and a hub that refuses."""

from __future__ import annotations

import asyncio
import re
from itertools import cycle

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    NotFound,
    ObjectExists,
    PermissionDenied,
    RateLimited,
    Unexpected,
)
from entrepot.services import Hf
from entrepot.services.hf import commits
from entrepot.services.hf.lfs import checked_url
from entrepot.testing import RESET, Answer, ReceivedRequest, ScriptedServer, raw_response, whole_response
from entrepot.testing.servers.hub import HubInProcess

from .conftest import MakeOperator

CONTENT = bytes(range(256)) * 1200  # 300 KiB: two parts of an upload
HALF = [raw_response("200 OK", f"Content-Length: {len(CONTENT)}", content=CONTENT[:1000]), RESET]


def is_commit(request):
    return "/commit/" in request.target


def is_content(request):
    return "signature=" in request.target and request.method == "GET"


def is_part(request):
    return "signature=" in request.target and request.method == "PUT"


async def test_a_read_that_is_cut_goes_on_or_fails(server: HubInProcess, operator: MakeOperator) -> None:
    await operator().write("a.bin", CONTENT)
    server.interrupt(is_content, HALF)
    with pytest.raises(ContentIncomplete):
        await operator().read("a.bin")
    server.interrupt(is_content, HALF)
    assert await operator(resilient=True).read("a.bin") == CONTENT


async def test_a_document_that_is_nested_too_deep_is_not_json(server: HubInProcess, operator: MakeOperator) -> None:
    server.interrupt(lambda request: "paths-info" in request.target, [whole_response(b"[" * 100_000)])
    with pytest.raises(Unexpected, match="not JSON"):
        await operator().stat("a")


@pytest.mark.parametrize("kind", [is_part, is_commit, lambda request: "preupload" in request.target])
async def test_a_write_that_is_cut_publishes_nothing(
    server: HubInProcess, operator: MakeOperator, repo_id: str, kind
) -> None:
    server.interrupt(kind, [RESET])
    with pytest.raises(Unexpected) as caught:
        await operator().write("a.bin", CONTENT)
    assert caught.value.is_temporary
    assert server.files("dataset", repo_id) == {}
    server.interrupt(kind, [RESET])
    await operator(resilient=True).write("a.bin", CONTENT)
    assert server.files("dataset", repo_id)["a.bin"].content == CONTENT


async def test_a_commit_whose_response_is_lost_is_not_made_twice(server: HubInProcess, operator: MakeOperator) -> None:
    server.interrupt(is_commit, [RESET], takes_effect=True)
    await operator(resilient=True).write("a", b"content")
    assert server.commits == ["Upload a"]  # the hub says at the second attempt that it has this content


async def test_a_condition_after_a_lost_response_says_what_may_have_happened(
    server: HubInProcess, operator: MakeOperator
) -> None:
    server.interrupt(is_commit, [RESET], takes_effect=True)
    writer = await operator().writer("a", if_not_exists=True)
    await writer.write(b"content")
    with pytest.raises(Unexpected):
        await writer.close()
    with pytest.raises(ObjectExists, match="may have stored this"):
        await writer.close()
    await writer.abort()


async def test_a_rename_whose_response_is_lost_is_not_made_again(server: HubInProcess, operator: MakeOperator) -> None:
    op = operator(resilient=True)
    await op.write("a", b"content")
    server.interrupt(is_commit, [RESET], takes_effect=True)
    with pytest.raises(Unexpected):
        await op.rename("a", "b")
    assert server.commits == ["Upload a", "Rename a to b"]


async def test_a_conditional_copy_or_deletion_whose_response_is_lost_is_not_made_again(
    server: HubInProcess, operator: MakeOperator
) -> None:
    op = operator(resilient=True)
    etag = (await op.write("a", b"content")).etag
    calls = [
        (lambda: op.copy("a", "b", if_not_exists=True), "Copy a to b"),
        (lambda: op.delete("a", if_match=etag), "Delete a"),
    ]
    for call, _ in calls:
        server.interrupt(is_commit, [RESET], takes_effect=True)
        with pytest.raises(Unexpected) as caught:
            await call()
        assert caught.value.context["may_have_taken_effect"] is True
    assert server.commits == ["Upload a", *(message for _, message in calls)]


async def test_a_conditional_deletion_is_of_the_state_that_is_named(operator: MakeOperator) -> None:
    op = operator()
    etag = (await op.write("a", b"first")).etag
    await op.write("a", b"second")
    for path, condition in (("a", etag), ("none", etag), ("none", "*")):
        with pytest.raises(ConditionNotMatch):
            await op.delete(path, if_match=condition)
    assert await op.read("a") == b"second"
    await op.delete("a", if_match="*")
    assert not await op.exists("a")


async def test_a_token_that_was_replaced_is_read_again(
    server: HubInProcess, operator: MakeOperator, tmp_path, monkeypatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{server.token}\n")
    monkeypatch.setenv("HF_TOKEN_PATH", str(file))
    op = operator(token=None, disable_config_load=False)
    await op.write("a", b"content")
    server.token = "hf_the_next_one"
    with pytest.raises(PermissionDenied, match="does not accept the token"):
        await op.read("a")
    file.write_text(server.token)
    assert await op.read("a") == b"content"


async def test_a_wrong_token_and_none(server: HubInProcess, operator: MakeOperator) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await operator(token="hf_wrong_token").stat("a")
    assert "hf_wrong_token" not in "".join(map(str, (caught.value, caught.value.context, caught.value.__cause__)))
    with pytest.raises(ConfigInvalid, match="no such repository"):
        await operator(token=None).stat("a")


@pytest.mark.parametrize("options", [{"repo_id": "owner/other"}, {"revision": "other"}])
async def test_a_missing_repository_or_revision_is_not_a_missing_file(operator: MakeOperator, options) -> None:
    op = operator(**options)
    for call in (op.exists("a"), op.read("a"), op.list("/"), op.write("a", b"x"), op.delete("a"), op.create_dir("a/")):
        with pytest.raises(ConfigInvalid, match="no such"):
            await call


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After: 7", 7.0), ('RateLimit: "api";r=0;t=11', 11.0), ("X-Other: 1", None)],
)
async def test_a_hub_that_asks_for_fewer_requests(
    server: HubInProcess, operator: MakeOperator, header: str, seconds: float | None
) -> None:
    server.interrupt(lambda _: True, [whole_response(b"", header, status="429 Too Many Requests")])
    with pytest.raises(RateLimited) as caught:
        await operator().stat("a")
    assert caught.value.is_temporary
    assert caught.value.context.get("retry_after") == seconds


async def test_a_branch_that_others_commit_to(
    server: HubInProcess, operator: MakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "FIRST_PAUSE", 0.001)
    refusal = [whole_response(b"", status="412 Precondition Failed")]
    server.interrupt(is_commit, refusal, times=2)
    await operator().write("a", b"content")
    server.interrupt(is_commit, refusal, times=commits.ATTEMPTS)
    with pytest.raises(Unexpected, match="others commit") as caught:
        await operator().write("a", b"others")
    assert caught.value.is_temporary
    assert await operator().read("a") == b"content"


@pytest.mark.parametrize("path", ["other", "a"])
async def test_a_condition_is_checked_against_the_state_that_is_changed(
    server: HubInProcess, operator: MakeOperator, repo_id: str, path: str
) -> None:
    """Another process commits between the check of the condition and the commit."""
    left = [path]

    def intrude(request) -> bool:
        if is_commit(request) and left:
            server.put("dataset", repo_id, left.pop(), b"of another process")
        return False

    server.interrupt(intrude, [])
    if path == "a":
        with pytest.raises(ObjectExists):
            await operator().write("a", b"content", if_not_exists=True)
    else:
        await operator().write("a", b"content", if_not_exists=True)
    assert await operator().read(path) == b"of another process"


async def test_deletions_of_files_that_others_delete_too(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    for name in ("a", "b"):
        server.put("dataset", repo_id, name, b"content")
    server.interrupt(is_commit, [whole_response(b"", "X-Error-Code: EntryNotFound", status="404 Not Found")])
    await operator().delete_many(["a", "b", "missing"])
    assert server.files("dataset", repo_id) == {}


async def test_pages_that_name_each_other_as_the_next_one_are_not_read_without_end() -> None:
    tokens = cycle("xyz")

    def script(request: ReceivedRequest) -> Answer:
        return [whole_response(b"[]", f'Link: <{server.endpoint}/api?cursor={next(tokens)}>; rel="next"')]

    with ScriptedServer(script) as server:
        op = Operator(Hf("owner/name", token="hf_token", endpoint=server.endpoint), resilient=False)
        with pytest.raises(Unexpected, match="names an earlier page"):
            await asyncio.wait_for(op.delete("/", recursive=True), 20)


@pytest.mark.parametrize("content", [b"<html>in</html>", b"[]", b'{"a": 1}', b"[1]", b'[{"type": "file", "path": 1}]'])
async def test_an_endpoint_that_is_not_a_hub(content: bytes) -> None:
    with ScriptedServer(lambda _: [whole_response(content)]) as other:
        op = Operator(Hf("owner/name", token="hf_token", endpoint=other.endpoint), resilient=False)
        for call in (op.stat("a"), op.list("/"), op.write("a", b"x"), op.delete("a")):
            with pytest.raises((Unexpected, NotFound)) if content == b"[]" else pytest.raises(Unexpected):
                await _not_done(call, content)


async def _not_done(call, content: bytes) -> None:
    """An empty list is the valid response to some requests: there is nothing."""
    await call
    if content == b"[]":
        raise NotFound("nothing")


async def test_a_page_in_place_of_a_content_is_no_content() -> None:
    page = whole_response(b"<html>Sign in</html>", "Content-Type: text/html", 'ETag: "1"')
    with ScriptedServer(lambda _: [page]) as other:
        op = Operator(Hf("owner/name", token="hf_token", endpoint=other.endpoint), resilient=False)
        for call in (op.read("a"), op.read("a", range=(0, 5)), op.read("a", range=(5, None))):
            with pytest.raises(Unexpected, match="may not be a hub"):
                await call


async def test_a_server_that_has_no_such_calls() -> None:
    """A missing page says nothing about files: nothing is reported as missing or empty."""
    missing = whole_response(b"<html>", status="404 Not Found")
    with ScriptedServer(lambda _: [missing]) as other:
        op = Operator(Hf("owner/name", token="hf_token", endpoint=other.endpoint), resilient=False)
        for call in (op.exists("a"), op.list("/"), op.write("a", b"x"), op.delete("a"), op.create_dir("a/")):
            with pytest.raises(Unexpected, match="may not be a hub"):
                await call


async def test_a_storage_that_refuses_content(server: HubInProcess, operator: MakeOperator, repo_id: str) -> None:
    server.interrupt(is_part, [whole_response(b"<Error>signature=secret</Error>", status="403 Forbidden")])
    with pytest.raises(PermissionDenied) as caught:
        await operator().write("a.bin", b"content")
    assert not re.search("signature|secret", f"{caught.value} {caught.value.context}")
    assert server.files("dataset", repo_id) == {}


@pytest.mark.parametrize(
    "actions",
    [
        {"upload": {"href": "ftp://h/x"}},
        {"upload": {"href": 1}},
        {"upload": {"href": "http://h/x", "header": {"chunk_size": "0"}}},
        {"upload": {"href": "http://h/x", "header": {"chunk_size": "1", "00001": "http://h/x"}}},
    ],
)
async def test_upload_actions_that_make_no_sense(server: HubInProcess, operator: MakeOperator, actions) -> None:
    import json

    answer = whole_response(json.dumps({"objects": [{"oid": "x", "size": 7, "actions": actions}]}).encode())
    server.interrupt(lambda request: request.target.endswith("/objects/batch"), [answer])
    with pytest.raises(Error, match="malformed"):
        await operator().write("a.bin", b"content")


async def test_a_renamed_repository_is_followed_with_content(server: HubInProcess, operator: MakeOperator) -> None:
    def to(where: str) -> bytes:
        return whole_response(b"", f"Location: {where}", status="307 Temporary Redirect")

    op = operator()
    await op.write("a", b"content")
    [target] = [request.target for request in server.requests if is_commit(request)]
    server.interrupt(is_commit, [to(target)])
    await op.write("a", b"others")
    assert await op.read("a") == b"others"
    server.interrupt(is_commit, [to(f"{server.storage.endpoint}/elsewhere")])
    with pytest.raises(PermissionDenied, match="another server"):
        await op.write("a", b"not sent elsewhere")
    assert not server.storage.requests


def test_content_is_not_sent_without_tls_where_the_hub_has_it() -> None:
    with pytest.raises(PermissionDenied, match="without TLS"):
        checked_url("http://h/x?signature=secret", is_secure=True)
    assert checked_url("https://h/x", is_secure=True) == "https://h/x"
    with pytest.raises(Unexpected, match="malformed"):
        checked_url("https://[/x", is_secure=True)


async def test_a_link_that_is_no_url(server: HubInProcess, operator: MakeOperator) -> None:
    link = 'Link: <https://[/api>; rel="next"'
    server.interrupt(lambda request: "/tree/" in request.target, [whole_response(b"[]", link)])
    with pytest.raises(Unexpected, match="no cursor"):
        await operator().list("/")


async def test_a_listing_without_end(server: HubInProcess, operator: MakeOperator, repo_id: str) -> None:
    server.put("dataset", repo_id, "d/a", b"content")
    link = f'Link: <{server.endpoint}/api?cursor=1>; rel="next"'
    server.interrupt(lambda request: "/tree/" in request.target, [whole_response(b"[]", link)], times=3)
    with pytest.raises(Unexpected, match="next page"):
        await operator().delete("d/")
