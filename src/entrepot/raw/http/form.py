"""Forms: what a browser may send in one POST of multipart/form-data, and the policy that limits it."""

from typing import TYPE_CHECKING, TypeAlias

from .transport import Header

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

Condition: TypeAlias = dict[str, str] | tuple[str, str, str] | tuple[str, int, int]
"""A condition of a policy, as JSON has it: a field with its value, `("starts-with", "$field", prefix)`, or
`("content-length-range", least, most)`."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form and the conditions that the storage checks, without the ones of the signature.

    Arguments:
        fields: the fields before the file, in order.
        conditions: what the sender must keep to. Each field needs one.
    """

    fields: tuple[Header, ...]
    conditions: tuple[Condition, ...]
