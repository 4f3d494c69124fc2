"""The configuration file of the command: named remotes.

    [remotes.backup]
    uri = "s3://bucket/prefix"
    region = "eu-central-1"
    access_key_id = "${BACKUP_KEY}"

`uri` names the service and the root; the other keys are those of its configuration. `${NAME}` is a variable of the
environment. Secrets are written in no other way, neither under a key nor in a URI: without them the service looks where
it always looks, such as the files of the AWS tools.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from entrepot import ConfigInvalid
from entrepot.services.registry import service_class
from entrepot.types.shown import has_cut_password

VARIABLE: Final = "ENTREPOT_CONFIG"
_NAME: Final = re.compile("[A-Za-z0-9_-]+")
"""Names of remotes: those that `Places` takes for one."""

_PLACE: Final = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")
"""The end of a message of `tomllib`."""

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LINK: Final = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""What joins the URIs of a chain."""

_PASSWORD: Final = re.compile(r"(://[^/?#@:]*:)([^/?#@]*)(?=@)")
_OPTION: Final = re.compile(r"(?<=[?&])([^=&?]+)=([^&]*)")
_OPTION_VALUE: Final = re.compile(r"([?&][^=&?]+=)([^&]*)")
_SECRET_NAME: Final = re.compile("auth|cookie|credential|key|passw|secret|sig|token", re.IGNORECASE)
"""Names of headers and of options that a service does not know, whose values may be secrets."""


def default_path() -> Path:
    """The configuration file: `ENTREPOT_CONFIG`, or `entrepot/config.toml` where the user keeps configurations."""
    named = os.environ.get(VARIABLE)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    path = named or f"{base}/entrepot/config.toml"
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path fails without a home


class Remotes:
    """The remotes of a configuration file, which is read when a remote is first asked for.

    Arguments:
        path: the file. The default one need not exist.
        is_required: whether the file must exist.
    """

    def __init__(self, path: Path, *, is_required: bool) -> None:
        self._path = path
        self._is_required = is_required
        self._tables: Mapping[str, Any] | None = None

    def get(self, name: str) -> dict[str, Any] | None:
        """The values of a remote, `uri` among them; None if there is no such remote.

        Raises:
            ConfigInvalid: the file cannot be read, or the remote is not valid.
        """
        if self._tables is None:
            self._tables = self._read()
        table = self._tables.get(name)
        return None if table is None else self._values(name, table)

    def _read(self) -> Mapping[str, Any]:
        import tomllib  # few commands name a remote

        try:
            content = tomllib.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            if self._is_required:
                raise ConfigInvalid(f"there is no configuration file {self._path}") from None
            return {}
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        except UnicodeDecodeError:
            reason = "it is not UTF-8"
        except tomllib.TOMLDecodeError as error:
            reason = f"it is not valid TOML{_place_of(error)}"
        else:
            tables = content.get("remotes", {})
            if others := content.keys() - {"remotes"}:
                reason = f"it has no place for {min(others)!r}: its tables are named such as [remotes.backup]"
            elif not isinstance(tables, dict):
                reason = "`remotes` is not a table"
            elif unusable := [name for name in tables if not _NAME.fullmatch(name)]:
                reason = f"{unusable[0]!r} is not a name of a remote, which has only letters, digits, - and _"
            else:
                return tables
        raise ConfigInvalid(f"the configuration file {self._path} cannot be used: {reason}")

    def _values(self, name: str, table: Any) -> dict[str, Any]:
        if not isinstance(table, dict) or not isinstance(table.get("uri"), str):
            raise ConfigInvalid(f'the remote {name!r} has no `uri`, such as "s3://bucket"')
        secrets = secret_keys(_expanded(name, table["uri"]))
        return {key: _value(name, key, value, is_secret=key.lower() in secrets) for key, value in table.items()}


def _place_of(error: ValueError) -> str:
    """Where in a file an error of TOML is. The rest of its message may have a part of a secret."""
    place = _PLACE.search(str(error))
    return "" if place is None else f" {place[0]}"


def _value(remote: str, key: str, value: Any, *, is_secret: bool) -> Any:
    if isinstance(value, dict):  # of headers
        return {
            name: _value(remote, f"{key}.{name}", text, is_secret=_SECRET_NAME.search(name) is not None)
            for name, text in value.items()
        }
    if not isinstance(value, str):
        return value
    if (is_secret and not _REFERENCE.fullmatch(value)) or any(map(_has_secret, uris_of(value))):
        raise ConfigInvalid(
            f"the remote {remote!r} has a secret in {key}, in the file: write ${{NAME}} for a variable of the "
            "environment, or leave it to the credentials that the service finds by itself"
        )
    return _expanded(remote, value)


def uris_of(text: str) -> list[str]:
    """The URIs of a chain `zip://path::s3://bucket/a.zip`, or the text alone."""
    return _LINK.split(text)


def _has_secret(uri: str) -> bool:
    """Whether a URI has a secret that is not a variable of the environment. Other text has none."""
    if "://" not in uri:
        return False
    written = [value for _, value in _PASSWORD.findall(uri)]
    with suppress(ConfigInvalid):  # the address of a server need not be one of a service
        secret, harmless = secret_keys(uri), harmless_keys(uri)
        written += [
            value
            for key, value in _OPTION.findall(uri)
            if key.lower() in secret or (key.lower() not in harmless and _SECRET_NAME.search(key))
        ]
    return has_cut_password(uri) or any(value and not _REFERENCE.fullmatch(value) for value in written)


def _expanded(remote: str, text: str) -> str:
    """A value with the variables of the environment. In the password and the options of a URI they are encoded."""

    def plain(found: re.Match[str]) -> str:
        return _variable(remote, found[1])

    def encoded(found: re.Match[str]) -> str:
        return found[1] + _REFERENCE.sub(lambda name: quote(plain(name), safe=""), found[2])

    uris = uris_of(text)
    uris = [_OPTION_VALUE.sub(encoded, _PASSWORD.sub(encoded, uri)) if "://" in uri else uri for uri in uris]
    return "::".join(_REFERENCE.sub(plain, uri) for uri in uris)


def _variable(remote: str, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigInvalid(f"the remote {remote!r} needs the variable {name} of the environment, which is not set")
    return value


def secret_keys(uri: str) -> frozenset[str]:
    """The keys of the service of a URI that no text shows, in lower case.

    Raises:
        ConfigInvalid: no service has its scheme.
    """
    return _keys(uri, is_secret=True)


def harmless_keys(uri: str) -> frozenset[str]:
    """The keys of the service of a URI whose values may be shown, in lower case.

    Raises:
        ConfigInvalid: no service has its scheme.
    """
    return _keys(uri, is_secret=False)


def _keys(uri: str, *, is_secret: bool) -> frozenset[str]:
    service = service_class(uri.partition("://")[0].lower())
    chosen = [field for field in fields(service) if field.repr is not is_secret]  # type: ignore[arg-type]
    return frozenset(
        key.lower() for field in chosen for key in service.keys(field.name, field.metadata.get("aliases", ()))
    )
