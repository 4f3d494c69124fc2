"""What the scripted server does with scripts, with a server behind it, and with errors of scripts."""

import gc
import http.client
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from entrepot import InvalidInput
from entrepot.testing import (
    CLOSE,
    FORWARD,
    PASS,
    STALL,
    Answer,
    DeadConnections,
    Drip,
    EveryNth,
    InTurn,
    OneObject,
    ReceivedRequest,
    ScriptedServer,
    chunked,
    raw_response,
    whole_response,
)


def connect(server: ScriptedServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=10)


def ask(server: ScriptedServer, method: str = "GET", target: str = "/", content: bytes | None = None) -> bytes:
    connection = connect(server)
    try:
        connection.request(method, target, content)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_answers_in_turn_and_the_last_one_again() -> None:
    with ScriptedServer([[whole_response(b"1")], [whole_response(b"2")]]) as server:
        assert [ask(server) for _ in range(4)] == [b"1", b"2", b"2", b"2"]
    with pytest.raises(InvalidInput):
        InTurn([])


def test_requests_are_recorded_with_their_content() -> None:
    with ScriptedServer([[whole_response(b"")]]) as server:
        ask(server, "PUT", "/a%20b?c", b"content")
    [request] = server.requests
    assert (request.method, request.target, request.content) == ("PUT", "/a%20b?c", b"content")
    assert (request.number, request.connection, request.range) == (0, 0, None)
    assert server.taken == 7


def test_a_connection_that_closes_with_bytes_to_send_is_not_in_the_way_of_the_end() -> None:
    more = bytes(48 * 1024)  # below the limit at which the server waits
    answer = [raw_response("200 OK", "Content-Length: 8437760", content=bytes(8 * 1024**2)), more, CLOSE]
    with ScriptedServer([answer]) as server:
        connection = connect(server)
        connection.request("GET", "/")
        response = connection.getresponse()
        while response.read(4096):
            pass
        connection.close()
        server.wait_until_left()


def test_a_drip_sends_its_bytes_again_and_again() -> None:
    head = raw_response("200 OK", "Transfer-Encoding: chunked")
    with ScriptedServer([[head, Drip(chunked(b" "), 3, 0.001), chunked(b"x"), b"0\r\n\r\n"]]) as server:
        assert ask(server) == b"   x"


def test_an_upstream_answers_what_the_script_passes_on_and_executes_what_it_forwards() -> None:
    refuse = [FORWARD, whole_response(b"no", status="503 No")]
    with ScriptedServer(lambda request: [*OneObject(b"object")(request), CLOSE]) as upstream:
        every_second = EveryNth(2, refuse, lambda request: request.method == "GET")
        with ScriptedServer(every_second, upstream=upstream.endpoint) as server:
            assert [ask(server) for _ in range(4)] == [b"object", b"no", b"object", b"no"]
            assert ask(server, "PUT", "/p", b"content") == b"object"
    assert [request.method for request in upstream.requests] == ["GET"] * 4 + ["PUT"]
    assert upstream.requests[-1].content == b"content"
    assert upstream.requests[-1].headers["host"] == server.endpoint.removeprefix("http://")


def test_a_connection_dies_after_one_request() -> None:
    with ScriptedServer(DeadConnections(1, OneObject(b"object"))) as server:
        connection = connect(server)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"object"
        connection.request("GET", "/")
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
        connection.close()
        assert ask(server) == b"object"


@pytest.mark.parametrize("step", [PASS, FORWARD])
def test_a_script_that_needs_an_upstream_says_so(step: Answer) -> None:
    with (
        pytest.raises(InvalidInput, match="upstream"),
        ScriptedServer([[step]]) as server,
        suppress(http.client.HTTPException),
    ):
        ask(server)


def test_an_exception_of_a_script_is_raised_at_the_end() -> None:
    def script(request: ReceivedRequest) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ScriptedServer(script) as server, suppress(http.client.HTTPException):
        ask(server)
    with pytest.raises(KeyError), ScriptedServer(script) as server:  # an error of the block is not replaced
        with suppress(http.client.HTTPException):
            ask(server)
        raise KeyError


def test_the_end_of_connections_can_be_waited_for() -> None:
    with ScriptedServer([[whole_response(b""), CLOSE]]) as server:
        ask(server)
        server.wait_until_left()
        assert server.open_connections == 0


def test_a_connection_that_is_made_as_the_server_stops_is_closed() -> None:
    for _ in range(5):
        with ScriptedServer([[STALL]]) as server:
            client = socket.create_connection(("127.0.0.1", urlsplit(server.endpoint).port or 0))
        with client:
            client.settimeout(10)
            with suppress(ConnectionError):
                assert client.recv(1) == b""
    gc.collect()  # warns of sockets that were left open, and warnings are errors
