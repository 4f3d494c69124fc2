"""Endpoints of protocols with a login, such as FTP and SSH: `scheme://user:password@host:port`, or a part of that.

No message repeats an endpoint, since it may hold a password.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from .config import ServiceConfig


def split_endpoint(
    config: ServiceConfig, endpoint: str, default: str, schemes: Collection[str], forms: str
) -> SplitResult:
    """The parts of the endpoint of a configuration.

    Arguments:
        config: the configuration.
        endpoint: its endpoint, with or without a scheme.
        default: the scheme of an endpoint without one.
        schemes: the schemes that there are.
        forms: how an endpoint is written, for messages.

    Raises:
        ConfigInvalid: it is not one, or has more than a login, a host and a port.
    """
    text = endpoint if "://" in endpoint else f"{default}://{endpoint}"
    if not text.isprintable() or " " in text:
        raise config.invalid("the endpoint has blanks or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit("//"), 0  # not raised here: the other error may hold a password
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise config.invalid(f"the endpoint must be a host, {forms}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise config.invalid("the endpoint has a path, a query or a fragment: a directory is set by root")
    return parts


def take_login(config: ServiceConfig, parts: SplitResult, default_user: str | None) -> None:
    """Moves a user and a password of the endpoint to the fields `user` and `password`, while it is validated.

    Arguments:
        config: the configuration.
        parts: the parts of its endpoint.
        default_user: the user if none is set.

    Raises:
        ConfigInvalid: a field is set to something else.
    """
    for name, value, default in (("user", parts.username, default_user), ("password", parts.password, None)):
        if not value:
            continue
        if getattr(config, name) not in {default, unquote(value)}:
            raise config.invalid(f"the endpoint has a {name} other than {name}: leave out one of them")
        object.__setattr__(config, name, unquote(value))


def host_and_port(parts: SplitResult) -> str:
    """The host, in brackets if it is an IPv6 address, and the port if there is one."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port is None else f"{host}:{parts.port}"
