"""Nothing outside of the root is reached, whatever links say and however they change."""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from entrepot import Error, NotADirectory, NotFound, Operator, PermissionDenied, Unexpected
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs
from entrepot.services.fs.kernel.beneath import attributes_beneath, open_beneath
from tests.services.fs.conftest import Run, descriptors, names_in

INSIDE = b"inside"
ROUNDS = 3000


@pytest.fixture(autouse=True)
def tree(root: Path, confinement: str) -> None:
    (root / "d" / "deep").mkdir(parents=True)
    (root / "file").write_bytes(INSIDE)
    (root / "d" / "file").write_bytes(INSIDE)


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("link", "file", "link"),
        ("link", "d/file", "link"),
        ("link", "./d/deep/../file", "link"),
        ("d/link", "../file", "d/link"),
        ("d/deep/link", "../../file", "d/deep/link"),
        ("dir", "d", "dir/file"),
        ("dir", "d/", "dir/file"),
        ("d/up", "..", "d/up/file"),
        ("d/up", "../", "d/up/d/up/file"),
        ("d/here", ".", "d/here/file"),
    ],
)
def test_link_that_stays_inside_is_followed(
    run: Run, op: Operator, root: Path, link: str, target: str, path: str
) -> None:
    (root / link).symlink_to(target)
    assert run(op.read(path)) == INSIDE
    assert run(op.stat(path)).content_length == len(INSIDE)


@pytest.mark.parametrize("path", ["..", "../secret", "d/../../secret"])
def test_way_back_out_of_the_root_is_refused_whoever_lets_such_a_path_through(root: Path, path: str) -> None:
    directory = os.open(root, os.O_PATH)
    before = descriptors()
    for call in (attributes_beneath, partial(open_beneath, flags=os.O_RDONLY), partial(open_beneath, flags=os.O_PATH)):
        with pytest.raises(OSError, match="cross-device") as raised:
            call(directory, path)
        assert raised.value.errno == errno.EXDEV
    assert descriptors() == before
    os.close(directory)


def test_chain_of_links_is_followed(run: Run, op: Operator, root: Path) -> None:
    (root / "0").symlink_to("d/file")
    for number in range(1, 30):
        (root / str(number)).symlink_to(str(number - 1))
    assert run(op.read("29")) == INSIDE


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("link", "../secret", "link"),
        ("d/link", "../../secret", "d/link"),
        ("link", "d/../../secret", "link"),
        ("link", "{tmp}/secret", "link"),
        ("link", "{tmp}/root/file", "link"),
        ("dir", "../outside", "dir/secret"),
        ("dir", "{tmp}/outside", "dir/secret"),
        ("dir", "..", "dir/secret"),
        ("dir", "/", "dir/etc/passwd"),
        ("back", "../root/file", "back"),
    ],
)
def test_link_that_leaves_the_root_is_refused(
    run: Run, op: Operator, root: Path, tmp_path: Path, link: str, target: str, path: str
) -> None:
    (root / link).symlink_to(target.format(tmp=tmp_path))
    for operation, call in (("read", op.read), ("stat", op.stat)):
        with pytest.raises(PermissionDenied) as raised:
            run(call(path))
        assert (raised.value.scheme, raised.value.operation, raised.value.path) == ("fs", operation, path)
        assert str(tmp_path) not in str(raised.value)


def test_chain_that_leaves_at_its_end_is_refused(run: Run, op: Operator, root: Path) -> None:
    (root / "first").symlink_to("second")
    (root / "second").symlink_to("../secret")
    with pytest.raises(PermissionDenied):
        run(op.read("first"))


def test_links_without_end_are_refused(run: Run, op: Operator, root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    for call in (op.read, op.stat):
        with pytest.raises(PermissionDenied, match="cannot be followed"):
            run(call("a"))


def test_link_to_nothing_is_not_found(run: Run, op: Operator, root: Path) -> None:
    (root / "link").symlink_to("missing")
    with pytest.raises(NotFound):
        run(op.read("link"))
    assert not run(op.exists("link"))


def test_link_to_a_file_is_no_directory(run: Run, op: Operator, root: Path) -> None:
    (root / "link").symlink_to("file")
    with pytest.raises(NotADirectory):
        run(op.read("link/below"))


def test_links_of_proc_that_are_no_paths_are_not_followed(
    run: Run, op_at: Callable[[str], Operator], root: Path
) -> None:
    with (root / "file").open("rb") as opened, pytest.raises((PermissionDenied, NotFound)):
        run(op_at("/proc").read(f"self/fd/{opened.fileno()}"))
    with pytest.raises(PermissionDenied):
        run(op_at("/proc").read("self/root/etc/passwd"))


def test_write_through_a_directory_that_leaves_is_refused(run: Run, op: Operator, root: Path, tmp_path: Path) -> None:
    (root / "dir").symlink_to("../outside")
    before = names_in(tmp_path / "outside")
    for path in ("dir/new", "dir/secret", "dir/new/new"):
        with pytest.raises(PermissionDenied) as raised:
            run(op.write(path, b"data"))
        assert (raised.value.operation, raised.value.path) == ("write", path)
    assert names_in(tmp_path / "outside") == before
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_write_replaces_a_link_and_not_what_it_leads_to(run: Run, op: Operator, root: Path, tmp_path: Path) -> None:
    for link, target in (("link", "../secret"), ("inside", "file")):
        (root / link).symlink_to(target)
        run(op.write(link, b"new"))
        assert not (root / link).is_symlink()
        assert run(op.read(link)) == b"new"
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert (root / "file").read_bytes() == INSIDE


def test_path_deeper_than_the_links_limit_is_no_chain(run: Run, op: Operator) -> None:
    path = "/".join(["x"] * 100)
    run(op.write(path, b"deep"))
    assert run(op.read(path)) == b"deep"


class _Swapping:
    """A thread that changes something back and forth until it is left."""

    def __init__(self, *states: Callable[[], None]) -> None:
        self._states = states
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._swap)

    def _swap(self) -> None:
        while not self._is_done.is_set():
            for state in self._states:
                state()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()


