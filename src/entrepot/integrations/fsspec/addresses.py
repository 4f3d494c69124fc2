"""Where a path of fsspec leads: an operator, and a path below its root.

fsspec knows one file system for each protocol, and its paths name the bucket or host as well. entrepot has one operator
for each bucket or host. The classes here translate, one for each shape of paths:

- `Relative`: paths below the root of one operator, such as `a/b`.
- `InPlace`: absolute paths of a storage without a location in its URIs, such as `/a/b` of fs.
- `ByLocation`: paths begin with the location, such as `bucket/a/b` of s3, which is one name or several.
- `ByUrl`: whole URLs, such as `https://host/a/b`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

from entrepot import BlockingOperator, InvalidInput, Operator
from entrepot.services.registry import service_class


class Storage:
    """An operator and its blocking twin, which the sync files use.

    Arguments:
        operator: the operator.
    """

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    @cached_property
    def blocking(self) -> BlockingOperator:
        """The operator without `await`, made on first use."""
        return self.operator.blocking()


class Located(NamedTuple):
    """The place that a path of fsspec leads to.

    Arguments:
        storage: the storage.
        key: the path below its root, without slashes at its ends; empty for the root.
        name_of: returns the path of fsspec for a key of this storage.
    """

    storage: Storage
    key: str
    name_of: Callable[[str], str]

    @property
    def operator(self) -> Operator:
        """The operator of the storage."""
        return self.storage.operator

    @property
    def directory(self) -> str:
        """The path of the operator that means the key as a directory."""
        return f"{self.key}/"

    @property
    def name(self) -> str:
        """The path of fsspec."""
        return self.name_of(self.key)

    async def copy_to(self, target: Located, **options: Any) -> None:
        """Copies the object to another place: the storage does it, if it can.

        Arguments:
            target: the place of the copy.
            options: the options of `Operator.copy`, or of `Operator.copy_to` to another storage.
        """
        if self.operator is target.operator and self.operator.info.capability.copy:
            await self.operator.copy(self.key, target.key, **options)
        else:
            await self.operator.copy_to(target.operator, self.key, target.key, **options)


class Addresses(Protocol):
    """Translates paths of fsspec."""

    def locate(self, path: str) -> Located:
        """Returns the place that a path leads to. No I/O.

        Raises:
            InvalidInput: the path names no place, such as a bucket.
        """


class Relative:
    """Paths below the root of one operator.

    Arguments:
        operator: the operator.
        prefix: begins each path of fsspec: `""` or `"/"`.
    """

    def __init__(self, operator: Operator, prefix: str = "") -> None:
        self._storage = Storage(operator)
        self._prefix = prefix

    def locate(self, path: str) -> Located:
        return Located(self._storage, path.strip("/"), self._name)

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"


class ByLocation:
    """Paths that begin with the location of a storage, such as a bucket. Makes one operator for each.

    Arguments:
        scheme: the scheme of the service.
        options: the configuration values of each operator.

    Raises:
        ConfigInvalid: a value is missing or invalid.
        InvalidInput: the values set the location, which each path names.
    """

    def __init__(self, scheme: str, options: Mapping[str, Any]) -> None:
        self._scheme = scheme
        self._options = options
        self._split = service_class(scheme).split_location
        self._storages: dict[str, Storage] = {}
        _check_location_is_free(scheme, options)

    def locate(self, path: str) -> Located:
        location, key = self._split(path.lstrip("/"))
        if not location:
            raise InvalidInput(f"a path begins with the location, such as a bucket: {self._scheme}://location/a/b")

        def name_of(key: str) -> str:
            return f"{location}/{key}" if key else location

        return Located(self._storage(f"{self._scheme}://{location}"), key.strip("/"), name_of)

    def _storage(self, uri: str) -> Storage:
        found = self._storages.get(uri)
        return found or self._storages.setdefault(uri, Storage(Operator.from_uri(uri, **self._options)))


class ByUrl(ByLocation):
    """Whole URLs, percent-encoded, as file systems of fsspec over HTTP have them."""

    def locate(self, path: str) -> Located:
        parts = urlsplit(path)
        if not parts.netloc:
            raise InvalidInput("a path is a whole URL, such as https://host/a/b")
        if parts.query or parts.fragment:
            raise InvalidInput("a URL with a query or a fragment names no object of the service")
        origin = f"{parts.scheme}://{parts.netloc}"

        def name_of(key: str) -> str:
            return f"{origin}/{quote(key)}"

        return Located(self._storage(origin), unquote(parts.path).strip("/"), name_of)


def addresses_of(scheme: str, options: Mapping[str, Any]) -> Addresses:
    """Returns the translation for a service.

    Arguments:
        scheme: the scheme of the service.
        options: its configuration values.

    Raises:
        ConfigInvalid: no service has the scheme, or a value is missing or invalid.
        InvalidInput: the values set what each path names: the location or the root.
    """
    if "root" in options:
        raise InvalidInput("root is part of each path; for another root, use EntrepotFileSystem(Operator(...))")
    if is_by_url(scheme):
        return ByUrl(scheme, options)
    if has_location(scheme):
        return ByLocation(scheme, options)
    return Relative(_operator_in_place(scheme, tuple(sorted(options.items()))), "/")


def has_location(scheme: str) -> bool:
    """Whether the URIs of a service have a location, such as a bucket or host, before the path."""
    return ":///" not in service_class(scheme).URI


def is_by_url(scheme: str) -> bool:
    """Whether the objects of a service are named by their whole URLs."""
    return service_class(scheme).URI.startswith(("http://", "https://"))


_IN_PLACE: dict[tuple[str, tuple[tuple[str, Any], ...]], Operator] = {}


def _operator_in_place(scheme: str, options: tuple[tuple[str, Any], ...]) -> Operator:
    """The operator of the whole storage, one for each process: memory keeps its objects in it."""
    key = (service_class(scheme).SCHEME, options)
    return _IN_PLACE.get(key) or _IN_PLACE.setdefault(key, Operator.from_uri(f"{scheme}:///", **dict(options)))


def _check_location_is_free(scheme: str, options: Mapping[str, Any]) -> None:
    service = service_class(scheme)
    if service.from_uri(f"{scheme}://first", options) == service.from_uri(f"{scheme}://second", options):
        raise InvalidInput("the location, such as a bucket, is part of each path: leave it out of the options")
