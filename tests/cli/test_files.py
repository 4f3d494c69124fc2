"""The verbs over local files: what they do, what they say, and the codes they end with."""

import os
import pwd
import signal
import subprocess
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrepot import ConditionNotMatch
from entrepot.cli.exit_codes import message_of

from .running import COMMAND, SECRET, environment, run, run_on_terminal, wait_until, without_privileges

NAMES = ["plain", "with space", "ünïcode", "100%", "a?b", "[x]", "*", "-dash", "a:b", "#hash"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/a.txt").write_text("one\ntwo\n")
    (tmp_path / "d/sub/b c.txt").write_text("three\n")
    return tmp_path


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_copies_go_where_object_stores_put_them(here: Path) -> None:
    assert run("cp", "d/a.txt", "x", cwd=here).lines == ["copy: d/a.txt to x"]
    (here / "into").mkdir()
    assert run("cp", "d/a.txt", "x", "into", cwd=here).code == 0
    assert run("cp", "d/*.txt", "new/", cwd=here).lines == ["copy: d/a.txt to new/a.txt"]
    assert run("cp", "-r", "d", "tree", cwd=here).code == 0
    made = {name: content for name, content in files(here).items() if not name.startswith("d/")}
    assert made == {
        "x": "one\ntwo\n", "into/a.txt": "one\ntwo\n", "into/x": "one\ntwo\n", "new/a.txt": "one\ntwo\n",
        "tree/a.txt": "one\ntwo\n", "tree/sub/b c.txt": "three\n",
    }  # fmt: skip
    again = run("cp", "-r", "--resume", "--json", "d", "tree", cwd=here)
    assert (again.code, again.out) == (0, "")


def test_odd_names_are_names(here: Path) -> None:
    for number, name in enumerate(NAMES):
        (here / "d" / name).write_text(str(number))
    listed = run("ls", "d", cwd=here)
    assert set(NAMES) < set(listed.lines)
    for number, name in enumerate(NAMES):
        copied = run("cp", "--", f"d/{name}", f"copies/{name}", cwd=here)
        assert (copied.code, (here / "copies" / name).read_text()) == (0, str(number)), (name, copied)
    assert run("rm", "--raw", "--", *(f"copies/{name}" for name in NAMES), cwd=here).code == 0
    assert files(here / "copies") == {}


def test_standard_input_and_output(here: Path) -> None:
    content = os.urandom(3 << 20)
    assert run("cp", "-", "in", cwd=here, given=content).lines == ["copy: - to in"]
    assert (here / "in").read_bytes() == content
    read = subprocess.run([*COMMAND, "cp", "in", "-"], cwd=here, env=environment(), capture_output=True, check=True)
    assert read.stdout == content
    assert run("cp", "-", "-", cwd=here, given=b"through") == (0, "through", "")
    assert run("tee", "t1", "t2", cwd=here, given=b"both").out == "both"
    assert ((here / "t1").read_text(), (here / "t2").read_text()) == ("both", "both")


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("cat", "d/a.txt", "d/sub/b c.txt"), "one\ntwo\nthree\n"),
        (("cat", "d/**"), "one\ntwo\nthree\n"),
        (("cat", "--range", "4:7", "d/a.txt"), "two"),
        (("cat", "--range", "4:", "d/a.txt"), "two\n"),
        (("cat", "--range", "-3", "d/a.txt"), "wo\n"),
        (("head", "-n", "1", "d/a.txt"), "one\n"),
        (("head", "-c", "2", "d/a.txt"), "on"),
        (("tail", "-n", "1", "d/a.txt"), "two\n"),
        (("tail", "-n", "99", "d/a.txt"), "one\ntwo\n"),
        (("tail", "-n", "0", "d/a.txt"), ""),
        (("tail", "-c", "4", "d/a.txt"), "two\n"),
        (("find", "d", "--name", "*c.txt"), "d/sub/b c.txt\n"),
        (("find", "d", "--type", "d"), "d/sub/\n"),
        (("find", "d/a.txt"), "d/a.txt\n"),
        (("find", "d/a.txt", "--type", "d"), ""),
        (("find", "d", "--min-size", "7", "--max-age", "1h"), "d/a.txt\n"),
        (("tree", "-q", "d"), "d/\n├── sub/\n│   └── b c.txt\n└── a.txt\n"),
        (("du", "d"), "           14         2 d/\n"),
    ],
)
def test_what_a_verb_writes(here: Path, words: tuple[str, ...], out: str) -> None:
    done = run(*words, cwd=here)
    assert (done.code, done.err) == (0, "")
    assert sorted(done.lines) == sorted(out.splitlines()) if words == ("cat", "d/**") else done.out == out


