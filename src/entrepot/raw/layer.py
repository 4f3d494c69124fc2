"""What wraps."""

from __future__ import annotations

from .accessor import Accessor
from .context import Context


class Layer:
    """Something around a service. Both hooks are optional; what a layer knows lives in the layer.

    The layer added last is the outermost. Hooks run whenever a stack is built, so one layer may wrap
    several stacks, and it holds nothing that belongs to an event loop (use `runtime.local` for that).
    """

    def wrap_context(self, context: Context) -> Context:
        """A context that the service is built with, for layers around HTTP requests or time."""
        return context

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        """An accessor around another, for layers around operations and bodies.

        Arguments:
            accessor: what is wrapped.
            context: what the service of this stack was built with: `context.runtime` waits.
        """
        return accessor
