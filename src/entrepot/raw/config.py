"""`ServiceConfig`: the base of a service's public class, which is its configuration and builds the service."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Union, get_args, get_origin, get_type_hints

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.types.patterns import pattern
from entrepot.types.records import init_names
from entrepot.types.shown import CUT_USERINFO, has_cut_password, shown_name

from .accessor import Accessor
from .context import Context
from .path import normalize_root
from .telemetry import Telemetry

if TYPE_CHECKING:
    from dataclasses import Field, dataclass
    from urllib.parse import SplitResult

    from .http.settings import TransportSettings
else:
    from entrepot.types.records import dataclass

CHAIN_LINK: Final = pattern(r"::(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""Between the URIs of a chain. The `::` of an IPv6 address has no scheme after it."""

_TRUE, _FALSE = frozenset({"true", "on", "yes", "1"}), frozenset({"false", "off", "no", "0"})

_UNIONS: Final = (Union, UnionType)
"""`Optional[str]` and `str | None` have different types before Python 3.14."""

_CALLED_ELSEWHERE: Final = {"prefix": "root"}
"""Keys by the names that other libraries have for them, and that are unlike ours."""


@dataclass(frozen=True, slots=True)
class ServiceUri:
    """The parts of a URI such as `s3://bucket/some/root?region=r`, percent-decoded.

    Arguments:
        scheme: `"s3"`, in lower case.
        authority: host and port as they stand, without userinfo: `"bucket"`.
        path: the path with its leading slash: `"/some/root"`.
        options: the query, and the userinfo as `username` and `password`.
    """

    scheme: str
    authority: str
    path: str
    options: Mapping[str, str]


class ServiceConfig:
    """Base of the frozen dataclasses that configure services.

    A field's name is its key in every form of configuration; further names are in the field's
    metadata: `field(metadata={"aliases": ("aws_region",)})`. A secret is `repr=False`. A field with
    `init=False` is not configuration and has no key. Values may be strings in every form but the constructor; a
    function `read` in the metadata makes the value from the string.

    Attributes:
        SCHEME: the scheme of the service.
        ALIASES: more schemes that mean the service.
        URI: the form of its URIs, such as `"s3://bucket/root?region=..."`.
        TELEMETRY: how traces name its objects.
        NEEDS_LOOP: whether the service needs an event loop. A service that waits only through `context.runtime` and
            does not use `context.http` sets it to False, and `op.blocking()` is ten times as fast. A service that uses
            `context.http` overrides `works_without_loop`.
    """

    SCHEME: ClassVar[str]
    ALIASES: ClassVar[tuple[str, ...]] = ()
    URI: ClassVar[str] = ""
    TELEMETRY: ClassVar[Telemetry] = Telemetry()
    NEEDS_LOOP: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, accepted in _accepted_types(type(self)).items():  # type: ignore[arg-type]  # a class is hashable
            value = getattr(self, name)
            if isinstance(value, os.PathLike) and str in accepted:
                value = os.fspath(value)
                object.__setattr__(self, name, value)
            if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
                expected = " or ".join(sorted(kind.__name__ for kind in accepted if kind is not type(None)))
                raise self.invalid(f"{name} must be {expected}, not {type(value).__name__}")
        self.validate()

    def validate(self) -> None:
        """Raises `ConfigInvalid` if the values contradict each other. No I/O."""

    def check_root(self, root: str) -> None:
        """Raises `ConfigInvalid` for a root that paths cannot be relative to. No part of the error shows the root."""
        try:
            normalize_root(root)
        except InvalidInput as error:
            reason = error.message
        else:
            return
        raise self.invalid(f"root cannot be used: {reason}")  # here, since the handled error names the root

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both configurations reach the same store, so that the same key, root included, is the same object.

        This configuration must reach all that the other one reaches. The default compares identity.
        """
        return self is other

    def builder_of_copies(self, source: ServiceConfig) -> Callable[[Context], Accessor] | None:
        """Returns what builds an accessor that copies from another root or container of the same service.

        The accessor is the one of this configuration, except that the source of its `copy` is a path in the other one.
        None, the default, if the storage itself cannot make such copies; then they are streamed.

        Arguments:
            source: the configuration that the source belongs to. It may be of any service.
        """
        return None

    @property
    def works_without_loop(self) -> bool:
        """Whether blocking calls with a single request may be made without an event loop.

        The service then waits only through `context.runtime` and `context.http`. By default what `NEEDS_LOOP` says.
        """
        return not self.NEEDS_LOOP

    @property
    def http_settings(self) -> TransportSettings | None:
        """The settings of the HTTP connections of the service; None, the default, are those of the transport."""
        return None

    @classmethod
    def keys(cls, name: str, aliases: tuple[str, ...]) -> tuple[str, ...]:
        """The keys of a field: its name, and the aliases in its metadata."""
        return (name, *aliases)

    @abstractmethod
    def build(self, context: Context) -> Accessor:
        """Builds the service. It may import modules, and does no I/O."""
        raise NotImplementedError

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Makes a configuration from keys and values, as from a file or the environment.

        Raises:
            ConfigInvalid: a key is unknown (the message names the nearest known key) or given twice, or a
                value is missing or invalid.
        """
        if not isinstance(mapping, Mapping):
            raise cls.invalid(f"a configuration is a mapping of keys to values, not {type(mapping).__name__}")
        known, values = fields_by_key(cls), dict[str, Any]()
        for key, value in mapping.items():
            field = known.get(str(key).lower())
            if field is None:
                raise cls.invalid(f"there is no key {shown_name(key)}{_nearest(str(key), known)}")
            if field.name in values:
                raise cls.invalid(f"{field.name} is given twice")
            values[field.name] = _converted(cls, field, value)
        missing = [field.name for field in known.values() if field.name not in values and _is_required(field)]
        if missing:
            raise cls.invalid(f"{', '.join(dict.fromkeys(missing))} is missing")
        return cls(**values)

    @classmethod
    def from_uri(cls, uri: str, options: Mapping[str, Any] | None = None) -> Self:
        """Makes a configuration from a URI. `options` win over the values in the URI.

        Raises:
            ConfigInvalid: as `from_mapping`, or the URI is not one of this service.
        """
        parts = parse_uri(uri)
        return cls.from_mapping({**cls.uri_options(parts), **parts.options, **(options or {})})

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        """Returns the keys and values that the authority and the path of a URI mean to this service."""
        return {"root": uri.path}

    @classmethod
    def split_location(cls, address: str) -> tuple[str, str]:
        """Splits a URI without its scheme into the location of a storage, such as a bucket, and a path in it.

        Programs whose paths name the storage too make one operator for each location. By default the location is the
        first name; a service whose URIs name it by several overrides this.
        """
        location, _, path = address.partition("/")
        return location, path

    @classmethod
    def invalid(cls, message: str) -> ConfigInvalid:
        """Returns the error for an invalid configuration of this service."""
        return ConfigInvalid(message, scheme=cls.SCHEME, operation="configure")


