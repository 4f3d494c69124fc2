"""Configurations of services that are built over an object of another storage, such as an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from entrepot.errors import InvalidInput
from entrepot.types.shown import CUT_USERINFO, has_cut_password

from .config import CHAIN_LINK, ServiceConfig, ServiceUri
from .path import is_dir_path, normalize_path
from .storage import Storage

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, init=False, repr=False, eq=False)  # each service makes its own methods
class CompositeConfig(ServiceConfig):
    """Base of the configurations of services over one object of another storage.

    Their URIs are chains: `zip://some/root::s3://bucket/dir/a.zip?region=r` is the object `a.zip` of the storage
    `s3://bucket/dir/?region=r`. Each part of a chain has its own query.

    `build` gets the accessor of the other storage from `Context.open_storage`. Its scheme, paths and errors are those
    of that storage.

    Arguments:
        source: the other storage: an operator, a configuration, or a URI, which becomes a configuration when an
            operator is made. A configuration is built in the context of this one, with its retries and timeouts.
        path: the object in it.
        root: the directory that paths are relative to.
    """

    URI: ClassVar[str] = ""

    source: str | ServiceConfig | Storage
    path: str
    root: str = "/"

    def validate(self) -> None:
        self.check_root(self.root)
        try:
            path = normalize_path(self.path)
        except InvalidInput as error:
            reason = error.message
        else:
            if is_dir_path(path):
                raise self.invalid("path names a directory; it must name the object")
            object.__setattr__(self, "path", path)
            return
        raise self.invalid(f"path cannot be used: {reason}")

    @property
    def works_without_loop(self) -> bool:
        return isinstance(self.source, ServiceConfig) and self.source.works_without_loop

    @classmethod
    def from_uri(cls, uri: str, options: Mapping[str, Any] | None = None) -> Self:
        if not isinstance(uri, str):
            return super().from_uri(uri, options)
        own, *rest = CHAIN_LINK.split(uri, maxsplit=1)
        object_options = cls._object_options(rest[0]) if rest else {}
        return super().from_uri(own, {**object_options, **(options or {})})

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        return {"root": uri.authority + uri.path}

    @classmethod
    def _object_options(cls, uri: str) -> dict[str, str]:
        """The storage and the path that the rest of a chain means. The path is the last name of its first URI."""
        from urllib.parse import unquote

        first, *rest = CHAIN_LINK.split(uri, maxsplit=1)
        if has_cut_password(first):
            raise cls.invalid(CUT_USERINFO)
        location, mark, query = first.partition("?")
        directory, slash, name = location.rpartition("/")
        is_in_root = directory.endswith("://")  # of a storage that has no name, as file:///name
        if not name or (directory.endswith(("/", ":")) and not is_in_root):
            raise cls.invalid("the URI after '::' must name an object, as in s3://bucket/dir/name")
        return {"source": "::".join([f"{directory}{slash}{mark}{query}", *rest]), "path": unquote(name)}

    def __repr__(self) -> str:
        values = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if field.repr and field.name != "source"
        ]
        return f"{type(self).__name__}({', '.join([f'source={self._shown_source()}', *values])})"

    def _shown_source(self) -> str:
        """The source without its secrets: of a URI only the scheme."""
        if isinstance(self.source, str):
            return repr(f"{self.source.partition('://')[0]}://...") if "://" in self.source else "'...'"
        return repr(self.source)
