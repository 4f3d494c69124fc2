"""What a copy between two storages came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .metadata import Metadata

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True)
class Copied:
    """What `Operator.copy_to` made.

    Arguments:
        metadata: what the target's storage says of the new object.
        not_carried: what the source has beside its content and the target's storage cannot keep: names of fields
            of `Metadata`, such as `"content_type"`, and `"user_metadata.<name>"` for each name of user metadata.
        is_server_side: whether the storage made the copy itself, and nothing came through here.
    """

    metadata: Metadata
    not_carried: tuple[str, ...] = ()
    is_server_side: bool = False
