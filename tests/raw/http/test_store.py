"""`HttpStore` works for a store that has nothing in common with S3: a made-up dialect against a server on loopback."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from entrepot import (
    AlreadyExists,
    BytesRange,
    Capability,
    ConditionNotMatch,
    ConfigInvalid,
    EntryMode,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.raw import AccessorInfo, Context, OpDelete, OpList, OpRead, OpStat, OpWrite, ServiceConfig
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.error_table import ErrorTable, with_facts
from entrepot.raw.http.errors import Meaning
from entrepot.raw.http.headers import conditional_headers
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.store import HttpStore
from entrepot.raw.http.stored_headers import StoredHeaders, write_conditions
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import check_key, encode_key, encode_query
from entrepot.raw.oio import Page
from entrepot.types import Entry, Metadata

PAGE = 2
STORED = StoredHeaders("x-plain-")
ERRORS = ErrorTable({"full": Meaning(StorageFull, "the plain store is full")}, {418: Meaning(NotFound, "a teapot")})
CAPABILITY = Capability(
    stat=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    write=True,
    write_can_empty=True,
    write_with_content_type=True,
    write_with_user_metadata=True,
    write_with_if_not_exists=True,
    write_with_if_match=True,
    delete=True,
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    presign=True,
    presign_read=True,
    shared=True,
)


class PlainDialect(Dialect):
    """The dialect of the server below: an object is a URL, and a page of keys is JSON."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def get(self, key: str, args: OpRead) -> HttpRequest:
        stated = range_header(args.range)
        ranged = [] if stated is None else [("Range", stated)]
        return self.on_object("GET", key, [*ranged, *conditional_headers(args)])

    def head(self, key: str, args: OpStat) -> HttpRequest:
        return self.on_object("HEAD", key, conditional_headers(args))

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        return self.on_object("PUT", key, [*STORED.to_store(args), *write_conditions(args)], content)

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        return self.on_object("DELETE", key)

    def listing(self, root: str, path: str, args: OpList) -> "PlainListing":
        return PlainListing(self.origin, root, path)

    def describe(self, headers: HttpHeaders, **overrides) -> Metadata:
        return super().describe(headers, user_metadata=STORED.user_metadata(headers), **overrides)

    def error(self, status, headers, content, args=None):
        error = ERRORS.by_code(headers.get("x-code")) or ERRORS.by_status(status, headers)
        return with_facts(error, headers, status=status)

    def on_object(self, method, key, headers=(), body=None) -> HttpRequest:
        check_key(key, 100)
        return HttpRequest(
            method, f"{self.origin}/{encode_key(key)}", [("Host", urlsplit(self.origin).netloc), *headers], body
        )


class PlainListing:
    def __init__(self, origin: str, root: str, path: str) -> None:
        self.origin, self.root, self.prefix = origin, root[1:], (root + path.lstrip("/"))[1:]

    def request(self, token: str | None) -> HttpRequest:
        query = [("list", None), ("prefix", self.prefix), *([("after", token)] if token else [])]
        return HttpRequest("GET", f"{self.origin}/{encode_query(query)}")

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        keys = json.loads(content)
        entries = [Entry(key.removeprefix(self.root), Metadata(mode=EntryMode.FILE)) for key in keys[:PAGE]]
        return Page(entries, keys[PAGE - 1] if len(keys) > PAGE else None)


class TokenSigner(RequestSigner):
    is_anonymous = False

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return request.with_headers([*request.headers, ("Authorization", "Bearer t")])


class Plain(ServiceConfig):
    SCHEME = "plain"

    def __init__(self, origin: str, signer: RequestSigner) -> None:
        self.origin, self.signer = origin, signer

    def build(self, context: Context) -> HttpStore[PlainDialect]:
        client = HttpClient(PlainDialect(self.origin), self.signer, context.http, context.runtime)
        return HttpStore(AccessorInfo("plain", "/root/", native_capability=CAPABILITY), client)


