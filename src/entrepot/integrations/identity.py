"""When two operators are the same storage, for libraries that compare and hash what they keep."""

from __future__ import annotations

import pickle
from hashlib import sha256
from typing import Final
from uuid import uuid4
from weakref import WeakKeyDictionary

from entrepot import Operator

_UNPICKLED: Final[WeakKeyDictionary[Operator, str]] = WeakKeyDictionary()


def token(operator: Operator) -> str:
    """Returns a text in base 16 that equal operators share, also in other processes.

    Operators are equal if they pickle to the same bytes. One that cannot be pickled, such as one over memory, is equal
    to itself alone.

    Arguments:
        operator: the operator.
    """
    try:
        content = pickle.dumps(operator)
    except (TypeError, AttributeError, pickle.PicklingError):  # a configuration or layer that cannot be pickled
        return _UNPICKLED.setdefault(operator, uuid4().hex)
    return sha256(content).hexdigest()
