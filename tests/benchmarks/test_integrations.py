"""The benchmark of adapters: the least of the rounds, and who is compared with whom."""

import pytest

pytest.importorskip("zarr")

from benchmarks.integrations import measured, table


def test_adapters_take_turns_and_the_least_counts() -> None:
    turns = []
    works = [("read", adapter, lambda adapter=adapter: turns.append(adapter)) for adapter in ("entrepot", "other")]
    figures = measured(works, rounds=3)
    assert turns == ["entrepot", "other"] * 3
    assert figures["read"].keys() == {"entrepot", "other"}


def test_the_best_of_the_others_counts_and_may_differ_for_time_and_processor_time() -> None:
    figures = {"read": {"entrepot": (0.010, 0.008), "slow": (0.030, 0.004), "busy": (0.020, 0.020)}}
    assert table(figures).splitlines()[-1] == "| read | 10 (8) | slow 30 (4), busy 20 (20) | 2.00 | 0.50 |"