@pytest.mark.parametrize("lines", [1, 10, 20_000])
def test_tail_finds_lines_across_its_requests(here: Path, lines: int) -> None:
    text = "".join(f"{number} {'x' * (number % 40)}\n" for number in range(20_000))
    (here / "log").write_text(text)
    assert run("tail", "-n", lines, "log", cwd=here).out == "".join(text.splitlines(keepends=True)[-lines:])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("cp", "d", "x"), 1, "entrepot: cp: d/: this is a directory: copy it with -r"),
        (("rm", "d"), 1, "entrepot: rm: d/: this is a directory: delete it with -r"),
        (("ls", "nope"), 3, "entrepot: ls: nope: the file does not exist"),
        (("cat", "no*pe"), 3, "entrepot: cat: no*pe: nothing matches"),
        (("cat", "x" * 300), 2, f"entrepot: cat: {'x' * 300}: the path is longer"),
        (("cp", "d/a.txt", "x" * 300), 2, f"entrepot: cp: {'x' * 300}: the path is longer"),
        (("cp", "d/a.txt", "d/sub/b c.txt/x"), 3, "entrepot: cp: d/sub/b c.txt/x: a part of the path names a file"),
        (("cp", "--resume", "d/a.txt", "d/sub/b c.txt/x"), 3, "entrepot: cp: d/sub/b c.txt/x: a part of the path"),
        (("presign", "d/a.txt"), 1, "entrepot: presign: d/a.txt: the service fs has no presign"),
        (("cp", "--no-clobber", "d/a.txt", "d/sub/b c.txt"), 1, "entrepot: cp: d/sub/b c.txt: "),
        (("sync", "missing/", "x"), 3, "entrepot: sync: missing/: "),
    ],
)
def test_an_error_is_one_line_with_a_code(here: Path, words: tuple[str, ...], code: int, message: str) -> None:
    before = files(here)
    done = run(*words, cwd=here)
    assert done.code == code
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1
    assert files(here) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("frobnicate",), "No such command"),
        (("cp", "one"), "Missing argument"),
        (("cat", "--range", "5:1", "x"), "ends before it starts"),
        (("cp", "--chunk", "lots", "a", "b"), "is not a size"),
        (("uploads", "--abort", "x"), "--abort needs --older-than"),
        (("ls", "gdrive://x"), "of this scheme"),
        (("ls", "-o", "bukcet=x", "s3://b"), "has the option 'bukcet'"),
        (("ls", ""), "the empty text is no place"),
        (("cat", "https://host/x?y=1"), "a URL with a query"),
        (("ls", "zip:///a.zip"), "the form is zip:///some/root::s3://bucket/a.zip; other values by -o"),
        (("ls", "sqlite:///"), "the form is sqlite:///some/file.db?root=/some/root; "),
        (("ls", "redis:///0"), "the form is redis://host:6379/0/some/root; "),
        (("sync", "--checksum", "--update", "d", "x"), "exclude each other"),
        (("cp", "-", "dir/"), "has no name"),
        (("cp", "--exclude", "*.txt", "d/*", "x/"), "--exclude: only with -r"),
        (("mv", "--min-size", "1", "--update", "d/*", "x/"), "--min-size and --update: only with -r"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_done(here: Path, words: tuple[str, ...], message: str) -> None:
    done = run(*words, cwd=here)
    assert done.code == 2
    assert message in done.err
    assert set(files(here)) == {"d/a.txt", "d/sub/b c.txt"}


def test_no_value_is_asked_for_where_none_would_help(here: Path) -> None:
    """A missing package is imported as one that is not installed: by a module of its name that fails."""
    (here / "asyncssh.py").write_text("raise ModuleNotFoundError(name='asyncssh')")
    done = run("ls", "sftp://host/x", cwd=here, env={"PYTHONPATH": str(here)})
    assert done.err == "entrepot: ls: sftp://host/x: sftp needs asyncssh: pip install 'entrepot[sftp]'\n"
    for word in ("gdrive://x", "remote:x"):
        assert "-o key=value" not in run("ls", word, cwd=here, env={"ENTREPOT_CONFIG": str(here / "none.toml")}).err


def test_a_word_that_fails_does_not_stop_the_others(here: Path) -> None:
    done = run("cat", "nope", "d/a.txt", cwd=here)
    assert (done.code, done.out) == (3, "one\ntwo\n")
    assert run("cat", "nope", "d", cwd=here).code == 1  # two failures of different kinds


def test_sync_and_its_dry_run(here: Path) -> None:
    assert run("sync", "d", "copy", cwd=here).code == 0
    (here / "copy/surplus").write_text("x")
    (here / "d/a.txt").write_text("changed")
    dry = run("sync", "--delete", "--dry-run", "d", "copy", cwd=here)
    assert sorted(dry.lines) == ["(dry run) copy: d/a.txt to copy/a.txt", "(dry run) delete: copy/surplus"]
    assert "surplus" in files(here / "copy")
    done = run("sync", "--delete", "--json", "d", "copy", cwd=here)
    assert sorted((record["action"], record["source"]) for record in done.records) == [
        ("copy", "d/a.txt"), ("delete", "copy/surplus"),
    ]  # fmt: skip
    assert files(here / "copy") == files(here / "d")
    excluded = run("sync", "--delete", "--exclude", "*.txt", "d", "copy", cwd=here)
    assert (excluded.code, files(here / "copy")) == (0, files(here / "d"))


def test_a_tree_with_a_name_that_no_path_can_have_is_not_copied_with_success(here: Path) -> None:
    Path(os.fsdecode(bytes(here) + b"/d/sub/\xff")).touch()
    (here / "copy").mkdir()
    (here / "copy/surplus").write_text("x")
    sync = run("sync", "--delete", "d", "copy", cwd=here)
    assert (sync.code, (here / "copy/surplus").exists(), (here / "copy/a.txt").exists()) == (1, True, True)
    assert r"d/sub/: a name here, '\xff', cannot be in a path (rename it, or exclude the directory)" in sync.err
    copied, followed = (run("cp", "-r", *more, "d", "tree", cwd=here) for more in ((), ("--follow-symlinks",)))
    assert (copied.code, followed.code) == (1, 1)
    assert r"d/sub/: a name here, '\xff', cannot be in a path" in followed.err
    assert run("sync", "--delete", "--exclude", "sub/", "d", "copy", cwd=here).code == 0
    assert files(here / "copy").keys() == {"a.txt", "sub/b c.txt"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("ls", "-r", "d"), "a.txt"),
        (("ls", "d/**"), "d/a.txt"),
        (("ls", "d/*/*"), "d/sub/b c.txt"),
        (("cat", "d/**"), "one"),
        (("find", "d"), "d/a.txt"),
        (("tree", "d"), "└── a.txt"),
        (("du", "d"), "           14         2 d/"),
        (("rm", "-r", "-n", "d"), "(dry run) delete: d/a.txt"),
    ],
)
def test_a_listing_that_lacks_something_says_so_once_and_fails(here: Path, words: tuple[str, ...], line: str) -> None:
    Path(os.fsdecode(bytes(here) + b"/d/sub/\xff")).touch()
    done = run(*words, cwd=here)
    assert (done.code, line in done.lines) == (1, True), done
    lacking = [line for line in done.err.splitlines() if not line.endswith(" files")]  # the summary of `tree`
    reason = r"a name here, '\xff', cannot be in a path (rename it, or exclude the directory)"
    assert lacking == [f"entrepot: {words[0]}: d/sub/: {reason}"]


def test_a_directory_that_may_not_be_read_does_not_stop_the_others(here: Path) -> None:
    for name in ("closed", "sub"):
        (here / "d" / name / "in").mkdir(parents=True)
    (here / "d/sub/in/x").touch()
    (here / "d/closed").chmod(0)
    expected = {("tree", "d"): "│       └── x", ("find", "d"): "d/sub/in/x", ("ls", "d/*/*/x"): "d/sub/in/x",
                ("ls", "d/*/in/"): "x"}  # fmt: skip
    try:
        found = {words: without_privileges(*words, cwd=here) for words in expected}
    finally:
        (here / "d/closed").chmod(0o700)
    for words, done in found.items():
        assert (done.code, expected[words] in done.out) == (4, True), done
        assert f"entrepot: {words[0]}: d/closed/: the file system does not permit it\n" in done.err


