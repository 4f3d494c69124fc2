"""Layers that fail on purpose."""

from entrepot import PermissionDenied
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, LayeredAccessor, Operation, oio


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


class Closed(Layer):
    """A directory `closed/` that may not be read: a recursive listing has it without contents."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        class Wrapped(LayeredAccessor):
            async def list(self, path, args):
                response, body = await self.inner.list(path, args)
                return response, Refused(body) if path == "closed/" else WithoutContents(body)

        return Wrapped(accessor)


class WithoutContents(oio.List):
    def __init__(self, body: oio.List) -> None:
        self.body = body

    async def next(self):
        page = await self.body.next()
        return page and [entry for entry in page if not entry.path.startswith("closed/") or entry.is_dir]

    def left_out(self):
        error = PermissionDenied("the file system does not permit it", path="as the storage calls it")
        return [oio.LeftOut("closed/", error)]

    async def close(self):
        await self.body.close()


class Refused(WithoutContents):
    async def next(self):
        raise PermissionDenied("the file system does not permit it")


class ThenRefused(Refused):
    """A listing that is refused after its first page."""

    def __init__(self, body: oio.List) -> None:
        super().__init__(body)
        self.first = True

    async def next(self):
        if not self.first:
            return await super().next()
        self.first = False
        return await self.body.next()
