"""The names of aiohttp that are not part of its public interface and that this transport uses, with their purpose.

aiohttp does not promise to keep them: a release may drop or rename one. They are looked up once, when the transport is
imported, so that a release without one of them is refused by one clear error when an operator is built, and not by an
AttributeError inside a request. A test holds the table complete: nothing outside of it is used.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, NamedTuple

from entrepot.errors import Unsupported


class PrivateName(NamedTuple):
    """A private name of aiohttp.

    Arguments:
        module: the module that has it.
        owner: the class, or the class that the attribute belongs to.
        attribute: the method or attribute of the class; empty for the class itself.
        purpose: the purpose of using it.
    """

    module: str
    owner: str
    attribute: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.module}.{self.owner}{'.' * bool(self.attribute)}{self.attribute}"


_CONNECTOR: Final = ("aiohttp.connector", "TCPConnector")
_HANDLER: Final = ("aiohttp.client_proto", "ResponseHandler")

PRIVATE_NAMES: Final = (
    PrivateName(
        *_CONNECTOR, "_acquired", "counts a connection taken from the kept ones, and shows whether any is in use"
    ),
    PrivateName(*_CONNECTOR, "_conns", "the kept connections: which one is taken, and dropping all of an origin"),
    PrivateName(*_CONNECTOR, "_create_connection", "bounds the name lookup too"),
    PrivateName(*_CONNECTOR, "_factory", "makes connections of our own protocol"),
    PrivateName(*_CONNECTOR, "_get", "takes a kept connection only where the server has not closed it"),
    PrivateName(*_CONNECTOR, "_keepalive_timeout", "for how long a connection is kept"),
    PrivateName(*_CONNECTOR, "_loop", "the event loop, for its clock and its callbacks"),
    PrivateName(*_CONNECTOR, "_release", "gives a connection back"),
    PrivateName(*_CONNECTOR, "_release_waiter", "passes a turn on that was given up"),
    PrivateName(*_CONNECTOR, "_start_tls_connection", "forgets the plain connection below the TLS of a tunnel"),
    PrivateName(*_CONNECTOR, "_wait_for_available_connection", "bounds the wait for a turn, and keeps its order"),
    PrivateName(*_CONNECTOR, "_waiters", "shows whether requests wait for a turn"),
    PrivateName("aiohttp.connector", "Connection", "", "the holder of a protocol, which the connector hands out"),
    PrivateName("aiohttp.connector", "Connection", "_protocol", "takes the protocol out of its holder"),
    PrivateName("aiohttp.client_reqrep", "ConnectionKey", "", "the key under which connections are kept"),
    PrivateName("aiohttp.http_exceptions", "HttpProcessingError", "", "the error of a malformed response of a proxy"),
    PrivateName(*_HANDLER, "", "the protocol of a connection"),
    PrivateName(*_HANDLER, "_drain_helper", "waits until the connection accepts more of a request"),
    PrivateName(*_HANDLER, "_drop_timeout", "the idle timer is ours: one for many requests"),
    PrivateName(*_HANDLER, "_loop", "the event loop, for its clock and its timers"),
    PrivateName(*_HANDLER, "_on_read_timeout", "keeps waiting while the server accepts content"),
    PrivateName(*_HANDLER, "_parser", "whether aiohttp parses: the response of a proxy to CONNECT, and nothing else"),
    PrivateName(*_HANDLER, "_payload", "the content of the response, as long as it has not ended"),
    PrivateName(*_HANDLER, "_read_timeout", "how long the server may be silent"),
    PrivateName(*_HANDLER, "_reading_paused", "whether receiving is paused"),
    PrivateName(*_HANDLER, "_reschedule_timeout", "the idle timer is ours: one for many requests"),
    PrivateName(*_HANDLER, "_tail", "bytes that came before a request"),
)


def check_private_names() -> None:
    """Refuses a release of aiohttp that lacks one of the names.

    Raises:
        Unsupported: it lacks some. The message lists them and says which release to install.
    """
    missing = [str(name) for name in PRIVATE_NAMES if not _exists(name)]
    if missing:
        from aiohttp import __version__

        raise Unsupported(
            f"aiohttp {__version__} lacks {', '.join(missing)}: install a release that entrepot supports, "
            "pip install 'aiohttp>=3.14,<4'"
        )


def _exists(name: PrivateName) -> bool:
    try:
        owner = getattr(import_module(name.module), name.owner)
    except (ImportError, AttributeError):
        return False
    return not name.attribute or hasattr(owner, name.attribute) or name.attribute in _set_by_init(owner)


def _set_by_init(owner: type) -> Iterator[str]:
    """The names in the code of the constructors of a class, which include the attributes that they set."""
    for cls in owner.__mro__:
        init: Any = vars(cls).get("__init__")
        yield from getattr(getattr(init, "__code__", None), "co_names", ())
