"""Layers that fail on purpose."""

from entrepot.raw import AroundAccessor, Layer, Operation


class FailingWrites(Layer):
    """The first write of each body fails.

    Arguments:
        error: what it raises.
    """

    def __init__(self, error):
        self.error = error

    def wrap(self, accessor, context):
        return _FailingAccessor(accessor, self.error)


class _FailingAccessor(AroundAccessor):
    operations = frozenset({Operation.WRITER_WRITE})

    def __init__(self, inner, error):
        super().__init__(inner)
        self.error = error
        self.has_failed = False

    async def around(self, operation, path, call, *args):
        if not self.has_failed:
            self.has_failed = True
            raise self.error
        return await call(*args)
