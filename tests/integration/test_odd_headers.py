"""Headers whose bytes are not UTF-8, over the wire: texts can be printed, and etags go back as they came."""

import asyncio

import pytest

from entrepot import Operator
from entrepot.services import S3, Http
from entrepot.testing.scripted_server import Answer, ReceivedRequest, ScriptedServer

CONTENT = b"0123456789abcdefghij"
ETAGS = [b'"caf\xe9"', '"caf\u00e9"'.encode(), b'"\x80\xff"', b'"\xc3\xa9\xe9"']
TEXTS = [(b"caf\xe9", "caf\u00e9"), ("caf\u00e9 \u2713".encode(), "caf\u00e9 \u2713"), (b"\xff\xfe", "\u00ff\u00fe")]


def http(server: ScriptedServer) -> Operator:
    return Operator(Http(server.endpoint))


def s3(server: ScriptedServer) -> Operator:
    keys = {"access_key_id": "k", "secret_access_key": "s"}
    return Operator(S3("b", endpoint=server.endpoint, region="r", **keys))


class Store:
    """Gives a range of its content, if If-Match names its etag to the byte."""

    def __init__(self, *headers: bytes, etag: bytes = b'"1"') -> None:
        self._headers = (*headers, b"ETag: " + etag)
        self._etag = etag.decode("latin-1")

    def __call__(self, asked: ReceivedRequest) -> Answer:
        if asked.headers.get("if-match", self._etag) != self._etag:
            return [b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"]
        start, end, status = 0, len(CONTENT), b"200 OK"
        headers = list(self._headers)
        if asked.range is not None:
            first, _, last = asked.range.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last or len(CONTENT)) + 1, len(CONTENT)), b"206 Partial Content"
            headers.append(b"Content-Range: bytes %d-%d/%d" % (start, end - 1, len(CONTENT)))
        lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % (end - start), *headers, b"", b""]
        return [b"\r\n".join(lines), b"" if asked.method == "HEAD" else CONTENT[start:end]]


@pytest.mark.parametrize("operator", [http, s3])
@pytest.mark.parametrize("etag", ETAGS)
def test_an_etag_goes_back_with_the_bytes_that_it_came_with(operator, etag: bytes) -> None:
    async def run() -> tuple[bytes, str]:
        op = operator(server)
        found = (await op.stat("a")).etag
        return await op.read("a", chunk=5, concurrent=2), found

    with ScriptedServer(Store(etag=etag)) as server:
        content, found = asyncio.run(run())
    assert content == CONTENT
    assert found.encode("latin-1") == etag
    pinned = [asked.headers["if-match"] for asked in server.requests if "if-match" in asked.headers]
    assert len(pinned) > 1
    assert set(pinned) == {etag.decode("latin-1")}


@pytest.mark.parametrize("operator", [http, s3])
@pytest.mark.parametrize(("sent", "text"), TEXTS)
def test_a_text_of_a_header_is_utf8_or_else_latin1(operator, sent: bytes, text: str) -> None:
    names = [b"Content-Type", b"Content-Disposition", b"Content-Encoding", b"Cache-Control", b"Content-MD5"]
    with ScriptedServer(Store(*(name + b": " + sent for name in names))) as server:
        found = asyncio.run(operator(server).stat("a"))
    texts = {found.content_type, found.content_disposition, found.content_encoding, found.cache_control}
    assert texts | {found.content_md5} == {text}


@pytest.mark.parametrize(("sent", "text"), TEXTS)
def test_user_metadata_and_versions_are_texts_too(sent: bytes, text: str) -> None:
    headers = [b"x-amz-meta-name: " + sent, b"x-amz-version-id: " + sent]
    with ScriptedServer(Store(*headers)) as server:
        found = asyncio.run(s3(server).stat("a"))
    assert found.user_metadata == {"name": text}
    assert found.version == text


def test_an_encoded_word_of_user_metadata_is_decoded() -> None:
    """RFC 2047, as Amazon sends metadata that is not ASCII."""
    with ScriptedServer(Store(b"x-amz-meta-name: =?UTF-8?Q?caf=C3=A9?=")) as server:
        found = asyncio.run(s3(server).stat("a"))
    assert found.user_metadata == {"name": "café"}
