"""Differences between two levels of one network, layer by layer, and their causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

import numpy.typing as npt

from .answers import Answers
from .causes import CAUSES, Cause

Reference = Literal["float", "trained integers"]
Summed = TypeVar("Summed", int, "Why")


def _sum(one: Summed | None, other: Summed | None) -> Summed | None:
    """The sum, None where either is unknown."""
    return None if one is None or other is None else one + other


@dataclass(frozen=True, order=True)
class Place:
    """The earliest difference: first by step, then by sample, then by flat neuron index."""

    step: int
    sample: int
    neuron: int


@dataclass(frozen=True)
class Raster:
    """Two rasters of one layer, counted.

    Attributes:
        compared: pairs of spike or silence.
        reference: spikes in the reference; chip: on the chip; both: in both at the same place.
        first: where they differ first, None where nowhere.
    """

    compared: int = 0
    reference: int = 0
    chip: int = 0
    both: int = 0
    first: Place | None = None

    def __add__(self, other: Raster) -> Raster:
        first = min((place for place in (self.first, other.first) if place), default=None)
        compared, both = self.compared + other.compared, self.both + other.both
        return Raster(compared, self.reference + other.reference, self.chip + other.chip, both, first)

    @property
    def differing(self) -> int:
        """Places where one spikes and the other does not."""
        return self.reference + self.chip - 2 * self.both

    @property
    def agreement(self) -> float:
        """Share of places that are equal."""
        return 1 - self.differing / self.compared

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa, the agreement beyond chance: 1 equal, 0 unrelated; None where neither raster varies.

        ``(p - e) / (1 - e)``, ``p`` the agreement and ``e`` that of unrelated rasters with the same rates.
        """
        one, two = self.reference / self.compared, self.chip / self.compared
        expected = one * two + (1 - one) * (1 - two)
        return None if expected == 1 else (self.agreement - expected) / (1 - expected)


def raster(reference: npt.NDArray[Any], chip: npt.NDArray[Any], first_sample: int) -> Raster:
    """Count two rasters of shape ``(T, samples, *population shape)``; ``first_sample`` is the index of theirs."""
    mine, theirs = reference != 0, chip != 0
    differ = mine != theirs
    first = None
    if differ.any():
        flat = differ.reshape(*differ.shape[:2], -1)
        step = int(flat.any(axis=(1, 2)).argmax())
        sample = int(flat[step].any(axis=1).argmax())
        first = Place(step, first_sample + sample, int(flat[step, sample].argmax()))
    return Raster(mine.size, int(mine.sum()), int(theirs.sum()), int((mine & theirs).sum()), first)


@dataclass(frozen=True)
class Effect:
    """What changes against exact float arithmetic, the layer's input being the same.

    Attributes:
        spikes: that come or go.
        score: largest change of a readout's potential at the last step, in float units; 0 where the layer fires.
    """

    spikes: int = 0
    score: float = 0.0

    def __add__(self, other: Effect) -> Effect:
        return Effect(self.spikes + other.spikes, max(self.score, other.score))

    def __bool__(self) -> bool:
        return bool(self.spikes or self.score)


@dataclass(frozen=True)
class Why:
    """The causes of a layer's drift, the layer being driven by the chip's own spikes.

    Attributes:
        alone: effect of each cause by itself; causes that cannot act in the layer are left out.
        together: effect of all of them.
        other: spikes and membrane potentials of the chip that all of them together do not reproduce; 0 proves that no
            cause is missing.
    """

    alone: dict[Cause, Effect] = field(default_factory=dict)
    together: Effect = Effect()
    other: int = 0

    def __add__(self, other: Why) -> Why:
        causes = [cause for cause in CAUSES if cause in self.alone or cause in other.alone]
        return Why(
            {cause: self.alone.get(cause, Effect()) + other.alone.get(cause, Effect()) for cause in causes},
            self.together + other.together,
            self.other + other.other,
        )

    def ranked(self) -> list[tuple[Cause, Effect]]:
        """Causes with an effect, the largest first."""
        acting = [(cause, effect) for cause, effect in self.alone.items() if effect]
        return sorted(acting, key=lambda entry: (-entry[1].spikes, -entry[1].score))


@dataclass(frozen=True)
class LayerDrift:
    """One layer on both levels.

    Attributes:
        fires: False for a readout whose membrane potentials are the answer; its raster is silent.
        why: None against trained integers, where nothing is rounded any more.
        states: currents and membrane potentials that differ; None against floats, whose states are in other units.
    """

    name: str
    fires: bool
    raster: Raster
    why: Why | None = None
    states: int | None = None

    def __add__(self, other: LayerDrift) -> LayerDrift:
        why, states = _sum(self.why, other.why), _sum(self.states, other.states)
        return LayerDrift(self.name, self.fires, self.raster + other.raster, why, states)

    def as_json(self) -> dict[str, object]:
        """JSON-able, with what follows from the counts."""
        r = self.raster
        return {
            "name": self.name,
            "fires": self.fires,
            "compared": r.compared,
            "rate_reference": r.reference / r.compared,
            "rate_chip": r.chip / r.compared,
            "agreement": r.agreement,
            "kappa": r.kappa,
            "differing": r.differing,
            "first": None if r.first is None else asdict(r.first),
            "why": None if self.why is None else asdict(self.why),
            "states_differing": self.states,
        }


@dataclass(frozen=True)
class DriftReport:
    """How a NIR graph and a chip network made from it differ on samples.

    Attributes:
        reference: ``float``, or the integers that the graph was trained on.
        trained: how it was trained on integers (profile, weight bits); empty where it was not.
        changed: parameters of the chip that are not those trained, in sentences.
        remarks: further findings, in sentences.
        facts: of the chip and the samples, JSON-able.
    """

    reference: Reference
    layers: tuple[LayerDrift, ...]
    answers: Answers
    timesteps: int
    trained: Mapping[str, object] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def first(self) -> LayerDrift | None:
        """The first layer, in the order of the network, whose spikes (or trained states) differ."""
        return next((layer for layer in self.layers if layer.raster.differing or layer.states), None)

    @property
    def earliest(self) -> tuple[Place, str] | None:
        """The earliest step at which spikes of any layer differ, and which layer's."""
        places = [(layer.raster.first, layer.name) for layer in self.layers if layer.raster.first is not None]
        return min(places, key=lambda entry: entry[0], default=None)

    @property
    def differs(self) -> bool:
        """Whether anything differs at all: spikes, states, scores or parameters."""
        return bool(self.first or self.answers.score or self.changed)

    @property
    def is_wrong(self) -> bool:
        """Whether the integers deployed differ from those trained, which must not be."""
        return self.reference == "trained integers" and self.differs
