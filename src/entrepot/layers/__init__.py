"""What wraps a service: the layers that are part of every stack, and those that users add with `Operator.layer`."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .capability_override import CapabilityOverrideLayer
    from .chaos import ChaosLayer
    from .complete import CompleteLayer
    from .concurrent_limit import ConcurrentLimitLayer
    from .correctness_check import CorrectnessCheckLayer
    from .error_context import ErrorContextLayer
    from .logging import LoggingLayer
    from .metrics import MetricsLayer
    from .mime_guess import MimeGuessLayer
    from .prefix import PrefixLayer
    from .read_only import ReadOnlyLayer
    from .retry import RetryEvent, RetryLayer
    from .throttle import ThrottleLayer
    from .timeout import TimeoutLayer
    from .tracing import TracingLayer
    from .type_erase import TypeEraseLayer

__all__ = [
    "CapabilityOverrideLayer",
    "ChaosLayer",
    "CompleteLayer",
    "ConcurrentLimitLayer",
    "CorrectnessCheckLayer",
    "ErrorContextLayer",
    "LoggingLayer",
    "MetricsLayer",
    "MimeGuessLayer",
    "PrefixLayer",
    "ReadOnlyLayer",
    "RetryEvent",
    "RetryLayer",
    "ThrottleLayer",
    "TimeoutLayer",
    "TracingLayer",
    "TypeEraseLayer",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ChaosLayer": "chaos",
        "CompleteLayer": "complete",
        "ConcurrentLimitLayer": "concurrent_limit",
        "CorrectnessCheckLayer": "correctness_check",
        "ErrorContextLayer": "error_context",
        "CapabilityOverrideLayer": "capability_override",
        "LoggingLayer": "logging",
        "MetricsLayer": "metrics",
        "MimeGuessLayer": "mime_guess",
        "PrefixLayer": "prefix",
        "ReadOnlyLayer": "read_only",
        "RetryEvent": "retry",
        "RetryLayer": "retry",
        "ThrottleLayer": "throttle",
        "TimeoutLayer": "timeout",
        "TracingLayer": "tracing",
        "TypeEraseLayer": "type_erase",
    },
)
