"""Listings of prefixes and directories."""

from __future__ import annotations

from entrepot.errors import InvalidInput
from entrepot.types import Entry

from .case import case
from .expect import check, equal
from .interrupt import CANCEL_TIMES, interrupt
from .target import SPECIAL, Target


@case("list", "write")
async def file_has_mode_and_length(target: Target) -> None:
    """A file in a directory is listed, with its length."""
    parent = target.directory()
    path = f"{parent}file"
    content = await target.put(path)
    entries = await target.listed(parent)
    _is_file(entries, path, len(content))


@case("list", "write")
async def file_itself(target: Target) -> None:
    """The path of a file lists that file; with a trailing slash it lists nothing."""
    path = target.path()
    content = await target.put(path)
    entries = await target.listed(path)
    equal(list(entries), [path], "the listing of a file")
    _is_file(entries, path, len(content))
    equal(list(await target.listed(f"{path}/")), [], "the listing of a file with a trailing slash")


@case("list", "write")
async def special_characters_are_characters(target: Target) -> None:
    """Names with special characters are listed as they are."""
    parent = target.directory()
    paths = {f"{parent}{SPECIAL}", f"{parent}a {SPECIAL}/{SPECIAL}"}
    await target.put_all(paths)
    equal(_files(await target.listed(parent, recursive=True)), paths, "the files of the directory")


@case("list", "write", "create_dir")
async def pages_hold_everything_once(target: Target) -> None:
    """With a small limit, the directory and its contents are listed once each."""
    parent = target.directory()
    await target.operator.create_dir(parent)
    paths = [f"{parent}file-{number}" for number in range(11)]
    await target.put_all(paths)
    for recursive in (False, True):
        entries = await target.listed(parent, recursive=recursive, limit=5)
        equal(set(entries), {parent, *paths}, f"the listing in pages of 5, {recursive=}")


@case("list", "write")
async def pages_split_directories_nowhere(target: Target) -> None:
    """With a small limit, a directory with many files is listed once by its parent."""
    parent = target.directory()
    paths = [f"{parent}{name}/{number}" for name in "abc" for number in range(4)]
    await target.put_all([*paths, f"{parent}b-file"])
    entries = await target.listed(parent, limit=2)
    expected = {parent, f"{parent}a/", f"{parent}b/", f"{parent}b-file", f"{parent}c/"}
    equal(set(entries), expected, "the listing in pages of 2")
    everything = await target.listed(parent, recursive=True, limit=3)
    equal(_files(everything), {*paths, f"{parent}b-file"}, "the files below it, in pages of 3")


@case("list", "create_dir")
async def empty_directory_lists_itself(target: Target) -> None:
    """With and without slash, recursive or not, an empty directory lists itself alone."""
    path = target.directory()
    await target.operator.create_dir(path)
    for spelling in (path, path.removesuffix("/")):
        for recursive in (False, True):
            entries = await target.listed(spelling, recursive=recursive)
            equal(list(entries), [path], f"the listing of {spelling!r}, {recursive=}")
            check(entries[path].metadata.is_dir, f"{path!r} is {entries[path].metadata.mode}, and it is a directory")


@case("list")
async def missing_directory_is_empty(target: Target) -> None:
    """The listing of a missing path is empty, not an error."""
    for path in (target.directory(), target.path()):
        equal(list(await target.listed(path)), [], f"the listing of {path!r}")


@case("list")
async def missing_directory_is_empty_recursively(target: Target) -> None:
    """The same for a recursive listing."""
    for path in (target.directory(), target.path()):
        equal(list(await target.listed(path, recursive=True)), [], f"the listing of {path!r}")


@case("list", "stat", "create_dir")
async def root_lists_directories(target: Target) -> None:
    """A directory in the root is listed by its name, with its slash; the root itself is `"/"`."""
    path = target.directory()
    await target.operator.create_dir(path)
    entries = await target.listed("/")
    check(path in entries and entries[path].metadata.is_dir, f"the root lists the directory {path!r}")
    equal(entries[path].name, path, "the name of the entry")
    check((await target.operator.stat(path)).is_dir, f"{path!r} is a directory")
    check("/" in entries and "" not in entries, "the root lists itself as '/'")


@case("list", "write", "create_dir")
async def nested_directories(target: Target) -> None:
    """Each directory lists itself and its direct contents."""
    parent = target.directory()
    inner = f"{parent}inner/"
    file, deeper = f"{inner}file", f"{inner}deeper/"
    for path in (parent, inner, deeper):
        await target.operator.create_dir(path)
    await target.put(file, b"x" * 20)
    equal(set(await target.listed(parent)), {parent, inner}, "the listing of the parent")
    entries = await target.listed(inner)
    equal(set(entries), {inner, file, deeper}, "the listing of the directory")
    _is_file(entries, file, 20)
    for path in (inner, deeper):
        check(entries[path].metadata.is_dir, f"{path!r} is {entries[path].metadata.mode}, and it is a directory")
    equal({entry.name for entry in entries.values()}, {"inner/", "file", "deeper/"}, "the names of the entries")


