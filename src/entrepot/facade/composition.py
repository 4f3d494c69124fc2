"""The storage below a service that is built over another one: an operator, a configuration, or a URI of one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from entrepot.raw import Accessor, ServiceConfig
from entrepot.raw.config import parse_uri
from entrepot.raw.storage import Storage
from entrepot.services.registry import service_class

if TYPE_CHECKING:
    from entrepot.raw import Context
    from entrepot.raw.composite import CompositeConfig

    from .operations import Operations


def with_configured_source(config: ServiceConfig) -> ServiceConfig:
    """The configuration, with the configuration that its source means where that is a URI. Others are returned as is.

    Raises:
        ConfigInvalid: the source is not the URI of a service.
    """
    composite = _as_composite(config)
    if composite is None or isinstance(composite.source, Storage):
        return config
    source = configured(composite.source)
    if source is composite.source:
        return config
    from dataclasses import replace

    return replace(composite, source=source)


def configured(source: str | ServiceConfig) -> ServiceConfig:
    """The configuration that a source means, with those that its own sources mean.

    Raises:
        ConfigInvalid: the source is not the URI of a service.
    """
    if isinstance(source, str):
        source = service_class(parse_uri(source).scheme).from_uri(source)
    return with_configured_source(source)


def is_composite(config: ServiceConfig) -> bool:
    """Whether a service is built over another storage."""
    return _as_composite(config) is not None


def works_without_loop(config: ServiceConfig) -> bool:
    """What `config.works_without_loop` says, where an operator is below: whether its calls may be made without a loop.

    Those of a subclass of `Operator` may need one, because its methods may await anything.
    """
    composite = _as_composite(config)
    if composite is None or not isinstance(composite.source, Storage):
        return config.works_without_loop
    from .operator import Operator

    return type(composite.source) is Operator and composite.source._stack.works_without_loop  # noqa: SLF001


def accessor_of(operator: Storage, context: Context) -> Accessor:
    """The stack of an operator, for a service that is built over it in a context: without a loop if that has none."""
    stack = cast("Operations", operator)._stack  # noqa: SLF001 - its class has no public name for it
    return (stack.without_loop() if context.has_no_loop else stack).accessor


def _as_composite(config: ServiceConfig) -> CompositeConfig | None:
    composite = sys.modules.get("entrepot.raw.composite")  # a service over another one has imported it
    return config if composite is not None and isinstance(config, composite.CompositeConfig) else None
