"""A synthetic service that supports every operation, and a call of each: what tests of layers are made of.

A new operation gets an entry in `CALLS`; `test_every_layer.py` fails while it is missing.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from entrepot import Capability, Entry, EntryMode, Metadata, NotFound, PresignedRequest
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_LIST_UPLOADS,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    Accessor,
    AccessorInfo,
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    Operation,
    OpGetTags,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpStat,
    OpUploadPart,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpGetTags,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpStat,
    RpWrite,
    oio,
)

PATH = "folder/file"
TARGET = "folder/other"
DIRECTORY = "folder/new/"
METADATA = Metadata(mode=EntryMode.FILE, content_length=7)
PAGE = [Entry(PATH, METADATA)]
GET_TAGS, SET_TAGS = OpGetTags(version="v"), OpSetTags(tags={"c": "d"})
ABORT = OpAbortUpload(id="u")
SHARED = OpSharedUpload(step=OpUploadPart(upload="u", number=1))
PRESIGN = OpPresign(operation=DEFAULT_READ, expires=timedelta(minutes=1))
EVERYTHING = Capability(**dict.fromkeys(Capability.__slots__, True))


async def _reader(accessor: Accessor) -> oio.Read:
    return (await accessor.read(PATH, DEFAULT_READ))[1]


async def _writer(accessor: Accessor) -> oio.Write:
    return (await accessor.write(PATH, DEFAULT_WRITE))[1]


async def _stat(accessor: Accessor) -> object:
    return await accessor.stat(PATH, DEFAULT_STAT)


async def _read(accessor: Accessor) -> object:
    return (await accessor.read(PATH, DEFAULT_READ))[0]


async def _reader_read(accessor: Accessor) -> object:
    return await (await _reader(accessor)).read(3)


async def _reader_seek(accessor: Accessor) -> object:
    return await (await _reader(accessor)).seek(-2, 2)


async def _reader_next(accessor: Accessor) -> object:
    return await (await _reader(accessor)).next()


async def _reader_close(accessor: Accessor) -> object:
    return await (await _reader(accessor)).close()


async def _write(accessor: Accessor) -> object:
    return (await accessor.write(PATH, DEFAULT_WRITE))[0]


async def _writer_write(accessor: Accessor) -> object:
    return await (await _writer(accessor)).write(b"data")


async def _writer_close(accessor: Accessor) -> object:
    return await (await _writer(accessor)).close()


async def _writer_abort(accessor: Accessor) -> object:
    return await (await _writer(accessor)).abort()


async def _create_dir(accessor: Accessor) -> object:
    return await accessor.create_dir(DIRECTORY, DEFAULT_CREATE_DIR)


async def _delete(accessor: Accessor) -> object:
    return (await accessor.delete())[0]


async def _deleter_delete(accessor: Accessor) -> object:
    return await (await accessor.delete())[1].delete(PATH, DEFAULT_DELETE)


async def _deleter_close(accessor: Accessor) -> object:
    return await (await accessor.delete())[1].close()


async def _list(accessor: Accessor) -> object:
    return (await accessor.list(PATH, DEFAULT_LIST))[0]


async def _lister_next(accessor: Accessor) -> object:
    return await (await accessor.list(PATH, DEFAULT_LIST))[1].next()


async def _lister_close(accessor: Accessor) -> object:
    return await (await accessor.list(PATH, DEFAULT_LIST))[1].close()


async def _copy(accessor: Accessor) -> object:
    return (await accessor.copy(PATH, TARGET, DEFAULT_COPY))[0]


async def _copier(accessor: Accessor) -> oio.Copy:
    return (await accessor.copy(PATH, TARGET, DEFAULT_COPY))[1]


async def _copier_next(accessor: Accessor) -> object:
    return await (await _copier(accessor)).next()


async def _copier_close(accessor: Accessor) -> object:
    return await (await _copier(accessor)).close()


async def _copier_abort(accessor: Accessor) -> object:
    return await (await _copier(accessor)).abort()


async def _rename(accessor: Accessor) -> object:
    return await accessor.rename(PATH, TARGET, DEFAULT_RENAME)


async def _presign(accessor: Accessor) -> object:
    return await accessor.presign(PATH, PRESIGN)


async def _get_tags(accessor: Accessor) -> object:
    return await accessor.get_tags(PATH, GET_TAGS)


async def _set_tags(accessor: Accessor) -> object:
    return await accessor.set_tags(PATH, SET_TAGS)


async def _list_uploads(accessor: Accessor) -> object:
    return await accessor.list_uploads(PATH, DEFAULT_LIST_UPLOADS)


async def _abort_upload(accessor: Accessor) -> object:
    return await accessor.abort_upload(PATH, ABORT)


async def _shared_upload(accessor: Accessor) -> object:
    return await accessor.shared_upload(PATH, SHARED, b"content")


# The path that a call is about, where that is not `PATH`.
PATHS = {Operation.CREATE_DIR: DIRECTORY, Operation.DELETE: None, Operation.DELETER_CLOSE: None}

# How each operation is called, with what arguments it must arrive at the service, and the service's answer.
CALLS: dict[Operation, tuple[Callable[[Accessor], Awaitable[object]], tuple[object, ...], object]] = {
    Operation.STAT: (_stat, (PATH, DEFAULT_STAT), RpStat(metadata=METADATA)),
    Operation.READ: (_read, (PATH, DEFAULT_READ), RpRead(metadata=METADATA)),
    Operation.READER_READ: (_reader_read, (3,), b"abc"),
    Operation.READER_SEEK: (_reader_seek, (-2, 2), 5),
    Operation.READER_NEXT: (_reader_next, (), b"abcdefg"),
    Operation.READER_CLOSE: (_reader_close, (), None),
    Operation.WRITE: (_write, (PATH, DEFAULT_WRITE), RpWrite()),
    Operation.WRITER_WRITE: (_writer_write, (b"data",), None),
    Operation.WRITER_CLOSE: (_writer_close, (), METADATA),
    Operation.WRITER_ABORT: (_writer_abort, (), None),
    Operation.CREATE_DIR: (_create_dir, (DIRECTORY, DEFAULT_CREATE_DIR), RpCreateDir()),
    Operation.DELETE: (_delete, (), RpDelete()),
    Operation.DELETER_DELETE: (_deleter_delete, (PATH, DEFAULT_DELETE), None),
    Operation.DELETER_CLOSE: (_deleter_close, (), None),
    Operation.LIST: (_list, (PATH, DEFAULT_LIST), RpList()),
    Operation.LISTER_NEXT: (_lister_next, (), PAGE),
    Operation.LISTER_CLOSE: (_lister_close, (), None),
    Operation.COPY: (_copy, (PATH, TARGET, DEFAULT_COPY), RpCopy()),
    Operation.COPIER_NEXT: (_copier_next, (), 3),
    Operation.COPIER_CLOSE: (_copier_close, (), METADATA),
    Operation.COPIER_ABORT: (_copier_abort, (), None),
    Operation.RENAME: (_rename, (PATH, TARGET, DEFAULT_RENAME), RpRename()),
    Operation.GET_TAGS: (_get_tags, (PATH, GET_TAGS), RpGetTags(tags={"a": "b"})),
    Operation.SET_TAGS: (_set_tags, (PATH, SET_TAGS), RpSetTags()),
    Operation.LIST_UPLOADS: (_list_uploads, (PATH, DEFAULT_LIST_UPLOADS), RpListUploads(uploads=())),
    Operation.ABORT_UPLOAD: (_abort_upload, (PATH, ABORT), RpAbortUpload()),
    Operation.SHARED_UPLOAD: (_shared_upload, (PATH, SHARED, b"content"), RpSharedUpload(upload="u")),
    Operation.PRESIGN: (_presign, (PATH, PRESIGN), RpPresign(request=PresignedRequest("GET", "http://h/p"))),
}


class Service(Accessor):
    """Answers every operation and verb as `CALLS` says, records the calls, and fails at `fails_at`."""

    def __init__(self, fails_at: Operation | None = None) -> None:
        self.info = AccessorInfo("test", native_capability=EVERYTHING)
        self.arrived: list[tuple[Operation, tuple[object, ...]]] = []
        self._fails_at = fails_at

    def answer(self, operation: Operation, *args: object) -> Any:
        self.arrived.append((operation, args))
        if operation is self._fails_at:
            raise NotFound("as the test asked for")
        return CALLS[operation][2]

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return self.answer(Operation.STAT, path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return self.answer(Operation.READ, path, args), _Reader(self)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return self.answer(Operation.WRITE, path, args), _Writer(self)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        return self.answer(Operation.CREATE_DIR, path, args)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return self.answer(Operation.DELETE), _Deleter(self)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return self.answer(Operation.LIST, path, args), _Lister(self)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        return self.answer(Operation.COPY, source, target, args), _Copier(self)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        return self.answer(Operation.RENAME, source, target, args)

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        return self.answer(Operation.GET_TAGS, path, args)

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        return self.answer(Operation.SET_TAGS, path, args)

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        return self.answer(Operation.LIST_UPLOADS, path, args)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        return self.answer(Operation.ABORT_UPLOAD, path, args)

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        return self.answer(Operation.SHARED_UPLOAD, path, args, content)

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        return self.answer(Operation.PRESIGN, path, args)


class _Reader(oio.Read):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def read(self, n: int) -> bytes:
        return self.answer(Operation.READER_READ, n)

    async def seek(self, offset: int, whence: int = 0) -> int:
        return self.answer(Operation.READER_SEEK, offset, whence)

    async def next(self) -> bytes | None:
        return self.answer(Operation.READER_NEXT)

    async def close(self) -> None:
        return self.answer(Operation.READER_CLOSE)


class _Writer(oio.Write):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        return self.answer(Operation.WRITER_WRITE, data)

    async def close(self) -> Metadata:
        return self.answer(Operation.WRITER_CLOSE)

    async def abort(self) -> None:
        return self.answer(Operation.WRITER_ABORT)


class _Deleter(oio.Delete):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def delete(self, path: str, args: OpDelete) -> None:
        return self.answer(Operation.DELETER_DELETE, path, args)

    async def close(self) -> None:
        return self.answer(Operation.DELETER_CLOSE)


class _Lister(oio.List):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def next(self) -> Sequence[Entry] | None:
        return self.answer(Operation.LISTER_NEXT)

    async def close(self) -> None:
        return self.answer(Operation.LISTER_CLOSE)


class _Copier(oio.Copy):
    def __init__(self, service: Service) -> None:
        self.answer = service.answer

    async def next(self) -> int | None:
        return self.answer(Operation.COPIER_NEXT)

    async def close(self) -> Metadata:
        return self.answer(Operation.COPIER_CLOSE)

    async def abort(self) -> None:
        return self.answer(Operation.COPIER_ABORT)
