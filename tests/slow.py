"""The slow tests, which `make test` leaves out and `make test-all` runs: few of the cases, most of the time.

A pattern matches the start of a test's id. `make test ARGS="--durations=50"` shows what belongs here.
"""

import re

SLOW = {
    r"tests/reliability/": "cancels, kills or restarts clients and servers, again and again",
    r"tests/services/fs/test_interrupt\.py": "makes each call once for each bytecode that can be interrupted",
    r"tests/blocking/test_interrupts\.py": "the same for the event loop's thread",
    r"tests/blocking/test_processes\.py": "starts an interpreter for each way to end one",
    r"tests/(behavior|blocking)/test_suite\.py::test_case\[(seaweedfs|moto|juicefs).*-uploads\.": "sends many MiB",
    r"tests/(behavior|blocking)/test_suite\.py::test_case\[seaweedfs.*one_winner": "has many writers",
    r"tests/facade/test_preload\.py::test_no_operation_imports_anything\[s3\]": "calls all in new interpreters",
    r"tests/integration/test_presigned\.py::test_one_that_has_expired_is_refused": "waits until a second has passed",
    r"tests/docs/test_third_party\.py": "builds and installs a package",
    r"tests/tools/test_new_service\.py::test_the_service_passes": "runs the behaviour suite in a copy of the tree",
    r"tests/docs/test_import_cost\.py": "starts 90 interpreters to find the cheapest",
}
_PATTERN = re.compile("|".join(SLOW))


def is_slow(nodeid: str) -> bool:
    """Whether the list of slow tests has the test with this id."""
    return _PATTERN.match(nodeid) is not None
