"""The configuration class of each built-in service, imported on first use.

Written by `python tools/generate_services.py`; edits are lost.
"""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_dir, lazy_names

if TYPE_CHECKING:
    from .azblob import Azblob
    from .azdls import Azdls
    from .etcd import Etcd
    from .fs import Fs
    from .ftp import Ftp
    from .gcs import Gcs
    from .hf import Hf
    from .http import Http
    from .memory import Memory
    from .postgresql import Postgresql
    from .redis import Redis
    from .s3 import S3
    from .sftp import Sftp
    from .sqlite import Sqlite
    from .tar import Tar
    from .webdav import Webdav
    from .webhdfs import Webhdfs
    from .zip import Zip

__all__ = [
    "S3",
    "Azblob",
    "Azdls",
    "Etcd",
    "Fs",
    "Ftp",
    "Gcs",
    "Hf",
    "Http",
    "Memory",
    "Postgresql",
    "Redis",
    "Sftp",
    "Sqlite",
    "Tar",
    "Webdav",
    "Webhdfs",
    "Zip",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Azblob": "azblob",
        "Azdls": "azdls",
        "Etcd": "etcd",
        "Fs": "fs",
        "Ftp": "ftp",
        "Gcs": "gcs",
        "Hf": "hf",
        "Http": "http",
        "Memory": "memory",
        "Postgresql": "postgresql",
        "Redis": "redis",
        "S3": "s3",
        "Sftp": "sftp",
        "Sqlite": "sqlite",
        "Tar": "tar",
        "Webdav": "webdav",
        "Webhdfs": "webhdfs",
        "Zip": "zip",
    },
)
__dir__ = lazy_dir(__name__)
