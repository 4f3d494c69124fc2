"""Programs that run with every warning an error, and what they say on stderr."""

import re
import sys

STRICT = [sys.executable, "-X", "dev", "-W", "error"]

_REMARK = re.compile(r"Executing <.* took \d+\.\d+ seconds\n?")


def warnings_of(stderr: str) -> str:
    """What stood on stderr, without asyncio's remark in development mode that the machine was busy for 0.1 s."""
    return "".join(line for line in stderr.splitlines(keepends=True) if not _REMARK.fullmatch(line))