def test_a_failure_names_the_side_that_failed(here: Path) -> None:
    for name in ("here/shut/x", "here/sub/b c.txt/x", "there/sub/b c.txt/x"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
    within = run("cp", "-r", "d", "here", cwd=here)  # which the file system copies
    assert "entrepot: cp: here/sub/b c.txt: the path names a directory" in within.err
    between = run("cp", "-r", "d", "there/.", cwd=here)
    assert "entrepot: cp: there/./sub/b c.txt: the path names a directory" in between.err
    (here / "here/shut/x").touch()
    (here / "here/shut").chmod(0)
    try:
        diff = without_privileges("diff", "d", "here", cwd=here)
    finally:
        (here / "here/shut").chmod(0o700)
    assert "entrepot: diff: here/shut/: the file system does not permit it\n" in diff.err
    assert diff.lines == ["different: sub/b c.txt"]


def test_what_a_sync_cannot_see_or_delete_at_the_target_fails_and_the_rest_is_deleted(here: Path) -> None:
    for name in ("shut/x", "kept/y", "surplus"):
        (here / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "copy" / name).touch()
    (here / "copy/shut").chmod(0)
    try:
        unseen = without_privileges("sync", "--delete", "d", "copy", cwd=here)
        (here / "copy/kept/y").touch()
        (here / "copy/kept").chmod(0o500)
        kept = without_privileges("sync", "--delete", "--exclude", "shut/", "d", "copy", cwd=here)
    finally:
        for name in ("shut", "kept"):
            (here / "copy" / name).chmod(0o700)
    assert (unseen.code, set(files(here / "copy"))) == (4, {"a.txt", "sub/b c.txt", "kept/y", "shut/x"})
    assert unseen.err.splitlines() == [
        "entrepot: sync: copy/shut/: the file system does not permit it", "2 files (14 B) copied, 2 deleted, 1 failed",
    ]  # fmt: skip
    assert (kept.code, kept.err) == (4, "entrepot: sync: copy/kept/y: the file system does not permit it\n")


def test_a_file_that_is_not_regular_is_left_out_by_a_pattern_and_helped_by_no_other_storage(here: Path) -> None:
    os.mkfifo(here / "d/fifo")
    reason = "only regular files can be read and written, and this is a FIFO"
    assert run("cat", "d/fifo", cwd=here).err == f"entrepot: cat: d/fifo: {reason}\n"
    for verb in ("cp", "mv"):
        words = (verb, "-r", "--include", "fifo", "d", "copy")
        assert run(*words, cwd=here).err.splitlines()[0] == (
            f"entrepot: {verb}: d/fifo: {reason} (--exclude leaves it out of a tree)"
        )
    assert run("sync", "--exclude", "fifo", "d", "copy", cwd=here).code == 0


def test_a_locale_without_utf_8_is_named_where_it_keeps_a_name_from_being_text(here: Path) -> None:
    (here / "d/é.txt").touch()
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    step = "(use a UTF-8 locale or PYTHONUTF8=1)"
    for words in (("cat", "d/é.txt"), ("ls", "d")):
        done = run(*words, cwd=here, env=ascii_only)
        assert (done.code != 0, done.err.rstrip().endswith(step)) == (True, True), done
        assert run(*words, cwd=here, env={**ascii_only, "PYTHONUTF8": "1"}).code == 0
    assert step not in run("cat", "nope", cwd=here, env=ascii_only).err


def test_a_file_that_fails_is_reported_before_the_others_are_copied(here: Path) -> None:
    os.mkfifo(here / "d/fifo")
    (here / "d/sub/large").write_bytes(bytes(8 << 20))
    words = [*COMMAND, "cp", "-r", "--bandwidth", "1M", "d", "copy"]
    with subprocess.Popen(words, cwd=here, env=environment(), stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert process.stderr.readline().startswith(b"entrepot: cp: d/fifo: only regular files")
        assert not (here / "copy/sub/large").exists()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"entrepot: cp: interrupted\n"


def test_a_link_that_leads_nowhere_is_deleted(here: Path) -> None:
    for name, target in (("nowhere", "missing"), ("self", "self"), ("out", "/nonexistent/x"), ("d/in", "../missing")):
        (here / name).symlink_to(target)
    assert run("rm", "nowhere", "self", "out", "d/in", cwd=here) == (
        0, "delete: nowhere\ndelete: self\ndelete: out\ndelete: d/in\n", "",
    )  # fmt: skip
    assert sorted(path.name for path in here.rglob("*")) == ["a.txt", "b c.txt", "d", "sub"]
    (here / "link").symlink_to("d/a.txt")
    assert (run("rm", "link", cwd=here).code, files(here)["d/a.txt"]) == (0, "one\ntwo\n")


def test_a_name_that_the_output_cannot_encode_is_escaped(here: Path) -> None:
    (here / "d/é😀").touch()
    shown = run("ls", "d", cwd=here, env={"PYTHONIOENCODING": "ascii"})
    assert (shown.code, r"\xe9\U0001f600" in shown.lines) == (0, True)


def test_each_of_several_trees_reports_what_its_listing_lacks(here: Path) -> None:
    for number in range(20):  # a failure of a tree may be made where one of the tree before was in memory
        (here / f"t{number:02}").mkdir()
        if number % 2:
            Path(os.fsdecode(bytes(here) + b"/t%02d/\xff" % number)).touch()
        else:
            os.mkfifo(here / f"t{number:02}/fifo")
    done = run("cp", "-r", "t*", "out/", cwd=here)
    assert (done.code, done.err.count("cannot be in a path"), done.err.count("this is a FIFO")) == (1, 10, 10), done


def test_a_copy_leaves_alone_what_is_the_same_or_must_stay(here: Path) -> None:
    (here / "t").mkdir()
    (here / "t/a.txt").write_text("mine")
    assert run("cp", "-r", "--no-clobber", "d", "t", cwd=here).lines == ["copy: d/sub/b c.txt to t/sub/b c.txt"]
    assert files(here / "t") == {"a.txt": "mine", "sub/b c.txt": "three\n"}
    same = run("cp", "--checksum", "d/sub/b c.txt", "t/sub/", cwd=here)
    assert (same.code, same.out, same.err) == (0, "", "t/sub/b c.txt has this content already\n")
    assert run("cp", "--checksum", "d/a.txt", "t/a.txt", cwd=here).lines == ["copy: d/a.txt to t/a.txt"]
    refused = run("cp", "-r", "--storage-class", "COLD", "d", "t", cwd=here)
    assert (refused.code, refused.err.count("\n"), "storage_class" in refused.err) == (1, 1, True)


def test_trees_are_chosen_by_size_and_age(here: Path) -> None:
    os.utime(here / "d/sub/b c.txt", (0, 0))
    assert run("cp", "-r", "--min-size", "7", "d", "large", cwd=here).lines == ["copy: d/a.txt to large/a.txt"]
    assert run("sync", "--min-age", "1d", "d", "old", cwd=here).lines == ["copy: d/sub/b c.txt to old/sub/b c.txt"]
    assert run("sync", "--delete", "--max-size", "7", "--max-age", "1h", "d", "large", cwd=here).out == ""
    assert files(here / "large") == {"a.txt": "one\ntwo\n"}
    assert run("mv", "-r", "--max-size", "6", "d", "moved", cwd=here).lines == [
        "move: d/sub/b c.txt to moved/sub/b c.txt"
    ]
    assert files(here / "d") == {"a.txt": "one\ntwo\n"}


def test_bench_measures_and_deletes_what_it_made(here: Path) -> None:
    before = sorted(here.rglob("*"))
    done = run("bench", "--json", "--files", "5", "--size", "1k", "d", cwd=here)
    assert [record["operation"] for record in done.records] == ["upload", "stat", "read", "list", "delete"]
    assert all(record["files"] == 5 and record["files_per_second"] > 0 for record in done.records)
    (here / "file").write_text("")
    failed = run("bench", "--files", "5", "file", cwd=here)
    assert (failed.code, failed.err.count("\n"), failed.out) == (3, 1, "")
    (here / "file").unlink()
    assert sorted(here.rglob("*")) == before


def test_moves_leave_nothing_behind(here: Path) -> None:
    assert run("mv", "d/a.txt", "moved", cwd=here).code == 0
    assert run("mv", "-r", "d", "other", cwd=here).code == 0
    assert files(here) == {"moved": "one\ntwo\n", "other/sub/b c.txt": "three\n"}
    assert not (here / "d").exists()


def test_a_file_moved_to_another_directory_is_renamed(here: Path) -> None:
    """Also by a wildcard, and to the same name. On another file system it is copied."""
    (here / "d/a.txt").chmod(0o750)
    (here / "d/link").symlink_to("a.txt")
    identity = (here / "d/a.txt").stat().st_ino
    assert run("mv", "d/link", "d/a.txt", "e/", cwd=here).lines == [
        "move: d/link to e/link", "move: d/a.txt to e/a.txt"
    ]  # fmt: skip
    moved = here / "e/a.txt"
    assert (moved.stat().st_ino, moved.stat().st_mode & 0o777) == (identity, 0o750)
    assert (here / "e/link").is_file()
    assert not (here / "e/link").is_symlink()
    (here / "d/a.txt").write_text("kept")
    assert run("mv", "--no-clobber", "e/*.txt", "d/", cwd=here).code == 1
    assert (moved.read_text(), (here / "d/a.txt").read_text()) == ("one\ntwo\n", "kept")
    assert run("mv", "e/*.txt", "d/", cwd=here).code == 0
    assert (moved.exists(), (here / "d/a.txt").stat().st_ino) == (False, identity)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
def test_a_file_moved_to_another_file_system_is_copied_and_deleted(here: Path) -> None:
    (here / "d/a.txt").chmod(0o750)
    with TemporaryDirectory(dir="/dev/shm", prefix="entrepot-") as elsewhere:
        if Path(elsewhere).stat().st_dev == here.stat().st_dev:
            pytest.skip("there is no second file system")
        assert run("mv", "d/a.txt", f"{elsewhere}/moved", cwd=here).code == 0
        moved = Path(elsewhere, "moved")
        assert (moved.read_text(), moved.stat().st_mode & 0o777) == ("one\ntwo\n", 0o750)
    assert not (here / "d/a.txt").exists()


def test_diff_ends_with_1_where_there_is_a_difference(here: Path) -> None:
    run("cp", "-r", "d", "e", cwd=here)
    assert run("diff", "d", "e", cwd=here) == (0, "", "")
    (here / "e/a.txt").write_text("one\ntvo\n")
    (here / "e/new").write_text("")
    trees, texts = run("diff", "d", "e", cwd=here), run("diff", "d/a.txt", "e/a.txt", cwd=here)
    assert (trees.code, set(trees.lines)) == (1, {"different: a.txt", "only in e/: new"})
    assert (texts.code, texts.lines[-2:]) == (1, ["-two", "+tvo"])
    for name in ("left", "right"):  # too long for a comparison of lines, or for the memory
        with (here / name).open("wb") as sparse:
            sparse.truncate(1 << 30)
    assert run("diff", "left", "left", cwd=here) == (0, "", "")
    with (here / "right").open("r+b") as sparse:
        sparse.write(b"x")
    assert run("diff", "left", "right", cwd=here).lines == ["left and right differ"]


def _script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_edit_writes_what_the_editor_left(here: Path) -> None:
    changed = run("edit", "--editor", "sed -i s/two/2/", "d/a.txt", cwd=here)
    assert (changed.code, files(here)["d/a.txt"]) == (0, "one\n2\n")
    unsaved = run("edit", "--editor", "true", "new", cwd=here)
    assert (unsaved.code, unsaved.err, (here / "new").exists()) == (0, "not changed\n", False)
    assert run("edit", "--editor", "cp d/a.txt", "new", cwd=here).code == 0
    assert (here / "new").read_text() == "one\n2\n"


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        ("echo theirs > d/a.txt", 1, "somebody else wrote it meanwhile"),
        ("exit 3", 1, "the editor ended with code 3; nothing was written"),
        ("kill -TERM $PPID; sleep 9", 143, "entrepot: edit: terminated"),
        ("kill -HUP $PPID; sleep 9", 129, "entrepot: edit: terminated"),
    ],
)
def test_what_was_typed_is_not_lost(here: Path, end: str, code: int, reason: str) -> None:
    editor = _script(here / "editor", "echo mine >> $1", end)
    done = run("edit", "-q", "--editor", editor, "d/a.txt", cwd=here)
    assert (done.code, reason in done.err) == (code, True)
    (line,) = (line for line in done.err.splitlines() if line.startswith("your version is in "))
    saved = Path(line.removeprefix("your version is in "))
    assert saved.read_text() == "one\ntwo\nmine\n"
    assert files(here)["d/a.txt"] != saved.read_text()
    saved.unlink()
    saved.parent.rmdir()


