"""A listing of a million keys holds two pages: the one in use, and the next one."""

import gc
import re
from typing import Final

from benchmarks.null_s3 import listing_page, listing_row
from entrepot import Entry, Operator
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

KEYS: Final = 1_000_000
PAGE: Final = 1_000
FEW: Final = 10
"""Entries besides: of the directory itself, and the ones by which a page is known again if the server repeats it."""
LOOKS: Final = 100_000
"""Keys between two counts of the entries in memory."""


ROWS: Final = "".join(map(listing_row, range(PAGE))).replace("part-000000", "part-@@@@@@")
"""The rows of a page, with the place of its number in the keys."""


def page(request: HttpRequest) -> HttpResponse:
    token = re.search(r"continuation-token=p(\d+)", request.url)
    number = int(token[1]) if token else 0
    following = f"p{number + 1}" if (number + 1) * PAGE < KEYS else None
    content = listing_page(iter([ROWS]), bucket="b", token=f"p{number}", next_token=following)
    return reply(200, content.replace("@@@@@@", f"{number:06}").encode())


def entries_in_memory() -> int:
    gc.collect()
    return sum(type(item) is Entry for item in gc.get_objects())


async def test_a_million_keys_take_the_memory_of_two_pages() -> None:
    transport = MockTransport(page)
    config = S3(bucket="b", endpoint="http://h", region="us-east-1", access_key_id="A", secret_access_key="S")
    op = Operator(config, context=Context(http=transport))
    before, count, size = entries_in_memory(), 0, 0
    async for entry in op.lister("", recursive=True):
        if count % LOOKS == PAGE // 2:
            assert entries_in_memory() - before <= 2 * PAGE + FEW
            assert len(transport.requests) <= count // PAGE + 2
        count += entry.is_file
        size += entry.size or 0
    assert (count, size) == (KEYS, sum(range(PAGE)) * KEYS // PAGE)
    assert len(transport.requests) == KEYS // PAGE
