"""Proof that a student keeps its limits, measured as the report measures: on the chip network, by the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..base.errors import AnswerIsNo
from ..data.dataset import Split
from ..energy.estimate import estimate
from ..lowering.lower import lower
from ..placing.placement import place
from ..profile.profile import HardwareProfile
from ..simulation.simulate import simulate
from ..student.student import Student
from ..student.to_nir import to_nir
from .constraints import Constraint, EnergyLimit
from .cost import SpikeCost
from .measurement import Measurement, measure

_SAME = 1e-5  # float32 sums of the training's estimate


@dataclass(frozen=True)
class Certificate:
    """What an integer network spends on validation data, per inference.

    Attributes:
        energy: in the profile's unit; ``budget`` likewise, None without one.
        met: whether every limit is kept.
        limits: by limit, ``(measured, limit)``.
    """

    profile: str
    profile_sha256: str
    unit: str
    energy: float
    budget: float | None
    met: bool
    limits: dict[str, tuple[float, float]]
    accuracy: float
    synaptic_ops: float
    split: str
    split_sha256: str
    samples: int
    seed: int

    def as_json(self) -> dict[str, object]:
        """JSON-able facts."""
        return asdict(self)


def certify(
    student: Student, split: Split, profile: HardwareProfile, constraints: Sequence[Constraint], seed: int
) -> Certificate:
    """Lower a student, simulate its chip network over the validation split and price what was counted.

    Raises:
        AnswerIsNo: a student on integers was measured differently in training; the levels do not agree.
    """
    chip = lower(to_nir(student), profile)
    activity = simulate(chip, split, split="validation", seed=seed)
    report = estimate(activity, chip, place(chip, profile), profile)
    measured = measure(student, split, SpikeCost(chip, profile), constraints, seed)
    if student.grid is not None:
        _agree(measured, report.total, activity.accuracy)
    limits = {c.name: (report.total if _is_main(c) else measured.bounded[c.name], c.limit) for c in constraints}
    budget = next((c.limit for c in constraints if _is_main(c)), None)
    return Certificate(
        profile=profile.name,
        profile_sha256=profile.sha256,
        unit=profile.cost_unit,
        energy=report.total,
        budget=budget,
        met=all(found <= limit for found, limit in limits.values()),
        limits=limits,
        accuracy=float(activity.accuracy or 0.0),
        synaptic_ops=report.synaptic_ops,
        split="validation",
        split_sha256=split.sha256,
        samples=activity.samples,
        seed=seed,
    )


def _is_main(constraint: Constraint) -> bool:
    return isinstance(constraint, EnergyLimit) and constraint.name == "budget"


def _agree(measured: Measurement, energy: float, accuracy: float | None) -> None:
    if abs(measured.cost - energy) > _SAME * energy or measured.accuracy != accuracy:
        raise AnswerIsNo(
            f"certificate: training measured {measured.cost:.6g} and {measured.accuracy:.4%}, the chip network spends "
            f"{energy:.6g} at {accuracy:.4%}; the two must be the same"
        )
