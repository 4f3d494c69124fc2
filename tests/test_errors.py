"""The tree of errors: what each is, says, carries and survives."""

import errno
import io
import pickle
from collections.abc import Awaitable, Callable

import pytest

import entrepot
from entrepot import Operator, errors
from entrepot.errors import Error, ObjectExists
from entrepot.services import Memory
from tests.conftest import Storage

KINDS = [getattr(errors, name) for name in errors.__all__ if name != "Error"]

BUILT_IN = {
    "AlreadyExists": FileExistsError,
    "ConditionNotMatch": OSError,
    "ConfigInvalid": ValueError,
    "ContentIncomplete": OSError,
    "ContentTruncated": OSError,
    "InvalidInput": ValueError,
    "IsADirectory": IsADirectoryError,
    "NotADirectory": NotADirectoryError,
    "NotFound": FileNotFoundError,
    "DeletionsFailed": OSError,
    "IsSameFile": ValueError,
    "PermissionDenied": PermissionError,
    "RangeNotSatisfied": ValueError,
    "RateLimited": OSError,
    "StorageFull": OSError,
    "Timeout": TimeoutError,
    "Unexpected": OSError,
    "Unsupported": io.UnsupportedOperation,
}
TEMPORARY = {"Timeout", "RateLimited", "ContentIncomplete"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
class TestEveryKind:
    def test_is_an_error_and_its_built_in_counterpart(self, kind: type[Error]) -> None:
        assert issubclass(kind, Error)
        assert issubclass(kind, BUILT_IN[kind.__name__])

    def test_kind_is_the_name_of_the_class(self, kind: type[Error]) -> None:
        assert kind.kind == kind.__name__

    def test_is_exported_and_has_a_docstring(self, kind: type[Error]) -> None:
        assert getattr(entrepot, kind.__name__) is kind
        assert kind.__doc__

    def test_is_temporary_by_default_only_where_waiting_helps(self, kind: type[Error]) -> None:
        assert kind("x").is_temporary is (kind.__name__ in TEMPORARY)
        assert kind("x", is_temporary=True).is_temporary is True
        assert kind("x", is_temporary=False).is_temporary is False

    def test_text_names_kind_message_scheme_operation_and_path(self, kind: type[Error]) -> None:
        text = str(kind("it broke", scheme="s3", operation="read", path="a/b", context={"status": 500}))
        for part in (kind.__name__, "it broke", "scheme='s3'", "operation='read'", "path='a/b'", "status=500"):
            assert part in text

    def test_pickles_whole(self, kind: type[Error]) -> None:
        error = kind("m", scheme="s", operation="o", path="p", context={"k": 1}, is_temporary=True)
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is kind
        assert str(copy) == str(error)
        assert (copy.message, copy.scheme, copy.operation, copy.path) == ("m", "s", "o", "p")
        assert copy.context == {"k": 1}
        assert copy.is_temporary is True

    def test_os_errors_have_errno_and_filename(self, kind: type[Error]) -> None:
        error = kind("m", path="a/b")
        if isinstance(error, OSError):
            assert error.filename == "a/b"
            assert isinstance(error.errno, int)
            copy = pickle.loads(pickle.dumps(error))
            assert (copy.errno, copy.filename) == (error.errno, "a/b")


@pytest.mark.parametrize("operation", ["write", "copy", "rename", "copy_to", "writer"])
@pytest.mark.parametrize("storage", ["fs", "memory", "s3"], indirect=True)
async def test_if_not_exists_raises_what_open_raises_for_a_file_that_exists(storage: Storage, operation: str) -> None:
    if storage.scheme == "s3" and operation == "rename":
        return  # s3 cannot rename
    op, elsewhere = storage.operator, Operator(Memory())
    await op.write("a", b"old")
    for one in (op, elsewhere):
        await one.write("b", b"new")

    async def by_writer() -> None:
        async with op.writer("a", if_not_exists=True) as writer:
            await writer.write(b"new")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "write": lambda: op.write("a", b"new", if_not_exists=True),
        "copy": lambda: op.copy("b", "a", if_not_exists=True),
        "rename": lambda: op.rename("b", "a", if_not_exists=True),
        "copy_to": lambda: elsewhere.copy_to(op, "b", "a", if_not_exists=True),
        "writer": by_writer,
    }
    with pytest.raises(FileExistsError) as caught:
        await calls[operation]()
    error = caught.value
    assert isinstance(error, errors.ConditionNotMatch)
    assert isinstance(error, errors.AlreadyExists)
    assert type(error) is ObjectExists
    assert (error.kind, error.errno, error.scheme) == ("ConditionNotMatch", errno.EEXIST, storage.scheme)
    assert not error.is_temporary
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.errno, copy.filename) == (type(error), str(error), error.errno, error.filename)
    assert await op.read("a") == b"old"
    await op.close()


def test_not_found_is_caught_by_errno_as_well() -> None:
    assert errors.NotFound("x").errno == errno.ENOENT


def test_context_fills_only_what_is_unknown() -> None:
    error = errors.NotFound("m", operation="inner", context={"code": "NoSuchKey"})
    same = error.add_context(scheme="s3", operation="outer", path="p", code="other", status=404)
    assert same is error
    assert (error.scheme, error.operation, error.path) == ("s3", "inner", "p")
    assert error.context == {"code": "NoSuchKey", "status": 404}
    assert error.filename == "p"


def test_an_empty_path_is_known() -> None:
    assert errors.NotFound("m", path="").add_context(path="other").path == ""


def test_a_temporary_error_says_so() -> None:
    assert str(errors.Timeout("slow")) == "Timeout (temporary, see RetryLayer): slow"
    assert str(errors.NotFound("gone")) == "NotFound: gone"


def test_the_tree_at_the_top_of_the_file_names_every_kind() -> None:
    assert errors.__doc__ is not None
    for kind in KINDS:
        assert f"── {kind.__name__}" in errors.__doc__
