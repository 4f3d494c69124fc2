"""One loopback server in the place of the services of AWS that give out credentials.

It serves instance metadata, a container's credentials, SSO with its tokens, and STS. The keys that it gives out say how
they were got, so that equal keys mean equal requests.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import parse_qs

from entrepot.testing.scripted_server import Answer, ReceivedRequest, ScriptedServer, whole_response

ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
_STS = """\
<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><AssumedRoleUser><Arn>arn</Arn>
<AssumedRoleId>id</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>
<SecretAccessKey>SECRET-{key}</SecretAccessKey><SessionToken>TOKEN-{key}</SessionToken>
<Expiration>{expiration}</Expiration></Credentials></{action}Result></{action}Response>"""


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cloud:
    """The services, up while it is entered.

    Attributes:
        answers: other answers than the usual ones, by the start of the target.
        tokens: how many tokens of the metadata service were given out; only the last one is good.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[ReceivedRequest], bytes]] = {}
        self.tokens = 0
        self._server = ScriptedServer(self._answer)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.__exit__(*exc_info)

    @property
    def endpoint(self) -> str:
        return self._server.endpoint

    @property
    def requests(self) -> list[ReceivedRequest]:
        return self._server.requests

    @property
    def targets(self) -> list[str]:
        """Methods and targets of the requests, in order."""
        return [f"{request.method} {request.target}" for request in self.requests]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead to all services but the container's."""
        names = ("ENDPOINT_URL_STS", "ENDPOINT_URL_SSO", "ENDPOINT_URL_SSO_OIDC", "EC2_METADATA_SERVICE_ENDPOINT")
        return {f"AWS_{name}": self.endpoint for name in names}

    def _answer(self, request: ReceivedRequest) -> Answer:
        for start, answer in self.answers.items():
            if request.target.startswith(start):
                return [answer(request)]
        return [self.usual(request)]

    def usual(self, request: ReceivedRequest) -> bytes:
        if request.target == "/latest/api/token":
            self.tokens += 1
            return whole_response(f"imds-token-{self.tokens}".encode(), "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600")
        if request.target.startswith(ROLE_PATH):
            return self._instance(request)
        if request.target == "/container":
            key = "CONTAINER" + request.headers.get("authorization", "")
            return whole_response(metadata(key))
        if request.target.startswith("/federation/credentials?"):
            return whole_response(_role_credentials(request))
        if request.target == "/token":
            return whole_response(
                json.dumps({"accessToken": "renewed", "expiresIn": 28800, "refreshToken": "next"}).encode()
            )
        return whole_response(_sts(request), "Content-Type: text/xml")

    def _instance(self, request: ReceivedRequest) -> bytes:
        if request.headers.get("x-aws-ec2-metadata-token") != f"imds-token-{self.tokens}":
            return whole_response(b"", status="401 Unauthorized")
        if request.target == ROLE_PATH:
            return whole_response(b"my-role")
        return whole_response(metadata("INSTANCE"))


def metadata(key: str, **others: str) -> bytes:
    """What the metadata services of instances and containers send."""
    values = {"Code": "Success", "AccessKeyId": key, "SecretAccessKey": f"SECRET-{key}", "Token": f"TOKEN-{key}"}
    return json.dumps(values | {"Expiration": in_an_hour()} | others).encode()


def _role_credentials(request: ReceivedRequest) -> bytes:
    query = parse_qs(request.target.partition("?")[2])
    key = f"SSO/{query['role_name'][0]}/{query['account_id'][0]}/{request.headers['x-amz-sso_bearer_token']}"
    milliseconds = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
    values = {"accessKeyId": key, "secretAccessKey": f"SECRET-{key}", "sessionToken": f"TOKEN-{key}"}
    return json.dumps({"roleCredentials": values | {"expiration": milliseconds}}).encode()


def _sts(request: ReceivedRequest) -> bytes:
    """Credentials whose key is made of the parameters, and of the key and the region that signed."""
    form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
    if re.match("botocore-session-|entrepot-", form.get("RoleSessionName", "")):
        form.pop("RoleSessionName")  # made of the time
    signed = re.search(r"Credential=([^,]*), ", request.headers.get("authorization", ""))
    if signed:
        key, _, region, *_ = signed[1].rsplit("/", 4)
        form |= {"signed by": key, "region": region, "with": request.headers.get("x-amz-security-token", "")}
    return _STS.format(action=form["Action"], key=key_of(form), expiration=in_an_hour()).encode()


def key_of(form: Mapping[str, str]) -> str:
    """The key that STS gives out for these parameters."""
    readable = form["RoleArn"].rpartition("/")[2]
    return f"{readable}-{hashlib.sha256(json.dumps(sorted(form.items())).encode()).hexdigest()[:16]}"
