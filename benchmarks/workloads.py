"""The cases. A case is one verb of one kind of store, called in one way; a workload is a few of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Literal

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

SMALL: Final = 4 * KIB
MANY_KEYS: Final = 1_000_000
"""The most keys for contenders that would take minutes to list more."""
BARE: Final = ("aiohttp",)
RUST: Final = ("obstore", "opendal")
NATIVE: Final = (*RUST, "tensorstore", "awscrt")
"""The contenders that are not written in Python."""
LIMIT: Final = "limit"
"""The contender that does the minimum: raw sockets, raw system calls."""
OURS: Final = "entrepot"

Store = Literal["S3", "BlockingS3", "Local", "BlockingLocal", "Memory", "LayeredMemory", "Package"]
Measure = Literal["rate", "work", "imported", "first", "growth"]


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a figure.

    Arguments:
        name: the text after the figure.
        scale: the factor of the figure.
        counts: the things counted per second: calls, or the results of calls.
        is_cost: whether the figure is the cost of one (in `name`), so that less is better.
    """

    name: str
    scale: float = 1.0
    counts: Literal["calls", "returned"] = "calls"
    is_cost: bool = False


CALLS: Final = Unit("calls/s")
MEGABYTES: Final = Unit("MB/s", 1e-6, "returned")
KEYS: Final = Unit("keys/s", 1.0, "returned")
MICROSECONDS: Final = Unit("us", 1e6, is_cost=True)
MICROSECONDS_EACH: Final = Unit("us", 1e6, "returned", is_cost=True)
MILLISECONDS: Final = Unit("ms", 1e3, is_cost=True)
MEBIBYTES: Final = Unit("MiB", 1 / MIB, is_cost=True)


@dataclass(frozen=True, slots=True)
class Aim:
    """An aim: a figure of ours beside the best of some other contenders, or absolute.

    Arguments:
        factor: how many times as good as the best of `of`, or, without those, the figure itself.
        of: the contenders of the comparison; missing ones do not count.
        figure: the figure of the case, or the CPU time of each call, or the peak of memory.
    """

    factor: float
    of: tuple[str, ...] = ()
    figure: Literal["value", "cpu", "peak"] = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case: one verb of one store with its arguments.

    Arguments:
        workload: the number of the workload.
        name: describes the case, and is unique.
        store: the class of the contender that is used. A contender without it takes no part.
        verb: its method. A contender whose class lacks it takes no part.
        arguments: of the method.
        bucket: the bucket, for an S3.
        is_tls: whether an S3 is reached by https.
        expected: the result of the method; any other is an error.
        concurrency: how many calls are in flight; without an event loop, in how many threads.
        removes: a local file that is removed before each piece of work, outside of its time.
        measure: how it is measured, the name of a function of `child.py`.
        repeat: how many calls, where that does not depend on the time.
        unit: the unit of the figure.
        loops: the event loops of the measurement, from the scale's; "none" is without one.
        only: the contenders that take part, if not all.
        counts_requests: whether the requests are counted as well.
        is_steady: whether one round is as informative as several.
        aims: the aims.
    """

    workload: int
    name: str
    store: Store
    verb: str = ""
    arguments: tuple[Any, ...] = ()
    bucket: str = "bench"
    is_tls: bool = False
    expected: int | None = None
    concurrency: int = 1
    removes: str = ""
    measure: Measure = "rate"
    repeat: int = 1
    unit: Unit = CALLS
    loops: tuple[str, ...] = ("asyncio", "uvloop")
    only: tuple[str, ...] = ()
    counts_requests: bool = False
    is_steady: bool = False
    aims: tuple[Aim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The amounts of a run.

    Arguments:
        rounds: how often each contender is measured.
        seconds: how long a rate is measured, after a third of that to warm up.
        loops: the event loops that are measured.
        concurrencies: numbers of small requests in flight.
        tls_workloads: those of the workloads 1, 2, 3 and 12 that are measured over TLS as well.
        object_size: bytes of the large object.
        file_size: bytes of the large file.
        long_stream: bytes of the object that is streamed to see whether memory grows.
        requests: how many requests are made to see that.
        key_counts: how many keys are listed.
        files: how many files the folder has that is listed.
        tables: how many Parquet files are read.
        columns: how many column chunks of each.
        connections: how many of the slow connections are used.
        sizes: object sizes of the lines that show growth.
        counts: the same for numbers of keys and files.
        at_once: the same for numbers of requests in flight.
    """

    rounds: int
    seconds: float
    loops: tuple[str, ...]
    concurrencies: tuple[int, ...]
    tls_workloads: tuple[int, ...]
    object_size: int
    file_size: int
    long_stream: int
    requests: int
    key_counts: tuple[int, ...]
    files: int
    tables: int
    columns: int
    connections: tuple[int, ...]
    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    at_once: tuple[int, ...]


