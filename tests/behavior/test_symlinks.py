"""Symbolic links, which only a file system has: followed within the root, and never out of it."""

from types import SimpleNamespace

import pytest

from entrepot import EntryMode, NotFound, Operator, PermissionDenied
from entrepot.services import Fs

SECRET = b"nobody shall see this"


@pytest.fixture
def place(tmp_path):
    """A root with links of every kind, and a directory beside it that no operation may reach."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "dir").mkdir(parents=True)
    outside.mkdir()
    (root / "file").write_bytes(b"inside")
    (root / "dir" / "inner").write_bytes(b"inner")
    (outside / "secret").write_bytes(SECRET)
    links = {
        "to-file": "file",
        "to-dir": "dir",
        "dir/up": "..",
        "out-file": "../outside/secret",
        "out-dir": "../outside",
        "to-nothing": "nowhere",
        "to-itself": "to-itself",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    yield SimpleNamespace(root=root, outside=outside, operator=Operator(Fs(root)))
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": SECRET}


async def test_links_within_the_root_are_what_they_lead_to(place):
    assert await place.operator.read("to-file") == b"inside"
    assert await place.operator.read("to-dir/inner") == b"inner"
    assert await place.operator.read("dir/up/file") == b"inside"
    assert (await place.operator.stat("to-file")).content_length == 6
    assert (await place.operator.stat("to-dir/")).is_dir


@pytest.mark.parametrize("path", ["out-file", "out-dir/secret"])
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("read", lambda operator, path: operator.read(path)),
        ("stat", lambda operator, path: operator.stat(path)),
        ("copy", lambda operator, path: operator.copy(path, "stolen")),
        ("write", lambda operator, path: operator.write(path, b"x", append=True)),
    ],
)
async def test_what_leads_out_of_the_root_is_refused(place, operation, call, path):
    with pytest.raises(PermissionDenied) as caught:
        await call(place.operator, path)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("fs", operation, path)
    assert not (place.root / "stolen").exists()


@pytest.mark.parametrize(
    ("operation", "path", "call"),
    [
        ("write", "out-dir/new", lambda operator: operator.write("out-dir/new", b"x")),
        ("delete", "out-dir/secret", lambda operator: operator.delete("out-dir/secret")),
        ("list", "out-dir/", lambda operator: operator.list("out-dir/")),
        ("create_dir", "out-dir/new/", lambda operator: operator.create_dir("out-dir/new/")),
        ("copy", "file", lambda operator: operator.copy("file", "out-dir/new")),
        ("rename", "file", lambda operator: operator.rename("file", "out-dir/new")),
    ],
)
async def test_nothing_is_done_beyond_a_link_out_of_the_root(place, operation, path, call):
    with pytest.raises(PermissionDenied) as caught:
        await call(place.operator)
    assert (caught.value.operation, caught.value.path) == (operation, path)
    assert await place.operator.read("file") == b"inside"


async def test_a_link_to_nothing_is_not_found_and_one_to_itself_refused(place):
    with pytest.raises(NotFound) as missing:
        await place.operator.read("to-nothing")
    with pytest.raises(PermissionDenied) as endless:
        await place.operator.read("to-itself")
    assert (missing.value.path, endless.value.path) == ("to-nothing", "to-itself")


@pytest.mark.parametrize("recursive", [False, True])
async def test_listings_tell_links_and_end(place, recursive):
    entries = {entry.path: entry.metadata.mode for entry in await place.operator.list("/", recursive=recursive)}
    below = {"dir/inner": EntryMode.FILE, "dir/up/": EntryMode.DIR} if recursive else {}
    assert entries == {
        "/": EntryMode.DIR,
        "dir/": EntryMode.DIR,
        "file": EntryMode.FILE,
        "to-file": EntryMode.FILE,
        "to-dir/": EntryMode.DIR,
        "out-file": EntryMode.UNKNOWN,
        "out-dir": EntryMode.UNKNOWN,
        "to-nothing": EntryMode.UNKNOWN,
        "to-itself": EntryMode.UNKNOWN,
        **below,
    }


@pytest.mark.parametrize("link", ["to-file", "out-file", "to-nothing", "to-itself"])
async def test_writing_over_a_link_replaces_the_link(place, link):
    await place.operator.write(link, b"new")
    assert await place.operator.read(link) == b"new"
    assert not (place.root / link).is_symlink()
    assert await place.operator.read("file") == b"inside"


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("link", ["to-file", "to-dir", "out-file", "out-dir", "to-nothing", "to-itself"])
async def test_deleting_a_link_deletes_the_link_alone(place, link, recursive):
    await place.operator.delete(link, recursive=recursive)
    assert not (place.root / link).is_symlink()
    assert await place.operator.read("file") == b"inside"
    assert await place.operator.read("dir/inner") == b"inner"


async def test_deleting_a_directory_recursively_follows_no_link(place):
    await place.operator.delete("dir/", recursive=True)
    assert not (place.root / "dir").exists()
    assert await place.operator.read("file") == b"inside"


async def test_renaming_a_link_moves_the_link(place):
    await place.operator.rename("to-file", "moved")
    assert (place.root / "moved").is_symlink()
    assert await place.operator.read("moved") == b"inside"
