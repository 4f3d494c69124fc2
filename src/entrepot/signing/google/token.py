"""`GoogleToken`: an access token of Google Cloud."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from entrepot.errors import ConfigInvalid

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class GoogleToken:
    """An OAuth 2.0 access token.

    Arguments:
        value: the token. A secret, which is kept out of repr.
        expires_at: when it expires, with a time zone. None if that is unknown.
        source: where it comes from, for errors.

    Raises:
        ConfigInvalid: it is empty or has characters that no header can have, or the time has no zone.
    """

    value: str = field(repr=False)
    expires_at: datetime | None = None
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.value, str) or not _VISIBLE.fullmatch(self.value):
            raise ConfigInvalid("the token is empty, or has characters that no header can have")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ConfigInvalid("expires_at of a token needs a time zone")
