"""What the passes do to a draft, and that what they give can be balanced, counted and run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.exchange.lava_values import lava_faults
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.passes import balance, bias_axons, scale_input
from spikewright.lowering.quantize import quantize
from spikewright.profile.profile import HardwareProfile, load_profile


@pytest.fixture
def profile() -> HardwareProfile:
    return load_profile("loihi2")


def neuron(size: int, synaptic_bias: float = 0.0, leak_u: float = 1.0) -> DraftNeuron:
    ones = np.ones(size)
    return DraftNeuron(leak_u * ones, 0.5 * ones, ones, 0 * ones, 0 * ones, synaptic_bias * ones)


def layer(name: str, size: int = 2, role: str = "hidden", **constants: float) -> DraftPopulation:
    return DraftPopulation(name, (size,), role, neuron(size, **constants))


def wire(*pairs: tuple[str, str], size: int = 2) -> tuple[DraftConnection, ...]:
    return tuple(DraftConnection(source, target, np.eye(size)) for source, target in pairs)


def draft(
    populations: list[DraftPopulation], connections: tuple[DraftConnection, ...], encoding: str = "events"
) -> Draft:
    return Draft(tuple(populations), connections, 4, encoding, "count", 8)


EVENTS = DraftPopulation("input", (2,), "input", None)


def test_graded_input_is_scaled_by_its_largest_integer(profile: HardwareProfile) -> None:
    before = draft([EVENTS, layer("a"), layer("b", role="readout")], wire(("input", "a"), ("a", "b")), "direct")
    after = scale_input(before, profile)
    np.testing.assert_allclose(after.connections[0].weight, np.eye(2) / 255)
    np.testing.assert_array_equal(after.connections[1].weight, np.eye(2))
    assert after.populations[0].payload == 255
    events = draft([EVENTS, layer("b", role="readout")], wire(("input", "b")))
    assert scale_input(events, profile) is events


def test_a_bias_inside_a_filter_becomes_neurons_that_always_fire(profile: HardwareProfile) -> None:
    populations = [EVENTS, layer("a", synaptic_bias=2.5, leak_u=0.25), layer("b", role="readout")]
    after = bias_axons(draft(populations, wire(("input", "a"), ("a", "b"))), profile)
    assert [(p.name, p.role, p.shape) for p in after.populations] == [
        ("input", "input", (2,)),
        ("a.bias", "bias", (3,)),
        ("a", "hidden", (2,)),
        ("b", "readout", (2,)),
    ]
    weight = next(c.weight for c in after.connections if c.source == "a.bias")
    np.testing.assert_allclose(weight, np.full((2, 3), 2.5 / 3))
    assert not any(np.any(p.neuron.synaptic_bias) for p in after.populations if p.neuron)
    chip = quantize(balance(after, profile), profile)
    always = chip.by_name["a.bias"].neuron
    assert always is not None
    assert np.all((always.bias << always.bias_exp) > always.vth << 6), "fires at every step, from the first"
    assert chip.depth["a.bias"] == chip.depth["a"] - 1


def test_one_neuron_with_a_bias_inside_its_filter_is_enough(profile: HardwareProfile) -> None:
    biased = replace(neuron(2, leak_u=0.25), synaptic_bias=np.array([0.0, 0.5]))
    populations = [EVENTS, DraftPopulation("a", (2,), "hidden", biased), layer("b", role="readout")]
    after = bias_axons(draft(populations, wire(("input", "a"), ("a", "b"))), profile)
    (weight,) = (c.weight for c in after.connections if c.source == "a.bias")
    np.testing.assert_allclose(weight, [[0.0], [0.5]])


def test_paths_of_different_length_get_relays_that_share_a_chain(profile: HardwareProfile) -> None:
    populations = [EVENTS, layer("a"), layer("b"), layer("c"), layer("d", role="readout")]
    pairs = [("input", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d"), ("b", "b")]
    after = balance(draft(populations, wire(*pairs)), profile)
    assert {(c.source, c.target) for c in after.connections} == {
        ("input", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
        ("b", "b"),
        ("a", "a.relay1"),
        ("a.relay1", "a.relay2"),
        ("a.relay1", "c"),
        ("a.relay2", "d"),
    }
    assert {p.name for p in after.populations if p.role == "relay"} == {"a.relay1", "a.relay2"}
    chip = quantize(after, profile)
    assert list(lava_faults(chip)) == []
    for relay in ("a.relay1", "a.relay2"):
        repeats = chip.by_name[relay].neuron
        (weight,) = {int(w) for c in chip.into(relay) for w in np.diag(c.weight)}
        assert repeats is not None
        assert (repeats.du, repeats.dv) == (4095, 4096), "keeps nothing from one step to the next"
        assert weight > repeats.vth >= 0, "one spike fires it"


def test_relays_of_maps_are_depthwise(profile: HardwareProfile) -> None:
    shape = (3, 2, 2)
    events = DraftPopulation("input", shape, "input", None)
    ones = np.ones(shape)
    a = DraftPopulation("a", shape, "hidden", DraftNeuron(ones, ones / 2, ones, 0 * ones, 0 * ones, 0 * ones))
    b = DraftPopulation("b", (12,), "readout", neuron(12))
    connections = wire(("input", "a"), ("a", "b"), ("input", "b"), size=12)
    after = balance(draft([events, a, b], connections), profile)
    (relay,) = (c for c in after.connections if c.target == "input.relay1")
    assert relay.conv is not None and relay.conv.groups == 3
    np.testing.assert_array_equal(relay.weight, np.ones((3, 1, 1, 1)))


def test_a_bias_comes_before_the_population_that_it_feeds(profile: HardwareProfile) -> None:
    populations = [EVENTS, layer("a"), layer("b", role="readout", synaptic_bias=0.5, leak_u=0.25)]
    after = balance(bias_axons(draft(populations, wire(("input", "a"), ("a", "b"))), profile), profile)
    assert [p.name for p in after.populations] == ["input", "a", "b.bias", "b"]


def test_a_balanced_draft_stays_as_it_is(profile: HardwareProfile) -> None:
    before = draft([EVENTS, layer("a"), layer("b", role="readout")], wire(("input", "a"), ("a", "b")))
    after = balance(before, profile)
    assert (after.populations, after.connections) == (before.populations, before.connections)


def test_graded_input_cannot_wait(profile: HardwareProfile) -> None:
    before = draft(
        [EVENTS, layer("a"), layer("b", role="readout")], wire(("input", "a"), ("a", "b"), ("input", "b")), "direct"
    )
    with pytest.raises(InputError) as caught:
        balance(scale_input(before, profile), profile)
    assert str(caught.value) == (
        "path from input 'input': one path is 1 layer shorter than another, and the chip cannot delay graded values; "
        "give both paths as many neuron layers, or take spikes as input (encoding=current)"
    )


@pytest.mark.parametrize(("bias", "weight"), [(2.5e30, 1e-9), (2.5e30, 1e-300), (2.5e30, 5e-324), (1.0, 2**-25)])
def test_a_bias_that_needs_more_neurons_than_any_chip_has_is_refused(
    bias: float, weight: float, profile: HardwareProfile
) -> None:
    """Of two neurons: more than 2^24 of those that always fire, which have more than 2^25 weights."""
    populations = [EVENTS, layer("a", synaptic_bias=bias, leak_u=0.25), layer("b", role="readout")]
    wired = (DraftConnection("input", "a", weight * np.eye(2)), *wire(("a", "b")))
    with pytest.raises(InputError, match=r"'a': its bias of .* in front of a synaptic filter needs"):
        bias_axons(draft(populations, wired), profile)
