"""An option is declared once, in its record: all the rest is generated from there, or derived."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import SOURCES
from tests.facade.generated import imports_and_the_rest
from tools import generate_blocking, generate_facade

FORGOTTEN = "raw/ops.py or the facade has changed: run `python tools/generate_facade.py`"
RECORD = '''
@record
class OpRead:
    """Arguments of `read`.

    Arguments:
        shade: the shade of the object.
        pace: the pace of the read (a hint).
'''
FIELDS = """
    shade: str | None = None
    pace: Hint[Count] | None = None
    range: BytesRange = FULL_RANGE
"""
SCRIPT = r"""
import asyncio
from dataclasses import replace
from typing import get_type_hints

from entrepot import BlockingOperator, Capability, InvalidInput, Operator, Unsupported
from entrepot.blocking.calls import ReadCall
from entrepot.facade.futures import FuturePresignRead, FutureRead
from entrepot.facade.keywords import PresignReadOptions, ReaderOptions
from entrepot.testing.synthetic import Synthetic


class Shaded(Synthetic):
    def capability(self):
        return replace(super().capability(), read_with_shade=True)


def refused(error, call, words):
    try:
        call()
    except error as refusal:
        assert words in str(refusal), refusal
    else:
        raise AssertionError(words)


async def awaited(op):
    assert await op.read("a", shade="red", pace=2) == b"content"
    assert await op.read_with("a").shade("red").pace(2) == b"content"
    async with op.reader("a", shade="red", pace=2) as reader:
        assert await reader.read() == b"content"


service, other = Shaded(b"content"), Synthetic(b"content")
asyncio.run(awaited(Operator(service)))
blocking = Operator(service).blocking()
assert blocking.read("a", shade="red", pace=2) == b"content"
assert blocking.read_with("a").shade("red").pace(2).run() == b"content"
arrived = [(call.args.shade, call.args.pace) for call in service.script.calls if call.operation == "read"]
assert arrived == [("red", 2)] * 5, arrived

refused(InvalidInput, lambda: blocking.read("a", shade=5), "shade")
refused(InvalidInput, lambda: blocking.read("a", pace=0), "pace")
refused(Unsupported, lambda: Operator(other).blocking().read("a", shade="red"), "read with shade")
assert Operator(other).blocking().read("a", pace=2) == b"content"
assert other.script.opens == 1

assert (Capability().read_with_shade, hasattr(Capability(), "read_with_pace")) == (False, False)
hints = get_type_hints(ReaderOptions)
assert (hints["shade"], hints["pace"]) == (str | None, int | None)
assert ("shade" in get_type_hints(PresignReadOptions), "pace" in get_type_hints(PresignReadOptions)) == (True, False)
assert (hasattr(FuturePresignRead, "shade"), hasattr(FuturePresignRead, "pace")) == (True, False)
for operator in (Operator, BlockingOperator):
    assert "shade: the shade of the object. Requires `read_with_shade`.\n" in operator.read.__doc__
    assert "pace: the pace of the read (a hint).\n" in operator.read.__doc__
for builder in (FutureRead, ReadCall):
    assert builder.shade.__doc__ == "The shade of the object. Requires `read_with_shade`."
print("done")
"""


@pytest.mark.parametrize("file", ["facade/keywords.py", "facade/futures.py", "blocking/calls.py"])
def test_a_module_is_what_the_generator_writes(file: str) -> None:
    written = generate_facade.generated()[SOURCES / file]
    assert imports_and_the_rest((SOURCES / file).read_text()) == imports_and_the_rest(written), FORGOTTEN


@pytest.mark.parametrize("file", ["facade/operator.py", "types/capability.py"])
def test_generated_lines_are_what_the_generator_writes(file: str) -> None:
    assert (SOURCES / file).read_text() == generate_facade.generated()[SOURCES / file], FORGOTTEN


def test_a_new_option_is_a_change_of_its_record_alone(tmp_path: Path) -> None:
    sources = tmp_path / "entrepot"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
    ops = sources / "raw" / "ops.py"
    text = ops.read_text()
    head, field = RECORD[: RECORD.index("        shade")], "\n    range: BytesRange = FULL_RANGE\n"
    assert (text.count(head), text.count(field)) == (1, 1)
    ops.write_text(text.replace(head, RECORD).replace(field, FIELDS))

    for file, written in generate_facade.generated(sources).items():
        file.write_text(written)
    for name in generate_blocking.HEADS:
        (sources / "blocking" / f"{name}.py").write_text(generate_blocking.generated(name, sources))

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.parametrize(
    ("field", "refusal"),
    [
        ("    shade: complex = 0j\n", "OpRename.shade: no check is known for the type complex"),
        ("    shade: str | None = None\n", 'OpRename.shade has no line under "Arguments:"'),
    ],
)
def test_the_generator_refuses_an_option_that_says_too_little(field: str, refusal: str) -> None:
    start, rename, end = (SOURCES / "raw" / "ops.py").read_text().partition("class OpRename:")
    changed = end.replace("    if_not_exists: bool = False\n", f"    if_not_exists: bool = False\n{field}", 1)
    with pytest.raises(SystemExit, match=refusal):
        generate_facade.options_of(start + rename + changed)
