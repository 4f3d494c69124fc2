"""`Copied`: the result of a copy between two storages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .metadata import Metadata

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of `Operator.copy_to`.

    Arguments:
        metadata: the metadata of the new object, from the target's storage.
        not_carried: the metadata of the source that the target's storage cannot keep: names of fields of `Metadata`,
            such as `"content_type"`, and `"user_metadata.<name>"` for each name of user metadata.
        is_server_side: whether the storage made the copy itself, so that no content passed through this process.
    """

    metadata: Metadata
    not_carried: tuple[str, ...] = ()
    is_server_side: bool = False
