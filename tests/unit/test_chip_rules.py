"""What a whole chip allows: each rule by name, all broken ones at once, on networks small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spikewright.base.errors import AnswerIsNo
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.lowering.chip_rules import CHIP_RULES, check_chip
from spikewright.profile.profile import HardwareProfile, load_profile
from spikewright.profile.schema import Whole


def population(name: str, shape: tuple[int, ...], role: str = "hidden", *, dv: int = 0, du: int = 4095) -> Population:
    return Population(name, shape, role, Neuron(du, dv, 100, np.zeros(shape, np.int64), 6))


def dense(source: Population, target: Population) -> Connection:
    return Connection(source.name, target.name, np.ones((target.size, source.size), np.int64))


def conv(source: Population, target: Population, kernel: tuple[int, int] = (3, 3), **geometry: object) -> Connection:
    groups = geometry.get("groups", 1)
    shape = (target.shape[0], source.shape[0] // groups, *kernel)
    return Connection(source.name, target.name, np.ones(shape, np.int64), conv=ConvGeometry(**geometry))


def chip(*populations: Population, connections: tuple[Connection, ...] = (), timesteps: int = 4) -> ChipNetwork:
    joined = connections or tuple(dense(a, b) for a, b in pairwise(populations))
    return ChipNetwork(populations, joined, timesteps, "events", "count", "speck", "")


def line(*, dv: int = 0, timesteps: int = 4) -> ChipNetwork:
    """4 lines, 6 and 5 hidden neurons, 3 outputs."""
    return chip(
        Population("in", (4,), "input", None),
        population("a", (6,), dv=dv),
        population("b", (5,), dv=dv),
        population("out", (3,), "readout"),
        timesteps=timesteps,
    )


def limited(**limits: object) -> HardwareProfile:
    profile = load_profile("loihi2")
    return profile.model_copy(update={"limits": profile.limits.model_copy(update=limits)})


def says(network: ChipNetwork, profile: HardwareProfile) -> str:
    with pytest.raises(AnswerIsNo) as caught:
        check_chip(network, profile)
    return str(caught.value).removeprefix(f"{profile.name}: the network does not fit: ")


def test_loihi_has_no_such_limit() -> None:
    for name in ("loihi1-davies", "loihi1-sanafe", "loihi2", "loihi2-assumed", "cmos45", "lemaire"):
        check_chip(line(dv=1234), load_profile(name))


def test_no_leak() -> None:
    none = limited(decay_bits=0)
    check_chip(line(), none)
    check_chip(line(dv=2048, timesteps=1), none)
    assert says(line(dv=2048), none) == (
        "[decays] the membrane potential of 'a', 'b' decays by 0.5 per step; this chip's neurons cannot leak: train "
        "with neuron=lif beta=1"
    )


@pytest.mark.parametrize(
    ("limits", "good", "bad", "nearest"),
    [
        ({"decay_bits": 4}, (0, 256, 1024, 4096), 400, "0.125"),
        ({"decay_bits": 3, "decay_shifts": True}, (0, 512, 1024, 4096), 300, "0.125"),
        ({"decay_bits": 12, "decay_shifts": True}, (0, 1, 512, 2048, 4096), 2900, "0.5"),
    ],
)
def test_coarse_decays(limits: dict[str, object], good: tuple[int, ...], bad: int, nearest: str) -> None:
    profile = limited(**limits)
    for dv in good:
        check_chip(line(dv=dv), profile)
    assert says(line(dv=bad), profile) == (
        f"[decays] the membrane potential of 'a', 'b' decays by {bad / 4096:.4g} per step; the nearest that this chip "
        f"has is {nearest}"
    )


def test_a_synaptic_filter_is_a_decay_as_well_and_helpers_are_not() -> None:
    filtered = population("a", (6,), du=2047)
    relay = population("relay", (6,), "relay", dv=4096)
    out = population("out", (3,), "readout")
    network = chip(Population("in", (4,), "input", None), filtered, relay, out)
    assert says(network, limited(decay_bits=0)) == (
        "[decays] the current of 'a' decays by 0.5 per step; this chip's neurons cannot leak: train with neuron=lif "
        "beta=1"
    )


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"inputs": 3}, "[totals] it has 4 input lines; the chip has 3: take data of smaller samples"),
        ({"neurons": 13}, "[totals] it has 14 neurons; the chip has 13: train with a smaller width"),
        ({"hidden_neurons": 10}, "[totals] it has 11 hidden neurons; the chip has 10: train with a smaller width"),
        ({"outputs": 2}, "[totals] it has 3 outputs; the chip has 2: take data of fewer classes"),
        (
            {"sources": 14},
            "[totals] it has 15 lines and neurons with synapses; the chip has 14: train with a smaller width",
        ),
        ({"timesteps": 3}, "[steps] it runs 4 time steps; the chip takes 3: train with timesteps=3"),
    ],
)
def test_totals_and_steps(limits: dict[str, int], sentence: str) -> None:
    assert says(line(), limited(whole=Whole(**limits))) == sentence
    (name, most) = next(iter(limits.items()))
    check_chip(line(), limited(whole=Whole(**{name: most + 1})))


def test_several_are_said_at_once() -> None:
    broken = says(line(timesteps=2), limited(whole=Whole(timesteps=1, inputs=1, outputs=1)))
    assert broken == (
        "[steps] it runs 2 time steps; the chip takes 1; no state is kept between steps: train with timesteps=1; "
        "[totals] it has 4 input lines; the chip has 1: take data of smaller samples; [totals] it has 3 outputs; the "
        "chip has 1: take data of fewer classes"
    )


def image(channels: int, side: int) -> Population:
    return Population("in", (channels, side, side), "input", None)


def three_targets() -> ChipNetwork:
    source = image(1, 4)
    layers = tuple(population(name, (1, 4, 4)) for name in "abc")
    out = population("out", (2,), "readout")
    into = tuple(conv(source, layer, padding=(1, 1)) for layer in layers)
    return chip(source, *layers, out, connections=(*into, dense(layers[0], out)))


def one_layer(layer: Population, source: Population, connection: Connection | None = None) -> ChipNetwork:
    out = population("out", (2,), "readout")
    return chip(source, layer, out, connections=(connection or dense(source, layer), dense(layer, out)))


def convolved(kernel: tuple[int, int], side: int, out_shape: tuple[int, int, int], **geometry: object) -> ChipNetwork:
    source, layer = image(2, side), population("conv", out_shape)
    return one_layer(layer, source, conv(source, layer, kernel, **geometry))


SPECK = {
    "three targets": (three_targets(), "[targets] 'in' feeds 3 populations; the chip sends to 2"),
    "oblong kernel": (
        convolved((3, 5), 8, (4, 6, 6), padding=(0, 1)),
        "[layer_shapes] in->conv has a kernel of 3 x 5; it must be square",
    ),
    "stride": (
        convolved((3, 3), 9, (4, 3, 3), stride=(3, 3)),
        "[layer_shapes] in->conv has strides of 3 x 3; may be 1, 2, 4, 8",
    ),
    "groups": (
        convolved((3, 3), 8, (4, 6, 6), groups=2),
        "[layer_shapes] in->conv has groups or dilation, which the chip does not have",
    ),
    "large output": (
        convolved((3, 3), 70, (1, 68, 68)),
        "[layer_shapes] in->conv has an output of 68 x 68; at most 64 x 64; [layer_shapes] conv->out has a kernel of "
        "68 x 68; at most 16 x 16",
    ),
    "wide dense layer": (
        one_layer(population("wide", (1025,)), Population("in", (4,), "input", None)),
        "[layer_shapes] in->wide has 1,025 channels; at most 1,024; [layer_shapes] wide->out has 1,025 channels; at "
        "most 1,024",
    ),
    "large kernel of a dense layer": (
        one_layer(population("fc", (2,)), image(1, 20)),
        "[layer_shapes] in->fc has a kernel of 20 x 20; at most 16 x 16",
    ),
    "two ways into one layer": (
        chip(
            Population("in", (4,), "input", None),
            population("a", (4,)),
            population("b", (4,)),
            population("out", (2,), "readout"),
            connections=(
                Connection("in", "a", np.ones((4, 4), np.int64)),
                Connection("in", "b", np.ones((4, 4), np.int64)),
                Connection("a", "out", np.ones((2, 4), np.int64)),
                Connection("b", "out", np.ones((2, 4), np.int64)),
            ),
        ),
        "[layer_shapes] 'out' has 2 connections into it; a core computes one",
    ),
    "currents": (
        chip(
            population("in", (4,), "input"),
            population("out", (2,), "readout"),
            connections=(Connection("in", "out", np.ones((2, 4), np.int64)),),
        ),
        "[layer_shapes] 'in' is driven by currents, and this chip's cores take spikes: train with encoding=rate",
    ),
}


@pytest.mark.parametrize("case", SPECK)
def test_speck_s_layers(case: str) -> None:
    network, sentence = SPECK[case]
    assert says(network, load_profile("speck")) == sentence


def test_speck_s_memory_by_hand() -> None:
    """16 channels, a kernel of 3 x 3 (16 words) into 32 channels of 60 x 60 (64 x 64 words)."""
    source, layer = image(16, 62), population("conv", (32, 60, 60))
    assert says(one_layer(layer, source, conv(source, layer)), load_profile("speck")) == (
        f"[layer_shapes] conv->out has a kernel of 60 x 60; at most 16 x 16; [layer_memory] 'conv' takes "
        f"{16 * 16 * 32:,} words of weights and {32 * 64 * 64:,} of neurons; no free core has both: train with a "
        f"smaller width; [layer_memory] 'out' takes {32 * 4096 * 2:,} words of weights and 2 of neurons; no free "
        "core has both: train with a smaller width"
    )


def stack(count: int, channels: int) -> ChipNetwork:
    """``count`` convolutions of ``channels`` into ``channels`` on 16 x 16: 16 channels^2 words of weights each."""
    source = image(channels, 16)
    layers = [population(f"c{i}", (channels, 16, 16)) for i in range(count)]
    joined = [conv(a, b, padding=(1, 1)) for a, b in zip([source, *layers], layers, strict=False)]
    out = population("out", (2,), "readout")
    return chip(source, *layers, out, connections=(*joined, dense(layers[-1], out)))


def test_speck_shares_its_cores_out() -> None:
    """16 channels take 4 Ki of weights and 4 Ki of neurons: any core. 64 take 64 Ki of weights: two cores have them."""
    profile = load_profile("speck")
    check_chip(stack(8, 16), profile)
    assert "'out' takes 8,192 words of weights and 2 of neurons; no free core has both: " in says(stack(9, 16), profile)
    check_chip(stack(2, 64), profile)
    assert says(stack(3, 64), profile) == (
        "[layer_memory] 'c2' takes 65,536 words of weights and 16,384 of neurons; no free core has both: train with a "
        "smaller width"
    )


def test_resets_that_the_neurons_do_not_make() -> None:
    network = line()
    plain = network.by_name["a"].neuron
    assert plain is not None

    def resets_by(law: str) -> ChipNetwork:
        return chip(network.input, replace(network.by_name["a"], neuron=replace(plain, law=law)), network.output)

    check_chip(resets_by("lif-subtract"), load_profile("speck"))
    assert "[resets] a: a spike takes the threshold off one step late, which this chip's neurons do not" in (
        says(resets_by("lif-subtract-late"), load_profile("speck"))
    )
    silent = limited(resets=None)
    check_chip(network, silent)
    assert "train with reset=zero, or take" in says(resets_by("lif-subtract"), silent)


def test_every_rule_is_broken_above() -> None:
    named = {sentence.split("]")[0][1:] for _, sentence in SPECK.values()}
    named |= {"decays", "resets", "steps", "totals", "layer_memory"}
    assert named == {rule.__name__ for rule in CHIP_RULES}


def test_a_report_applies_them_to_a_network_lowered_for_another_chip() -> None:
    from spikewright.chip.activity import Activity, PopulationActivity
    from spikewright.pages.pricing import report

    network = replace(line(dv=2048), profile="loihi2")
    counts = {p.name: PopulationActivity(np.zeros(p.shape, np.int64), 0, 0) for p in network.populations}
    activity = Activity(counts, {c.name: 0 for c in network.connections}, 1, 4, "integer")
    with pytest.raises(AnswerIsNo, match=r"^truenorth: in->a has 8-bit weights"):
        report(activity, network, "truenorth")
    with pytest.raises(AnswerIsNo, match=r"^speck: the network does not fit: \[decays\]"):
        report(activity, network, "speck")
