"""Nothing of a service can be reached from an operator."""

from entrepot import Operator
from entrepot.layers import TypeEraseLayer
from entrepot.raw import OPERATIONS, WHOLE_OPERATIONS, Context
from entrepot.services import Memory


def test_what_an_operator_holds_is_the_operations_and_info() -> None:
    accessor = Operator(Memory())._accessor
    public = {name for name in dir(accessor) if not name.startswith("__")}
    assert public == {*OPERATIONS, *WHOLE_OPERATIONS, "info"}
    assert not hasattr(accessor, "__dict__")


def test_the_operations_are_those_of_what_it_was_made_from() -> None:
    inner = Operator(Memory())._accessor
    erased = TypeEraseLayer().wrap(inner, Context())
    for operation in (*OPERATIONS, *WHOLE_OPERATIONS):
        assert getattr(erased, operation) is getattr(inner, operation)
    assert erased.info is inner.info


def test_its_repr_shows_nothing_of_the_configuration() -> None:
    assert "Memory(" not in repr(Operator(Memory(root="/hidden"))._accessor)
