"""Guesses the media type of an object by the extension of its path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from mimetypes import MimeTypes
from posixpath import splitext
from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw import (
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpRead,
    OpSharedUpload,
    OpStartUpload,
    OpStat,
    OpWrite,
    RpRead,
    RpSharedUpload,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.derived_response import DerivedResponse, change_metadata
from entrepot.raw.layered import Coro
from entrepot.types import Metadata
from entrepot.types.shown import shown

_TYPES: Final = {
    ".avif": "image/avif",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ndjson": "application/x-ndjson",
    ".ogg": "audio/ogg",
    ".opus": "audio/opus",
    ".parquet": "application/vnd.apache.parquet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rtf": "application/rtf",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
    ".bz2": "application/x-bzip2",
    ".br": "application/x-brotli",
}
"""Types that the standard library does not know, or that differ between its versions."""

_ENCODINGS: Final = {".gz": "gzip", ".br": "br", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}


@dataclass(frozen=True)
class MimeGuessLayer(Layer):
    """Sets the media type of objects by the extension of their path.

    A write or a shared upload without `content_type` stores the guessed type if the service can store one; an append
    does not, because the object may have a type. `stat` and readers return the guessed type if the storage has none. A
    type that the caller or the storage states is kept. The table is fixed: no file of the system is read.

    The type of `"a.txt.gz"` is gzip's, unless `content_encoding` says that readers decode the bytes.

    Arguments:
        types: further extensions, or other types for known ones: `{".foo": "application/x-foo"}`.

    Raises:
        InvalidInput: an extension in `types` does not begin with a dot, or a type has no slash.
    """

    WORKS_WITHOUT_LOOP = True

    types: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.types, Mapping):
            raise InvalidInput(f"types is a mapping of extensions to media types, not {shown(self.types)}")
        for extension, media_type in self.types.items():
            if not (isinstance(extension, str) and extension.startswith(".") and len(extension) > 1):
                raise InvalidInput("an extension in types is text that begins with a dot, such as '.txt'")
            if not (isinstance(media_type, str) and "/" in media_type):
                raise InvalidInput(f"the type of {extension!r:.80} in types is not text such as 'text/plain'")
        object.__setattr__(self, "types", {name.lower(): value for name, value in self.types.items()})

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _MimeGuessAccessor(accessor, self)

    def guess(self, path: str, content_encoding: str | None = None) -> str | None:
        """The media type for a path; None if its extension is unknown.

        Arguments:
            path: the object.
            content_encoding: the encodings of its bytes, which a reader decodes.
        """
        stem, extension = splitext(path)
        if content_encoding is not None and _ENCODINGS.get(extension.lower()) == content_encoding.lower():
            extension = splitext(stem)[1]
        extension = extension.lower()
        return self.types.get(extension) or _known_types().get(extension)


class _MimeGuessAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor, layer: MimeGuessLayer) -> None:
        super().__init__(inner)
        self._guess = layer.guess
        if not inner.info.capability.write_with_content_type:
            self.write = inner.write  # type: ignore[method-assign]
            self.write_whole = inner.write_whole  # type: ignore[method-assign]
            self.shared_upload = inner.shared_upload  # type: ignore[method-assign]

    def write(self, path: str, args: OpWrite) -> Coro[tuple[RpWrite, oio.Write]]:
        return self.inner.write(path, self._written(path, args))

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        return self.inner.write_whole(path, data, self._written(path, args))

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        if isinstance(args.step, OpStartUpload):  # which has the metadata of the object
            args = OpSharedUpload(step=OpStartUpload(write=self._written(path, args.step.write)))
        return await self.inner.shared_upload(path, args, content)

    def _written(self, path: str, args: OpWrite) -> OpWrite:
        if args.content_type is not None or args.append:
            return args
        guessed = self._guess(path, args.content_encoding)
        return args if guessed is None else replace(args, content_type=guessed)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        reply = await self.inner.stat(path, args)
        metadata = self._with_type(path, reply.metadata)
        return reply if metadata is reply.metadata else RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return self._derived(path, *await self.inner.read(path, args))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.inner.read_whole(path, args, described)
        if not isinstance(content, bytes):
            return self._derived(path, *content)
        if described is not None:
            change_metadata(described, partial(self._with_type, path))
        return content

    def _derived(self, path: str, response: RpRead, body: oio.Read) -> tuple[RpRead, oio.Read]:
        if self._guess(path) is None:
            return response, body
        return DerivedResponse(response, partial(self._with_type, path)), body

    def _with_type(self, path: str, metadata: Metadata) -> Metadata:
        if metadata.content_type is not None or not metadata.is_file:
            return metadata
        guessed = self._guess(path, metadata.content_encoding)
        return metadata if guessed is None else replace(metadata, content_type=guessed)


@cache
def _known_types() -> Mapping[str, str]:
    return MimeTypes(filenames=()).types_map[True] | _TYPES
