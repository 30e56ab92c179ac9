"""Which tests take long, from the log of a run of all of them; `make test` leaves these out.

    make test-all PYTEST_ARGS="--numprocesses auto --durations=0 --durations-min=1" | tee all.log
    python benchmarks/long_tests.py all.log

It writes `tests/long.txt`: test functions of which a case took at least so many seconds, without those that stay to
show that Lava runs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from spikewright.base.artefacts import atomic_write

LIST = Path(__file__).parents[1] / "tests" / "long.txt"
ON_LAVA = (
    "tests/agreement/test_layers.py::test_lava_computes_the_same",
    "tests/agreement/test_overflows.py::test_lava_overflows_as_the_integers_do",
    "tests/agreement/test_student_and_integers.py::test_what_lowering_adds_runs_in_lava_bit_for_bit",
)
"""Tests on Lava that are always run."""
DURATION = re.compile(r"^\s*([\d.]+)s (?:call|setup|teardown)\s+(tests/\S+?)(\[.*)?$", re.MULTILINE)


def longest(log: str) -> dict[str, float]:
    """By test function, the seconds of its longest case."""
    cases: dict[tuple[str, str], float] = defaultdict(float)
    for seconds, function, case in DURATION.findall(log):
        cases[function, case] += float(seconds)
    found: dict[str, float] = {}
    for (function, _), seconds in cases.items():
        found[function] = max(seconds, found.get(function, 0.0))
    return found


def main(
    log: Annotated[Path, typer.Argument(help="what pytest printed, with --durations=0")],
    least: Annotated[float, typer.Option(help="seconds from which on a test is long")] = 1.5,
) -> None:
    """Write the list, and say how much it is."""
    found = longest(log.read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise SystemExit(f"{log}: has no durations of tests; run pytest with --durations=0 --durations-min=1")
    kept = sorted(name for name, seconds in found.items() if seconds >= least and name not in ON_LAVA)
    with atomic_write(LIST) as temporary:
        Path(temporary).write_text("".join(f"{name}\n" for name in kept), encoding="utf-8")
    print(f"{len(kept)} test functions of {len(found)} with durations are long")


if __name__ == "__main__":
    typer.run(main)
