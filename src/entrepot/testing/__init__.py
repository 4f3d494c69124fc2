"""How to check a service or a layer of your own. Nothing here needs a test framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .behavior import CASES, FIXTURES, Case, IoRecorder, Target, cases_for, run_case
    from .faults import NO_FAULTS, Fault, FaultMix, FaultPlan, FaultProxy, FaultScript
    from .read_checker import TRAPS, BodyChecker, OracleViolation, ReaderChecker, Trap
    from .servers import (
        Nginx,
        S3Server,
        SeaweedFS,
        ServerFailed,
        juicefs,
        moto,
        nginx,
        radosgw,
        rclone,
        running,
        seaweedfs,
        swift,
    )
    from .synthetic import Call, Misuse, Script, Synthetic
    from .synthetic_tree import SyntheticTree
    from .transport import MockBody, MockTransport, RecordingTransport, reply

__all__ = [
    "CASES",
    "FIXTURES",
    "NO_FAULTS",
    "TRAPS",
    "BodyChecker",
    "Call",
    "Case",
    "Fault",
    "FaultMix",
    "FaultPlan",
    "FaultProxy",
    "FaultScript",
    "IoRecorder",
    "Misuse",
    "MockBody",
    "MockTransport",
    "Nginx",
    "OracleViolation",
    "ReaderChecker",
    "RecordingTransport",
    "S3Server",
    "Script",
    "SeaweedFS",
    "ServerFailed",
    "Synthetic",
    "SyntheticTree",
    "Target",
    "Trap",
    "cases_for",
    "juicefs",
    "moto",
    "nginx",
    "radosgw",
    "rclone",
    "reply",
    "run_case",
    "running",
    "seaweedfs",
    "swift",
]

_ROOMS = {
    "behavior": ("CASES", "FIXTURES", "Case", "IoRecorder", "Target", "cases_for", "run_case"),
    "faults": ("NO_FAULTS", "Fault", "FaultMix", "FaultPlan", "FaultProxy", "FaultScript"),
    "read_checker": ("TRAPS", "BodyChecker", "OracleViolation", "ReaderChecker", "Trap"),
    "servers": (
        *("Nginx", "S3Server", "SeaweedFS", "ServerFailed", "running"),
        *("juicefs", "moto", "nginx", "radosgw", "rclone", "seaweedfs", "swift"),
    ),
    "synthetic": ("Call", "Misuse", "Script", "Synthetic"),
    "synthetic_tree": ("SyntheticTree",),
    "transport": ("MockBody", "MockTransport", "RecordingTransport", "reply"),
}

__getattr__ = lazy_names(__name__, {name: room for room, names in _ROOMS.items() for name in names})
