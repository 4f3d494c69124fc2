"""The zip service against archives of `zipfile` and of the program zip, and against damaged and hostile ones."""

import asyncio
import io
import os
import pickle
import random
import shutil
import struct
import subprocess
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import ChecksumMismatch, ConditionNotMatch, ConfigInvalid, NotFound, Operator, Unexpected, Unsupported
from entrepot.errors import Error
from entrepot.raw.archive.names import member_path
from entrepot.services import Fs, Memory, Zip
from tests.archives import Requests, contents, over, zipped
from tests.behavior.targets import new_root

METHODS = [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA]
NAMES = st.text(st.characters(exclude_characters="\0\r\n\\", exclude_categories=("Cs",)), min_size=1, max_size=20)
LARGE = random.Random(1).randbytes(3 << 20)


@settings(max_examples=40)
@given(
    members=st.dictionaries(NAMES, st.tuples(st.binary(max_size=300), st.sampled_from(METHODS)), max_size=8),
    prefix=st.binary(max_size=50),
    comment=st.binary(max_size=50),
)
def test_it_reads_what_zipfile_wrote(members, prefix, comment):
    buffer = io.BytesIO(prefix)
    buffer.seek(0, io.SEEK_END)
    with ZipFile(buffer, "a") as archive:
        archive.comment = comment
        for name, (content, method) in members.items():
            archive.writestr(name, content, method)
    expected = {}
    with ZipFile(buffer) as archive:
        for info in archive.infolist():
            path = member_path(info.filename)
            if path is not None and not path.endswith("/"):
                expected[path] = archive.read(info)

    async def check():
        operator = await over(Zip, buffer.getvalue())
        assert await contents(operator) == expected
        for path, content in expected.items():
            assert (await operator.stat(path)).content_length == len(content)
            assert await operator.read(path, range=(1, 7) if content else (0, 7)) == content[1 if content else 0 : 7]

    asyncio.run(check())