def parse_uri(uri: str) -> ServiceUri:
    """Splits a URI into its parts. A string without `://` is a scheme alone.

    Raises:
        ConfigInvalid: the text is not a URI. The message does not repeat it: it may hold a secret.
    """
    from urllib.parse import unquote

    if not isinstance(uri, str):
        raise ConfigInvalid(f"a URI is text, not {type(uri).__name__}", operation="configure")
    if has_cut_password(CHAIN_LINK.split(uri, maxsplit=1)[0]):
        raise ConfigInvalid(CUT_USERINFO, operation="configure")
    has_place = "://" in uri.partition("?")[0]
    split = _split(uri if has_place else f"{uri}://")
    if split is None:  # raised here: urllib's error names parts of the URI and must not become the context
        raise ConfigInvalid("the text cannot be read as a URI", operation="configure")
    parts, options = split
    if not has_place and (parts.path or parts.query):
        raise ConfigInvalid("a URI begins with its scheme and ://, as in fs:///data", operation="configure")
    if parts.fragment:
        raise ConfigInvalid("a URI of a service has no fragment", operation="configure")
    userinfo, _, authority = parts.netloc.rpartition("@")
    username, colon, password = userinfo.partition(":")
    credentials = {"username": unquote(username)} if username else {}
    credentials |= {"password": unquote(password)} if colon else {}
    given = credentials | {key.lower(): value for key, value in options}
    if len(given) < len(credentials) + len(options):
        raise ConfigInvalid("an option is in the URI twice", operation="configure")
    return ServiceUri(parts.scheme.lower(), authority, unquote(parts.path), given)


