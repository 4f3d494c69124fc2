"""The demo does its main job on a small file, and it would notice if a service did worse."""

import importlib.util
import re
import subprocess
import sys
from types import ModuleType

import pytest

from tests.docs.markdown import PROJECT

SCRIPT = PROJECT / "examples" / "quickstart.py"


@pytest.fixture(scope="module")
def quickstart() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quickstart", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["quickstart"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_four_services_give_the_same_bytes_for_the_fewest_requests() -> None:
    command = [sys.executable, "-W", "error", str(SCRIPT), "--size", "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"(fs|memory|http|s3) ", line)]
    requests = {(row[0], row[1]): int(row[-2]) for row in rows}
    assert {service for service, _ in requests} == {"fs", "memory", "http", "s3"}
    for service in ("http", "s3"):
        assert requests[service, "read"] == requests[service, "range"] == 1
        assert 1 <= requests[service, "tail"] <= 2
        assert requests[service, "stream"] == 3  # 9 MiB and a little by chunks of 4 MiB
    checksums = {(row[1], row[2]) for row in rows if row[1] != "total"}
    assert len(checksums) == 4
    assert len({name for name, _ in checksums}) == 4
    assert "9 members" in done.stdout


def _result(quickstart: ModuleType, service: str, read: str, checksum: str, requests: int, received: int) -> object:
    traffic = quickstart.Traffic(requests, received)
    return quickstart.Result(service, read, checksum, 100, 0.1, traffic, b"")


@pytest.mark.parametrize(
    ("worse", "complaint"),
    [
        (("s3", "read", "0ff", 1, 100), "read of s3 returned other bytes than fs"),
        (("s3", "read", "abc", 2, 100), "read of s3 sent 2 requests instead of 1"),
        (("s3", "stream", "0ff", 1, 100), "stream of s3 returned other bytes than fs"),
        (("s3", "tail", "abc", 3, 100), "tail of s3 sent 3 requests instead of 2"),
        (("s3", "range", "abc", 1, 101), "range of s3 received 101 bytes to return 100"),
    ],
)
def test_a_service_that_does_worse_is_found_out(
    quickstart: ModuleType, worse: tuple[str, str, str, int, int], complaint: str
) -> None:
    good = [_result(quickstart, "fs", read, "abc", 0, 0) for read in quickstart.READS]
    assert list(quickstart.faults(good)) == []
    assert list(quickstart.faults([*good, _result(quickstart, *worse)])) == [complaint]


def test_a_storage_that_is_not_there_ends_it_with_a_sentence() -> None:
    command = [sys.executable, str(SCRIPT), "--uri", "memory://", "--path", "missing.zip"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("The demo failed: NotFound: ")
    assert "Traceback" not in done.stderr