def test_ctrl_c_is_left_to_the_editor(here: Path) -> None:
    editor = _script(here / "editor", "trap : INT", "kill -INT $PPID", "echo mine >> $1")
    assert run("edit", "--editor", editor, "d/a.txt", cwd=here) == (0, "", "")
    assert files(here)["d/a.txt"] == "one\ntwo\nmine\n"


@pytest.mark.parametrize(
    ("name", "is_ignored", "code"),
    [("INT", False, 130), ("TERM", False, 143), ("HUP", False, 129), ("INT", True, 0), ("HUP", True, 0)],
)
def test_signals_end_it_in_good_order_unless_they_are_ignored(
    here: Path, name: str, is_ignored: bool, code: int
) -> None:
    shell = f'trap "" {name}; exec "$@"' if is_ignored else 'exec "$@"'  # as nohup does, and a shell for cp ... &
    with subprocess.Popen(
        ["sh", "-c", shell, "sh", *COMMAND, "tee", "x"],
        cwd=here, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"a")
        assert process.stdout.read(1) == b"a"
        process.send_signal(signal.Signals[f"SIG{name}"])
        if not is_ignored:
            process.wait(20)
        _, err = process.communicate(b"b" if is_ignored else None, timeout=20)
    assert (process.returncode, b"Traceback" in err) == (code, False)
    assert (here / "x").exists() == is_ignored
    assert sorted(path.name for path in here.iterdir()) == (["d", "x"] if is_ignored else ["d"])


