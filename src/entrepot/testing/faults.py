"""A TCP proxy that breaks connections by plan, between a client and a real server.

    with FaultProxy(server.endpoint, FaultScript([None, Fault("reset", after=1000)])) as proxy:
        op = Operator(S3(endpoint=proxy.endpoint, ...))

The proxy runs in another process: its descriptors are not counted with those of the process under test, a client that
blocks cannot stop it, and a forked child that leaves the `with` block does not end it.

A plan decides about exchanges. An exchange is one request with its response; a kept connection has one after the
other. A new exchange starts where the client sends after the server has sent. (That holds for HTTP/1.1 without
pipelining. An interim response such as 100 does not start a new exchange.)
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
"""Seconds that the process may take to start or to end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one exchange, or of one connection.

    Arguments:
        kind: `"reset"` breaks the connection (RST) and `"close"` ends it (FIN), both on both sides; `"stall"` passes
            nothing more and stays open until the client leaves; `"truncate"` ends one direction and drops the rest
            of it, so that a server answers half a request; `"drip"` passes the rest slowly; `"refuse"` resets
            before anything is passed, for the first exchange as soon as the connection is made; `"silent"` takes
            everything and never answers, and nothing reaches the server.
        after: bytes of this exchange that pass before the fault.
        way: the direction in which they are counted: `"down"` is from the server to the client. So `Fault("reset")`
            hits a request that the server has answered.
        rate: bytes per second of `"drip"`.

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
    """Decides about the fault of each exchange. It is pickled into the process of the proxy."""

    def fault(self, exchange: int, connection: int) -> Fault | None:
        """The fault of an exchange, if any.

        Arguments:
            exchange: the number of exchanges before it since the plan was set, on all connections.
            connection: the number of connections before its own.
        """
        ...


@dataclass(frozen=True, slots=True)
class FaultScript(FaultPlan):
    """Faults in order.

    Arguments:
        faults: the fault of each exchange or connection; None is no fault. After the last one there are none.
        per: whether the faults are for exchanges in turn, or for connections: then every exchange of a connection has
            the fault of the connection.
    """

    faults: Sequence[Fault | None] = ()
    per: Literal["exchange", "connection"] = "exchange"

    def fault(self, exchange: int, connection: int) -> Fault | None:
        number = exchange if self.per == "exchange" else connection
        return self.faults[number] if number < len(self.faults) else None


@dataclass(frozen=True, slots=True)
class FaultMix(FaultPlan):
    """Random faults. With the same seed, the exchange with the same number has the same fault.

    Arguments:
        seed: the seed of the random numbers.
        share: the share of the exchanges that have a fault, from 0 to 1.
        faults: the faults, equally likely. Their `after` is drawn from 0 to `most`, small numbers as likely as
            large ones, unless it is set; an exchange with fewer bytes has no fault.
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
    """A proxy on a free port of 127.0.0.1, running while its `with` block does.

    Arguments:
        server: the URL of the server, such as `"http://127.0.0.1:8000"`. The bytes that pass may be TLS.
        plan: decides about the faults; by default there are none.

    Attributes:
        endpoint: the URL of the server through the proxy.
    """

    def __init__(self, server: str, plan: FaultPlan = NO_FAULTS) -> None:
        self._url = urlsplit(server)
        self._plan = plan
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""

    def plan(self, plan: FaultPlan) -> None:
        """Sets another plan. Exchanges and connections are counted from 0; an exchange in progress keeps its fault."""
        self._ask("plan", pickle.dumps(plan).hex())

    def counts(self) -> Counter[str]:
        """Counts since the proxy was started.

        For each kind of fault, how often it took effect; the number of `connections` and `exchanges`, of connections
        that are `open`, and of bytes that were passed `up` and `down`.
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
        """Ends the process, which closes its sockets."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # closes the pipes and waits
                process.kill()


def _check_integer(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise InvalidInput(f"{name} is an integer of at least {least}, not {value!r:.80}")
