"""`--init`: a training that begins with a network that is trained already, through the command line."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from spikewright.base.artefacts import sha256_of
from spikewright.commands.cli import main
from spikewright.graph.nir_io import write_graph
from spikewright.student.config import StudentConfig
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student, load_student, save_student, student_provenance
from spikewright.training import distill as distill_module
from spikewright.training.start import resets_in

DATA = ("--data", "digits", "--train-samples", "120", "--batch", "30")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a student that subtracts."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    neuron = NeuronSettings(beta=0.8, threshold=0.2, reset="subtract-late")
    save_student(Student(StudentConfig("mlp", 16, (1, 8, 8), 10, 3, "current", neuron=neuron)), Path("own.pt"), {})
    return Path("own.pt")


def test_a_reset_is_converted_for_a_chip_without_it(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = (*DATA, "--init", str(own), "--profile", "loihi1-davies", "--epochs", "2", "--rounds", "0")
    assert main(["distill", *flags, "-o", "no.pt"]) == 2
    assert "loihi1-davies" in (said := capsys.readouterr().err) and "one step late" in said
    assert not Path("no.pt").exists()
    assert main(["distill", *flags, "--reset", "zero", "-o", "made.pt", "--json"]) == 0
    said = capsys.readouterr()
    assert "conversion of own.pt, on validation: before " in said.err
    assert ", unchanged weights " in said.err and ", after " in said.err
    facts = json.loads(said.out)
    assert facts["init_sha256"] == sha256_of(own) == facts["teacher_sha256"]
    assert facts["settings"]["init"] == "own.pt" and facts["teacher"] == "init"
    before, unchanged = facts["init_validation_quality"], facts["init_unchanged_quality"]
    assert before != unchanged and 0 <= before["accuracy"] <= 1
    made = load_student("made.pt")
    assert resets_in(made) == {"zero"} and made.config.neuron.beta == 0.8


def test_a_stopped_training_ends_in_the_same_bytes(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["distill", *DATA, "--init", str(own), "--epochs", "3", "--rounds", "0", "-o", "made.pt"]
    assert main(words) == 0
    shutil.move("made.pt", "whole.pt")
    original, calls = distill_module.save, list[int]()

    def dies(*given: object) -> None:
        original(*given)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(distill_module, "save", dies)
        assert main(words) == 130
    assert main([*words, "--resume"]) == 0
    assert Path("made.pt").read_bytes() == Path("whole.pt").read_bytes()
    assert main([*words, "--resume"]) == 0, "a finished one is read"
    save_student(load_student(own).at(2), own, {})
    assert main([*words, "--resume"]) == 2, "another network under the same name is another training"


def test_run_begins_with_a_student_too(own: Path) -> None:
    words = ["run", *DATA, "--init", str(own), "--epochs", "1", "--rounds", "0", "--samples-lava", "0", "--out", "r"]
    assert main(words) == 0
    assert student_provenance(Path("r/student.pt"))["init_sha256"] == sha256_of(own)


def test_what_is_no_student_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "--data", "digits", "--init", str(tmp_path / "no.pt")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    (tmp_path / "bad.pt").write_bytes(b"no student")
    assert main(["distill", "--data", "digits", "--init", str(tmp_path / "bad.pt")]) == 2
    assert "is not a student file" in capsys.readouterr().err


def test_a_graph_of_another_tool_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    nodes = {
        "input": nir.Input(np.array([1, 8, 8])),
        "flat": nir.Flatten({"input": np.array([1, 8, 8])}, 0, -1),
        "fc1": nir.Affine(drawn.normal(0, 0.3, (20, 64)), np.zeros(20)),
        "lif": nir.LIF(*(np.full(20, value) for value in (2e-4, 2.0, 0.0, 0.5, 0.0))),
        "fc2": nir.Linear(drawn.normal(0, 0.3, (10, 20))),
        "out": nir.LI(*(np.full(10, value) for value in (1e-3, 10.0, 0.0))),
        "output": nir.Output(np.array([10])),
    }
    edges = list(pairwise(nodes))
    said = {"dt_s": 1e-4, "reset": "subtract"}
    write_graph(nir.NIRGraph(nodes, edges, metadata=said, type_check=False), "g.nir")
    words = ["distill", *DATA, "--init", "g.nir", "--epochs", "2", "--rounds", "0", "-o", "made.pt"]
    assert main(words) == 2
    assert "over how many steps it runs" in (told := capsys.readouterr().err) and "--timesteps" in told
    assert main([*words, "-T", "4"]) == 0
    assert "begins with g.nir" in capsys.readouterr().err
    write_graph(nir.NIRGraph(nodes, edges, type_check=False), "other.nir")
    assert main([*words[:-1], "other.pt", "--init", "other.nir", "-T", "4"]) == 0
    told = capsys.readouterr().err
    assert "assumed: time step 0.0001 s" in told and "assumed: reset to zero" in told
    made = load_student("made.pt")
    assert (made.config.architecture, made.config.timesteps, resets_in(made)) == ("imported", 4, {"subtract"})
    assert student_provenance("made.pt")["init_sha256"] == sha256_of("g.nir")
    nodes["lif"].r[3] = 7.0
    write_graph(nir.NIRGraph(nodes, edges, type_check=False), "open.nir")
    assert main(["distill", *DATA, "--init", "open.nir", "-T", "4"]) == 2
    assert "sw.Student.from_nir(" in capsys.readouterr().err
