"""The import contract names every package, and what it cannot see holds, too: no circle of modules, no late import."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def contracts(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return found


@pytest.fixture(scope="module")
def measures(root: Path, benchmark_file: Callable[[str], ModuleType]) -> Any:
    structure = benchmark_file("structure")
    return structure.measure(root, structure.layers_of(root))


def test_every_package_has_a_layer(root: Path, contracts: dict[str, Any]) -> None:
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    folders = {file.parent.name for file in (root / "src" / "spikewright").glob("*/__init__.py")}
    assert sorted(layers) == sorted({*folders, "__main__"})


def test_the_contract_has_no_exceptions(contracts: dict[str, Any]) -> None:
    assert contracts["exclude_type_checking_imports"] is False
    assert [key for each in contracts["contracts"] for key in each if "ignore" in key] == []


def test_the_guide_for_contributors_shows_the_same_order(root: Path, contracts: dict[str, Any]) -> None:
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.search(r"in this order from the top:\n\n((?:    .*\n)+)", text)
    assert shown is not None
    assert ["__main__", *shown[1].split()] == layers


def test_modules_lie_in_packages(measures: Any) -> None:
    assert measures.root_modules == 0


def test_imports_point_downwards(measures: Any) -> None:
    assert measures.upward == []
    assert measures.mutual == []


def test_no_modules_import_each_other_in_a_circle(measures: Any) -> None:
    assert measures.circles == []


def test_functions_import_optional_dependencies_alone(measures: Any) -> None:
    assert measures.local_other == 0


def test_neurons_are_stepped_by_the_law_or_by_kernels_that_a_test_holds_to_it(
    root: Path, measures: Any, benchmark_file: Callable[[str], ModuleType]
) -> None:
    assert measures.law == []
    kernels = benchmark_file("structure").KERNELS
    assert sorted(kernels) == measures.kernels
    assert [test for test in kernels.values() if not (root / test).is_file()] == []


def test_no_package_holds_more_than_12_percent_of_the_lines(measures: Any) -> None:
    assert measures.largest_package[1] <= 0.12
