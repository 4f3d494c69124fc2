"""A cluster of Dask: connecting to it, checking its workers, and running tasks on it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import distributed
from distributed import Client, as_completed
from distributed.deploy import Cluster

import entrepot
from entrepot import ConfigInvalid, InvalidInput, Operator, Timeout, Unexpected

from .schedule import Pool

ClusterLike: TypeAlias = Client | Cluster | str
"""A client, a cluster, or the address of a scheduler, such as `"tcp://10.0.0.1:8786"`."""

CONNECT: Final = 10.0
"""Seconds to wait for the scheduler, and for its first worker."""


@contextmanager
def connected(cluster: ClusterLike, timeout: float = CONNECT) -> Iterator[Client]:
    """Yields a client of the cluster, whose workers have the versions of this process.

    Arguments:
        cluster: the cluster. A client is used as it is and stays open.
        timeout: seconds to wait for the scheduler and for its first worker.

    Raises:
        ConfigInvalid: no scheduler answers at the address, or workers have other versions.
        Timeout: the cluster has no workers.
        InvalidInput: it is not a cluster, or a client that is closed or async.
    """
    client = cluster if isinstance(cluster, Client) else _client(cluster, timeout)
    try:
        _check_open(client)
        _check_workers(client, timeout)
        yield client
    finally:
        if client is not cluster:
            client.close()


def _client(cluster: ClusterLike, timeout: float) -> Client:
    if not isinstance(cluster, str | Cluster):
        kind = type(cluster).__name__
        raise InvalidInput(f"a cluster is a distributed.Client, a cluster or the address of a scheduler, not {kind}")
    address = cluster if isinstance(cluster, str) else cluster.scheduler_address
    try:
        return Client(address, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ConfigInvalid(f"no scheduler of Dask answers at {address} ({type(error).__name__})") from None
    except ValueError as error:
        raise ConfigInvalid("the address of a scheduler is such as tcp://10.0.0.1:8786") from error


def _check_open(client: Client) -> None:
    if client.asynchronous:
        raise InvalidInput("the client is async, and this call waits in the thread that makes it: pass another client")
    if client.status != "running":
        raise InvalidInput(f"the client is not connected: its status is {client.status}")


def _check_workers(client: Client, timeout: float) -> None:
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError:
        raise Timeout(f"the cluster has no workers after {timeout:g} s") from None
    check_versions(client.get_versions(packages=["entrepot"])["workers"])


def check_versions(workers: Mapping[str, Any]) -> None:
    """Checks that the workers have the versions of this process: of Python without its last number, and of entrepot.

    Arguments:
        workers: the versions by the address of each worker, as `Client.get_versions` returns them.

    Raises:
        ConfigInvalid: some have other versions; the message says which.
    """
    mine = _short(platform.python_version()), entrepot.__version__, distributed.__version__
    others: dict[str, list[str]] = {}
    for address, versions in workers.items():
        packages = versions["packages"]
        theirs = _short(str(packages.get("python"))), packages.get("entrepot"), packages.get("distributed")
        if theirs != mine:
            others.setdefault(_shown(theirs), []).append(address)
    if others:
        said = "; ".join(f"{', '.join(addresses)}: {versions}" for versions, addresses in others.items())
        raise ConfigInvalid(f"workers have other versions than this process ({_shown(mine)}): {said}")


def _short(python: str) -> str:
    return ".".join(python.split(".")[:2])


def _shown(versions: tuple[str, str | None, str | None]) -> str:
    python, entrepot_version, distributed_version = versions
    own = f"entrepot {entrepot_version}" if entrepot_version else "no entrepot"
    return f"Python {python}, {own}, distributed {distributed_version}"


def check_travels(operator: Operator, role: str) -> None:
    """Checks that an operator can be sent to the workers.

    Arguments:
        operator: the operator.
        role: its role in the call: `"source"` or `"target"`.

    Raises:
        InvalidInput: it is not an operator, or cannot be pickled.
    """
    if not isinstance(operator, Operator):
        raise InvalidInput(f"the {role} must be an Operator, not {type(operator).__name__}")
    from pickle import PicklingError, dumps

    try:
        dumps(operator)
    except (TypeError, AttributeError, PicklingError) as error:
        hint = "memory is of one process; layers need functions that are not lambdas"
        raise InvalidInput(f"the {role} ({operator.info.scheme}) cannot be pickled for the workers: {hint}") from error


class DaskPool(Pool):
    """Runs tasks on a cluster. Results are released as soon as they are taken.

    A task whose worker died is run again by the scheduler. One whose workers died again and again has failed.

    Arguments:
        client: the client of the cluster.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._in_flight: dict[str, Any] = {}

    @property
    def size(self) -> int:
        """The threads of all workers."""
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def submit(self, function: Callable[..., Any], *args: Any) -> str:
        if self._client.status != "running":
            raise _lost()
        future = self._client.submit(function, *args, pure=False)
        self._in_flight[future.key] = future
        self._done.add(future)
        return str(future.key)

    def take(self) -> tuple[str, Any]:
        future, result = next(self._done)
        del self._in_flight[future.key]
        if future.status in {"cancelled", "lost"}:
            raise _lost()
        key, status = str(future.key), future.status
        future.release()
        if status == "error" and isinstance(result, tuple):  # the exception with its type and traceback
            return key, result[1]
        return key, result

    def close(self) -> None:
        if self._client.status == "running":
            self._client.cancel(list(self._in_flight.values()))
        self._in_flight.clear()


def _lost() -> Unexpected:
    message = "the scheduler was lost, or cancelled the tasks: run again, and finished tasks are skipped"
    return Unexpected(message, is_temporary=True)
