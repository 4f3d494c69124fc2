"""Host names as the standard library takes them without an import.

`socket` and `ssl` encode a `str` by the codec `idna`. Its first use imports it, in the middle of a request, and with
tables that take a millisecond. They take `bytes` as they are.
"""

from typing import Final

_LONGEST_LABEL: Final = 63


def encoded_host(host: str) -> bytes | str:
    """The host for `getaddrinfo` and `wrap_socket`: bytes, unless it needs the codec.

    Raises:
        UnicodeError: it cannot be a host name, by the rule that the codec has too.
    """
    if not host.isascii():
        return host
    labels = host.removesuffix(".").split(".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise UnicodeError("a label of the host name is empty or too long")
    return host.encode()
