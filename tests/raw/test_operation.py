"""Operations: unique, and each with the flag that allows it."""

from dataclasses import fields

from entrepot import Capability
from entrepot.raw import OPERATIONS, Accessor, Operation, oio

_BODIES = (
    ("reader", oio.Read),
    ("writer", oio.Write),
    ("deleter", oio.Delete),
    ("lister", oio.List),
    ("copier", oio.Copy),
)

_FORMS = {"reader.readinto"}
"""Verbs that layers see under the name of another one: `readinto` is a `read` into a buffer of the caller."""

_FACTS = {"lister.left_out"}
"""What a body knows already, which is asked without a call that layers see."""


def test_each_operation_has_a_capability_of_that_name() -> None:
    flags = {flag.name for flag in fields(Capability)}
    assert {operation.capability for operation in Operation} <= flags
    assert Operation.STAT.capability == "stat"
    assert Operation.READER_NEXT.capability == "read"
    assert Operation.WRITER_ABORT.capability == "write"


def test_operations_are_the_methods_of_an_accessor_and_the_verbs_of_its_bodies() -> None:
    expected = set(OPERATIONS)
    for prefix, body in _BODIES:
        expected |= {f"{prefix}.{verb}" for verb, what in vars(body).items() if callable(what) and verb[0] != "_"}
    assert {operation.value for operation in Operation} == expected - _FORMS - _FACTS
    assert all(callable(getattr(Accessor, operation)) for operation in OPERATIONS)
