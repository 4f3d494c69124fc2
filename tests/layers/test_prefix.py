"""A directory as the root: nothing above it is reached, and nothing that comes back tells of it."""

import pickle
from dataclasses import replace
from datetime import timedelta

import pytest

from entrepot import (
    DeletionsFailed,
    Entry,
    InvalidInput,
    IsADirectory,
    Metadata,
    NotADirectory,
    NotFound,
    Operator,
    Upload,
)
from entrepot.layers import ErrorContextLayer, PrefixLayer, ReadOnlyLayer
from entrepot.raw import (
    DEFAULT_LIST,
    DEFAULT_LIST_UPLOADS,
    Context,
    Operation,
    OpList,
    RpList,
    RpListUploads,
    oio,
)
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing import cases_for, run_case
from tests.behavior.targets import TARGETS
from tests.conftest import s3_config
from tests.layers.calls import CALLS, DIRECTORY, PATH, PATHS, TARGET, Service

SUITE = [
    pytest.param(target, case, id=f"{target}-{case.name}")
    for target in ("memory", "memory_versioned", "fs")
    for case in cases_for(Operator(TARGETS[target].sample).at("some/dir/").info)
]
every_operation = pytest.mark.parametrize("operation", CALLS, ids=str)


@pytest.mark.parametrize(("target", "case"), SUITE)
async def test_every_case_of_the_suite_holds_beneath_a_prefix(target, case, request):
    await run_case(case, TARGETS[target].make(request, case).operator.at("some/dir/"))


@pytest.mark.parametrize("target", ["memory", "memory_versioned", "fs"])
def test_no_case_of_the_suite_is_lost_beneath_a_prefix(target):
    run = {param.values[1].name for param in SUITE if param.values[0] == target}
    assert run == {case.name for case in cases_for(Operator(TARGETS[target].sample).info)}


def wrapped(service, prefix="at/"):
    return PrefixLayer(prefix).wrap(ErrorContextLayer().wrap(service, Context()), Context())


@pytest.mark.parametrize("operation", sorted(CALLS.keys() - {Operation.LISTER_NEXT}), ids=str)
async def test_every_path_arrives_beneath_the_prefix(operation):
    service = Service()
    call, arguments, _ = CALLS[operation]
    await call(wrapped(service))
    beneath = {path: f"at/{path}" for path in (PATH, TARGET, DIRECTORY)}
    expected = tuple(beneath.get(one, one) if isinstance(one, str) else one for one in arguments)
    assert [args for arrived, args in service.arrived if arrived is operation] == [expected]


@every_operation
async def test_an_error_names_the_path_as_it_was_called(operation):
    service = Service(fails_at=operation)
    with pytest.raises(NotFound) as caught:
        await CALLS[operation][0](wrapped(service))
    error = caught.value
    path = PATHS.get(operation, PATH)
    assert (error.path, error.filename, error.operation, error.scheme) == (path, path, operation, "test")
    assert "at/" not in str(error)


async def test_an_error_of_what_lies_above_names_the_path_that_was_called():
    class Broken(Service):
        async def stat(self, path, args):
            raise NotADirectory("a part of it is a file", path="at", context={"target": "at/other"})

    with pytest.raises(NotADirectory) as caught:
        await wrapped(Broken()).stat("a/b", None)
    assert (caught.value.path, caught.value.context) == ("a/b", {"target": "other"})


async def test_the_errors_of_deletions_name_paths_beneath_the_prefix():
    class Deleter(oio.Delete):
        async def close(self):
            failures = [NotFound("gone", path="at/a"), NotFound("gone", path="at/a/b", context={"version": "v"})]
            raise DeletionsFailed.of(failures)

    class Broken(Service):
        async def delete(self):
            return None, Deleter()

    _, body = await wrapped(Broken()).delete()
    with pytest.raises(DeletionsFailed) as caught:
        await body.close()
    assert [(one.path, one.filename) for one in caught.value.failures] == [("a", "a"), ("a/b", "a/b")]
    assert "at/" not in str(caught.value)
    assert "at/" not in str(caught.value.args)


