"""The configuration files of the AWS tools."""

import pytest

from entrepot.errors import ConfigInvalid
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.signing.aws_profile import (
    FileText,
    ProfileFiles,
    configured_endpoint,
    configured_region,
    profile_name,
)
from entrepot.signing.aws_profile_files import load_files, parse_files

CONFIG = """\
# the configuration
[default]
region = eu-west-1
s3 =
    addressing_style = path
    max_concurrent_requests=20
[profile "my dev"]
region: us-east-2
services = here
aws_access_key_id = OF-CONFIG
[services here]
s3 =
  endpoint_url = http://127.0.0.1:9000
sts =
  endpoint_url = http://127.0.0.1:9001
[sso-session corp]
sso_region = eu-central-1
[preview]
cloudfront = true
"""
CREDENTIALS = """\
[my dev]
aws_access_key_id = OF-CREDENTIALS
[other]
aws_secret_access_key = hidden
"""


def files(config: str | None = CONFIG, credentials: str | None = CREDENTIALS) -> ProfileFiles:
    return parse_files(FileText("/c/config", config), FileText("/c/credentials", credentials))


def test_profiles_have_the_keys_of_both_files() -> None:
    both = files()
    assert both.names == ["default", "my dev", "other"]
    assert both.profile("my dev").get("aws_access_key_id") == "OF-CREDENTIALS"
    assert both.profile("my dev").get("region") == "us-east-2"
    assert both.profile().nested("s3") == {"addressing_style": "path", "max_concurrent_requests": "20"}
    assert both.profile().get("s3") is None
    assert both.sso_sessions == {"corp": {"sso_region": "eu-central-1"}}


def test_a_missing_profile_lists_those_there_are() -> None:
    with pytest.raises(ConfigInvalid, match=r"'dev' does not exist: /c/config and /c/credentials have 'default', "):
        files().profile("dev")
    with pytest.raises(ConfigInvalid, match="/c/config does not exist and /c/credentials does not exist"):
        files(None, None).profile("dev")


def test_the_default_profile_may_be_missing() -> None:
    profile = files(None, None).profile()
    assert (profile.name, profile.get("region"), "region" in profile) == ("default", None, False)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("region = x\n[default]\n", "line 1: there is text before the first"),
        ("[default]\n[x]\nsecret-in-a-line\n", "line 3: it is not a "),
        ("[default\nregion = x\n", "line 1: there is text before the first"),
        ("[default]\na = 1\n[default]\n", "line 3: the section is there twice"),
        ("[default]\na = 1\nA = 2\n", "line 3: the key is there twice"),
        ("[default]\ns3 =\n  a = b\n  secret-in-a-line\n", "line 4: it is not 'key = value' of a nested table"),
    ],
)
def test_a_malformed_file_names_its_line_and_shows_none_of_it(config: str, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"^/c/config, {message}") as caught:
        files(config)
    assert "secret" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, "http://127.0.0.1:9000"),
        ({"AWS_ENDPOINT_URL": "http://all"}, "http://all"),
        ({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3"}, "http://s3"),
        ({"AWS_ENDPOINT_URL_S3": "http://s3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, None),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}, "http://127.0.0.1:9000"),
    ],
)
def test_endpoints_have_an_order(environ: dict[str, str], endpoint: str | None) -> None:
    both = files()
    assert configured_endpoint("s3", both, both.profile("my dev"), environ) == endpoint


def test_a_missing_services_section_is_named() -> None:
    with pytest.raises(ConfigInvalid, match=r"'default' names the section \[services gone\], which /c/config does not"):
        profile_files = files("[default]\nservices = gone\n")
        configured_endpoint("s3", profile_files, profile_files.profile(), {})


def test_the_environment_selects_profile_and_region() -> None:
    profile = files().profile()
    assert profile_name({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}) == "b"  # as botocore does
    assert profile_name({"AWS_PROFILE": ""}) is None
    assert configured_region(profile, {"AWS_REGION": "r", "AWS_DEFAULT_REGION": "d"}) == "r"
    assert configured_region(profile, {}) == "eu-west-1"


async def test_files_are_read_where_the_environment_says(tmp_path) -> None:
    (tmp_path / "config").write_bytes(b"\xef\xbb\xbf" + CONFIG.encode())  # with a byte order mark, as editors write it
    environ = {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/none"}
    loaded = await load_files(AsyncioRuntime(), environ)
    assert loaded.names == ["default", "my dev"]
    assert "OF-CONFIG" not in repr(loaded)
    assert "OF-CONFIG" not in repr(loaded.profile("my dev"))


@pytest.mark.parametrize("end", ["\r\n", "\r"])
async def test_lines_end_as_on_any_system(tmp_path, end: str) -> None:
    (tmp_path / "config").write_bytes(CONFIG.replace("\n", end).encode())
    environ = {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/none"}
    assert (await load_files(AsyncioRuntime(), environ)).config == files(credentials="").config


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[default]\nregion = \xff\n", "line 2: it is not UTF-8"),
        (b"[default]\ncredential_process = a\0b\n", "line 2: it has a null byte"),
        ("[default]\n".encode("utf-16-le"), "line 1: it has a null byte"),
    ],
)
async def test_a_file_that_is_not_text_names_the_line(tmp_path, content: bytes, problem: str) -> None:
    (tmp_path / "config").write_bytes(content)
    environ = {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/none"}
    with pytest.raises(ConfigInvalid, match=f"config, {problem}"):
        await load_files(AsyncioRuntime(), environ)
