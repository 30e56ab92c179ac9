"""``spikewright lower``: the network, the table, the fit, and flags that fill in what a file leaves out."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.chip.chip_file import load_chip
from spikewright.commands.cli import main
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.lowering.lower import lower
from spikewright.lowering.peaks import Measuring
from spikewright.lowering.quantize import CALIBRATION
from spikewright.profile.profile import load_profile


def network(hidden: int = 3, metadata: dict[str, object] | None = None) -> nir.NIRGraph:
    def lif(size: int) -> nir.LIF:
        ones = np.ones(size, np.float32)
        return nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones)

    weight = np.linspace(-1, 1, hidden * 4, dtype=np.float32).reshape(hidden, 4)
    nodes = {
        "input": nir.Input(np.array([4])),
        "fc1": nir.Affine(weight, np.full(hidden, 0.25, np.float32)),
        "lif1": lif(hidden),
        "fc2": nir.Linear(np.eye(2, hidden, dtype=np.float32)),
        "lif2": lif(2),
        "output": nir.Output(np.array([2])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata=metadata or {}, type_check=False)


OURS = {"dt_s": 1e-4, "reset": "zero", "encoding": "rate", "readout": "count", "timesteps": 6, "input_bits": 8}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    write_graph(network(metadata=OURS), tmp_path / "ours.nir")
    return tmp_path / "ours.nir"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    write_graph(network(), tmp_path / "foreign.nir")
    return tmp_path / "foreign.nir"


def test_the_table(ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "chip.h5"
    assert main(["lower", str(ours), "-p", "loihi2", "-o", str(out)]) == 0
    said, progress = capsys.readouterr()
    assert progress == f"{out}\n"
    assert said.splitlines() == [
        "loihi2: rate input, T = 6, count readout",
        "population  role     shape  from    weights  bits  fan-in  scale  vth  du    dv    cores",
        "input       input    4      events",
        "lif1        hidden   3      input   3x4      8.0   4       254    254  4095  2048  1",
        "lif2        readout  2      lif1    2x3      8.0   3       255    255  4095  2048  1",
        "neurons: 3 of 8192 (lif1)",
        "synapse memory: 256 of 1048576 (lif1)",
        "cores: 2 of 120",
        "placement: cores in order, since how they lie on the chip is not known",
    ]
    chip = load_chip(out)
    assert (chip.timesteps, chip.encoding, chip.readout, chip.profile) == (6, "rate", "count", "loihi2")
    assert chip.provenance["parent_sha256"] == sha256_of(ours)
    assert chip.provenance["assumed"] == []


def test_json(ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lower", str(ours), "-p", "loihi2", "-o", str(tmp_path / "chip.h5"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["chip"] == str(tmp_path / "chip.h5")
    assert [p["name"] for p in said["populations"]] == ["input", "lif1", "lif2"]
    assert said["populations"][1] == {
        "name": "lif1", "role": "hidden", "shape": [3], "du": 4095, "dv": 2048, "vth": 254, "bias_exp": 6,
        "fires": True, "scale": 254.0,
    }  # fmt: skip
    assert said["connections"][0] == {
        "source": "input", "target": "lif1", "weights": [3, 4], "convolution": False, "fan_in": 4, "weight_bits": 8,
        "effective_bits": 7.99,
    }  # fmt: skip
    assert {use["resource"]: (use["used"], use["limit"]) for use in said["fit"]}["cores"] == (2, 120)


def test_what_a_foreign_file_leaves_out_is_assumed_and_said(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chip.h5"
    assert main(["lower", str(foreign), "-p", "loihi2", "-o", str(out)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "assumed: timesteps 4: the default of profile loihi2",
        "assumed: encoding events: the file does not say how samples enter; the graph also allows direct (the same "
        "values in each step), rate (spikes drawn from values), latency (one spike a value, the larger the earlier): "
        "say the encoding where samples are values and not spikes",
        "assumed: time step 0.0001 s: r = tau/dt, snnTorch's convention: the gain per step is 1",
        "assumed: reset to zero: NIR cannot say how its neurons were reset in training; neurons of snnTorch are reset "
        "by 'subtract-late' unless one says otherwise, and such a network will spike differently: say its reset if "
        "this is one",
        str(out),
    ]


def test_flags_fill_in_what_a_foreign_file_leaves_out(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chip.h5"
    words = ["--timesteps", "9", "--encoding", "direct", "--input-bits", "2", "--dt", "5e-5"]
    assert main(["lower", str(foreign), "-p", "loihi2", "-o", str(out), *words]) == 0
    chip = load_chip(out)
    assert (chip.timesteps, chip.encoding, chip.input.payload_bits) == (9, "direct", 2)
    assert chip.by_name["lif1"].neuron.dv == 1024
    assert capsys.readouterr().err.splitlines() == [
        "assumed: reset to zero: NIR cannot say how its neurons were reset in training; a network trained with reset "
        "by subtraction will spike differently",
        str(out),
    ]


def test_a_flag_cannot_contradict_the_graph(ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lower", str(ours), "-o", str(tmp_path / "c.h5"), "--timesteps", "9"]) == 2
    assert capsys.readouterr().err == (
        "error: --timesteps 9: the graph was made for 6; leave it out, or train a student for 9\n"
    )


def test_unknown_encoding_and_profile(foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "c.h5")
    assert main(["lower", str(foreign), "-o", out, "--encoding", "rates"]) == 2
    assert capsys.readouterr().err == (
        "error: NIR graph: encoding is 'rates'; did you mean 'rate'? may be: current, direct, events, latency, rate\n"
    )
    assert main(["lower", str(foreign), "-o", out, "-p", "loihi3"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: profile 'loihi3': there is none of that name; did you mean 'loihi2'?"
    )


def test_a_network_that_does_not_fit_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = tmp_path / "tiny.toml"
    loihi2 = Path(__file__).resolve().parents[2] / "hardware_profiles" / "loihi2.toml"
    text = loihi2.read_text(encoding="utf-8").replace("[limits]\n", "[limits]\nfan_in = 3\n", 1)
    text = text.replace("[limit_sources]\n", '[limit_sources]\nfan_in = { source = "lava", where = "made up" }\n', 1)
    tiny.write_text(text, encoding="utf-8")
    write_graph(network(metadata=OURS), tmp_path / "s.nir")
    assert main(["lower", str(tmp_path / "s.nir"), "-p", str(tiny), "-o", str(tmp_path / "chip.h5")]) == 1
    said, error = capsys.readouterr()
    assert said == ""
    assert error == (
        "error: tiny: 'lif1' does not fit: even on 3 cores, one of them needs 4 synapses for one neuron and "
        "has 3; fewer sources for each neuron would make it fit\n"
    )
    assert not (tmp_path / "chip.h5").exists()


STEPS, LINES = 600, 64


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Events of many steps into a readout that integrates, and a file of such events."""
    random = np.random.default_rng(0)
    nodes = {
        "input": nir.Input(np.array([LINES])),
        "fc": nir.Linear(random.uniform(-1, 1, (2, LINES)).astype(np.float32)),
        "out": nir.I(r=np.full(2, 1e4, np.float32)),
        "output": nir.Output(np.array([2])),
    }
    metadata = {"dt_s": 1e-4, "reset": "zero", "encoding": "events", "timesteps": STEPS}
    write_graph(nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False), tmp_path / "long.nir")
    x = (random.random((40, STEPS, LINES, 1, 1)) < 0.02).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(40) % 2)
    return tmp_path / "long.nir"


