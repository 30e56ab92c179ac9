"""What a training begins with: a network that is trained already, as it was and as it is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.progress import Listeners
from ..data.dataset import Dataset
from ..data.quality import Quality
from ..student.accuracy import quality_of_student
from ..student.neurons import reset_of
from ..student.student import Student


@dataclass(frozen=True, eq=False)
class Start:
    """A network with which a training begins.

    Attributes:
        name: of its file, or its type.
        sha256: of its file, or of the weights of an object.
        before: the network as it was.
        begins: the same weights in the student that is trained, over its T, with its encoding and its reset.
        remarks: what was assumed or chosen, as sentences.
    """

    name: str
    sha256: str
    before: Student
    begins: Student
    remarks: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the student that is trained computes something else than the network did."""
        mine, theirs = self.begins.config, self.before.config
        same = all(getattr(mine, name) == getattr(theirs, name) for name in ("timesteps", "encoding", "input_bits"))
        return self.converts or not same

    @property
    def converts(self) -> bool:
        """Whether the student that is trained resets its neurons in another way."""
        return resets_in(self.begins) != resets_in(self.before)


def resets_in(student: Student) -> set[str]:
    """The resets of a student's neurons that fire."""
    return {reset_of(student.neuron(name)) for name in student.spiking_layers}


@dataclass(frozen=True)
class Baseline:
    """How good a network was on the validation part before it was trained on.

    Attributes:
        before: as it was; None where it takes other samples.
        unchanged: its weights in the student that is trained.
    """

    before: Quality | None
    unchanged: Quality

    @property
    def facts(self) -> dict[str, object]:
        """JSON-able facts for the student's file."""
        before = None if self.before is None else self.before.facts
        return {"init_validation_quality": before, "init_unchanged_quality": self.unchanged.facts}


def baseline_of(start: Start, student: Student, dataset: Dataset, seed: int, listeners: Listeners) -> Baseline:
    """Measure what a training begins with, and say it.

    Args:
        student: before its first step.
        seed: of the rate code.
    """
    for remark in start.remarks:
        listeners.say(remark, "assumed")
    fits = dataset.timesteps in (None, start.before.config.timesteps)
    before = quality_of_student(start.before, dataset.validation, seed) if fits else None
    unchanged = quality_of_student(student, dataset.validation, seed) if start.is_changed or before is None else before
    what = "validation accuracy" if dataset.output.is_classes else "validation"
    if before is not None:
        listeners.say(f"begins with {start.name}: {what} {before}")
    if unchanged is not before:
        listeners.say(f"its weights in the student, which {_differences(start)}: {what} {unchanged}")
    return Baseline(before, unchanged)


def say_outcome(start: Start, found: Baseline, after: Quality, listeners: Listeners) -> None:
    """Say how good a network was before, its unchanged weights in the student, and the student after the training."""
    steps = [("before", found.before), ("unchanged weights", found.unchanged), ("after", after)]
    told = ", ".join(f"{name} {quality}" for name, quality in steps if quality is not None)
    what = "conversion" if start.converts else "fine-tuning"
    listeners.say(f"{what} of {start.name}, on validation: {told}")


def _differences(start: Start) -> str:
    mine, theirs = start.begins.config, start.before.config
    told = [f"resets by {' and '.join(sorted(resets_in(start.begins)))!r}"] if start.converts else []
    told += [f"has {name} {getattr(mine, name)}" for name in ("timesteps", "encoding", "input_bits")
             if getattr(mine, name) != getattr(theirs, name)]  # fmt: skip
    return " and ".join(told) or "takes these samples"