async def test_deletions_on_fs_that_fail_are_named_as_they_were_asked_for(tmp_path):
    op = Operator(Fs(tmp_path)).at("at/")
    await op.write("full/file", b"")
    await op.write("gone", b"")
    with pytest.raises(DeletionsFailed) as caught:
        await op.delete_many(["gone", "full", "other"])
    (failure,) = caught.value.failures
    assert (failure.kind, failure.path) == ("IsADirectory", "full")
    assert "at/" not in str(caught.value)
    assert not (tmp_path / "at" / "gone").exists()


async def test_a_copy_that_fails_names_source_and_target_as_they_were_called():
    with pytest.raises(NotFound) as caught:
        await Operator(Memory()).at("at/").copy("a", "b")
    assert (caught.value.path, caught.value.context["target"]) == ("a", "b")


class Listing(Service):
    """Lists these paths on two pages, and has uploads of them."""

    paths = ("at/", "at//", "at//hidden", "at/a", "at/b/", "attic")

    async def list(self, path, args):
        self.arrived.append((Operation.LIST, (path, args)))
        return RpList(), Pages([[Entry("at//only", Metadata())], [Entry(one, Metadata()) for one in self.paths]])

    async def list_uploads(self, path, args):
        self.arrived.append((Operation.LIST_UPLOADS, (path, args)))
        return RpListUploads(uploads=[Upload(one, "id") for one in self.paths], next_token="next")


class Pages(oio.List):
    def __init__(self, pages):
        self.pages = pages

    async def next(self):
        return self.pages.pop(0) if self.pages else None


async def test_what_no_path_leads_to_is_in_no_listing():
    _, body = await wrapped(Listing()).list("/", DEFAULT_LIST)
    assert [entry.path for entry in await body.next()] == ["/", "a", "b/"]
    assert await body.next() is None
    (left_out,) = body.left_out()
    assert (left_out.path, left_out.error.message) == ("/", "3 names here, such as '/only', cannot be in a path")


async def test_uploads_are_those_beneath_the_prefix():
    service = Listing()
    reply = await wrapped(service).list_uploads("/", DEFAULT_LIST_UPLOADS)
    assert reply.uploads == [Upload("/", "id"), Upload("a", "id"), Upload("b/", "id")]
    assert reply.next_token == "next"
    assert service.arrived == [(Operation.LIST_UPLOADS, ("at/", DEFAULT_LIST_UPLOADS))]


async def test_a_listing_starts_after_a_path_beneath_the_prefix():
    service = Listing()
    await wrapped(service).list("/", OpList(start_after="a"))
    assert service.arrived == [(Operation.LIST, ("at/", OpList(start_after="at/a")))]


async def test_start_after_gives_what_comes_after_it():
    op = Operator(Memory())
    for path in ("at/a", "at/b", "at/c", "az"):
        await op.write(path, b"")
    assert [entry.path for entry in await op.at("at/").list("/", start_after="a")] == ["b", "c"]


def test_the_info_tells_where_the_root_is():
    op = Operator(Memory(root="r"))
    assert op.at("a/b/").info == replace(op.info, root="/r/a/b/")


async def test_prefixes_compose(tmp_path):
    op = Operator(Fs(tmp_path)).at("a/").at("b/")
    await op.write("c", b"content")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"content"
    assert op.info.root == f"{tmp_path}/a/b/"
    with pytest.raises(NotFound) as caught:
        await op.read("d")
    assert caught.value.path == "d"


async def test_the_root_changes_nothing():
    op = Operator(Memory())
    assert op.at("/").info == op.info
    await op.at("/").write("a", b"")
    assert await op.exists("a")


async def test_leading_slashes_of_a_prefix_say_nothing():
    assert Operator(Memory()).at("//a/").info.root == "/a/"


@pytest.mark.parametrize("prefix", ["a", "a/b", "", "a\0/", 1, None, b"a/"])
def test_a_prefix_that_is_no_directory_is_refused(prefix):
    with pytest.raises(InvalidInput):
        PrefixLayer(prefix)
    with pytest.raises(InvalidInput):
        Operator(Memory()).at(prefix)
    with pytest.raises(InvalidInput):
        Operator(Memory()).blocking().at(prefix)


ABOVE = [
    "../secret",
    "..",
    "../",
    "./../secret",
    "a/../../secret",
    "a//../../secret",
    "..\\secret",
    "a\\..\\..\\secret",
]


