"""The hub as two servers: of the API, and of the storage on another origin."""

from __future__ import annotations

import http.client
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from entrepot.testing.scripted_server import ReceivedRequest, ScriptedServer, Step, whole_response
from entrepot.testing.servers.process import ServerFailed, running
from entrepot.testing.servers.request import ask, connection_to

from .answers import Refused
from .api import Api
from .large_files import SIGNED, LargeFiles
from .repositories import StoredFile

TOKEN: Final = "hf_token_of_the_tests"  # noqa: S105
"""The token of a hub that has just started."""

_ADMIN: Final = "/-/"

Kind = Callable[[ReceivedRequest], bool]
Interruption = Sequence[Step]


@dataclass(slots=True)
class _Planned:
    """What happens to a request of a kind."""

    kind: Kind
    steps: Interruption
    takes_effect: bool


class HubInProcess:
    """A hub in threads of this process. `interrupt` makes requests of a kind fail, before or after they took effect.

    Arguments:
        stack: its `with` block ends the servers.

    Attributes:
        token: the token that every request must have. It may be replaced.
        commits: the messages of all commits, in order.
        hub: the server of the hub.
        storage: the server of large files.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.token = TOKEN
        self._planned: list[_Planned] = []
        large = LargeFiles()
        self._api = Api(large)
        self.commits = self._api.commits
        self.hub = stack.enter_context(ScriptedServer(self._scripted(self._answer_hub)))
        self.storage = stack.enter_context(ScriptedServer(self._scripted(large.answer)))
        self._api.endpoint, large.endpoint = self.hub.endpoint, self.storage.endpoint

    @property
    def endpoint(self) -> str:
        """The URL of the hub."""
        return self.hub.endpoint

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests to the hub, in order."""
        return self.hub.requests

    def new_repository(self, repo_type: str) -> str:
        """Makes an empty repository and returns its id."""
        return self._api.new_repository(repo_type)

    def put(self, repo_type: str, repo_id: str, path: str, content: bytes, branch: str = "main") -> str:
        """Commits one file, and returns the id of the commit."""
        return self._api.put(repo_type, repo_id, path, content, branch)

    def files(self, repo_type: str, repo_id: str) -> dict[str, StoredFile]:
        """The files of the branch `main`, by path."""
        return self._api.files(repo_type, repo_id)

    def interrupt(self, kind: Kind, steps: Interruption, *, takes_effect: bool = False, times: int = 1) -> None:
        """Answers the next request of a kind by other steps.

        Arguments:
            kind: tells whether a request is of the kind.
            steps: the answer, as of a `ScriptedServer`.
            takes_effect: whether the request is executed first, so that only its answer is another.
            times: how many requests.
        """
        self._planned += [_Planned(kind, steps, takes_effect) for _ in range(times)]

    def _scripted(self, answer: Callable[[ReceivedRequest], bytes]) -> Callable[[ReceivedRequest], Iterable[Step]]:
        def script(request: ReceivedRequest) -> Iterable[Step]:
            planned = next((planned for planned in self._planned if planned.kind(request)), None)
            if planned is not None:
                self._planned.remove(planned)
                if planned.takes_effect:
                    self._answered(answer, request)
                return planned.steps
            return [self._answered(answer, request)]

        return script

    def _answered(self, answer: Callable[[ReceivedRequest], bytes], request: ReceivedRequest) -> bytes:
        try:
            answered = answer(request)
        except Refused as refused:
            answered = refused.answer
        return answered.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else answered

    def _answer_hub(self, request: ReceivedRequest) -> bytes:
        parts = urlsplit(request.target)
        if parts.path.startswith(_ADMIN):
            return self._administer(request, unquote(parts.path.removeprefix(_ADMIN)))
        stated = request.headers.get("authorization")
        if stated is None and SIGNED in parts.query:
            stated = f"Bearer {self.token}"  # the URL has credentials of its own
        if stated is None:
            raise Refused("401 Unauthorized", "RepoNotFound", "Repository not found")
        if stated != f"Bearer {self.token}":
            raise Refused("401 Unauthorized", message="Invalid credentials in Authorization header")
        return self._api.answer(request)

    def _administer(self, request: ReceivedRequest, what: str) -> bytes:
        """Answers a request of `HubServer`: a new repository, or a file of one."""
        if request.method == "POST":
            return whole_response(self.new_repository(what).encode())
        repo_type, owner, name, path = what.split("/", 3)
        return whole_response(self.put(repo_type, f"{owner}/{name}", path, request.content).encode())


@dataclass(frozen=True, slots=True)
class HubServer:
    """A running hub.

    Arguments:
        endpoint: its URL.
        pid: its process id.
        token: the token that every request must have.
    """

    endpoint: str
    pid: int
    token: str = field(default=TOKEN, repr=False)

    def new_repository(self, repo_type: str) -> str:
        """Makes an empty repository and returns its id.

        Arguments:
            repo_type: `"model"`, `"dataset"` or `"space"`.
        """
        return self._ask("POST", repo_type, b"").decode()

    def put(self, repo_type: str, repo_id: str, path: str, content: bytes) -> str:
        """Commits one file to the branch `main`, and returns the id of the commit."""
        return self._ask("PUT", f"{repo_type}/{repo_id}/{path}", content).decode()

    def _ask(self, method: str, what: str, content: bytes) -> bytes:
        host = self.endpoint.partition("://")[2]
        reply = ask(connection_to(host), method, f"{_ADMIN}{quote(what)}", content)
        if reply.status != http.client.OK:
            raise ServerFailed(f"the hub answers {reply.status} to {method} {what}")
        return reply.content


@contextmanager
def hub(folder: Path) -> Iterator[HubServer]:
    """Starts a hub of our own, for tests of the service hf. It keeps everything in memory.

    Arguments:
        folder: where its log is (`hub.log`).

    Raises:
        ServerFailed: it did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "endpoint"
    address.unlink(missing_ok=True)
    command: list[str | Path] = [sys.executable, "-c", f"from {__name__} import serve; serve()", address]
    with running(command, folder / "hub.log", address.exists) as process:
        yield HubServer(address.read_text(), process.pid)


def serve() -> None:
    """The program of `hub`. It writes its endpoint to the file that its argument names, and runs until it is ended."""
    address = Path(sys.argv[1])
    with ExitStack() as stack:
        server = HubInProcess(stack)
        written = address.with_suffix(".new")
        written.write_text(server.endpoint)
        written.rename(address)
        signal.pause()