@pytest.mark.skipif(shutil.which("zip") is None, reason="the program zip is not installed")
async def test_it_reads_what_zip_wrote(tmp_path):
    (tmp_path / "d/empty").mkdir(parents=True)
    files = {"d/a.txt": b"a" * 10_000, "d/ünï.txt": b"\xff", "d/random": LARGE[:300_000], "d/none": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for options in ("-qr", "-qr0", "-qrfd", "-qrD"):
        (tmp_path / "a.zip").unlink(missing_ok=True)
        subprocess.run(["zip", options, "a.zip", "d"], cwd=tmp_path, check=True)
        operator = Operator(Zip(Fs(tmp_path), "a.zip"))
        assert await contents(operator) == files
        has_entry = "d/empty/" in [entry.path for entry in await operator.list("d/")]
        assert has_entry is (options != "-qrD")
        written = (tmp_path / "d/random").stat().st_mtime
        assert (await operator.stat("d/random")).last_modified.timestamp() == int(written)
    streamed = subprocess.run(["zip", "-q", "-", "d/a.txt"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert await contents(await over(Zip, streamed)) == {"d/a.txt": files["d/a.txt"]}  # sizes follow the data
    subprocess.run(["zip", "-qrP", "secret", "b.zip", "d"], cwd=tmp_path, check=True)
    encrypted = Operator(Zip(Fs(tmp_path), "b.zip"))
    assert (await encrypted.stat("d/a.txt")).content_length == 10_000
    with pytest.raises(Unsupported, match="encrypted"):
        await encrypted.read("d/a.txt")


@pytest.mark.parametrize("method", METHODS)
async def test_readers_seek_in_large_members(method):
    is_fast = method in (ZIP_STORED, ZIP_DEFLATED)
    content = LARGE[: 1 << 20] + b"text " * 800_000 if is_fast else LARGE[:100_000] + b"text " * 50_000
    operator = await over(Zip, zipped({"before": b"1", "large": content, "after": b"2"}, method))
    assert await operator.read("large") == content
    async with operator.reader("large") as reader:
        for part in (0.9, 0, 0.2, 1, 0.1, 0.5):
            start = int(part * (len(content) - 10))
            await reader.seek(start)
            assert await reader.read(20) == content[start : start + 20]
        await reader.seek(-7, 2)
        assert await reader.read() == content[-7:]
    assert await operator.read("large", chunk=len(content) // 3, concurrent=2) == content
    assert operator.blocking().read("large", range=(90_000, 90_050)) == content[90_000:90_050]


async def test_requests(seaweedfs_server):
    def served(content):
        return Requests(Zip, seaweedfs_server, new_root(), content)

    small = served(zipped({"a": b"a" * 1000, "b": LARGE, "c/d": b"d"}, ZIP_STORED))
    assert await small.operator.read("a") == b"a" * 1000
    assert small.since() == ["GET", "GET"]  # the tail with the directory, and the member with its local header
    assert await small.operator.stat("c/d")
    assert small.since() == []
    assert await small.operator.read("b", range=(2_000_000, 2_000_100)) == LARGE[2_000_000:2_000_100]
    assert small.since() == ["GET", "GET"]  # the local header, and the range
    assert await small.operator.read("b", range=(1_000_000, 1_000_100)) == LARGE[1_000_000:1_000_100]
    assert small.since() == ["GET"]
    assert await small.operator.read("b") == LARGE
    assert small.since() == ["GET"]
    assert len(await small.operator.list("/")) == 4
    assert small.since() == ["HEAD"]
    assert await small.operator.at("c/").read("d") == b"d"
    assert small.since() == ["GET"]

    many = served(zipped({f"directory/{number:06}": b"" for number in range(5000)}))
    await asyncio.gather(*(many.operator.stat(f"directory/{number:06}") for number in range(50)))
    assert many.since() == ["GET", "GET"]  # the tail, and the rest of the directory, once for all

    far = served(_with_far_zip64_record(zipped({f"directory/{number:06}": b"" for number in range(5000)})))
    assert (await far.operator.stat("directory/004999")).content_length == 0
    assert far.since() == ["GET", "GET", "GET"]


async def test_an_archive_that_is_replaced_during_a_read(seaweedfs_server):
    root = new_root()
    old = Requests(Zip, seaweedfs_server, root, zipped({"a": LARGE}, ZIP_STORED))
    async with old.operator.reader("a", read_ahead=0) as reader:
        assert await reader.read(10) == LARGE[:10]
        seaweedfs_server.put(f"{root}/archive", zipped({"a": b"new"}))
        for _ in range(2):
            with pytest.raises(ConditionNotMatch):
                await reader.read(1_000_000)
    assert await old.operator.read("a") == b"new"


def _with_far_zip64_record(content):
    """The same archive, with a zip64 record that other data separates from its locator."""
    size, offset = struct.unpack_from("<2L", content, len(content) - 10)
    end = len(content) - 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + 200_000, 45, 45, 0, 0, 5000, 5000, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    full = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + bytes(200_000) + locator + full


async def test_zip64_sizes_and_offsets_are_read(tmp_path):
    with ZipFile(tmp_path / "a.zip", "w", allowZip64=True) as archive:
        with archive.open(ZipInfo("forced"), "w", force_zip64=True) as member:
            member.write(b"small")
        archive.writestr("next", b"member")
    content = (tmp_path / "a.zip").read_bytes()
    assert await contents(await over(Zip, content)) == {"forced": b"small", "next": b"member"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/absolute", "absolute"),
        ("./a//b/./c", "a/b/c"),
        ("a\\b", "a\\b"),
        ("50% off?#[x] ünï.txt", "50% off?#[x] ünï.txt"),
        ("-dash", "-dash"),
    ],
)
async def test_names_lead_nowhere_else(name, path):
    operator = await over(Zip, zipped({name: b"content"}))
    assert [entry.path for entry in await operator.list("/", recursive=True)] == ["/", path]
    assert await operator.read(path) == b"content"


async def test_odd_names_are_left_out_or_decoded(tmp_path):
    from_dos = ZipInfo("dir\\file")
    from_dos.create_system = 0
    content = zipped({from_dos: b"1", "..": b"2", "line\nfeed": b"3", "twice": b"old"}, ZIP_STORED)
    with pytest.warns(UserWarning, match="Duplicate"), ZipFile(io.BytesIO(), "w"):
        buffer = io.BytesIO(content)
        with ZipFile(buffer, "a") as archive:
            archive.writestr("twice", b"new")
    assert await contents(await over(Zip, buffer.getvalue())) == {"dir/file": b"1", "twice": b"new"}
    german = zipped({"ue.txt": b"4"}).replace(b"ue.txt", b"\x81!.txt")
    assert await contents(await over(Zip, german)) == {"ü!.txt": b"4"}
    unix = zipped({"ue.txt": b"4"}).replace(b"ue.txt", "ü.txt".encode())
    assert await contents(await over(Zip, unix)) == {"ü.txt": b"4"}
    assert await contents(await over(Zip, german, encoding="latin-1")) == {"\x81!.txt": b"4"}
    assert await contents(await over(Zip, german, encoding="utf-8")) == {"\\x81!.txt": b"4"}


@pytest.mark.parametrize(
    ("version", "of", "path"), [(1, b"a.txt", "\u00fc.txt"), (1, b"b.txt", "a.txt"), (2, b"a.txt", "a.txt")]
)
async def test_a_name_in_utf_8_counts_if_it_is_of_this_name(version, of, path):
    name = "\u00fc.txt".encode()
    info = ZipInfo("a.txt")
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(name), version, crc32(of)) + name
    assert await contents(await over(Zip, zipped({info: b"1"}))) == {path: b"1"}


async def test_a_field_of_zip64_that_is_too_short_is_damage():
    info = ZipInfo("a")
    info.extra = struct.pack("<HH", 1, 4) + bytes(4)
    content = zipped({info: b"1"})
    broken = _patched(content, content.index(b"PK\1\2") + 24, b"\xff\xff\xff\xff")
    with pytest.raises(Unexpected, match="zip64 field is truncated"):
        await (await over(Zip, broken)).list("/")


async def test_directories_with_and_without_members():
    operator = await over(Zip, zipped({"a/": b"", "b/c/d": b"1", "b/e": b"2"}))
    assert [entry.path for entry in await operator.list("/")] == ["/", "a/", "b/"]
    assert [entry.path for entry in await operator.list("b/")] == ["b/", "b/c/", "b/e"]
    assert (await operator.stat("a/")).is_dir
    assert (await operator.stat("b/c/")).is_dir
    rooted = await over(Zip, zipped({"b/c/d": b"1", "bc": b"2"}), root="b")
    assert [entry.path for entry in await rooted.list("/", recursive=True)] == ["/", "c/d"]


def _patched(content, at, new):
    position = at if at >= 0 else len(content) + at
    return content[:position] + new + content[position + len(new) :]


async def test_damaged_members_are_never_returned():
    stored = zipped({"a": b"content", "b": b"more"}, ZIP_STORED)
    data = stored.index(b"content")
    for content in (_patched(stored, data, b"C"), _patched(stored, data + 6, b"T")):
        operator = await over(Zip, content)
        with pytest.raises(ChecksumMismatch):
            await operator.read("a")
        assert await operator.read("b") == b"more"
    async with (await over(Zip, _patched(stored, data, b"C"))).reader("a") as reader:
        assert await reader.read(3) == b"Con"
        for _ in range(2):
            with pytest.raises(ChecksumMismatch):
                await reader.read()
    overlapping = stored.replace(b"PK\1\2", b"PK\1\2", 1)
    entry = overlapping.index(b"PK\1\2")
    longer = _patched(overlapping, entry + 20, struct.pack("<2L", 100, 100))
    with pytest.raises(Unexpected, match="overlaps"):
        await (await over(Zip, longer)).read("a")
    with pytest.raises(Unexpected, match="local header"):
        await (await over(Zip, _patched(stored, 0, b"XX"))).read("a")


async def test_a_bomb_is_bounded_by_its_stated_size():
    content = zipped({"bomb": bytes(8 << 20)})
    entry = content.index(b"PK\1\2")
    lying = _patched(content, entry + 24, struct.pack("<L", 10))
    with pytest.raises(ChecksumMismatch):
        await (await over(Zip, lying)).read("bomb")
    larger = _patched(content, entry + 24, struct.pack("<L", 9 << 20))
    with pytest.raises(Unexpected, match="ends early"):
        await (await over(Zip, larger)).read("bomb")


async def test_what_is_no_archive():
    for content in (b"", b"PK", b"no archive", bytes(1000)):
        with pytest.raises(Unexpected, match="not a zip archive"):
            await (await over(Zip, content)).list("/")
    whole = zipped({f"{number}": b"x" * 100 for number in range(20)})
    for cut in range(0, len(whole), 97):
        with pytest.raises(Unexpected):
            await (await over(Zip, whole[:cut])).list("/")
    with pytest.raises(Unsupported, match="max_directory_size"):
        await (await over(Zip, whole, max_directory_size=500)).list("/")
    with pytest.raises(Unsupported, match="volumes"):
        await (await over(Zip, _patched(whole, -18, b"\1\0"))).list("/")
    strange = _patched(whole, whole.index(b"PK\1\2") + 10, struct.pack("<H", 9))
    with pytest.raises(Unsupported, match="method 9"):
        await (await over(Zip, strange)).read("0")


async def test_mutated_archives_give_errors_of_ours_or_what_is_stored():
    members = {f"d/{number}": LARGE[: 40 * number] for number in range(6)}
    whole = zipped(members)
    rng = random.Random(17)
    for _ in range(150):
        mutated = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        operator = await over(Zip, bytes(mutated))
        for path, content in members.items():
            try:
                got = await operator.read(path)
            except Error:
                continue
            assert got == content


async def test_an_archive_that_is_replaced():
    source = Operator(Memory())
    old, new = zipped({"a": LARGE, "b": b"1"}, ZIP_STORED), zipped({"a": b"new", "c": b"2"}, ZIP_STORED)
    await source.write("x.zip", old)
    operator = Operator(Zip(source, "x.zip"))
    assert await operator.read("a") == LARGE
    await source.write("x.zip", new)
    assert await operator.read("a") == b"new"
    assert [entry.path for entry in await operator.list("/")] == ["/", "a", "c"]
    await source.write("x.zip", old)
    assert await operator.read("b") == b"1"  # a name that was missing is looked up again
    await source.write("x.zip", new)
    with pytest.raises(NotFound, match="no such member"):
        await operator.read("b")
    await source.delete("x.zip")
    with pytest.raises(ConfigInvalid, match="archive does not exist") as missing:
        await operator.exists("d")
    assert (missing.value.scheme, missing.value.path) == ("memory", "x.zip")
    await source.write("x.zip", old)
    assert await operator.read("b") == b"1"


async def test_the_configuration_travels(tmp_path):
    (tmp_path / "a b.zip").write_bytes(zipped({"d/f": b"1"}))
    config = Zip(Fs(tmp_path), "a b.zip", root="d")
    operator = Operator(config)
    assert pickle.loads(pickle.dumps(config)) == config
    copied = pickle.loads(pickle.dumps(operator))
    chain = f"zip://d::{tmp_path.as_uri()}/a%20b.zip"
    from_mapping = Operator.from_config("zip", source=tmp_path.as_uri(), path="a b.zip", root="d", encoding="ascii")
    nested = Operator(Zip(Operator(Fs(tmp_path)).at("/"), "a b.zip", root="d"))
    for other in (operator, copied, Operator.from_uri(chain), from_mapping, nested):
        assert await other.read("f") == b"1"
    outer = zipped({"in/a.zip": (tmp_path / "a b.zip").read_bytes()})
    (tmp_path / "outer.zip").write_bytes(outer)
    twice = Operator.from_uri(f"zip://d::zip://in/a.zip::{tmp_path.as_uri()}/outer.zip")
    assert await twice.read("f") == b"1"
    assert repr(Zip("s3://KEY:secret@b/?token=secret", "a")).count("secret") == 0


def test_wrong_configurations():
    wrong = [
        {"source": 7, "path": "a"},
        {"source": Memory(), "path": "a/"},
        {"source": Memory(), "path": "a\n"},
        {"source": Memory(), "path": "a", "root": "\0"},
        {"source": Memory(), "path": "a", "encoding": "nothing"},
        {"source": Memory(), "path": "a", "encoding": "hex"},
        {"source": Memory(), "path": "a", "encoding": "idna"},
        {"source": Memory(), "path": "a", "max_directory_size": 0},
    ]
    for values in wrong:
        with pytest.raises(ConfigInvalid):
            Zip(**values)
    for uri in ("zip://a.zip", "zip://::s3://bucket", "zip://::s3://bucket/dir/", "zip://::nothing://a/b.zip"):
        with pytest.raises(ConfigInvalid):
            Operator.from_uri(uri)


def test_it_works_without_a_loop(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"a": LARGE, "b/c": b"1"}))
    for config in (Zip(Fs(tmp_path), "a.zip"), Zip(Operator(Fs(tmp_path)), "a.zip")):
        assert config.works_without_loop is isinstance(config.source, Fs)
        operator = Operator(config).blocking()
        assert operator._plain.operator is not operator._operator
        assert operator.read("a") == LARGE
        assert [entry.path for entry in operator.list("/")] == ["/", "a", "b/"]


