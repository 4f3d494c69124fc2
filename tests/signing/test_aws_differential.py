"""Generated files and environments: the chain finds the credentials that botocore finds, or fails where it fails.

Left out, as they differ on purpose: `aws login` (botocore needs another package), `mfa_serial` (botocore asks the
user), the first version of the metadata service, values that are empty, and STS without a region (an error in
botocore). A client of botocore also looks up an SSO token that it does not use, and fails if that is not complete: such
situations are skipped.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import botocore.session
import pytest
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider

from entrepot.errors import Error, PermissionDenied
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.signing.aws_sources import AwsOptions, Machine, default_provider
from tests.transports import Transport

from .cloud import Cloud

NAMES = ("default", "dev", "base", "other")
CASES = 300
BATCHES = 2

UNRELATED = "unrelated"
Found = tuple[str, str, str | None] | str


@dataclass
class Situation:
    """A machine: what is in its files and its environment, and the profile that the caller names."""

    config: str = ""
    credentials: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    profile: str | None = None


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with tokens, and no other AWS settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BOTO_CONFIG", str(tmp_path / "none"))
    cache = tmp_path / ".aws/sso/cache"
    cache.mkdir(parents=True)
    for provider in (SSOProvider, SSOTokenProvider):  # they read the home when they are imported
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(cache))
    for name, minutes in (("corp", 60), ("https://start", 60), ("ended", -60)):
        expires_at = datetime.now(UTC) + timedelta(minutes=minutes)
        token = {"accessToken": f"token-{name}", "expiresAt": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        (cache / f"{hashlib.sha1(name.encode()).hexdigest()}.json").write_text(json.dumps(token))
    (tmp_path / "web-token").write_text("web-token")
    for name in NAMES:
        values = {"Version": 1, "AccessKeyId": f"PROCESS-{name}", "SecretAccessKey": "S"}
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    return tmp_path


class Generator:
    """Makes situations. Each setting is there with some probability, and often beside others that exclude it."""

    def __init__(self, seed: int, home: Path, cloud: Cloud) -> None:
        self._random = Random(seed)
        self._home = home
        self._cloud = cloud

    def __call__(self) -> Situation:
        config = [self._profile(name) for name in NAMES if self._is(0.75)]
        if self._is(0.9):
            config.append("[sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://start\n")
            config.append("[sso-session ended]\nsso_region = eu-central-1\nsso_start_url = https://start\n")
        self._random.shuffle(config)
        files = [f"[{name}]\n{self._keys(f'FILE-{name}', 0.5)}{self._role(0.15)}" for name in NAMES if self._is(0.4)]
        return Situation("".join(config), "".join(files), self._environ(), self._some(0.25, [*NAMES[1:], "gone"]))

    def _is(self, probability: float) -> bool:
        return self._random.random() < probability

    def _some(self, probability: float, values: Any) -> Any:
        return self._random.choice(values) if self._is(probability) else None

    def _profile(self, name: str) -> str:
        title = "[default]" if name == "default" and self._is(0.7) else f"[profile {name}]"
        lines = [
            title,
            self._keys(f"CONFIG-{name}", 0.25),
            self._role(0.4),
            f"web_identity_token_file = {self._home}/web-token" if self._is(0.08) else "",
            self._sso(0.12),
            f"credential_process = /bin/cat {self._home}/{name}.json" if self._is(0.15) else "",
        ]
        return "\n".join(filter(None, lines)) + "\n"

    def _keys(self, name: str, probability: float) -> str:
        if not self._is(probability):
            return ""
        secret = "" if self._is(0.06) else f"aws_secret_access_key = SECRET-{name}\n"
        token = f"{self._random.choice(['aws_session_token', 'aws_security_token'])} = T\n" if self._is(0.3) else ""
        return f"aws_access_key_id = {name}\n{secret}{token}"

    def _role(self, probability: float) -> str:
        if not self._is(probability):
            return ""
        named = ("Environment", "EcsContainer", "Ec2InstanceMetadata", "SharedCredentials")
        lines = [
            f"role_arn = arn:aws:iam::123456789012:role/role{self._random.randrange(9)}",
            f"source_profile = {self._random.choice([*NAMES, 'gone'])}" if self._is(0.7) else "",
            f"credential_source = {self._random.choice(named)}" if self._is(0.25) else "",
            "external_id = external" if self._is(0.3) else "",
            "role_session_name = session" if self._is(0.3) else "",
            "duration_seconds = 1800" if self._is(0.3) else "",
        ]
        return "\n".join(filter(None, lines)) + "\n"

    def _sso(self, probability: float) -> str:
        if not self._is(probability):
            return ""
        lines = ["sso_role_name = Reader", "sso_account_id = 123456789012" if self._is(0.9) else ""]
        if self._is(0.6):
            lines.append(f"sso_session = {self._random.choice(['corp', 'corp', 'ended', 'gone'])}")
            lines.append("sso_region = us-east-1" if self._is(0.1) else "")
        else:
            lines += ["sso_region = eu-central-1", "sso_start_url = https://start"]
        return "\n".join(filter(None, lines))

    def _environ(self) -> dict[str, str]:
        environ = {"AWS_EC2_METADATA_V1_DISABLED": "true", "AWS_DEFAULT_REGION": "ap-south-1", **self._cloud.environ}
        if self._is(0.5):
            environ["AWS_PROFILE"] = self._random.choice([*NAMES, "gone"])
        if self._is(0.2):
            environ["AWS_ACCESS_KEY_ID"] = "ENVIRONMENT"
            environ |= {} if self._is(0.1) else {"AWS_SECRET_ACCESS_KEY": "SECRET"}
            environ |= {"AWS_SESSION_TOKEN": "TOKEN"} if self._is(0.4) else {}
        if self._is(0.1):
            environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(self._home / self._random.choice(["web-token", "none"]))
        if self._is(0.2):
            environ["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/role-of-environment"
        if self._is(0.25):
            environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self._cloud.endpoint}/container"
        if self._is(0.5):
            environ["AWS_EC2_METADATA_DISABLED"] = "true"
        return environ


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_the_chain_finds_what_botocore_finds(
    home: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    generate, http, outcomes = Generator(batch, home, cloud), Transport(), set[str]()
    for _ in range(CASES // BATCHES):
        situation = generate()
        (home / "config").write_text(situation.config)
        (home / "credentials").write_text(situation.credentials)
        paths = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
        environ = situation.environ | {name: str(home / path) for name, path in paths.items()}
        ours = await found_by_us(environ, situation.profile, http)
        with monkeypatch.context() as changed:
            for name, value in environ.items():
                changed.setenv(name, value)
            theirs = found_by_botocore(situation.profile)
        assert theirs in (ours, UNRELATED), situation
        outcomes.add(ours if isinstance(ours, str) else re.match("[A-Za-z]*", ours[0])[0])
    await http.close()
    expected = {"error", "none", "ENVIRONMENT", "FILE", "CONFIG", "PROCESS", "CONTAINER", "INSTANCE", "SSO", "role"}
    assert expected <= outcomes  # none of the sources was left out by chance


async def found_by_us(environ: dict[str, str], profile: str | None, http: ConfiguredTransport) -> Found:
    try:
        found = await default_provider(Machine(AwsOptions(profile=profile), environ, http, AsyncioRuntime())).load()
    except PermissionDenied as error:
        return "none" if error.message.startswith("no AWS credentials were found") else "error"
    except Error:
        return "error"
    return found.access_key_id, found.secret_access_key, found.session_token


def found_by_botocore(profile: str | None) -> Found:
    try:
        found = botocore.session.Session(profile=profile).get_credentials()
        if found is None:
            return "none"
        frozen = found.get_frozen_credentials()
    except Exception as error:  # of many kinds, ValueError and OSError among them
        return UNRELATED if "configured to use the SSO token provider" in str(error) else "error"
    return frozen.access_key, frozen.secret_key, frozen.token
