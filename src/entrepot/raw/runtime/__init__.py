"""How to wait. The only place that names an event loop; services and layers go through `Runtime`."""

from .base import File, Local, Runtime, Window

__all__ = ["File", "Local", "Runtime", "Window"]
