"""What a call of each HTTP service executes, over a transport that answers at once.

    python -m benchmarks.http_services [--services s3,azblob] [--calls] [--time]

Counts the bytecode instructions and the calls of Python functions of one read, write and stat of 4 KiB and of one
listing of 200 names, from the public method down to the transport and back: the signature and the meaning of the
response, and neither a connection nor a server. The counts are the same in each run, so that they show a change of a
hundredth on a busy machine. `--calls` names the functions, by their instructions; `--time` adds the least processor
time of many rounds.

Each answer is as the store's own: the headers that it states, and the content where it has the metadata.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from entrepot import Operator, services
from entrepot.raw import Context
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.http.transport import Header, HttpHeaders

SIZE: Final = 4096
CONTENT: Final = b"x" * SIZE
KEY: Final = "folder/small"
NAMES: Final = tuple(f"{number:03}" for number in range(200))
DATE: Final = "Mon, 30 Nov 2026 10:00:00 GMT"
ISO_DATE: Final = "2026-11-30T10:00:00.000Z"
TYPE: Final = "application/octet-stream"
ENDPOINT: Final = "http://127.0.0.1:9"
ROUNDS: Final = 50
CALLS_OF_ROUND: Final = 100
KEYS: Final = {"access_key_id": "id", "secret_access_key": "key"}
TOKEN: Final = {"token": "token"}
ACCOUNT: Final = {"account_name": "account", "account_key": "a2V5", "endpoint": f"{ENDPOINT}/account"}

Answer = tuple[int, list[Header], bytes]
Answers = Callable[[HttpRequest], Answer]


class _Body(HttpBody):
    """Content that has arrived with its head."""

    __slots__ = ("_left",)

    def __init__(self, content: bytes) -> None:
        self._left = content

    @property
    def is_at_end(self) -> bool:
        return not self._left

    def take_rest(self) -> bytes:
        left, self._left = self._left, b""
        return left

    async def read(self, _: int) -> bytes:
        return self.take_rest()


class Prompt(HttpTransport):
    """Answers at once.

    Arguments:
        answers: the answer to each request.

    Attributes:
        requests: the methods of the requests.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._kept: dict[tuple[str, str], Answer] = {}
        self.requests: list[str] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request.method)
        kind = request.method, request.url
        if kind not in self._kept:  # so that making an answer is no part of a call
            status, headers, content = self._answers(request)
            length = SIZE if request.method == "HEAD" else len(content)
            self._kept[kind] = status, [*headers, ("content-length", str(length))], content
        status, headers, content = self._kept[kind]
        return HttpResponse(status, _copied(headers), _Body(content), request.url)


def _copied(headers: list[Header]) -> HttpHeaders:
    copied = HttpHeaders()
    copied.update(headers)
    return copied


def _s3(request: HttpRequest) -> Answer:
    stated = [("etag", '"9a0364b9e99bb480dd25e1f0284c8555"'), ("last-modified", DATE), ("content-type", TYPE)]
    stated += [("server", "AmazonS3"), ("x-amz-request-id", "1"), ("x-amz-id-2", "2"), ("date", DATE)]
    rows = "".join(
        f"<Contents><Key>folder/{name}</Key><LastModified>{ISO_DATE}</LastModified>"
        f"<ETag>&quot;{name}&quot;</ETag><Size>{SIZE}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for name in NAMES
    )
    page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()
    return 200, stated, _content_of(request, page, is_listing="list-type" in request.url)


