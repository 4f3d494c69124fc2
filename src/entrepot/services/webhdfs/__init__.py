"""Files in HDFS, by its HTTP interface."""

from .config import Webhdfs

__all__ = ["Webhdfs"]
