"""The operations without `await`. `Operator.blocking()` returns a `BlockingOperator`.

    op = Operator(Fs("/data")).blocking()
    data = op.read("a/b", range=(0, 1024))

The modules `operator`, `reader`, `writer` and `lister` are generated from the async facade
(`tools/generate_blocking.py`), and `calls` from the options (`tools/generate_facade.py`). Their base classes are
written by hand: `base`, `file_like`, `paging` and `call`.
"""

from .lister import BlockingLister
from .operator import BlockingOperator
from .reader import BlockingReader
from .writer import BlockingWriter

__all__ = [
    "BlockingLister",
    "BlockingOperator",
    "BlockingReader",
    "BlockingWriter",
]