def _azblob(request: HttpRequest) -> Answer:
    stated = [("etag", '"0x8DC5A1B2C3D4E5F"'), ("last-modified", DATE), ("content-type", TYPE), ("date", DATE)]
    stated += [("server", "Windows-Azure-Blob/1.0"), ("x-ms-request-id", "1"), ("x-ms-version", "2022-11-02")]
    stated += [("x-ms-blob-type", "BlockBlob"), ("x-ms-creation-time", DATE), ("x-ms-lease-status", "unlocked")]
    stated += [("x-ms-lease-state", "available"), ("x-ms-server-encrypted", "true"), ("content-md5", "bWQ1")]
    rows = "".join(
        f"<Blob><Name>folder/{name}</Name><Properties><Creation-Time>{DATE}</Creation-Time><Last-Modified>{DATE}"
        f"</Last-Modified><Etag>0x{name}</Etag><Content-Length>{SIZE}</Content-Length><Content-Type>{TYPE}"
        "</Content-Type><Content-Encoding /><Content-Language /><Content-MD5>bWQ1</Content-MD5><Cache-Control />"
        "<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><LeaseStatus>unlocked</LeaseStatus>"
        "</Properties><Metadata /></Blob>"
        for name in NAMES
    )
    page = f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker /></EnumerationResults>".encode()
    return (
        201 if request.method == "PUT" else 200,
        stated,
        _content_of(request, page, is_listing="comp=list" in request.url),
    )


def _azdls(request: HttpRequest) -> Answer:
    stated = [("etag", '"0x8DC5A1B2C3D4E5F"'), ("last-modified", DATE), ("content-type", TYPE), ("date", DATE)]
    stated += [("x-ms-request-id", "1"), ("x-ms-version", "2022-11-02"), ("x-ms-resource-type", "file")]
    stated += [("x-ms-properties", ""), ("x-ms-lease-status", "unlocked"), ("x-ms-lease-state", "available")]
    paths = [
        {"name": f"folder/{name}", "contentLength": str(SIZE), "etag": f"0x{name}", "lastModified": DATE}
        for name in NAMES
    ]
    page = json.dumps({"paths": paths}).encode()
    status = {"PUT": 201, "PATCH": 202}.get(request.method, 200)
    return status, stated, _content_of(request, page, is_listing="resource=filesystem" in request.url)


def _gcs(request: HttpRequest) -> Answer:
    resource = {
        "name": KEY,
        "size": str(SIZE),
        "etag": "CPf8yq",
        "updated": ISO_DATE,
        "generation": "1700000000000000",
        "metageneration": "1",
        "crc32c": "pGqyHw==",
        "md5Hash": "bWQ1",
        "contentType": TYPE,
        "storageClass": "STANDARD",
    }
    if "alt=media" in request.url:
        stated = [("etag", "CPf8yq"), ("last-modified", DATE), ("content-type", TYPE), ("date", DATE)]
        stated += [("x-goog-generation", "1700000000000000"), ("x-goog-metageneration", "1")]
        stated += [("x-goog-hash", "crc32c=pGqyHw==,md5=bWQ1"), ("x-goog-storage-class", "STANDARD")]
        stated += [("x-goog-stored-content-encoding", "identity"), ("server", "UploadServer")]
        return 200, stated, CONTENT
    listed = {"items": [resource | {"name": f"folder/{name}"} for name in NAMES]}
    is_listing = "fields=" in request.url
    content = json.dumps(listed if is_listing else resource).encode()
    return 200, [("content-type", "application/json"), ("date", DATE), ("etag", "CPf8yq")], content


def _webdav(request: HttpRequest) -> Answer:
    stated = [("etag", '"1-2-3"'), ("last-modified", DATE), ("content-type", TYPE), ("date", DATE)]
    if request.method == "PROPFIND":
        is_listing = ("Depth", "1") in request.headers
        names = ["", *NAMES] if is_listing else ["small"]
        rows = "".join(_resource(f"/folder/{name}") for name in names)
        page = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{rows}</D:multistatus>'.encode()
        return 207, [("content-type", "application/xml"), ("date", DATE)], page
    return {"GET": 200, "PUT": 201, "MOVE": 204}[request.method], stated, _content_of(request, b"", is_listing=False)


