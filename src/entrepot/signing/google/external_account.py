"""Tokens by workload identity federation: a token of another identity provider is exchanged for one of Google.

The source is AIP-4117 (external accounts) and "Security Token Service" of Google Cloud. The token of the other provider
is in a file, at a URL, the output of a program, or a signed request of AWS. A program runs only where
GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1, since a credential that someone else wrote could otherwise run anything.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from entrepot.errors import ConfigInvalid, PermissionDenied, Timeout, Unexpected
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.http.transport import HttpRequest
from entrepot.signing.call import fetch, json_object, text_of

from .impersonation import Impersonated
from .source import BlobSigner, Machine, Source, TokenOf, checked_url, post_form, refused, required, token_of
from .token import GoogleToken

STS: Final = "https://sts.googleapis.com/v1/token"
ALLOWED: Final = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
PROGRAM_SECONDS: Final = 30.0

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
_WHAT: Final = "the token of the external account"


class ExternalAccount:
    """An identity of another provider.

    Arguments:
        values: the credential.
        machine: sends requests and has threads.

    Raises:
        ConfigInvalid: a part of the credential is missing, or the source of its token is not supported.
    """

    def __init__(self, values: Mapping[str, Any], machine: Machine) -> None:
        names = ("audience", "subject_token_type")
        self._audience, self._kind = required("the credential of an external account", values, *names)
        self._url = checked_url("token_url of the external account", values.get("token_url") or STS)
        self._from = _checked_source(values.get("credential_source"))
        self._machine = machine

    async def load(self) -> GoogleToken:
        form = {
            "grant_type": _GRANT,
            "audience": self._audience,
            "scope": self._machine.scope,
            "requested_token_type": _ACCESS_TOKEN,
            "subject_token_type": self._kind,
            "subject_token": await self._subject_token(),
        }
        return token_of(self._machine, _WHAT, await post_form(self._machine, _WHAT, self._url, form))

    async def signer(self, token: TokenOf) -> BlobSigner | None:
        return None

    async def _subject_token(self) -> str:
        if (path := text_of(self._from, "file")) is not None:
            return self._in_format(await self._machine.runtime.blocking(_content, path))
        if "environment_id" in self._from:
            from .aws_identity import signed_identity

            return await signed_identity(self._from, self._audience, self._machine)
        if text_of(self._from, "url") is not None:
            return self._in_format(await self._of_url())
        return await self._of_program()

    async def _of_url(self) -> bytes:
        url, headers = checked_local(self._from["url"]), _part(self._from, "headers")
        given = [("Host", url.split("/")[2]), *((str(name), str(value)) for name, value in headers.items())]
        response = await fetch(self._machine.http, HttpRequest("GET", url, given))
        if response.status != 200:
            raise refused("the token of the identity provider", response.status, response.content)
        return response.content

    def _in_format(self, content: bytes) -> str:
        """The token in a content, which is the token itself, or JSON that has it in a field."""
        form = _part(self._from, "format")
        text: str | None = content.decode("utf-8", "replace").strip()
        if form.get("type") == "json":
            values = json_object("the token of the identity provider", content)
            text = text_of(values, str(form.get("subject_token_field_name")))
        if not text:
            raise Unexpected("the identity provider gives no token", is_temporary=True)
        return text

    async def _of_program(self) -> str:
        if self._machine.variable(ALLOWED) != "1":
            raise ConfigInvalid(
                f"the credential of the external account names a program, which runs only if {ALLOWED} is 1",
                operation="configure",
            )
        given = self._from["executable"]
        environment = {
            "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE": self._audience,
            "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": self._kind,
            "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE": "0",
        }
        milliseconds = given.get("timeout_millis")
        seconds = milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds > 0 else PROGRAM_SECONDS
        output = await self._machine.runtime.blocking_long(_output, given["command"], environment, seconds)
        values = json_object("the output of the program of the external account", output)
        token = text_of(values, "id_token") or text_of(values, "saml_response")
        if values.get("success") is not True or not token:
            raise PermissionDenied("the program of the external account gives no token")
        return token


def external_account(values: Mapping[str, Any], machine: Machine) -> Source:
    """The source of a credential of type `external_account`, and of the service account that it acts as.

    Raises:
        ConfigInvalid: it is not valid.
    """
    account = ExternalAccount(values, machine)
    url = text_of(values, "service_account_impersonation_url")
    return account if url is None else Impersonated(url, account, machine)


def checked_local(url: object) -> str:
    """A URL that gives out tokens. Metadata services of clouds are reached without TLS.

    Raises:
        ConfigInvalid: it is not one of HTTP.
    """
    if isinstance(url, str) and url.startswith("http://169.254."):
        return url
    return checked_url("url of the external account", url)


def _checked_source(source: object) -> Mapping[str, Any]:
    if isinstance(source, dict):
        program = _part(source, "executable")
        _part(source, "headers")
        _part(source, "format")
        if str(source.get("environment_id", "")).startswith("aws"):
            return source
        if text_of(program, "command") or any(text_of(source, name) for name in ("file", "url")):
            return source
    raise ConfigInvalid(
        "credential_source of the external account has none of file, url, executable and environment_id",
        operation="configure",
    )


def _part(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object in a part of `credential_source`, empty if the part is missing.

    Raises:
        ConfigInvalid: it is something else.
    """
    part = source.get(name)
    if part is not None and not isinstance(part, dict):
        raise ConfigInvalid(f"{name} in the credential_source of the external account must be an object")
    return part or {}


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"the token of the identity provider cannot be read from {path}: {error.strerror}"
        raise with_file_limit(PermissionDenied(message), error) from None


def _output(command: str, environment: Mapping[str, str], seconds: float) -> bytes:
    problem: Exception
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, which they have allowed
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        problem = Timeout(f"the program of the external account did not end within {seconds:g} seconds")
    except (OSError, ValueError) as error:
        unusable = ConfigInvalid("the program of the external account cannot be started", operation="configure")
        problem = with_file_limit(unusable, error)
    else:
        if done.returncode == 0:
            return done.stdout
        problem = PermissionDenied(f"the program of the external account failed with exit status {done.returncode}")
    raise problem  # raised here, since the other errors hold the command
