"""Which modules are mutated, in groups that get equal shares of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SRC = ROOT / "src" / "spikewright"


@dataclass(frozen=True)
class Group:
    """Modules by patterns relative to ``src/spikewright``, without those of other groups."""

    patterns: tuple[str, ...]
    without: tuple[str, ...] = ()

    def modules(self) -> list[Path]:
        """The modules, sorted, packages' own files (docstrings alone) left out."""
        found = {path for pattern in self.patterns for path in SRC.glob(pattern)}
        found -= {path for pattern in self.without for path in SRC.glob(pattern)}
        return sorted(path for path in found if path.name != "__init__.py")


LAW = ("chip/law.py", "chip/neuron_models.py")

PLACES = {
    "chip": Group(("chip/*.py",), without=LAW),
    "law": Group(LAW),
    "simulation": Group(("simulation/*.py",)),
    "energy": Group(("energy/*.py",)),
    "lowering": Group(("lowering/*.py",)),
    "budget": Group(tuple(f"training/{name}.py" for name in ("budget", "cost", "early", "growth", "limits", "sizing"))),
    "distillation": Group(("distillation/*.py",)),
}
