"""`Runtime`: threads, timers, tasks and locks for services and layers. The only place that names an event loop."""

from .base import CallQueue, File, Local, Runner, Runtime, Started, Window

__all__ = ["CallQueue", "File", "Local", "Runner", "Runtime", "Started", "Window"]
