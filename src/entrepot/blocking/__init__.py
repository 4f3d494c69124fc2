"""The same operations without `await`. `Operator.blocking()` gives a `BlockingOperator`.

    op = Operator(Fs("/data")).blocking()
    data = op.read("a/b", range=(0, 1024))

What is called is generated from the async facade (`tools/generate_blocking.py`): `operator`, `reader`, `writer`,
`lister` and `calls`. It stands on `twin`, `file_like`, `paging` and `call`, which are written by hand.
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
