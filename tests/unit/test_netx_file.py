"""The netx file: its layout, and the networks that it cannot hold."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikewright.base.errors import InputError
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.exchange.netx import loaded_weight, netx_faults, write_netx


def neuron(*shape: int, bias: int = 0) -> Neuron:
    return Neuron(4095, 100, 50, np.full(shape, bias, dtype=np.int64))


def even(*shape: int) -> IntArray:
    return 2 * np.random.default_rng(1).integers(-60, 60, shape)


@pytest.fixture
def chip() -> ChipNetwork:
    populations = (
        Population("in", (2, 6, 7), "input", None, 8),
        Population("a", (4, 3, 4), "hidden", neuron(4, 3, 4, bias=5)),
        Population("out", (3,), "readout", neuron(3)),
    )
    connections = (
        Connection("in", "a", even(4, 2, 3, 2), conv=ConvGeometry((2, 2), (1, 1))),
        Connection("a", "out", even(3, 48)),
    )
    return ChipNetwork(populations, connections, 4, "direct", "membrane", "none", "")


def test_layout(chip: ChipNetwork, tmp_path: Path) -> None:
    write_netx(chip, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        layers = file["layer"]
        assert [layers[str(i)]["type"][0] for i in range(4)] == [b"input", b"conv", b"flatten", b"dense"]
        assert list(layers["0"]["shape"]) == [2, 6, 7]
        conv = layers["1"]
        assert np.array_equal(conv["weight"], chip.connections[0].weight)
        assert list(conv["bias"]) == [5, 5, 5, 5]
        assert {name: conv["neuron"][name][()] for name in ("iDecay", "vDecay", "vThMant")} == {
            "iDecay": 4096,
            "vDecay": 100,
            "vThMant": 50,
        }
        assert "bias" not in layers["3"]


def test_each_layer_says_its_sizes_and_geometry(tmp_path: Path) -> None:
    populations = (
        Population("in", (6,), "input", None),
        Population("a", (4,), "hidden", neuron(4)),
        Population("out", (3,), "readout", neuron(3)),
    )
    network = ChipNetwork(
        populations, (Connection("in", "a", even(4, 6)), Connection("a", "out", even(3, 4))),
        4, "rate", "count", "none", "",
    )  # fmt: skip
    write_netx(network, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        layers = [file[f"layer/{i}"] for i in range(len(file["layer"]))]
        assert [layer["type"][0] for layer in layers] == [b"input", b"dense", b"dense"], "flat already"
        assert [(int(each["inFeatures"][()]), int(each["outFeatures"][()])) for each in layers[1:]] == [(6, 4), (4, 3)]
        assert [list(each["shape"]) for each in layers] == [[6], [4], [3]]


def test_a_convolution_says_its_geometry(tmp_path: Path) -> None:
    """Rows of one pixel: of a bias for each channel, the first row is the only one."""
    geometry = ConvGeometry(stride=(1, 2), padding=(0, 1), dilation=(1, 2), groups=2)
    bias = np.repeat(np.arange(4), 3).reshape(4, 1, 3)
    populations = (
        Population("in", (2, 1, 7), "input", replace(neuron(2, 1, 7), du=7)),
        Population("out", (4, 1, 3), "readout", replace(neuron(4, 1, 3), bias=bias)),
    )
    connection = Connection("in", "out", even(4, 1, 1, 3), conv=geometry)
    write_netx(ChipNetwork(populations, (connection,), 4, "current", "count", "none", ""), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert {name: file["layer/0/neuron"][name][()] for name in ("iDecay", "vDecay", "refDelay", "gradedSpike")} == {
            "iDecay": 8, "vDecay": 100, "refDelay": 1, "gradedSpike": False,
        }  # fmt: skip
        layer = file["layer/1"]
        assert layer["neuron/type"][0] == b"LOIHI"
        assert layer["bias"][()].tolist() == [0, 1, 2, 3]
        pairs = ("stride", "padding", "dilation", "kernelSize", "shape")
        assert {name: layer[name][()].tolist() for name in pairs} == {
            "stride": [1, 2], "padding": [0, 1], "dilation": [1, 2], "kernelSize": [1, 3], "shape": [4, 1, 3],
        }  # fmt: skip
        assert {name: int(layer[name][()]) for name in ("inChannels", "outChannels", "groups")} == {
            "inChannels": 2, "outChannels": 4, "groups": 2,
        }  # fmt: skip


def test_a_bias_that_differs_within_a_channel_is_written_whole(chip: ChipNetwork, tmp_path: Path) -> None:
    bias = np.arange(48).reshape(4, 3, 4)
    a = replace(chip.populations[1], neuron=replace(neuron(4, 3, 4), bias=bias))
    write_netx(replace(chip, populations=(chip.populations[0], a, chip.populations[2])), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert np.array_equal(file["layer/1/bias"], bias.T)


def test_says_every_reason(chip: ChipNetwork, tmp_path: Path) -> None:
    source, a, out = chip.populations
    b = Population("b", (3,), "hidden", replace(neuron(3, bias=1), bias_exp=2))
    always = Population("always", (1,), "bias", neuron(1, bias=1))
    network = replace(
        chip,
        populations=(always, source, a, b, out),
        connections=(
            chip.connections[0],
            Connection("a", "b", np.full((3, 48), -2)),
            Connection("always", "b", even(3, 1)),
            Connection("b", "b", np.zeros((3, 3), dtype=np.int64)),
            Connection("b", "out", even(3, 3)),
        ),
    )
    with pytest.raises(InputError) as refusal:
        write_netx(network, tmp_path / "a.net")
    assert str(refusal.value) == (
        "netx: 5 faults\n"
        "  - population 'always' is a bias population, which the format has no place for\n"
        "  - population 'b' feeds itself; a recurrent network cannot be emptied between samples\n"
        "  - population 'b' has the bias exponent 2; the format's is always 6\n"
        "  - connection a->b: lava-dl would change 144 of its weights, the first from -2 to 0\n"
        "  - connection b->b has no weight but 0, which lava-dl cannot scale"
    )
    assert not (tmp_path / "a.net").exists()


def test_skip_connections_are_no_chain(chip: ChipNetwork) -> None:
    skip = replace(chip, connections=(*chip.connections, Connection("in", "out", even(3, 84))))
    assert netx_faults(skip) == [
        "population 'in' has 0 incoming and 2 outgoing connections; the format holds chains only",
        "population 'out' has 2 incoming and 0 outgoing connections; the format holds chains only",
    ]


def test_bias_exponents_matter_where_there_is_a_bias(chip: ChipNetwork) -> None:
    """The host sets the bias of an input anew, whatever it is now."""
    source, a, out = chip.populations
    other = {"bias_exp": 5}
    unbiased = replace(out, neuron=replace(neuron(3), **other))
    assert netx_faults(replace(chip, populations=(source, a, unbiased))) == []
    biased = replace(out, neuron=replace(neuron(3, bias=1), **other))
    driven = Population("in", (2, 6, 7), "input", replace(neuron(2, 6, 7), **other))
    network = replace(chip, populations=(driven, a, biased), encoding="current")
    said = "has the bias exponent 5; the format's is always 6"
    assert netx_faults(network) == [f"population 'in' {said}", f"population 'out' {said}"]


def test_dense_weights_of_zero_and_into_three_axes(chip: ChipNetwork) -> None:
    zero = Connection("a", "out", np.zeros((3, 48), np.int64))
    dense = Connection("in", "a", np.full((48, 84), 3))
    network = replace(chip, connections=(dense, zero))
    assert netx_faults(network) == [
        "connection in->a is dense and leads to a population of three axes",
        "connection a->out has no weight but 0, which lava-dl cannot scale",
    ]
    some = np.zeros((3, 48), np.int64)
    some[1, 2] = 4
    assert netx_faults(replace(chip, connections=(chip.connections[0], Connection("a", "out", some)))) == []
    wide = np.full((4, 2, 3, 2), -3)
    kernel = replace(chip.connections[0], weight=wide)
    changed = Connection("a", "out", np.full((3, 48), -2))
    (fault,) = netx_faults(replace(chip, connections=(kernel, changed)))
    assert fault == "connection a->out: lava-dl would change 144 of its weights, the first from -2 to 0", "kernels stay"


@pytest.mark.parametrize(
    ("weight", "loaded"),
    [
        ([-256, 254, 2], [-256, 254, 2]),
        ([-256, 255, 2], [-256, 254, 2]),
        ([-255, 251, 2], [-255, 251, 2]),
        ([0, 255, 3], [0, 255, 3]),
        ([-1, -255, -7], [-1, -255, -7]),
        ([-1, -256, -7], [-1, -255, -7]),
        ([-2, -2, -2], [0, 0, 0]),
        ([-1, -256, 0], [0, 0, 0]),
        ([-2, -4, 0], [-2, -3, 0]),
        ([-128, -128, 0], [-64, -64, 0]),
    ],
)
def test_what_lava_dl_makes_of_weights(weight: list[int], loaded: list[int]) -> None:
    assert loaded_weight(np.array([weight])).tolist() == [loaded]


@given(weight=arrays(np.int64, (2, 3), elements=st.integers(-128, 127)).map(lambda w: 2 * w))
def test_even_weights_of_mixed_sign_are_loaded_unchanged(weight: IntArray) -> None:
    assume(weight.min() < 0 < weight.max())
    assert np.array_equal(loaded_weight(weight), weight)


THROUGH_LAVA = """
import sys
import numpy as np
from lava.lib.dl.netx.utils import optimize_weight_bits
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

