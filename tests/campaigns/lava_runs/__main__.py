"""`python -m campaigns.lava_runs`: Lava runs in a row, some of them ended; counts what each leaves behind."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
OUT = ROOT / "build" / "campaigns" / "lava_runs"
WARM = 10
"""Runs of a runner after which its memory and its open files are taken to be what they stay."""
MOST_GROWTH = 32 << 20
"""Bytes by which a runner's memory may be larger at its end than when it was warm."""
RESULTS = ("same", "ended")
"""What a run may come to."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 if anything was left, different or wrong."""
    options = _options(words)
    if options.part is not None:
        return _runner(options)
    OUT.mkdir(parents=True, exist_ok=True)
    outcomes: list[dict[str, Any]] = []
    with (OUT / "log.jsonl").open("w") as log:
        for outcome in _outcomes(options):
            outcomes.append(outcome)
            log.write(json.dumps(outcome) + "\n")
            log.flush()
    summary = summary_of(outcomes, options.count)
    (OUT / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(table(summary))
    return int(bool(summary["faults"]))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.lava_runs", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of networks, and of which runs are ended and how")
    parser.add_argument("--count", type=int, default=1000, help="runs; default: 1000")
    parser.add_argument("--ended", type=float, default=0.2, help="share of the runs that are ended; default: 0.2")
    parser.add_argument("--at-once", type=int, default=2, help="runners side by side; default: 2")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def _outcomes(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What all runners say, as it comes; a runner that ends early is a fault of its own."""
    command = [sys.executable, "-m", "campaigns.lava_runs", "--seed", str(options.seed), "--count", str(options.count)]
    command += ["--ended", str(options.ended), "--at-once", str(options.at_once)]
    read, write = os.pipe()
    runners = [subprocess.Popen([*command, "--part", str(part)], stdout=write) for part in range(options.at_once)]
    os.close(write)
    with os.fdopen(read) as lines:  # each line is shorter than what a pipe takes at once, so that none is torn
        for line in lines:
            yield json.loads(line)
    for part, runner in enumerate(runners):
        if code := runner.wait():
            yield {"number": part, "way": "runner", "kind": "", "result": f"a runner ended with {code}", "seconds": 0.0}


def _runner(options: argparse.Namespace) -> int:
    """Make every ``at_once``-th run in this process, and print how each ended."""
    from .run import UNDISTURBED, run

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    usual: list[float] = []
    with tempfile.TemporaryDirectory(prefix="lava-runs-") as folder:
        for number in range(options.part, options.count, options.at_once):
            usual_s = sorted(usual)[len(usual) // 2] if usual else None
            outcome = run(number, options.seed, options.ended, Path(folder), usual_s)
            if outcome.way == UNDISTURBED:
                usual.append(outcome.seconds)
            own = {"part": options.part, "open_files": len(os.listdir("/proc/self/fd")), "memory": _memory()}
            os.write(1, json.dumps({**outcome.as_json(), **own}).encode() + b"\n")
            _clear(Path(folder))
    return 0


def _memory() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _clear(folder: Path) -> None:
    """What was left has been counted, and is not counted again."""
    for each in folder.iterdir():
        shutil.rmtree(each, ignore_errors=True)


def summary_of(outcomes: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    """Counts by way and altogether, and every fault in words.

    Args:
        outcomes: of the runs, as :class:`~campaigns.lava_runs.run.Outcome` with what its runner had at that time.
        count: runs that were asked for.
    """
    ways: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(float))
    faults = [] if len(outcomes) == count else [f"{len(outcomes)} of {count} runs were made"]
    for outcome in outcomes:
        row = ways[outcome["way"]]
        row["runs"] += 1
        row[outcome["result"] if outcome["result"] in RESULTS else "wrong"] += 1
        row["slowest_gone_s"] = round(max(row["slowest_gone_s"], outcome.get("gone_s", 0.0)), 2)
        for what in ("processes", "shared", "files"):
            row[what] += outcome.get(what, 0)
        faults += _faults(outcome)
    runners = [_growth(part, outcomes) for part in sorted({each["part"] for each in outcomes if "part" in each})]
    faults += [f"runner {each['part']} grew: {each}" for each in runners if _grew(each)]
    rows = {way: dict(row) for way, row in sorted(ways.items())}
    return {"runs": len(outcomes), "faults": faults, "ways": rows, "runners": runners}


def _faults(outcome: dict[str, Any]) -> Iterator[str]:
    if outcome["result"] not in RESULTS or (outcome["way"] == "undisturbed" and outcome["result"] != "same"):
        yield f"run {outcome['number']} ({outcome['kind']}, {outcome['way']}): {outcome['result']}"
    for what in ("processes", "shared", "files"):
        if outcome.get(what, 0):
            yield f"run {outcome['number']} ({outcome['kind']}, {outcome['way']}) left {outcome[what]} {what}"


def _growth(part: int, outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Memory and open files of a runner when it was warm, and at its end."""
    own = [each for each in outcomes if each.get("part") == part]
    warm, last = own[min(WARM, len(own) - 1)], own[-1]
    names = ("open_files", "memory")
    return {"part": part, "runs": len(own)} | {
        f"{name}_{when}": each[name] for name in names for when, each in (("warm", warm), ("end", last))
    }


def _grew(runner: dict[str, Any]) -> bool:
    more_files = runner["open_files_end"] > runner["open_files_warm"]
    return more_files or runner["memory_end"] > runner["memory_warm"] + MOST_GROWTH


def table(summary: dict[str, Any]) -> str:
    """The summary for people."""
    names = ("runs", "same", "ended", "wrong", "processes", "shared", "files", "slowest_gone_s")
    lines = [f"{'way':24}" + "".join(f"{name:>15}" for name in names)]
    for way, row in summary["ways"].items():
        lines.append(f"{way:24}" + "".join(f"{row.get(name, 0):>15g}" for name in names))
    for each in summary["runners"]:
        files = f"{each['open_files_warm']} -> {each['open_files_end']}"
        memory = f"{each['memory_warm'] / 2**20:.0f} -> {each['memory_end'] / 2**20:.0f} MiB"
        lines.append(f"runner {each['part']}: {each['runs']} runs, open files {files}, memory {memory}")
    return "\n".join([*lines, *(f"fault: {fault}" for fault in summary["faults"]), f"faults: {len(summary['faults'])}"])


if __name__ == "__main__":
    sys.exit(main())
