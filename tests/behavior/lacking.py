"""What the server of each target lacks, as the services declare it in their `behavior.py`.

Each case named here must fail on that server, and once it passes the test fails, so that the line is removed.
"""

from entrepot.raw.suite import Sometimes
from tests.behavior.targets import TARGETS

__all__ = ["LACKING", "Sometimes"]

LACKING = {name: target.declared.lacks for name, target in TARGETS.items()}