@pytest.mark.parametrize("words", [("ls", "d"), ("--help",), ("cp", "--help"), ("--version",)])
def test_a_closed_pipe_is_quiet(here: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *words], cwd=here, env=environment(), stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_broken_pipe_is_quiet(here: Path) -> None:
    (here / "big").write_bytes(bytes(64 << 20))
    command = [*COMMAND, "cat", "big"]
    with subprocess.Popen(
        command, cwd=here, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_remote_of_the_configuration_file(here: Path) -> None:
    config = here / "config.toml"
    config.write_text('[remotes.data]\nuri = "fs://${ROOT}/d"\n[remotes.odd]\nroot = "x"\n')
    env = {"ENTREPOT_CONFIG": str(config), "ROOT": str(here)}
    assert run("cat", "data:a.txt", cwd=here, env=env).out == "one\ntwo\n"
    assert set(run("ls", "data:", cwd=here, env=env).lines) == {"a.txt", "sub/"}
    assert run("cp", "data:sub/b c.txt", "data:copy", cwd=here, env=env).lines == [
        "copy: data:sub/b c.txt to data:copy"
    ]
    unset = run("ls", "data:", cwd=here, env={"ENTREPOT_CONFIG": str(config)})
    assert (unset.code, "needs the variable ROOT" in unset.err) == (2, True)
    assert "has no `uri`" in run("ls", "odd:", cwd=here, env=env).err
    assert "there is no configuration file" in run("ls", "--config", "nope.toml", "a:b", cwd=here).err
    config.write_text('[remotes."my data"]\nuri = "memory://"\n[remotes.data]\nuri = "memory://"\n')
    unusable = run("ls", "data:", cwd=here, env=env)
    assert (unusable.code, "'my data' is not a name of a remote" in unusable.err) == (2, True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f'[remotes.s]\nuri = "s3://b"\nsecret_access_key = {SECRET}\n', "it is not valid TOML (at line 3, column 21)"),
        (f'[remotes."{SECRET}"]\n[remotes."{SECRET}"]\n', "it is not valid TOML (at line 2, column 33)"),
        (f'[remotes.s]\nuri = "{SECRET}', "it is not valid TOML (at end of document)"),
        (f'[remotes.s]\nuri = "{SECRET}\xe9"\n', "it is not UTF-8"),
        (
            f'[remotse.s]\nuri = "{SECRET}"\n',
            "it has no place for 'remotse': its tables are named such as [remotes.backup]",
        ),
    ],
)
def test_a_configuration_file_that_cannot_be_parsed_is_located_and_not_repeated(
    here: Path, content: str, reason: str
) -> None:
    config = here / "config.toml"
    config.write_text(content, "latin-1")
    done = run("ls", "s:", cwd=here, env={"ENTREPOT_CONFIG": str(config)})
    assert (done.code, SECRET in done.err) == (2, False)
    assert done.err.rstrip().endswith(f"the configuration file {config} cannot be used: {reason}")


def test_a_misspelled_remote_does_not_become_a_local_file(here: Path) -> None:
    before = set(here.iterdir())
    refused = run("cp", "d/a.txt", "dat:copy", cwd=here)
    assert (refused.code, set(here.iterdir())) == (2, before)
    assert "there is no remote 'dat'; write ./ before a local name with a colon" in refused.err
    assert run("cp", "d/a.txt", "./dat:copy", cwd=here).lines == ["copy: d/a.txt to ./dat:copy"]
    assert run("cat", "dat:copy", cwd=here).out == "one\ntwo\n"  # since it exists
    (here / "dat:dir").mkdir()
    assert run("cp", "d/a.txt", "dat:dir/x", cwd=here).lines == ["copy: d/a.txt to dat:dir/x"]


@pytest.mark.parametrize(
    "lines",
    [
        f'uri = "s3://b"\nsecret_access_key = "{SECRET}"',
        f'uri = "s3://b"\nAWS_PROXY_URL = "{SECRET}"',
        f'uri = "s3://b?secret_access_key={SECRET}"',
        f'uri = "s3://b?aws_secret_access_key=x{SECRET}${{HOME}}"',
        f'uri = "s3://b"\nendpoint = "http://key:{SECRET}@127.0.0.1:1"',
        f'uri = "redis://:{SECRET}@127.0.0.1:1/0"',
        f'uri = "redis://:{SECRET[:5]}/{SECRET[5:]}@127.0.0.1:1/0"',
        f'uri = "zip:///a::https://user:{SECRET}@127.0.0.1:1/a.zip"',
        f'uri = "azblob://c"\nendpoint = "https://a.blob.core.windows.net/?sv=1&sig={SECRET}"',
        f'uri = "https://127.0.0.1:1"\nheaders = {{ Authorization = "Bearer {SECRET}" }}',
        f'uri = "unix://:{SECRET}@127.0.0.1:1"',
    ],
)
def test_a_secret_in_the_configuration_file_is_refused_and_not_repeated(here: Path, lines: str) -> None:
    config = here / "config.toml"
    config.write_text(f"[remotes.s]\n{lines}\n")
    done = run("ls", "s:", cwd=here, env={"ENTREPOT_CONFIG": str(config)})
    assert (done.code, done.err.count("\n"), SECRET[5:] in done.err) == (2, 1, False)
    assert "write ${NAME}" in done.err or "of this scheme" in done.err


def test_a_remote_takes_what_the_environment_has_as_it_is(here: Path) -> None:
    from entrepot.cli.configuration import Remotes

    config = here / "config.toml"
    config.write_text(
        '[remotes.one]\nuri = "redis://user:${PW}@${HOST}/0/@x"\n[remotes.two]\nuri = "${WHOLE}"\n'
        '[remotes.three]\nuri = "zip:///${DIR}::s3://b/a.zip?secret_access_key=${PW}&region=r"\n'
        '[remotes.four]\nuri = "https://h"\nheaders = { X-Auth = "${PW}", X-Mode = "plain" }\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PW": "a/b@c&?",
            "HOST": "h:1",
            "WHOLE": "s3://b?secret_access_key=x",
            "DIR": "p/q",
        }.items():
            patch.setenv(name, value)
        found = {name: Remotes(config, is_required=True).get(name) for name in ("one", "two", "three", "four")}
    assert found == {
        "one": {"uri": "redis://user:a%2Fb%40c%26%3F@h:1/0/@x"},
        "two": {"uri": "s3://b?secret_access_key=x"},
        "three": {"uri": "zip:///p/q::s3://b/a.zip?secret_access_key=a%2Fb%40c%26%3F&region=r"},
        "four": {"uri": "https://h", "headers": {"X-Auth": "a/b@c&?", "X-Mode": "plain"}},
    }


