"""What can be pickled and copied: operators and calls. What is opened cannot, and says what to pass on."""

import copy
import gc
import pickle

import pytest

from entrepot import Operator
from entrepot.services import Fs, Memory

WAYS = {"pickle": lambda one: pickle.loads(pickle.dumps(one)), "deepcopy": copy.deepcopy, "copy": copy.copy}
OPENED = {
    "reader": lambda op: op.reader("a"),
    "writer": lambda op: op.writer("a"),
    "lister": lambda op: op.lister("/"),
    "file": lambda op: op.open("a", "rb"),
}


@pytest.fixture(params=WAYS)
def duplicate(request):
    return WAYS[request.param]


@pytest.mark.parametrize("opened", OPENED)
async def test_what_is_opened_is_passed_on_by_its_path(opened, duplicate, tmp_path):
    for op in (Operator(Memory()), Operator(Fs(tmp_path))):
        await op.write("a", b"content")
        with OPENED[opened](op.blocking()) as blocking, pytest.raises(TypeError, match="pass on the operator"):
            duplicate(blocking)
        async with OPENED[opened](op) as one:
            with pytest.raises(TypeError, match=f"cannot pickle or copy '{type(one).__name__}' object"):
                duplicate(one)


def test_a_shallow_copy_of_an_operator_is_over_the_same_memory():
    op = Operator(Memory()).blocking()
    op.write("a", b"1")
    copy.copy(op).write("a", b"2")
    assert op.read("a") == b"2"


@pytest.mark.parametrize("make", [lambda op: op, lambda op: op.blocking(), lambda op: op.blocking().read])
def test_memory_says_why_it_stays_and_what_to_use(make):
    for way in ("pickle", "deepcopy"):
        with pytest.raises(TypeError, match=r"the copy would not see them\. Use a storage that other processes reach"):
            WAYS[way](make(Operator(Memory())))


def test_a_call_whose_copy_fails_leaves_nothing_to_warn_of(recwarn):
    op = Operator(Memory())
    for call in (op.read_with("a"), op.reader("a"), op.blocking().read_with("a")):
        with pytest.raises(TypeError, match="Memory"):
            copy.deepcopy(call)
        call._used = True  # it is not made, which it would warn of
    gc.collect()
    assert not recwarn.list
