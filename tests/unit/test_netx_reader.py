"""Files of lava-dl's as chip networks: what is read, what is assumed, and everything that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import lava_dl_files
import numpy as np
import pytest

import spikewright as sw
from spikewright.commands.cli import main
from spikewright.exchange.netx_layers import is_netx
from spikewright.simulation import integer
from spikewright.simulation.simulate import drive_of


def layers(kind: str) -> list[dict[str, Any]]:
    return [dict(layer) for layer in getattr(lava_dl_files, kind)(np.random.default_rng(0))]


def file_of(made: list[dict[str, Any]], folder: Path, steps: int | None = 8) -> Path:
    return lava_dl_files.write(folder / "theirs.net", made, steps)


def refusal(made: list[dict[str, Any]], folder: Path, **given: Any) -> str:
    path = file_of(made, folder)
    with pytest.raises(sw.InputError) as refused:
        sw.read_netx(path, **given)
    return str(refused.value).removeprefix(f"{path}: ")


def test_registers_weights_and_geometry(tmp_path: Path) -> None:
    made = layers("convolutions")
    chip = sw.read_netx(file_of(made, tmp_path))
    assert [(p.name, p.shape, p.role) for p in chip.populations] == [
        ("input", (2, 6, 5), "input"), ("conv-1", (4, 3, 5), "hidden"),
        ("conv-2", (3, 2, 4), "hidden"), ("dense-4", (6,), "readout"),
    ]  # fmt: skip
    first, second, output = (p.neuron for p in chip.populations[1:])
    assert (first.du, first.dv, first.vth, output.fires) == (999, 500, 80, True)
    assert np.array_equal(first.bias, made[1]["bias"].T)
    assert second.bias[:, 1, 2].tolist() == [3, -2, 1]
    assert chip.connections[0].conv is not None
    assert chip.connections[0].conv.stride == (2, 1)
    assert chip.connections[1].conv is not None
    assert chip.connections[1].conv.padding == (0, 0)
    assert np.array_equal(chip.connections[0].weight, made[1]["weight"][..., 0])
    assert (chip.timesteps, chip.readout, chip.encoding) == (8, "count", "current")
    assert (chip.classes, chip.meaning.population) == (3, 2)


def test_a_layer_without_neurons_adds_up_its_input(tmp_path: Path) -> None:
    chip = sw.read_netx(file_of(layers("mlp"), tmp_path, None), timesteps=5)
    output = chip.output.neuron
    assert output is not None
    assert (output.du, output.dv, output.vth, output.fires, chip.readout) == (4095, 0, 131071, False, "membrane")
    assert chip.input.shape == (1, 1, 12)
    assumed = chip.provenance["assumed"]
    assert [each.partition(":")[0] for each in assumed] == ["encoding events", "dense-4"]
    drive = np.random.default_rng(0).integers(0, 2, (5, 2, 1, 1, 12))
    recording = integer.run(chip, drive)
    spikes = recording.spikes["dense-3"].astype(np.int64).sum(axis=0)
    assert np.array_equal(recording.scores, 64 * spikes @ chip.connections[-1].weight.T)


def test_samples_become_currents_by_the_files_transform(tmp_path: Path) -> None:
    path = file_of(layers("convolutions"), tmp_path)
    samples = np.linspace(0, 1, 60, dtype=np.float32).reshape(1, 2, 6, 5)
    plain, signed = sw.read_netx(path), sw.read_netx(path, input_range=(-1, 1))
    assert drive_of(plain, samples).min() == 36
    assert drive_of(plain, samples).max() == 76
    assert np.array_equal(drive_of(signed, samples)[0], np.rint(80 * samples.astype(float) - 4))
    assert "if it was trained on samples of -1 to 1, give input_range=-1,1" in plain.provenance["assumed"][0]
    assert signed.provenance["assumed"][0] == "samples of 0 to 1 become currents of -4 to 76"
    damaged = signed.with_provenance(input_transform=[80])
    with pytest.raises(sw.InputError, match=r"a weight and a bias that give currents of -4095\.\.4095"):
        drive_of(damaged, samples)


def test_weights_that_the_loader_changes_are_read_as_it_changes_them(tmp_path: Path) -> None:
    made = layers("mlp")
    made[3]["weight"] = np.full((15, 20), -2)
    chip = sw.read_netx(file_of(made, tmp_path))
    assert not chip.connections[1].weight.any()
    said = "dense-3: 300 weights are read as lava-dl's loader changes them, the first from -2 to 0"
    assert said in chip.provenance["assumed"]
    made[3]["weight"] = np.array([-1, -128, 0] * 100).reshape(15, 20)
    assert refusal(made, tmp_path) == (
        "layer 3 (dense) has no weight above 0 and some at 0, and lava-dl rounds the sums of such weights; write one "
        "weight above 0, or the layer as a convolution"
    )


def test_everything_is_refused_by_name_at_once(tmp_path: Path) -> None:
    made = layers("convolutions")
    made[0]["neuron"] = {"type": "SDNN", "vThMant": 3}
    made[1]["delay"] = np.full(4, 7.0)
    made[1]["neuron"] = lava_dl_files.neurons(refDelay=2)
    made[2]["neuron"] = {"type": "RF_IZ", "vThMant": 3}
    made[4:] = [
        {"type": "dense_rec", "shape": [6], "neuron": lava_dl_files.neurons(kind="ADLIF")},
        {"type": "pool", "shape": [6]},
        {"type": "concat", "shape": [6]},
        {"type": "upsample", "shape": [6]},
        {"type": "dense", "shape": [6, 2], "neuron": lava_dl_files.neurons(wgtExp=1), "weight": np.full((6, 2), 0.5)},
    ]
    read = "those that are read are LOIHI and CUBA, leaky integrate-and-fire"
    assert refusal(made, tmp_path).splitlines() == [
        "12 faults",
        f"  - layer 0 (input) has sigma-delta neurons ('SDNN'); {read}",
        "  - layer 1 (conv) has neurons with refDelay 2, and a refractory time is not read: lava-dl's loader ignores "
        "it",
        "  - layer 1 (conv) delays spikes by up to 7 steps, and connections of a chip network have no delays",
        f"  - layer 2 (conv) has resonate-and-fire neurons ('RF_IZ'); {read}",
        "  - layer 4 (dense_rec) is recurrent, which is not read from this format; such networks are read from NIR "
        "graphs",
        f"  - layer 4 (dense_rec) has neurons with an adaptive threshold ('ADLIF'); {read}",
        "  - layer 5 (pool) pools; lava-dl's own loader has none either: write it as a convolution with one group for "
        "each channel",
        "  - layer 6 (concat) joins several layers; lava-dl's own loader has none either, and such networks are read "
        "from NIR graphs",
        "  - layer 7 is of the unknown type 'upsample'; types are input, dense, conv, flatten, average, dense_rec, "
        "dense_comp, pool, convT, unpool, concat",
        "  - layer 8 (dense) has neurons with wgtExp 1, which lava-dl's loader ignores: scale the weights in the file",
        "  - layer 8 (dense) has a 'weight' with 12 values that are not whole, such as 0.5; round them",
        "  - layer 8 (dense) has the shape (6, 2); may be (neurons) or (channels, rows, columns) of up to 16,777,216",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "entries", "said"),
    [
        (2, {"bias": np.zeros(3)}, "layer 2 (dense) has a bias of shape (3,)"),
        (2, {"weight": np.full((20, 12), 300)}, "has weights from 300 to 300; a synapse holds -256..255"),
        (2, {"inFeatures": 11}, "has inFeatures 11, and its weights are (20, 12)"),
        (2, {"weight": np.zeros((19, 12))}, "has weights of shape (19, 12), which do not lead to 20 neurons"),
        (2, {"weight": None}, "layer 2 (dense) has no 'weight'"),
        (2, {"weight": np.full((20, 12), np.nan)}, "has a 'weight' that is not finite, or larger than"),
        (4, {"neuron": lava_dl_files.neurons(60, 0, 300)}, "has neurons with iDecay 0, whose current never decays"),
        (4, {"bias": np.ones(4)}, "layer 4 (dense) has neurons with iDecay 0"),
        (4, {"type": "average", "shape": [4]}, "layer 4 (average) averages 15 values to 4"),
        (1, {"type": "input"}, "layer 1 (input) is not the first layer"),
        (3, {"neuron": None}, "layer 3 (dense) has no neurons"),
        (3, {"neuron": lava_dl_files.neurons(131072)}, "dense-3: vth is 131072; may be 0..131071"),
        (3, {"weight": np.full((15, 19), -2)}, "weight (15, 19) does not lead from (20,) to (15,)"),
    ],
)  # fmt: skip
def test_a_layer_that_does_not_fit(number: int, entries: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = layers("mlp")
    made[number] |= entries
    assert said in refusal(made, tmp_path)


@pytest.mark.parametrize(
    ("number", "entries", "said"),
    [
        (1, {"stride": [0, 1]}, "layer 1 (conv) has a 'stride' of [0, 1]; may be one or two numbers of at least 1"),
        (1, {"groups": 0}, "layer 1 (conv) has 'groups' that are not a number of at least 1"),
        (1, {"groups": 3}, "connection input->conv-1: weight (4, 1, 3, 3) does not lead from (2, 6, 5) to (4, 3, 5)"),
        (1, {"neuron": None}, "layer 1 (conv) has no neurons"),
        (2, {"bias": [1.0]}, "layer 2 (conv) has a bias of shape (1,)"),
        (2, {"weight": np.zeros((3, 4))}, "has a kernel of shape (3, 4); may be (out, in, rows, columns)"),
        (3, {"type": "average"}, "layer 3 (average) averages 24 values to 24; one at the end"),
        (5, {"type": "conv"}, "layer 5 (conv) has no 'weight'"),
    ],
)  # fmt: skip
def test_a_convolution_that_does_not_fit(number: int, entries: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = layers("convolutions")
    made[number] |= entries
    assert said in refusal(made, tmp_path)


def test_layers_that_do_not_follow_each_other(tmp_path: Path) -> None:
    made = layers("convolutions")
    assert "layer 3 (dense) follows conv-2, of shape (3, 2, 4), without a flatten" in refusal(
        made[:3] + made[4:], tmp_path
    )
    assert "is the first, and the file does not say the shape of its input" in refusal(made[1:], tmp_path)
    assert "layer 2 (conv) follows a flatten layer" in refusal([made[0], made[3], made[1]], tmp_path)
    assert refusal(made[:1], tmp_path) == "has neither a dense layer nor a convolution"
    alone = sw.read_netx(file_of(layers("mlp")[2:], tmp_path))
    assert (alone.input.name, alone.input.shape) == ("input", (12,))


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("mlp", {"encoding": "current"}, "encoding=current: the input has no neurons that a current could drive"),
        ("mlp", {"encoding": "code"}, "encoding=code: there is no such encoding"),
        ("mlp", {"input_bits": 4}, "input_bits=4: is for encoding=direct, and may be 1..32"),
        ("mlp", {"input_range": (0, 1)}, "input_range: is for a network whose input has neurons"),
        ("mlp", {"timesteps": 0}, "timesteps=0: may be 1..2147483647"),
        ("mlp", {"population": 0}, "population=0: the network has 4 outputs; leave it out"),
        ("mlp", {"population": 3}, "population=3: the network has 4 outputs; leave it out"),
        ("convolutions", {"encoding": "rate"}, "encoding=rate: the input has neurons, which currents drive"),
        ("convolutions", {"input_range": (1, 0)}, "input_range: is (1, 0); may be two numbers, the lower one first"),
        ("convolutions", {"population": 3}, "the network has 6 outputs, and the file has 2 for each class"),
        ("mlp", {"encoding": "direct", "profile": "loihi1-davies"}, "input has 8 bits, a graded spike carries 0"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(kind: str, given: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refusal(layers(kind), tmp_path, **given)


def test_only_files_of_lava_dl_are_taken_for_one(tmp_path: Path) -> None:
    path = file_of(layers("mlp"), tmp_path)
    (tmp_path / "text.net").write_text("layer")
    with h5py.File(tmp_path / "empty.net", "w"):
        pass
    assert is_netx(path)
    (tmp_path / "text.nir").write_text("layer")
    names = ("text.net", "missing.net", "empty.net", "text.nir")
    assert [is_netx(tmp_path / name) for name in names] == [True, True, False, False], "by its name where it is unread"
    with pytest.raises(sw.InputError, match=r"is an HDF5 file without layers; expected a network in lava-dl's"):
        sw.read_netx(tmp_path / "empty.net")
    with pytest.raises(sw.InputError, match="cannot be read as HDF5"):
        sw.read_netx(tmp_path / "text.net")
    with pytest.raises(sw.InputError, match="is a network of lava-dl's; read it with read_netx"):
        sw.lower(path)


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(layers("convolutions"), tmp_path)
    assert main(["lower", "theirs.net", "-T", "4", "--input-range=-1,1", "-o", "chip.h5"]) == 0
    said = capsys.readouterr()
    assert "loihi2-assumed: current input, T = 4, count readout" in said.out
    assert "assumed: samples of 0 to 1 become currents of -4 to 76" in said.err
    np.savez("mine.npz", x=np.random.default_rng(0).random((12, 2, 6, 5)).astype(np.float32), y=np.arange(12) % 3)
    assert main(["simulate", "chip.h5", "--data", "mine.npz", "-o", "activity.json"]) == 0
    assert main(["report", "activity.json", "chip.h5", "-p", "loihi2-assumed", "-o", "report.json"]) == 0
    capsys.readouterr()
    assert main(["lower", "theirs.net", "--reset", "zero", "--dt", "1e-3", "--calibrate", "digits"]) == 2
    assert capsys.readouterr().err.count("is for NIR files, and this is a network of lava-dl's") == 3
    assert main(["lower", "theirs.net", "--input-range", "1"]) == 2
    assert "--input-range 1: may be two numbers, such as -1,1" in capsys.readouterr().err


@pytest.mark.parametrize(("noted", "width", "steps"), [(8, 1, 8), (8, 2, 4), (8, 3, None), (8, 0, None)])
def test_timesteps_of_a_file_are_counted_in_its_width(
    noted: int, width: int, steps: int | None, tmp_path: Path
) -> None:
    path = file_of(layers("mlp"), tmp_path, noted)
    with h5py.File(path, "a") as file:
        if "Ts" in file["simulation"]:
            del file["simulation/Ts"]
        file["simulation/Ts"] = width
    if steps is None:
        with pytest.raises(sw.InputError, match=f"has samples of 8 and timesteps of {width}, which do not divide them"):
            sw.read_netx(path)
    else:
        assert sw.read_netx(path).timesteps == steps
