"""Configuration of the memory service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, NoReturn

from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root

from .core import Table

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True)
class Memory(ServiceConfig):
    """Objects in the memory of this process.

    The configuration holds the objects: every operator over one `Memory()` sees them, and they are freed with it. It
    cannot be pickled or copied, since the copy would not see them.

    Arguments:
        root: the directory that paths are relative to.
        versioned: keep replaced and deleted objects as versions. By default they are gone.

    Raises:
        ConfigInvalid: the root is not valid Unicode text without NUL, CR and LF.
    """

    SCHEME: ClassVar[str] = "memory"
    URI: ClassVar[str] = "memory:///some/root"
    NEEDS_LOOP: ClassVar[bool] = False

    root: str = "/"
    versioned: bool = False
    table: Table = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "table", Table(self.versioned))

    def validate(self) -> None:
        self.check_root(self.root)

    def build(self, context: Context) -> Accessor:
        from .accessor import MemoryAccessor

        return MemoryAccessor(self.table, normalize_root(self.root))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Memory holds its objects itself and cannot be pickled or copied: the copy would not see them. "
            "Use a storage that other processes reach too, such as fs or sqlite"
        )
