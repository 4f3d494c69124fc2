"""A pond of ducks: reading `donald/3` gives three quacks."""

from dataclasses import dataclass
from typing import ClassVar

from entrepot.errors import NotFound
from entrepot.raw import Accessor, AccessorInfo, Context, OpRead, OpStat, RpRead, RpStat, ServiceConfig, oio
from entrepot.raw.path import build_abs_path, normalize_root
from entrepot.types import Capability, Metadata


@dataclass(frozen=True)
class Duck(ServiceConfig):
    """The configuration of the service: what its users write."""

    SCHEME: ClassVar[str] = "duck"

    root: str = "/"
    sound: str = "quack "

    def validate(self) -> None:
        if not self.sound:
            raise self.invalid("sound must not be empty")

    def build(self, context: Context) -> Accessor:
        return DuckAccessor(normalize_root(self.root), self.sound.encode())


class DuckAccessor(Accessor):
    def __init__(self, root: str, sound: bytes) -> None:
        capability = Capability(stat=True, read=True, read_can_seek=True, read_can_next=True, read_with_suffix=True)
        self.info = AccessorInfo(scheme=Duck.SCHEME, root=root, native_capability=capability)
        self._sound = sound

    def _listen(self, path: str) -> bytes:
        name, _, times = build_abs_path(self.info.root, path).rpartition("/")
        if not (name and times.isdecimal()):
            raise NotFound("there is no such duck")
        return self._sound * int(times)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return RpStat(metadata=Metadata(content_length=len(self._listen(path))))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        reply = RpRead()

        def load() -> bytes:
            content = self._listen(path)
            start, end = args.range.resolve(len(content))
            reply.metadata = Metadata(content_length=len(content))
            return content[start:end]

        return reply, oio.BytesReader(load)
