"""From an ANN teacher to a spiking chip, inside an energy budget, and every spike accounted for.

The names below are imported when they are first used, so that ``import spikewright`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .base.version import __version__

if TYPE_CHECKING:
    from .bench.compare.compare import compare
    from .bench.sweep.sweep import sweep
    from .chip.activity import Activity
    from .chip.network import ChipNetwork
    from .lowering.lower import lower
    from .pages.card.card import model_card
    from .pages.pricing import report
    from .profile.profile import HardwareProfile, load_profile
    from .simulation.simulate import simulate
    from .student.student import Student
    from .student.to_nir import to_nir
    from .training.distill import distill

_HOMES = {
    "Activity": "chip.activity",
    "ChipNetwork": "chip.network",
    "HardwareProfile": "profile.profile",
    "Student": "student.student",
    "compare": "bench.compare.compare",
    "distill": "training.distill",
    "load_profile": "profile.profile",
    "lower": "lowering.lower",
    "model_card": "pages.card.card",
    "report": "pages.pricing",
    "simulate": "simulation.simulate",
    "sweep": "bench.sweep.sweep",
    "to_nir": "student.to_nir",
}

__all__ = [
    "Activity",
    "ChipNetwork",
    "HardwareProfile",
    "Student",
    "__version__",
    "compare",
    "distill",
    "load_profile",
    "lower",
    "model_card",
    "report",
    "simulate",
    "sweep",
    "to_nir",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
