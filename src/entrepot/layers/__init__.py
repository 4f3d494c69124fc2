"""Layers: those of every stack (`always`), and those that users add with `Operator.layer`."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

if TYPE_CHECKING:
    from .always.complete import CompleteLayer
    from .always.correctness_check import CorrectnessCheckLayer
    from .always.error_context import ErrorContextLayer
    from .always.type_erase import TypeEraseLayer
    from .capability_override import CapabilityOverrideLayer
    from .chaos import ChaosLayer
    from .concurrent_limit import ConcurrentLimitLayer
    from .logging import LoggingLayer
    from .metadata_fallback import MetadataFallbackLayer
    from .metrics import MetricsLayer
    from .mime_guess import MimeGuessLayer
    from .prefix import PrefixLayer
    from .read_only import ReadOnlyLayer
    from .retry import RetryEvent, RetryLayer
    from .throttle import ThrottleLayer
    from .timeout import TimeoutLayer
    from .tracing import TracingLayer

__all__ = [
    "CapabilityOverrideLayer",
    "ChaosLayer",
    "CompleteLayer",
    "ConcurrentLimitLayer",
    "CorrectnessCheckLayer",
    "ErrorContextLayer",
    "LoggingLayer",
    "MetadataFallbackLayer",
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
        "CompleteLayer": "always.complete",
        "ConcurrentLimitLayer": "concurrent_limit",
        "CorrectnessCheckLayer": "always.correctness_check",
        "ErrorContextLayer": "always.error_context",
        "CapabilityOverrideLayer": "capability_override",
        "LoggingLayer": "logging",
        "MetadataFallbackLayer": "metadata_fallback",
        "MetricsLayer": "metrics",
        "MimeGuessLayer": "mime_guess",
        "PrefixLayer": "prefix",
        "ReadOnlyLayer": "read_only",
        "RetryEvent": "retry",
        "RetryLayer": "retry",
        "ThrottleLayer": "throttle",
        "TimeoutLayer": "timeout",
        "TracingLayer": "tracing",
        "TypeEraseLayer": "always.type_erase",
    },
)
__dir__ = lazy_dir(__name__)
