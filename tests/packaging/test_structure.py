"""The measures of the package's structure, on a package of a few files whose measures are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

FILES: Mapping[str, str] = {
    "__init__.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .top.run import run as run\n",
    "loose.py": "ONE = 1\n",
    "top/run.py": '''from ..low import neuron
from ..low.neuron import step


def run(v: float) -> float:
    """Three
    lines of
    text."""
    from ..loose import ONE

    return step(v, neuron.BETA) + ONE
''',
    "low/neuron.py": """from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..top.run import run

BETA = 0.5


def step(v: float, beta: float) -> float:
    import optuna

    return beta * v
""",
    "low/chain.py": "import spikewright.loose\nfrom . import neuron\n",
}


@pytest.fixture
def structure(benchmark_file: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_file("structure")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "src" / "spikewright" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_package_of_five_files(structure: ModuleType, checkout: Path) -> None:
    found = structure.measure(checkout, ["top", "low", "."])
    assert (found.modules, found.root_modules) == (5, 1)
    assert found.lines == sum(text.count("\n") for text in FILES.values())
    assert found.package_lines == {".": 1, "low": 14, "top": 11}
    assert found.edges == 4
    assert found.upward == [("low/neuron.py", "top/run.py")]
    assert found.mutual == [("low", "top")]
    assert found.circles == [["low/neuron.py", "top/run.py"]]
    assert (found.local_optional, found.local_other) == (1, 1)
    assert found.widest == [("low/chain.py", 2), ("top/run.py", 2), ("low/neuron.py", 1), ("loose.py", 0)]
    assert (found.function_lines, found.longest) == ((4, 4, 4), "top/run.py:run")
    assert found.law == ["low/neuron.py"]


def test_the_order_of_layers_decides_what_points_upwards(structure: ModuleType, checkout: Path) -> None:
    assert structure.measure(checkout, [".", "low", "top"]).upward == [
        ("low/chain.py", "loose.py"),
        ("top/run.py", "loose.py"),
        ("top/run.py", "low/neuron.py"),
    ]


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("v = keep_v * v + u", True),
        ("self.u = self.keep_u * self.u", True),
        ("membrane = torch.add(beta * membrane, arriving)", True),
        ("u.mul_(rules.keep_u).trunc_()", True),
        ("u = torch.mul(synaptic, alpha)", True),
        ("x = torch.trunc(value * (keep / 4096))", True),
        ("loss = alpha * tau**2 * divergence", False),
        ("keep_v = (4096 - neuron.dv) / 4096", False),
        ("arriving[step] = beta * arriving[step + 1]", False),
        ("average = keep * so_far + (1 - keep) * now", False),
    ],
)
def test_what_counts_as_stepping_a_neuron(structure: ModuleType, line: str, steps: bool) -> None:
    assert structure.steps_a_neuron(structure.ast.parse(line)) is steps


def test_circles_are_found_apart(structure: ModuleType) -> None:
    imports = {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": ["e"], "e": ["d"], "f": ["a"], "g": []}
    assert structure.circles(imports) == [["a", "b", "c"], ["d", "e"]]


def test_it_prints_a_table_and_json(structure: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    structure.main(["--root", str(checkout), "--layers", "top low ."])
    table = capsys.readouterr().out.splitlines()
    assert table[:3] == ["| measure | value |", "| --- | --- |", "| modules | 5 |"]
    assert "| circles of modules | 1 (of 2 modules) |" in table
    structure.main(["--root", str(checkout), "--layers", "top low .", "--json"])
    assert json.loads(capsys.readouterr().out)["upward"] == [["low/neuron.py", "top/run.py"]]
