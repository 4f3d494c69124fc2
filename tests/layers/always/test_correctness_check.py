"""Capability honesty: what a flag denies is refused before the service is asked, what it grants arrives there.

The cases are made from the fields of the argument records, so that an option that is added later is
checked from that day on.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot import (
    BytesRange,
    Capability,
    Entry,
    InvalidInput,
    IsADirectory,
    IsSameFile,
    Metadata,
    NotADirectory,
    Operator,
    PresignedRequest,
    Unsupported,
    Upload,
)
from entrepot.raw import (
    HINTS,
    Accessor,
    AccessorInfo,
    Context,
    OpAbortUpload,
    OpCopy,
    OpDelete,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    ServiceConfig,
    oio,
)

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
EVERYTHING = Capability(**{flag.name: True for flag in fields(Capability)})
VALUES: dict[str, Any] = {
    "range": BytesRange(1, 2),
    "version": "v",
    "if_match": '"e"',
    "if_none_match": '"e"',
    "if_modified_since": datetime(2026, 1, 1, tzinfo=UTC),
    "if_unmodified_since": datetime(2026, 1, 1, tzinfo=UTC),
    "override_content_type": "text/plain",
    "override_content_disposition": "inline",
    "override_cache_control": "no-store",
    "chunk": 1,
    "concurrent": 2,
    "gap": 3,
    "content_length_hint": 4,
    "read_ahead": 6,
    "source_content_length_hint": 5,
    "append": True,
    "content_type": "text/plain",
    "content_disposition": "inline",
    "content_encoding": "gzip",
    "cache_control": "no-store",
    "user_metadata": {"colour": "red"},
    "content_language": "de",
    "tags": {"colour": "red"},
    "storage_class": "STANDARD_IA",
    "acl": "private",
    "retain_until": datetime(2030, 1, 1, tzinfo=UTC),
    "legal_hold": True,
    "if_not_exists": True,
    "recursive": True,
    "start_after": "a/b",
    "versions": True,
    "deleted": True,
    "limit": 7,
    "source_version": "v2",
}
# What each operation is called with, beside its options.
ABOUT: dict[str, tuple[Any, ...]] = {
    "stat": ("p",),
    "read": ("p",),
    "write": ("p", b""),
    "create_dir": ("p/",),
    "delete": ("p",),
    "list": ("p",),
    "copy": ("p", "q"),
    "rename": ("p", "q"),
}
RECORDS = {
    "stat": OpStat,
    "read": OpRead,
    "write": OpWrite,
    "delete": OpDelete,
    "list": OpList,
    "copy": OpCopy,
    "rename": OpRename,
}


class Recorder(Accessor):
    """Answers everything and remembers what it was asked."""

    def __init__(self, capability: Capability) -> None:
        self.info = AccessorInfo(scheme="recorder", native_capability=capability)
        self.asked: list[Any] = []

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self.asked.append(args)
        return RpStat(metadata=Metadata(content_length=3))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        self.asked.append(args)
        return RpRead(), oio.BytesReader(lambda: b"abc")

    async def write(self, path: str, args: Any) -> tuple[RpWrite, oio.Write]:
        self.asked.append(args)
        return RpWrite(), Sink()

    async def create_dir(self, path: str, args: Any) -> RpCreateDir:
        self.asked.append(args)
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), RecordingDeleter(self)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        self.asked.append(args)
        return RpList(), Nothing()

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        self.asked.append(args)
        return RpCopy(), oio.OneShotCopier(nothing)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        self.asked.append(args)
        return RpRename()

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        self.asked.append(args)
        return RpPresign(request=PresignedRequest("GET", "http://h/p"))

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        self.asked.append(args)
        return RpListUploads(uploads=[Upload("p/a", "u", LONG_AGO)])

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        self.asked.append(args)
        return RpAbortUpload()


class RecordingDeleter(oio.Delete):
    def __init__(self, recorder: Recorder) -> None:
        self.asked = recorder.asked

    async def delete(self, path: str, args: OpDelete) -> None:
        self.asked.append(args)


async def nothing() -> Metadata:
    return Metadata()


class Nothing(oio.List):
    async def next(self) -> list[Entry] | None:
        return None


class Sink(oio.Write):
    async def write(self, data: bytes | bytearray | memoryview) -> None:
        return None

    async def close(self) -> Metadata:
        return Metadata(content_length=0)


class Recording(ServiceConfig):
    SCHEME = "recorder"

    def __init__(self, accessor: Recorder) -> None:
        self.accessor = accessor

    def build(self, context: Context) -> Accessor:
        return self.accessor


def operator_with(capability: Capability) -> tuple[Operator, Recorder]:
    recorder = Recorder(capability)
    return Operator(Recording(recorder)), recorder


def options_of(arguments: type) -> Iterator[str]:
    return (option.name for option in fields(arguments) if option.name not in HINTS | {"range"})


OPTIONS = [(operation, option) for operation, record in RECORDS.items() for option in options_of(record)]
COMPLETED = {("delete", "recursive"), ("list", "recursive")}  # what the stack does in place of the service


@pytest.mark.parametrize(("operation", "option"), OPTIONS)
class TestEachOption:
    async def test_is_refused_before_any_io_where_its_flag_is_false(self, operation: str, option: str) -> None:
        lacking = replace(EVERYTHING, **{f"{operation}_with_{option}": False})
        if (operation, option) in COMPLETED:
            lacking = replace(lacking, list=False, delete=operation == "delete")
        op, recorder = operator_with(lacking)
        with pytest.raises(Unsupported, match=f"{operation} with {option}|has no list") as caught:
            await getattr(op, operation)(*ABOUT[operation], **{option: VALUES[option]})
        error = caught.value
        assert (error.scheme, error.operation, error.path) == ("recorder", operation, "p")
        assert recorder.asked == []
        if (operation, option) != ("list", "recursive"):
            await getattr(op, operation)(*ABOUT[operation])
            assert len(recorder.asked) == 1

    async def test_arrives_where_its_flag_is_true(self, operation: str, option: str) -> None:
        op, recorder = operator_with(EVERYTHING)
        await getattr(op, operation)(*ABOUT[operation], **{option: VALUES[option]})
        assert getattr(recorder.asked[0], option) == VALUES[option]


@pytest.mark.parametrize("operation", ABOUT)
async def test_an_operation_is_refused_before_any_io_where_its_flag_is_false(operation: str) -> None:
    lacking = replace(EVERYTHING, **{operation: False})
    if operation == "create_dir":
        lacking = replace(lacking, list=False)  # or the stack would make an empty object
    op, recorder = operator_with(lacking)
    with pytest.raises(Unsupported, match=f"has no {operation}") as caught:
        await getattr(op, operation)(*ABOUT[operation])
    error = caught.value
    assert (error.scheme, error.operation, error.path) == ("recorder", operation, ABOUT[operation][0])
    assert recorder.asked == []


async def test_hints_of_a_copy_are_never_refused() -> None:
    op, recorder = operator_with(Capability(copy=True))
    await op.copy("p", "q", chunk=1, concurrent=2, source_content_length_hint=5)
    assert recorder.asked == [OpCopy(chunk=1, concurrent=2, source_content_length_hint=5)]


@pytest.mark.parametrize("flag", ["list_uploads", "abort_upload"])
async def test_uploads_are_refused_before_any_io_where_the_flag_is_false(flag: str) -> None:
    op, recorder = operator_with(replace(EVERYTHING, **{flag: False}))
    with pytest.raises(Unsupported, match=f"the service recorder has no {flag}") as caught:
        if flag == "list_uploads":
            await op.list_uploads("p/")
        else:
            await op.abort_uploads("p/", older_than=timedelta())
    assert (caught.value.operation, caught.value.path) == (
        "list_uploads" if flag == "list_uploads" else "abort_uploads",
        "p/",
    )
    assert recorder.asked == []


async def test_uploads_arrive_where_the_flags_are_true() -> None:
    op, recorder = operator_with(EVERYTHING)
    assert await op.abort_uploads("p/", older_than=timedelta()) == [Upload("p/a", "u", LONG_AGO)]
    assert recorder.asked == [OpListUploads(), OpAbortUpload(id="u")]


@pytest.mark.parametrize("operation", ["copy", "rename"])
async def test_an_object_is_not_copied_or_moved_onto_itself(operation: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    with pytest.raises(IsSameFile) as caught:
        await getattr(op, operation)("p", "/p")
    assert (caught.value.operation, caught.value.path, recorder.asked) == (operation, "p", [])


async def test_a_version_may_be_copied_onto_its_own_object() -> None:
    op, recorder = operator_with(EVERYTHING)
    await op.copy("p", "p", source_version="v")
    assert recorder.asked == [OpCopy(source_version="v")]


@pytest.mark.parametrize("operation", ["copy", "rename"])
@pytest.mark.parametrize("paths", [("d/", "p"), ("p", "d/"), ("/", "p")])
async def test_a_directory_is_not_copied_or_moved(operation: str, paths: tuple[str, str]) -> None:
    op, recorder = operator_with(EVERYTHING)
    with pytest.raises(IsADirectory) as caught:
        await getattr(op, operation)(*paths)
    assert (caught.value.operation, caught.value.path, recorder.asked) == (operation, paths[0], [])


async def test_a_directory_is_made_by_a_path_with_a_slash_at_its_end() -> None:
    op, recorder = operator_with(EVERYTHING)
    with pytest.raises(NotADirectory) as caught:
        await op.create_dir("d")
    assert (caught.value.operation, caught.value.path, recorder.asked) == ("create_dir", "d", [])


PRESIGNED = ("stat", "read", "write", "delete")
PRESIGNED_OPTIONS = [(operation, option) for operation, option in OPTIONS if operation in PRESIGNED]


async def presign(op: Operator, operation: str, path: str = "p", **options: Any) -> object:
    """Presigns by the accessor, as a layer could: more can be asked there than by the operator."""
    args = OpPresign(operation=RECORDS[operation](**options), expires=timedelta(seconds=1))
    return await op._accessor.presign(path, args)


@pytest.mark.parametrize("operation", PRESIGNED)
@pytest.mark.parametrize("flag", ["presign", "presign_{}"])
async def test_a_presign_is_refused_where_its_flag_is_false(operation: str, flag: str) -> None:
    op, recorder = operator_with(replace(EVERYTHING, **{flag.format(operation): False}))
    with pytest.raises(Unsupported, match="has no presign") as caught:
        await getattr(op, f"presign_{operation}")("p", 60)
    assert (caught.value.operation, caught.value.path, recorder.asked) == (f"presign_{operation}", "p", [])


@pytest.mark.parametrize("operation", PRESIGNED)
async def test_a_presign_arrives_where_its_flags_are_true(operation: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    await getattr(op, f"presign_{operation}")("p", timedelta(days=7))
    assert recorder.asked == [OpPresign(operation=RECORDS[operation](), expires=timedelta(days=7))]


@pytest.mark.parametrize(("operation", "option"), PRESIGNED_OPTIONS)
async def test_an_option_of_what_is_presigned_is_refused_where_its_flag_is_false(operation: str, option: str) -> None:
    """Also where the stack would complete it, since nobody is asked before a request that others send."""
    op, recorder = operator_with(replace(EVERYTHING, **{f"{operation}_with_{option}": False}))
    with pytest.raises(Unsupported, match=f"presign of a {operation} with {option}") as caught:
        await presign(op, operation, **{option: VALUES[option]})
    assert (caught.value.operation, caught.value.path, recorder.asked) == ("presign", "p", [])
    await presign(op, operation)
    assert len(recorder.asked) == 1


@pytest.mark.parametrize(("operation", "option"), PRESIGNED_OPTIONS)
async def test_an_option_of_what_is_presigned_arrives_where_its_flag_is_true(operation: str, option: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    await presign(op, operation, **{option: VALUES[option]})
    assert getattr(recorder.asked[0].operation, option) == VALUES[option]


@pytest.mark.parametrize("operation", PRESIGNED)
@pytest.mark.parametrize("path", ["d/", "/"])
async def test_a_directory_is_not_presigned(operation: str, path: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    with pytest.raises(IsADirectory) as caught:
        await getattr(op, f"presign_{operation}")(path, 60)
    assert (caught.value.operation, caught.value.path, recorder.asked) == (f"presign_{operation}", path, [])


WEEK = 7 * 24 * 3600
WRONG_EXPIRES = [0, -1, WEEK + 1, timedelta(0), timedelta(seconds=-1), timedelta(seconds=WEEK, microseconds=1), 10**20]
WRONG_EXPIRES += [timedelta(milliseconds=999), -(10**20), 1.5, "60", None, True, datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("operation", PRESIGNED)
@pytest.mark.parametrize("capability", [EVERYTHING, Capability()], ids=["everything", "nothing"])
@pytest.mark.parametrize("expires", WRONG_EXPIRES, ids=repr)
async def test_an_expiry_that_cannot_be_is_refused_first(operation: str, capability: Capability, expires: Any) -> None:
    op, recorder = operator_with(capability)
    with pytest.raises(InvalidInput, match=r"expires|valid for 1 second to 7 days") as caught:
        await getattr(op, f"presign_{operation}")("p", expires)
    assert (caught.value.operation, caught.value.path, recorder.asked) == (f"presign_{operation}", "p", [])


async def test_an_empty_range_is_not_presigned() -> None:
    op, recorder = operator_with(EVERYTHING)
    with pytest.raises(InvalidInput, match="empty range"):
        await op.presign_read("p", 60, range=(4, 4))
    assert recorder.asked == []


async def test_a_suffix_is_not_presigned_where_the_size_would_have_to_be_asked() -> None:
    op, recorder = operator_with(replace(EVERYTHING, read_with_suffix=False))
    with pytest.raises(Unsupported, match="presign of a read of a suffix"):
        await op.presign_read("p", 60, range=BytesRange(suffix=3))
    assert recorder.asked == []


@pytest.mark.parametrize("hint", sorted(HINTS - {"chunk", "limit", "source_content_length_hint"}))
async def test_a_hint_is_never_refused(hint: str) -> None:
    op, recorder = operator_with(Capability(read=True, read_can_seek=True, read_can_next=True))
    assert await op.read("p", **{hint: VALUES[hint]}) == b"abc"
    assert getattr(recorder.asked[0], hint) == VALUES[hint]


async def test_a_suffix_is_refused_where_nothing_can_complete_it() -> None:
    op, recorder = operator_with(Capability(read=True, read_can_seek=True, read_can_next=True))
    with pytest.raises(Unsupported, match="suffix"):
        await op.read("p", range=BytesRange(suffix=3))
    assert recorder.asked == []


@pytest.mark.parametrize("path", ["d/", "/"])
async def test_a_directory_path_is_refused_before_any_io(path: str) -> None:
    op, recorder = operator_with(EVERYTHING)
    for call in (op.read(path), op.write(path, b"")):
        with pytest.raises(IsADirectory):
            await call
    reader = op.reader(path)
    with pytest.raises(IsADirectory) as caught:
        await reader
    assert caught.value.path == path
    assert recorder.asked == []
