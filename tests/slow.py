"""The slow tests, which `make test` leaves out and `make test-all` runs: few of the cases, most of the time.

Those of a kind are named by patterns, which match the start of a test's id. Single ones are in `slow.txt`, because they
took more than a tenth of a second. What has become slow is added there by

    make test ARGS="-vv --durations=0 --durations-min=0.1" | python -m tests.slow
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

LIMIT = 0.1
"""Seconds; a call of a test that takes longer is slow."""

FEW = 20
"""With up to so many cases a test is slow as a whole, with more only by the cases that are: the suite is one test."""

SLOW = {
    r"tests/reliability/": "cancels, kills or restarts clients and servers, again and again",
    r"tests/services/fs/test_interrupt\.py": "makes each call once for each bytecode that can be interrupted",
    r"tests/blocking/test_interrupts\.py": "the same for the event loop's thread",
    r"tests/blocking/test_processes\.py": "starts an interpreter for each way to end one",
    r"tests/(behavior|blocking)/test_suite\.py::test_case\[(seaweedfs|moto|juicefs).*-uploads\.": "sends many MiB",
    r"tests/(behavior|blocking)/test_suite\.py::test_case\[seaweedfs.*one_winner": "has many writers",
    r"tests/behavior/test_suite\.py::test_case\[moto": "the suite on a second server of S3",
    r"tests/(?!services/).*\[(\w+-)?(gcs|azblob|azdls|webdav|webhdfs|hf|sftp|ftp|zip|tar)[_\]-]": "what all promise",
    r"tests/services/(zip|tar)/test_\w+\.py::test_(it_reads_what|reads_of|two_loops|mutated|requests)": "many archives",
    r"tests/(?!services/).*\[(\w+-)?(redis|sqlite|postgresql|etcd|memcached)[_\]-]": "the same for keys and values",
    r"tests/services/test_endpoint_schemes\.py": "starts two web servers",
    r"tests/services/postgresql/test_postgresql\.py::(?!test_(a_conf|uris|without|the_|options))": "has a database",
    r"tests/services/etcd/test_etcd\.py::test_(users|times|limits|a_write_that)": "waits for ends",
    r"tests/services/redis/test_redis\.py::test_(refusals|a_replica|tls|a_cancelled|a_write_that)": "starts servers",
    r"tests/services/sqlite/test_sqlite\.py::test_(a_killed|threads)": "starts an interpreter and kills it",
    r"tests/blocking/test_suite\.py::test_case\[seaweedfs": "the suite on a server, through the event loop's thread",
    r"tests/layers/test_(prefix|read_only)\.py::test_(every_case_of|all_that)_the_suite": "the suite once more",
    r"tests/blocking/test_suite\.py::test_case\[(fs|memory_)": "the suite once more, but on memory",
    r"tests/behavior/test_(model|read_oracle)\.py": "random calls on every service, compared with a model",
    r"tests/behavior/test_configured_by_variables\.py": "runs the suite in a new interpreter",
    r"tests/raw/http/blocking/test_transport\.py::test_content_that_is_refused.*TLS": "waits for the server",
    r"tests/raw/http/blocking/test_transport\.py::test_(a_forked|processes|threads_share|a_body_that)": "forks",
    r"tests/raw/http/blocking/test_interrupts\.py::(?!.*at once)": "makes each request once for each interrupt",
    r"tests/raw/http/blocking/test_transport\.py::test_it_gives_what.*silence": "waits for a server that says nothing",
    r"tests/raw/http/native/test_prompt\.py::test_a_task_that_runs_the_loop": "starts interpreters",
    r"tests/raw/http/test_uploads\.py": "waits for servers that take no content",
    r"tests/raw/http/test_storm\.py": "cancels requests, again and again",
    r"tests/raw/http/test_wire\.py::test_what_comes_": "sends what was not asked for at each point of a response",
    r"tests/raw/http/test_wire\.py::test_(content_behind|a_response_without_end|mutated)": "sends responses in pieces",
    r"tests/raw/http/test_transport\.py::test_a_loop_that_ends": "starts an interpreter for each way to end a loop",
    r"tests/signing/test_aws_differential\.py": "compares hundreds of machines with botocore",
    r"tests/cli/test_s3\.py::test_wrong_credentials_are_not_tried": "runs commands on a hundred files",
    r"tests/integrations/test_line_finder\.py::test_lines_are": "random calls, compared with a file of Python",
    r"tests/integration/test_s3_copies\.py": "sends many MiB",
    r"tests/integration/test_random_access\.py::test_a_file_costs_.*(storm|zip)": "sends hundreds of requests",
    r"tests/integration/test_s3_integrity\.py": "sends many MiB",
    r"tests/testing/test_(servers|faults)\.py": "starts servers, and proxies that stall",
    r"tests/services/fs/test_odd\.py::test_paths": "makes each call with each of the odd paths",
    r"tests/services/fs/test_kill\.py": "kills a process twenty times",
    r"tests/facade/test_reader\.py::test_(a_reader_(that_holds_nothing|can_be_used_on)|leaving_a_loop)": "ends loops",
    r"tests/facade/test_lister\.py::test_a_lister_that_holds_nothing": "ends loops",
    r"tests/docs/test_blocks\.py": "starts an interpreter for each page",
    r"tests/docs/test_service_examples\.py": "starts a server of each service",
    r"tests/integrations/test_dask\.py": "starts clusters of processes",
    r"tests/integrations/test_dask_pieces\.py::test_a_dead_process": "starts an interpreter that imports distributed",
    r"tests/integrations/test_(fsspec_abstract|pyarrow|zarr)\.py": "the suites of other libraries on each service",
    r"tests/integration/test_misbehaving_http\.py::test_(a_hundred|leaving)": "drops many responses",
    r"tests/integration/test_s3_write_wire\.py": "sends many MiB",
    r"tests/raw/oio/write/test_staged\.py": "writes in random pieces",
    r"tests/services/fs/test_delete\.py::test_(a_wide|directories_below|deep)": "deletes 100,000 files",
    r"tests/services/fs/test_write\.py::test_reader_sees": "writes and reads at once, for seconds",
    r"tests/docs/test_quickstart\.py": "starts all servers of the demo",
    r"tests/facade/test_preload\.py::test_no_operation_imports_anything": "calls all in new interpreters",
    r"tests/services/fs/test_parents\.py::test_directory_that_is_deleted_every_time": "gives up after many attempts",
    r"tests/docs/test_messages\.py::test_no_(key_of_a_configuration|option)_is_shown": "hundreds of wrong values",
    r"tests/behavior/test_read_traps\.py::test_every": "the read cases of the suite once more, with traps",
    r"tests/integration/test_misbehaving_http\.py::test_a_bad_server_gives": "hundreds of servers, some of which stall",
    r"tests/behavior/test_suite\.py::test_a_case_is_not_applicable_exactly": "asks each case of each server",
    r"tests/integration/test_presigned\.py::test_one_that_has_expired_is_refused": "waits until a second has passed",
    r"tests/integration/test_presigned\.py::test_parts_that_others_send": "sends a part of 5 MiB",
    r"tests/integration/test_replayed_faults\.py::test_(blanks|a_completion)": "sends many MiB",
    r"tests/integrations/test_fsspec_abstract\.py.*\[moto": "makes some thousand requests to the slowest server",
    r"tests/integrations/test_\w+\.py::test_processes": "starts interpreters",
    r"tests/integration/test_file_consumers\.py::test_the_workers": "starts interpreters that import torch",
    r"tests/integration/test_file_consumers\.py::.*with_torch": "imports torch",
    r"tests/integrations/test_consumers\.py::test_(dask|datasets)": "imports the largest libraries",
    r"tests/docs/test_third_party\.py": "builds and installs a package",
    r"tests/tools/test_new_service\.py::test_the_service_passes": "runs the behaviour suite in a copy of the tree",
    r"tests/tools/test_new_service\.py::test_the_pages_of_the_site": "builds the pages of the site",
    r"tests/integrations/test_web\.py::test_(answers|a_client_that_leaves)\w*\[(starlette|fastapi)": "starts servers",
    r"tests/services/azblob/test_(azurite|fake)\.py": "starts Azurite, and runs the suite on a fake with versions",
    r"tests/services/s3/test_long_listing\.py": "lists a million keys",
    r"tests/benchmarks/test_services\.py::test_every": "starts a process that measures for a second or two",
    r"tests/benchmarks/test_tls\.py": "starts a client for each library, some of which try again for seconds",
    r"tests/services/(azblob|gcs|webdav)/test_faults\.py": "breaks connections, and waits for what follows",
    r"tests/services/(sftp|ftp)/test_files\.py": "logs in to servers again and again",
    r"tests/services/webhdfs/test_webhdfs\.py": "breaks connections, and waits for what follows",
    r"tests/services/gcs/test_(uploads|presign)\.py": "sends some MiB, and signs with RSA",
    r"tests/cli/test_(files|s3|serve|services|versions)\.py": "starts a process for each command",
    r"tests/cli/test_precious\.py::test_(what_is_in_a|nothing_is_deleted)": "starts a process for each command",
    r"tests/raw/oio/read/test_block\.py::test_a_block_has_the_bytes": "reads blocks of many MiB in random ranges",
    r"tests/raw/oio/read/test_chunked\.py::test_gives_the_bytes_in_order": "reads with hundreds of random hints",
    r"tests/raw/http/native/test_tls_channel\.py::test_(a_handshake_that|a_server_that_chooses)": "waits for servers",
    r"tests/raw/http/native/test_direct\.py::test_a_cancelled_upload": "sends many MiB",
    r"tests/raw/http/test_transport\.py::test_a_request_waits_its_turn": "waits for each of the requests before",
    r"tests/layers/test_timeout\.py::test_(a_write|a_read)_(to|of)_a_disk_that_hangs": "waits for a disk",
    r"tests/integrations/test_web\.py::test_a_content_that_ends_early": "waits for what servers do then",
    r"tests/facade/test_signatures\.py::test_jedi": "has an editor complete calls",
    r"tests/types/test_hints\.py::test_annotations_can_be_evaluated": "imports every module",
}
REPEATING = re.compile(
    r"tests/(reliability/|behavior/test_(model|read_oracle|read_traps)\.py|blocking/test_(suite|processes)\.py"
    r"|integrations/test_fsspec_abstract\.py|raw/http/test_(storm|uploads|wire)\.py"
    r"|raw/oio/(read/test_block|write/test_staged)\.py|services/fs/test_(delete|interrupt|kill|odd|parents)\.py)"
)
"""Those that repeat by the hundred what others do once. They are half of the time, so that CI runs a part of them."""

ELSEWHERE = re.compile(r"tests/(cli/|docs/|integrations/test_dask\.py|signing/test_aws_differential\.py)")
"""Those that run our code in other processes."""

_PATTERN = re.compile("|".join(SLOW))
_LIST = Path(__file__).with_suffix(".txt")
_LISTED = frozenset(_LIST.read_text(encoding="utf-8").splitlines())
_DURATION = re.compile(r"(?P<seconds>[\d.]+)s call +(?P<id>tests/\S+?::.+)")
_PASSED = re.compile(r"PASSED (?P<id>tests/\S+?::.+)")


def is_slow(nodeid: str) -> bool:
    """Whether the lists of slow tests have the test with this id."""
    return _PATTERN.match(nodeid) is not None or nodeid in _LISTED or _without_case(nodeid) in _LISTED


def has_no_cover(nodeid: str) -> bool:
    """Whether a slow test covers nothing more than others do: its coverage would take half as long again."""
    return REPEATING.match(nodeid) is not None or ELSEWHERE.match(nodeid) is not None


def is_in(part: str, nodeid: str) -> bool:
    """Whether a part, such as "0/3", has a test: all have those that do not repeat, and each of the others one part."""
    number, parts = part.split("/")
    return REPEATING.match(nodeid) is None or crc32(nodeid.encode()) % int(parts) == int(number)


def slow_in(report: Iterable[str]) -> set[str]:
    """The tests that were slow in a run whose output is given, by line, with all durations."""
    lines = [line.strip() for line in report]
    cases = Counter(_without_case(found["id"]) for line in lines if (found := _PASSED.search(line)))
    slow = {found["id"] for line in lines if (found := _DURATION.match(line)) and float(found["seconds"]) > LIMIT}
    return {one if cases[_without_case(one)] > FEW else _without_case(one) for one in slow}


def _without_case(nodeid: str) -> str:
    return nodeid.partition("[")[0]


if __name__ == "__main__":
    _LIST.write_text("\n".join(sorted(_LISTED | slow_in(sys.stdin))) + "\n", encoding="utf-8")
