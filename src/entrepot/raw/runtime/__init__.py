"""How to wait. The only place that names an event loop; services and layers go through `Runtime`."""

from .base import File, Local, Runner, Runtime, Window

__all__ = ["File", "Local", "Runner", "Runtime", "Window"]
