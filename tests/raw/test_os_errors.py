"""What errors of the operating system become."""

import errno
import pickle

import pytest

from entrepot import (
    AlreadyExists,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.raw.os_errors import meaning_of, translate_os_errors

MEANINGS = [
    (errno.ENOENT, NotFound, False),
    (errno.EACCES, PermissionDenied, False),
    (errno.EPERM, PermissionDenied, False),
    (errno.EROFS, PermissionDenied, False),
    (errno.EXDEV, PermissionDenied, False),
    (errno.ELOOP, PermissionDenied, False),
    (errno.EISDIR, IsADirectory, False),
    (errno.ENOTDIR, NotADirectory, False),
    (errno.EEXIST, AlreadyExists, False),
    (errno.ENOSPC, StorageFull, False),
    (errno.EDQUOT, StorageFull, False),
    (errno.ENAMETOOLONG, InvalidInput, False),
    (errno.ENXIO, Unsupported, False),
    (errno.ESPIPE, Unsupported, False),
    (errno.ETIMEDOUT, Timeout, True),
    (errno.EMFILE, Unexpected, True),
    (errno.ENFILE, Unexpected, True),
    (errno.EAGAIN, Unexpected, True),
    (errno.EINTR, Unexpected, True),
    (errno.EIO, Unexpected, False),
    (errno.ENOTEMPTY, IsADirectory, False),
    (errno.EFBIG, StorageFull, False),
    (errno.EMLINK, StorageFull, False),
    (errno.EILSEQ, InvalidInput, False),
    (errno.EOPNOTSUPP, Unsupported, False),
    (errno.ENOSYS, Unsupported, False),
    (errno.ESTALE, Unexpected, True),
    (errno.ENOLCK, Unexpected, True),
    (99999, Unexpected, False),
]


@pytest.mark.parametrize(("code", "kind", "is_temporary"), MEANINGS)
def test_each_code_has_a_meaning_and_its_path_is_not_repeated(code: int, kind: type[Error], is_temporary: bool) -> None:
    cause = OSError(code, "text of the system", "/home/somebody/private")
    with pytest.raises(Error) as raised, translate_os_errors():
        raise cause
    assert type(raised.value) is kind
    assert raised.value.is_temporary is is_temporary
    assert raised.value.__cause__ is cause
    assert "/home" not in str(raised.value)


def test_unexpected_error_names_its_code_and_keeps_it() -> None:
    error = meaning_of(OSError(errno.EMFILE, "too many"))
    assert isinstance(error, Unexpected)
    assert error.errno == errno.EMFILE
    assert "EMFILE" in error.message
    assert "EMFILE" in pickle.loads(pickle.dumps(error)).message


def test_error_without_a_code_is_unexpected() -> None:
    error = meaning_of(OSError("no code"))
    assert isinstance(error, Unexpected)
    assert error.errno == errno.EIO


def test_our_errors_pass_as_they_are_although_they_are_os_errors() -> None:
    ours = NotFound("ours")
    assert isinstance(ours, OSError)
    with pytest.raises(NotFound) as raised, translate_os_errors():
        raise ours
    assert raised.value is ours
    assert raised.value.__cause__ is None


def test_what_is_no_os_error_passes_as_it_is() -> None:
    with pytest.raises(KeyError), translate_os_errors():
        raise KeyError("key")


def test_text_that_the_file_system_cannot_spell_is_invalid_input() -> None:
    with pytest.raises(InvalidInput, match=r"'ascii'.*PYTHONUTF8") as raised, translate_os_errors():
        "é".encode("ascii")
    assert isinstance(raised.value.__cause__, UnicodeEncodeError)
