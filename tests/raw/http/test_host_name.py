"""Host names for the standard library, which imports a codec for those that are a `str`."""

from __future__ import annotations

import ssl
import subprocess
import sys

import pytest

from entrepot.raw.http.host_name import encoded_host
from entrepot.testing.scripted_server import ScriptedServer, whole_response

READ_BY = {
    "blocking": "Operator(Http(url, ca_file=ca_file)).blocking().read('a')",
    "native": "asyncio.run(Operator(Http(url, ca_file=ca_file)).read('a'))",
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("read", READ_BY.values(), ids=READ_BY.keys())
def test_a_request_does_not_import_the_codec_of_host_names(
    read: str, scheme: str, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    """In a process of its own, since others have imported it."""
    program = f"""
import asyncio, sys
from entrepot import Operator
from entrepot.services import Http
url, ca_file = sys.argv[1:]
assert {read} == b"hello"
print("encodings.idna" in sys.modules)
"""
    tls = server_tls if scheme == "https" else None
    with ScriptedServer(lambda _: [whole_response(b"hello")], tls=tls) as server:
        port = server.endpoint.rpartition(":")[2]
        command = [sys.executable, "-c", program, f"{scheme}://localhost:{port}", ca_file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


@pytest.mark.parametrize("host", ["a", "a.example", "a.example.", "127.0.0.1", "::1", "a" * 63, "under_score"])
def test_a_host_in_ascii_is_encoded_as_the_codec_does(host: str) -> None:
    assert encoded_host(host) == host.encode() == host.encode("idna")


@pytest.mark.parametrize("host", ["a" * 64, "a..b", ".a"])
def test_what_the_codec_refuses_is_refused(host: str) -> None:
    for encode in (encoded_host, lambda host: host.encode("idna")):
        with pytest.raises(UnicodeError):
            encode(host)


def test_other_hosts_are_left_to_the_codec() -> None:
    assert encoded_host("bücher.example") == "bücher.example"