def test_scales_measured_on_data_of_ones_own(long: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chip, data = tmp_path / "chip.h5", str(tmp_path / "data.npz")
    assert main(["lower", str(long), "-o", str(chip)]) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "note: input->out: only 5 levels from zero to the largest weight; the scale is limited by the range of the "
        "readout: fewer timesteps or a smaller fan-in would help; or room for what data cause instead of any input: "
        "--scales auto in training, --calibrate in lowering"
    )
    words = ["--calibrate", data, "--calibrate-samples", "20", "--margin", "2", "--json"]
    assert main(["lower", str(long), "-o", str(chip), *words]) == 0
    said, notes = capsys.readouterr()
    assert json.loads(said)["connections"][0]["effective_bits"] >= 6
    assert "note: out: room for 2 times the peaks of 20 samples, not for every input" in notes
    assert load_chip(chip).provenance["measured"] == ["out"]
    assert main(["simulate", str(chip), "--data", data, "--split", "test", "-o", str(tmp_path / "a.json")]) == 0
    assert "overflows     0 wraps, 0 resets, 0 clips\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--margin", "2"], "lower: --margin: is for scales measured on data; give --calibrate too"),
        (["--data-dir", "x"], "--data-dir: is the folder of data to measure on; give --calibrate too"),
        (["--calibrate", "digits"], "--calibrate: the network's input takes samples of shape (600, 64), and these "),
        (["--calibrate", "data.npz", "--quantile", "1.5"], "--calibrate: --quantile 1.5: must be above 0 and at most "),
    ],
)  # fmt: skip
def test_what_cannot_be_measured(
    long: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(long.parent)
    assert main(["lower", str(long), "-o", "chip.h5", *words]) == 2
    assert f"error: {said}" in capsys.readouterr().err
    assert not (long.parent / "chip.h5").exists()


@pytest.mark.parametrize(
    ("encoding", "shape", "hint"),
    [
        ([], (6, 4), "values without an axis of timesteps need another encoding than events, such as --encoding rate"),
        (["--encoding", "rate"], (6, 9, 2, 2), "frames of events, one for each timestep, need --encoding events"),
        ([], (6, 5), "give data such as it was trained on"),
    ],
)
def test_data_of_another_shape_name_the_encoding_that_they_need(
    encoding: list[str], shape: tuple[int, ...], hint: str, foreign: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    data = tmp_path / "mine.npz"
    np.savez(data, x=np.ones(shape, np.float32), y=np.arange(6) % 2)
    assert main(["lower", str(foreign), "-T", "9", *encoding, "--calibrate", str(data)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(hint)


@pytest.mark.parametrize("ending", ["npz", "npy"])
def test_scales_are_measured_on_samples_without_labels(long: Path, tmp_path: Path, ending: str) -> None:
    with np.load(tmp_path / "data.npz") as file:
        x = file["x"]
    alone = tmp_path / f"alone.{ending}"
    np.savez(alone, x=x) if ending == "npz" else np.save(alone, x[:, :, :, 0, 0])
    assert main(["lower", str(long), "-o", str(tmp_path / "chip.h5"), "--calibrate", str(alone)]) == 0
    chip, graph = load_chip(tmp_path / "chip.h5"), read_graph(long)
    expected = lower(graph, load_profile("loihi2-assumed"), calibrate=Measuring(x))
    assert chip.provenance[CALIBRATION] == expected.provenance[CALIBRATION]
    assert np.array_equal(chip.connections[0].weight, expected.connections[0].weight)


def test_images_without_labels_are_measured_as_they_enter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = {
        "input": nir.Input(np.array([1, 2, 3])),
        "flat": nir.Flatten({"input": np.array([1, 2, 3])}, 0, -1),
        "fc": nir.Linear(np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)),
        "out": nir.I(r=np.full(2, 1e4, np.float32)),
        "output": nir.Output(np.array([2])),
    }
    metadata = {"dt_s": 1e-4, "reset": "zero", "encoding": "direct", "timesteps": 5, "input_bits": 6}
    graph = nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 2, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    chip = lower(graph, load_profile("loihi2-assumed"), calibrate=str(tmp_path / "x.npy"))
    expected = lower(graph, load_profile("loihi2-assumed"), calibrate=Measuring(pixels[:, None] / np.float32(255)))
    assert chip.provenance[CALIBRATION] == expected.provenance[CALIBRATION]
    np.save(tmp_path / "x.npy", pixels[:, :, :2])
    with pytest.raises(InputError, match=r"x\.npy: its samples have shape \(2, 2\), and the network takes \(1, 2, 3\)"):
        lower(graph, load_profile("loihi2-assumed"), calibrate=str(tmp_path / "x.npy"))
