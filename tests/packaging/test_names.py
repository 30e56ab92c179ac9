"""The names of the package: there, lazy, and what they say they are."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

import spikewright as sw

FUNCTIONS = (
    *(
        "compare",
        "distill",
        "drift",
        "run",
        "to_nir",
        "lower",
        "simulate",
        "report",
        "sweep",
        "load",
        "load_profile",
        "model_card",
        "interpret",
        "read_netx",
        "write_lava",
        "write_netx",
        "translate",
    ),
    *("draw", "load_student", "parse", "save_student", "show", "write_onnx"),
)
TYPES = (
    *("Activity", "AnswerIsNo", "Budget", "Callback", "ChipNetwork", "CsvCallback", "DataSettings", "Dataset"),
    *("Distillation", "HardwareProfile", "InputError", "LoggingCallback", "ProgressBar", "Student", "StudentConfig"),
    *("Interpretation", "StudentSpec", "Teacher", "TeacherSpec", "TensorBoardCallback", "Training"),
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_verb_is_a_function_even_after_its_module_was_imported(name: str) -> None:
    for module in (
        "training.distill",
        "student.to_nir",
        "lowering.lower",
        "simulation.simulate",
        "pages.pricing",
        "bench.sweep.sweep",
        "bench.compare.compare",
        "bench.run",
        "divergence.drift",
    ):
        import_module(f"spikewright.{module}")
    function = getattr(sw, name)
    assert isinstance(function, FunctionType)
    assert function.__name__ == name


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_a_class(name: str) -> None:
    assert isinstance(getattr(sw, name), type)


def test_all_names_are_listed_once_and_shown_by_dir() -> None:
    assert sorted({*FUNCTIONS, *TYPES, "methods", "plot", "transforms", "__version__"}) == sorted(sw.__all__)
    assert sw.methods.ConventionalKD(alpha=0.5).alpha == 0.5
    assert set(sw.__all__) <= set(dir(sw))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'spikewright' has no attribute 'destill'"):
        _ = sw.destill


def test_importing_the_package_imports_nothing_heavy(root: Path) -> None:
    script = "import sys, spikewright; sys.exit(str({'torch', 'numpy', 'nir', 'typer'} & set(sys.modules) or ''))"
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    asked = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert asked.stderr.strip() == ""
