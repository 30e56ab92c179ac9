"""The model card says what graph, student and verdict say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
import torch

import spikewright as sw
from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.chip.registers import Calibration, Peaks
from spikewright.graph.nir_io import write_graph
from spikewright.pages.card.card import MARK, write_card
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student

FACTS = {
    "made_by": "spikewright 0.1.0 distill",
    "settings": {
        "data": "digits",
        "train_samples": 500,
        "profile": "loihi2-assumed",
        "energy_budget": "2uJ",
        "method": "kd:alpha=0.5",
        "seed": 3,
    },
    "student": {"architecture": "mlp", "width": 6},
    "training": {"epochs": 4, "augmentation": "shift", "integer_from": 0.5},
    "method": "ConventionalKD(alpha=0.5, temperature=4.0)",
    "regularizers": ["Activation(weight=0.1)"],
    "teacher": "convnet on digits",
    "teacher_sha256": "ab" * 32,
    "teacher_validation_accuracy": 0.975,
    "teacher_macs": 12345,
    "assistants": [{"name": "assistant of width 8", "sha256": "cd" * 32, "validation_accuracy": 0.96}],
    "validation_accuracy": 0.9443,
    "history": [{}] * 5,
    "train_split_sha256": "ef" * 32,
    "certificate": {
        "profile": "loihi2-assumed",
        "profile_sha256": "01" * 32,
        "unit": "J",
        "energy": 1.5e-6,
        "budget": 2e-6,
        "met": True,
        "limits": {"budget": [1.5e-6, 2e-6], "lif1 rate": [0.04, 0.05]},
        "accuracy": 0.94,
        "synaptic_ops": 4321.4,
        "split": "validation",
        "split_sha256": "23" * 32,
        "samples": 359,
        "seed": 3,
    },
}


def student(neuron: NeuronSettings | None = None, encoding: str = "direct") -> Student:
    torch.manual_seed(0)
    config = StudentConfig("mlp", 6, (1, 8, 8), 10, 4, encoding, neuron=neuron or NeuronSettings())
    return Student(config).eval()


def rows(card: str) -> dict[str, str]:
    """By first cell, the second, of every row of every table."""
    cells = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    return {first: rest[0] for first, *rest in cells}


def headings(card: str) -> list[str]:
    return [line for line in card.splitlines() if line.startswith("#")]


def test_a_teacher_that_is_counted_in_part() -> None:
    card = sw.model_card(sw.to_nir(student(), FACTS | {"teacher_macs": 160, "teacher_macs_unknown": ["LSTM"]}))
    assert rows(card)["teacher"] == (
        "convnet on digits, 97.50% on validation, at least 160 (not counted: LSTM) multiply-accumulates per inference"
    )


def test_of_a_graph_without_facts_nothing_is_invented() -> None:
    card = sw.model_card(sw.to_nir(student()))
    assert headings(card) == ["# network.nir", "## What it is", "## How to use it", "## What it is not for",
                              "## Hashes and versions"]  # fmt: skip
    assert card.startswith(f"{MARK}\n")
    assert "A spiking network for 10 classes, as a [NIR]" in card
    found = rows(card)
    assert found["parameters"] == f"{64 * 6 + 6 + 6 * 6 + 6 + 6 * 10 + 10:,} weights and biases of layers"
    assert found["neurons"] == str(6 + 6 + 10)
    assert found["encoding"] == "direct, 8 bits"
    assert found["time steps"].startswith("4, ")
    assert not {"architecture", "integers"} & found.keys()
    assert "spikewright lower network.nir --out chip.h5\n```" in card
    assert "None" not in card
    for unknown in ("SHA-256", "accuracy", "teacher", "floats", "simulate"):
        assert unknown not in card


def test_layers_have_shapes_and_laws() -> None:
    card = sw.model_card(sw.to_nir(student(NeuronSettings("cubalif", 0.75, 0.25, 2.0))))
    assert "| `dense1` | Affine | flatten | 64 to 6 | 390 parameters |\n" in card
    assert (
        "| `lif1` | CubaLIF | dense1 | 6 | current keeps 0.25 of itself per step, membrane keeps 0.75 per step, "
        "fires above 2 |\n"
    ) in card
    assert "| `readout` | I | head | 10 | membrane keeps 1 per step, never fires |\n" in card


def test_what_a_student_s_file_says() -> None:
    found = rows(card := sw.model_card(sw.to_nir(student(), FACTS)))
    assert found["architecture"] == "mlp, width 6"
    assert found["data"] == "`digits`, 500 samples of its training part"
    assert found["method"] == "`kd:alpha=0.5`: `ConventionalKD(alpha=0.5, temperature=4.0)`"
    assert found["regularizers"] == "`Activation(weight=0.1)`"
    assert found["teacher"] == "convnet on digits, 97.50% on validation, 12,345 multiply-accumulates per inference"
    assert found["assistants"] == "assistant of width 8 (96.00% on validation)"
    assert found["epochs"] == "4 and 1 more, to keep or use up a limit"
    assert (found["seed"], found["augmentation"]) == ("3", "shift")
    assert found["numbers"] == "floats, to the end"
    assert found["energy budget"] == (
        "2uJ per inference on `loihi2-assumed`, kept: its chip network spends 1.5 µJ on 359 validation samples"
    )
    assert found["further limits"] == "lif1 rate: 0.04 of 0.05"
    assert found["accuracy, student"] == "94.43%"
    assert found["accuracy, chip network"] == "94.00%"
    assert found["energy per inference"] == "1.5 µJ on `loihi2-assumed`"
    assert found["synaptic operations per inference"] == "4,321"
    assert "`spikewright drift network.nir chip.h5` says where" in card
    for sha256 in ("ab", "ef", "23"):
        assert f"`{sha256 * 32}`" in card
    assert "student made by: spikewright 0.1.0 distill" in card


def test_a_budget_that_was_not_kept_is_not_called_kept() -> None:
    certificate = FACTS["certificate"] | {"energy": 2.5e-6, "met": False}
    found = rows(sw.model_card(sw.to_nir(student(), FACTS | {"certificate": certificate})))
    assert found["energy budget"].endswith("not kept: its chip network spends 2.5 µJ on 359 validation samples")


def test_registers_without_room_for_every_input_and_what_overflowed() -> None:
    counts = {"validation": {"wraps": 0, "clips": 1200, "resets": 0}, "test": {"wraps": 2, "clips": 30, "resets": 1}}
    facts = FACTS["certificate"] | {"overflows": counts, "measured": ["readout"]}
    said = sw.model_card(sw.to_nir(student(), FACTS | {"certificate": facts}))
    line = "| registers that overflowed | 2 wraps, 1 readouts reset, 1,230 potentials clipped | test and validation |"
    assert line in said.splitlines()
    quiet = FACTS["certificate"] | {"overflows": {"validation": {"wraps": 0, "clips": 0, "resets": 0}}}
    assert "overflowed" not in sw.model_card(sw.to_nir(student(), FACTS | {"certificate": quiet}))
    target = load_profile("loihi2-assumed")
    made = become_integer(student(), target, "loihi2-assumed", 6)
    found = Calibration(quantile=1, margin=1.5, samples=256, peaks={"readout": Peaks(current=1, potential=2)})
    made.take_grid(made.grid.model_copy(update={"calibration": found}))
    assert rows(sw.model_card(sw.to_nir(made)))["integers"].endswith(
        "the layer's scale; readout have room for 1.5 times the peaks of 256 training samples, not for every input"
    )


def test_integers_that_it_was_trained_on() -> None:
    target = load_profile("loihi2-assumed")
    graph = sw.to_nir(become_integer(student(), target, "loihi2-assumed", 6), FACTS)
    found = rows(card := sw.model_card(graph))
    assert found["integers"].startswith("trained on those of `loihi2-assumed`: weights of 6 bits, biases of 13, ")
    assert found["numbers"] == "integers of `loihi2-assumed` after a warm-up in floats, 50% of the epochs"
    assert "Other integers: on a chip whose registers are not those of `loihi2-assumed`" in card
    assert "drift" not in card


def test_graphs_of_other_tools_have_a_card_too(tmp_path: Path) -> None:
    nodes = {
        "in": nir.Input(np.array([3])),
        "w": nir.Linear(np.ones((2, 3))),
        "n": nir.LIF(np.full(2, 2e-4), np.ones(2), np.zeros(2), np.array([1.0, 2.0]), np.zeros(2)),
        "out": nir.Output(np.array([2])),
    }
    graph = nir.NIRGraph(nodes, [("in", "w"), ("w", "n"), ("n", "out")])
    write_graph(graph, tmp_path / "theirs.nir")
    card = write_card(tmp_path / "theirs.nir")
    text = card.read_text(encoding="utf-8")
    assert card == tmp_path / "theirs.md"
    assert headings(text) == ["# theirs.nir", "## What it is", "## How to use it", "## Hashes and versions"]
    assert "| `w` | Linear | in | 3 to 2 | 6 parameters |\n" in text
    assert "fires above 1 to 2 |" in text
    assert sha256_of(tmp_path / "theirs.nir") in text


def test_damaged_facts_are_refused() -> None:
    graph = sw.to_nir(student())
    graph.metadata["provenance"] = "{"
    with pytest.raises(InputError, match=r"its metadata 'provenance' is not JSON .*; export it again"):
        sw.model_card(graph)
