"""How the traces of a service name what it stores."""

from __future__ import annotations

from typing import NamedTuple


class Telemetry(NamedTuple):
    """OpenTelemetry's names for the objects of a service, and the headers that its requests sign.

    Arguments:
        name: the attribute of `AccessorInfo.name`, such as `"aws.s3.bucket"`; empty where the conventions have none.
        path: the attribute of the full path of an object, such as `"aws.s3.key"`; empty where they have none.
        is_rooted: whether that path starts with a slash.
        signed_headers: the prefixes, in lower case, of header names that must be signed. A layer that adds headers
            after signing leaves those out.
    """

    name: str = ""
    path: str = ""
    is_rooted: bool = False
    signed_headers: tuple[str, ...] = ()
