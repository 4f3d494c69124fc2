"""The objects that the cases of `read_only` read. Where nothing can be put, they must be in the storage already."""

from __future__ import annotations

import random
from typing import Final

SPECIAL_FILE: Final = "special_file  !@#$%^&()_+-=;',.txt"
"""A file name of characters that mean something in URLs, shells or headers."""

SPECIAL_DIR: Final = "special_dir  !@#$%^&()_+-=;',/"
"""The same for a directory."""

CONTENT: Final = random.Random(30482).randbytes(30482)
"""The content of the files in the root."""

FIXTURES: Final = {
    "normal_file.txt": CONTENT,
    SPECIAL_FILE: CONTENT,
    "normal_dir/index.html": b"inside",
    f"{SPECIAL_DIR}index.html": b"inside",
}
"""The objects by path. A web server shows a directory that has an index."""
