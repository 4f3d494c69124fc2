"""Values: what entrepot talks about. Nothing here does I/O."""

from .bytes_range import BytesRange
from .capability import Capability
from .entry import Entry
from .entry_mode import EntryMode
from .metadata import Metadata
from .scheme import Scheme

__all__ = ["BytesRange", "Capability", "Entry", "EntryMode", "Metadata", "Scheme"]