def hint_of_place(name: str) -> str:
    """What to do with the name of a bucket or container that is more than a name; empty if it is only malformed."""
    if "://" in name:
        return "; Operator.from_uri takes a URI"
    return "; a folder in it is the root, a key of its own" if "/" in name else ""


def _split(uri: str) -> tuple[SplitResult, list[tuple[str, str]]] | None:
    """Returns the parts of a URI and the options in its query; None if it cannot be read."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(uri)
        return parts, parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return None


@cache
def _accepted_types(cls: type[ServiceConfig]) -> dict[str, tuple[type, ...]]:
    """The types of the value of each field, as `isinstance` takes them."""
    names, accepted = init_names(cls), dict[str, tuple[type, ...]]()
    for base in reversed(cls.__mro__):
        annotations = {name: hint for name, hint in getattr(base, "__annotations__", {}).items() if name in names}
        # A configuration has five times as many fields as different types, and evaluating a text takes 20 us.
        distinct = SimpleNamespace(__annotations__={str(hint): hint for hint in annotations.values()})
        module = sys.modules.get(base.__module__)  # a class that was pickled by value has none
        # Names of the module come before those of the class body, as where `get_type_hints` is given the class.
        hints = get_type_hints(distinct, dict(vars(base)), {} if module is None else vars(module))
        accepted |= {
            name: _instance_types(f"{cls.__name__}.{name}", hints[str(hint)]) for name, hint in annotations.items()
        }
    return accepted


def _instance_types(field: str, hint: Any) -> tuple[type, ...]:
    """The types that `isinstance` accepts for a hint. A float may be an int, as for a type checker.

    Raises:
        TypeError: `isinstance` accepts none for it, as for `Any`, `Literal` and `type X = ...`.
    """
    is_union = get_origin(hint) in _UNIONS
    types = tuple(get_origin(member) or member for member in (get_args(hint) if is_union else (hint,)))
    if Any in types or not all(isinstance(kind, type) for kind in types):
        shown = hint.__name__ if isinstance(hint, type) else hint
        raise TypeError(f"{field} is annotated as {shown}; fields of configurations are classes and unions of classes")
    return (*types, int) if float in types else types


def fields_by_key(cls: type[ServiceConfig]) -> dict[str, Field[Any]]:
    """The fields of a configuration by each of their keys, in lower case: the names and the aliases."""
    from dataclasses import fields

    known = [field for field in fields(cls) if field.init]  # type: ignore[arg-type]
    return {key: field for field in known for key in cls.keys(field.name, field.metadata.get("aliases", ()))}


def _is_required(field: Field[Any]) -> bool:
    from dataclasses import MISSING

    return field.default is MISSING and field.default_factory is MISSING


def _nearest(key: str, known: Mapping[str, Field[Any]]) -> str:
    """The known key that was probably meant, or all fields: of a wrong guess a user learns nothing."""
    from difflib import get_close_matches

    lowered = key.lower()
    elsewhere = _CALLED_ELSEWHERE.get(lowered)
    matches = [elsewhere] if elsewhere in known else _with_words_of(lowered, known)
    matches = matches or get_close_matches(lowered, known, n=1, cutoff=0.6)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; the keys are {', '.join(sorted({field.name for field in known.values()}))}"


def _with_words_of(key: str, known: Iterable[str]) -> list[str]:
    """The known keys that have all words of a key and more; then those of some of its words, the longest first."""
    more = sorted((name for name in known if f"_{key}_" in f"_{name}_"), key=len)
    fewer = sorted((name for name in known if f"_{name}_" in f"_{key}_"), key=len, reverse=True)
    return [*more, *fewer]


def _converted(cls: type[ServiceConfig], field: Field[Any], value: Any) -> Any:
    """Converts a string to the type of the field."""
    accepted = _accepted_types(cls)[field.name]  # type: ignore[arg-type]  # the same
    if not isinstance(value, str) or str in accepted:
        return value
    if "read" in field.metadata:
        return _read(cls, field, value)
    if bool in accepted and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    number = float if float in accepted else int
    if number in accepted:
        with suppress(ValueError):
            return number(value)
    raise cls.invalid(f"{field.name} cannot be read from the given text")


def _read(cls: type[ServiceConfig], field: Field[Any], value: str) -> Any:
    try:
        return field.metadata["read"](value)
    except InvalidInput as error:
        reason = error.message
    raise cls.invalid(f"{field.name} cannot be read from the given text: {reason}")
