"""`entrepot serve`: what it answers, what it refuses, and what it leaves behind."""

import asyncio
import base64
import http.client
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from entrepot import Operator
from entrepot.cli.serving.access import Access
from entrepot.cli.serving.listing import PageRequest, load_page, parse_page_request
from entrepot.cli.serving.refusals import Refused
from entrepot.services import Fs, Http
from entrepot.testing import CLOSE, ScriptedServer, cases_for, raw_response, run_case, whole_response
from tests.conftest import s3_config

from .running import COMMAND, environment, run

ODD = """<b onx='1'>&"#?%2F 'ü\u202e.txt"""  # without a slash
HTML, JSON = {"Accept": "text/html"}, {"Accept": "application/json"}
OURS = {"X-Entrepot": "1"}


class Answer(NamedTuple):
    """A response.

    Arguments:
        status: its status.
        headers: its headers, by name in lower case.
        content: its content.
    """

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def record(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


class Served(NamedTuple):
    """A running server.

    Arguments:
        folder: the directory that it serves.
        said: what it said when it started.
        process: the process.
    """

    folder: Path
    said: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.said["url"].rstrip("/").rpartition(":")[2])

    def get(self, target: str, headers: dict[str, str] | None = None, method: str = "GET", body: Any = None) -> Answer:
        """Sends a request as it is: the target is not normalized."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()


@contextmanager
def serving(folder: Path | str, *words: str, said: str = "", **env: str) -> Iterator[Served]:
    """Serves a place. The process ends on Ctrl-C, having said nothing else."""
    command = [*COMMAND, "serve", str(folder), "--port", "0", "--json", *words]
    with subprocess.Popen(
        command, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        try:
            yield Served(Path(folder), json.loads(line), process)
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, said)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    outside = tmp_path_factory.mktemp("serve")
    (outside / "secret").write_text("secret")
    folder = outside / "root"
    for name in ("dir/sub", "empty", "many"):
        (folder / name).mkdir(parents=True)
    (folder / "dir" / ODD).write_text("odd")
    (folder / "text.txt").write_text("0123456789")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "data").write_bytes(b"\0\1")
    (folder / "link").symlink_to(outside / "secret")
    for number in range(25):
        (folder / "many" / f"{number:02}").write_bytes(bytes(99 - number))
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("writable"), "--write", "--max-upload", "1M") as server:
        yield server


RANGES = [
    ({}, 200, b"0123456789"),
    ({"Range": "bytes=2-4"}, 206, b"234"),
    ({"Range": "bytes=-3"}, 206, b"789"),
    ({"Range": "bytes=20-"}, 416, None),
    ({"If-None-Match": "*"}, 304, b""),
    ({"If-Match": '"other"'}, 412, None),
]


@pytest.mark.parametrize(("headers", "status", "content"), RANGES)
def test_objects_have_ranges_and_conditions(served, headers, status, content):
    answer = served.get("/text.txt", headers)
    assert answer.status == status
    assert content is None or answer.content == content
    head = served.get("/text.txt", headers, "HEAD")
    assert (head.content, head.status) == (b"", 200 if status in {206, 416} else status)


ROOMS = {"read_only", "read", "stat", "conditions", "robustness"}
CASES = [
    case
    for case in cases_for(Operator(Http("http://127.0.0.1:1")).info, can_put=True)
    if case.name.partition(".")[0] in ROOMS
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_our_http_service_reads_what_is_served(writable, case):
    async def put(path: str, content: bytes) -> None:
        await Operator(Fs(str(writable.folder))).write(path, content)

    async with Operator(Http(writable.said["url"]), resilient=False) as operator:
        await run_case(case, operator, put)


def test_programs_get_records(served):
    listing = served.get("/dir/", JSON).record
    assert (listing["path"], listing["next"]) == ("dir/", None)
    entries = {entry["name"]: entry for entry in listing["entries"]}
    assert entries["sub"]["type"] == "directory"
    assert served.get(entries[ODD]["url"]).content == b"odd"
    assert served.get("/text.txt?view", JSON).record["size"] == 10
    assert served.get("/nope", JSON).record == {"status": 404, "error": "Not Found"}


def test_large_directories_come_in_pages(served):
    names: list[str] = []
    query = "?limit=10&sort=size"
    while query:
        page = served.get(f"/many/{query}", JSON).record
        names += [entry["name"] for entry in page["entries"]]
        query = page["next"] and f"?limit=10&sort=size&after={page['next']}"
    assert names == [f"{number:02}" for number in reversed(range(25))]
    html = served.get("/many/?limit=10", HTML).content.decode()
    assert html.count("<tr>") == 1 + 1 + 10
    assert 'rel="next"' in html


LINK = re.compile('<a href="([^"]*)">([^<]*)</a>')


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}])
def test_programs_that_read_pages_get_a_link_to_each_object_and_no_other(served, headers):
    index = served.get("/dir/", headers)
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    links = {unescape(name): url for url, name in LINK.findall(index.content.decode())}
    assert links.keys() == {ODD, "sub/"}
    assert links["sub/"] == "/dir/sub/"
    assert served.get(unescape(links[ODD])).content == b"odd"
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    with closing(connection):  # which the answer to HEAD leaves as it should
        for method, content in (("HEAD", b""), ("GET", index.content)):
            connection.request(method, "/dir/", headers=headers)
            assert connection.getresponse().read() == content
    assert LINK.findall(served.get("/empty/", headers).content.decode()) == []
    assert served.get("/nope/", headers).status == 404
    assert b"<table>" in served.get("/many/?limit=10", headers).content  # a page was asked for


def test_the_links_of_a_directory_are_all_of_it(tmp_path):
    names = {f"{number:04}" for number in range(2_500)}
    for name in names:
        (tmp_path / name).touch()
    with serving(tmp_path) as server:
        assert {name for _, name in LINK.findall(server.get("/").content.decode())} == names


async def test_links_that_are_cut_do_not_look_complete():
    """The storage fails after the first 1,000 entries, which were sent already."""
    first = "".join(f"<Contents><Key>{number:04}</Key><Size>1</Size></Contents>" for number in range(1_000))
    listing = (
        f"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{first}"
    )
    page, failure = (
        whole_response(f"{listing}</ListBucketResult>".encode()),
        raw_response("403 Forbidden", "Content-Length: 0"),
    )
    with ScriptedServer(lambda request: [failure if b"continuation" in request.head else page]) as storage:
        options = [f"--option=endpoint={storage.endpoint}", "--option=region=r", "--option=skip_signature=true"]
        step = "check the credentials: -o key=value, the environment, or --profile"
        said = f"entrepot: serve: /: the server refuses ({step})\n"
        with (
            serving("s3://bucket", *options, "--retries", "0", said=said) as server,
            pytest.raises(http.client.IncompleteRead),
        ):
            server.get("/")


@pytest.mark.parametrize("service", ["memory", "fs", "s3"])
@pytest.mark.parametrize(
    ("column", "is_descending"), [("name", False), ("name", True), ("size", True), ("modified", False)]
)
async def test_pages_have_each_entry_once(tmp_path, request, service, column, is_descending):
    if service == "s3":
        operator = Operator(s3_config(request.getfixturevalue("seaweedfs_server")))
    else:
        operator = Operator.from_uri("memory://" if service == "memory" else f"fs://{tmp_path}")
    for name in ("b", "a.txt", "a/x", "c/y", "é", "d"):
        await operator.write(f"top/{name}", name.encode())
    seen, token = [], None
    for _ in range(4):
        wanted = parse_page_request(
            {
                "sort": column,
                "order": "desc" if is_descending else "asc",
                "limit": "2",
                **({"after": token} if token else {}),
            }
        )
        page = await load_page(operator, "top/", wanted)
        seen += page.entries
        if (token := page.next) is None:
            break
    await operator.close()
    assert {entry.path for entry in seen} == {"top/b", "top/a.txt", "top/a/", "top/c/", "top/é", "top/d"}
    assert seen == sorted(seen, key=PageRequest(column).key, reverse=is_descending)


def test_pages_escape_names_and_name_no_other_host(served):
    page = served.get("/dir/", HTML)
    html = page.content.decode()
    assert ODD not in html
    assert "&lt;b onx=&#x27;1&#x27;&gt;&amp;&quot;#?%2F" in html
    assert "//" not in html.replace("<!DOCTYPE", "")
    assert " style=" not in html
    assert "<script>" not in html
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    view = served.get("/page.html?view", HTML).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in view
    assert "no preview" in served.get("/data?view", HTML).content.decode()
    assert 'class="empty"' in served.get("/empty/", HTML).content.decode()
    for asset in ("/-/entrepot.css", "/-/entrepot.js", "/-/entrepot.svg"):
        assert served.get(asset).status == 200
        assert b"://" not in served.get(asset).content.replace(b"http://www.w3.org/2000/svg", b"")


def test_content_that_could_run_is_an_attachment(served):
    for name in ("page.html", "drawing.svg", "data"):
        answer = served.get(f"/{name}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert "content-disposition" not in served.get("/text.txt").headers
    with serving(served.folder, "--trust-content") as trusting:
        answer = trusting.get("/page.html")
        assert (answer.headers["content-type"], "content-disposition" in answer.headers) == (
            "text/html; charset=utf-8",
            False,
        )


ATTACKS = [
    ("/../secret", 400),
    ("/dir/../../secret", 400),
    ("/%2e%2e/secret", 400),
    ("/..%2fsecret", 400),
    ("/..%5csecret", 400),
    ("/dir%2f..%2f..%2fsecret", 400),
    ("/%2fetc%2fpasswd", 400),
    ("//etc/passwd", 404),
    ("/text.txt%00.html", 400),
    ("/text.txt%0d%0aX: y", 400),
    ("/%ff", 400),
    ("/%252e%252e/secret", 404),
    ("/link", 403),
    ("http://evil.example/text.txt", 200),
    ("//evil.example/dir", 404),
    ("/many/?limit=0", 400),
    ("/many/?limit=99999999999999999999", 400),
    ("/many/?sort=secret", 400),
    ("/many/?after=%00", 400),
    ("/many/?after=W10", 400),
]


@pytest.mark.parametrize(("target", "status"), ATTACKS)
def test_attacks_on_paths_lead_nowhere(served, target, status):
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        line = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        client.sendall(line.encode("latin-1"))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"secret" not in content.replace(b"/secret", b"")


def test_a_directory_is_redirected_to_on_this_host(served):
    for target in ("/dir", "/dir?view"):
        answer = served.get(target)
        assert (answer.status, answer.headers["location"]) == (308, "/dir/")


def test_nothing_can_be_changed_unless_that_was_allowed(served):
    for method in ("PUT", "DELETE", "POST", "PATCH", "OPTIONS", "MKCOL", "TRACE"):
        answer = served.get("/text.txt", OURS, method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert (served.folder / "text.txt").exists()


BASIC = base64.b64encode(b"anyone:0123456789abcdef").decode()
HOST = {"Host": "localhost:8080"}
ALLOWED = Access("0123456789abcdef", frozenset({"localhost", "::1"}), is_writable=True)
REQUESTS = [
    ("GET", {"Host": "evil.example", "Authorization": f"Basic {BASIC}"}, 421),
    ("GET", {"Host": "localhost.evil.example"}, 421),
    ("GET", {"Host": "["}, 421),
    ("GET", {}, 421),
    ("GET", HOST, 401),
    ("GET", {**HOST, "Authorization": "Bearer 0123456789abcdeF"}, 401),
    ("GET", {**HOST, "Authorization": "Basic ***"}, 401),
    ("GET", {**HOST, "Authorization": "Bearer \udce9"}, 401),
    ("GET", {**HOST, "Authorization": "Digest 0123456789abcdef"}, 401),
    ("GET", {**HOST, "Authorization": "bearer 0123456789abcdef"}, None),
    ("GET", {"Host": "[::1]:80", "Authorization": f"Basic {BASIC}"}, None),
    ("PUT", {}, 403),
    ("PUT", {"Sec-Fetch-Site": "cross-site", **OURS}, 403),
    ("PUT", {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"}, 403),
    ("PUT", {"Origin": "http://localhost:9090"}, 403),
    ("PUT", {"Origin": "null", **OURS}, 403),
    ("PUT", {"Origin": "http://localhost:8080"}, None),
    ("DELETE", {"Sec-Fetch-Site": "same-origin"}, None),
    ("DELETE", OURS, None),
    ("POST", OURS, 405),
]


@pytest.mark.parametrize(("method", "headers", "status"), REQUESTS)
def test_requests_are_allowed_or_refused(method, headers, status):
    if method != "GET":
        headers = {**HOST, "Authorization": f"Basic {BASIC}", **headers}
    if status is None:
        ALLOWED.check(method, headers)
    else:
        with pytest.raises(Refused) as refused:
            ALLOWED.check(method, headers)
        assert refused.value.status == status


def test_a_token_protects_and_is_shown_once(tmp_path):
    (tmp_path / "a").write_text("a")
    with serving(tmp_path, "--token") as server:
        bearer = {"Authorization": f"Bearer {server.said['token']}"}
        refused = server.get("/", HTML)
        assert (refused.status, server.get("/a", bearer).content) == (401, b"a")
        assert tmp_path.name.encode() not in refused.content
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert server.get("/-/entrepot.css").status == 401
    with serving(tmp_path, "--host", "0.0.0.0", ENTREPOT_SERVE_TOKEN="sixteen-or-more-characters") as server:
        assert "token" not in server.said
        assert server.get("/a").status == 401
    short = run("serve", ".", "--token", cwd=tmp_path, env={"ENTREPOT_SERVE_TOKEN": "short"})
    assert (short.code, "16 characters" in short.err) == (2, True)


def test_uploads_and_deletions(writable):
    target = "/new/" + "".join(f"%{byte:02x}" for byte in ODD.encode())
    stored = writable.get(target, OURS, "PUT", b"content")
    assert (stored.status, stored.record["size"]) == (201, 7)
    assert writable.get(target).content == b"content"
    assert writable.get(target, {**OURS, "If-None-Match": "*"}, "PUT", b"other").status == 412
    assert writable.get("/new/", OURS, "DELETE").status == 409
    assert writable.get(target, method="DELETE").status == 403
    assert writable.get(target, OURS, "DELETE").status == 204
    assert writable.get(target).status == 404
    assert writable.get("/dir/", OURS, "PUT", b"content").status == 409
    assert writable.get("/", OURS, "DELETE").status == 409
    assert writable.get("/-/entrepot.js", OURS, "PUT", b"content").status == 405


def test_an_upload_without_content_is_an_empty_object(writable):
    answer = _exchange(writable, "PUT /none HTTP/1.1", "X-Entrepot: 1", "Connection: close")
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert (writable.folder / "none").read_bytes() == b""
    (writable.folder / "none").unlink()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("X-Entrepot: 1", "Content-Length: 2000000"), b"413"),
        (("Content-Length: 3",), b"403"),
        (("X-Entrepot: 1", "Content-Length: 3", "Host: other"), b"400"),
        (("X-Entrepot: 1", "Content-Length: 0"), b"100"),
    ],
)
def test_a_client_that_waits_with_its_content_is_refused_before_it_sends_any(writable, headers, status):
    answer = _exchange(writable, "PUT /waits HTTP/1.1", "Expect: 100-continue", *headers)
    assert answer.split(b" ")[1] == status
    assert (b"\r\nConnection: close\r\n" in answer) == (status in {b"413", b"403"})


def _exchange(server: Served, *lines: str) -> bytes:
    """Sends the head of a request as it is, and returns what comes first."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall("\r\n".join([*lines, "Host: localhost", "", ""]).encode())
        return client.recv(65536)


