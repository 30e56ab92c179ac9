"""Whether a student keeps its limits, measured as the report measures: on the chip network, by the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..base.errors import AnswerIsNo
from ..data.dataset import Split
from ..profile.profile import HardwareProfile
from ..student.student import Student
from .constraints import Constraint, EnergyLimit
from .cost import SpikeCost
from .deployment import deploy
from .measurement import Measurement, measure

_SAME = 1e-5  # float32 sums of the training's estimate


@dataclass(frozen=True)
class Certificate:
    """What an integer network spends on validation data, per inference.

    Attributes:
        unit: of ``energy`` and ``budget``, the profile's: joules or relative operations.
        budget: None without an energy budget on this profile.
        met: whether every limit is kept.
        limits: by name of the limit, ``(measured, limit)``.
        accuracy: of the chip network, from 0 to 1.
        seed: of the rate code.
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
    """Deploy a student, price what its chip network does over the validation split, and compare with every limit.

    Args:
        split: the validation part of the data set.
        constraints: the limits that the training kept; that of the main budget is held to the price, the others to
            what the student itself measures.
        seed: of the rate code.

    Raises:
        AnswerIsNo: a student on integers was measured differently in training; the levels do not agree.
    """
    deployed = deploy(student, {"validation": split}, profile, seed=seed)
    activity, report = deployed.activities["validation"], deployed.reports["validation"]
    measured = measure(student, split, SpikeCost(deployed.chip, profile), constraints, seed)
    if student.grid is not None:
        _require_agreement(measured, report.total, activity.accuracy)
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


def _require_agreement(measured: Measurement, energy: float, accuracy: float | None) -> None:
    if abs(measured.cost - energy) > _SAME * energy or measured.accuracy != accuracy:
        raise AnswerIsNo(
            f"certificate: training measured {measured.cost:.6g} and {measured.accuracy:.4%}, the chip network spends "
            f"{energy:.6g} at {accuracy:.4%}; the two must be the same"
        )
