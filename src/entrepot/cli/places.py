"""Places: what a word of the command line leads to.

A word is one of five things:

- a URI, `scheme://location/key`. The key is taken literally, since keys may have `?` and `%`; only URLs over HTTP are
  percent-encoded. The operator has the whole location, such as a bucket, as its root.
- a chain, `zip://path::s3://bucket/a.zip`: a path in an archive, taken literally, and after it the URI or local path of
  the archive.
- `name:path`, a remote of the configuration file. The operator has the root of the remote. A name that is no remote is
  refused unless such a file exists: a misspelled remote must not become a local file.
- any other word, a local path. The operator has the directory of the file as its root, because only paths below a root
  can be reached and links of the user may lead anywhere.
- `-`, the standard input or output, which is no place: the verbs that know it ask `is_standard` first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from entrepot import ConfigInvalid, InvalidInput, IsSameFile, Operator
from entrepot.services.registry import service_class
from entrepot.types.records import init_names
from entrepot.types.shown import CUT_USERINFO, has_cut_password

from .configuration import harmless_keys, uris_of

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHAIN = re.compile(r"::[A-Za-z][A-Za-z0-9+.-]*://")
"""Where the storage of an archive begins, behind the path in the archive."""

_REMOTE = re.compile(r"([A-Za-z0-9_-]+):(.*)", re.DOTALL)
_WILDCARD = re.compile(r"[*?\[]")
_SLASHES = re.compile("/{2,}")
_AUTHORITY = re.compile(r"(?<=://)[^/?#]*@")
"""The user and the password."""

_OPTION = re.compile(r"(?<=[?&])([^=&?/]+)=[^&/]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A path of an operator, and how the user writes it.

    Arguments:
        operator: the operator.
        path: the path below its root; `"/"` is the root.
        name_of: returns how the user writes a path of this operator.
        is_local: whether it is in the file system of this machine.
        is_pattern: whether the path has wildcards, and is not the name of a local file.
    """

    operator: Operator
    path: str
    name_of: Callable[[str], str]
    is_local: bool = False
    is_pattern: bool = False

    @property
    def name(self) -> str:
        """How the user writes it."""
        return self.name_of(self.path)

    @property
    def is_directory(self) -> bool:
        """Whether the path can only be one of a directory."""
        return self.path.endswith("/")

    @property
    def prefix(self) -> str:
        """What the paths in this directory begin with."""
        return "" if self.path == "/" else self.path

    def at(self, path: str) -> Place:
        """Another path of the same operator."""
        return replace(self, path=path or "/", is_pattern=False)

    def as_directory(self) -> Place:
        """The same place as a directory."""
        return self if self.is_directory else self.at(f"{self.path}/")

    def inside(self, relative: str) -> Place:
        """A path in this directory."""
        return self.at(f"{self.as_directory().prefix}{relative}")

    def name_inside(self, relative: str) -> str:
        """How the user writes a path in this directory."""
        return self.name_of(f"{self.as_directory().prefix}{relative}")

    def is_link(self) -> bool:
        """Whether it is a symbolic link in the file system of this machine, wherever that leads."""
        if not self.is_local or self.is_directory:
            return False
        return os.path.islink(os.path.join(self.operator.info.root, self.path))  # noqa: PTH114, PTH118

    def local_path(self) -> str:
        """The absolute path of a local place, without the symbolic links in it."""
        return os.path.realpath(os.path.join(self.operator.info.root, self.path.lstrip("/")))  # noqa: PTH118


def check_apart(source: Place, target: Place) -> None:
    """Refuses local places that are one file, or a directory and a part of it, by way of symbolic links.

    The library compares places within one storage. A link makes one file out of two storages, and a move would delete
    it after the copy.

    Raises:
        IsSameFile: they are the same.
        InvalidInput: the source is a directory, and the target is in it.
    """
    if not (source.is_local and target.is_local):
        return
    here, there = source.local_path(), target.local_path()
    if here == there:
        raise IsSameFile("source and target are the same")
    if source.is_directory and os.path.commonpath((here, there)) == here:
        raise InvalidInput("one of the directories is in the other")


def without_secrets(word: str) -> str:
    """A word as it is shown: a URI without the password before its host, and without the values of secret options.

    An option that the service does not know may be a secret too: one that is misspelled, or the rest of another value.
    Of a URI with a password that is cut, only the scheme is shown.

    Raises:
        ConfigInvalid: no service has its scheme.
    """
    return "::".join(_without_secrets(uri) if "://" in uri else uri for uri in uris_of(word))


def _without_secrets(uri: str) -> str:
    if has_cut_password(uri):
        return f"{uri.partition('://')[0]}://"
    harmless = harmless_keys(uri)

    def shown(option: re.Match[str]) -> str:
        return option[0] if option[1].lower() in harmless else f"{option[1]}=..."

    return _OPTION.sub(shown, _AUTHORITY.sub(lambda found: f"{found[0][:-1].partition(':')[0]}@", uri))


def is_standard(word: str) -> bool:
    """Whether a word means the standard input or output."""
    return word == "-"


