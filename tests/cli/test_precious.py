"""Directories that nobody means to delete: `rm -r`, `mv -r` and `sync --delete` refuse them.

All of it happens in a temporary directory, which is the home directory of the commands. What cannot be put there, such
as the root and mounts, is given to the checks alone, which delete nothing.
"""

from __future__ import annotations

import os
import pwd
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from entrepot import InvalidInput, Operator
from entrepot.cli.places import Place
from entrepot.cli.precious import are_refused, check_for_deletion, check_for_emptying
from entrepot.cli.session import Session, Settings
from entrepot.services import Fs, Memory

from .running import Done, run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with a file, beside a working directory with directories that may be deleted."""
    for name in ("users/me/notes", "work/a/1", "work/b/2"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "users/me"


def remotes_of(home: Path) -> Path:
    """A configuration file whose remote leads to the directory above the home directory."""
    file = home.parent.parent / "remotes.toml"
    file.write_text(f'[remotes.disk]\nuri = "fs://{home.parent}"\n')
    return file


def run_at(home: Path, *words: object) -> Done:
    """Runs the command in the working directory."""
    env = {"HOME": str(home), "ENTREPOT_CONFIG": str(remotes_of(home))}
    return run(*words, cwd=home.parent.parent / "work", env=env)


def names_in(home: Path) -> set[str]:
    """The files of both directories."""
    top = home.parent.parent
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() and path.suffix != ".toml"}


ALL = {"users/me/notes", "work/a/1", "work/b/2"}
WRITTEN = [
    "{home}", "{home}/", "{home}/../me", "../users", "../users/me/.", "link", "link/", "fs://{home}", "file://{home}/",
    "disk:", "disk:me", "disk:me/", "../users/m*", "../user[s]/", "{home}/../*",
    "{home}/**", "{home}/**/*", "{home}/*/**", "../users/**/", "fs://{home}/**", "disk:**", "disk:me/**",
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
async def test_a_home_directory_is_refused_however_it_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    (home.parent.parent / "work/link").symlink_to(home)
    monkeypatch.chdir(home.parent.parent / "work")
    monkeypatch.setenv("HOME", str(home))
    word = written.format(home=home)
    for check, message in (
        (partial(check_for_deletion, force=True), "is not deleted as a whole: name what is in it"),
        (partial(check_for_emptying, force=False), "loses what is in it only with --force"),
    ):
        session = Session("rm", Settings({}, config=remotes_of(home)))
        assert await are_refused(session, ("a", word, "b"), check, directories="**" not in word)
        assert session.exit_code == 2
        assert f"a home directory, or one above it, {message}" in capsys.readouterr().err
        await session.close()


def test_nothing_is_deleted_if_one_of_the_words_is_refused(home: Path) -> None:
    removal = run_at(home, "rm", "-r", "-f", "a", ".", "disk:", "../users/m*", "b")
    assert (removal.code, removal.out) == (2, "")
    assert [line.split(": ")[2] for line in removal.err.splitlines()] == [".", "disk:", "../users/me/"]
    for words in (("mv", "-r", "disk:me", "moved"), ("sync", "--delete", "--include", "n*", "a", home)):
        done = run_at(home, *words)
        assert (done.code, "loses what is in it only with --force" in done.err) == (2, True)
    assert names_in(home) == ALL


@pytest.mark.parametrize("written", ["{home}/*", "{home}/**/*.pyc", "{home}/n*/**", "../users/*.txt", "a/**", "*"])
async def test_patterns_of_what_is_in_a_home_directory_are_not_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.chdir(home.parent.parent / "work")
    monkeypatch.setenv("HOME", str(home))
    session = Session("rm", Settings({}))
    check = partial(check_for_deletion, force=False)
    assert not await are_refused(session, (written.format(home=home),), check)
    assert not await are_refused(session, ("../users/*", "..", str(home)), check, directories=False)
    await session.close()


async def test_a_pattern_of_all_objects_of_a_bucket_needs_force() -> None:
    for word in ("s3://bucket/**", "s3://bucket/**/*", "s3://bucket//**"):
        for force in (False, True):
            session = Session("rm", Settings({"region": "us-east-1"}))
            check = partial(check_for_deletion, force=force)
            assert await are_refused(session, (word,), check, directories=False) != force
            assert not await are_refused(session, ("s3://bucket/a/**", "s3://bucket/**/*.tmp"), check)
            await session.close()


def test_what_is_in_a_home_directory_is_deleted_and_force_moves_and_mirrors(home: Path) -> None:
    (home / "old").mkdir()
    assert run_at(home, "rm", "-r", "../users/me/old").lines == ["delete: ../users/me/old/"]
    assert run_at(home, "sync", "a", home).code == 0  # which deletes nothing
    assert run_at(home, "sync", "--delete", "--force", "b", home).code == 0
    assert names_in(home) == {"users/me/2", "work/a/1", "work/b/2"}
    assert run_at(home, "mv", "-r", "--force", home, "moved").lines == [f"move: {home}/2 to moved/2"]
    assert names_in(home) == {"work/moved/2", "work/a/1", "work/b/2"}
    assert run_at(home, "rm", "-r", "a", "moved").code == 0
    assert names_in(home) == {"work/b/2"}


def place_of(directory: str) -> Place:
    """The place of a directory that nothing is done with."""
    parent, name = os.path.split(directory.rstrip("/"))
    return Place(Operator(Fs(parent or "/")), f"{name}/" if name else "/", str, is_local=True)


@pytest.mark.parametrize(
    ("directory", "message"),
    [("/", "the working directory"), ("/usr", "directly below the root"), ("/etc/", "directly below the root")],
)
def test_the_root_and_directories_directly_below_it_are_refused(directory: str, message: str) -> None:
    for force in (False, True):
        with pytest.raises(InvalidInput, match=message):
            check_for_deletion(place_of(directory), force=force)
    with pytest.raises(InvalidInput, match="only with --force"):
        check_for_emptying(place_of(directory), force=False)
    check_for_emptying(place_of(directory), force=True)


def test_the_home_of_the_user_database_and_of_who_called_sudo_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = {number: tmp_path / number for number in ("own", "caller")}
    for directory in (*homes.values(), tmp_path / "other"):
        directory.mkdir()
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("SUDO_USER", "caller")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir=str(homes["own"])))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: SimpleNamespace(pw_dir=str(homes[name])))
    for directory in homes.values():
        with pytest.raises(InvalidInput, match="a home directory"):
            check_for_deletion(place_of(str(directory)), force=True)
    check_for_deletion(place_of(str(tmp_path / "other")), force=False)


def test_a_mounted_file_system_and_a_whole_storage_need_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "disk")
    for place in (
        place_of(str(tmp_path / "disk")),
        Place(Operator(Memory()), "/", str),
        Place(Operator(Fs(tmp_path)), "/", str),
    ):
        with pytest.raises(InvalidInput, match="delete all of it with --force"):
            check_for_deletion(place, force=False)
        check_for_deletion(place, force=True)
        check_for_emptying(place, force=False)


def test_a_file_directly_below_the_root_and_the_working_directory_may_be_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    check_for_emptying(place_of(str(tmp_path / "work")), force=False)
    with pytest.raises(InvalidInput, match="the working directory"):
        check_for_deletion(place_of(str(tmp_path)), force=True)
    check_for_deletion(Place(Operator(Fs("/")), "no-such-file", str, is_local=True), force=False)