def test_a_process_without_a_home_has_no_configuration_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as a user whom `/etc/passwd` does not list."""
    from entrepot.cli.configuration import default_path

    def find_none(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", find_none)
    for name in ("HOME", "XDG_CONFIG_HOME", "ENTREPOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert not default_path().exists()


def test_a_terminal_shows_progress_and_a_pipe_does_not(here: Path) -> None:
    (here / "big").write_bytes(bytes(256 << 20))
    shown = run_on_terminal("cp", "--bandwidth", "2G", "big", "copy", cwd=here)
    assert shown.code == 0
    assert "copy: big to copy" in shown.out
    assert "MiB" in shown.out
    assert "\x1b[" in shown.out  # the line is redrawn
    assert run("cp", "big", "copy", cwd=here).err == ""
    quiet = run_on_terminal("cp", "-q", "big", "copy", cwd=here)
    assert (quiet.code, quiet.out) == (0, "")


def test_the_bandwidth_limits_local_copies_and_a_file_that_changes_is_not_copied(here: Path) -> None:
    (here / "big").write_bytes(bytes(4 << 20))
    words = [*COMMAND, "cp", "--bandwidth", "1M", "big", "copy"]
    with subprocess.Popen(words, cwd=here, env=environment(), stderr=subprocess.PIPE) as process:
        assert process.stderr
        wait_until(lambda: any(name.startswith(str(here)) for name in _open_files(process.pid)))
        with (here / "big").open("r+b") as file:  # without making it shorter, which may be seen first
            file.write(b"other")
        assert process.stderr.read() == b"entrepot: cp: big: it was changed meanwhile\n"
    assert (process.returncode, (here / "copy").exists()) == (1, False)


@pytest.mark.parametrize("message", ["if_match does not hold", "the object changed during the read"])
def test_a_change_is_told_in_the_same_words_whoever_noticed_it(message: str) -> None:
    assert message_of(ConditionNotMatch(message)) == "it was changed meanwhile"


def _open_files(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    try:
        return [os.readlink(link) for link in folder.iterdir()]  # noqa: PTH115
    except OSError:  # one was closed meanwhile
        return []


def test_the_progress_of_a_tree_has_the_number_of_its_files(here: Path) -> None:
    (here / "d/large").write_bytes(bytes(8 << 20))
    shown = run_on_terminal("cp", "-r", "--bandwidth", "8M", "d", "copy", cwd=here)
    assert shown.code == 0
    assert " of 3 files done" in shown.out


def test_a_name_cannot_control_the_terminal(here: Path) -> None:
    (here / "d" / "x\x1b[31mred").write_text("")
    shown = run_on_terminal("ls", "d", cwd=here)
    assert "x\\x1b[31mred" in shown.out


def test_help_names_every_verb_and_says_what_it_does(here: Path) -> None:
    from entrepot.cli.program import VERBS, program

    shown = run("--help", cwd=here)
    assert shown.code == 0
    assert all(f"\n  {verb} " in shown.out for verb in VERBS)
    for verb in VERBS:
        command = program.get_command(None, verb)  # type: ignore[arg-type]
        assert command is not None
        assert command.help
        assert VERBS[verb].endswith(".")


def test_the_version(here: Path) -> None:
    import entrepot

    assert run("--version", cwd=here).out == f"entrepot {entrepot.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("cp", "d/a.txt", "link/a.txt"),
        ("mv", "d/a.txt", "link/a.txt"),
        ("mv", "-r", "d", "link"),
        ("mv", "-r", "link", "d"),
        ("cp", "-r", "d", "link/sub/new"),
        ("sync", "--delete", "link/sub", "d"),
        ("mv", "-r", "d", "d/sub/new"),
    ],
)
def test_one_file_by_two_names_is_neither_copied_nor_moved_onto_itself(here: Path, words: tuple[str, ...]) -> None:
    (here / "link").symlink_to("d")
    before = files(here)
    done = run(*words, cwd=here)
    assert (done.code in (1, 2), done.out, done.err.count("\n")) == (True, "", 1), done
    assert files(here) == before


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("cp", "big", "x"), "x"),
        (("cp", "-r", "d", "y"), "y/large"),
        (("sync", "d", "z"), "z/large"),
    ],
)
def test_a_full_target_is_named_and_not_the_source(here: Path, words: tuple[str, ...], place: str) -> None:
    for name in ("big", "d/large"):
        (here / name).write_bytes(bytes(100_000))
    command = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *COMMAND, *words]
    done = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"entrepot: {words[0]}: {place}: the file is larger than"), done.stderr


@pytest.mark.parametrize(
    ("words", "redirect", "code", "message"),
    [
        (("ls", "d"), ">&-", 1, "entrepot: ls: the standard output is closed\n"),
        (("cat", "d/a.txt"), ">&-", 1, "entrepot: cat: the standard output is closed\n"),
        (("cp", "-", "x"), "<&-", 1, "entrepot: cp: the standard input is closed\n"),
        (("tee", "x"), "<&-", 1, "entrepot: tee: the standard input is closed\n"),
        (("cat", "nope"), "2>&-", 3, ""),
        (("ls", "d"), "<&- 2>&-", 0, ""),
        (("ls", "d"), ">/dev/full", 1, "entrepot: ls: no space left on device\n"),
        (("--help",), ">/dev/full", 1, "entrepot: no space left on device\n"),
        (("cp", "--help"), ">/dev/full", 1, "entrepot: no space left on device\n"),
    ],
)
def test_a_closed_or_full_stream_is_one_line(
    here: Path, words: tuple[str, ...], redirect: str, code: int, message: str
) -> None:
    command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *COMMAND, *words]
    done = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, message)
    assert set(files(here)) == {"d/a.txt", "d/sub/b c.txt"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mv", "d", "x"), 1, "entrepot: mv: d/: this is a directory: move it with -r"),
        (("cat", "d"), 1, "entrepot: cat: d/: this is a directory"),
        (("tail", "d"), 1, "entrepot: tail: d/: this is a directory"),
        (("head", "d"), 1, "entrepot: head: d/: this is a directory"),
        (("tree", "d/a.txt"), 3, "entrepot: tree: d/a.txt: this is a file"),
        (("edit", "--editor", "no-such", "d/a.txt"), 2, "entrepot: edit: d/a.txt: the editor 'no-such' cannot"),
        (("edit", "d/a.txt/x"), 3, "entrepot: edit: d/a.txt/x: "),
        (("find", "nope"), 3, "entrepot: find: nope: the file does not exist"),
        (("find", "nope/"), 3, "entrepot: find: nope/: the file does not exist"),
        (("cp", "-r", "nope", "x"), 3, "entrepot: cp: nope: the file does not exist"),
        (("rm", "-r", "."), 2, "entrepot: rm: .: the working directory and those above it are not deleted"),
        (("rm", "-r", "-f", ".."), 2, "entrepot: rm: ../: the working directory"),
        (("ls", "-o", "access_key_id=x", "s3://b/"), 2, "entrepot: ls: s3://b/: "),
        (("cp", "-r", "d/..", "d/x"), 2, "entrepot: cp: d/../: "),
    ],
)
def test_more_errors_are_one_line(here: Path, words: tuple[str, ...], code: int, message: str) -> None:
    test_an_error_is_one_line_with_a_code(here, words, code, message)


def test_a_failed_file_of_a_tree_has_the_name_that_the_user_writes(here: Path) -> None:
    (here / "d/sub/out").symlink_to("/nonexistent")
    os.symlink("d", here / "link")  # noqa: PTH211
    done = run("cp", "-r", "link", "copy", cwd=here)
    assert done.code == 4
    assert done.err.startswith("entrepot: cp: link/sub/out: a symbolic link leads out of the root (--follow")
    assert files(here / "copy") == {"a.txt": "one\ntwo\n", "sub/b c.txt": "three\n"}


def test_recursion_into_a_file_copies_it_and_a_dry_run_of_rm_names_the_files(here: Path) -> None:
    assert run("cp", "-r", "d/a.txt", "x", cwd=here).lines == ["copy: d/a.txt to x"]
    dry = run("rm", "-r", "-n", "d", cwd=here)
    assert set(dry.lines) == {"(dry run) delete: d/a.txt", "(dry run) delete: d/sub/b c.txt"}
    assert set(files(here)) == {"x", "d/a.txt", "d/sub/b c.txt"}


def test_ctrl_c_in_an_import_shows_nothing(here: Path) -> None:
    program = (
        "import os, signal, sys\nfrom entrepot.cli import main\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'entrepot.cli.commands.ls': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\nmain()\n"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", program, "ls"], cwd=here, env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-2, b"", b"")


def test_members_of_archives_are_places(here: Path) -> None:
    subprocess.run(["tar", "-czf", "a.tgz", "d"], cwd=here, check=True)
    archive = f"::{here.as_uri()}/a.tgz"
    assert run("ls", f"tar://d/{archive}", cwd=here).lines == ["a.txt", "sub/"]
    assert run("cat", f"tar://d/sub/b c.txt{archive}", cwd=here).out == "three\n"
    copied = run("cp", "-r", f"tar://d{archive}", "out", cwd=here)
    assert sorted(copied.lines) == [
        f"copy: tar://d/a.txt{archive} to out/a.txt",
        f"copy: tar://d/sub/b c.txt{archive} to out/sub/b c.txt",
    ]
    assert files(here / "out") == files(here / "d")
    missing = run("cat", f"tar://d/no{archive}", cwd=here)
    assert missing.err == f"entrepot: cat: tar://d/no{archive}: the archive has no such member\n"


def test_wildcards_match_directories_where_a_verb_takes_them(here: Path) -> None:
    for name in ("d1/a", "d1/in/b", "d2/c", "d3.log"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    assert sorted(run("ls", "d[0-9]*", cwd=here).lines) == ["d1/a", "d1/in/", "d2/c", "d3.log"]
    assert run("ls", "-r", "--json", "d1/i?", cwd=here).records[0]["uri"] == "d1/in/b"
    assert sorted(run("du", "d?", cwd=here).lines) == ["            4         1 d2/", "           11         2 d1/"]
    assert sorted(run("find", "d[12]", "--name", "?", "--type", "f", cwd=here).lines) == ["d1/a", "d1/in/b", "d2/c"]
    assert run("find", "d3*", cwd=here).lines == ["d3.log"]
    assert {record["uri"] for record in run("stat", "--json", "d?", cwd=here).records} == {"d1/", "d2/"}
    copied = run("cp", "-r", "--exclude", "c", "d[0-9]*", "out", cwd=here)
    assert (copied.code, set(copied.lines)) == (0, {
        "copy: d3.log to out/d3.log", "copy: d1/a to out/d1/a", "copy: d1/in/b to out/d1/in/b",
    })  # fmt: skip
    assert run("cp", "-r", "--exclude", "*.log", "d[23]*", "two", cwd=here).lines == ["copy: d2/c to two/d2/c"]
    assert run("rm", "d[12]", cwd=here).code == 3
    assert set(run("rm", "-r", "d[12]", cwd=here).lines) == {"delete: d1/", "delete: d2/"}
    assert set(files(here)) == {
        "d/a.txt", "d/sub/b c.txt", "d3.log", "out/d3.log", "out/d1/a", "out/d1/in/b", "two/d2/c"
    }  # fmt: skip


def test_a_move_deletes_nothing_that_was_not_copied(here: Path) -> None:
    (here / "d/sub/no\npath").write_text("kept")
    os.mkfifo(here / "d/excluded")
    done = run("mv", "-r", "--exclude", "excluded", "d", "out", cwd=here)
    assert (done.code, sorted(files(here / "out"))) == (1, ["a.txt", "sub/b c.txt"])
    assert "cannot be in a path" in done.err
    assert (files(here / "d"), (here / "d/excluded").is_fifo()) == ({"sub/no\npath": "kept"}, True)
    failed = run("mv", "-r", "d", "out", cwd=here)
    assert (failed.code, "0 files (0 B) moved, 2 failed\n" in failed.err) == (1, True)
    (here / "d/excluded").unlink()
    assert run("mv", "-r", "d", "out", cwd=here).code == 1
    assert files(here / "d") == {"sub/no\npath": "kept"}


@pytest.mark.parametrize("options", [(), ("--max-size", "1G")])
def test_a_file_that_is_written_to_after_its_copy_is_not_deleted_by_a_move(
    here: Path, options: tuple[str, ...]
) -> None:
    """A tree takes hours, and the first of its files go on to grow."""
    (here / "d/sub/large").write_bytes(bytes(3 << 20))
    words = [*COMMAND, "mv", "-r", "--bandwidth", "1M", *options, "d", "out"]
    with subprocess.Popen(words, cwd=here, env=environment(), stderr=subprocess.PIPE) as process:
        assert process.stderr
        wait_until((here / "out/a.txt").exists)
        with (here / "d/a.txt").open("a") as file:
            file.write("three\n")
        err = process.stderr.read().decode()
    assert "entrepot: mv: d/a.txt: it was changed after it was copied, and stays" in err.splitlines()
    assert (process.returncode, files(here / "d")) == (1, {"a.txt": "one\ntwo\nthree\n"})
    assert set(files(here / "out")) == {"a.txt", "sub/b c.txt", "sub/large"}


def test_wildcards_move_directories_and_two_sources_never_become_one_file(here: Path) -> None:
    for name in ("d1/a", "d1/in/b", "d2/c", "d3.log", "x/f", "y/f", "x/t/g", "y/t/g"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    before = files(here)
    dry = run("mv", "-r", "-n", "--exclude", "c", "d[0-9]*", "out", cwd=here)
    moved = {f"move: {name} to out/{name}" for name in ("d3.log", "d1/a", "d1/in/b")}
    assert (dry.code, set(dry.lines), files(here)) == (0, {f"(dry run) {line}" for line in moved}, before)
    done = run("mv", "-r", "--exclude", "c", "d[0-9]*", "out", cwd=here)
    assert (done.code, set(done.lines), "2 files (11 B) moved\n" in done.err) == (0, moved, True)
    assert not (here / "d1").exists()
    lost = run("mv", "x/f", "y/f", "out", cwd=here)
    assert (lost.code, lost.err) == (1, "entrepot: mv: y/f: out/f is the target of another source of this command\n")
    assert run("mv", "-r", "?/t", "out", cwd=here).code == 1
    assert run("cp", "-r", "*", "all", cwd=here).code == 0  # a directory that it makes is not among the matches
    kept = {name: text for name, text in files(here).items() if not name.startswith("all/")}
    assert sorted(kept.values()) == sorted(before.values())
    assert files(here / "all") == kept
    refused = run("mv", "-r", "--checksum", "--size-only", "d*", "out", cwd=here)
    assert (refused.code, "not with a wildcard" in refused.err) == (2, True)
    assert run("mv", "-r", "out/d3.log", "d4", cwd=here).lines == ["move: out/d3.log to d4"]


@pytest.mark.parametrize(
    "uri",
    [
        f"ftp://user:{SECRET}@127.0.0.1:1/a",
        f"http://user:{SECRET}@127.0.0.1:1/a",
        f"sftp://user:x/{SECRET}@127.0.0.1:1/a",
        f"sftp://user:1/{SECRET}?x@127.0.0.1:1/a".replace(":1/", ":123456/", 1),
        f"redis://:12/{SECRET}@127.0.0.1:1/0/a",
        f"redis://:?{SECRET}@127.0.0.1:1/0/a",
        f"https://user:x#{SECRET}@127.0.0.1:1/a",
        f"s3://key:x/{SECRET}@bucket/a",
        f"postgresql://user:x/{SECRET}@127.0.0.1:1/postgres/a",
        f"zip://a::http://user:x/{SECRET}@127.0.0.1:1",
        f"redis://127.0.0.1:1/0?password={SECRET}/a",
        f"zip://a::http://user:{SECRET}@127.0.0.1:1/a.zip",
        f"s3://bucket?secret_access_key={SECRET}/a",
        f"s3://?secret_access_key={SECRET}",
        f"s3://bucket?secret-access-key={SECRET}",
        f"azblob://container?sas_token=sv=1&sig={SECRET}",
        f"zip://::s3://bucket?secret_access_key={SECRET}",
        f"https://127.0.0.1:1/a?signature={SECRET}",
        f"etcd://user:{SECRET}@/a",
        f"nonsense://?password={SECRET}",
    ],
)
def test_a_secret_in_a_uri_is_not_repeated(here: Path, uri: str) -> None:
    done = run("cat", "--retries", "0", uri, cwd=here)  # which looks for the secret
    assert (done.code != 0, done.err.count("\n")) == (True, 1)
    assert done.err.startswith(f"entrepot: cat: {uri.partition('://')[0]}://")


def test_a_database_is_a_place_with_paths_and_options(here: Path) -> None:
    base = f"sqlite://{here}/x.db"
    copied = run("cp", "-r", "d", f"{base}?table=t/in/", cwd=here)
    assert set(copied.lines) == {
        f"copy: d/a.txt to {base}?table=t/in/a.txt", f"copy: d/sub/b c.txt to {base}?table=t/in/sub/b c.txt",
    }  # fmt: skip
    assert run("ls", f"{base}?table=t", cwd=here).lines == ["in/"]
    assert run("cat", f"sqlite:///{here}/x.db?table=t/in/a.txt", cwd=here).out == "one\ntwo\n"  # as in SQLAlchemy
    assert run("cat", "-o", "table=t", f"{base}/in/sub/b c.txt", cwd=here).out == "three\n"
    missing = run("ls", f"sqlite://{here}/", cwd=here)
    assert (missing.code, "must be the path of a file" in missing.err) == (2, True)


@pytest.fixture
def linked(here: Path) -> Path:
    """`t` has a file, and links: out of it, to directories, in a circle, and to nothing."""
    (here / "t").mkdir()
    (here / "t/own").write_text("own")
    (here / "t/near").symlink_to("own")
    (here / "t/out.txt").symlink_to(here / "d/a.txt")
    (here / "t/tree").symlink_to("../d")
    (here / "t/whole").symlink_to(here / "d/sub")
    return here


def test_links_of_a_tree_are_followed_where_it_is_asked_for(linked: Path) -> None:
    default = run("cp", "-r", "t", "some", cwd=linked)
    assert (default.code, files(linked / "some")) == (4, {"own": "own", "near": "own"})
    assert set(default.err.splitlines()[:-1]) == {
        f"entrepot: cp: t/{name}: a symbolic link leads out of the root (--follow-symlinks follows it)"
        for name in ("out.txt", "whole")
    }
    tree = {
        "own": "own", "near": "own", "out.txt": "one\ntwo\n", "tree/a.txt": "one\ntwo\n", "tree/sub/b c.txt": "three\n",
        "whole/b c.txt": "three\n",
    }  # fmt: skip
    assert run("cp", "-r", "--follow-symlinks", "t", "all", cwd=linked).code == 0
    assert files(linked / "all") == tree
    assert run("sync", "--follow-symlinks", "t", "all", cwd=linked).out == ""
    listed = run("ls", "-r", "--follow-symlinks", "t", cwd=linked).lines
    assert {line for line in listed if not line.endswith("/")} == set(tree)
    assert run("cp", "--follow-symlinks", "t/out.txt", "one", cwd=linked).code == 0
    assert (linked / "one").read_text() == "one\ntwo\n"
    refused = run("cp", "-r", "--follow-symlinks", "t/tree", "d/sub/new", cwd=linked)
    assert (refused.code, "one of the directories is in the other" in refused.err) == (2, True)


def test_links_in_a_circle_end_and_fail_and_the_others_go_on(linked: Path) -> None:
    (linked / "t/up").symlink_to("..")
    (linked / "t/self").symlink_to(".")
    (linked / "t/none").symlink_to("nowhere")
    (linked / "t/eternal").symlink_to("eternal")
    done = run("cp", "-r", "--follow-symlinks", "--exclude", "up/**", "t", "all", cwd=linked)
    assert (done.code, "--follow-symlinks" in done.err) == (1, False)
    assert "entrepot: cp: t/self: a symbolic link leads back to a directory that it is in\n" in done.err
    assert {line.split(": ")[2] for line in done.err.splitlines()[:-1]} == {"t/self", "t/none", "t/eternal"}
    assert len(files(linked / "all")) == 6
    inside = run("cp", "-r", "--follow-symlinks", "t", "all", cwd=linked)
    assert "entrepot: cp: t/up/all: a symbolic link leads to the target of the copies\n" in inside.err
    assert {name.split("/")[1] for name in files(linked / "all") if name.startswith("up/")} == {"d"}
    up = run("ls", "-r", "--follow-symlinks", "t/up", cwd=linked)
    assert (up.code, "t/own" in up.lines, "t/up" in up.lines) == (0, True, True)


def test_info_names_the_place_and_its_root(here: Path) -> None:
    for word, shown, root in (("./d", "./d/", here / "d"), ("d/a.txt", "d/a.txt", here / "d"), (".", ".", here)):
        record = run("info", "--json", word, cwd=here).records[0]
        assert (record["uri"], record["root"]) == (shown, f"{root}/")


def test_an_archive_in_a_chain_may_be_a_local_path(here: Path) -> None:
    with zipfile.ZipFile(here / "d" / "a b%20?.zip", "w") as archive:
        archive.writestr("x::y/z.txt", "content")
    for word in ("d/a b%20?.zip", "./d/a b%20?.zip", here / "d/a b%20?.zip"):
        assert run("cat", f"zip://x::y/z.txt::{word}", cwd=here).out == "content"
        assert run("ls", f"zip://x::y/::{word}", cwd=here).lines == ["z.txt"]
    assert "the archive does not exist" in run("cat", "zip://x::none.zip", cwd=here).err


def test_a_mirror_of_an_empty_directory_deletes_nothing_and_a_diff_shows_what_it_lacks(here: Path) -> None:
    (here / "unmounted").mkdir()
    for options in ((), ("--dry-run",), ("--force",)):
        done = run("sync", "--delete", *options, "unmounted", "d", cwd=here)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("entrepot: sync: unmounted/: the source has no files, ")
    assert set(files(here)) == {"d/a.txt", "d/sub/b c.txt"}
    diff = run("diff", "unmounted", "d", cwd=here)
    assert (diff.code, sorted(diff.lines)) == (1, ["only in d/: a.txt", "only in d/: sub/b c.txt"])


def test_a_move_leaves_directories_that_were_empty_before(here: Path) -> None:
    (here / "d/before/in").mkdir(parents=True)
    moved = run("mv", "-r", "d", "out", cwd=here)
    assert (moved.code, files(here)) == (0, {"out/a.txt": "one\ntwo\n", "out/sub/b c.txt": "three\n"})
    assert ((here / "d/before/in").is_dir(), (here / "d/sub").exists()) == (True, False)
    nothing = run("mv", "-r", "d", "other", cwd=here)
    assert (nothing.code, nothing.out, (here / "d/before/in").is_dir()) == (0, "", True)