@case("list", "write")
async def directories_that_nobody_made(target: Target) -> None:
    """The directories above files are listed, once each."""
    parent = target.directory()
    await target.put_all([f"{parent}a/1", f"{parent}a/2", f"{parent}b/c/3"])
    equal(set(await target.listed(parent)), {parent, f"{parent}a/", f"{parent}b/"}, "the listing of the parent")
    equal(set(await target.listed(f"{parent}b/")), {f"{parent}b/", f"{parent}b/c/"}, "the listing of one of them")


@case("list", "write")
async def directory_without_its_slash(target: Target) -> None:
    """Without the trailing slash a directory lists itself, not its contents."""
    parent = target.directory()
    await target.put(f"{parent}file")
    entries = await target.listed(parent.removesuffix("/"))
    equal(list(entries), [parent], "the listing of the directory without its slash")
    check(entries[parent].metadata.is_dir, f"{parent!r} is a directory")


@case("list", "write")
async def prefix_lists_all_that_begin_with_it(target: Target) -> None:
    """A path without trailing slash lists the names that start with it, in its directory."""
    parent = target.directory()
    await target.put_all([f"{parent}{name}" for name in ("ab", "abc", "abd/1", "a", "b/abc")])
    equal(set(await target.listed(f"{parent}ab")), {f"{parent}{name}" for name in ("ab", "abc", "abd/")}, "ab*")


@case("list", "write", "list_with_start_after")
async def start_after(target: Target) -> None:
    """A listing can start after a path; the rest is listed in order."""
    parent = target.directory()
    paths = [f"{parent}file-{number}" for number in range(6)]
    await target.put_all(paths)
    entries = await target.operator.list(parent, start_after=paths[2])
    equal([entry.path for entry in entries], paths[3:], "what comes after the third of six")


@case("list", "write", "create_dir")
async def root_recursively(target: Target) -> None:
    """A recursive listing of the root names it `"/"`, never empty text; the root can be created like any directory."""
    await target.operator.create_dir("/")
    path = f"{target.directory()}file"
    await target.put(path)
    entries = await target.listed("/", recursive=True)
    check("/" in entries and "" not in entries, "the root lists itself as '/'")
    check(path in entries, f"the root lists {path!r}")


@case("list", "write", "create_dir")
async def tree_recursively(target: Target) -> None:
    """A recursive listing has the directory itself, and all directories and files below it."""
    parent, expected = await _tree(target)
    equal(set(await target.listed(parent, recursive=True)), expected, "everything below the directory")


@case("list", "write", "create_dir")
async def tree_recursively_without_its_slash(target: Target) -> None:
    """The same without the trailing slash."""
    parent, expected = await _tree(target)
    entries = await target.listed(parent.removesuffix("/"), recursive=True)
    equal(set(entries), expected, "everything below the directory without its slash")


@case("list", "write")
async def prefix_recursively(target: Target) -> None:
    """A recursive listing of a path without trailing slash has all names that start with it."""
    parent = target.directory()
    paths = {f"{parent}{name}" for name in ("y", "yy", "yyy/1/2")}
    await target.put_all([*paths, f"{parent}x/y"])
    equal(_files(await target.listed(f"{parent}y", recursive=True)), paths, "the files that start with y")


@case("list", "write", "flat")
async def object_and_directory_of_one_name(target: Target) -> None:
    """Where names are keys, `"k"` and `"k/x"` can both exist, and each listing has both."""
    parent = target.directory()
    await target.put_all([f"{parent}k", f"{parent}k/x", f"{parent}k-"])
    equal(set(await target.listed(parent)), {parent, f"{parent}k", f"{parent}k/", f"{parent}k-"}, "one level")
    files = _files(await target.listed(parent, recursive=True))
    equal(files, {f"{parent}k", f"{parent}k/x", f"{parent}k-"}, "all files")


@case("list", "stat", "write")
async def listing_agrees_with_stat(target: Target) -> None:
    """A listing and `stat` agree about the metadata of a file."""
    parent = target.directory()
    await target.put_all([f"{parent}{number}" for number in range(3)])
    for path, entry in (await target.listed(f"{parent}", recursive=True)).items():
        metadata = await target.operator.stat(path)
        equal(entry.metadata.mode, metadata.mode, f"the mode of {path!r} in the listing")
        if entry.metadata.is_file:
            equal(entry.metadata.content_length, metadata.content_length, f"the length of {path!r} in the listing")
            _agree(entry.metadata.etag, metadata.etag, f"the etag of {path!r} in the listing")


