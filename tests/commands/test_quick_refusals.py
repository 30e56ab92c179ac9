"""A refusal that needs no training does not wait for libraries that only a training or a report needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikewright.data.load import load
from spikewright.profile.profile import load_profile
from spikewright.profile.units import parse_budget
from spikewright.training import sizing
from spikewright.training.settings import StudentSpec

HEAVY = ("matplotlib", "sklearn", "sympy", "torch")
SCRIPT = f"""
import sys
from spikewright.commands.cli import main
code = main(sys.argv[1:])
print(code, *[name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("words", "loaded", "said"),
    [
        ("run --energy-budget 2", "", "--energy-budget 2: say the unit"),
        ("run --integer-from 1 --weight-bits 4", "", "distill: --weight-bits 4: is for training on integers"),
        ("distill --scales worst-case --scale-margin 2 --reserve 0.1", "", "distill: 2 faults"),
        ("distill --scales worst-case --scale-margin 2 --energy-budget 2", "", "settings: 2 faults"),
        (
            "distill --width 4x --epochs 0",
            "",
            "settings: --width is '4x': must be a whole number, or auto; --epochs is 0",
        ),
        ("run --energy-budget 1pJ", "torch", "--energy-budget 1 pJ: is below the floor of "),
        ("distill --energy-budget 1pJ --width auto -T auto", "torch", "--energy-budget 1 pJ: is below the floor of "),
    ],
)
def test_what_a_refusal_loads(words: str, loaded: str, said: str, tmp_path: Path, root: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        env={**os.environ, "PYTHONPATH": str(root / "src"), "NO_COLOR": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert asked.stdout.strip() == f"2 {loaded}".strip(), asked.stderr
    assert f"error: {said}" in asked.stderr


def test_a_budget_below_the_floor_is_refused_without_trying_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, real = [], sizing.size_of

    def counted(config, *rest, **named):
        sizes.append((config.width, config.timesteps))
        return real(config, *rest, **named)

    monkeypatch.setattr(sizing, "size_of", counted)
    digits, profile = load("digits"), load_profile("loihi2-assumed")
    with pytest.raises(sizing.BelowFloor, match=r"is below the floor of 20\.2 nJ"):
        sizing.choose_size(StudentSpec(), digits, profile, parse_budget("1pJ", profile))
    assert sizes == [(24, 4), (4, 1)]
    sizes.clear()
    size = sizing.choose_size(StudentSpec(), digits, profile, parse_budget("40nJ", profile))
    assert (size.student.config.width, size.student.config.timesteps) == (4, 1)
    assert sizes.count((4, 1)) == 2, "looked at before the others, and in its turn"
