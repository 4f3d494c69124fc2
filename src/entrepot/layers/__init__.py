"""What wraps a service. The layers here are part of every stack; users add theirs with `Operator.layer`."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .complete import CompleteLayer
    from .correctness_check import CorrectnessCheckLayer
    from .error_context import ErrorContextLayer
    from .type_erase import TypeEraseLayer

__all__ = ["CompleteLayer", "CorrectnessCheckLayer", "ErrorContextLayer", "TypeEraseLayer"]

__getattr__ = lazy_names(
    __name__,
    {
        "CompleteLayer": "complete",
        "CorrectnessCheckLayer": "correctness_check",
        "ErrorContextLayer": "error_context",
        "TypeEraseLayer": "type_erase",
    },
)
