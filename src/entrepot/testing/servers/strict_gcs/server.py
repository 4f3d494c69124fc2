"""The server: one thread for each connection, and the faults that a test asks for."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from entrepot.testing.servers.process import NotInstalled

from .access import EMAIL, Access
from .bucket import Bucket, Conditions, Refused, StoredObject
from .json_api import Answer, Call, JsonApi, refusal
from .xml_api import XmlApi, xml_refusal

BUCKET: Final = "entrepot"
VERSIONED: Final = "entrepot-versions"


@dataclass
class Fault:
    """What happens to a request in place of its response.

    Arguments:
        applies: whether it happens to a request. Each fault happens once.
        answer: the response; None is the true one.
        is_lost: whether the connection ends without the response.
        cut: after how many bytes of the content the connection ends; None does not cut it.
    """

    applies: Callable[[Call], bool]
    answer: Answer | None = None
    is_lost: bool = False
    cut: int | None = None


class StrictGcs:
    """A server that checks tokens, signatures and conditions.

    Attributes:
        endpoint: its URL.
        bucket: the name of a bucket, empty.
        access: the service account, and its tokens.
        json: the JSON API.
        xml: the XML API.
        faults: the faults of the next requests.
        calls: the requests, in order.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.bucket = BUCKET
        self.access = Access()
        self._buckets = {BUCKET: Bucket(), VERSIONED: Bucket(is_versioned=True)}
        self.json = JsonApi(self._buckets)
        self.xml = XmlApi(self.json.bucket)
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.lock = threading.Lock()

    @property
    def credential(self) -> str:
        """The key of the service account, as JSON."""
        return json.dumps(
            {
                "type": "service_account",
                "client_email": EMAIL,
                "private_key": self.access.private_key,
                "private_key_id": "1",
                "token_uri": f"{self.endpoint}/token",
            }
        )

    def versioned_bucket(self) -> str:
        """The name of a bucket that keeps generations."""
        return VERSIONED

    def put(self, path: str, content: bytes) -> None:
        """Stores an object."""
        self._buckets[BUCKET].put(StoredObject(path, content, {}), Conditions())

    def answer(self, call: Call, query: str) -> Answer:
        """The response to a request."""
        if not call.path.startswith(("/storage/", "/upload/", "/batch/", "/token", "/iam/", "/computeMetadata/")):
            try:
                self._check(call, query)
                return self.xml.answer(call)
            except Refused as error:
                return xml_refusal(error)
        try:
            return self._json_answer(call, query)
        except Refused as error:
            return refusal(error)

    def _json_answer(self, call: Call, query: str) -> Answer:
        if call.path == "/token":
            return Answer.of_json(self.access.exchange(call.content))
        if call.path.startswith("/computeMetadata/"):
            return self._metadata(call)
        self._check(call, query)
        if call.path.endswith(":generateAccessToken"):
            return Answer.of_json({"accessToken": self.access.give_out(), "expireTime": "2999-01-01T00:00:00Z"})
        if call.path.endswith(":signBlob"):
            signature = self.access.sign(json.loads(call.content)["payload"])
            return Answer.of_json({"keyId": "1", "signedBlob": b64encode(signature).decode()})
        return self.json.answer(call)

    def _metadata(self, call: Call) -> Answer:
        if call.headers.get("metadata-flavor") != "Google":
            raise Refused(403, "forbidden/")
        answer = Answer(200, {}, EMAIL.encode())
        if not call.path.endswith("/email"):
            answer = Answer.of_json({"access_token": self.access.give_out(), "expires_in": 3599})
        answer.headers["Metadata-Flavor"] = "Google"
        return answer

    def _check(self, call: Call, query: str) -> None:
        if "X-Goog-Signature" in call.query:
            self.access.check_url(call.method, call.path, query, call.headers)
        elif "upload_id" not in call.query:
            self.access.check(call.headers.get("authorization"))


@contextmanager
def strict_gcs(folder: Path) -> Iterator[StrictGcs]:
    """Starts the server, in threads of this process.

    Arguments:
        folder: where it could keep files; it keeps none.

    Raises:
        ServerFailed: awscrt or cryptography is not installed (`pip install awscrt cryptography`).
    """
    if find_spec("awscrt") is None or find_spec("cryptography") is None:
        raise NotInstalled("awscrt or cryptography is not installed; both come with `pip install awscrt cryptography`")
    state = StrictGcs()
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may end a connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    state: StrictGcs
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        pairs = (pair.partition("=") for pair in query.split("&") if pair)
        content = self.rfile.read(int(headers.get("content-length", 0)))
        call = Call(self.command, path, {name: unquote(value) for name, _, value in pairs}, headers, content)
        with self.state.lock:
            self.state.calls.append(call)
            fault = next((fault for fault in self.state.faults if fault.applies(call)), None)
            if fault is not None:
                self.state.faults.remove(fault)
            given = None if fault is None else fault.answer
            answer = given if given is not None else self.state.answer(call, query)
        if fault is not None and fault.is_lost:
            self.close_connection = True
            return
        self._respond(call, answer, None if fault is None else fault.cut)

    def _respond(self, call: Call, answer: Answer, cut: int | None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if call.method != "HEAD" and answer.status not in {204, 304}:
            self.wfile.write(answer.content[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base
        """Nothing is logged."""

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names in the base