def test_two_loops_and_a_fork(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"a": LARGE}))
    operator = Operator(Zip(Fs(tmp_path), "a.zip"))
    for _ in range(2):
        assert asyncio.run(_read(operator)) == LARGE
    child = os.fork()
    if not child:
        os._exit(0 if asyncio.run(_read(operator)) == LARGE else 1)
    assert os.waitpid(child, 0)[1] == 0


async def _read(operator):
    return await operator.read("a")


async def test_zstd_where_it_is_installed():
    zstd = pytest.importorskip("backports.zstd")
    content = zipped({"a": zstd.compress(LARGE), "b": b"1"}, ZIP_STORED)
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    import zlib

    for at, offset in ((local, 8), (central, 10)):
        content = _patched(content, at + offset, struct.pack("<H", 93))
    content = _patched(content, central + 16, struct.pack("<L", zlib.crc32(LARGE)))
    content = _patched(content, central + 24, struct.pack("<L", len(LARGE)))
    assert await (await over(Zip, content)).read("a") == LARGE


async def test_zstd_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("entrepot.raw.archive.codecs._ZSTD_MODULES", ())
    content = zipped({"a": b"1"}, ZIP_STORED)
    strange = _patched(content, content.index(b"PK\1\2") + 10, struct.pack("<H", 93))
    with pytest.raises(Unsupported, match=r"entrepot\[zstd\]"):
        await (await over(Zip, strange)).read("a")
