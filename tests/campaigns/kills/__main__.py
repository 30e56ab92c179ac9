"""``python -m campaigns.kills``: ends every verb that writes, at random moments, and counts what is torn or lost."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from spikewright.commands.cli import main

from .campaign import Campaign, Tally
from .jobs import JOBS, Job, make_material
from .starting import environment

CATEGORIES = ("torn", "lost", "mixed", "left", "differs", "missing")


def warm(folder: Path, jobs: Sequence[Job]) -> None:
    """Make the material, and run every job once in this process, so that its forks have everything loaded."""
    material = folder / "material"
    material.mkdir()
    os.environ.update(environment(material))
    os.chdir(material)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        make_material(material, main)
        scratch = folder / "warm"
        for job in jobs:
            shutil.copytree(material, scratch)
            os.chdir(scratch)
            if main([word for word in job.words if word != "--resume"]) not in (0, 1):
                raise RuntimeError(f"{job.name}: fails: {said.getvalue()[-1000:]}")
            os.chdir(material)
            shutil.rmtree(scratch)


def ended_jobs(jobs: Sequence[Job], each: int, seed: int, folder: Path) -> dict[str, Tally]:
    """End each of these jobs ``each`` times."""
    warm(folder, jobs)
    campaign, tallies = Campaign(main, folder, seed), dict[str, Tally]()
    for job in jobs:
        tally = tallies[job.name] = Tally()
        try:
            for number in range(each):
                campaign.attempt(job, tally, number)
        except RuntimeError as error:  # it does not even run when nothing ends it; the other jobs go on
            tally.faults.append(f"{job.name}: cannot be judged: {error}")
        print(f"{job.name:20} {each:4} ended, {len(tally.faults)} faults", flush=True)
        for fault in tally.faults:
            print(f"  {fault}", flush=True)
    return tallies


def summary(tallies: dict[str, Tally], seed: int) -> dict[str, object]:
    """The counts as a JSON object."""

    def counts(found: Sequence[Tally]) -> dict[str, object]:
        faults = [fault.split(": ", 1)[1] for tally in found for fault in tally.faults]
        named = Counter(fault.split(":", 1)[0] for fault in faults)
        ways, codes = sum((t.kinds for t in found), Counter()), sum((t.codes for t in found), Counter())
        return {
            "ended": sum(codes.values()),
            **{name: named[name] for name in CATEGORIES},
            "other faults": sum(count for name, count in named.items() if name not in CATEGORIES),
            "processes of their own": sum(t.processes for t in found),
            "ways": dict(sorted(ways.items())),
            "exit codes": {str(code): codes[code] for code in sorted(codes)},
            "skipped": dict(sum((t.skipped for t in found), Counter())),
        }

    return {"seed": seed, "all": counts([*tallies.values()]), **{name: counts([t]) for name, t in tallies.items()}}


def show(found: dict[str, object]) -> None:
    """Print the counts as a table."""
    print(f"{'':20} ended " + " ".join(f"{name:>7}" for name in (*CATEGORIES, "others")))
    for name, counts in found.items():
        if isinstance(counts, dict):
            numbers = [*(counts[each] for each in CATEGORIES), counts["other faults"]]
            print(f"{name:20} {counts['ended']:5} " + " ".join(f"{number:7}" for number in numbers))


def run(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.kills", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=42, help="ends of every verb")
    parser.add_argument("--only", action="append", help="a job's name; repeatable")
    parser.add_argument("--out", type=Path, default=Path("build/campaigns/kills"))
    asked = parser.parse_args(argv)
    names = [job.name for job in JOBS]
    if unknown := [name for name in asked.only or [] if name not in names]:
        parser.error(f"there is no job {unknown[0]!r}; may be: {', '.join(names)}")
    jobs = [job for job in JOBS if not asked.only or job.name in asked.only]
    if importlib.util.find_spec("lava") is None:
        jobs = [job for job in jobs if "lava" not in job.words]
        print("WITHOUT LAVA: simulate --on lava is left out", flush=True)
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        tallies = ended_jobs(jobs, asked.each, asked.seed, Path(folder).resolve())
        os.chdir(out)
    found = summary(tallies, asked.seed)
    (out / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    (out / "faults.log").write_text("".join(f"{fault}\n" for tally in tallies.values() for fault in tally.faults))
    show(found)
    return int(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(run())
