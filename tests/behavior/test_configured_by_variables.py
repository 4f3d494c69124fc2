"""`make behavior SERVICE=...` runs the suite on what variables configure, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def run_suite(tmp_path, *options, **variables):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/behavior/test_real_store.py"]
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*command, *options], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=55
    )


def test_the_store_that_is_configured_is_checked_under_a_root_that_is_deleted(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "kept").write_bytes(b"not ours")
    root = {"ENTREPOT_TEST": "fs", "ENTREPOT_TEST_FS_ROOT": str(tmp_path / "store")}
    done = run_suite(tmp_path, "-k", "rename or create_dir", **root)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["kept"]


def test_a_field_that_is_unknown_is_named(tmp_path):
    done = run_suite(tmp_path, ENTREPOT_TEST="fs", ENTREPOT_TEST_FS_ROOTS=str(tmp_path))
    assert done.returncode != 0
    assert "ConfigInvalid" in done.stdout
    assert "roots" in done.stdout
