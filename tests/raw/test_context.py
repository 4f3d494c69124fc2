"""What a context gives, shares, closes, and takes through a pickle."""

import pickle
from typing import Any

from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.http import HttpTransport
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime
from entrepot.services import Fs


class Transport(HttpTransport):
    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


class Wrapped:
    """The runtime of a layer."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_makes_what_it_was_not_given_once() -> None:
    context = Context()
    assert isinstance(context.runtime, AsyncioRuntime)
    assert context.runtime is context.runtime
    assert context.http is context.http


def test_a_replaced_context_shares_what_was_not_replaced() -> None:
    context, runtime, transport = Context(), InlineRuntime(), Transport()
    other = context.replace(runtime=runtime)
    assert other.runtime is runtime
    assert other.http is context.http
    assert context.replace(http=transport).http is transport
    assert context.http is not transport


async def test_a_transport_that_was_passed_in_is_never_closed() -> None:
    transport = Transport()
    async with Operator(Fs("/"), context=Context(http=transport)):
        pass
    assert transport.closed == 0


async def test_closing_one_that_never_sent_anything_does_nothing() -> None:
    await Context().close()


def test_a_pickle_holds_what_was_passed_in_and_not_what_was_made() -> None:
    context = Context()
    assert context.http is not None
    copy = pickle.loads(pickle.dumps(context))
    assert copy.http is not context.http
    assert isinstance(pickle.loads(pickle.dumps(Context(InlineRuntime()))).runtime, InlineRuntime)


def test_an_operator_pickles_with_its_layers() -> None:
    copy = pickle.loads(pickle.dumps(Operator(Fs("/data"))))
    assert repr(copy) == repr(Operator(Fs("/data")))


def test_a_context_knows_whether_its_own_transport_was_asked_for() -> None:
    shared = Context(http=Transport())
    assert isinstance(shared.http, Transport)
    derived = shared.around_http(lambda inner: inner)
    assert (shared.uses_http, derived.uses_http, shared.replace().uses_http) == (True, False, False)
    assert derived.http is shared.http
    assert derived.uses_http


def test_a_context_is_read_only_once_a_layer_says_so_and_stays_it_in_those_derived_from_it() -> None:
    context = Context(InlineRuntime(), Transport())
    read_only = context.read_only()
    assert (context.is_read_only, read_only.is_read_only) == (False, True)
    assert read_only.http is context.http
    assert read_only.runtime is context.runtime
    assert read_only.replace(runtime=InlineRuntime()).is_read_only
    assert read_only.replace(http=Transport()).is_read_only
    assert read_only.around_http(lambda inner: inner).is_read_only
    assert not context.replace().is_read_only


async def test_stacks_of_a_context_share_a_value_of_their_loop_and_close_closes_it() -> None:
    context, closed = Context(), list[object]()

    async def close(value: object) -> None:
        closed.append(value)

    first = await context.shared_local("pool", object, close).get()
    assert await context.replace().shared_local("pool", object, close).get() is first
    assert await context.shared_local("other", object).get() is not first
    # A layer may wrap the runtime of both, which are still two.
    wrapped, without_loop = (each.replace(runtime=Wrapped(each.runtime)) for each in (context, context.without_loop()))
    assert await wrapped.shared_local("pool", object, close).get() is first
    assert wrapped.shared("pool", object) is not without_loop.shared("pool", object)
    assert wrapped.shared_local("pool", object) is not without_loop.shared_local("pool", object)
    await context.without_loop().close()
    assert closed == []
    await context.close()
    assert closed == [first]
    assert await context.shared_local("pool", object, close).get() is not first
