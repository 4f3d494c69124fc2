"""The buffer protocol: bytes of arrays, memory maps and other objects, to store or to fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.types.shown import shown_type

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Bytes = bytes | bytearray | memoryview
_OF_BYTES: Final = (bytes, bytearray)


def buffer_of(value: object) -> Bytes | None:
    """The bytes of an object with the buffer protocol, without a copy if possible; None for other objects.

    A `memoryview` in the result has one dimension and items of one byte, so that its length is its size in bytes.

    Raises:
        InvalidInput: the memory is not contiguous, holds references to objects, or cannot be read.
    """
    if isinstance(value, _OF_BYTES):
        return value
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    except (BufferError, ValueError) as error:  # such as a memoryview that is released, or an mmap that is closed
        raise InvalidInput(f"the memory of the {type(value).__name__} cannot be read") from error
    return _by_bytes(view)


def bytes_of(data: object) -> bytes:
    """A piece of data as bytes. Mutable memory is copied, because the caller may change it at once.

    Raises:
        InvalidInput: the data is not bytes.
    """
    if isinstance(data, bytes):
        return data
    return bytes(required_buffer(data))


def writable_size(buffer: WriteableBuffer) -> int:
    """The size of a writable buffer in bytes.

    Raises:
        InvalidInput: the buffer is not writable or not contiguous.
    """
    try:
        view = memoryview(buffer)
    except (TypeError, BufferError, ValueError) as error:
        raise InvalidInput(f"a writable buffer is needed, not {type(buffer).__name__}") from error
    if view.readonly or not view.c_contiguous or _has_references(view):
        raise InvalidInput("the buffer must be writable and contiguous, and must not hold references to objects")
    return view.nbytes


def writable_bytes(buffer: WriteableBuffer) -> memoryview:
    """The bytes of a writable buffer, whatever its items are. Writing to the result writes to the buffer.

    Raises:
        InvalidInput: the buffer is not writable or not contiguous.
    """
    if not writable_size(buffer):
        return memoryview(bytearray())
    view = memoryview(buffer)
    try:
        return view.cast("B")
    except TypeError:  # a format such as "<i" or of a record, which only this way out of a pickle takes as bytes
        from pickle import PickleBuffer

        return PickleBuffer(view).raw()


def required_buffer(data: object, hint_for_text: str = "; encode it first") -> Bytes:
    """The bytes of an object that must have the buffer protocol.

    Raises:
        InvalidInput: the object has no buffer protocol, or its memory cannot be stored.
    """
    buffer = buffer_of(data)
    if buffer is None:
        hint = hint_for_text if isinstance(data, str) else ""
        raise InvalidInput(f"data is bytes, not {shown_type(data)}{hint}")
    return buffer


def _by_bytes(view: memoryview) -> Bytes:
    if not view.c_contiguous:
        raise InvalidInput("data is not contiguous in memory: copy it first, such as with bytes(data)")
    if view.format == "B" and view.ndim == 1:
        return view
    if _has_references(view):
        raise InvalidInput("data is bytes, not references to Python objects")
    try:
        return view.cast("B")
    except TypeError:  # a format such as "<i" or of a record, or a shape with a zero in it
        return view.tobytes()


def _has_references(view: memoryview) -> bool:
    """Whether the items are references: an `O` in the format, outside of the names of fields."""
    return "O" in "".join(view.format.split(":")[::2])
