"""What Azurite does, the emulator of Microsoft, beside what the behaviour suite looks at."""

import json
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from entrepot import (
    AlreadyExists,
    ConditionNotMatch,
    ConfigInvalid,
    DeletionsFailed,
    Operator,
    PermissionDenied,
    Unsupported,
)
from entrepot.services import Azblob
from entrepot.services.azblob.behavior import config_for
from entrepot.signing.azure import AzureAccessToken, AzureAccountKey, Permit, service_sas
from entrepot.testing import AzuriteServer, azurite
from entrepot.testing.servers.request import ask, connection_to

serial = count()


@pytest.fixture
def config(azurite_server: AzuriteServer) -> Azblob:
    return config_for(azurite_server, azurite_server.container, f"azurite-{next(serial)}")


def sas_of(server: AzuriteServer, permissions: str) -> str:
    end = datetime.now(UTC) + timedelta(hours=1)
    key = AzureAccountKey(server.account_name, server.account_key)
    return service_sas(key, f"/{server.container}", Permit(permissions, end, resource="c", is_https_only=False))


async def test_other_ways_to_name_the_account(config: Azblob, azurite_server: AzuriteServer) -> None:
    await Operator(config).write("a", b"1")
    key, name = azurite_server.account_key, azurite_server.account_name
    text = f"AccountName={name};AccountKey={key};BlobEndpoint={azurite_server.endpoint};"
    by_text = Azblob(config.container, config.root, connection_string=text)
    emulator = Azblob(config.container, config.root, use_emulator=True, endpoint=azurite_server.endpoint)
    by_path = Azblob(config.container, config.root, account_key=key, endpoint=azurite_server.endpoint)
    for same in (by_text, emulator, by_path):
        assert await Operator(same).read("a") == b"1"


async def test_a_sas_token_permits_what_it_says(config: Azblob, azurite_server: AzuriteServer) -> None:
    await Operator(config).write("a", b"1")
    given = {"endpoint": azurite_server.endpoint, "root": config.root}
    reader = Operator(Azblob(config.container, sas_token=sas_of(azurite_server, "rl"), **given), resilient=False)
    assert (await reader.read("a"), len(await reader.list("/"))) == (b"1", 2)
    with pytest.raises(PermissionDenied) as caught:
        await reader.write("b", b"1")
    assert (caught.value.context["credentials"], "sig=" in str(caught.value)) == ("configuration", False)
    writer = Operator(Azblob(config.container, sas_token=sas_of(azurite_server, "racwdl"), **given))
    await writer.write("b", bytes(100_000), chunk=30_000)
    await writer.copy("b", "c")
    await writer.delete_many(["a", "b"])
    assert [entry.path for entry in await writer.list("/")] == ["/", "c"]


def token() -> AzureAccessToken:
    """A token that Azurite accepts, which looks at everything in it but its signature."""
    now = int(time.time())
    times = {"iat": now, "nbf": now - 10, "exp": now + 3600}
    claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/an-issuer/", "oid": "o", "tid": "t"}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims | times)]
    return AzureAccessToken(".".join([*parts, "c2ln"]), datetime.now(UTC) + timedelta(hours=1))