def _resource(path: str) -> str:
    kind = "<D:collection/>" if path.endswith("/") else ""
    return (
        f"<D:response><D:href>{path}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>"
        f"<D:getcontentlength>{SIZE}</D:getcontentlength><D:getlastmodified>{DATE}</D:getlastmodified>"
        f'<D:getetag>"1-2-3"</D:getetag><D:getcontenttype>{TYPE}</D:getcontenttype></D:prop>'
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )


def _webhdfs(request: HttpRequest) -> Answer:
    status = {"type": "FILE", "length": SIZE, "modificationTime": 1_700_000_000_000, "fileId": 17, "pathSuffix": ""}
    listed = {"FileStatuses": {"FileStatus": [status | {"pathSuffix": name} for name in NAMES]}}
    contents = {
        "GETFILESTATUS": {"FileStatus": status},
        "LISTSTATUS": listed,
        "LISTSTATUS_BATCH": {"DirectoryListing": {"partialListing": listed, "remainingEntries": 0}},
        "CREATE": {"Location": f"{ENDPOINT}/datanode?op=STORE"},
        "RENAME": {"boolean": True},
    }
    operation = request.url.partition("op=")[2].partition("&")[0]
    if operation == "OPEN":
        return 200, [("content-type", TYPE)], CONTENT
    if operation == "STORE":
        return 201, [], b""
    return 200, [("content-type", "application/json")], json.dumps(contents[operation]).encode()


def _hf(request: HttpRequest) -> Answer:
    entry = {"type": "file", "oid": "0" * 40, "size": SIZE, "path": KEY}
    entry["lastCommit"] = {"id": "1" * 40, "title": "a commit", "date": ISO_DATE}
    stated = [("content-type", "application/json"), ("x-repo-commit", "1" * 40), ("etag", '"' + "0" * 40 + '"')]
    if "/tree/" in request.url:
        return 200, stated, json.dumps([entry | {"path": f"folder/{name}"} for name in NAMES]).encode()
    if "/paths-info/" in request.url:
        return 200, stated, json.dumps([entry]).encode()
    if "/preupload/" in request.url:
        return 200, stated, json.dumps({"files": [{"path": KEY, "uploadMode": "regular"}]}).encode()
    if "/commit/" in request.url:
        return 200, stated, json.dumps({"commitOid": "2" * 40, "success": True}).encode()
    return 200, stated, CONTENT


def _http(request: HttpRequest) -> Answer:
    stated = [("etag", '"5f-1000"'), ("last-modified", DATE), ("content-type", TYPE), ("date", DATE)]
    return 200, [*stated, ("server", "nginx"), ("accept-ranges", "bytes")], _content_of(request, b"", is_listing=False)


def _content_of(request: HttpRequest, page: bytes, *, is_listing: bool) -> bytes:
    if request.method != "GET":
        return b""
    return page if is_listing else CONTENT


@dataclass(frozen=True, slots=True)
class Service:
    """A service over a transport that answers at once.

    Arguments:
        config: makes its configuration.
        answers: what its store answers.
        lacks: the calls that it does not have.
    """

    config: Callable[[], Any]
    answers: Answers
    lacks: frozenset[str] = field(default=frozenset())


SERVICES: Final = {
    "s3": Service(lambda: services.S3(bucket="b", region="r", endpoint=ENDPOINT, **KEYS), _s3),
    "azblob": Service(lambda: services.Azblob(container="box", **ACCOUNT), _azblob),
    "azdls": Service(lambda: services.Azdls(filesystem="box", **ACCOUNT), _azdls),
    "gcs": Service(lambda: services.Gcs(bucket="bucket", endpoint=ENDPOINT, **TOKEN), _gcs),
    "webdav": Service(lambda: services.Webdav(endpoint=ENDPOINT, **TOKEN), _webdav),
    "webhdfs": Service(lambda: services.Webhdfs(endpoint=ENDPOINT), _webhdfs),
    "hf": Service(lambda: services.Hf(repo_id="owner/name", endpoint=ENDPOINT, **TOKEN), _hf),
    "http": Service(lambda: services.Http(endpoint=ENDPOINT, **TOKEN), _http, frozenset({"write", "list"})),
}


