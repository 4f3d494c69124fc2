"""Services that can only be read. Their storage must have the objects of `fixtures`, or a way to put them there."""

from __future__ import annotations

from entrepot.errors import IsADirectory, NotFound
from entrepot.types import BytesRange

from .case import case
from .expect import check, equal
from .fixtures import CONTENT, FIXTURES, SPECIAL_DIR, SPECIAL_FILE
from .target import Target


@case("stat")
async def stat_of_a_file(target: Target) -> None:
    """A file has its mode and its length."""
    await _is_the_file(target, "normal_file.txt", "normal_file.txt")


@case("stat")
async def stat_of_special_characters(target: Target) -> None:
    """A name with special characters is found."""
    await _is_the_file(target, SPECIAL_FILE, SPECIAL_FILE)


@case("stat")
async def stat_with_leading_slashes(target: Target) -> None:
    """Leading slashes are ignored."""
    await _is_the_file(target, "normal_file.txt", "//normal_file.txt")


@case("stat")
async def stat_of_directories(target: Target) -> None:
    """A directory has the mode of one, whatever its name."""
    for name in ("normal_dir/", SPECIAL_DIR):
        await target.fixture(f"{name}index.html")
        metadata = await target.operator.stat(name)
        check(metadata.is_dir, f"{name!r} is {metadata.mode}, and it is a directory")


@case("stat")
async def stat_of_what_is_missing(target: Target) -> None:
    """A missing file is `NotFound`."""
    with target.raises(NotFound, "stat", path="not_there.txt"):
        await target.operator.stat("not_there.txt")


@case("stat")
async def stat_of_the_root(target: Target) -> None:
    """The root is a directory."""
    check((await target.operator.stat("/")).is_dir, "the root is a directory")


@case("read")
async def read_of_a_file(target: Target) -> None:
    """The whole content is read."""
    await _has_its_content(target, "normal_file.txt")


@case("read")
async def read_of_special_characters(target: Target) -> None:
    """The whole content is read, whatever the name."""
    await _has_its_content(target, SPECIAL_FILE)


@case("read")
async def read_of_a_range(target: Target) -> None:
    """Exactly the range is read."""
    content = await target.fixture("normal_file.txt")
    got = await target.operator.read("normal_file.txt", range=(1024, 2048))
    equal(got, content[1024:2048], "the bytes from 1024 to 2048")


@case("read", "read_with_suffix")
async def read_of_a_suffix(target: Target) -> None:
    """The last bytes are read."""
    content = await target.fixture("normal_file.txt")
    got = await target.operator.read("normal_file.txt", range=BytesRange(suffix=1024))
    equal(got, content[-1024:], "the last 1024 bytes")


@case("read")
async def read_of_what_is_missing(target: Target) -> None:
    """A missing file is `NotFound`."""
    with target.raises(NotFound, "read", path="not_there.txt"):
        await target.operator.read("not_there.txt")


@case("read")
async def read_of_a_directory(target: Target) -> None:
    """A directory has no content."""
    await target.fixture("normal_dir/index.html")
    with target.raises(IsADirectory, "read", path="normal_dir/"):
        await target.operator.read("normal_dir/")


@case("list")
async def list_of_the_root(target: Target) -> None:
    """The root lists files as files and directories as directories."""
    for name in FIXTURES:
        await target.fixture(name)
    entries = await target.listed("/")
    for name in ("normal_file.txt", SPECIAL_FILE):
        check(name in entries and entries[name].metadata.is_file, f"{name!r} is a file in the root")
        equal(entries[name].metadata.content_length, len(CONTENT), f"the length of {name!r} in the listing")
    for name in ("normal_dir/", SPECIAL_DIR):
        check(name in entries and entries[name].metadata.is_dir, f"{name!r} is a directory in the root")


async def _is_the_file(target: Target, name: str, spelling: str) -> None:
    content = await target.fixture(name)
    metadata = await target.operator.stat(spelling)
    check(metadata.is_file, f"{spelling!r} is {metadata.mode}, and it is a file")
    equal(metadata.content_length, len(content), f"the length of {spelling!r}")


async def _has_its_content(target: Target, name: str) -> None:
    content = await target.fixture(name)
    equal(await target.operator.read(name), content, f"the content of {name!r}")
