"""Assembles the stack of an operator: the service, and the layers around it.

From the inside: the service, the layers that every stack has (`CompleteLayer`, `CorrectnessCheckLayer`,
`ErrorContextLayer`), the caller's layers with the default retries and timeouts among them, and `TypeEraseLayer`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from entrepot import layers as automatic
from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, AccessorInfo, Context, Layer, ServiceConfig
from entrepot.raw.log import DEBUG, log
from entrepot.raw.storage import Storage

from .composition import accessor_of, configured, is_composite, with_configured_source, works_without_loop
from .preload import preload
from .resilience import Resilience

_MOST_SOURCES: Final = 16
"""The most stacks for copies from other configurations that one stack keeps."""


class Stack:
    """An assembled stack, with the values that it was assembled from. Immutable.

    Arguments:
        config: builds the service.
        layers: the layers of the caller, the last one outermost.
        context: the runtime and the HTTP transport that the service is built with.
        resilience: the default retries and timeouts of a remote service; None leaves them out.

    Attributes:
        accessor: the outermost accessor.
    """

    __slots__ = ("_copying", "accessor", "config", "context", "layers", "resilience")

    def __init__(
        self, config: ServiceConfig, layers: tuple[Layer, ...], context: Context, resilience: Resilience | None
    ) -> None:
        preload(needs_loop=config.NEEDS_LOOP)
        self.config = config
        self.layers = layers
        self.context = context
        self.resilience = resilience
        self.accessor = assemble(config, layers, context, resilience)
        self._copying: list[tuple[ServiceConfig, Accessor]] = []

    @classmethod
    def of(cls, config: object, layers: object, context: object, resilient: object) -> Stack:
        """The stack of the arguments of `Operator`.

        Raises:
            InvalidInput: an argument has the wrong type.
        """
        if not isinstance(config, ServiceConfig):
            raise InvalidInput(f"an operator is made from a configuration such as Fs(root), {_wrong_config(config)}")
        checked_layers = _checked_layers(layers)
        if context is not None and not isinstance(context, Context):
            raise InvalidInput(f"a context is a Context, not {type(context).__name__}")
        if not isinstance(resilient, bool):
            raise InvalidInput(f"resilient must be True or False, not a {type(resilient).__name__}")
        resilience = Resilience() if resilient else None
        return cls(with_configured_source(config), checked_layers, context or Context(), resilience)

    @property
    def works_without_loop(self) -> bool:
        """Whether blocking calls may be made without an event loop: all of them, or those with a single request."""
        if not self.config.NEEDS_LOOP:
            return True
        is_ours = works_without_loop(self.config) and not self.context.has_given_http
        return is_ours and all(vars(type(layer)).get("WORKS_WITHOUT_LOOP", False) for layer in self.layers)

    def with_layer(self, layer: Layer) -> Stack:
        """The stack with one more layer around it. It shares connections and the retry budget with this one."""
        return Stack(self.config, (*self.layers, _checked_layer(layer)), self.context, self.resilience)

    def without_loop(self) -> Stack:
        """The stack on the inline runtime, whose calls never wait for an event loop."""
        return Stack(self.config, self.layers, self.context.without_loop(), self.resilience)

    def copying_from(self, source: ServiceConfig) -> Accessor | None:
        """The stack whose `copy` takes its source from another configuration; None if the storage cannot do that.

        It is kept, because its service may hold credentials that took requests to obtain.
        """
        for known, accessor in self._copying:
            if known == source:
                return accessor
        build = self.config.builder_of_copies(source)
        if build is None:
            return None
        if len(self._copying) >= _MOST_SOURCES:
            self._copying.clear()
        accessor = assemble(self.config, self.layers, self.context, self.resilience, build=build)
        self._copying.append((source, accessor))
        return accessor

    def __repr__(self) -> str:
        layers = _with_defaults(self.config, self.layers, self.accessor.info, self.resilience)
        return ", ".join([repr(self.config), *(type(layer).__name__ for layer in layers)])


def assemble(
    config: ServiceConfig,
    layers: tuple[Layer, ...],
    context: Context,
    resilience: Resilience | None = None,
    *,
    build: Callable[[Context], Accessor] | None = None,
) -> Accessor:
    """Builds the service and wraps it: first in the automatic layers, then in those of the caller.

    Arguments:
        config: builds the service.
        layers: the layers of the caller, the last one outermost.
        context: the runtime and the HTTP transport that the service is built with.
        resilience: adds the default retries and timeouts where the service is remote.
        build: builds the service in another way than `config.build`.
    """
    open_storage = partial(_open_storage, resilience)
    context = context.for_service(config.TELEMETRY, config.http_settings, open_storage)
    for layer in layers:
        context = layer.wrap_context(context)
    accessor = (build or config.build)(context)
    for layer in (automatic.CompleteLayer(), automatic.CorrectnessCheckLayer(), automatic.ErrorContextLayer()):
        accessor = layer.wrap(accessor, context)
    for layer in (*_with_defaults(config, layers, accessor.info, resilience), automatic.TypeEraseLayer()):
        accessor = layer.wrap(accessor, context)
    log(DEBUG, "built %r with %d layers", config, len(layers))
    return accessor


def _open_storage(resilience: Resilience | None, source: str | ServiceConfig | Storage, context: Context) -> Accessor:
    """The stack of the storage below a service. One of a configuration has the retries and timeouts of that above."""
    if isinstance(source, Storage):
        return accessor_of(source, context)
    return assemble(configured(source), (), context, resilience)


def _with_defaults(
    config: ServiceConfig, layers: tuple[Layer, ...], info: AccessorInfo, resilience: Resilience | None
) -> tuple[Layer, ...]:
    """The caller's layers, with the default ones of a remote service among them, unless the storage below has them."""
    if resilience is None or not info.is_remote or is_composite(config):
        return layers
    return resilience.around(layers)


def _wrong_config(config: object) -> str:
    """The type of a wrong configuration, with a hint. Never its value: a URI or a mapping may hold a secret."""
    hint = ""
    if isinstance(config, str):
        hint = "; Operator.from_uri takes a URI"
    elif isinstance(config, Mapping):
        hint = "; Operator.from_config takes a scheme and a mapping"
    elif isinstance(config, os.PathLike):
        hint = "; Fs(path) is the configuration of a local directory"
    elif isinstance(config, type) and issubclass(config, ServiceConfig):
        hint = "; make an instance of it"
    return f"not {type(config).__name__}{hint}"


def _checked_layers(layers: object) -> tuple[Layer, ...]:
    if not isinstance(layers, Iterable):
        raise InvalidInput(f"layers are a tuple of layers, not {type(layers).__name__}")
    return tuple(map(_checked_layer, layers))


def _checked_layer(layer: object) -> Layer:
    if isinstance(layer, Layer):
        return layer
    raise InvalidInput(f"a layer is an instance of Layer, not {type(layer).__name__}")
