"""`spikewright simulate`, as a person at a terminal meets it."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.chip.activity_file import load_activity
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.commands.simulate import main
from spikewright.simulation.simulate import simulate


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.int64)


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network for the digits: a convolution and a readout that saturates nothing."""
    random = np.random.default_rng(2)
    populations = (
        Population("input", (1, 8, 8), "input", None, 4),
        Population("hidden", (2, 4, 4), "hidden", Neuron(4095, 400, 2000, random.integers(-50, 50, (2, 4, 4)))),
        Population("readout", (10,), "readout", Neuron(4095, 100, 131071, zeros(10), fires=False)),
    )
    connections = (
        Connection("input", "hidden", 2 * random.integers(-30, 60, (2, 1, 3, 3)), conv=ConvGeometry((2, 2), (1, 1))),
        Connection("hidden", "readout", 2 * random.integers(-60, 60, (10, 32))),
    )
    network = ChipNetwork(populations, connections, 3, "direct", "membrane", "none", "")
    path = tmp_path_factory.mktemp("chip") / "chip.h5"
    save_chip(network, path)
    return path


def test_counts_and_says_so(chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "activity.json"
    assert main([str(chip), "--data", "digits", "--samples", "40", "-o", str(out)]) == 0
    activity = load_activity(out)
    assert (activity.samples, activity.timesteps, activity.backend, activity.split) == (40, 3, "integer", "test")
    assert activity.chip_sha256 == sha256_of(chip)
    assert activity.provenance["data"] == "digits"
    said, remarked = capsys.readouterr()
    counts = {name: p.spikes.sum() / 40 for name, p in activity.populations.items()}
    assert said == (
        f"accuracy      {activity.correct / 40:.2%}  ({activity.correct} of 40 test samples)\n"
        f"  balanced    {activity.quality.balanced_accuracy:.2%}\n"
        f"  F1          {activity.quality.f1:.3f}\n"
        f"spikes        {sum(counts.values()):.1f} per sample\n"
        f"  input                    {counts['input']:.1f}\n"
        f"  hidden                   {counts['hidden']:.1f}\n"
        "  readout                  0.0\n"
        f"synaptic ops  {activity.total_synaptic_ops / 40:.1f} per sample\n"
        f"  input->hidden            {activity.synaptic_ops['input->hidden'] / 40:.1f}\n"
        f"  hidden->readout          {counts['hidden'] * 10:.1f}\n"
    )
    assert remarked.endswith(f"samples/s; wrote {out}\n")
    assert "warning" not in remarked


def test_one_json_object(chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "activity.json"
    assert main([str(chip), "--samples", "5", "--split", "validation", "-o", str(out), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    quality = value.pop("quality")
    assert value.pop("accuracy") == quality["accuracy"] == value["correct"] / 5
    assert np.sum(quality["confusion"]) == 5
    assert value == json.loads(out.read_text())
    assert value["split"] == "validation"


def test_records_every_spike(chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raster, out = tmp_path / "raster.h5", tmp_path / "activity.json"
    words = [str(chip), "--samples", "7", "--batch", "3", "--record", str(raster), "-o", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().err.endswith(f"wrote {out} and {raster}\n")
    activity = load_activity(out)
    with h5py.File(raster) as file:
        assert file["scores"].shape == (7, 10)
        spikes = {dataset.attrs["name"]: dataset[()] for dataset in file["spikes"].values()}
    assert spikes["hidden"].shape == (7, 3, 2, 4, 4)
    for name, population in activity.populations.items():
        assert np.array_equal(np.count_nonzero(spikes[name], axis=(0, 1)), population.spikes)


def test_batches_change_nothing_and_halves_add_up(chip: Path) -> None:
    from spikewright.chip.activity_file import as_json

    network = load_chip(chip)
    whole = simulate(network, "digits", samples=20)
    assert as_json(simulate(network, "digits", samples=20, batch=7)) == as_json(whole)
    images = np.random.default_rng(1).random((6, 1, 8, 8), dtype=np.float32)
    labels = np.arange(6)
    halves = [simulate(network, (images[part], labels[part])) for part in (slice(0, 3), slice(3, 6))]
    assert as_json(halves[0] + halves[1]) == as_json(simulate(network, (images, labels)))


def test_overflows_are_remarked_on(chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = load_chip(chip)
    source, hidden, readout = network.populations
    loud = replace(
        hidden, neuron=replace(hidden.neuron, du=0, dv=0, vth=131071, bias_exp=7, bias=zeros(2, 4, 4) + 4095)
    )
    heavy = replace(network.connections[0], weight=np.full((2, 1, 3, 3), 254))
    spiking = replace(readout, neuron=replace(readout.neuron, vth=0, bias=zeros(10) + 1))
    changed = replace(
        network,
        timesteps=30,
        populations=(source, loud, spiking),
        connections=(heavy, network.connections[1]),
    )
    path = tmp_path / "loud.h5"
    save_chip(changed, path)
    assert main([str(path), "--samples", "3", "-o", str(tmp_path / "a.json")]) == 0
    activity = load_activity(tmp_path / "a.json")
    found = activity.populations["hidden"].overflows
    wraps, clipped = found.wraps, found.clips
    assert wraps > 0
    assert clipped > 0
    fired = int(activity.populations["readout"].spikes.sum())
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")] == [
        f"warning: population 'hidden': a current left its 24 bits and wrapped around in {wraps} of 2880 updates",
        f"warning: population 'hidden': a membrane potential was clipped to its 24 bits in {clipped} of 2880 updates",
        f"warning: population 'readout' must never fire and did so {fired} times; its scores are wrong",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "digitz"], "digitz: there is no such data set; did you mean 'digits'? may be: cifar10, "),
        (["--samples", "9999"], "the test part holds 359 samples and 9999 were asked for; ask for 1 or more that "),
        (["-o", "no/such/folder/a.json"], "no/such/folder/a.json: the folder no/such/folder does not exist; "),
        (["--on", "lavva"], "'lavva': there is no such simulator; did you mean 'lava'? may be: integer, lava, netx, "),
    ],
)  # fmt: skip
def test_refusals(chip: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(chip), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1


def test_refuses_a_file_that_is_no_chip_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "chip.h5"
    assert main([str(missing)]) == 2
    assert capsys.readouterr().err == (
        f"error: {missing}: there is no such file; expected a chip network file, as written by `spikewright lower`\n"
    )


def test_refuses_data_of_another_shape(chip: Path) -> None:
    images = np.zeros((2, 3, 8, 8), dtype=np.float32)
    with pytest.raises(InputError) as refusal:
        simulate(load_chip(chip), (images, np.zeros(2, dtype=np.int64)))
    assert str(refusal.value) == (
        "the network's input takes samples of shape (1, 8, 8) and the data has (3, 8, 8); use the data that it was "
        "trained on"
    )


def test_refuses_images_without_labels_and_simulators_that_do_not_exist(chip: Path) -> None:
    images = np.zeros((2, 1, 8, 8), dtype=np.float32)
    with pytest.raises(InputError, match="2 images and 1 labels; every image needs one label"):
        simulate(load_chip(chip), (images, np.zeros(1, dtype=np.int64)))
    with pytest.raises(InputError, match="'brian': there is no such simulator; may be: integer, lava, netx"):
        simulate(load_chip(chip), "digits", on="brian")
    with pytest.raises(InputError, match="'tests': there is no such part of a data set; did you mean 'test'"):
        simulate(load_chip(chip), "digits", split="tests")


def test_a_current_input_that_does_not_say_its_bits_is_refused() -> None:
    populations = (
        Population("input", (1, 8, 8), "input", Neuron(4095, 0, 255, zeros(1, 8, 8))),
        Population("readout", (10,), "readout", Neuron(4095, 100, 131071, zeros(10), fires=False)),
    )
    connection = Connection("input", "readout", np.full((10, 64), 2))
    network = ChipNetwork(populations, (connection,), 3, "current", "membrane", "none", "")
    with pytest.raises(InputError) as refusal:
        simulate(network, "digits", samples=1)
    assert str(refusal.value) == (
        "the network's current input does not say its bits (`input_bits` in its provenance); lower it again"
    )
    assert simulate(network.with_provenance(input_bits=8), "digits", samples=1).samples == 1


@pytest.mark.lava
def test_on_lava_counts_the_same(chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("lava") is None:
        pytest.skip("Lava is not installed (it needs Python 3.10)")
    values = []
    for on in ("integer", "lava"):
        words = [str(chip), "--samples", "4", "--batch", "3", "--on", on, "-o", str(tmp_path / "a.json"), "--json"]
        assert main(words) == 0
        values.append(json.loads(capsys.readouterr().out))
    assert values[1].pop("backend") == "lava"
    assert values[0].pop("backend") == "integer"
    assert values[0] == values[1]
