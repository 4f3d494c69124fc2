"""How the traces of a service name what it stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class Telemetry:
    """OpenTelemetry's names for the objects of a service.

    Arguments:
        name: the attribute of `AccessorInfo.name`, such as `"aws.s3.bucket"`; empty where the conventions have none.
        path: the attribute of the full path of an object, such as `"aws.s3.key"`; empty where they have none.
        is_rooted: whether that path starts with a slash.
    """

    name: str = ""
    path: str = ""
    is_rooted: bool = False