@pytest.mark.parametrize(
    ("accept", "is_record"),
    [
        ("application/json", True),
        ("text/html;q=0.1, Application/JSON; q=0.9", True),
        ("application/json, text/plain, */*", True),
        ("text/html, application/json", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
        (",;,q=1", False),
        ("*/*", False),
    ],
)
def test_programs_that_want_json_more_than_a_page_get_it(served, accept, is_record):
    answer = served.get("/dir/", {"Accept": accept})
    assert (answer.status, answer.headers["content-type"].startswith("application/json")) == (200, is_record)


def test_uploads_that_are_too_large_or_cut_leave_nothing(writable):
    chunks = (bytes(65536) for _ in range(20))
    assert writable.get("/large", OURS, "PUT", bytes((1 << 20) + 1)).status == 413
    assert writable.get("/large", OURS, "PUT", chunks).status == 413
    for length in ("Content-Length: 500000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", writable.port), timeout=20) as client:
            client.sendall(
                f"PUT /cut HTTP/1.1\r\nHost: localhost\r\nX-Entrepot: 1\r\n{length}\r\n\r\n2\r\nab\r\n".encode()
            )
            client.shutdown(socket.SHUT_WR)
            assert not client.recv(65536).startswith(b"HTTP/1.1 2")
    assert writable.get("/cut").status == writable.get("/large").status == 404
    assert not [path for path in writable.folder.rglob("*") if path.name.startswith((".", "cut", "large"))]


