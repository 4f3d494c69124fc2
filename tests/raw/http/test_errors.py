"""What a status means, and how much is read of the content of an error."""

import pytest

from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Unexpected,
)
from entrepot.raw.http.errors import ERROR_BODY_LIMIT, ERROR_BODY_SECONDS, read_error_body, status_error
from entrepot.raw.http.transport import HttpBody, HttpHeaders, HttpResponse


@pytest.mark.parametrize(
    ("status", "kind", "is_temporary"),
    [
        (304, ConditionNotMatch, False),
        (400, Unexpected, False),
        (401, PermissionDenied, False),
        (403, PermissionDenied, False),
        (404, NotFound, False),
        (408, Unexpected, True),
        (410, NotFound, False),
        (412, ConditionNotMatch, False),
        (416, RangeNotSatisfied, False),
        (429, RateLimited, True),
        (500, Unexpected, True),
        (501, Unexpected, False),
        (503, Unexpected, True),
        (505, Unexpected, False),
        (300, Unexpected, False),
        (101, Unexpected, False),
    ],
)
def test_each_status_is_an_error_of_its_kind(status: int, kind: type[Error], is_temporary: bool) -> None:
    error = status_error(status, HttpHeaders())
    assert type(error) is kind
    assert error.is_temporary is is_temporary
    assert error.context == {"status": status}


def test_when_to_try_again_is_in_the_context() -> None:
    error = status_error(429, HttpHeaders([("Retry-After", "7")]))
    assert error.context == {"status": 429, "retry_after": 7.0}


class Endless(HttpBody):
    def __init__(self, end: Error | None = None) -> None:
        self.given = 0
        self.is_closed = False
        self._end = end

    async def read(self, n: int) -> bytes:
        if self._end is not None and self.given:
            raise self._end
        data = b"x" * min(n, 1000)
        self.given += len(data)
        return data

    async def close(self) -> None:
        self.is_closed = True


async def test_no_more_than_the_limit_is_read_of_an_error() -> None:
    body = Endless()
    assert len(await read_error_body(HttpResponse(500, HttpHeaders(), body))) == ERROR_BODY_LIMIT
    assert body.given == ERROR_BODY_LIMIT
    assert body.is_closed


async def test_the_content_of_an_error_may_break_off() -> None:
    body = Endless(ContentIncomplete("gone"))
    assert await read_error_body(HttpResponse(500, HttpHeaders(), body)) == b"x" * 1000
    assert body.is_closed


class Drip(HttpBody):
    """A byte for each look at the clock, for ever."""

    def __init__(self) -> None:
        self.is_closed = False
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def read(self, n: int) -> bytes:
        self.seconds += 0.1
        return b"x"

    async def close(self) -> None:
        self.is_closed = True


async def test_the_content_of_an_error_is_not_waited_for_long() -> None:
    body = Drip()
    assert await read_error_body(HttpResponse(403, HttpHeaders(), body), now=body.now)
    assert ERROR_BODY_SECONDS <= body.seconds < ERROR_BODY_SECONDS + 1
    assert body.is_closed
