"""The command: measures, and writes the figures as JSON, as Markdown tables and as a picture.

python -m benchmarks [--quick] [--rounds 3] [--workloads 1,2,8] [--contenders entrepot,obstore] [--into FOLDER]
"""

import argparse
import compileall
import sys
import time
from dataclasses import replace
from pathlib import Path

import entrepot

from . import machine, plot, report
from .contenders import missing, names
from .grounds import grounds
from .rounds import Result, as_json, measure, participants
from .workloads import FULL, OURS, QUICK, TITLES, Scale, cases


def main() -> None:
    arguments = _arguments()
    scale = QUICK if arguments.quick else FULL
    scale = replace(scale, rounds=arguments.rounds or scale.rounds)
    start = time.monotonic()
    abilities, results = _measured(scale, arguments.workloads, arguments.contenders)
    facts = machine.facts() | {
        "scale": "quick" if arguments.quick else "full",
        "rounds": scale.rounds,
        "server": abilities,
    }
    facts["minutes"] = round((time.monotonic() - start) / 60, 1)
    _write(arguments.into, facts, results)
    print(report.verdicts(results))
    print(f"All figures: {arguments.into}")
    if failures := report.failures(results):
        raise SystemExit(failures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a short part of each workload, one round")
    parser.add_argument("--workloads", type=_numbers, default=list(TITLES), help="their numbers, with commas")
    parser.add_argument("--contenders", type=_names, default=names(), help="their names, with commas")
    parser.add_argument("--rounds", type=int, help="how often each is measured; 3 by default, 1 with --quick")
    parser.add_argument("--into", type=Path, default=Path("build/benchmarks"), help="where the results are written")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if unknown := set(numbers) - set(TITLES):
        raise argparse.ArgumentTypeError(f"there is no workload {unknown.pop()}")
    return numbers


def _names(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(names()):
        raise argparse.ArgumentTypeError(f"there is no contender {unknown.pop()}; there are {', '.join(names())}")
    return sorted({OURS, *chosen})


def _measured(scale: Scale, workloads: list[int], chosen: list[str]) -> tuple[dict[str, int], list[Result]]:
    results: list[Result] = []
    for name in missing():
        _tell(f"{name} is not installed, and takes no part")
    _compile_ours()
    available = set(chosen) - set(missing())
    with grounds(scale) as place:
        for case in cases(scale):
            if case.workload in workloads:
                those = [name for name in participants(case) if name in available]
                results.append(measure(case, place, scale, those, _tell))
        return machine.abilities_of(place.server.url, scale.seconds), results


def _compile_ours() -> None:
    """Compiles the modules of entrepot, as pip does with what it installs: here they may be files of a checkout."""
    compileall.compile_dir(Path(entrepot.__file__).parent, quiet=1)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _write(folder: Path, facts: dict[str, object], results: list[Result]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(as_json(facts, results))
    (folder / "results.md").write_text(report.tables(facts, results))
    plot.compared(results, folder / "compared.svg")
    plot.growth(results, folder / "growth.svg")


if __name__ == "__main__":
    main()