class Handler(BaseHTTPRequestHandler):
    """A table of objects, by key."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def dispatch(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url, table = urlsplit(self.path), self.server.table
        key = unquote(url.path[1:])
        if self.headers.get("Authorization") != "Bearer t":
            self.send(401)
        elif not key and table is None:
            self.send(404)
        elif not key:
            query = parse_qs(url.query)
            prefix, after = query["prefix"][0], query.get("after", [""])[0]
            keys = sorted(name for name in table if name.startswith(prefix) and name > after)
            self.send(200, json.dumps(keys[: PAGE + 1]).encode())
        elif self.command == "PUT":
            self.put(table, key, body)
        elif key not in table:
            self.send(404)
        elif self.command == "DELETE":
            del table[key]
            self.send(204)
        else:
            self.show(*table[key])

    do_GET = do_HEAD = do_PUT = do_DELETE = dispatch

    def put(self, table, key: str, body: bytes) -> None:
        if len(body) > 100:
            self.send(500, X_Code="full")
        elif key in table and self.headers.get("If-None-Match") == "*":
            self.send(412)
        elif key not in table and self.headers.get("If-Match"):
            self.send(404)
        else:
            names = [name for name in self.headers if name == "Content-Type" or name.startswith("x-plain-")]
            table[key] = body, {name: self.headers[name] for name in names}
            self.send(201, ETag=f'"{len(body)}"')

    def show(self, content: bytes, headers: dict[str, str]) -> None:
        start, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        etag = f'"{len(content)}"'
        if not start:
            self.send(200, content, ETag=etag, **headers)
        elif int(start) >= len(content):
            self.send(416)
        else:
            part = content[int(start) : int(last) + 1 if last else None]
            end = int(start) + len(part) - 1
            self.send(206, part, Content_Range=f"bytes {start}-{end}/{len(content)}", ETag=etag, **headers)


@pytest.fixture
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.table = True, {}
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def op(origin: str):
    async with Operator(Plain(origin, TokenSigner()), resilient=False) as op:
        yield op


async def test_an_object_is_written_described_read_and_deleted(op: Operator) -> None:
    written = await op.write("a b/é", b"0123456789", content_type="text/x", user_metadata={"K": "v"})
    assert (written.content_length, written.etag) == (10, '"10"')
    metadata = await op.stat("a b/é")
    assert (metadata.content_length, metadata.content_type, metadata.user_metadata) == (10, "text/x", {"k": "v"})
    assert await op.read("a b/é") == b"0123456789"
    await op.delete("a b/é")
    with pytest.raises(NotFound) as caught:
        await op.read("a b/é")
    assert (caught.value.path, caught.value.context["status"]) == ("a b/é", 404)
    await op.delete("a b/é")


async def test_ranges_are_read_and_sizes_looked_up_where_a_refusal_does_not_state_them(op: Operator) -> None:
    await op.write("k", b"0123456789")
    assert await op.read("k", range=(2, 5)) == b"234"
    assert await op.read("k", range=BytesRange(suffix=3)) == b"789"
    assert await op.read("k", range=(10, 12)) == b""
    with pytest.raises(RangeNotSatisfied, match="size 10"):
        await op.read("k", range=(11, 12))
    reader = await op.reader("k")
    await reader.seek(4)
    assert await reader.read(2) == b"45"
    await reader.aclose()


async def test_conditions_are_typed_errors(op: Operator) -> None:
    await op.write("k", b"a", if_not_exists=True)
    with pytest.raises(AlreadyExists):
        await op.write("k", b"b", if_not_exists=True)
    with pytest.raises(ConditionNotMatch):
        await op.write("other", b"b", if_match='"1"')
    with pytest.raises(ConditionNotMatch):
        await op.read("k", if_match='"other"')


async def test_pages_are_listed_and_many_are_deleted(op: Operator) -> None:
    for name in ("d/1", "d/2", "d/e/3", "d/4", "other"):
        await op.write(name, b"")
    assert [entry.path for entry in await op.list("d/", recursive=True)] == ["d/", "d/1", "d/2", "d/4", "d/e/3"]
    await op.delete_many(["d/1", "d/2", "missing"])
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "d/4", "d/e/3", "other"]


async def test_what_is_not_found_by_a_listing_is_the_bucket_and_no_object() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.table = True, None
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        async with Operator(Plain(f"http://127.0.0.1:{server.server_port}", TokenSigner()), resilient=False) as op:
            for call in (op.list("/"), op.check(), op.delete("d/", recursive=True)):
                with pytest.raises(ConfigInvalid, match="check the endpoint, and the name of the bucket") as caught:
                    await call
                assert caught.value.context["status"] == 404
        server.shutdown()


async def test_errors_come_from_the_table_and_keys_are_bounded(op: Operator) -> None:
    with pytest.raises(StorageFull, match="plain store"):
        await op.write("k", bytes(101))
    with pytest.raises(InvalidInput, match="1 to 100 bytes"):
        await op.stat("k" * 101)
    with pytest.raises(Unsupported):
        await op.copy("a", "b")
    assert ERRORS.by_code(None) is None
    assert isinstance(ERRORS.by_status(418, HttpHeaders()), NotFound)
    assert isinstance(ERRORS.by_status(302, HttpHeaders()), Unexpected)


async def test_a_store_without_a_signer_is_anonymous(origin: str) -> None:
    async with Operator(Plain(origin, RequestSigner()), resilient=False) as op:
        with pytest.raises(PermissionDenied):
            await op.stat("k")
        presigned = await op.presign_read("a b", expires=timedelta(hours=1))
    assert (presigned.method, presigned.url, presigned.headers) == ("GET", f"{origin}/root/a%20b", {})


def test_what_a_dialect_leaves_out_is_unsupported() -> None:
    dialect = Dialect()
    for args in (OpRead(), OpStat(), OpWrite(), OpDelete()):
        with pytest.raises(Unsupported):
            dialect.request("k", args)
    with pytest.raises(Unsupported):
        dialect.listing("/", "", OpList())
    assert dialect.refused_size(b"10") is None
    assert isinstance(dialect.error(404, HttpHeaders(), b""), NotFound)
