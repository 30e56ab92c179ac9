"""Every script of examples/ runs from any folder, warns of nothing, and prints what its page says it shows."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRINTS = {
    "draw_network.py": ("network.svg",),
    "digits_to_chip.py": ("within budget: ", "accuracy on the chip's integers: "),
    "other_tools_nir.py": ("assumed: graph: reset to zero", "lif1: membrane decays by 0.2", "accuracy"),
    "own_architecture.py": ("on the chip's integers", "pointwise_neurons → readout"),
    "own_profile.py": ("MADE UP: this chip does not exist.", "within budget: ", "not counted"),
    "read_chip_file.py": ("lif1 -> lif2: weights (8, 4, 3, 3)", "differences in spikes and scores on 10 samples: 0"),
    "sweep_small.py": ("| none |", "| 36nJ |", "| 34nJ |"),
}
"""By script, parts of its standard output."""
WRITES = {
    "draw_network.py": "network.svg",
    "read_chip_file.py": "chip.h5",
    "digits_to_chip.py": "student.nir",
    "sweep_small.py": "sweep/pareto.svg",
}


def test_every_script_is_listed_on_the_page_and_here() -> None:
    scripts = {path.name for path in (ROOT / "examples").glob("*.py")}
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert scripts == set(PRINTS)
    assert [name for name in scripts if f"({name})" not in page] == []


@pytest.mark.slow
@pytest.mark.parametrize("script", PRINTS)
def test_an_example_runs(script: str, tmp_path: Path) -> None:
    if script.startswith("sweep") and importlib.util.find_spec("optuna") is None:
        pytest.skip("needs Optuna")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert [part for part in PRINTS[script] if part not in ran.stdout] == []
    if script in WRITES:
        assert (tmp_path / WRITES[script]).stat().st_size > 0
