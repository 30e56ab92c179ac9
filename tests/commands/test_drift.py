"""``spikewright drift``: the report for people and machines, and what it says of a network trained on integers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest

from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.registers import GRID_KEY, Registers, TrainedGrid
from spikewright.commands.cli import main
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.profile.profile import load_profile

PROFILE = load_profile("loihi2-assumed")
SCALE = 64.0


def digits_graph(on_grid: bool) -> nir.NIRGraph:
    """Digits to twenty leaky neurons to ten integrators; all numbers are integers divided by 64, or just beside."""
    random, ones = np.random.default_rng(4), np.ones(20)
    beside = 0.0 if on_grid else 1.0
    first = 2 * random.integers(-60, 70, (20, 64)) + beside * random.uniform(-1, 1, (20, 64))
    last = 2 * random.integers(-60, 70, (10, 20)) + beside * random.uniform(-1, 1, (10, 20))
    nodes = {
        "input": nir.Input(np.array([1, 8, 8])),
        "flatten": nir.Flatten({"input": np.array([1, 8, 8])}, 0, -1),
        "fc1": nir.Affine((first * 15 / SCALE).astype(np.float32), np.full(20, 3 / SCALE, np.float32)),
        "lif1": nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones * np.float32(3000 / SCALE)),
        "fc2": nir.Linear((last / SCALE).astype(np.float32)),
        "lif2": nir.I(r=np.full(10, 1e4)),
        "output": nir.Output(np.array([10])),
    }
    metadata: dict[str, object] = {
        "dt_s": 1e-4, "reset": "zero", "encoding": "direct", "readout": "membrane", "timesteps": 4, "input_bits": 4,
    }  # fmt: skip
    if on_grid:
        scales = {"lif1": SCALE, "lif2": SCALE}
        grid = TrainedGrid(
            profile=PROFILE.name,
            profile_sha256=PROFILE.sha256,
            registers=Registers.of(PROFILE.limits),
            scales=scales,
        )
        metadata[GRID_KEY] = grid.as_metadata
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    return lowered(tmp_path, on_grid=False)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[str, str]:
    return lowered(tmp_path, on_grid=True)


def lowered(folder: Path, on_grid: bool) -> tuple[str, str]:
    graph, chip = folder / "student.nir", folder / "chip.h5"
    write_graph(digits_graph(on_grid), graph)
    assert main(["lower", str(graph), "-o", str(chip)]) == 0
    return str(graph), str(chip)


def test_the_report(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["drift", *files, "--samples", "50", "--json"]) == 0
    found, progress = capsys.readouterr()
    assert progress == ""
    value = json.loads(found)
    assert main(["drift", *files, "--samples", "50", "-o", str(tmp_path / "drift.md")]) == 0
    said, progress = capsys.readouterr()
    assert progress == f"wrote {tmp_path / 'drift.md'}\n"
    lines = [line.rstrip() for line in said.splitlines()]
    assert lines[0] == value["sentence"]
    layer, readout = value["layers"]
    assert value["first_layer"] == "lif1"
    assert value["earliest"] == {"layer": "lif1", **layer["first"]}
    assert (layer["compared"], readout["fires"], readout["differing"]) == (50 * 4 * 20, False, 0)
    assert layer["differing"] > 0
    assert layer["why"]["alone"]["weights"]["spikes"] > 0
    assert [entry["why"]["other"] for entry in value["layers"]] == [0, 0]
    answers = value["answers"]
    assert value["drift"] is True
    assert answers["accuracy_chip"] == answers["correct_chip"] / 50
    assert lines[2].split() == ["layer", "float", "rate", "chip", "rate", "agreement", "kappa", "differing", "first",
                                "(step,", "sample,", "neuron)"]  # fmt: skip
    assert lines[3].split()[:3] == ["lif1", f"{layer['rate_reference']:.4f}", f"{layer['rate_chip']:.4f}"]
    assert lines[4].split() == ["lif2", "does", "not", "fire", "-", "-", "-", "-", "-"]
    assert f"accuracy        float {answers['accuracy_reference']:.2%}, chip {answers['accuracy_chip']:.2%}" in lines
    page = (tmp_path / "drift.md").read_text(encoding="utf-8")
    assert page.startswith(f"# Drift\n\n{value['sentence']}.\n\n| layer | float rate | chip rate | agreement |")
    assert f"\n- accuracy float {answers['accuracy_reference']:.2%}, chip {answers['accuracy_chip']:.2%}\n" in page


def test_a_student_trained_on_integers_does_not_drift(
    trained: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["drift", *trained, "--samples", "50"]) == 0
    said, progress = capsys.readouterr()
    assert progress == ""
    lines = [line.rstrip() for line in said.splitlines()]
    assert lines[0] == (
        "trained on integers: loihi2-assumed, 8-bit weights; no drift: spikes, currents, membrane potentials and "
        "scores are equal on 50 samples"
    )
    assert lines[-2:] == ["same answer     100% of 50 samples", lines[-1]]
    assert lines[-1].startswith("scores          differ by up to 0; trained ones span ")
    assert "weights" not in said.partition("\n")[2], "there are no causes to tell apart"


def test_other_integers_than_those_trained_are_a_no(
    trained: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    graph, chip = trained
    network = load_chip(chip)
    source, hidden, readout = network.populations
    assert hidden.neuron is not None
    other = replace(hidden, neuron=replace(hidden.neuron, vth=hidden.neuron.vth - 400))
    into, out_of = network.connections
    weight = into.weight.copy()
    weight[0, :3] += 2
    changed = replace(network, populations=(source, other, readout), connections=(replace(into, weight=weight), out_of))
    save_chip(changed, chip)
    capsys.readouterr()
    assert main(["drift", graph, chip, "--samples", "50", "--json"]) == 1
    said, progress = capsys.readouterr()
    assert progress == f"error: {chip}: does not hold the integers that {graph} was trained on; lower it again\n"
    value = json.loads(said)
    assert value["changed"] == [
        "input->lif1: 3 of 1280 weights are not those trained",
        f"lif1: vth is {hidden.neuron.vth - 400}; trained with {hidden.neuron.vth}",
    ]
    assert value["reference"] == "trained integers"
    assert value["trained"] == {"profile": "loihi2-assumed", "weight_bits": 8}
    assert value["first_layer"] == "lif1"
    first = value["layers"][0]
    assert first["differing"] > 0
    assert first["states_differing"] > first["differing"]
    assert first["why"] is None
    place = f"step {first['first']['step']} (sample {first['first']['sample']}, neuron {first['first']['neuron']})"
    assert value["sentence"] == (
        "trained on integers: loihi2-assumed, 8-bit weights; the chip network holds other numbers: 'lif1' is the first "
        f"layer that differs, first at {place}"
    )


def test_a_chip_lowered_for_another_profile_is_remarked_on(
    trained: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, chip = trained
    save_chip(replace(load_chip(chip), profile="loihi2", profile_sha256=""), chip)
    capsys.readouterr()
    assert main(["drift", graph, chip, "--samples", "5"]) == 0
    remark = "the graph was trained for loihi2-assumed, and the chip network is lowered for loihi2"
    assert f"note            {remark}" in [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_file_that_is_not_the_parent_is_warned_of(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, chip = files
    again = read_graph(graph)
    again.nodes["fc2"].weight[:] *= 3
    other = str(tmp_path / "other.nir")
    write_graph(again, other)
    capsys.readouterr()
    assert main(["drift", other, chip, "--samples", "5", "--json"]) == 0
    said, progress = capsys.readouterr()
    assert progress == (
        f"warning: {chip} was lowered from another file than {other}: its SHA-256 is not the one noted\n"
    )
    (remark,) = json.loads(said)["remarks"]
    assert remark.startswith("lif1->lif2: weights lie up to ")


def test_samples_of_another_shape_and_too_many(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["drift", *files, "--samples", "100000"]) == 2
    assert "part holds" in capsys.readouterr().err
    assert main(["drift", files[1], files[1]]) == 2
    assert "is an HDF5 file without a NIR graph" in capsys.readouterr().err
