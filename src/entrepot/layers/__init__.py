"""What wraps a service. The layers here are part of every stack; users add theirs with `Operator.layer`."""

from .complete import CompleteLayer
from .correctness_check import CorrectnessCheckLayer
from .error_context import ErrorContextLayer
from .type_erase import TypeEraseLayer

__all__ = ["CompleteLayer", "CorrectnessCheckLayer", "ErrorContextLayer", "TypeEraseLayer"]