FULL: Final = Scale(
    rounds=3,
    seconds=1.0,
    loops=("asyncio", "uvloop"),
    concurrencies=(1, 32, 256),
    tls_workloads=(1, 2, 3, 12),
    object_size=GIB,
    file_size=4 * GIB,
    long_stream=10 * GIB,
    requests=10_000,
    key_counts=(100_000, 1_000_000),
    files=100_000,
    tables=50,
    columns=200,
    connections=(1, 2, 4, 8, 16),
    sizes=(4 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB, GIB),
    counts=(1_000, 10_000, 100_000, 1_000_000),
    at_once=(1, 4, 16, 64, 256),
)
QUICK: Final = Scale(
    rounds=1,
    seconds=0.15,
    loops=("asyncio",),
    concurrencies=(32,),
    tls_workloads=(1,),
    object_size=32 * MIB,
    file_size=64 * MIB,
    long_stream=128 * MIB,
    requests=200,
    key_counts=(5_000,),
    files=2_000,
    tables=3,
    columns=40,
    connections=(4,),
    sizes=(4 * KIB, 32 * MIB),
    counts=(1_000, 5_000),
    at_once=(1, 32),
)

TITLES: Final = {
    1: "4 KiB S3 GET",
    2: "4 KiB S3 PUT",
    3: "A large S3 object in one stream, and eight at once",
    4: "A large S3 object over slow connections",
    5: "Multipart upload",
    6: "Listing a bucket",
    7: "The Parquet pattern",
    8: "Local files: small reads, stats, a listing",
    9: "Local files: a large one read and written",
    10: "The cost of the stack",
    11: "Start and memory",
    12: "Without await",
    13: "What grows with what",
}

SLOW_RATE: Final = 50 * 10**6
"""Bytes a second of a slow connection."""
MANY_THREADS: Final = 8
COLUMN: Final = 64 * KIB
"""Bytes of a column chunk."""
COLUMN_STEP: Final = COLUMN + 16 * KIB
"""Bytes from the start of one column chunk to the start of the next one that is read."""
FOOTER: Final = 64 * KIB
"""Bytes of the footer of a Parquet file."""
FILE_CHUNK: Final = 256 * KIB
"""Bytes of each chunk of a file that is read in small ones."""
MEMORY_CHUNK: Final = 16 * KIB
"""Bytes of each chunk of a stream from memory."""
MEMORY_SIZE: Final = 16 * MIB
"""Bytes of the object in memory that is streamed."""


def table_size(scale: Scale) -> int:
    """Bytes of a Parquet file: its columns, then its footer."""
    return scale.columns * COLUMN_STEP + FOOTER


def cases(scale: Scale) -> list[Case]:
    """All cases, in order."""
    return [
        *_small_requests(scale),
        *_streams(scale),
        *_slow_connections(scale),
        *_uploads(scale),
        *_listings(scale),
        *_tables(scale),
        *_local_small(scale),
        *_local_large(scale),
        *_stack(),
        *_start_and_memory(scale),
        *_blocking(scale),
        *_growth(scale),
    ]


def _schemes(workload: int, scale: Scale) -> list[tuple[bool, str]]:
    """Whether a workload is measured without TLS, with it or both, and what names of its cases say of that."""
    return [(False, ""), (True, " over TLS")] if workload in scale.tls_workloads else [(False, "")]


