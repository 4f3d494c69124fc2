"""Copies of what the integrations give: they need an operator that can be pickled, and say so where it cannot."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr

from entrepot import Operator
from entrepot.integrations.fsspec import EntrepotFileSystem
from entrepot.integrations.obspec import ObspecStore
from entrepot.integrations.pyarrow import EntrepotHandler, file_system
from entrepot.integrations.zarr import EntrepotStore
from entrepot.services import Fs, Memory


def an_array(operator: Operator) -> Any:
    return zarr.create_array(EntrepotStore(operator), shape=(3,), dtype="i4")


MAKERS = [EntrepotFileSystem, file_system, EntrepotHandler, EntrepotStore, ObspecStore, an_array]
COPIES = [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy]


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("make", MAKERS)
def test_a_copy_is_equal_and_one_of_memory_is_refused(
    make: Callable[[Operator], Any], duplicate: Callable[[Any], Any], tmp_path: Path
) -> None:
    original = make(Operator(Fs(tmp_path)))
    assert duplicate(original) == original
    with pytest.raises(TypeError, match=r"Memory .* Use a storage that other processes reach"):
        duplicate(make(Operator(Memory())))


@pytest.mark.parametrize("make", MAKERS)
def test_a_shallow_copy_of_one_over_memory_is_equal(make: Callable[[Operator], Any]) -> None:
    original = make(Operator(Memory()))
    assert copy.copy(original) == original
