"""Which requests without a response say nothing about their connection."""

import asyncio
from time import monotonic

import pytest

from entrepot.errors import Timeout
from entrepot.raw.http.dead_connections import SILENCE, is_given_up_early


class Passed(Exception):
    """A deadline of the caller."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), Passed()])
def test_a_caller_that_gives_up_says_nothing_at_first(error: BaseException) -> None:
    assert is_given_up_early(error, monotonic(), Passed)
    assert not is_given_up_early(error, monotonic() - SILENCE, Passed)


@pytest.mark.parametrize("error", [Timeout("the server is silent"), ConnectionResetError()])
def test_any_other_error_is_one_of_the_connection(error: Exception) -> None:
    assert not is_given_up_early(error, monotonic(), Passed)
