"""Where the token comes from, and what of it cannot be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot import ConfigInvalid, PermissionDenied
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.hf.token import TokenFile, token_cache, token_path
from entrepot.testing.servers.hub import HubInProcess

from .conftest import MakeOperator

RUNTIME = AsyncioRuntime()


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (b"hf_x", "hf_x"),
        (b"\n hf_x \r\n", "hf_x"),
        (b"", None),
        (b" \n", None),
    ],
)
async def test_a_file_holds_a_token_or_nothing(tmp_path: Path, content: bytes, token: str | None) -> None:
    (tmp_path / "token").write_bytes(content)
    assert (await TokenFile(tmp_path / "token", RUNTIME).load()).value == token


@pytest.mark.parametrize(
    "content", [b"secret words", b"\xff\xfes\0e\0c\0r\0e\0t\0", b"\xef\xbb\xbfsecret", b"secret\x00"]
)
async def test_a_file_of_something_else_is_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigInvalid, match="does not hold a token") as caught:
        await TokenFile(tmp_path / "token", RUNTIME).load()
    assert "secret" not in repr((caught.value, caught.value.__cause__))


async def test_a_file_that_is_missing_is_no_token_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for missing in ("none", "none/token", "file/token"):
        assert (await TokenFile(tmp_path / missing, RUNTIME).load()).value is None
    with pytest.raises(PermissionDenied, match="cannot be read: Is a directory"):
        await TokenFile(tmp_path, RUNTIME).load()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, "/home/x/.cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "/cache", "HF_HOME": "~/hub"}, "/home/x/hub/token"),
        ({"HF_HOME": "$DISK/${USER_DIR}/hub"}, "/disk/me/hub/token"),
        ({"HF_HOME": "/hub", "HF_TOKEN_PATH": "$DISK/secret"}, "/disk/secret"),
        ({"HF_HOME": "", "HF_TOKEN_PATH": ""}, "/home/x/.cache/huggingface/token"),
    ],
)
def test_the_file_is_where_the_tools_of_the_hub_keep_it(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], path: str
) -> None:
    for name, value in {"HOME": "/home/x", "DISK": "/disk", "USER_DIR": "me"}.items():
        monkeypatch.setenv(name, value)
    assert token_path(environ) == Path(path)


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"HF_TOKEN": "hf_a", "HUGGING_FACE_HUB_TOKEN": "hf_b"}, "hf_a"),
        ({"HF_TOKEN": " ", "HUGGING_FACE_HUB_TOKEN": "hf_b\n"}, "hf_b"),
        ({"HF_TOKEN": "hf_a", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "Yes"}, None),
        ({"HF_TOKEN": "hf_a", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}, "hf_a"),
        ({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, None),
        ({}, None),
    ],
)
async def test_variables_come_before_the_file(environ: dict[str, str], token: str | None) -> None:
    assert (await token_cache(None, environ, RUNTIME).get()).value == token
    assert (await token_cache("hf_configured", environ, RUNTIME).get()).value == "hf_configured"


async def test_requests_at_the_same_time_read_a_replaced_token_once(
    server: HubInProcess, operator: MakeOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, loads = tmp_path / "token", list[str]()
    file.write_text(server.token)
    monkeypatch.setenv("HF_TOKEN_PATH", str(file))
    monkeypatch.setattr("entrepot.services.hf.token._read", lambda path: loads.append("") or path.read_text())
    op = operator(token=None, disable_config_load=False)
    await op.write("a", b"content")
    server.token = "hf_the_next_one"
    file.write_text(server.token)
    assert await asyncio.gather(*(op.read("a") for _ in range(5))) == [b"content"] * 5
    assert len(loads) == 2


async def test_a_file_that_cannot_be_read_fails_the_call(
    operator: MakeOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path))
    with pytest.raises(PermissionDenied, match=r"the token file .* cannot be read"):
        await operator(token=None, disable_config_load=False).stat("a")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ConfigInvalid, match="the token cannot see it"):
        await operator(token=None, disable_config_load=False).stat("a")
