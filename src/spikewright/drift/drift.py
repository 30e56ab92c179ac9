"""`spikewright drift`: where a float network and the chip network made from it differ, and why.

A graph that was trained in floats is compared with its chip network through the draft, which holds the same populations
in float64; one that was trained on integers must be on the chip what it was in training, and is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import nir
import numpy as np

from ..base.errors import InputError, arg, refuse
from ..base.progress import Advance
from ..base.types import IntArray
from ..chip.network import ChipNetwork
from ..chip.registers import TrainedGrid, trained_grid
from ..profile.profile import HardwareProfile, named_profile
from ..simulation import integer
from ..simulation.simulate import Images, drive_of, fitting
from .float_level import FloatLevel
from .levels import Compared, Level, TrainedLevel
from .report import Answers, DriftReport, LayerDrift

ELEMENTS = 2**21
"""Neuron updates compared at once: bounds the memory, as in the simulator."""
GIVE = f"give its file: {arg('profile', 'PATH')}"


def drift(
    graph: nir.NIRGraph,
    chip: ChipNetwork,
    images: Images,
    labels: IntArray | None = None,
    *,
    profile: HardwareProfile | None = None,
    seed: int = 0,
    progress: Advance | None = None,
) -> DriftReport:
    """Compare ``graph`` with ``chip`` on samples, layer by layer, and say what their differences are due to.

    Args:
        graph: that ``chip`` was made from; trained in floats or (its metadata say) on integers.
        chip: lowered from it.
        images: intensities in [0, 1], shape ``(samples, *input shape)``; events ``(samples, timesteps, *input shape)``.
        labels: classes, shape ``(samples,)``; None leaves the accuracies open.
        profile: where the name that chip or graph give is of a file of one's own; None takes that name.
        seed: of the rate code.
        progress: called with the number of samples done.

    Raises:
        InputError: the chip was not made from this graph, or the samples do not fit.
    """
    refuse("drift", list(_contradictions(graph.metadata, chip)))
    images = fitting(chip, images)
    if (trained := trained_grid(graph.metadata)) is None:
        level = FloatLevel.of(graph, chip, profile or named_profile(chip.profile, "drift", GIVE))
        return _compared(level, chip, images, labels, seed, list(level.remarks()), progress)
    target = profile or named_profile(trained.profile, "drift", GIVE)
    report = _compared(
        TrainedLevel.of(graph, chip, target),
        chip,
        images,
        labels,
        seed,
        list(_profile_remarks(trained, target, chip)),
        progress,
    )
    return replace(report, trained={"profile": target.name, "weight_bits": trained.registers.weight_bits})


def _contradictions(metadata: Mapping[str, object], chip: ChipNetwork) -> Iterator[str]:
    """Facts of the graph that the chip network contradicts."""
    here = {
        "timesteps": chip.timesteps,
        "encoding": chip.encoding,
        "input_bits": chip.provenance.get("input_bits"),
        "readout": chip.readout,
    }
    for name, value in here.items():
        said = metadata.get(name)
        if said is not None and value is not None and said != value:
            yield f"the graph has {name} {said} and the chip network {value}; lower the graph again"


def _profile_remarks(trained: TrainedGrid, target: HardwareProfile, chip: ChipNetwork) -> Iterator[str]:
    if target.sha256 != trained.profile_sha256:
        yield f"profile {target.name} has changed since the graph was trained for it"
    if chip.profile != target.name:
        yield f"the graph was trained for {target.name}, and the chip network is lowered for {chip.profile}"


@dataclass(frozen=True, eq=False)
class Tally:
    """Layers and answers of all samples so far; ``low`` and ``high`` bound the reference's scores."""

    layers: tuple[LayerDrift, ...]
    samples: int
    agreeing: int
    correct: tuple[int, int] | None
    score: float
    low: float
    high: float

    @staticmethod
    def of(found: Compared, labels: IntArray | None) -> Tally:
        """Count one batch."""
        mine, theirs = (scores.argmax(axis=1) for scores in found.scores)
        return Tally(
            layers=found.layers,
            samples=len(mine),
            agreeing=int((mine == theirs).sum()),
            correct=None if labels is None else (int((mine == labels).sum()), int((theirs == labels).sum())),
            score=float(np.abs(found.scores[0] - found.scores[1]).max()),
            low=float(found.scores[0].min()),
            high=float(found.scores[0].max()),
        )

    def __add__(self, other: Tally) -> Tally:
        correct = None
        if self.correct is not None and other.correct is not None:
            correct = (self.correct[0] + other.correct[0], self.correct[1] + other.correct[1])
        return Tally(
            layers=tuple(a + b for a, b in zip(self.layers, other.layers, strict=True)),
            samples=self.samples + other.samples,
            agreeing=self.agreeing + other.agreeing,
            correct=correct,
            score=max(self.score, other.score),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )

    @property
    def answers(self) -> Answers:
        """What the readouts say."""
        mine, theirs = (None, None) if self.correct is None else self.correct
        return Answers(self.samples, self.agreeing, mine, theirs, self.score, self.high - self.low)


def _compared(
    level: Level,
    chip: ChipNetwork,
    images: Images,
    labels: IntArray | None,
    seed: int,
    remarks: Sequence[str],
    progress: Advance | None,
) -> DriftReport:
    """The report of one level against the chip, batch by batch of samples."""
    total: Tally | None = None
    batch = max(1, ELEMENTS // (chip.timesteps * sum(p.size for p in chip.populations)))
    for start in range(0, len(images), batch):
        chosen = slice(start, min(start + batch, len(images)))
        drive = drive_of(chip, images[chosen], seed, first_index=start)
        found = level.compare(drive, integer.run(chip, drive, record_states=True), start)
        tally = Tally.of(found, None if labels is None else labels[chosen])
        total = tally if total is None else total + tally
        if progress:
            progress(chosen.stop - start)
    if total is None:
        raise InputError("drift: there are no samples; give at least 1")
    facts = {"profile": chip.profile, "encoding": chip.encoding, "readout": chip.readout, "seed": seed}
    return DriftReport(
        reference=level.reference,
        layers=total.layers,
        answers=total.answers,
        timesteps=chip.timesteps,
        changed=level.changed,
        remarks=tuple(remarks),
        facts=facts,
    )