class Places:
    """Finds places.

    Arguments:
        open_uri: makes the operator of a URI without a path, and keeps it.
        open_remote: makes the operator of a remote by its name, or returns None if there is no such remote.
    """

    def __init__(self, open_uri: Callable[[str], Operator], open_remote: Callable[[str], Operator | None]) -> None:
        self._open_uri = open_uri
        self._open_remote = open_remote

    def find(self, word: str) -> Place:
        """Returns the place that a word leads to. Nothing is sent.

        Raises:
            InvalidInput: the word leads nowhere.
            ConfigInvalid: the storage cannot be used as it is configured.
        """
        if not word:
            raise InvalidInput("the empty text is no place; the current directory is .")
        if (scheme := _SCHEME.match(word)) is not None:
            if (chain := _CHAIN.search(word, scheme.end())) is not None:
                return self._of_chain(scheme[1].lower(), word[scheme.end() : chain.start()], word[chain.start() + 2 :])
            path, mark, archive = word[scheme.end() :].rpartition("::")
            if mark and archive and _is_archive(scheme[1].lower()):
                uri = f"fs://{quote(os.path.abspath(archive))}"  # noqa: PTH100 - links stay
                return self._of_chain(scheme[1].lower(), path, uri, archive)
            return self._of_uri(scheme[1].lower(), word[scheme.end() :])
        if (named := _REMOTE.fullmatch(word)) is not None:
            operator = self._open_remote(named[1])
            if operator is not None:
                return _of_path(operator, named[2], lambda path: f"{named[1]}:{path.removeprefix('/')}")
            if not os.path.lexists(word.partition("/")[0]):
                raise ConfigInvalid(f"there is no remote {named[1]!r}; write ./ before a local name with a colon")
        return self._of_file(word)

    def _of_uri(self, scheme: str, rest: str) -> Place:
        if has_cut_password(f"{scheme}://{rest}"):  # here, since what follows it would be taken for a key
            raise ConfigInvalid(CUT_USERINFO)
        if scheme in ("http", "https"):
            return self._of_url(f"{scheme}://{rest}")
        location, key = service_class(scheme).split_location(rest)
        if scheme in ("fs", "file") and not location:
            return self._of_file(f"/{key}")
        base = f"{scheme}://{location}"
        operator, shown = self._open_uri(base if location else f"{base}/"), without_secrets(base)
        return _of_path(operator, key, lambda path: f"{shown}/{path.removeprefix('/')}")

    def _of_chain(self, scheme: str, path: str, archive: str, shown: str = "") -> Place:
        """A path in an archive.

        Arguments:
            scheme: the kind of the archive.
            path: the path in it.
            archive: its URI.
            shown: how the user writes that, if it is not the URI.
        """
        operator, shown = self._open_uri(f"{scheme}://::{archive}"), shown or without_secrets(archive)
        return _of_path(operator, path, lambda path: f"{scheme}://{path.removeprefix('/')}::{shown}")

    def _of_url(self, url: str) -> Place:
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise InvalidInput("a URL with a query or a fragment names no object of a web server")
        base = f"{parts.scheme}://{parts.netloc}"
        operator, shown = self._open_uri(base), without_secrets(base)
        return _of_path(operator, unquote(parts.path), lambda path: f"{shown}/{quote(path.removeprefix('/'))}")

    def _of_file(self, word: str) -> Place:
        """A local path. Up to its first wildcard it is resolved by the system, with the links in it."""
        fixed = word if (wildcard := _WILDCARD.search(word)) is None else word[: wildcard.start()]
        if wildcard is not None and os.path.lexists(word):  # a file whose name has such a character
            fixed, wildcard = word, None
        directory, _, name = fixed.rpartition("/")
        if wildcard is None and (name in ("", ".", "..") or leads_to_directory(word)):
            return self._of_directory(word)
        root = directory or ("/" if fixed.startswith("/") else ".")
        shown = word[: len(directory) + 1] if "/" in fixed else ""
        path = word[len(shown) :]
        return Place(
            self._open_local(root),
            path,
            lambda path: shown + path.removeprefix("/") or root,
            is_local=True,
            is_pattern=wildcard is not None,
        )

    def _of_directory(self, word: str) -> Place:
        """A directory that exists. Below its parent, so that it can itself be deleted or moved, where it is no link."""
        parent, _, name = word.rstrip("/").rpartition("/")
        if name in ("", ".", "..") or os.path.islink(word.rstrip("/")):  # noqa: PTH114
            shown = f"{word.rstrip('/')}/" if word.rstrip("/") else "/"
            shown = "" if shown == "./" else shown
            return Place(self._open_local(word), "/", lambda path: shown + path.removeprefix("/") or ".", is_local=True)
        root = parent or ("/" if word.startswith("/") else ".")
        shown = f"{parent}/" if parent or word.startswith("/") else ""
        return Place(self._open_local(root), f"{name}/", lambda path: shown + path.removeprefix("/"), is_local=True)

    def _open_local(self, directory: str) -> Operator:
        return self._open_uri(f"fs://{quote(os.path.abspath(directory))}")  # noqa: PTH100 - links stay


def _is_archive(scheme: str) -> bool:
    """Whether the service of a scheme is one over an object of another storage."""
    return "source" in init_names(service_class(scheme))


def leads_to_directory(word: str) -> bool:
    """Whether a word of a local place is written as a directory, or is the path of one."""
    return word.endswith("/") or os.path.isdir(word)  # noqa: PTH112 - where it cannot be looked up it is none


def _of_path(operator: Operator, path: str, name_of: Callable[[str], str]) -> Place:
    path = _SLASHES.sub("/", path).removeprefix("/")  # as the operator takes it, so that messages name the real key
    return Place(operator, path or "/", name_of, is_pattern=_WILDCARD.search(path) is not None)
