"""The measured libraries, a module each.

A module has `PACKAGE`, the name of the imported package, `LOOPS` if it is not measured on all event loops, and a class
for each kind of store that it has: `S3`, `BlockingS3`, `Local`, `BlockingLocal`, `Memory`. Each imports its library
when it is made, so that other processes do not pay for it. A class is made with the arguments from `Grounds.place` for
its kind, and has the verbs that the contender supports. Each verb returns the number of bytes, keys or chunks:

    get(key), read(path)        the whole, in one call
    whole(key)                  the same of an object of any size
    stat(path)                  its size
    put(key)                    of `CONTENT`
    stream(key)                 in chunks, of the contender's default size, or 4 MiB
    ranges(key, size, n)        in ranges of 8 MiB, n in flight
    upload(key, size, n)        in parts of 8 MiB, n in flight
    upload_unsigned(key, size, n)   the same, with requests whose signature leaves out the content
    write(path, size)           in pieces of 4 MiB
    chunks(path, size)          in chunks of a size
    list()                      all keys, with their sizes
    walk(path)                  all files below, with their sizes
    tables(count, columns)      of each Parquet file the footer, then its column chunks

They are used as their documentation says, with its recommendations for speed.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final

from benchmarks.workloads import COLUMN, COLUMN_STEP, FOOTER, MIB

CONTENT: Final = bytes(range(256)) * 16
PART: Final = 8 * MIB
PIECE: Final = 4 * MIB
TABLES_AT_ONCE: Final = 8
THREADS: Final = 32
KEYS: Final = {"access_key_id": "AKIATEST0001", "secret_access_key": "secretsecret01", "region": "us-east-1"}
AWS_KEYS: Final = {
    "aws_access_key_id": KEYS["access_key_id"],
    "aws_secret_access_key": KEYS["secret_access_key"],
    "region_name": KEYS["region"],
}


def names() -> list[str]:
    """The names of all contenders."""
    return [module.name for module in iter_modules(__path__)]


def missing() -> list[str]:
    """The names of the contenders that are not installed."""
    return [name for name in names() if not _is_installed(getattr(contender(name), "PACKAGE", "os"))]


def _is_installed(package: str) -> bool:
    return find_spec(package.partition(".")[0]) is not None


def contender(name: str) -> ModuleType:
    """The module of a contender."""
    return import_module(f"{__name__}.{name}")


def ranges_of(size: int) -> list[tuple[int, int]]:
    """The ranges (begin, end) of an object of `size` bytes."""
    return [(begin, min(size, begin + PART)) for begin in range(0, size, PART)]


def columns_of(count: int) -> list[tuple[int, int]]:
    """The ranges (begin, end) of the first column chunks of a Parquet file."""
    return [(number * COLUMN_STEP, number * COLUMN_STEP + COLUMN) for number in range(count)]


def pieces_of(size: int) -> Iterator[bytes]:
    """`size` bytes, in pieces as a program would produce them one after the other."""
    content = bytes(PIECE)
    for begin in range(0, size, PIECE):
        yield content[: size - begin]  # the same object each time, except for a shorter last one


async def gathered(call: Callable[..., Any], arguments: Any, at_once: int) -> list[Any]:
    """Calls with each of the arguments concurrently, for contenders that leave that to their users."""
    import asyncio

    slots = asyncio.Semaphore(at_once)

    async def limited(argument: Any) -> Any:
        async with slots:
            return await call(*argument)

    return await asyncio.gather(*map(limited, arguments))


async def tables(table: Callable[[str, int], Any], count: int, columns: int) -> int:
    """Reads the Parquet files, some concurrently."""
    return sum(await gathered(table, [(f"table{number}", columns) for number in range(count)], TABLES_AT_ONCE))


def footer_of(columns: int) -> tuple[int, int]:
    """The range (begin, end) of the footer of a Parquet file."""
    begin = columns * COLUMN_STEP
    return begin, begin + FOOTER


def threaded(blocking: type) -> type:
    """A class with the verbs of a blocking one, each of which runs in a thread, as its users would do it."""

    class Threaded:
        def __init__(self, **place: str) -> None:
            from concurrent.futures import ThreadPoolExecutor

            self.blocking = blocking(**place)
            self.threads = ThreadPoolExecutor(THREADS)

    def in_thread(verb: str) -> Callable[..., Any]:
        async def call(self: Threaded, *arguments: Any) -> Any:
            import asyncio

            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, getattr(self.blocking, verb), *arguments)

        return call

    for verb in vars(blocking):
        if not verb.startswith("_"):
            setattr(Threaded, verb, in_thread(verb))
    return Threaded
