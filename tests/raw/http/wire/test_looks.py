"""Looks at a socket, by Python's `poll` and, where a package has replaced it, by the system call."""

import select
import socket

import pytest

from entrepot.raw.http.wire.looks import look_for


def waits(*args):
    raise AssertionError("a poll that may switch greenlets was made")


@pytest.fixture(params=["python", "system"])
def pair(request, monkeypatch):
    if request.param == "system":
        monkeypatch.setattr(select, "poll", waits)
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_it_sees_bytes_and_the_end(pair):
    left, right = pair
    look = look_for(left.fileno(), select.POLLIN)
    assert not look(0)
    right.send(b"a")
    assert look(0)
    left.recv(1)
    assert not look(0)
    right.close()
    assert look(0)


def test_it_sees_errors_alone(pair):
    left, right = pair
    look = look_for(left.fileno(), 0)
    right.send(b"a")
    assert not look(0)
    right.close()
    assert look(0)
