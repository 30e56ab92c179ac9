"""The netx file: its layout, and the networks that it cannot hold."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
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
from spikewright.exchange.netx import netx_faults, write_netx
from spikewright.exchange.netx_reader import read_netx
from spikewright.exchange.netx_weights import loaded_weight, sums_exactly


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
        "netx: 3 faults\n"
        "  - population 'always' is a bias population, which the format has no place for\n"
        "  - population 'b' feeds itself; a recurrent network cannot be emptied between samples\n"
        "  - population 'b' has the bias exponent 2; the format's is always 6"
    )
    assert not (tmp_path / "a.net").exists()


def test_branches_are_no_chain(chip: ChipNetwork) -> None:
    beside = Population("b", (4, 3, 4), "hidden", neuron(4, 3, 4))
    first, last = chip.connections
    branched = replace(
        chip,
        populations=(*chip.populations[:2], beside, chip.populations[2]),
        connections=(first, replace(first, target="b"), last, replace(last, source="b")),
    )
    assert netx_faults(branched) == [
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


def test_dense_into_three_axes(chip: ChipNetwork) -> None:
    dense = Connection("in", "a", np.full((48, 84), 3))
    network = replace(chip, connections=(dense, chip.connections[1]))
    assert netx_faults(network) == ["connection in->a is dense and leads to a population of three axes"]


def layers_of(path: Path) -> list[tuple[str, list[int]]]:
    with h5py.File(path) as file:
        layers = [file[f"layer/{i}"] for i in range(len(file["layer"]))]
        return [(layer["type"][0].decode(), layer["shape"][()].tolist()) for layer in layers]


def test_weights_that_the_loader_would_change_are_written_as_convolutions(chip: ChipNetwork, tmp_path: Path) -> None:
    """Over the whole source; whatever lies before them in a row, too, since a convolution takes three axes."""
    changed = Connection("a", "out", np.full((3, 48), -2))
    write_netx(replace(chip, connections=(chip.connections[0], changed)), tmp_path / "a.net")
    assert layers_of(tmp_path / "a.net") == [("input", [2, 6, 7]), ("conv", [4, 3, 4]), ("conv", [3, 1, 1])]
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/2/weight"].shape == (3, 4, 3, 4)
        assert (file["layer/2/inChannels"][()], file["layer/2/groups"][()]) == (4, 1)


def row(weights: Sequence[IntArray], payload_bits: int = 0) -> ChipNetwork:
    """A chain of dense layers with these weights."""
    names = ["in", *(f"p{i}" for i in range(len(weights)))]
    populations = [Population("in", weights[0].shape[1:], "input", None, payload_bits)]
    for name, weight in zip(names[1:], weights, strict=True):
        populations.append(Population(name, weight.shape[:1], "hidden", neuron(len(weight))))
    populations[-1] = replace(populations[-1], role="readout")
    connections = [Connection(a, b, w) for a, b, w in zip(names[:-1], names[1:], weights, strict=True)]
    return ChipNetwork(tuple(populations), tuple(connections), 4, "direct", "count", "none", "")


def test_a_row_up_to_the_last_weights_that_are_changed(tmp_path: Path) -> None:
    zero = np.zeros((3, 5), np.int64)
    write_netx(row([even(5, 4), zero, even(2, 3)]), tmp_path / "a.net")
    assert layers_of(tmp_path / "a.net") == [
        ("input", [4, 1, 1]), ("conv", [5, 1, 1]), ("conv", [3, 1, 1]), ("flatten", [3]), ("dense", [2]),
    ]  # fmt: skip


def test_sums_that_a_convolution_would_wrap_are_refused() -> None:
    assert netx_faults(row([np.full((3, 200), -2)], payload_bits=14)) == []
    (fault,) = netx_faults(row([np.full((3, 300), -2)], payload_bits=14))
    assert fault == (
        "connection in->p0: lava-dl would change weights of it or behind it; written as convolutions, whose weights it "
        "keeps, their sums, of up to 9829800, would leave 24 bits"
    )


def test_the_file_says_how_it_has_to_be_loaded(chip: ChipNetwork, tmp_path: Path) -> None:
    write_netx(chip, tmp_path / "a.net")
    driven = Population("in", (2, 6, 7), "input", neuron(2, 6, 7))
    by_currents = replace(
        chip, populations=(driven, *chip.populations[1:]), encoding="current", provenance={"input_bits": 6}
    )
    write_netx(by_currents, tmp_path / "b.net")
    call = "lava.lib.dl.netx.hdf5.Network(PATH, reset_interval=4, reset_offset={}, input_message_bits={})"
    with h5py.File(tmp_path / "a.net") as events, h5py.File(tmp_path / "b.net") as currents:
        assert events.attrs["loading"] == call.format(1, 8)
        assert currents.attrs["loading"] == call.format(0, 0)
        assert events["simulation/tSample"][()] == 4
        assert [currents[f"layer/0/{name}"][()] for name in ("weight", "bias")] == [63, 0]
    fractional = by_currents.with_provenance(input_transform=[2.5, 3])
    assert netx_faults(fractional) == [
        "its samples become currents by the weight 2.5 and the bias 3; the format has whole ones"
    ]


@pytest.mark.parametrize("kind", ["events", "currents", "kernels"])
def test_what_is_written_is_read_and_written_again_the_same(chip: ChipNetwork, kind: str, tmp_path: Path) -> None:
    network = replace(chip, encoding="events", populations=(replace(chip.input, payload_bits=0), *chip.populations[1:]))
    if kind == "currents":
        driven = Population("in", (2, 6, 7), "input", neuron(2, 6, 7))
        network = replace(network, encoding="current", populations=(driven, *chip.populations[1:]))
        network = network.with_provenance(input_bits=7)
    if kind == "kernels":
        network = replace(network, connections=(chip.connections[0], Connection("a", "out", np.full((3, 48), -2))))
    first, second = tmp_path / "a.net", tmp_path / "b.net"
    write_netx(network, first)
    read = read_netx(first)
    write_netx(read, second)
    assert second.read_bytes() == first.read_bytes()
    if kind != "kernels":
        assert [(p.shape, p.role) for p in read.populations] == [(p.shape, p.role) for p in network.populations]
        assert all(np.array_equal(a.weight, b.weight)
                   for a, b in zip(network.connections, read.connections, strict=True))  # fmt: skip


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


@pytest.mark.parametrize(
    ("weight", "exactly"),
    [([-1, 0], False), ([-1, -128, 0], False), ([-2, -4, 0], True), ([-2, -2], True), ([-1, 2], True)],
)
def test_sums_that_lava_dl_rounds(weight: list[int], exactly: bool) -> None:
    """Of -1 and 0 each weight is kept as half of a unit, and -1/2 rounds down to -1; but two of them are -1, too."""
    assert sums_exactly(np.array([weight])) == exactly
    if weight == [-1, 0]:
        assert loaded_weight(np.array([weight])).tolist() == [weight]


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
