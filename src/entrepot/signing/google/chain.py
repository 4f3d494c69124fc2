"""The source of tokens that a machine is set up with: Application Default Credentials.

Theory of operation. Google's libraries take the first of: the file that GOOGLE_APPLICATION_CREDENTIALS names, the file
that `gcloud auth application-default login` writes, the metadata server. So does `default_source`. Files are read when
a token is loaded, so that a file that was replaced is noticed. A file that is named and cannot be used is an error: the
sources after it would be other identities.
"""

import json
import os
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from entrepot.errors import ConfigInvalid, PermissionDenied
from entrepot.raw.few_files import with_file_limit

from .external_account import external_account
from .impersonation import impersonated
from .metadata_server import MetadataServer, Unreachable
from .service_account import ServiceAccount
from .source import BlobSigner, Machine, Source, TokenOf
from .token import GoogleToken
from .user import AuthorizedUser

NAMED: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_TYPES: Final = "service_account, authorized_user, external_account, impersonated_service_account"


def given_source(text: str, machine: Machine) -> Source:
    """The source of a credential as JSON, or the base64 of it.

    Raises:
        ConfigInvalid: it is neither, or not valid. Nothing of it is shown.
    """
    return _source(_parsed("credential", text), machine)


def check_given(text: str) -> None:
    """Passes if a text is JSON, or the base64 of it.

    Raises:
        ConfigInvalid: it is neither. Nothing of it is shown.
    """
    _parsed("credential", text)


class FileSource:
    """The credential in a file.

    Arguments:
        path: the path of the file.
        machine: reads it.
    """

    def __init__(self, path: str, machine: Machine) -> None:
        self._path = path
        self._machine = machine

    async def load(self) -> GoogleToken:
        return await (await self._source()).load()

    async def signer(self, token: TokenOf) -> BlobSigner | None:
        return await (await self._source()).signer(token)

    async def _source(self) -> Source:
        text = await self._machine.runtime.blocking(_read, self._path)
        if text is None:
            raise ConfigInvalid(f"there is no credential file {self._path}", operation="configure")
        return _source(_parsed(f"the credential file {self._path}", text), self._machine)


def file_source(path: str, machine: Machine) -> FileSource:
    """The source of a credential in a file."""
    return FileSource(path, machine)


class DefaultSource:
    """The credentials of this machine.

    Arguments:
        machine: has the environment and reads files.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def load(self) -> GoogleToken:
        with self._absence_explained():
            return await (await self._source()).load()

    async def signer(self, token: TokenOf) -> BlobSigner | None:
        with self._absence_explained():
            return await (await self._source()).signer(token)

    @contextmanager
    def _absence_explained(self) -> Iterator[None]:
        """Raises, where nothing but the metadata server is left and it does not answer, what was looked for."""
        try:
            yield
        except Unreachable as error:
            problem = error.message
        else:
            return
        raise self._absent(f"the metadata server cannot be reached ({problem})")

    async def _source(self) -> Source:
        machine = self._machine
        if (path := machine.variable(NAMED)) is not None:
            return FileSource(path, machine)
        path = self._gcloud_path()
        if path is not None and (text := await machine.runtime.blocking(_read, path)) is not None:
            return _source(_parsed(f"the credential file {path}", text), machine)
        if machine.is_metadata_disabled or (machine.variable("NO_GCE_CHECK") or "").lower() == "true":
            raise self._absent("the metadata server is disabled")
        return MetadataServer(machine)

    def _gcloud_path(self) -> str | None:
        if self._machine.environ is None:
            return None
        home, folder = self._machine.variable("HOME"), self._machine.variable("CLOUDSDK_CONFIG")
        if folder is None and os.name == "nt":
            appdata = self._machine.variable("APPDATA")
            folder = None if appdata is None else str(Path(appdata) / "gcloud")
        if folder is None:
            folder = None if home is None else str(Path(home) / ".config" / "gcloud")
        return None if folder is None else str(Path(folder) / "application_default_credentials.json")

    def _absent(self, metadata: str) -> PermissionDenied:
        looked = (
            "nothing is read from the environment"
            if self._machine.environ is None
            else (f"{NAMED} is not set, and gcloud's file is missing")
        )
        return PermissionDenied(
            f"there are no Google credentials: {looked}; {metadata}. {self._machine.advice}".rstrip()
        )


def default_source(machine: Machine) -> DefaultSource:
    """The source of the credentials of this machine."""
    return DefaultSource(machine)


def _source(values: Mapping[str, Any], machine: Machine) -> Source:
    """The source of a credential.

    Raises:
        ConfigInvalid: it is not valid, or of a type that is not known.
    """
    match values.get("type"):
        case "service_account":
            return ServiceAccount(values, machine)
        case "authorized_user":
            return AuthorizedUser(values, machine)
        case "external_account":
            return external_account(values, machine)
        case "impersonated_service_account":
            base = values.get("source_credentials")
            if not isinstance(base, dict) or base.get("type") == "impersonated_service_account":
                raise ConfigInvalid("source_credentials of an impersonated account must be another credential")
            return impersonated(values, _source(base, machine), machine)
        case _:
            raise ConfigInvalid(f"the type of the credential is none of {_TYPES}", operation="configure")


def _parsed(what: str, text: str) -> Mapping[str, Any]:
    for read in (str, _of_base64):
        try:
            values = json.loads(read(text))
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            return values
    raise ConfigInvalid(f"{what} is not the JSON of a credential of Google, nor the base64 of it")


def _of_base64(text: str) -> str:
    return b64decode("".join(text.split()), validate=True).decode()  # `base64` of a shell breaks lines


def _read(path: str) -> str | None:
    """The text of a file; None if there is none.

    Raises:
        ConfigInvalid: it cannot be read.
    """
    try:
        expanded = os.path.expanduser(path)  # noqa: PTH111 - that of Path fails without a home
        return Path(expanded).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"the credential file {path} cannot be read: {error.strerror}"
        raise with_file_limit(ConfigInvalid(message, operation="configure"), error) from None
