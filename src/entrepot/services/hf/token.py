"""The token of the hub: where it comes from, and how requests state it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from entrepot.errors import ConfigInvalid, PermissionDenied
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.runtime import Runtime
from entrepot.signing import CredentialCache

_VARIABLES: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_TRUE: Final = frozenset({"1", "on", "yes", "true"})
_TEXT: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, or the fact that there is none.

    Arguments:
        value: the token; None is anonymous access.
        expires_at: None, since a token does not say when it expires.
    """

    value: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class TokenFile:
    """The file that `hf auth login` writes, as a provider of the token.

    Arguments:
        path: the file. It need not exist.
        runtime: reads it.
    """

    def __init__(self, path: Path, runtime: Runtime) -> None:
        self._path = path
        self._runtime = runtime

    async def load(self) -> Token:
        """Reads the file. Without it access is anonymous.

        Raises:
            PermissionDenied: the file cannot be read.
            ConfigInvalid: its content cannot be a token.
        """
        text = await self._runtime.blocking(_read, self._path)
        if text and not _TEXT.fullmatch(text):
            raise ConfigInvalid(f"the token file {self._path} does not hold a token")
        return Token(text or None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        unreadable = PermissionDenied(f"the token file {path} cannot be read: {error.strerror}")
        raise with_file_limit(unreadable, error) from None


def token_cache(token: str | None, environ: Mapping[str, str], runtime: Runtime) -> CredentialCache[Token]:
    """The token of a configuration, of the environment or of the file, in this order. No I/O.

    Arguments:
        token: the token of the configuration.
        environ: the environment variables; none where nothing may be read from elsewhere.
        runtime: reads the file.

    Raises:
        ConfigInvalid: the variable does not hold a token.
    """
    stated = token or _token_of(environ)
    if stated is not None:
        return CredentialCache.fixed(Token(stated), runtime)
    if not environ or environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in _TRUE:
        return CredentialCache.fixed(Token(), runtime)
    return CredentialCache(TokenFile(token_path(environ), runtime), runtime)


def token_path(environ: Mapping[str, str]) -> Path:
    """Where the tools of the hub keep the token."""
    if path := environ.get("HF_TOKEN_PATH"):
        return _expanded(path)
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _expanded(environ.get("HF_HOME") or f"{cache}/huggingface") / "token"


def _expanded(path: str) -> Path:
    """The path with the home and the variables in it, as the tools of the hub read it: a container may set both."""
    return Path(os.path.expandvars(os.path.expanduser(path)))  # noqa: PTH111 - Path.expanduser fails without a home


def _token_of(environ: Mapping[str, str]) -> str | None:
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in _TRUE:
        return None
    for name in _VARIABLES:
        if token := environ.get(name, "").strip():
            if not _TEXT.fullmatch(token):
                raise ConfigInvalid(f"the environment variable {name} does not hold a token", operation="configure")
            return token
    return None


class TokenSigner(RequestSigner):
    """Adds the token to the requests to the hub, and to no others: content is stored on other hosts.

    Arguments:
        tokens: the token.
        endpoint: the URL of the hub.
    """

    __slots__ = ("_prefix", "_tokens")

    def __init__(self, tokens: CredentialCache[Token], endpoint: str) -> None:
        self._tokens = tokens
        self._prefix = f"{endpoint}/"

    @property
    def is_anonymous(self) -> bool:
        held = self._tokens.held
        return held is not None and held.value is None

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        token = self._tokens.fresh()
        return None if token is None else self._with(request, token)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return self._with(request, await self._tokens.get())

    def _with(self, request: HttpRequest, token: Token) -> HttpRequest:
        if token.value is None or not request.url.startswith(self._prefix):
            return request
        return request.with_headers([*request.headers, ("Authorization", f"Bearer {token.value}")])


class RenewedToken:
    """Reads the token again where the hub refuses it: another login may have replaced it.

    Arguments:
        tokens: the token of the client.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: CredentialCache[Token]) -> None:
        self._tokens = tokens

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if there is another token now.

        Raises:
            Error: the token cannot be read.
        """
        if refusal.status != 401:
            return None
        current = await self._tokens.get()
        sent = dict(refusal.sent.headers).get("Authorization")
        if sent != (None if current.value is None else f"Bearer {current.value}"):
            return refusal.request  # another request has replaced it
        return None if await self._tokens.renew(current) == current else refusal.request
