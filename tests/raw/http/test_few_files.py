"""Requests of a process that may open few files, of each transport: they wait for the connections that there are."""

import subprocess
import sys

import pytest

from entrepot.testing.scripted_server import ScriptedServer, raw_response, whole_response

PROGRAM = """
import asyncio, os, resource, sys
from concurrent.futures import ThreadPoolExecutor
from entrepot import Operator, errors
from entrepot.services import Http

REQUESTS = 100
endpoint, transport, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
operator = Operator(Http(endpoint, http=None if transport == "blocking" else transport), resilient=False)
usual = resource.getrlimit(resource.RLIMIT_NOFILE)

def limit(more):
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + more, usual[1]))

def no_limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)

def outcome(result):
    if isinstance(result, errors.Error):
        return f"{result.errno} {result.is_temporary} {'ulimit -n' in str(result)}"
    return result.decode() if isinstance(result, bytes) else repr(result)

async def on_loop():
    await operator.read("first")
    if not left:
        await operator.close()
    limit(left)
    reads = [operator.read(str(number)) for number in range(REQUESTS)]
    results = await asyncio.gather(*reads, return_exceptions=True)
    no_limit()
    await operator.close()
    return results

def in_threads():
    blocking = operator.blocking()
    blocking.read("first")
    if not left:
        blocking.close()
    def read(number):
        try:
            return blocking.read(str(number))
        except errors.Error as error:
            return error
    limit(left)
    with ThreadPoolExecutor(REQUESTS) as executor:
        results = list(executor.map(read, range(REQUESTS)))
    no_limit()
    blocking.close()
    return results

results = in_threads() if transport == "blocking" else asyncio.run(on_loop())
print(sorted({outcome(result) for result in results}))
"""


def run(endpoint: str, transport: str, left: int) -> str:
    command = [sys.executable, "-c", PROGRAM, endpoint, transport, str(left)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("transport", ["native", "aiohttp", "blocking"])
def test_requests_wait_for_the_connections_that_there_are(transport: str) -> None:
    with ScriptedServer(lambda _: [whole_response(b"hello")]) as server:
        assert run(server.endpoint, transport, 6) == "['hello']"


@pytest.mark.parametrize("transport", ["native", "aiohttp", "blocking"])
def test_without_any_file_all_requests_fail_and_none_waits(transport: str) -> None:
    with ScriptedServer(lambda _: [whole_response(b"hello")]) as server:
        assert run(server.endpoint, transport, 0) == "['24 True True']"


HOLDER = """
import asyncio, os, resource, sys
from entrepot.errors import Timeout
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.raw.http.blocking import BlockingTransport
from entrepot.raw.http.native import NativeTransport
from entrepot.raw.runtime import inline

async def main(transport):
    request = HttpRequest("GET", sys.argv[1])
    held = await transport.send(request)
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, usual[1]))
    try:
        await transport.send(request)
    except Timeout as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    await held.body.close()
    await transport.close()

if sys.argv[2] == "blocking":
    inline.run(main(BlockingTransport(pool_timeout=0.2)))
else:
    kind = {"native": NativeTransport, "aiohttp": AiohttpTransport}[sys.argv[2]]

    async def on_loop():
        await main(kind(pool_timeout=0.2))

    asyncio.run(on_loop())
"""


@pytest.mark.parametrize("transport", ["native", "aiohttp", "blocking"])
def test_a_request_that_waits_for_its_own_caller_ends_and_says_why(transport: str) -> None:
    def script(_: object) -> list[bytes]:
        return [raw_response("200 OK", "Content-Length: 1000000"), bytes(500_000)]

    with ScriptedServer(script) as server:
        command = [sys.executable, "-c", HOLDER, server.endpoint, transport]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "all 1 connections are held by open readers" in done.stdout, done.stderr
    assert "too many open files" in done.stdout
