"""Try a seeded sample of mutants: ``python -m campaigns.mutants --count 1000 --seed 1``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from campaigns.mutants.covering import Covering
from campaigns.mutants.mutant import Mutant
from campaigns.mutants.places import PLACES, ROOT
from campaigns.mutants.sample import compiled, sample, source_of
from campaigns.mutants.tally import Tally, Tried
from campaigns.mutants.trial import Trial, preload

FOLDER = ROOT / "build" / "campaigns" / "mutants"
TESTS = ("tests/unit", "tests/golden", "tests/agreement", "tests/oracles")
MARKS = "not slow and not lava and not gpu and not network"


def measure(jobs: int) -> None:
    """Run the tests once and note which lines each of them runs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in [*FOLDER.glob("lines.*"), *FOLDER.glob("seconds.*")]:
        old.unlink()
    environment = {**os.environ, "SPIKEWRIGHT_CONTEXTS": str(FOLDER)}
    plugin = ["-p", "campaigns.mutants.contexts", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", "-q", *plugin, "-m", MARKS, "--numprocesses", str(jobs), *TESTS]
    subprocess.run(words, cwd=ROOT, env=environment, check=False)


def trials(mutants: list[Mutant], covering: Covering, arguments: argparse.Namespace) -> Iterator[Tried]:
    """Each mutant with what became of it, ``--jobs`` at a time."""
    waiting, running = list(reversed(mutants)), dict[Mutant, Trial]()
    logs = Path(tempfile.mkdtemp(prefix="mutants-"))
    while waiting or running:
        while waiting and len(running) < arguments.jobs:
            mutant = waiting.pop()
            path = ROOT / mutant.module
            code = None if arguments.unchanged else compiled(source_of(mutant), path)
            stages = covering.tests_of(mutant, arguments.tests_seconds)
            limit, log = 5 * arguments.tests_seconds, logs / str(len(waiting))
            running[mutant] = Trial(path, code, stages, limit, log, covering.seconds)
        for mutant, trial in list(running.items()):
            if trial.ended():
                assert trial.outcome is not None
                yield Tried(mutant, trial.outcome, round(trial.seconds, 1))
                del running[mutant]
        time.sleep(0.02)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="mutants (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (one a core)")
    parser.add_argument("--group", action="append", choices=list(PLACES), help="only of these groups")
    parser.add_argument(
        "--tests-seconds", type=float, default=60, help="of tests for a mutant, the quickest first (60)"
    )
    parser.add_argument("--again", action="store_true", help="only those that survived the last time")
    parser.add_argument("--go-on", action="store_true", help="keep what an earlier run of this sample has tried")
    parser.add_argument("--unchanged", action="store_true", help="change nothing: every one has to survive")
    parser.add_argument("--measured", action="store_true", help="keep the lines that an earlier run has measured")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    os.chdir(ROOT)
    if not arguments.measured:
        measure(arguments.jobs)
    covering = Covering.read(FOLDER)
    result = FOLDER / "mutants.json"
    tally = Tally.read(result) if (arguments.again or arguments.go_on) and result.exists() else Tally()
    if arguments.again:
        mutants = tally.forgotten_survivors()
    else:
        drawn = sample(arguments.count, arguments.seed, arguments.group or list(PLACES))
        mutants = tally.untried(drawn)
    preload()
    for number, tried in enumerate(trials(mutants, covering, arguments), 1):
        tally.add(tried)
        print(f"{number}/{len(mutants)} {tried.line()}", flush=True)
        if number % 20 == 0:
            tally.write(result)
    tally.write(result)
    print(tally.table())
    return 0 if tally.good() else 1


if __name__ == "__main__":
    sys.exit(main())
