"""Directory buckets: sessions, what is signed with them, and what such buckets do and do not have."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from entrepot import ConditionNotMatch, ConfigInvalid, NotFound, Operator, PermissionDenied, Unsupported
from entrepot.layers import ReadOnlyLayer
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.services.s3.location.address import Settings, address_of
from entrepot.testing.transport import MockTransport, reply

BUCKET = "data--use1-az4--x-s3"
HOST = f"{BUCKET}.s3express-use1-az4.us-east-1.amazonaws.com"
URL = f"https://{HOST}"
SECRETS = {"AKIDACCOUNT": "account-secret"}
CONFIG = S3(
    bucket=BUCKET,
    root="/root",
    region="us-east-1",
    access_key_id="AKIDACCOUNT",
    secret_access_key=SECRETS["AKIDACCOUNT"],
    disable_config_load=True,
)


class DirectoryBucket:
    """A directory bucket that checks each signature with botocore, and that a session signed it."""

    def __init__(self, life: timedelta = timedelta(minutes=5)) -> None:
        self.life = life
        self.objects: dict[str, bytes] = {}
        self.sessions: dict[str, tuple[str, str]] = {}
        self.modes: list[str] = []
        self.refused: set[str] = set()
        self.requests: list[str] = []
        self._numbers = count(1)
        self.transport = MockTransport(self.answer)

    def answer(self, request: HttpRequest) -> HttpResponse:
        headers = {name.lower(): value for name, value in request.headers}
        url = urlsplit(request.url)
        assert f"{url.scheme}://{url.netloc}" == URL
        key_id = self._signed_by(request, headers)
        if url.query.startswith("session"):
            assert key_id == "AKIDACCOUNT"
            return self._start(headers["x-amz-create-session-mode"])
        self.requests.append(f"{request.method} {unquote(url.path)}")
        if "x-amz-copy-source" in headers:
            assert key_id == "AKIDACCOUNT"
            return self._copy(headers["x-amz-copy-source"], unquote(url.path))
        _, token = self.sessions[key_id]
        assert headers["x-amz-s3session-token"] == token
        assert "x-amz-security-token" not in headers
        if key_id in self.refused:
            return _failure(403, "ExpiredToken")
        return self._on_object(request, headers, unquote(url.path), url.query)

    def _signed_by(self, request: HttpRequest, headers: dict[str, str]) -> str:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/\d{8}/us-east-1/s3express/aws4_request, SignedHeaders=(\S+), "
            r"Signature=([0-9a-f]{64})",
            headers["authorization"],
        )
        assert found is not None
        secret = SECRETS.get(found[1]) or self.sessions[found[1]][0]
        signed = {name: headers[name] for name in found[2].split(";")}
        theirs = AWSRequest(request.method, request.url, signed, request.body or b"")
        theirs.context["timestamp"] = headers["x-amz-date"]
        auth = S3SigV4Auth(BotocoreCredentials(found[1], secret), "s3express", "us-east-1")
        canonical = auth.canonical_request(theirs)
        assert auth.signature(auth.string_to_sign(theirs, canonical), theirs) == found[3]
        return found[1]

    def _start(self, mode: str) -> HttpResponse:
        self.modes.append(mode)
        number = next(self._numbers)
        key_id, secret, token = f"SESSION{number}", f"secret{number}", f"token{number}" * 40
        self.sessions[key_id] = secret, token
        expires = (datetime.now(UTC) + self.life).strftime("%Y-%m-%dT%H:%M:%SZ")
        return reply(
            200,
            f"<CreateSessionResult><Credentials><SessionToken>{token}</SessionToken><SecretAccessKey>{secret}"
            f"</SecretAccessKey><AccessKeyId>{key_id}</AccessKeyId><Expiration>{expires}</Expiration></Credentials>"
            "</CreateSessionResult>".encode(),
        )

    def _copy(self, source: str, target: str) -> HttpResponse:
        self.objects[target] = self.objects[unquote(source).removeprefix(f"/{BUCKET}")]
        return reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")

    def _on_object(self, request: HttpRequest, headers: dict[str, str], key: str, query: str) -> HttpResponse:
        if query.startswith("list-type"):
            return self._list(query)
        if query == "delete":
            assert "content-md5" not in headers
            assert "x-amz-checksum-crc32" in headers
            assert isinstance(request.body, bytes)
            for name in re.findall(rb"<Key>([^<]*)</Key>", request.body):
                del self.objects[f"/{name.decode()}"]
            return reply(200, b"<DeleteResult></DeleteResult>")
        if query == "renameObject":
            if headers.get("if-none-match") == "*" and key in self.objects:
                return _failure(412, "PreconditionFailed")
            self.objects[key] = self.objects.pop(unquote(headers["x-amz-rename-source"]).removeprefix(f"/{BUCKET}"))
            return reply(200)
        if request.method == "PUT":
            old = self.objects.get(key, b"")
            if (offset := headers.get("x-amz-write-offset-bytes")) is not None and int(offset) != len(old):
                return _failure(400, "InvalidWriteOffset")
            assert isinstance(request.body, bytes)
            self.objects[key] = (b"" if offset is None else old) + request.body
            return reply(200, headers=[("etag", '"e"')])
        if key not in self.objects:
            return reply(404) if request.method == "HEAD" else _failure(404, "NoSuchKey")
        content = self.objects[key]
        described = [("etag", '"e"'), ("content-length", str(len(content)))]
        return reply(200, b"" if request.method == "HEAD" else content, described)

    def _list(self, query: str) -> HttpResponse:
        asked = dict(item.partition("=")[::2] for item in query.split("&"))
        prefix = unquote(asked.get("prefix", ""))
        assert prefix == "" or prefix.endswith("/")
        assert "start-after" not in asked
        keys = [key[1:] for key in reversed(self.objects) if key[1:].startswith(prefix)]
        rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
        return reply(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())


def _failure(status: int, code: str) -> HttpResponse:
    return reply(status, f"<Error><Code>{code}</Code></Error>".encode())


@pytest.fixture
def bucket() -> DirectoryBucket:
    return DirectoryBucket()


@pytest.fixture
async def op(bucket: DirectoryBucket) -> AsyncIterator[Operator]:
    async with Operator(CONFIG, context=Context(http=bucket.transport), resilient=False) as operator:
        yield operator


async def test_one_session_signs_all_requests(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("a", b"content")
    assert await op.read("a") == b"content"
    assert (await op.stat("a")).content_length == 7
    assert bucket.modes == ["ReadWrite"]


async def test_a_session_that_is_about_to_expire_is_renewed(bucket: DirectoryBucket) -> None:
    bucket.life = timedelta(seconds=-1)
    op = Operator(CONFIG, context=Context(http=bucket.transport), resilient=False)
    await op.write("a", b"content")
    bucket.life = timedelta(minutes=5)
    bucket.refused = set(bucket.sessions)
    assert await op.read("a") == b"content"
    assert len(bucket.sessions) == 2


async def test_a_refused_session_is_replaced_once(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("a", b"content")
    bucket.refused = set(bucket.sessions)
    assert await op.read("a") == b"content"
    assert len(bucket.sessions) == 2
    assert len(bucket.requests) == 3  # with the old session, and with the new one


async def test_a_refusal_that_stays_is_an_error_without_secrets(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("a", b"content")
    bucket.refused = {f"SESSION{number}" for number in range(9)}
    with pytest.raises(PermissionDenied) as caught:
        await op.read("a")
    assert "session of the directory bucket" in str(caught.value)
    assert len(bucket.requests) == 3  # the write, and twice the read
    assert not [secret for secret, token in bucket.sessions.values() if secret in str(caught.value)]


async def test_copies_are_signed_with_the_credentials_of_the_account(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("a", b"content")
    await op.copy("a", "b c")
    assert await op.read("b c") == b"content"


async def test_data_is_appended_at_the_end_of_the_object(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("log", b"one", append=True)
    written = await op.write("log", b" two", append=True)
    assert written.content_length == 7
    assert await op.read("log") == b"one two"
    async with op.writer("log", append=True, chunk=2) as writer:
        await writer.write(b" three")
    assert await op.read("log") == b"one two three"


async def test_an_object_is_renamed(op: Operator, bucket: DirectoryBucket) -> None:
    await op.write("a b", b"1")
    await op.write("c", b"2")
    with pytest.raises(ConditionNotMatch):
        await op.rename("a b", "c", if_not_exists=True)
    await op.rename("a b", "c")
    assert await op.read("c") == b"1"
    with pytest.raises(NotFound):
        await op.read("a b")


async def test_many_objects_are_deleted_without_md5(op: Operator, bucket: DirectoryBucket) -> None:
    for path in "abc":
        await op.write(path, b"x")
    await op.delete_many(["a", "b"])
    assert list(bucket.objects) == ["/root/c"]


async def test_only_directories_are_listed_in_any_order(op: Operator, bucket: DirectoryBucket) -> None:
    for path in ("d/a1", "d/a2", "d/b", "e"):
        await op.write(path, b"x")
    assert {entry.path for entry in await op.list("d/a", recursive=True)} == {"d/a1", "d/a2"}
    assert {entry.path for entry in await op.list("d/", recursive=True)} >= {"d/a1", "d/a2", "d/b"}
    with pytest.raises(Unsupported):
        await op.list("d/", start_after="d/a1")


async def test_a_read_only_operator_starts_sessions_that_only_read(bucket: DirectoryBucket) -> None:
    bucket.objects["/root/a"] = b"content"
    op = Operator(CONFIG, context=Context(http=bucket.transport)).layer(ReadOnlyLayer())
    assert await op.read("a") == b"content"
    assert bucket.modes == ["ReadOnly"]


async def test_what_directory_buckets_lack_is_refused_before_any_io(op: Operator, bucket: DirectoryBucket) -> None:
    for call in (
        op.presign_read("a", 60),
        op.presign_post("a", 60),
        op.read("a", version="v"),
        op.write("a", b"", acl="private"),
        op.get_tags("a"),
        op.list("/", versions=True),
    ):
        with pytest.raises(Unsupported):
            await call
    assert bucket.sessions == {}


async def test_a_session_without_credentials_is_an_error(bucket: DirectoryBucket) -> None:
    transport = MockTransport(lambda _: reply(200, b"<CreateSessionResult></CreateSessionResult>"))
    op = Operator(CONFIG, context=Context(http=transport), resilient=False)
    with pytest.raises(OSError, match="without stating its credentials"):
        await op.read("a")


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        (Settings(region="us-east-1"), HOST),
        (Settings(region="us-east-1", fips=True), f"{BUCKET}.s3express-fips-use1-az4.us-east-1.amazonaws.com"),
        (
            Settings(region="us-east-1", dualstack=True),
            f"{BUCKET}.s3express-use1-az4.dualstack.us-east-1.amazonaws.com",
        ),
    ],
)
def test_a_directory_bucket_is_at_the_endpoint_of_its_zone(settings: Settings, host: str) -> None:
    assert address_of(BUCKET, settings).url == f"https://{host}"


@pytest.mark.parametrize("settings", [Settings(virtual_host=False), Settings(accelerate=True)])
def test_settings_that_a_directory_bucket_cannot_have_are_refused(settings: Settings) -> None:
    with pytest.raises(ConfigInvalid, match="directory bucket"):
        address_of(BUCKET, settings)


async def test_the_region_of_a_directory_bucket_must_be_set() -> None:
    op = Operator(
        S3(bucket=BUCKET, access_key_id="a", secret_access_key="s", disable_config_load=True),
        context=Context(http=MockTransport(lambda _: reply(500))),
    )
    with pytest.raises(ConfigInvalid, match="set region"):
        await op.read("a")
