"""`EntryMode`: the kind of thing that a path names."""

from enum import StrEnum


class EntryMode(StrEnum):
    """The kind of thing that a path names: a file (an object), a directory, or something that cannot be read."""

    FILE = "file"
    DIR = "dir"
    UNKNOWN = "unknown"