def calls_of(operator: Operator, lacks: frozenset[str]) -> dict[str, Callable[[], Awaitable[object]]]:
    """The calls that are measured, by name."""

    async def listed() -> int:
        return len([entry async for entry in operator.lister("folder/")])

    every: dict[str, Callable[[], Awaitable[object]]] = {
        "read": lambda: operator.read(KEY),
        "write": lambda: operator.write(KEY, CONTENT),
        "stat": lambda: operator.stat(KEY),
        "list": listed,
    }
    return {name: call for name, call in every.items() if name not in lacks}


@dataclass(slots=True)
class Executed:
    """What a call executes: instructions and calls, by the name of the function."""

    instructions: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def trace(self, frame: Any, event: str, _: object) -> Any:
        """The function for `sys.settrace`. The transport does not count."""
        code = frame.f_code
        if code.co_filename == __file__:
            return None
        name = f"{code.co_filename.rpartition('entrepot/')[2]}:{code.co_qualname}"
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self.calls[name] += 1
        elif event == "opcode":
            self.instructions[name] += 1
        return self.trace


async def executed_by(call: Callable[[], Awaitable[object]]) -> Executed:
    """Counts what a call executes once everything is imported and kept that is kept."""
    for _ in range(3):
        await call()
    executed, before = Executed(), sys.gettrace()
    # Python 3.12 traces bytecodes only if a frame wanted that before `settrace`.
    sys._getframe().f_trace_opcodes = True  # noqa: SLF001
    sys.settrace(executed.trace)
    try:
        await call()
    finally:
        sys.settrace(before)
    return executed


async def least_time(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """The least processor time of a call in seconds, over many short rounds."""
    least = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            await call()
        least = min(least, (time.process_time() - start) / calls)
    return least


async def measured(name: str, *, with_calls: bool, with_time: bool) -> list[str]:
    """The figures of a service, as lines."""
    service = SERVICES[name]
    prompt = Prompt(service.answers)
    operator = Operator(service.config(), context=Context(http=prompt))
    lines = []
    for verb, call in calls_of(operator, service.lacks).items():
        timed = f" | {await least_time(call, _calls_of(verb)) * 1e6:.1f}" if with_time else ""
        executed = await executed_by(call)
        prompt.requests.clear()
        await call()
        requests = " ".join(prompt.requests)
        counts = f"{executed.instructions.total():,} in {executed.calls.total():,}"
        lines.append(f"| {name} | {verb} | {counts} | {requests}{timed} |")
        if with_calls:
            lines += list(_by_function(executed))
    return lines


def _calls_of(verb: str) -> int:
    return CALLS_OF_ROUND // 50 if verb == "list" else CALLS_OF_ROUND


def _by_function(executed: Executed) -> Iterator[str]:
    for function, count in executed.instructions.most_common():
        yield f"    {count:6,} in {executed.calls[function]:4,}  {function}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=_chosen, default=list(SERVICES), help="their names, with commas")
    parser.add_argument("--calls", action="store_true", help="name the functions, by their instructions")
    parser.add_argument("--time", action="store_true", help="add the least time of a call")
    arguments = parser.parse_args()
    print(f"| Service | Call | Instructions, calls | Requests |{' us |' if arguments.time else ''}")
    for name in arguments.services:
        for line in asyncio.run(measured(name, with_calls=arguments.calls, with_time=arguments.time)):
            print(line, flush=True)


def _chosen(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SERVICES):
        raise argparse.ArgumentTypeError(f"there is no service {unknown.pop()}; there are {', '.join(SERVICES)}")
    return names


if __name__ == "__main__":
    main()
