"""The tree of errors: their bases, texts, fields and pickles."""

import errno
import io
import pickle
from collections.abc import Awaitable, Callable
from traceback import format_exception_only

import pytest

import entrepot
from entrepot import Operator, errors
from entrepot.errors import Error, ObjectExists
from entrepot.services import Memory
from tests.conftest import Storage

KINDS = [getattr(errors, name) for name in errors.__all__ if name != "Error"]

BUILT_IN = {
    "TransfersFailed": OSError,
    "AlreadyExists": FileExistsError,
    "ChecksumMismatch": OSError,
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

    def test_text_is_message_hint_scheme_operation_path_and_context(self, kind: type[Error]) -> None:
        error = kind("it broke", scheme="s3", operation="read", path="a/b", context={"status": 500})
        hint = " (temporary, see RetryLayer)" if error.is_temporary else ""
        assert str(error) == f"it broke{hint} [scheme='s3', operation='read', path='a/b', status=500]"

    def test_a_traceback_and_the_repr_name_the_kind_once(self, kind: type[Error]) -> None:
        error = kind("it broke", path="a/b")
        last_line = format_exception_only(error)[-1]
        assert last_line == f"entrepot.errors.{kind.__name__}: {error}\n"
        assert last_line.count(kind.__name__) == repr(error).count(kind.__name__) == 1

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
    for storage_operator in (op, elsewhere):
        await storage_operator.write("b", b"new")

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
    assert str(errors.Timeout("slow")) == "slow (temporary, see RetryLayer)"
    assert str(errors.Timeout("slow", context={"attempts": 4})) == "slow (temporary) [attempts=4]"
    assert str(errors.NotFound("gone")) == "gone"


def test_failures_are_counted() -> None:
    gone, late = errors.NotFound("gone", path="a"), errors.Timeout("late", path="b")
    assert errors.DeletionsFailed.of([late]).message == "1 deletion failed, the one of 'b': Timeout: late"
    assert errors.DeletionsFailed.of([gone, late]).message == "2 deletions failed, the first one of 'a': NotFound: gone"


def test_the_tree_at_the_top_of_the_file_names_every_kind() -> None:
    assert errors.__doc__ is not None
    for kind in KINDS:
        assert f"── {kind.__name__}" in errors.__doc__
