"""The media type of an object by the extension of its path."""

import mimetypes
import pickle

import pytest

from entrepot import Capability, InvalidInput, Operator
from entrepot.layers import CapabilityOverrideLayer, MimeGuessLayer
from entrepot.raw import (
    AccessorInfo,
    Context,
    OpCompleteUpload,
    OpSharedUpload,
    OpStartUpload,
    OpUploadPart,
    OpWrite,
)
from entrepot.services import Fs, Memory
from tests.conftest import s3_config
from tests.layers.calls import Service


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", "text/plain"),
        ("folder.d/PAGE.HTML", "text/html"),
        ("a.js", "text/javascript"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.json", "application/json"),
        ("data:,a.png", "image/png"),
        ("a.txt;x", None),
        ("a", None),
        (".txt", None),
        ("folder.txt/a", None),
        ("a.nothing-is-called-that", None),
    ],
)
def test_the_last_extension_says_the_type(path, expected):
    assert MimeGuessLayer().guess(path) == expected


@pytest.mark.parametrize(
    ("encoding", "expected"), [("gzip", "text/plain"), ("GZIP", "text/plain"), ("br", "application/gzip")]
)
def test_bytes_that_the_reader_decodes_have_the_type_that_is_inside(encoding, expected):
    assert MimeGuessLayer().guess("a.txt.gz", encoding) == expected


def test_tables_of_the_system_are_not_asked(monkeypatch):
    monkeypatch.setattr(mimetypes, "knownfiles", [])
    mimetypes.add_type("application/x-of-the-system", ".of-the-system")
    assert MimeGuessLayer().guess("a.of-the-system") is None


def test_types_of_the_user_go_before_the_table():
    layer = MimeGuessLayer(types={".FOO": "application/x-foo", ".txt": "text/x-mine"})
    assert (layer.guess("a.foo"), layer.guess("a.txt")) == ("application/x-foo", "text/x-mine")


@pytest.mark.parametrize("types", [{"foo": "a/b"}, {".": "a/b"}, {".foo": "plain"}, {".foo": 1}, [".foo"], None])
def test_types_that_cannot_work_are_refused(types):
    with pytest.raises(InvalidInput, match="types"):
        MimeGuessLayer(types=types)


async def test_a_write_stores_the_guess():
    config = Memory()
    await Operator(config).layer(MimeGuessLayer()).write("a.html", b"<p>")
    assert (await Operator(config).stat("a.html")).content_type == "text/html"


async def test_a_writer_stores_the_guess():
    config = Memory()
    async with Operator(config).layer(MimeGuessLayer()).writer("a.html") as writer:
        await writer.write(b"<p>")
    assert (await Operator(config).stat("a.html")).content_type == "text/html"


async def test_a_shared_upload_starts_with_the_guess_and_its_parts_and_end_stay():
    service = Service()
    accessor = MimeGuessLayer().wrap(service, Context())
    part, end = OpUploadPart(upload="u", number=1), OpCompleteUpload(upload="u", parts=())
    steps = [OpStartUpload(write=OpWrite()), OpStartUpload(write=OpWrite(content_type="text/x-mine")), part, end]
    for step in steps:
        await accessor.shared_upload("a.html", OpSharedUpload(step=step), b"")
    arrived = [args[1].step for _, args in service.arrived]
    assert arrived == [OpStartUpload(write=OpWrite(content_type="text/html")), *steps[1:]]


async def test_a_type_that_was_asked_for_stays():
    op = Operator(Memory()).layer(MimeGuessLayer())
    await op.write("a.html", b"<p>", content_type="text/x-mine")
    assert (await op.stat("a.html")).content_type == "text/x-mine"


async def test_an_append_leaves_the_type_of_the_object():
    config = Memory()
    op = Operator(config).layer(MimeGuessLayer())
    await op.write("a.html", b"<p>", content_type="text/x-mine")
    await op.write("a.html", b"</p>", append=True)
    assert (await op.stat("a.html")).content_type == "text/x-mine"


async def test_an_append_that_makes_the_object_stores_none():
    config = Memory()
    await Operator(config).layer(MimeGuessLayer()).write("a.html", b"<p>", append=True)
    assert (await Operator(config).stat("a.html")).content_type is None


async def test_stat_tells_the_guess_where_the_storage_tells_none(tmp_path):
    op = Operator(Fs(tmp_path)).layer(MimeGuessLayer())
    await op.write("a.html", b"<p>")
    await op.write("a", b"<p>")
    await op.create_dir("d.html/")
    assert (await op.stat("a.html")).content_type == "text/html"
    assert (await op.stat("a")).content_type is None
    assert (await op.stat("d.html/")).content_type is None


async def test_stat_leaves_what_the_storage_tells():
    config = Memory()
    await Operator(config).write("a.html", b"", content_type="application/octet-stream")
    metadata = await Operator(config).layer(MimeGuessLayer()).stat("a.html")
    assert metadata.content_type == "application/octet-stream"


def test_where_no_type_can_be_stored_a_write_costs_nothing():
    service = Service()
    service.info = AccessorInfo("test", native_capability=Capability(stat=True, write=True))
    assert MimeGuessLayer().wrap(service, Context()).write == service.write


async def test_where_storing_a_type_was_switched_off_none_is_asked_for():
    config = Memory()
    op = Operator(config).layer(CapabilityOverrideLayer(write_with_content_type=False)).layer(MimeGuessLayer())
    await op.write("a.html", b"<p>")
    assert (await Operator(config).stat("a.html")).content_type is None


async def test_s3_serves_the_type(seaweedfs_server):
    config = s3_config(seaweedfs_server)
    await Operator(config).layer(MimeGuessLayer()).write("a.html", b"<p>")
    assert (await Operator(config).stat("a.html")).content_type == "text/html"


def test_the_blocking_twin_guesses_as_well():
    config = Memory()
    Operator(config).layer(MimeGuessLayer()).blocking().write("a.html", b"<p>")
    assert Operator(config).blocking().stat("a.html").content_type == "text/html"


def test_it_is_pickled_with_its_types():
    layer = pickle.loads(pickle.dumps(MimeGuessLayer(types={".foo": "application/x-foo"})))
    assert layer == MimeGuessLayer(types={".foo": "application/x-foo"})
    assert hash(layer) == hash(MimeGuessLayer(types={".foo": "application/x-foo"}))


async def test_a_reader_knows_the_type_as_stat_does(tmp_path):
    op = Operator(Fs(tmp_path)).layer(MimeGuessLayer())
    await op.write("a.css", b"bytes")
    async with op.reader("a.css") as reader:
        assert await reader.next() == b"bytes"
        assert (await reader.metadata()).content_type == "text/css" == (await op.stat("a.css")).content_type
