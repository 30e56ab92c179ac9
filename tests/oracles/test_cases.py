"""Small files in the conventions of tools, each for a kind that was read wrongly or refused: the right answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.commands.cli import main
from spikewright.graph.interpreter import interpret
from spikewright.graph.nir_io import read_graph
from spikewright.graph.time_step import Convention, Reading, read_as
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.simulation import integer

STEPS = 60


def read(path: Path, **said: object) -> Reading:
    graph = read_graph(path)
    return read_as(wire(graph), graph.metadata, Convention(**said))  # type: ignore[arg-type]


def spikes_of(reading: Reading, drive: np.ndarray, neuron: str = "n") -> np.ndarray:
    found = interpret(reading.wiring, torch.from_numpy(drive[:, None]), reading.step.dt_s, len(drive))
    return found.spikes[neuron][:, 0].numpy()


def events(*shape: int, rate: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(0).random((STEPS, *shape)) < rate).astype(float)


def leaky(drive: np.ndarray, weight: float, keep: float, gain: float, threshold: float = 1.0) -> np.ndarray:
    """Spikes of equal neurons, one value for each step, reset to zero."""
    v, found = 0.0, []
    for arriving in weight * drive.sum(1):
        v = keep * v + gain * arriving
        found.append(float(v > threshold))
        v *= v <= threshold
    return np.array(found)


def test_time_in_steps_is_recognised_and_said(cases: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, drive = cases / "sinabs_lif_tau_in_steps.nir", events(16)
    reading = read(path)
    assert reading.producer is not None and (reading.producer.name, reading.step.dt_s) == ("sinabs", 1.0)
    expected = leaky(drive, 1.25, np.exp(-0.1), 1 - np.exp(-0.1))
    assert 0 < expected.sum() < STEPS
    np.testing.assert_array_equal(spikes_of(reading, drive)[:, 0], expected)
    assert main(["lower", str(path), "-T", "60", "-o", str(tmp_path / "chip.h5")]) == 0
    said = capsys.readouterr().err
    assert "assumed: time step 1 s: tau in steps and r = 1, sinabs' convention" in said
    assert "neurons of sinabs are reset by 'subtract' unless one says otherwise" in said


def test_the_integers_of_time_in_steps_spike_at_the_same_rate(cases: Path) -> None:
    drive = events(16)
    chip = lower(read_graph(cases / "sinabs_lif_tau_in_steps.nir"), "loihi2", timesteps=STEPS, encoding="events")
    spikes = integer.run(chip, drive[:, None].astype(np.int64)).spikes["n"]
    assert spikes[:, 0, 0].sum() == pytest.approx(leaky(drive, 1.25, np.exp(-0.1), 1 - np.exp(-0.1)).sum(), abs=1)


def test_an_unknown_time_step_is_asked_for_with_the_values_that_fit(cases: Path) -> None:
    path, drive = cases / "spikingjelly_dt_1e-3.nir", events(16)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        "NIR graph: its time step does not follow from its parameters; consistent are producer=spikingjelly "
        "dt_s=0.0001 (SpikingJelly), producer=spikingjelly dt_s=0.001 (SpikingJelly or Norse), producer=nengo "
        "dt_s=0.001 (Nengo); give dt_s=SECONDS or producer=NAME"
    )
    expected = leaky(drive, 0.25, 0.5, 0.5, np.nextafter(1, 0))  # SpikingJelly fires at the threshold, too
    assert (leaky(drive, 0.25, 0.5, 0.5) != expected).any()
    assert 0 < expected.sum() < STEPS
    for said in ({"dt_s": 1e-3}, {"dt_s": 1e-3, "producer": "spikingjelly"}):
        np.testing.assert_array_equal(spikes_of(read(path, **said), drive)[:, 0], expected)


def test_the_question_speaks_of_flags(cases: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(cases / "spikingjelly_dt_1e-3.nir")
    assert main(["lower", path, "-o", str(tmp_path / "chip.h5")]) == 2
    assert "give --dt SECONDS or --producer NAME" in capsys.readouterr().err
    assert main(["lower", path, "--dt", "1e-3", "-T", "8", "-o", str(tmp_path / "chip.h5")]) == 0


@pytest.mark.parametrize("producer", ["snntorch", "sinabs", "spyx", "lava"])
def test_a_producer_that_cannot_have_written_a_file_is_refused(cases: Path, producer: str) -> None:
    with pytest.raises(InputError, match=f"producer={producer}: .* does not write such neurons"):
        read(cases / "spikingjelly_dt_1e-3.nir", producer=producer)


def test_a_batch_in_the_input_is_left_out(cases: Path) -> None:
    reading, drive = read(cases / "batch_in_input_dense.nir"), events(16, rate=0.2)
    assert reading.wiring.assumed[0] == "input 'input' has shape (1, 16): its first 1 is read as a batch and left out"
    expected = leaky(drive, 0.0625, 0.9, 1.0)
    assert 0 < expected.sum() < STEPS
    np.testing.assert_array_equal(spikes_of(reading, drive)[:, 0], expected)


def test_a_batch_in_parameters_is_left_out(cases: Path) -> None:
    reading = read(cases / "batch_in_parameters.nir")
    assert reading.wiring.shapes["n"][0] == (3, 4, 4)
    said = "IF 'n' has parameters of shape (1, 3, 4, 4): their first 1 is read as a batch and left out"
    assert said in reading.wiring.assumed
    drive = events(2, 4, 4, rate=0.1)
    padded = np.pad(drive.sum(1), ((0, 0), (1, 1), (1, 1)))
    arriving = 1 + sum(padded[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3))
    v, expected = np.zeros((4, 4)), []
    for now in arriving:
        v = v + now
        expected.append(v >= 1)  # sinabs fires at the threshold, too
        v = v * (v < 1)
    np.testing.assert_array_equal(spikes_of(reading, drive), np.repeat(np.array(expected)[:, None], 3, axis=1))


def test_two_time_constants_of_rockpool_have_one_time_step(cases: Path) -> None:
    reading, drive = read(cases / "rockpool_two_taus.nir"), events(16, rate=0.1)
    assert reading.producer is not None and reading.producer.name == "rockpool"
    assert reading.step.dt_s == pytest.approx(1e-3, rel=1e-6)
    assert reading.assumed[0] == "reset subtract: so neurons of Rockpool are reset"
    v, expected, keep = 0.0, [], np.exp(-1 / 20)
    for arriving in 0.0625 * drive.sum(1):
        v = keep * v + arriving  # LIFNeuronTorch; see docs/compatibility.md
        expected.append(float(v >= 1))
        v -= expected[-1]
    assert 0 < sum(expected) < STEPS
    np.testing.assert_array_equal(spikes_of(reading, drive)[:, 0], expected)


def test_a_single_bias_is_that_of_all_outputs(cases: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = cases / "scalar_bias.nir", tmp_path / "repaired.nir"
    assert main(["check", str(path), "--repair", "-o", str(out)]) == 0
    assert "Affine 'a' has a single bias of shape (): it is taken for all 3 outputs" in capsys.readouterr().out
    assert read_graph(out).nodes["a"].bias.tolist() == [0.0, 0.0, 0.0]


def test_every_case_is_repaired_to_a_file_without_questions(
    cases: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = sorted(cases.glob("*.nir"))
    assert len(files) == 6
    for path in files:
        out = tmp_path / path.name
        given = ["--dt", "1e-3"] if "spikingjelly" in path.name else []
        assert main(["check", str(path), "--repair", "-o", str(out), "-p", "loihi2-assumed", *given]) == 0, path.name
        capsys.readouterr()
        assert main(["check", str(out), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["findings"]
        assumed = [each["what"] for each in found if each["level"] == "assumed"]
        assert all(what.startswith("reset to zero") for what in assumed), (path.name, assumed)
        first, second = read(path, **({"dt_s": 1e-3} if given else {})), read(out)
        drive = events(*first.wiring.shapes[first.wiring.input][1])
        np.testing.assert_array_equal(spikes_of(first, drive), spikes_of(second, drive))