def _outcomes(op: Operator, path: str) -> set[bytes | type[Error]]:
    """What thousands of reads gave: bytes, or an error."""
    seen: set[bytes | type[Error]] = set()
    for _ in range(ROUNDS):
        try:
            seen.add(inline.run(op.read(path)))
        except Error as error:
            seen.add(type(error))
    return seen


@pytest.mark.parametrize("target", ["../secret", "{tmp}/secret"])
def test_file_swapped_for_a_link_while_it_is_opened_shows_nothing_outside(
    root: Path, tmp_path: Path, target: str
) -> None:
    op = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
    (root / "bad").symlink_to(target.format(tmp=tmp_path))

    def put_link() -> None:
        (root / "bad").rename(root / "swapped")

    def put_file() -> None:
        (root / "bad").symlink_to(target.format(tmp=tmp_path))
        (root / "good").write_bytes(INSIDE)
        (root / "good").rename(root / "swapped")

    with _Swapping(put_link, put_file):
        seen = _outcomes(op, "swapped")
    assert b"secret" not in seen
    assert seen <= {INSIDE, PermissionDenied, NotFound}
    assert seen & {INSIDE, PermissionDenied}


def test_directory_swapped_for_a_link_while_it_is_walked_shows_nothing_outside(root: Path) -> None:
    op = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
    (root / "dir").mkdir()
    (root / "dir" / "secret").write_bytes(INSIDE)

    def put_link() -> None:
        (root / "dir").rename(root / "aside")
        (root / "dir").symlink_to("../outside")

    def put_directory() -> None:
        (root / "dir").unlink()
        (root / "aside").rename(root / "dir")

    with _Swapping(put_link, put_directory):
        seen = _outcomes(op, "dir/secret")
    assert b"secret" not in seen
    assert seen <= {INSIDE, PermissionDenied, NotFound, NotADirectory}
    assert seen & {INSIDE, PermissionDenied}


def test_directory_moved_while_a_link_goes_back_from_it_shows_nothing_outside(root: Path) -> None:
    """`..` after the directory was moved one level up would be the directory above the root."""
    op = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "link").symlink_to("../../secret")
    (root / "secret").write_bytes(INSIDE)

    above, below = root / "b", root / "a" / "b"
    with _Swapping(lambda: below.rename(above), lambda: above.rename(below)):
        seen = _outcomes(op, "a/b/link")
        seen |= _outcomes(op, "b/link")
    assert b"secret" not in seen
    assert seen <= {INSIDE, PermissionDenied, NotFound, Unexpected}


def test_write_while_its_directory_is_swapped_for_a_link_leaves_nothing_outside(root: Path, tmp_path: Path) -> None:
    op = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))

    def lead_to(target: str) -> None:
        (root / "next").symlink_to(target)
        (root / "next").rename(root / "dir")

    lead_to("d")
    written = 0
    with _Swapping(lambda: lead_to("../outside"), lambda: lead_to("d")):
        for number in range(ROUNDS // 4):
            with suppress(PermissionDenied, NotADirectory):
                inline.run(op.write(f"dir/{number % 7}", b"data"))
                written += 1
    assert names_in(tmp_path / "outside") == ["secret"]
    assert [name for name in names_in(root / "d") if name.endswith(".tmp")] == []
    assert written > 0


def test_descriptors_are_given_back_whatever_happens(run: Run, op: Operator, root: Path) -> None:
    (root / "bad").symlink_to("d/deep/../../../secret")
    (root / "loop").symlink_to("loop")
    run(op.read("file"))
    before = descriptors()
    for path in ("file", "d/deep/../x", "bad", "loop", "missing", "d/missing", "d", "file/below", "d/deep/x/y"):
        for call in (op.read, op.stat):
            with suppress(Error):
                run(call(path))
    assert descriptors() == before