async def test_tokens_and_what_they_presign(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with azurite(tmp_path, certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem") as server:
        trusting = {"endpoint": server.endpoint, "ca_file": str(tmp_path / "ca.pem")}
        op = Operator(Azblob(server.container, credentials=token, **trusting), resilient=False)
        for name in ("a", "b", "c"):
            await op.write(name, bytes(1000), chunk=300)
        await op.copy("a", "d")
        await op.delete_many(["a", "b"])
        assert [entry.path for entry in await op.list("/")] == ["/", "c", "d"]
        signed = await op.presign_read("c", 60)
        host = urlsplit(signed.url).netloc
        reply = ask(connection_to(host, is_tls=True), "GET", signed.url.partition(host)[2])
        assert (reply.status, reply.content) == (200, bytes(1000))
        with pytest.raises(PermissionDenied):
            await Operator(Azblob(server.container, bearer_token="nonsense", **trusting), resilient=False).read("c")


async def test_wrong_credentials_and_a_missing_container(config: Azblob, azurite_server: AzuriteServer) -> None:
    wrong = Azblob(config.container, endpoint=config.endpoint, account_name=config.account_name, account_key="d3Jvbmc=")
    for call in ("stat", "read", "list"):
        with pytest.raises(PermissionDenied, match="refuses access"):
            await getattr(Operator(wrong, resilient=False), call)("a/" if call == "list" else "a")
    elsewhere = config_for(azurite_server, "no-such-container", "/")
    for call in ("stat", "read", "exists", "list"):
        with pytest.raises(ConfigInvalid, match="there is no container no-such-container"):
            await getattr(Operator(elsewhere), call)("a/" if call == "list" else "a")
    with pytest.raises(ConfigInvalid, match="there is no container"):
        await Operator(elsewhere).write("a", b"1")
    public = Azblob(config.container, endpoint=config.endpoint, account_name=config.account_name, skip_signature=True)
    with pytest.raises(PermissionDenied):
        await Operator(public, resilient=False).read("a")


async def test_a_leased_blob_is_left_alone(config: Azblob, azurite_server: AzuriteServer) -> None:
    op = Operator(config, resilient=False)
    await op.write("a", b"old")
    leased = f"/{config.container}/{config.root.strip('/')}/a?comp=lease"
    headers = ("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")
    assert azurite_server.send("PUT", leased, b"", *headers).status == 201
    await op.write("b", b"1")
    for change in (
        lambda: op.write("a", b"new"),
        lambda: op.write("a", bytes(9), chunk=3),
        lambda: op.delete("a"),
        lambda: op.copy("b", "a"),
    ):
        with pytest.raises(PermissionDenied, match="leased by another program"):
            await change()
    assert await op.read("a") == b"old"


async def test_snapshots_are_not_lost_unnoticed(config: Azblob, azurite_server: AzuriteServer) -> None:
    op = Operator(config, resilient=False)
    for name in "abc":
        await op.write(name, b"1")
    target = f"/{config.container}/{config.root.strip('/')}/a?comp=snapshot"
    assert azurite_server.send("PUT", target, b"").status == 201
    with pytest.raises(Unsupported, match="set delete_snapshots=True"):
        await op.delete("a")
    with pytest.raises(DeletionsFailed, match="has snapshots"):
        await op.delete_many(["a", "b"])
    assert [entry.path for entry in await op.list("/")] == ["/", "a", "c"]
    await Operator(replace(config, delete_snapshots=True)).delete_many(["a", "c"])
    assert [entry.path for entry in await op.list("/")] == ["/"]


async def test_metadata_of_a_blob_in_blocks(config: Azblob) -> None:
    op = Operator(config)
    tags = {"Project": "x y", "path": "a/b:c-d_e.f=+"}
    headers = {"content_encoding": "gzip", "content_language": "de", "cache_control": "no-store"}
    stored = {"content_type": "text/csv", **headers}
    more = {"user_metadata": {"Some_Key": "v"}, "storage_class": "Cool", **stored}
    await op.write("a", bytes(100_000), chunk=30_000, tags=tags, **more)
    found = await op.stat("a")
    assert {name: getattr(found, name) for name in stored} == stored
    assert (dict(found.user_metadata), found.storage_class) == ({"some_key": "v"}, "Cool")
    assert dict(await op.get_tags("a")) == tags
    [listed] = [entry.metadata for entry in await op.list("/") if entry.path == "a"]
    assert {name: getattr(listed, name) for name in stored} == stored
    assert (listed.etag, dict(listed.user_metadata), listed.storage_class) == (found.etag, {"some_key": "v"}, "Cool")
    await op.set_tags("a", {"b": "c"})
    assert dict(await op.get_tags("a")) == {"b": "c"}
    await op.set_tags("a", {})
    assert dict(await op.get_tags("a")) == {}


async def test_copies_replace_user_metadata_and_tags(config: Azblob, azurite_server: AzuriteServer) -> None:
    op = Operator(config)
    await op.write("a", b"1", content_type="text/csv", user_metadata={"k": "old"}, tags={"t": "old"})
    await op.copy("a", "b", user_metadata={"k": "new"}, tags={"t": "new"})
    assert ((await op.stat("b")).content_type, dict((await op.stat("b")).user_metadata)) == ("text/csv", {"k": "new"})
    assert dict(await op.get_tags("b")) == {"t": "new"}
    await op.copy("a", "a", user_metadata={"k": "in place"})
    assert dict((await op.stat("a")).user_metadata) == {"k": "in place"}
    with pytest.raises(Unsupported, match="empty user_metadata"):
        await op.copy("a", "c", user_metadata={})
    azurite_server.make_container("elsewhere")
    other = Operator(config_for(azurite_server, "elsewhere", config.root))
    await op.copy_to(other, "a", "d")
    assert await other.read("d") == b"1"


async def test_conditions_of_a_write(config: Azblob) -> None:
    op = Operator(config, resilient=False)
    etag = (await op.write("a", b"1")).etag
    assert etag is not None
    with pytest.raises(ConditionNotMatch):
        await op.write("a", b"2", if_none_match=etag)
    await op.write("a", b"3", if_none_match='"0x0"')
    with pytest.raises(AlreadyExists):
        await op.write("a", bytes(9), chunk=3, if_not_exists=True)
    assert await op.read("a") == b"3"


async def test_appends(config: Azblob) -> None:
    op = Operator(config, resilient=False)
    async with op.writer("log", append=True, chunk=1000, content_type="text/x-log") as writer:
        for _ in range(5):
            await writer.write(b"x" * 900)
    assert ((await op.stat("log")).content_length, (await op.stat("log")).content_type) == (4500, "text/x-log")
    await op.write("whole", b"1")
    with pytest.raises(Unsupported, match="appends only to blobs that an append made"):
        await op.write("whole", b"2", append=True)
    with pytest.raises(Unsupported, match="takes no if_match"):
        await op.write("log", b"2", append=True, if_match='"1"')
    with pytest.raises(AlreadyExists):
        await op.write("log", b"2", append=True, if_not_exists=True)
    assert await op.read("whole") == b"1"
