"""One suite for all layers: each layer keeps the duties of layers on every operation and every verb of its bodies.

A new layer gets a line in `LAYERS`; the suite fails while it is missing.
"""

from asyncio import wait_for
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules

import pytest
from prometheus_client import CollectorRegistry

from entrepot import NotFound, layers
from entrepot.layers import (
    CapabilityOverrideLayer,
    ChaosLayer,
    CompleteLayer,
    ConcurrentLimitLayer,
    CorrectnessCheckLayer,
    ErrorContextLayer,
    LoggingLayer,
    MetadataFallbackLayer,
    MetricsLayer,
    MimeGuessLayer,
    PrefixLayer,
    ReadOnlyLayer,
    RetryLayer,
    ThrottleLayer,
    TimeoutLayer,
    TracingLayer,
    TypeEraseLayer,
)
from entrepot.raw import OPERATIONS, AroundAccessor, Context, Layer, LayeredAccessor, Operation
from entrepot.raw.http import HttpRequest
from entrepot.testing.transport import MockTransport, reply
from tests.layers import calls
from tests.layers.calls import CALLS, EVERYTHING, PATH, PATHS, Service

# Each layer as its users make it, and the operations that it changes. It leaves the others as they are.
LAYERS: dict[type[Layer], tuple[Callable[[], Layer], set[str]]] = {
    ChaosLayer: (lambda: ChaosLayer(error_ratio=0), set(OPERATIONS)),
    CompleteLayer: (CompleteLayer, {"stat", "read", "create_dir", "list"}),
    ConcurrentLimitLayer: (lambda: ConcurrentLimitLayer(1, http_limit=1), set(OPERATIONS) - {"presign"}),
    CorrectnessCheckLayer: (CorrectnessCheckLayer, set(OPERATIONS)),
    ErrorContextLayer: (ErrorContextLayer, set(OPERATIONS)),
    RetryLayer: (RetryLayer, set(OPERATIONS)),
    LoggingLayer: (LoggingLayer, set(OPERATIONS)),
    MetricsLayer: (lambda: MetricsLayer(CollectorRegistry()), set(OPERATIONS)),
    ThrottleLayer: (lambda: ThrottleLayer(bandwidth=1e9, requests=1e9), set(OPERATIONS) - {"presign"}),
    TimeoutLayer: (TimeoutLayer, set(OPERATIONS)),
    TracingLayer: (TracingLayer, set(OPERATIONS)),
    TypeEraseLayer: (TypeEraseLayer, set()),
    CapabilityOverrideLayer: (CapabilityOverrideLayer, set()),
    MetadataFallbackLayer: (lambda: MetadataFallbackLayer(drop=True), set()),
    MimeGuessLayer: (MimeGuessLayer, {"stat", "read", "write", "shared_upload"}),
}

# Layers that are there to change what passes through. Their own tests go through all of `CALLS`.
CHANGING: set[type[Layer]] = {PrefixLayer, ReadOnlyLayer}


every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
every_operation = pytest.mark.parametrize("operation", CALLS, ids=str)


def _layer_classes() -> set[type[Layer]]:
    """The public layers, by looking into every file of the room."""
    folder = str(Path(layers.__file__).parent)
    modules = [import_module(f"{layers.__name__}.{module.name}") for module in iter_modules([folder])]
    values = [value for module in modules for name, value in vars(module).items() if not name.startswith("_")]
    return {value for value in values if isclass(value) and issubclass(value, Layer) and value is not Layer}


def test_every_layer_is_in_this_suite() -> None:
    names = {layer.__name__ for layer in _layer_classes()}
    missing = names - {layer.__name__ for layer in {*LAYERS, *CHANGING}}
    assert not missing, f"not exercised by the suite of all layers: add {', '.join(missing)} to LAYERS in {__file__}"
    unlisted = names - set(layers.__all__)
    assert not unlisted, f"{', '.join(unlisted)} cannot be imported from entrepot.layers: add it to its __all__"


def test_every_operation_is_in_this_suite() -> None:
    missing = set(Operation) - set(CALLS)
    assert not missing, (
        f"not exercised by the suite of all layers: add {', '.join(missing)} to CALLS in {calls.__file__}"
    )


@every_layer
@every_operation
async def test_what_passes_through_is_unchanged(layer: type[Layer], operation: Operation) -> None:
    service = Service()
    call, arguments, answer = CALLS[operation]
    assert await call(LAYERS[layer][0]().wrap(service, Context())) is answer
    assert [args for arrived, args in service.arrived if arrived is operation] == [arguments]


@every_layer
@every_operation
async def test_an_error_comes_out_typed_and_names_scheme_operation_and_path(
    layer: type[Layer], operation: Operation
) -> None:
    service = Service(fails_at=operation)
    stack = LAYERS[layer][0]().wrap(ErrorContextLayer().wrap(service, Context()), Context())
    with pytest.raises(NotFound) as caught:
        await CALLS[operation][0](stack)
    error = caught.value
    path = PATHS.get(operation, PATH)
    assert (error.kind, error.scheme, error.operation, error.path) == ("NotFound", "test", operation, path)
    assert service.arrived[-1][0] is operation


@every_layer
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_is_not_changed_is_the_inner_bound_method(layer: type[Layer], operation: str) -> None:
    service = Service()
    wrapped = LAYERS[layer][0]().wrap(service, Context())
    is_untouched = getattr(wrapped, operation) == getattr(service, operation)
    assert is_untouched == (operation not in LAYERS[layer][1])


@every_layer
def test_the_scheme_root_and_name_stay(layer: type[Layer]) -> None:
    service = Service()
    info = LAYERS[layer][0]().wrap(service, Context()).info
    assert (info.scheme, info.root, info.name) == (service.info.scheme, service.info.root, service.info.name)
    assert info.native_capability == EVERYTHING


@pytest.mark.parametrize(
    "layer", [layer for layer in LAYERS if layer is not ConcurrentLimitLayer], ids=lambda layer: layer.__name__
)
@every_operation
async def test_the_same_layer_twice_waits_for_nothing(layer: type[Layer], operation: Operation) -> None:
    twice = LAYERS[layer][0]()
    context = twice.wrap_context(twice.wrap_context(Context()))
    stack = twice.wrap(twice.wrap(Service(), context), context)
    call, _, answer = CALLS[operation]
    assert await wait_for(call(stack), 30) is answer


@every_layer
async def test_a_request_stays_what_its_sender_made(layer: type[Layer]) -> None:
    transport = MockTransport(lambda _: reply(200, b"content"))
    context = LAYERS[layer][0]().wrap_context(Context(http=transport))
    request = HttpRequest("GET", "http://h/a", [("a", "b")], b"content")
    before = replace(request, headers=list(request.headers))
    for _ in range(2):
        await (await context.http.send(request)).body.close()
    assert request == before
    assert len(transport.requests) == 2


@pytest.mark.parametrize("base", [LayeredAccessor, AroundAccessor], ids=lambda base: base.__name__)
@every_operation
async def test_the_bases_of_layers_pass_everything_through(base: type[LayeredAccessor], operation: Operation) -> None:
    service = Service()
    call, arguments, answer = CALLS[operation]
    assert await call(base(service)) is answer
    assert [args for arrived, args in service.arrived if arrived is operation] == [arguments]
