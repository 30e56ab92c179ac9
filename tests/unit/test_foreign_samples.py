"""Networks of other tools on samples of their own: in float64, as integers, and the two compared."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest

import spikewright as sw
from spikewright.commands.cli import main
from spikewright.graph.nir_io import read_graph, write_graph

T, INPUTS, CLASSES = 6, 16, 4
SEED = 3


def graph() -> nir.NIRGraph:
    """As snnTorch writes it, with the batch that Norse and Rockpool leave in the input."""
    rng = np.random.default_rng(SEED)
    ones = np.ones(CLASSES, np.float32)
    nodes = {
        "input": nir.Input(np.array([1, INPUTS])),
        "fc": nir.Linear(rng.random((CLASSES, INPUTS), np.float32) / 4),
        "n": nir.LIF(ones * 1e-3, ones * 10, ones * 0, ones, ones * 0),
        "output": nir.Output(np.array([1, CLASSES])),
    }
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata={}, type_check=False)


def events(samples: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    return (rng.random((samples, T, INPUTS)) < 0.3).astype(np.float32), rng.integers(0, CLASSES, samples)


def by_hand(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    v, found = np.zeros((len(x), CLASSES)), []
    for step in range(T):
        v = 0.9 * v + x[:, step] @ weight.astype(float).T
        found.append(v > 1)
        v = v * (v <= 1)
    return np.stack(found, axis=1)


def test_what_a_graph_did_is_saved_as_nir_has_it(tmp_path: Path) -> None:
    x, _ = events()
    found = sw.interpret(graph(), x)
    found.save(tmp_path / "reference.nir")
    data = nir.read_data(tmp_path / "reference.nir")
    flat = graph()
    flat.nodes["input"] = nir.Input(np.array([INPUTS]))  # nir's own check compares shapes of one axis alone
    data.check_nodes(flat)
    assert {name: set(node.observables) for name, node in data.nodes.items()} == {
        "input": {"spikes"},
        "n": {"spikes", "voltages"},
    }
    spikes, voltages = (data.nodes["n"].observables[name] for name in ("spikes", "voltages"))
    expected = by_hand(x, graph().nodes["fc"].weight)
    assert spikes.data.dtype == bool
    assert (spikes.dt, spikes.t_max) == (1e-4, T * 1e-4)
    np.testing.assert_array_equal(spikes.data, expected)
    np.testing.assert_array_equal(data.nodes["input"].observables["spikes"].data, x.astype(bool))
    np.testing.assert_array_equal(voltages.data > 1, expected)
    found.save(tmp_path / "again.nir")
    assert (tmp_path / "again.nir").read_bytes() == (tmp_path / "reference.nir").read_bytes()


def test_graded_input_is_saved_as_values_for_every_step(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 2 * INPUTS).reshape(2, INPUTS)
    sw.interpret(graph(), x, timesteps=T).save(tmp_path / "reference.nir")
    saved = nir.read_data(tmp_path / "reference.nir").nodes["input"].observables["values"]
    np.testing.assert_array_equal(saved.data, np.repeat(x[:, None], T, axis=1))


def test_a_name_that_a_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    x, _ = events()
    made = graph()
    nodes = {{"n": "a/b"}.get(name, name): node for name, node in made.nodes.items()}
    slashed = nir.NIRGraph(nodes, list(pairwise(nodes)), metadata={}, type_check=False)
    with pytest.raises(sw.InputError, match="node 'a/b': HDF5 has no such name"):
        sw.interpret(slashed, x).save(tmp_path / "reference.nir")
    assert not list(tmp_path.iterdir())


def test_a_graph_is_interpreted_on_arrays(tmp_path: Path) -> None:
    x, _ = events()
    made = graph()
    expected = by_hand(x, made.nodes["fc"].weight)
    write_graph(made, tmp_path / "g.nir")
    for source in (made, tmp_path / "g.nir"):
        found = sw.interpret(source, x)
        np.testing.assert_array_equal(found.spikes["n"], expected)
        np.testing.assert_array_equal(found.scores, expected.sum(1))
    assert (found.dt_s, found.producer) == (1e-4, "snntorch")
    assert found.assumed[0] == "input 'input' has shape (1, 16): its first 1 is read as a batch and left out"
    first, *rest = repr(found).splitlines()
    assert first == f"Interpretation of 10 samples, 6 timesteps of 0.0001 s; rates: n {expected.mean():.4g}"
    assert rest == [f"  assumed: {sentence}" for sentence in found.assumed]


def test_the_same_at_every_step_and_samples_of_a_file(tmp_path: Path) -> None:
    x, y = events()
    made = graph()
    still = sw.interpret(made, x[:, 0], timesteps=T)
    np.testing.assert_array_equal(still.spikes["n"], by_hand(np.repeat(x[:, :1], T, 1), made.nodes["fc"].weight))
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    found = sw.interpret(made, tmp_path / "mine.npz", timesteps=T)
    np.testing.assert_array_equal(found.spikes["n"], by_hand(x, made.nodes["fc"].weight))


@pytest.mark.parametrize(
    ("samples", "given", "says"),
    [
        (np.zeros((2, 3, 5)), {}, r"samples: have shape \(2, 3, 5\); the graph takes \(samples, timesteps, 16\) or"),
        (np.zeros((2, 16)), {}, "timesteps: is needed where samples are the same in every step"),
        (np.zeros((2, 3, 16)), {"timesteps": 4}, "timesteps=4: samples have 3 steps; leave it out"),
        (np.full((2, 3, 16), np.nan), {}, "samples: are float64; must be finite numbers"),
        ("mine.npz", {}, "timesteps: is needed for samples of a file"),
        (np.zeros((2, 3, 16)), {"producer": "brian"}, "producer=brian: may be: lava, nengo, norse"),
        (np.zeros((2, 3, 16)), {"reset": "soft"}, "reset=soft: may be: subtract, subtract-late, zero"),
        (np.zeros((2, 3, 16)), {"dt_s": -1.0}, "must be a positive number of seconds"),
    ],
)
def test_samples_and_arguments_that_do_not_fit_are_refused(
    samples: object, given: dict[str, object], says: str
) -> None:
    with pytest.raises(sw.InputError, match=says):
        sw.interpret(graph(), samples, **given)  # type: ignore[arg-type]


def test_arrays_and_files_are_simulated_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Samples that fit the network need no layout: a series of 16 channels is 6 frames of 16 events."""
    x, y = events()
    nir_file, chip_file, data = tmp_path / "g.nir", tmp_path / "chip.h5", tmp_path / "mine.npz"
    write_graph(graph(), nir_file)
    np.savez(data, x=x, y=y)
    words = ["-T", str(T), "-p", "loihi2", "--calibrate", str(data), "-o", str(chip_file)]
    assert main(["lower", str(nir_file), *words]) == 0
    capsys.readouterr()
    out = tmp_path / "activity.json"
    assert main(["simulate", str(chip_file), "--data", str(data), "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    chip = sw.lower(nir_file, "loihi2", timesteps=T, calibrate=str(data))
    activity = sw.simulate(chip, (x, y))
    assert said["accuracy"] == activity.accuracy
    expected = by_hand(x, graph().nodes["fc"].weight)
    assert activity.populations["n"].spikes.sum() == pytest.approx(expected.sum(), rel=0.05)
    words = ["--data", str(data), "--samples", "10", "--json"]
    assert main(["drift", str(nir_file), str(chip_file), *words]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["name"] for layer in layers] == ["n"]


def test_a_network_that_was_read_as_its_producer_means_it_is_compared_so(tmp_path: Path) -> None:
    """drift reads the graph as it was lowered: Rockpool's neurons, which a chip's notes name."""
    made, (x, y) = graph(), events()
    tau = np.full(CLASSES, 2e-2)
    made.nodes["n"].tau, made.nodes["n"].r = tau, tau * np.exp(-1e-3 / tau) / 1e-3
    path = tmp_path / "g.nir"
    write_graph(made, path)
    chip = sw.lower(path, "loihi2-assumed", timesteps=T)
    assert (chip.provenance["producer"], chip.provenance["dt_s"]) == ("rockpool", pytest.approx(1e-3))
    found = sw.drift(read_graph(path), chip, (x, y), samples=10)
    float_rate = sw.interpret(path, x).spikes["n"].mean()
    raster = found.layers[0].raster
    assert 0 < raster.reference == round(float_rate * raster.compared)
    assert sw.drift(path, chip, (x, y), samples=10).layers[0].raster == raster
