"""The size of a file, for protocols whose servers may leave it out."""

from entrepot.errors import Unsupported
from entrepot.types import Metadata


def stated_size(metadata: Metadata) -> int:
    """The bytes of a file.

    Raises:
        Unsupported: the server does not state them, so that nobody can say whether its content is complete.
    """
    if metadata.content_length is None:
        raise Unsupported("the server does not state the size of the file")
    return metadata.content_length
