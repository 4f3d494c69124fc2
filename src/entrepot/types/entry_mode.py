"""What kind of thing a path names."""

from enum import StrEnum


class EntryMode(StrEnum):
    """What a path names: a file (an object), a directory, or something else that cannot be read."""

    FILE = "file"
    DIR = "dir"
    UNKNOWN = "unknown"
