"""`register`: takes over protocols that other packages have, such as `s3` of s3fs."""

from __future__ import annotations

from typing import Final

from fsspec import register_implementation

from .by_service import file_system_class

TAKEN_OVER: Final = ("s3", "file", "memory", "http")


def register(*schemes: str) -> None:
    """Makes fsspec use entrepot for the protocols of services, in this process and from now on.

    `s3` also takes over `s3a`, `file` also `local` and `fs`, `http` also `https`. The options are the configuration
    values of the service; those of s3fs, gcsfs and adlfs work as well, such as `key`, `secret` and `client_kwargs`.
    Instances that exist already are not changed.

    Arguments:
        schemes: schemes of services. By default `s3`, `file`, `memory` and `http`.

    Raises:
        ConfigInvalid: a scheme is unknown. The message lists the known ones.
    """
    classes = [file_system_class(scheme) for scheme in schemes or TAKEN_OVER]
    for cls in classes:
        for protocol in cls.protocol:
            register_implementation(protocol, cls, clobber=True)
