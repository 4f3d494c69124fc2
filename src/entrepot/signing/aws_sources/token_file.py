"""JSON files that the AWS tools share: tokens of users who have signed in."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from entrepot.errors import PermissionDenied
from entrepot.raw.few_files import with_file_limit
from entrepot.signing.call import json_object


def read_json(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file; None if the file does not exist.

    Raises:
        PermissionDenied: it cannot be read.
        Unexpected: it is not a JSON object. Temporary, since another tool may be writing it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        unreadable = PermissionDenied(f"the token file {path} cannot be read: {error.strerror}")
        raise with_file_limit(unreadable, error) from None
    return json_object(f"the token file {path}", content)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replaces a file as a whole. Only its owner can read it.

    Raises:
        PermissionDenied: it cannot be written. A token that is lost here cannot be renewed again.
    """
    temporary = None
    try:
        descriptor, temporary = mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(temporary, path)  # noqa: PTH105 - both are names of one folder
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - removal is best effort
        unwritable = PermissionDenied(f"the token file {path} cannot be written: {error.strerror}")
        raise with_file_limit(unwritable, error) from None
