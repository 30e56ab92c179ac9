"""`sw.run` and `sw.drift`: what the commands do, of the things themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import spikewright as sw
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.commands.cli import main
from spikewright.graph.nir_io import write_graph
from spikewright.pages.drift import as_json
from spikewright.teachers.hashes import weights_sha256

FLAGS = (
    *("--train-samples", "64", "--width", "4", "-T", "2", "--method", "none", "--epochs", "1"),
    *("--energy-budget", "1uJ", "--seed", "3", "--samples-lava", "0"),
)
QUICK: dict[str, Any] = {
    "student": sw.StudentSpec(width=4, timesteps=2),
    "method": "none",
    "within": "1uJ",
    "training": sw.Training(epochs=1, seed=3),
    "samples_lava": 0,
}


def without_paths(verdict: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in verdict.items() if name != "artefacts"}


def test_a_run_from_python_is_the_run_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", *FLAGS, "-o", str(tmp_path / "command"), "--json"])
    told = json.loads(capsys.readouterr().out)
    verdict = sw.run(sw.DataSettings(train_samples=64), out=tmp_path / "python", **QUICK)
    assert capsys.readouterr() == ("", "")
    assert without_paths(verdict.as_json()) == without_paths(told)
    assert code == (1 if verdict.faults else 0)
    files = [folder / "student.pt" for folder in (tmp_path / "command", tmp_path / "python")]
    assert len({weights_sha256(sw.load_student(file)) for file in files}) == 1
    chips = [load_chip(file.with_name("chip.h5")) for file in files]
    for one, other in zip(chips[0].connections, chips[1].connections, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
    assert all(path.is_file() for path in verdict.artefacts().values())


def test_a_run_takes_a_torch_data_set_and_a_torch_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    y = torch.arange(120) % 3
    x = torch.rand(120, 6) * 0.1 + nn.functional.one_hot(y, 6)
    data = sw.Dataset.from_torch(TensorDataset(x, y), layout="vectors", scaling="minmax")
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    made = {
        **QUICK,
        "method": "kd",
        "within": None,
        "student": sw.StudentSpec(architecture="mlp", width=8, timesteps=2),
    }
    verdict = sw.run(data, teacher, out=tmp_path, **made)
    assert verdict.faults == []
    assert set(verdict.agreement.accuracy) == {"teacher", "student", "float", "integer"}
    assert verdict.agreement.mismatches == {"student_integer": 0}
    report = sw.drift(sw.load_student(tmp_path / "student.pt"), load_chip(tmp_path / "chip.h5"), data)
    assert (report.reference, report.is_wrong) == ("trained integers", False)
    assert report.answers.samples == len(data.validation)


@pytest.fixture(scope="module")
def made() -> tuple[sw.Student, sw.ChipNetwork]:
    spec, training = QUICK["student"], sw.Training(epochs=1, integer_from=1)
    student = sw.distill(sw.DataSettings(train_samples=64), student=spec, method="none", training=training).student
    return student, sw.lower(sw.to_nir(student), "loihi2-assumed")


def test_drift_from_python_is_the_drift_of_the_command(
    made: tuple[sw.Student, sw.ChipNetwork], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student, chip = made
    graph = sw.to_nir(student)
    write_graph(graph, tmp_path / "student.nir")
    save_chip(chip, tmp_path / "chip.h5")
    assert main(["drift", str(tmp_path / "student.nir"), str(tmp_path / "chip.h5"), "--json", "--seed", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    expected = {name: value for name, value in told.items() if name not in ("nir", "chip", "data", "split")}
    digits = sw.load("digits")
    validation = digits.validation
    few = validation.samples[:200], validation.labels[:200]
    for given in ("digits", digits, validation, few):
        report = sw.drift(graph, chip, given, seed=2)
        assert json.loads(json.dumps(as_json(report))) == expected
    assert report.answers.samples == 200
    assert sw.drift(student, chip, digits, seed=2) == report
    assert sw.drift(student, chip, digits, samples=20, split="test").answers.samples == 20
    assert sw.drift(student, chip, digits, samples=20, profile="loihi2-assumed").answers.samples == 20
    assert capsys.readouterr() == ("", "")


def test_the_function_is_there_after_its_package_was_imported(made: tuple[sw.Student, sw.ChipNetwork]) -> None:
    assert sw.drift(*made, samples=1).answers.samples == 1
    assert sw.drift.__module__ == "spikewright.divergence.drift"


def test_what_drift_does_not_take(made: tuple[sw.Student, sw.ChipNetwork]) -> None:
    student, chip = made
    wrong = {
        "graph: is of type int; may be a NIR graph, such as to_nir(student), or a Student": (3, chip, "digits"),
        "data: is of type int; may be a Dataset, such as Dataset.from_arrays(x, y)": (student, chip, 3),
        "the graph has timesteps 2 and the chip network 3; lower": (student, replace(chip, timesteps=3), "digits"),
        "digit: there is no such data set; did you mean 'digits'?": (student, chip, "digit"),
    }
    for message, given in wrong.items():
        with pytest.raises(sw.InputError) as caught:
            sw.drift(*given)  # type: ignore[arg-type]
        assert message in str(caught.value)
    with pytest.raises(sw.InputError, match="the validation part holds 359 samples and 9999 were asked for"):
        sw.drift(student, chip, "digits", samples=9999)
    with pytest.raises(sw.InputError, match="'tests': there is no such part of a data set; did you mean 'test'"):
        sw.drift(student, chip, "digits", split="tests")