@pytest.mark.parametrize("path", ABOVE)
async def test_no_path_reaches_above_the_prefix_on_fs(tmp_path, path):
    whole = Operator(Fs(tmp_path))
    await whole.write("secret", b"secret")
    op = whole.at("at/")
    await op.write("a/file", b"")
    calls = (
        lambda: op.read(path),
        lambda: op.stat(path),
        lambda: op.write(path, b"mine"),
        lambda: op.copy(path, "copied"),
        lambda: op.copy("a/file", path),
        lambda: op.rename(path, "moved"),
        lambda: op.rename("a/file", path),
        lambda: op.create_dir(f"{path}/"),
        lambda: op.list(f"{path}/"),
        lambda: op.delete(path, recursive=True),
    )
    for call in calls:
        with pytest.raises((InvalidInput, IsADirectory)):
            await call()
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert {one.name for one in tmp_path.iterdir()} == {"secret", "at"}


@pytest.mark.parametrize("path", ABOVE)
@every_operation
async def test_what_would_lead_out_arrives_nowhere(operation, path, monkeypatch):
    """Some servers that have flat names by their protocol resolve `..` nevertheless, such as JuiceFS in a copy."""
    service = Service()
    call, arguments, _ = CALLS[operation]
    monkeypatch.setattr("tests.layers.calls.PATH", path)
    monkeypatch.setattr("tests.layers.calls.DIRECTORY", f"{path}/")
    if operation in {Operation.DELETE, Operation.DELETER_CLOSE}:
        await call(wrapped(service))
        assert service.arrived[-1] == (operation, arguments)
        return
    with pytest.raises(InvalidInput) as caught:
        await call(wrapped(service))
    assert (caught.value.scheme, caught.value.path.rstrip("/")) == ("test", path.rstrip("/"))
    assert [arrived for arrived, _ in service.arrived] in ([], [Operation.DELETE])


@pytest.mark.parametrize("operation", ["copy", "rename"])
async def test_no_target_leads_out(operation):
    config = Memory()
    op = Operator(config).at("at/")
    await op.write("a", b"")
    with pytest.raises(InvalidInput) as caught:
        await getattr(op, operation)("a", "../b")
    assert (caught.value.operation, caught.value.context["target"]) == (operation, "../b")
    assert [entry.path for entry in await Operator(config).list("/", recursive=True)] == ["/", "at/a"]


@pytest.mark.parametrize("path", ["a/../b", "a/..", "...", "..a/b", "a/b../c", "a\\..\\b", "./a"])
async def test_dots_that_lead_nowhere_above_are_names_on_a_flat_store(path):
    whole = Operator(Memory())
    await whole.at("at/").write(path, b"content")
    assert await whole.read(f"at/{path}") == b"content"
    assert path in [entry.path for entry in await whole.at("at/").list("/", recursive=True)]


async def test_a_name_that_would_lead_out_is_in_no_listing_and_goes_with_the_tree():
    whole = Operator(Memory())
    for path in ("at/../secret", "at/a", "secret"):
        await whole.write(path, b"")
    assert [entry.path for entry in await whole.at("at/").list("/", recursive=True)] == ["/", "a"]
    await whole.at("at/").delete("/", recursive=True)
    assert [entry.path for entry in await whole.list("/", recursive=True)] == ["/", "secret"]


async def test_no_path_reaches_above_the_prefix_on_a_web_server():
    op = Operator(Http("http://127.0.0.1:9")).at("at/")
    for path in ("../secret", "..", "a/../../secret"):
        with pytest.raises(InvalidInput) as caught:
            await op.read(path)
        assert caught.value.path == path


async def test_what_lies_beside_the_prefix_is_not_seen():
    whole = Operator(Memory())
    for path in ("at", "attic", "at/a", "b"):
        await whole.write(path, path.encode())
    op = whole.at("at/")
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "a"]
    await op.delete("/", recursive=True)
    assert [entry.path for entry in await whole.list("/")] == ["/", "at", "attic", "b"]


@pytest.mark.parametrize("make", [lambda folder: Memory(), Fs], ids=["memory", "fs"])
async def test_the_root_is_there_before_anything_is(make, tmp_path):
    op = Operator(make(tmp_path)).at("not/there/")
    assert (await op.stat("/")).is_dir
    assert [entry.path for entry in await op.list("/")] == ["/"]
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/"]
    await op.check()
    await op.delete("/")
    await op.delete("/", recursive=True)
    await op.write("a", b"")
    assert [entry.path for entry in await op.list("/")] == ["/", "a"]


