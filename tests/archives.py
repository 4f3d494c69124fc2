"""Archives in memory for tests, and the requests that their operators make."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any, Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from entrepot import Operator
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor, OpRead, RpRead, oio
from entrepot.raw.composite import CompositeConfig
from entrepot.services import Memory
from entrepot.testing.behavior.io_recorder import IoRecorder


async def over(service: type[CompositeConfig], content: bytes, **options: Any) -> Operator:
    """An operator over an archive in memory."""
    source = Operator(Memory())
    await source.write("archive", content)
    return Operator(service(source, "archive", **options))


def zipped(members: Mapping[str | ZipInfo, bytes], method: int = ZIP_DEFLATED, **options: Any) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content, None if isinstance(name, ZipInfo) else method)
    return buffer.getvalue()


def tarred(
    members: Mapping[str | tarfile.TarInfo, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w", **options: Any
) -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


async def contents(operator: Operator) -> dict[str, bytes]:
    """The content of each file of an operator."""
    entries = await operator.list("/", recursive=True)
    return {entry.path: await operator.read(entry.path) for entry in entries if entry.is_file}


class Ranges(Layer):
    """Records where each read of a source begins."""

    WORKS_WITHOUT_LOOP = True

    def __init__(self) -> None:
        self.starts: list[int] = []

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _Recorded(accessor, self.starts)


class _Recorded(LayeredAccessor):
    def __init__(self, inner: Accessor, starts: list[int]) -> None:
        super().__init__(inner)
        self._starts = starts

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        self._starts.append(args.range.start)
        return await self.inner.read(path, args)


class Requests:
    """An operator over an archive on a server, whose requests are counted.

    Arguments:
        service: the class of its configuration.
        server: the S3 server.
        root: the directory in its bucket.
        content: the archive.
    """

    def __init__(self, service: type[CompositeConfig], server: Any, root: str, content: bytes, **options: Any) -> None:
        from entrepot.services.s3.behavior import config_for

        server.put(f"{root}/archive", content)
        self._recorder = IoRecorder()
        config = service(config_for(server, server.bucket, root), "archive", **options)
        self.operator = Operator(config, layers=(self._recorder,))

    def since(self) -> list[str]:
        """The methods of the requests since the last call."""
        methods = [call.partition(" ")[0] for call in self._recorder.calls if call.endswith("request")]
        self._recorder.calls.clear()
        return methods
