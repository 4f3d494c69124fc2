"""How to check a service or a layer of your own. Nothing here needs a test framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .read_checker import TRAPS, BodyChecker, OracleViolation, ReaderChecker, Trap
    from .servers import Nginx, SeaweedFS, ServerFailed, nginx, running, seaweedfs
    from .synthetic import Call, Misuse, Script, Synthetic
    from .transport import MockBody, MockTransport, RecordingTransport, reply

__all__ = [
    "TRAPS",
    "BodyChecker",
    "Call",
    "Misuse",
    "MockBody",
    "MockTransport",
    "Nginx",
    "OracleViolation",
    "ReaderChecker",
    "RecordingTransport",
    "Script",
    "SeaweedFS",
    "ServerFailed",
    "Synthetic",
    "Trap",
    "nginx",
    "reply",
    "running",
    "seaweedfs",
]

_ROOMS = {
    "read_checker": ("TRAPS", "BodyChecker", "OracleViolation", "ReaderChecker", "Trap"),
    "servers": ("Nginx", "SeaweedFS", "ServerFailed", "nginx", "running", "seaweedfs"),
    "synthetic": ("Call", "Misuse", "Script", "Synthetic"),
    "transport": ("MockBody", "MockTransport", "RecordingTransport", "reply"),
}

__getattr__ = lazy_names(__name__, {name: room for room, names in _ROOMS.items() for name in names})