async def test_a_file_in_the_place_of_the_directory_is_told(tmp_path):
    (tmp_path / "at").write_bytes(b"")
    with pytest.raises(NotADirectory) as caught:
        await Operator(Fs(tmp_path)).at("at/").write("a", b"")
    assert caught.value.path == "a"


async def test_emptying_the_root_leaves_nothing_and_the_root_can_be_written_to(tmp_path):
    op = Operator(Fs(tmp_path)).at("at/")
    await op.write("a/b", b"")
    await op.delete("/", recursive=True)
    assert [entry.path for entry in await op.list("/")] == ["/"]
    await op.create_dir("/")
    assert (tmp_path / "at").is_dir()


async def test_a_copy_between_two_prefixes_finds_both():
    whole = Operator(Memory())
    await whole.write("a/file", b"content")
    await whole.at("a/").copy_to(whole.at("b/"), "file", "copy")
    await whole.at("a/").copy_to(whole, "file", "other")
    assert await whole.read("b/copy") == await whole.read("other") == b"content"


async def test_what_the_layers_inside_refuse_is_refused():
    op = Operator(Memory()).layer(ReadOnlyLayer()).at("at/")
    assert not op.info.capability.write


def test_it_is_pickled_with_its_operator(tmp_path):
    op = pickle.loads(pickle.dumps(Operator(Fs(tmp_path)).at("at/")))
    assert op.info.root == f"{tmp_path}/at/"


def test_the_blocking_twin_has_it_too(tmp_path):
    op = Operator(Fs(tmp_path)).blocking().at("a/").at("b/")
    op.write("file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert [entry.path for entry in op.list("/")] == ["/", "file"]
    with pytest.raises(NotFound) as caught:
        op.stat("missing")
    assert caught.value.path == "missing"


async def test_s3_keeps_to_the_prefix(seaweedfs_server):
    whole = Operator(s3_config(seaweedfs_server))
    op = whole.at("at/")
    await whole.write("beside", b"")
    await op.write("a/b", b"content")
    await op.copy("a/b", "c")
    assert await whole.read("at/c") == await op.read("a/b") == b"content"
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "a/b", "c"]
    assert "/at/a/b?" in (await op.presign_read("a/b", 60)).url
    await op.delete_many(["a/b", "missing"])
    await op.delete("/", recursive=True)
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/"]
    assert await whole.exists("beside")


async def test_uploads_on_s3_are_those_beneath_the_prefix(seaweedfs_server):
    whole = Operator(s3_config(seaweedfs_server))
    part = bytes(whole.info.capability.write_multi_min_size)
    async with whole.at("at/").writer("mine", chunk=len(part)) as mine, whole.writer("other", chunk=len(part)) as other:
        for writer in (mine, other):
            for _ in range(3):
                await writer.write(part)
        assert [one.path for one in await whole.at("at/").list_uploads()] == ["mine"]
        aborted = await whole.at("at/").abort_uploads("/", older_than=timedelta())
        assert [one.path for one in aborted] == ["mine"]
        assert [one.path for one in await whole.list_uploads()] == ["other"]
        await mine.abort()
        await other.abort()


async def test_a_copy_between_roots_of_one_bucket_under_one_prefix_finds_both(seaweedfs_server):
    one, two = s3_config(seaweedfs_server), s3_config(seaweedfs_server)
    assert isinstance(one, S3)
    assert one.root != two.root
    await Operator(one).at("at/").write("file", b"content")
    await Operator(one).at("at/").copy_to(Operator(two).at("at/"), "file", "copy")
    assert await Operator(two).read("at/copy") == b"content"


async def test_a_version_is_that_of_the_object_beneath():
    whole = Operator(Memory(versioned=True))
    op = whole.at("at/")
    await op.write("a", b"1")
    await op.write("a", b"2")
    first = next(entry for entry in await op.list("a", versions=True) if not entry.metadata.is_current)
    await op.delete_many([first])
    assert [entry.path for entry in await whole.list("at/a", versions=True)] == ["at/a"]
    assert await op.read("a") == b"2"
