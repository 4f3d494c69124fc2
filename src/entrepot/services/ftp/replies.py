"""Replies to commands, and the errors that their codes mean (RFC 959, 4.2; RFC 2228; RFC 3659)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from entrepot.errors import (
    Error,
    InvalidInput,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    StorageFull,
    Unexpected,
    Unsupported,
)


class Refused(Unexpected):
    """The reply 550 or 551, which stands for most of what can be wrong with a path. Further commands find out what."""

    kind = Unexpected.kind


class Reply(NamedTuple):
    """A reply.

    Arguments:
        code: its code.
        lines: its lines without the code.
    """

    code: int
    lines: Sequence[str]

    @property
    def is_preliminary(self) -> bool:
        """Whether a transfer has started, and another reply follows."""
        return self.code // 100 == 1

    @property
    def is_success(self) -> bool:
        """Whether the command succeeded."""
        return self.code // 100 == 2


_TEMPORARY: Final = {
    425: "the server cannot open the data connection",
    426: "the data connection was lost",
    450: "the file is in use",
    451: "the server had an error of its own",
    421: "the server ends the connection",
}

_MEANINGS: Final[dict[int, tuple[type[Error], str]]] = {
    430: (PermissionDenied, "the server refuses the login: check user and password"),
    452: (StorageFull, "the server has no space left"),
    500: (Unsupported, "the server does not know the command {command}"),
    501: (InvalidInput, "the server does not take the argument of {command}"),
    502: (Unsupported, "the server does not have the command {command}"),
    504: (Unsupported, "the server does not have this form of the command {command}"),
    521: (PermissionDenied, "the server refuses the data connection: it may need TLS"),
    522: (PermissionDenied, "the server refuses the data connection: it may need TLS, or the session of the first one"),
    530: (PermissionDenied, "the server refuses the login: check user and password"),
    532: (PermissionDenied, "the server requires an account"),
    533: (PermissionDenied, "the server requires TLS: use ftps://"),
    534: (PermissionDenied, "the server refuses TLS"),
    550: (Refused, "the server refuses {command}"),
    551: (Refused, "the server refuses {command}"),
    552: (StorageFull, "the server has no space left, or the quota is used up"),
    553: (InvalidInput, "the server does not take the name"),
    554: (RangeNotSatisfied, "the server cannot start at this position"),
}


def refusal(reply: Reply, command: str) -> Error:
    """Returns the error of a reply that is not a success.

    Arguments:
        reply: the reply. Its text is not repeated: servers put paths, names of users and more into it.
        command: the name of the command, such as `"RETR"`.
    """
    context = {"code": reply.code}
    if reply.code == 421 and command in {"connect", "USER", "PASS"}:
        return RateLimited("the server has too many connections: lower max_connections", context=context)
    if reply.code in {550, 551} and command in {"USER", "PASS", "AUTH"}:
        return PermissionDenied("the server refuses the login: it may require TLS (ftps://)", context=context)
    if reply.code in _TEMPORARY:
        return Unexpected(_TEMPORARY[reply.code], context=context, is_temporary=True)
    if reply.code in _MEANINGS:
        kind, message = _MEANINGS[reply.code]
        return kind(message.format(command=command), context=context)
    is_temporary = reply.code // 100 == 4
    return Unexpected(f"the server answers {command} with {reply.code}", context=context, is_temporary=is_temporary)
