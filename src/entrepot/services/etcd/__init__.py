"""Objects in an etcd cluster."""

from .config import Etcd

__all__ = ["Etcd"]
