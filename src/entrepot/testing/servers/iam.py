"""moto: an S3 server in Python, with keys of an IAM user and with signatures checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from .process import NotInstalled, ServerFailed, free_ports, running
from .request import ask, connection_to
from .s3 import S3Server, ask_signed, is_serving

USER = "tester"
ALLOW_ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


@contextmanager
def moto(folder: Path) -> Iterator[S3Server]:
    """Starts moto, with new keys each time: an S3 server that keeps all objects in memory, ready after a second.

    It checks header signatures, but neither the clock nor the hash of the content, and answers a presigned
    URL with status 500.

    Arguments:
        folder: where it keeps its log (`moto.log`).

    Raises:
        ServerFailed: it is not installed (`pip install 'moto[s3]' flask flask-cors`) or did not start.
    """
    for module in ("moto", "flask", "flask_cors"):
        if find_spec(module) is None:
            raise NotInstalled(f"{module} is not installed; it comes with `pip install 'moto[s3]' flask flask-cors`")
    [port] = free_ports(1)
    server = S3Server(endpoint=f"http://127.0.0.1:{port}")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]

    def is_ready() -> bool:
        return ask(connection_to(urlsplit(server.endpoint).netloc), "GET", "/moto-api/").status == 200

    with running(command, folder / "moto.log", is_ready) as process:
        own = replace(_with_user(server), pid=process.pid)
        _check_signatures(own)
        yield own


def _with_user(server: S3Server) -> S3Server:
    """The server with the keys of a new user who may do everything."""
    _iam(server, "CreateUser")
    _iam(server, "PutUserPolicy", PolicyName="all", PolicyDocument=ALLOW_ALL)
    made = _iam(server, "CreateAccessKey")
    key, secret = (re.search(f"<{name}>(.+?)</", made) for name in ("AccessKeyId", "SecretAccessKey"))
    if key is None or secret is None:
        raise ServerFailed("moto made no access key")
    return replace(server, access_key_id=key[1], secret_access_key=secret[1])


def _iam(server: S3Server, action: str, **values: str) -> str:
    form = urlencode({"Action": action, "Version": "2010-05-08", "UserName": USER, **values}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    response = ask_signed(server, "POST", "/", form, service="iam", **kind)
    if response.status != 200:
        raise ServerFailed(f"moto answered {response.status} to {action}")
    return response.content.decode()


def _check_signatures(server: S3Server) -> None:
    """From the next request on: 0 is how many it lets through unchecked."""
    ask(connection_to(urlsplit(server.endpoint).netloc), "POST", "/moto-api/reset-auth", b"0")
    if not is_serving(server):
        raise ServerFailed("moto does not serve what is signed with its own keys, or serves what is not signed")