def test_an_upload_is_given_up_when_the_server_ends(tmp_path):
    with serving(tmp_path, "--write") as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"PUT /cut HTTP/1.1\r\nHost: localhost\r\nX-Entrepot: 1\r\nContent-Length: 9000000\r\n\r\n")
        client.sendall(bytes(4_000_000))
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_fails_is_reported_and_its_content_is_cut():
    cut = [raw_response("200 OK", "Content-Length: 10", content=b"01234"), CLOSE]
    with ScriptedServer(lambda request: cut if request.method == "GET" else [raw_response("200 OK")]) as storage:
        said = "entrepot: serve: /object: the connection ended before the content did (try again)\n"
        place = storage.endpoint.replace("//", "//user:sEcReT@")
        with serving(f"{place}/", "--retries", "0", said=said) as server:
            with pytest.raises(http.client.IncompleteRead):
                server.get("/object")
            listing = server.get("/", HTML)
            assert (listing.status, b"has no listings" in listing.content) == (501, True)
            assert b"sEcReT" not in listing.content


def test_what_cannot_be_served_is_said_before(tmp_path):
    (tmp_path / "file").write_text("")
    assert run("serve", "nope", cwd=tmp_path).code == 3
    assert run("serve", "file", cwd=tmp_path).code == 3
    refused = run("serve", "--write", "http://127.0.0.1:1/", cwd=tmp_path)
    assert (refused.code, "--write" in refused.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = run("serve", ".", "--port", other.getsockname()[1], cwd=tmp_path)
    assert (taken.code, "in use" in taken.err) == (1, True)


@pytest.mark.parametrize("token", ["!", "é", "WyJhIl0x", base64.urlsafe_b64encode(b"[" * 5_000).decode()])
def test_a_token_of_a_page_that_cannot_be_read_is_refused(token):
    with pytest.raises(Refused) as refused:
        parse_page_request({"after": token})
    assert refused.value.status == 400


async def test_clients_that_only_connect_do_not_keep_others_out(tmp_path, monkeypatch):
    from entrepot.cli.serving import server
    from entrepot.cli.serving.site import Rules, Site

    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    monkeypatch.setattr(server, "_MOST", 3)
    (tmp_path / "a").write_text("content")
    site = Site(Operator(Fs(str(tmp_path))), Rules("title", Access(), 10), pytest.fail, {})
    async with server.running(site, "127.0.0.1", 0) as port:
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        assert await waiting[3][0].read() == b""  # there are three already
        waiting[0][1].write(b"GET /a HTTP/1.1\r\nHost: local")
        waiting[1][1].write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await waiting[1][0].readuntil(b"content")).startswith(b"HTTP/1.1 200 ")
        assert [await reader.read() for reader, _ in (waiting[0], waiting[2])] == [b"", b""]
        waiting[1][1].write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")  # it had a request, and stays
        assert (await waiting[1][0].readuntil(b"content")).startswith(b"HTTP/1.1 200 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"content")).startswith(b"HTTP/1.1 200 ")
        for _, opened in [*waiting, (reader, writer)]:
            opened.close()
            await opened.wait_closed()


@pytest.mark.parametrize("begun", [b"", b"GET /a HTTP/1.1\r\nHost: local"], ids=["nothing", "a part"])
async def test_a_connection_without_a_next_request_is_closed(tmp_path, monkeypatch, begun):
    from entrepot.cli.serving import server
    from entrepot.cli.serving.site import Rules, Site

    monkeypatch.setattr(server, "_IDLE", 0.2)
    site = Site(Operator(Fs(str(tmp_path))), Rules("title", Access(), 10), pytest.fail, {})
    async with server.running(site, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"Not Found\n")).startswith(b"HTTP/1.1 404 ")
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        await writer.wait_closed()


