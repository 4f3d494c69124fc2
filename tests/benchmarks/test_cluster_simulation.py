"""The simulation of a cluster: everything is done once, threads are busy, and the client holds little."""

import pytest

pytest.importorskip("distributed")

from benchmarks.cluster_simulation import Scenario, simulate
from entrepot.integrations.dask.items import Limits

SMALL = Scenario(objects=200_000, directories=300, threads=8, size=10_000)


@pytest.mark.parametrize("skew", [0.0, 1.0, 1.5])
def test_skew_costs_little_while_there_is_other_work(skew: float) -> None:
    scenario = Scenario(**{**vars(SMALL), "skew": skew})
    result = simulate(scenario)
    assert result.report.done == result.report.listed == 200_000
    assert 0.9 < result.efficiency(8) <= 1.0001
    assert result.waiting < 8 * 2 + 8 * 2 * 10_000 / 100


def test_one_directory_is_listed_no_faster_than_its_pages_follow_each_other() -> None:
    one = Scenario(objects=200_000, directories=1, threads=64, size=0, request=0.05, concurrent=1_000)
    result = simulate(one)
    assert result.seconds >= 200_000 / 1_000 * 0.05
    assert result.efficiency(64) < 0.2


def test_the_memory_of_the_client_does_not_grow_with_the_objects() -> None:
    few, many = (simulate(Scenario(**{**vars(SMALL), "objects": count})) for count in (200_000, 800_000))
    assert many.report.tasks > 2 * few.report.tasks
    assert many.peak < 2 * few.peak


def test_a_seed_is_a_result() -> None:
    first, second = simulate(SMALL), simulate(SMALL)
    assert (first.seconds, first.report) == (second.seconds, second.report)


def test_smaller_tasks_are_more_tasks() -> None:
    assert simulate(SMALL, Limits(keys=100)).report.tasks > 4 * simulate(SMALL).report.tasks