def _small_requests(scale: Scale) -> Iterator[Case]:
    aims = (Aim(2.0, NATIVE), Aim(0.6, NATIVE, "cpu"))
    for workload, verb, word in ((1, "get", "GET"), (2, "put", "PUT")):
        for (is_tls, scheme), n in product(_schemes(workload, scale), scale.concurrencies):
            yield Case(
                workload=workload,
                name=f"{word} 4 KiB{scheme}, {n} at once",
                store="S3",
                is_tls=is_tls,
                verb=verb,
                arguments=("small",),
                expected=SMALL,
                concurrency=n,
                aims=aims,
            )


def _streams(scale: Scale) -> Iterator[Case]:
    shapes = (
        ("one stream", "large", 1, scale.object_size),
        ("eight streams at once, an eighth each", "eighth", 8, scale.object_size // 8),
    )
    for (is_tls, scheme), (name, key, n, size) in product(_schemes(3, scale), shapes):
        yield Case(
            workload=3,
            name=name + scheme,
            store="S3",
            is_tls=is_tls,
            verb="stream",
            arguments=(key,),
            expected=size,
            concurrency=n,
            measure="work",
            unit=MEGABYTES,
            aims=(Aim(0.95, BARE),),
        )


def _slow_connections(scale: Scale) -> Iterator[Case]:
    for n in scale.connections:
        yield Case(
            workload=4,
            name=f"50 MB/s each, {n} at once",
            store="S3",
            verb="ranges",
            arguments=("large", scale.object_size, n),
            bucket="slow",
            expected=scale.object_size,
            measure="work",
            unit=MEGABYTES,
            loops=("asyncio",),
            is_steady=True,
            aims=(Aim(0.95 * n * SLOW_RATE / 1e6),),
        )


def _uploads(scale: Scale) -> Iterator[Case]:
    for verb, word, n in (("upload", "", 1), ("upload", "", 4), ("upload_unsigned", "content not signed, ", 4)):
        yield Case(
            workload=5,
            name=f"parts of 8 MiB, {word}{n} at once",
            store="S3",
            verb=verb,
            arguments=("new", scale.object_size, n),
            expected=scale.object_size,
            measure="work",
            unit=MEGABYTES,
            aims=(Aim(1.0, RUST),),
        )


def _listings(scale: Scale) -> Iterator[Case]:
    for count in scale.key_counts:
        yield Case(
            workload=6,
            name=f"{count:,} keys",
            store="S3",
            verb="list",
            bucket=f"list{count}",
            expected=count,
            measure="work",
            unit=KEYS,
            only=() if count < MANY_KEYS else (OURS, *RUST),
            aims=(Aim(1.0, RUST),),
        )


def _tables(scale: Scale) -> Iterator[Case]:
    yield Case(
        workload=7,
        name=f"the footer, then {scale.columns} column chunks, of {scale.tables} files",
        store="S3",
        verb="tables",
        arguments=(scale.tables, scale.columns),
        expected=scale.tables * (FOOTER + scale.columns * COLUMN),
        measure="work",
        unit=MEGABYTES,
        counts_requests=True,
        aims=(Aim(1.2, RUST),),
    )


def _local_small(scale: Scale) -> Iterator[Case]:
    for n in (1, 32):
        for verb in ("read", "stat"):
            yield Case(
                workload=8,
                name=f"{verb} 4 KiB files, {n} at once",
                store="Local",
                verb=verb,
                arguments=("small",),
                expected=SMALL,
                concurrency=n,
                aims=(Aim(2.0, RUST),),
            )
    for verb, folder, words in (("list", "many", "in one folder"), ("walk", "tree", "in many folders")):
        yield Case(
            workload=8,
            name=f"list {scale.files:,} files {words}",
            store="Local",
            verb=verb,
            arguments=(folder,),
            expected=scale.files,
            measure="work",
            unit=KEYS,
            aims=(Aim(1.0, RUST),),
        )


def _local_large(scale: Scale) -> Iterator[Case]:
    beside_raw = (Aim(1.0, (*RUST, "aiofiles")), Aim(0.9, (LIMIT,)))
    for name, verb, arguments, options in (
        ("stream a large file", "stream", ("large",), {"aims": beside_raw}),
        ("stream it in chunks of 256 KiB", "chunks", ("large", FILE_CHUNK), {"aims": beside_raw[:1]}),
        ("write a new large file", "write", ("new", scale.file_size), {"removes": "new", "aims": beside_raw}),
        ("replace a large file", "write", ("new", scale.file_size), {"aims": (Aim(1.0, RUST),)}),
    ):
        yield Case(
            workload=9, name=name, store="Local", verb=verb, arguments=arguments, expected=scale.file_size,
            measure="work", unit=MEGABYTES, **options,
        )  # fmt: skip


def _stack() -> Iterator[Case]:
    yield Case(
        workload=10, name="read 1 byte from memory", store="Memory", verb="read", expected=1, unit=MICROSECONDS,
        aims=(Aim(10),),
    )  # fmt: skip
    yield Case(
        workload=10, name="the same with retry, timeout and metrics", store="LayeredMemory", verb="read", expected=1,
        unit=MICROSECONDS, aims=(Aim(20),),
    )  # fmt: skip
    yield Case(
        workload=10, name="each chunk of a stream from memory", store="Memory", verb="stream",
        expected=MEMORY_SIZE // MEMORY_CHUNK, unit=MICROSECONDS_EACH, aims=(Aim(2),),
    )  # fmt: skip


def _start_and_memory(scale: Scale) -> Iterator[Case]:
    yield Case(
        workload=11, name="import", store="Package", measure="imported", unit=MILLISECONDS, loops=("asyncio",),
        aims=(Aim(40),),
    )  # fmt: skip
    yield Case(
        workload=11, name="import and first request of a process", store="S3", verb="get", arguments=("small",),
        expected=SMALL, measure="first", unit=MILLISECONDS, loops=("asyncio",),
    )  # fmt: skip
    yield Case(
        workload=11, name=f"memory after {scale.requests:,} requests", store="S3", verb="get", arguments=("small",),
        expected=SMALL, measure="growth", repeat=scale.requests, unit=MEBIBYTES, loops=("asyncio",), is_steady=True,
        aims=(Aim(2),),
    )  # fmt: skip
    yield Case(
        workload=11, name=f"memory after streaming {scale.long_stream / GIB:g} GiB", store="S3", verb="stream",
        arguments=("long",), expected=scale.long_stream, measure="growth", unit=MEBIBYTES, loops=("asyncio",),
        is_steady=True, aims=(Aim(16),),
    )  # fmt: skip


def _blocking(scale: Scale) -> Iterator[Case]:
    for verb in ("read", "stat"):
        yield Case(
            workload=12, name=f"{verb} a 4 KiB file", store="BlockingLocal", verb=verb, arguments=("small",),
            expected=SMALL, loops=("none",), aims=(Aim(2.0, RUST),),
        )  # fmt: skip
    for (is_tls, scheme), n in product(_schemes(12, scale), (1, MANY_THREADS)):
        yield Case(
            workload=12, name=f"GET 4 KiB from S3{scheme}, {n} threads", store="BlockingS3", is_tls=is_tls, verb="get",
            arguments=("small",), expected=SMALL, concurrency=n, loops=("none",), aims=(Aim(1.0, NATIVE),),
        )  # fmt: skip


def _growth(scale: Scale) -> Iterator[Case]:
    """Cases of entrepot alone: a line for each operation, against the size or number at the end of its name."""
    for size in scale.sizes:
        for store, verb, arguments in (
            ("S3", "whole", (f"size{size}",)),
            ("S3", "stream", (f"size{size}",)),
            ("S3", "upload", ("new", size, 4)),
            ("Local", "whole", (f"size{size}",)),
            ("Local", "stream", (f"size{size}",)),
            ("Local", "write", ("new", size)),
        ):
            yield _grown(store, verb, "bytes", size, arguments=arguments, expected=size)
    for count in scale.counts:
        yield _grown("S3", "list", "keys", count, bucket=f"list{count}", expected=count)
    for n in scale.at_once:
        yield _grown("S3", "get", "at once", n, arguments=("small",), expected=SMALL, concurrency=n, measure="rate")


def _grown(store: Store, verb: str, variable: str, amount: int, **options: Any) -> Case:
    """A point of a line."""
    name = f"{verb} of {store}, {variable}: {amount}"
    given = {"measure": "work", "unit": MILLISECONDS, "loops": ("asyncio",), "only": (OURS,), **options}
    return Case(workload=13, name=name, store=store, verb=verb, is_steady=True, **given)
