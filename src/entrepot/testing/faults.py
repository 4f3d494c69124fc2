"""A TCP proxy that breaks connections by plan, between a client and a real server.

    with FaultProxy(server.endpoint, FaultScript([None, Fault("reset", after=1000)])) as proxy:
        op = Operator(S3(endpoint=proxy.endpoint, ...))

It is a process of its own: what it holds open is not counted with what the process under test holds, a client that
blocks cannot stop it, and a forked child that leaves the `with` block does not end it.

What a plan is asked about is an exchange: one request with its reply. A connection that is kept has one after the
other; a new one begins where the client sends after the server has. (That holds for HTTP/1.1 without pipelining. An
interim reply such as 100 does not begin a new one.)
"""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol, Self, get_args
from urllib.parse import urlsplit

from entrepot.errors import InvalidInput

Kind = Literal["reset", "close", "stall", "truncate", "drip", "refuse", "silent"]
Way = Literal["up", "down"]

START_SECONDS: Final = 30.0
"""How long the process may take to come up or to end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one exchange, or one connection.

    Arguments:
        kind: `"reset"` breaks the connection (RST) and `"close"` ends it (FIN), both on both sides; `"stall"` passes
            nothing more and stays open until the client leaves; `"truncate"` ends this way only and drops the rest
            of it, so that a server answers to half a request; `"drip"` passes the rest slowly; `"refuse"` resets
            before anything is passed, for the first exchange as soon as the connection stands; `"silent"` takes
            everything and never answers, and the server hears of nothing.
        after: how many bytes of this exchange pass before that.
        way: in which direction they are counted: `"down"` is from the server to the client. `Fault("reset")` so
            happens to a request that the server has answered.
        rate: of `"drip"`: bytes a second.

    Raises:
        InvalidInput: an argument cannot work.
    """

    kind: Kind
    after: int = 0
    way: Way = "down"
    rate: int = 65_536

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InvalidInput(f"kind is one of {', '.join(get_args(Kind))}, not {self.kind!r:.80}")
        if self.way not in get_args(Way):
            raise InvalidInput(f"way is 'up' or 'down', not {self.way!r:.80}")
        _check_integer("after", self.after, 0)
        _check_integer("rate", self.rate, 1)


class FaultPlan(Protocol):
    """Says what happens to which exchange. It is pickled into the process of the proxy."""

    def fault(self, exchange: int, connection: int) -> Fault | None:
        """The fault of an exchange, if any.

        Arguments:
            exchange: how many began before it since the plan was set, on all connections.
            connection: how many connections came before its own.
        """
        ...


@dataclass(frozen=True, slots=True)
class FaultScript(FaultPlan):
    """One fault after the other.

    Arguments:
        faults: what happens to each; None is nothing, and so is all that comes after the last one.
        per: whether they are given to the exchanges in turn, or to the connections: then every exchange of a
            connection has the fault of its connection.
    """

    faults: Sequence[Fault | None] = ()
    per: Literal["exchange", "connection"] = "exchange"

    def fault(self, exchange: int, connection: int) -> Fault | None:
        number = exchange if self.per == "exchange" else connection
        return self.faults[number] if number < len(self.faults) else None


@dataclass(frozen=True, slots=True)
class FaultMix(FaultPlan):
    """Faults at random. The same seed gives the same fault to the exchange of the same number.

    Arguments:
        seed: where the random numbers start.
        share: how many of the exchanges have a fault, from 0 to 1.
        faults: which, each as likely as the others. Their `after` is drawn from 0 to `most`, small ones as likely as
            large ones, unless it is set; an exchange with fewer bytes than that passes unharmed.
        most: the largest `after`, in bytes.

    Raises:
        InvalidInput: an argument cannot work.
    """

    seed: int
    share: float
    faults: Sequence[Fault]
    most: int = 1 << 20

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise InvalidInput(f"share is a number from 0 to 1, not {self.share!r:.80}")
        if not self.faults:
            raise InvalidInput("faults names no fault")
        _check_integer("most", self.most, 0)

    def fault(self, exchange: int, connection: int) -> Fault | None:
        drawn = random.Random(f"{self.seed} {exchange}")
        if drawn.random() >= self.share:
            return None
        fault = drawn.choice(self.faults)
        return replace(fault, after=int((self.most + 1) ** drawn.random()) - 1) if fault.after == 0 else fault


NO_FAULTS: Final = FaultScript()
"""The plan that lets everything pass."""


class FaultProxy:
    """A proxy on a free port of 127.0.0.1, up while it is entered.

    Arguments:
        server: the URL of the server, such as `"http://127.0.0.1:8000"`; what is passed on may be TLS.
        plan: what happens to which exchange; by default nothing.

    Attributes:
        endpoint: the URL of the server as it is reached through the proxy.
    """

    def __init__(self, server: str, plan: FaultPlan = NO_FAULTS) -> None:
        self._url = urlsplit(server)
        self._plan = plan
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""

    def plan(self, plan: FaultPlan) -> None:
        """Sets another plan. Its exchanges and connections are counted from 0; one that goes on keeps its fault."""
        self._ask("plan", pickle.dumps(plan).hex())

    def counts(self) -> Counter[str]:
        """What the proxy has done since it was entered.

        How often each kind of fault took effect, by its name; how many `connections` and `exchanges` there were,
        how many connections are `open`, and how many bytes were passed `up` and `down`.
        """
        return Counter(self._ask("counts", None))

    def cut(self) -> None:
        """Resets every connection that is open."""
        self._ask("cut", None)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "entrepot.testing.fault_relay"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        try:
            port = self._ask("start", [self._url.hostname, self._url.port, pickle.dumps(self._plan).hex()])
        except BaseException:
            self._end()
            raise
        self.endpoint = self._url._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if os.getpid() == self._owner:
            self._end()

    def _ask(self, command: str, argument: object) -> Any:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the proxy ended with {process.wait(START_SECONDS)}")
        return json.loads(answer)

    def _end(self) -> None:
        """Ends the process, which closes all that it opened."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # closes the pipes and waits
                process.kill()


def _check_integer(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise InvalidInput(f"{name} is an integer of at least {least}, not {value!r:.80}")
