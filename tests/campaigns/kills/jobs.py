"""The command lines that are ended, one for each verb that writes, and the files that they start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

TRAINING = (
    *("--data", "digits", "--train-samples", "60", "--batch", "20", "--teacher", "mlp", "--teacher-epochs", "1"),
    *("--architecture", "mlp", "--width", "2", "-T", "1"),
)
STUDENT = (*TRAINING, "--epochs", "4")
RUN = ("run", *STUDENT, "--samples-lava", "0", "--out", "made")
POINTS = (*TRAINING, "--epochs", "2")
FORMER_SEED = ("--seed", "4")
TIMES = "*.times.json"
"""Names of files that hold times, and nothing but times differs in them."""
MATERIAL = ("student.pt", "other.pt", "student.nir", "other.nir", "chip.h5", "other.h5", "activity.json")


@dataclass(frozen=True)
class Job:
    """A command line that writes.

    Attributes:
        name: of its verb, with what is special about it.
        words: the command line, which runs in a folder of its own.
        inputs: files of the material that it reads.
        former: the command line whose files may stand there before; empty for none.
        again: flags with which it goes on; without them the same again must do, too.
        stopped_after: the name of the file whose second writing ends an earlier try, on which this one goes on; empty
            where it starts from nothing.
        varying: patterns of names of files that differ between equal runs and must be readable.
        passing: patterns of names of files that are written more than once, and in the end the same in equal runs.
        like: the job whose files it must end in; empty for its own.
    """

    name: str
    words: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    stopped_after: str = ""
    varying: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    like: str = ""


def _distill(out: str = "student.pt") -> tuple[str, ...]:
    return ("distill", *STUDENT, "--out", out)


DISTILL = Job(
    "distill", _distill(), former=(*_distill(), *FORMER_SEED), again=("--resume",), varying=(TIMES,)
)  # fmt: skip
WHOLE = Job("run", RUN, former=(*RUN, *FORMER_SEED), again=("--resume",), varying=(TIMES,), passing=("student.md",))
BENCH = ("study.db", "study.db-*", TIMES)
JOBS = (
    DISTILL,
    replace(
        DISTILL, name="distill --resume", words=(*_distill(), "--resume"), former=(), again=(),
        stopped_after="student.pt.checkpoint", like="distill",
    ),
    Job(
        "to-nir", ("to-nir", "student.pt", "-o", "graph.nir", "--samples", "4"), ("student.pt", "other.pt"),
        ("to-nir", "other.pt", "-o", "graph.nir", "--samples", "4"),
    ),
    Job(
        "lower", ("lower", "student.nir", "-o", "out.h5"), ("student.nir", "other.nir"),
        ("lower", "other.nir", "-o", "out.h5"),
    ),
    Job(
        "simulate",
        ("simulate", "chip.h5", "--samples", "40", "--record", "r.h5", "--scores", "s.npz", "-o", "counts.json"),
        ("chip.h5",), ("simulate", "chip.h5", "--samples", "9", "--record", "r.h5", "--scores", "s.npz",
        "-o", "counts.json"),
    ),
    Job(
        "simulate --on lava", ("simulate", "chip.h5", "--samples", "1", "--on", "lava", "-o", "counts.json"),
        ("chip.h5",), ("simulate", "chip.h5", "--samples", "9", "-o", "counts.json"),
    ),
    Job(
        "report", ("report", "activity.json", "chip.h5", "-o", "priced"), ("activity.json", "chip.h5"),
        ("report", "activity.json", "chip.h5", "-o", "priced", "--energy-budget", "9uJ"),
    ),
    Job(
        "drift", ("drift", "student.nir", "chip.h5", "--samples", "20", "-o", "drift.md"), ("student.nir", "chip.h5"),
        ("drift", "student.nir", "chip.h5", "--samples", "5", "-o", "drift.md"),
    ),
    Job(
        "check", ("check", "student.nir", "--repair", "-o", "repaired.nir"), ("student.nir", "other.nir"),
        ("check", "other.nir", "--repair", "-o", "repaired.nir"),
    ),
    Job("data", ("data", "digits", "--show", "shown.png"), (), ("data", "digits", "--show", "shown.png", "-T", "2")),
    WHOLE,
    replace(
        WHOLE, name="run --resume", words=(*RUN, "--resume"), former=(), again=(),
        stopped_after="student.pt.checkpoint", like="run",
    ),
    Job(
        "sweep", ("sweep", *POINTS, "--budgets", "60nJ", "--out", "swept"),
        varying=(*BENCH, "sweep.json", "sweep.md"),
    ),
    Job(
        "compare", ("compare", *POINTS, "--methods", "none kd", "--seeds", "1", "--out", "compared"),
        varying=(*BENCH, "record.json", "compare.json", "compare.md", "compare.svg", "compare.png"),
    ),
)  # fmt: skip
"""Every verb that writes."""


def make_material(folder: Path, main: Callable[[Sequence[str]], int]) -> None:
    """Make the files that jobs read, from two small students; needs ``folder`` as the current one."""
    for name, seed in (("other", "4"), ("student", "3")):  # whose counts stay
        chip = "chip.h5" if name == "student" else "other.h5"
        for words in (
            (*_distill(f"{name}.pt"), "--seed", seed, "--method", "none"),
            ("to-nir", f"{name}.pt", "-o", f"{name}.nir", "--no-card", "--samples", "2"),
            ("lower", f"{name}.nir", "-o", chip),
            ("simulate", chip, "--samples", "9", "-o", "activity.json"),
        ):
            if code := main(words):
                raise RuntimeError(f"{' '.join(words)}: ended with code {code}")
    if missing := [name for name in MATERIAL if not (folder / name).is_file()]:
        raise RuntimeError(f"the material lacks {missing}")
