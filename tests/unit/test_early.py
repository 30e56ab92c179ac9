"""What is refused of settings before anything is loaded, sentence by sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.training.early import check_early, contradictions
from spikewright.training.settings import DistillSettings


def faults(**flat: Any) -> list[str]:
    """Everything that is refused of flat settings, without the head of a list."""
    try:
        check_early(DistillSettings.of(**flat))
    except InputError as error:
        head, *rest = str(error).splitlines()
        return [line.removeprefix("  - ") for line in rest] or [head]
    return []


def test_nothing_is_refused_of_the_defaults() -> None:
    assert faults() == []
    assert faults(energy_budget="1uJ", reserve=0.1, unlabelled="rest", labelled_share=0.5) == []
    assert faults(integer_from=0.5, weight_bits=4, scale_margin=1.5) == []


@pytest.mark.parametrize("path", ["absent.npz", "folder/absent", "absent.csv"])
def test_data_that_are_not_there(path: str) -> None:
    assert faults(data=path) == [f"{path}: there is no such file or folder"]


def test_a_name_of_no_data_set_is_no_file() -> None:
    (said,) = faults(data="digit")
    assert "there is no such file" not in said
    assert "digits" in said


def test_a_function_that_makes_data_is_looked_for_by_another(tmp_path: Path) -> None:
    (said,) = faults(data=f"{tmp_path}/absent.py:make")
    assert "there is no such file or folder" not in said


def test_files_that_are_not_there(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    told = f"{absent}.npz"
    assert faults(unlabelled=told) == [
        f"unlabelled={told}: there is no such file or folder; may be a number, rest, or a path"
    ]
    assert faults(teacher=f"{absent}.py:net") == [f"teacher={absent}.py:net: there is no file {absent}.py"]
    assert faults(teacher=f"{absent}.onnx") == [f"teacher={absent}.onnx: there is no file {absent}.onnx"]
    assert faults(architecture=f"{absent}.py:net") == [f"architecture={absent}.py:net: there is no file {absent}.py"]
    weights = tmp_path / "weights.pt"
    assert faults(teacher_weights=weights) == [f"teacher_weights={weights}: there is no file {weights}"]
    weights.mkdir()
    assert faults(teacher_weights=weights) == [f"teacher_weights={weights}: there is no file {weights}"]


def test_files_that_are_there_are_not_refused(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.touch()
    assert faults(teacher=f"{net}:net", architecture=f"{net}:net", teacher_weights=net) == []


def test_data_of_ones_own_are_tried_with_a_new_student(tmp_path: Path) -> None:
    """A network to begin with says itself how they are prepared."""
    path = tmp_path / "own.npz"
    np.savez(path, x=np.linspace(0, 1, 60).reshape(20, 3), y=np.arange(20) % 2)
    assert faults(data=str(path)) == []
    (said,) = faults(data=str(path), encoding="delta")
    assert said.endswith("encoding=delta is for series, and the samples are vectors")


def test_the_spiking_network_between_is_asked_for_its_own_teacher(tmp_path: Path) -> None:
    (said,) = faults(teacher=f"spiking:taught_by={tmp_path}/absent.onnx")
    assert said.endswith(f"there is no file {tmp_path}/absent.onnx")


def test_profiles_and_budgets_are_refused_together(tmp_path: Path) -> None:
    said = faults(profile="loihi", also_within=("loihi3=1uJ", "tianjic=1parsec"), data="absent.npz")
    assert len(said) == 4
    assert "loihi" in said[0]
    assert "loihi3" in said[1]
    assert "also_within" in said[2]
    assert "1parsec" in said[2]
    assert said[3] == "absent.npz: there is no such file or folder"
    (alone,) = faults(energy_budget="1parsec")
    assert "1parsec" in alone


@pytest.mark.parametrize(
    ("flat", "names"),
    [
        ({"reserve": 0.1}, ["reserve"]),
        ({"labelled_share": 0.5}, ["labelled_share"]),
        ({"scales": "worst-case", "scale_margin": 1.5}, ["scale_margin"]),
        ({"scales": "worst-case", "scale_margin": 1.5, "scale_quantile": 0.9}, ["scale_margin", "scale_quantile"]),
        ({"integer_from": 1.0, "weight_bits": 4}, ["weight_bits"]),
        ({"integer_from": 1.0, "shorten": 0.1}, ["shorten"]),
        ({"integer_from": 0.5, "weight_bits": 4, "shorten": 0.1}, []),
    ],
)
def test_settings_without_effect(flat: dict[str, Any], names: list[str]) -> None:
    said = [str(InputError(fault)) for fault in contradictions(DistillSettings.of(**flat))]
    assert [fault.partition(":")[0].partition("=")[0] for fault in said] == names


def test_what_contradicts_is_said_beside_what_is_missing() -> None:
    both = faults(data="absent.npz", reserve=0.1)
    assert both[0] == "absent.npz: there is no such file or folder"
    assert both[1].startswith("reserve=0.1: is the share of a limit to leave unused, and there is no limit")
