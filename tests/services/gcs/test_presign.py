"""Signed URLs: what signs them, and their conditions, against a server that checks signatures."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from entrepot import Operator, Unsupported
from entrepot.raw import Context
from entrepot.services import Gcs
from entrepot.testing import MockTransport, reply
from entrepot.testing.behavior.send import send
from entrepot.testing.servers.strict_gcs.access import EMAIL, REFRESH_TOKEN

MINUTE = 60


@pytest.fixture
def keyed(config, server):
    """Signs with the key of the service account."""
    return Operator(replace(config, token=None, credential=server.credential), resilient=False)


async def test_a_key_signs_without_a_request(keyed, server):
    request = await keyed.presign_write("a b/ü", MINUTE, content_type="text/x", user_metadata={"k": "v"})
    assert server.calls == []
    assert (await send(request, b"content")).status == 200
    found = await keyed.stat("a b/ü")
    assert (found.content_type, dict(found.user_metadata)) == ("text/x", {"k": "v"})


async def test_a_token_signs_as_the_service_account_that_is_named():
    """By a request to Google, which is made up here."""
    signed = json.dumps({"signedBlob": b64encode(b"\x01\x02").decode()}).encode()
    google = MockTransport(lambda request: reply(200, signed))
    op = Operator(Gcs("bucket", token="secret-token", service_account=EMAIL), context=Context(http=google))
    request = await op.presign_read("a", MINUTE)
    assert request.url.endswith("&X-Goog-Signature=0102")
    [sent] = google.requests
    assert sent.url == f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}:signBlob"
    assert b64decode(json.loads(sent.body)["payload"]).startswith(b"GOOG4-RSA-SHA256\n")
    assert "secret-token" not in request.url


async def test_credentials_of_no_service_account_cannot_sign(config, op, server):
    with pytest.raises(Unsupported, match="set service_account"):
        await op.presign_read("a", MINUTE)
    user = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "secret",
        "refresh_token": REFRESH_TOKEN,
        "token_uri": f"{server.endpoint}/token",
    }
    signed_in = Operator(replace(config, token=None, credential=json.dumps(user)), resilient=False)
    with pytest.raises(Unsupported, match="sign no URLs"):
        await signed_in.presign_read("a", MINUTE)


async def test_an_impersonated_account_signs_by_a_request(config, server):
    account = f"{server.endpoint}/iam/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    values = {
        "type": "impersonated_service_account",
        "source_credentials": json.loads(server.credential),
        "service_account_impersonation_url": account,
    }
    op = Operator(replace(config, token=None, credential=json.dumps(values)), resilient=False)
    await op.write("a", b"content")
    request = await op.presign_read("a", MINUTE)
    assert server.calls[-1].path.endswith(":signBlob")
    assert (await send(request)).content == b"content"


async def test_if_match_becomes_a_condition_on_the_generation(keyed):
    first = await keyed.write("a", b"first")
    read = await keyed.presign_read("a", MINUTE, if_match=first.etag)
    write = await keyed.presign_write("a", MINUTE, if_match=first.etag)
    delete = await keyed.presign_delete("a", MINUTE, if_match=first.etag)
    assert (await send(read)).content == b"first"
    assert (await send(write, b"second")).status == 200
    assert [(await send(request)).status for request in (read, delete)] == [412, 412]
    with pytest.raises(Unsupported):
        await keyed.presign_read("a", MINUTE, if_none_match=first.etag)
    with pytest.raises(Unsupported):
        await keyed.presign_write("a", MINUTE, if_match="*")


async def test_a_generation_is_in_the_url(config, server):
    op = Operator(replace(config, token=None, credential=server.credential, bucket=server.versioned_bucket()))
    first = await op.write("a", b"first")
    await op.write("a", b"second")
    assert (await send(await op.presign_read("a", MINUTE, version=first.version))).content == b"first"


async def test_a_changed_url_is_refused(keyed):
    await keyed.write("a", b"content")
    await keyed.write("b", b"content")
    request = await keyed.presign_read("a", MINUTE)
    moved = replace(request, url=request.url.replace("/root/a?", "/root/b?"))
    assert (await send(moved)).status == 403


async def test_without_credentials_reads_are_plain_urls(config):
    op = Operator(replace(config, token=None, skip_signature=True))
    request = await op.presign_read("a", MINUTE)
    assert (request.url, request.expires_at) == (f"{config.endpoint}/{config.bucket}/root/a", None)
    with pytest.raises(Unsupported):
        await op.presign_write("a", MINUTE)
