"""How to check a service or a layer of your own. Nothing here needs a test framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .behavior import CASES, FIXTURES, Case, IoRecorder, Target, cases_for, run_case
    from .faults import NO_FAULTS, Fault, FaultMix, FaultPlan, FaultProxy, FaultScript
    from .read_checker import TRAPS, BodyChecker, OracleViolation, ReaderChecker, Trap
    from .scripted_server import (
        CLOSE,
        END,
        FORWARD,
        HOLD,
        PASS,
        PAUSE,
        RESET,
        STALL,
        Action,
        Answer,
        DeadConnections,
        Drip,
        EveryNth,
        InTurn,
        OneObject,
        ReceivedRequest,
        ScriptedServer,
        Take,
        Together,
        chunked,
        raw_response,
        whole_response,
    )
    from .servers import (
        GcsServer,
        Nginx,
        NotInstalled,
        S3Server,
        SeaweedFS,
        ServerFailed,
        StrictGcs,
        fake_gcs,
        juicefs,
        moto,
        nginx,
        radosgw,
        rclone,
        running,
        seaweedfs,
        strict_gcs,
        swift,
    )
    from .synthetic import Call, Misuse, Script, Synthetic
    from .synthetic_tree import SyntheticTree
    from .transport import MockBody, MockTransport, RecordingTransport, reply

__all__ = [
    "CASES",
    "CLOSE",
    "END",
    "FIXTURES",
    "FORWARD",
    "HOLD",
    "NO_FAULTS",
    "PASS",
    "PAUSE",
    "RESET",
    "STALL",
    "TRAPS",
    "Action",
    "Answer",
    "BodyChecker",
    "Call",
    "Case",
    "DeadConnections",
    "Drip",
    "EveryNth",
    "Fault",
    "FaultMix",
    "FaultPlan",
    "FaultProxy",
    "FaultScript",
    "GcsServer",
    "InTurn",
    "IoRecorder",
    "Misuse",
    "MockBody",
    "MockTransport",
    "Nginx",
    "NotInstalled",
    "OneObject",
    "OracleViolation",
    "ReaderChecker",
    "ReceivedRequest",
    "RecordingTransport",
    "S3Server",
    "Script",
    "ScriptedServer",
    "SeaweedFS",
    "ServerFailed",
    "StrictGcs",
    "Synthetic",
    "SyntheticTree",
    "Take",
    "Target",
    "Together",
    "Trap",
    "cases_for",
    "chunked",
    "fake_gcs",
    "juicefs",
    "moto",
    "nginx",
    "radosgw",
    "raw_response",
    "rclone",
    "reply",
    "run_case",
    "running",
    "seaweedfs",
    "strict_gcs",
    "swift",
    "whole_response",
]

_ROOMS = {
    "behavior": ("CASES", "FIXTURES", "Case", "IoRecorder", "Target", "cases_for", "run_case"),
    "faults": ("NO_FAULTS", "Fault", "FaultMix", "FaultPlan", "FaultProxy", "FaultScript"),
    "read_checker": ("TRAPS", "BodyChecker", "OracleViolation", "ReaderChecker", "Trap"),
    "scripted_server": (
        *("CLOSE", "END", "FORWARD", "HOLD", "PASS", "PAUSE", "RESET", "STALL"),
        *("Action", "Answer", "Drip", "ReceivedRequest", "ScriptedServer", "Take", "Together"),
        *("DeadConnections", "EveryNth", "InTurn", "OneObject", "chunked", "raw_response", "whole_response"),
    ),
    "servers": (
        *("GcsServer", "Nginx", "NotInstalled", "S3Server", "SeaweedFS", "ServerFailed", "StrictGcs", "running"),
        *("fake_gcs", "juicefs", "moto", "nginx", "radosgw", "rclone", "seaweedfs", "strict_gcs", "swift"),
    ),
    "synthetic": ("Call", "Misuse", "Script", "Synthetic"),
    "synthetic_tree": ("SyntheticTree",),
    "transport": ("MockBody", "MockTransport", "RecordingTransport", "reply"),
}

__getattr__ = lazy_names(__name__, {name: room for room, names in _ROOMS.items() for name in names})
