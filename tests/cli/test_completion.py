"""What a shell offers after a tab."""

from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from entrepot.cli.completion import PlaceWord
from entrepot.cli.program import VERBS, program


def offered(words: list[str], incomplete: str) -> list[CompletionItem]:
    return ShellComplete(program, {}, "entrepot", "_ENTREPOT_COMPLETE").get_completions(words, incomplete)


def test_verbs_and_options_are_offered() -> None:
    assert {item.value for item in offered([], "")} == {*VERBS}
    assert {item.value for item in offered(["sync"], "--d")} == {"--delete", "--dry-run"}


@pytest.mark.parametrize("verb", sorted(set(VERBS)))
def test_local_paths_are_left_to_the_shell(verb: str) -> None:
    assert [(item.value, item.type) for item in offered([verb], "dir/a")] == [("dir/a", "file")]


def test_other_places_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("logs/2026-01", "logs/2026-02", "logs/other", "x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    config = tmp_path / "config.toml"
    config.write_text(f'[remotes.data]\nuri = "fs://{tmp_path}"\n')
    monkeypatch.setenv("ENTREPOT_CONFIG", str(config))

    def completed(word: str) -> list[str]:
        return sorted(item.value for item in PlaceWord().shell_complete(None, None, word))  # type: ignore[arg-type]

    assert completed("data:") == ["data:config.toml", "data:logs/", "data:x"]
    assert completed("data:logs/2026") == ["data:logs/2026-01", "data:logs/2026-02"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert completed("s3://bucket/x") == []  # no server: nothing is offered, and nothing is said