with np.errstate(divide="ignore"):
    for weight in (given := np.load(sys.argv[1])):
        scaled, bits, exponent, _ = optimize_weight_bits(weight.copy())
        sign = determine_sign_mode(scaled)
        kept = truncate_weights(clip_weights(scaled, sign, num_bits=8), sign, bits)
        weight[:] = kept >> -exponent if exponent < 0 else kept << exponent
np.save(sys.argv[1], given)
"""


@pytest.mark.lava
def test_the_rule_is_the_one_that_lava_dl_and_lava_follow(tmp_path: Path) -> None:
    if importlib.util.find_spec("lava") is None or importlib.util.find_spec("lava.lib") is None:
        pytest.skip("lava-dl is not installed (it needs Python 3.10)")
    random = np.random.default_rng(5)
    widest = random.integers(1, 257, (400, 1, 1))
    weights = np.clip(random.integers(-widest, widest, (400, 2, 3)) << random.integers(0, 3, (400, 1, 1)), -256, 255)
    weights[:100], weights[100:200] = np.abs(weights[:100]).clip(1, 255), -np.abs(weights[100:200]).clip(1, 256)
    weights[200:250] = np.minimum(weights[200:250], 0)
    weights[:, 0, 0] -= weights[:, 0, 0] == 0
    np.save(tmp_path / "weights.npy", weights)
    subprocess.run(
        [sys.executable, "-c", THROUGH_LAVA, str(tmp_path / "weights.npy")],
        check=True,
        timeout=300,
        capture_output=True,
    )
    for weight, truth in zip(weights, np.load(tmp_path / "weights.npy"), strict=True):
        assert np.array_equal(loaded_weight(weight), truth), weight