async def test_connections_that_come_at_once_are_limited_too(tmp_path, monkeypatch):
    from entrepot.cli.serving import server
    from entrepot.cli.serving.site import Rules, Site

    monkeypatch.setattr(server, "_MOST", 3)
    site = Site(Operator(Fs(str(tmp_path))), Rules("title", Access(), 10), pytest.fail, {})
    async with server.running(site, "127.0.0.1", 0) as port:
        clients = [
            socket.create_connection(("127.0.0.1", port)) for _ in range(20)
        ]  # before the loop accepts the first
        refused = 0
        for client in clients:
            client.setblocking(False)
        while refused < 17:
            await asyncio.sleep(0.01)
            refused = sum(is_closed(client) for client in clients)
        clients[0].sendall(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.get_running_loop().sock_recv(clients[0], 100)).startswith(b"HTTP/1.1 404 ")
        assert sum(is_closed(client) for client in clients) == 17
        for client in clients:
            client.close()


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


async def test_an_upload_that_is_sent_too_slowly_is_ended_and_leaves_nothing(tmp_path, monkeypatch):
    from entrepot.cli.serving import server
    from entrepot.cli.serving.site import Rules, Site

    monkeypatch.setattr("entrepot.integrations.aiohttp._PATIENCE", 0.2)
    rules = Rules("title", Access(is_writable=True), 1000, min_upload_rate=1000)
    site = Site(Operator(Fs(str(tmp_path))), rules, pytest.fail, {})
    async with server.running(site, "127.0.0.1", 0) as port:
        for headers in ("", "Content-Encoding: gzip\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"PUT /a HTTP/1.1\r\nHost: localhost\r\nX-Entrepot: 1\r\n{headers}".encode())
            writer.write(b"Content-Length: 100\r\n\r\n")
            if not headers:
                writer.write(b"begin")
            assert (await reader.readuntil(b"slowly.\n")).startswith(b"HTTP/1.1 408 ")
            writer.close()
            await writer.wait_closed()
        assert list(tmp_path.iterdir()) == []
