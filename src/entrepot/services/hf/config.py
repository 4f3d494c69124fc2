"""Configuration of the hf service."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.types.records import replace

from .repository import REPO_TYPES, check_names

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]{1,255}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_SPECIAL_REVISION: Final = re.compile(r"(refs/(?:pr|convert)/[^/]+)(?:/(.*))?", re.DOTALL)


class _Parts(NamedTuple):
    """The parts of an address such as `datasets/owner/name@revision/path`."""

    kind: str
    owner: str
    name: str
    revision: str | None
    below: str


def _parts_of(address: str) -> _Parts:
    kind = "model"
    first, _, rest = address.partition("/")
    if first.endswith("s") and first.removesuffix("s") in (*REPO_TYPES, "bucket"):
        kind, address = first.removesuffix("s"), rest
    owner, _, rest = address.partition("/")
    named, _, below = rest.partition("/")
    name, at, revision = named.partition("@")
    if not named:  # an old repository without an owner
        owner, at, revision = owner.partition("@")
    if at and (special := _SPECIAL_REVISION.fullmatch(f"{revision}/{below}")):
        revision, below = special[1], special[2] or ""
    return _Parts(kind, owner, name, revision if at else None, below)


@dataclass(frozen=True, repr=False)
class Hf(HttpServiceConfig):
    """Files in a repository of the Hugging Face Hub: a model, a dataset or a space, at one revision.

    Arguments:
        repo_id: the repository, `"owner/name"`; old models and datasets have a name alone, such as `"gpt2"`.
        repo_type: `"model"`, `"dataset"` or `"space"`. The plural means the same.
        revision: a branch, a tag, a commit or a pull request (`"refs/pr/1"`). Only branches and pull requests can be
            written to.
        root: the directory that paths are relative to.
        token: an access token of the hub. A secret. By default `HF_TOKEN` or `HUGGING_FACE_HUB_TOKEN`, then the file
            that `hf auth login` writes (`HF_TOKEN_PATH`, or `token` in `HF_HOME`), unless
            `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set. Without any, requests are anonymous.
        endpoint: the URL of the hub; without a scheme it is `https://`. By default `HF_ENDPOINT`, else
            `https://huggingface.co`.
        disable_config_load: read nothing from the environment and from files. Without a token the service can then only
            read.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: a value is missing or not valid. Nothing is sent.
    """

    SCHEME: ClassVar[str] = "hf"
    ALIASES: ClassVar[tuple[str, ...]] = ("huggingface",)
    URI: ClassVar[str] = "hf://datasets/owner/name@revision/some/root"
    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset({"authorization"})

    repo_id: str
    repo_type: str = field(default="model", metadata={"aliases": ("type",)})
    revision: str = "main"
    root: str = "/"
    token: str | None = field(default=None, repr=False, metadata={"aliases": ("hf_token", "api_token")})
    endpoint: str | None = field(default=None, metadata={"aliases": ("hf_endpoint",)})
    disable_config_load: bool = False

    def validate(self) -> None:
        object.__setattr__(self, "repo_type", self._singular_type())
        if not all(map(_NAME.fullmatch, self.repo_id.split("/"))) or self.repo_id.count("/") > 1:
            raise self.invalid("repo_id must be a name, or an owner and a name: 'owner/name'")
        if not _REVISION.fullmatch(self.revision) or self.revision.startswith(("/", "-")) or ".." in self.revision:
            raise self.invalid("revision must be the name of a branch, a tag or a pull request, or a commit")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise self.invalid("token must be ASCII text without blanks, and not empty")
        if self.endpoint is not None:
            object.__setattr__(self, "endpoint", self.parsed_endpoint(self.endpoint))
        self.check_root(self.root)
        self._check_root_names()

    @property
    def reads_environment(self) -> bool:
        return not self.disable_config_load

    @property
    def works_without_loop(self) -> bool:
        return self.fits_blocking_sockets

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one revision of one repository, with the same token."""
        return isinstance(other, Hf) and replace(other.with_connections_of(self), root=self.root) == self

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        kind, owner, name, revision, below = _parts_of(f"{uri.authority}{uri.path}")
        options = {"repo_id": f"{owner}/{name}" if name else owner, "repo_type": kind, "root": f"/{below}"}
        return options if revision is None else options | {"revision": revision}

    @classmethod
    def split_location(cls, address: str) -> tuple[str, str]:
        """Splits off the type, the owner, the name and the revision: `datasets/owner/name@revision`."""
        below = _parts_of(address).below
        return address.removesuffix(below).rstrip("/") if below else address.rstrip("/"), below

    def parsed_endpoint(self, text: str) -> str:
        """An endpoint as requests use it.

        Raises:
            ConfigInvalid: it is not an HTTP URL, or has credentials in it.
        """
        try:
            endpoint = parse_endpoint(text if "://" in text else f"https://{text}")
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None
        if endpoint.username is not None or endpoint.password is not None:
            raise self.invalid("the endpoint has userinfo: the hub takes a token only, so set token")
        return endpoint.url

    def _singular_type(self) -> str:
        kind = self.repo_type.lower().removesuffix("s")
        if kind == "bucket":
            raise self.invalid("buckets are not supported: their data is reached by the Xet protocol only")
        if kind not in REPO_TYPES:
            raise self.invalid(f"repo_type must be {', '.join(REPO_TYPES)}")
        return kind

    def _check_root_names(self) -> None:
        try:
            check_names("/".join(filter(None, self.root.split("/"))))
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(f"root cannot be used: {reason}")  # outside of `except`: the other error may name the root
