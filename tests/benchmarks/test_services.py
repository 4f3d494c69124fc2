"""The benchmark of the services measures what it says, and tells what failed."""

from contextlib import nullcontext

from benchmarks import services
from benchmarks.services import SERVICES, Scale, Service, Table, lines, measure

TINY = Scale(rounds=1, seconds=0.0, large=1 << 20)
WORKLOADS = ["write 4 KiB", "read 4 KiB", "stat", "list 200", "large up", "large down"]


def ours_only(settings):
    return lambda server: {"entrepot": settings(server)["entrepot"]}


def test_every_workload_is_measured(tmp_path):
    sqlite = SERVICES["sqlite"]
    table = measure(Service(sqlite.server, ours_only(sqlite.settings)), tmp_path, TINY)
    assert table.failures == []
    assert list(table.wall) == list(table.cpu) == WORKLOADS
    assert all(row["entrepot"] > 0 for row in table.wall.values())


def test_a_library_that_does_not_start_is_a_failure(tmp_path):
    wrong = {"entrepot": {"scheme": "redis", "settings": {"no_such_key": 1}}}
    table = measure(Service(lambda _: nullcontext(), lambda _: wrong), tmp_path, TINY)
    assert table.wall == {}
    [failure] = table.failures
    assert failure.startswith("entrepot, start:")
    assert "no_such_key" in failure


def test_the_least_of_the_rounds_is_beside_the_best_of_the_peers():
    table = Table()
    for seconds in (0.02, 0.01):
        table.add("entrepot", {"stat": {"wall": seconds, "cpu": seconds / 10, "calls": 10}})
    table.add("opendal", {"stat": {"wall": 0.03, "cpu": 0.0005, "calls": 10}})
    table.add("obstore", {"stat": {"wall": 0.02, "cpu": 0.002, "calls": 10}})
    [row] = lines("duck", table, TINY)
    assert row == "| duck | stat | entrepot 1,000 (100), opendal 333 (50), obstore 500 (200) | 2.00 | 0.50 |"


def test_a_workload_that_fails_or_lacks_is_told():
    table = Table()
    table.add("opendal", {"list 200": {"lacks": "it has none"}, "stat": {"failure": "OSError: cut"}})
    assert (table.lacks, table.failures) == ({"opendal, list 200: it has none"}, ["opendal, stat: OSError: cut"])
    assert list(lines("duck", table, TINY)) == []


def test_a_failure_fails_the_run(monkeypatch, capsys):
    failed = Table(failures=["opendal, stat: OSError: cut"])
    monkeypatch.setattr(services, "measure", lambda *_: failed)
    assert list(services.compared(["sqlite"], TINY)) == ["sqlite: opendal, stat: OSError: cut"]
    assert capsys.readouterr().out == ""
