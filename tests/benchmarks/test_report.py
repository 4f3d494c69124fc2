"""What the report says follows from the figures: medians, which side is better, what was reached."""

import pytest

from benchmarks import report
from benchmarks.contenders import names
from benchmarks.rounds import Result, Row, participants
from benchmarks.workloads import CALLS, FULL, MICROSECONDS, QUICK, TITLES, Aim, Case, cases


def row(contender, *values, each=1.0, failure=None):
    return Row(contender, "asyncio", [{"value": v, "each": each, "peak": 0.0} for v in values], failure)


def result(*rows, aims, unit=CALLS):
    return Result(Case(workload=1, name="a case", store="S3", aims=aims, unit=unit), list(rows))


@pytest.mark.parametrize(("ours", "is_met"), [(90, True), (89, False)])
def test_a_rate_is_to_be_so_many_times_the_best_of_the_others(ours, is_met):
    found = result(row("entrepot", ours), row("a", 100), row("b", 50), row("c", 999), aims=(Aim(0.9, ("a", "b")),))
    [verdict] = report.verdicts_of(found)
    assert (verdict.rival, verdict.found, verdict.is_met) == ("a", ours / 100, is_met)


@pytest.mark.parametrize(("ours", "is_met"), [(0.75, True), (0.76, False)])
def test_cpu_is_a_cost_of_which_the_least_is_the_best(ours, is_met):
    rows = row("entrepot", 1, each=ours), row("a", 1, each=1.0), row("b", 1, each=2.0)
    [verdict] = report.verdicts_of(result(*rows, aims=(Aim(0.75, ("a", "b"), "cpu"),)))
    assert (verdict.rival, verdict.is_met) == ("a", is_met)


@pytest.mark.parametrize(("ours", "is_met"), [(10.0, True), (10.1, False)])
def test_a_figure_by_itself_is_to_be_below_its_limit_where_it_is_a_cost(ours, is_met):
    [verdict] = report.verdicts_of(result(row("entrepot", ours), aims=(Aim(10),), unit=MICROSECONDS))
    assert (verdict.rival, verdict.is_met) == (None, is_met)


def test_the_median_counts_and_not_the_mean():
    found = result(row("entrepot", 1, 100, 2), row("a", 2, 2, 2), aims=(Aim(1.0, ("a",)),))
    assert next(report.verdicts_of(found)).found == 1.0


def test_who_failed_is_not_compared_with_and_is_named():
    found = result(row("entrepot", 5), row("a", failure="it broke"), aims=(Aim(1.0, ("a",)),))
    assert list(report.verdicts_of(found)) == []
    assert "it broke" in report._table(found)
    assert report.failures([found]) == ""


def test_a_failure_of_ours_is_one_of_the_run():
    found = result(row("entrepot", failure="AssertionError: 3 instead of 4"), aims=())
    assert "3 instead of 4" in report.failures([found])


def test_every_case_has_a_title_and_a_name_of_its_own():
    for scale in (FULL, QUICK):
        found = [case.name + str(case.workload) for case in cases(scale)]
        assert len(set(found)) == len(found)
        assert {case.workload for case in cases(scale)} == set(TITLES)


def test_entrepot_takes_part_in_everything_and_everybody_in_something():
    taking_part = [participants(case) for case in cases(FULL)]
    assert all("entrepot" in those for those in taking_part)
    assert {name for those in taking_part for name in those} == set(names())
