"""The tar service against archives of `tarfile` and of the program tar, and against damaged and hostile ones."""

import asyncio
import io
import os
import pickle
import random
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import ConfigInvalid, NotFound, Operator, Unexpected, Unsupported
from entrepot.errors import Error
from entrepot.raw.archive.names import member_path
from entrepot.services import Fs, Memory, Tar
from entrepot.services.tar.headers import read_records
from entrepot.testing import ReaderChecker
from tests.archives import Ranges, Requests, contents, over, tarred
from tests.behavior.targets import new_root

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
MODES = ["w", "w:gz", "w:bz2", "w:xz"]
NAMES = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), min_size=1, max_size=200)
LARGE = random.Random(1).randbytes(3 << 20)


@settings(max_examples=25)
@given(
    members=st.dictionaries(NAMES, st.binary(max_size=1500), max_size=8),
    tar_format=st.sampled_from(FORMATS[1:]),
    mode=st.sampled_from(MODES),
)
def test_it_reads_what_tarfile_wrote(members, tar_format, mode):
    content = tarred(members, mode, format=tar_format)
    expected = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for info in archive.getmembers():
            path = member_path(info.name.rstrip("/"))
            if path is not None and info.isreg():
                expected[path] = archive.extractfile(info).read()

    async def check():
        operator = await over(Tar, content)
        assert await contents(operator) == expected
        for path, data in expected.items():
            assert await operator.read(path, range=(len(data) // 2, len(data))) == data[len(data) // 2 :]

    asyncio.run(check())


@pytest.mark.skipif(shutil.which("tar") is None, reason="the program tar is not installed")
async def test_it_reads_what_tar_wrote(tmp_path):
    (tmp_path / "d/empty").mkdir(parents=True)
    long = f"d/{'long' * 40}/{'name' * 30}"
    (tmp_path / long).parent.mkdir()
    files = {"d/a.txt": b"a" * 10_000, "d/ünï.txt": b"\xff", "d/random": LARGE[:300_000], "d/none": b"", long: b"1"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d/soft").symlink_to("a.txt")
    (tmp_path / "d/hard").hardlink_to(tmp_path / "d/random")
    (tmp_path / "d/away").symlink_to("/etc/passwd")
    linked = {"d/soft": files["d/a.txt"], "d/hard": files["d/random"]}
    for options in (["--format=gnu"], ["--format=posix"], ["-z"], ["-j"], ["-J"], ["--zstd"], ["--format=oldgnu"]):
        is_zstd = options == ["--zstd"]
        if is_zstd:
            pytest.importorskip("backports.zstd")
        subprocess.run(["tar", *options, "-cf", "a.tar", "d"], cwd=tmp_path, check=True)
        operator = Operator(Tar(Fs(tmp_path), "a.tar"))
        assert await contents(operator) == files | linked
        assert "d/empty/" in [entry.path for entry in await operator.list("d/")]
        written = (tmp_path / "d/random").stat().st_mtime
        assert int((await operator.stat("d/random")).last_modified.timestamp()) == int(written)


@pytest.mark.skipif(shutil.which("tar") is None, reason="the program tar is not installed")
@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        *(["--format=posix", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0")),
        ["-z"],
    ],
    ids=" ".join,
)
async def test_sparse_files_have_their_holes(tmp_path, options):
    with (tmp_path / "sparse").open("wb") as sparse:
        for number in range(60):
            sparse.seek(number * 64 * 1024)
            sparse.write(LARGE[number * 4096 : (number + 1) * 4096])
        sparse.truncate(5 << 20)
    (tmp_path / "empty").touch()
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 1 << 20)
    (tmp_path / "plain").write_bytes(b"after")
    names = ["sparse", "hole", "empty", "plain"]
    subprocess.run(["tar", "-S", *options, "-cf", "s.tar", *names], cwd=tmp_path, check=True)
    assert (tmp_path / "s.tar").stat().st_size < 1 << 20
    operator = Operator(Tar(Fs(tmp_path), "s.tar"))
    assert await contents(operator) == {name: (tmp_path / name).read_bytes() for name in names}
    content = (tmp_path / "sparse").read_bytes()
    checker = ReaderChecker(await operator.reader("sparse", range=(3000, 4_500_000)), content[3000:4_500_000])
    await checker.check([("read", 3000), ("seek", 62_000, 0), ("read", 9000), ("seek", -5, 2), ("read",), ("close",)])


async def test_requests(seaweedfs_server):
    def served(content):
        return Requests(Tar, seaweedfs_server, new_root(), content)

    small = served(tarred({f"d/{number}": b"1" for number in range(40)}))
    await asyncio.gather(*(small.operator.stat(f"d/{number}") for number in range(40)))
    assert small.since() == ["GET"]
    assert await small.operator.read("d/7", range=(0, 1)) == b"1"
    assert small.since() == ["GET"]

    large = served(tarred({"a": LARGE, "b": b"1", "c": LARGE, "d": b"2"}))
    assert len(await large.operator.list("/")) == 5
    assert large.since() == ["GET", "GET", "GET"]  # the first header, and those after each of the large members
    assert await large.operator.read("c", range=(2_000_000, 2_000_010)) == LARGE[2_000_000:2_000_010]
    assert large.since() == ["GET"]

    packed = served(tarred({"a": LARGE, "b": b"1"}, "w:gz"))
    assert await packed.operator.read("b") == b"1"
    assert packed.since() == ["GET", "GET", "GET"]  # the first bytes, everything, and the member


async def test_reads_of_a_compressed_archive_start_near_the_member():
    members = {f"{number:03}": LARGE[: 1 << 20] for number in range(24)}
    ranges = Ranges()
    source = Operator(Memory(), layers=(ranges,))
    await source.write("a.tgz", tarred(members, "w:gz", compresslevel=1))
    operator = Operator(Tar(source, "a.tgz"))
    for name, place in (("020", 0.7), ("003", 0), ("023", 0.8)):
        assert await operator.read(name) == LARGE[: 1 << 20]
        start = ranges.starts[-1] / (await source.stat("a.tgz")).content_length
        assert place <= start < place + 0.17


async def test_streams_after_each_other_are_one():
    plain = tarred({"a": LARGE[:50_000], "b": b"1"})
    import bz2
    import gzip
    import lzma

    for compress in (gzip.compress, bz2.compress, lzma.compress):
        content = compress(plain[:30_001]) + compress(b"") + compress(plain[30_001:])
        assert await contents(await over(Tar, content)) == {"a": LARGE[:50_000], "b": b"1"}
    padded = gzip.compress(plain) + bytes(5000)
    assert await contents(await over(Tar, padded)) == {"a": LARGE[:50_000], "b": b"1"}


def _info(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


async def test_links_lead_to_files_of_the_archive():
    links = {
        "d/soft": (tarfile.SYMTYPE, "../a"),
        "d/chain": (tarfile.SYMTYPE, "soft"),
        "hard": (tarfile.LNKTYPE, "a"),
        "rooted": (tarfile.SYMTYPE, "/a"),
        "later": (tarfile.SYMTYPE, "last"),
        "circle": (tarfile.SYMTYPE, "circle"),
        "ping": (tarfile.SYMTYPE, "pong"),
        "pong": (tarfile.SYMTYPE, "ping"),
        "nowhere": (tarfile.SYMTYPE, "missing"),
        "outside": (tarfile.SYMTYPE, "../a"),
        "far": (tarfile.SYMTYPE, "../../../../etc/passwd"),
        "directory": (tarfile.SYMTYPE, "d"),
        "device": (tarfile.CHRTYPE, ""),
        "pipe": (tarfile.FIFOTYPE, ""),
    }
    members = {"a": b"content"} | {_info(name, *link): b"" for name, link in links.items()} | {"last": b"end"}
    operator = await over(Tar, tarred(members))
    assert await contents(operator) == {
        **dict.fromkeys(("a", "d/soft", "d/chain", "hard", "rooted"), b"content"),
        **dict.fromkeys(("later", "last"), b"end"),
    }
    with pytest.raises(NotFound):
        await operator.stat("outside")


async def test_names_lead_nowhere_else_and_the_last_one_counts():
    members = {"../../x": b"1", "/y": b"2", "./z//w": b"3", "50% #?\\ ünï": b"4", "line\nfeed": b"5"}
    assert await contents(await over(Tar, tarred(members))) == {"x": b"1", "y": b"2", "z/w": b"3", "50% #?\\ ünï": b"4"}
    again = tarfile.TarInfo("twice")
    assert await contents(await over(Tar, tarred({"twice": b"old", again: b"new"}))) == {"twice": b"new"}
    latin = tarred({"ue": b"6"}, format=tarfile.USTAR_FORMAT, encoding="latin-1")
    odd = tarred({"ü": b"6"}, format=tarfile.GNU_FORMAT, encoding="latin-1")
    assert await contents(await over(Tar, latin)) == {"ue": b"6"}
    assert await contents(await over(Tar, odd)) == {"\\xfc": b"6"}
    assert await contents(await over(Tar, odd, encoding="latin-1")) == {"ü": b"6"}


async def test_numbers_that_do_not_fit_into_a_header():
    info = tarfile.TarInfo("old")
    info.mtime = -86_400.5
    future = tarfile.TarInfo("future")
    future.mtime = 1 << 40
    for tar_format in FORMATS[1:]:
        operator = await over(Tar, tarred({info: b"1", future: b"2"}, format=tar_format))
        assert (await operator.stat("old")).last_modified.year == 1969
        assert (await operator.stat("future")).last_modified is None
    globally = tarred({"a": b"1"}, format=tarfile.PAX_FORMAT, pax_headers={"mtime": "1000000000.5"})
    assert (await (await over(Tar, globally)).stat("a")).last_modified.timestamp() in {0, 1_000_000_000.5}


async def test_what_is_no_archive_is_an_error():
    for content in (b"", b"x", b"no archive" * 100, b"\x1f\x8b", b"BZh9", b"\x28\xb5\x2f\xfd"):
        with pytest.raises(Unexpected):
            await (await over(Tar, content)).list("/")
    assert await contents(await over(Tar, bytes(10_240))) == {}
    plain = tarred({"a": b"1" * 600, "b": b"2" * 600})
    for cut in (100, 511, 513, 1000, 1535, 1600, 2100, 2600):
        with pytest.raises(Unexpected):
            await (await over(Tar, plain[:cut])).list("/")
    without_end = plain[: 6 * 512]
    assert set(await contents(await over(Tar, without_end))) == {"a", "b"}
    for mode in MODES[1:]:
        packed = tarred({"a": LARGE[:5000]}, mode)
        for cut in range(0, len(packed) - 1, 501):
            with pytest.raises(Unexpected):
                await (await over(Tar, packed[:cut])).list("/")
    with pytest.raises(Unsupported, match="max_members"):
        await (await over(Tar, plain, max_members=1)).list("/")


async def test_a_hole_of_any_size_can_be_cancelled():
    info = tarfile.TarInfo("hole")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 60)}
    operator = await over(Tar, tarred({info: b"1"}, format=tarfile.PAX_FORMAT))
    assert (await operator.stat("hole")).content_length == 1 << 60
    assert await operator.read("hole", range=((1 << 60) - 2, None)) == b"\0\0"
    async with operator.reader("hole") as reader:
        assert await reader.readexactly(3) == b"1\0\0"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                while await reader.next():
                    pass


@pytest.mark.parametrize("size", ["-512", "1.5", "none", "1.0e999", "9" * 30])
async def test_sizes_that_are_none_are_refused(size):
    odd = tarfile.TarInfo("odd")
    odd.pax_headers = {"size": size}
    content = tarred({"a": b"1", odd: b"2"}, format=tarfile.PAX_FORMAT)
    with pytest.raises(Unexpected, match="damaged"):
        await (await over(Tar, content)).list("/")


@pytest.mark.parametrize("record", [b"x", b"0 a=b\n", b"5\n", b"9 a=b\n", b"-1 a=b\n", b"6 ab=c\n", b"99 a=b\n"])
def test_pax_records_that_cannot_be_read_are_refused(record):
    with pytest.raises(Unexpected):
        read_records(b"10 a=good\n" + record)
    assert read_records(b"10 a=good\n\0\0") == {"a": "good"}


def _with_checksums(content):
    """The archive with the checksums that its headers should have, so that what they say is read."""
    repaired = bytearray(content)
    for at in range(0, len(repaired) - 511, 512):
        if repaired[at + 257 : at + 262] == b"ustar":
            block = repaired[at : at + 512]
            repaired[at + 148 : at + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    return bytes(repaired)


async def test_mutated_archives_give_errors_of_ours():
    rng = random.Random(17)
    sparse = tarfile.TarInfo("sparse")
    sparse.pax_headers = {"GNU.sparse.map": "0,10,100,20", "GNU.sparse.size": "200"}
    members = {f"d/{number}" + "n" * 60 * number: LARGE[: 40 * number] for number in range(4)} | {sparse: LARGE[:30]}
    for mode in (*MODES, "w", "w"):
        whole = tarred(members, mode, format=tarfile.PAX_FORMAT)
        for _ in range(60):
            mutated = bytearray(whole)
            for _ in range(rng.choice((1, 2, 8))):
                mutated[rng.randrange(len(mutated))] = rng.choice((rng.randrange(256), 48 + rng.randrange(10)))
            operator = await over(Tar, _with_checksums(mutated))
            try:
                for entry in await operator.list("/", recursive=True):
                    if entry.is_file:
                        await operator.read(entry.path, range=(0, 1000))
            except Error as error:
                assert isinstance(error, (Unexpected, Unsupported))


async def test_the_configuration_travels(tmp_path):
    (tmp_path / "a.tgz").write_bytes(tarred({"d/f": b"1"}, "w:gz"))
    operator = Operator.from_uri(f"tar://d::{tmp_path.as_uri()}/a.tgz?fsync=true")
    for other in (operator, pickle.loads(pickle.dumps(operator))):
        assert await other.read("f") == b"1"
        assert other.blocking().read("f") == b"1"
    outer = Operator(Memory())
    await outer.write("x.tar", tarred({"in.tgz": (tmp_path / "a.tgz").read_bytes()}))
    assert await Operator(Tar(Operator(Tar(outer, "x.tar")), "in.tgz")).read("d/f") == b"1"
    for values in ({"max_members": 0}, {"encoding": "nothing"}):
        with pytest.raises(ConfigInvalid):
            Tar(Memory(), "a", **values)
