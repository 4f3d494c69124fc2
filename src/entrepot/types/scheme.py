"""The names of the built-in services."""

from enum import StrEnum


class Scheme(StrEnum):
    """The schemes that come with entrepot. Those of other packages are plain strings."""

    FS = "fs"
    HTTP = "http"
    MEMORY = "memory"
    S3 = "s3"