@case("list", "write")
async def lister_gives_entries_one_by_one(target: Target) -> None:
    """A lister can be called, iterated, left and resumed; after its end it stays at the end."""
    parent = target.directory()
    paths = [f"{parent}{number}" for number in range(7)]
    await target.put_all(paths)
    async with target.operator.lister(parent, limit=2) as lister:
        first = await lister.next()
        assert first is not None
        got = [first]
        async for entry in lister:
            got.append(entry)
            if len(got) == 3:
                break
        got += [entry async for entry in lister]
        equal([await lister.next(), await lister.next()], [None, None], "what comes after the end")
    equal(sorted(entry.path for entry in got), sorted([parent, *paths]), "all entries")


@case("list", "write")
async def closed_lister_is_refused(target: Target) -> None:
    """Closing twice has no effect; a closed lister cannot be used."""
    parent = target.directory()
    await target.put(f"{parent}file")
    lister = await target.operator.lister(parent)
    await lister.next()
    await lister.aclose()
    await lister.aclose()
    with target.raises(InvalidInput, "lister.next", path=parent):
        await lister.next()


@case("list", "write")
async def cancelled_listing_goes_on_where_it_was(target: Target) -> None:
    """A cancelled verb loses no entry and repeats none."""
    parent = target.directory()
    paths = [f"{parent}{number}" for number in range(6)]
    await target.put_all(paths)
    for time in CANCEL_TIMES:
        got: list[Entry | None] = []
        async with target.operator.lister(parent, limit=2) as lister:

            async def take() -> None:
                got.append(await lister.next())  # noqa: B023  the call ends in this turn

            for _ in range(4):
                await interrupt(take, time)
            got += [entry async for entry in lister]
        found = sorted(entry.path for entry in got if entry is not None)
        equal(found, sorted([parent, *paths]), f"all entries, cancelled at {time}")


@case("list", "write", "delete")
async def listing_while_objects_come_and_go(target: Target) -> None:
    """Objects that exist during the whole listing are listed, and no object is listed twice."""
    parent = target.directory()
    stay = {f"{parent}stay-{number:02}" for number in range(12)}
    go = [f"{parent}go-{number:02}" for number in range(12)]
    await target.put_all([*stay, *go])
    got: list[str] = []
    async with target.operator.lister(parent, limit=4) as lister:
        async for entry in lister:
            got.append(entry.path)
            if go:
                await target.operator.delete(go.pop())
                await target.put(f"{parent}new-{len(go):02}")
    equal(len(got), len(set(got)), f"the number of different entries of {got}")
    check(stay <= set(got), f"the listing lacks {sorted(stay - set(got))}, which existed all the time")


@case("list", "write", "delete", "delete_with_recursive")
async def tree_vanishing_while_it_is_listed(target: Target) -> None:
    """Directories that are removed during a recursive listing are left out; the others are listed."""
    parent = target.directory()
    stay = {f"{parent}{number}/stay/file" for number in range(3)}
    await target.put_all([*stay, *(f"{parent}{number}/go/{name}" for number in range(3) for name in "ab")])
    got = []
    async with target.operator.lister(parent, recursive=True, limit=2) as lister:
        got.append(await lister.next())
        for number in range(3):
            await target.operator.delete(f"{parent}{number}/go/", recursive=True)
        got += [entry async for entry in lister]
    found = {entry.path for entry in got if entry is not None}
    check(stay <= found, f"the listing lacks {sorted(stay - found)}, which existed all the time")


async def _tree(target: Target) -> tuple[str, set[str]]:
    parent = target.directory()
    directories = [f"{parent}{name}" for name in ("", "x/", "x/x/", "x/x/x/")]
    files = [f"{parent}{name}" for name in ("x/x/y", "x/y", "y", "yy")]
    for path in directories:
        await target.operator.create_dir(path)
    await target.put_all(files)
    return parent, {*directories, *files}


def _files(entries: dict[str, Entry]) -> set[str]:
    return {path for path, entry in entries.items() if entry.metadata.is_file}


def _is_file(entries: dict[str, Entry], path: str, length: int) -> None:
    check(path in entries, f"the listing has {path!r}, and not only {sorted(entries)}")
    check(entries[path].metadata.is_file, f"{path!r} is {entries[path].metadata.mode}, and it is a file")
    equal(entries[path].metadata.content_length, length, f"the length of {path!r} in the listing")


def _agree(listed: str | None, stated: str | None, what: str) -> None:
    if listed is not None and stated is not None:
        equal(listed, stated, what)
