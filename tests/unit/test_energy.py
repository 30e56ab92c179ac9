"""The estimator against arithmetic done by hand, against published totals, and against its own linear form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.data.quality import Quality
from spikewright.energy.estimate import estimate, floor, linear_cost
from spikewright.pages import numbers
from spikewright.placing.blocks import ranges
from spikewright.placing.placement import Site, place
from spikewright.profile.profile import load_profile, profile_names
from spikewright.profile.units import Amount

PICO = 1e-12


def neuron(shape, bias=0, fires=True):
    return Neuron(4095, 0, 100, np.full(shape, bias, dtype=np.int64), 6, fires)


def weights(*shape):
    return np.full(shape, 2, dtype=np.int64)


def spread(total, size):
    counts = np.full(size, total // size, dtype=np.int64)
    counts[: total % size] += 1
    return counts


def published_network():
    """10 inputs, 20 and 5 neurons, 50 steps: the network whose energy SANA-FE printed."""
    populations = (
        Population("in", (10,), "input", None),
        Population("hidden", (20,), "hidden", neuron((20,))),
        Population("out", (5,), "readout", neuron((5,))),
    )
    connections = (Connection("in", "hidden", weights(20, 10)), Connection("hidden", "out", weights(5, 20)))
    return ChipNetwork(populations, connections, 50, "events", "count", "loihi1-sanafe", "")


def published_activity():
    """136 input spikes, 262 hidden, 136 output; 1250 compartment updates, 1199 of them active."""
    populations = {
        "in": PopulationActivity(spread(136, 10), 0, 0),
        "hidden": PopulationActivity(spread(262, 20), 1000, 970),
        "out": PopulationActivity(spread(136, 5), 250, 229),
    }
    return Activity(populations, {"in->hidden": 136 * 20, "hidden->out": 262 * 5}, 1, 50, "integer")


def conv_network(payload_bits=8, current=False, recurrent=False):
    """A strided convolution with borders, then a dense layer, with a bias axon beside it."""
    source = Population("pixels", (2, 5, 6), "input", neuron((2, 5, 6)) if current else None, payload_bits)
    populations = (
        source,
        Population("bias", (1,), "bias", neuron((1,), bias=4000)),
        Population("conv", (3, 3, 3), "hidden", neuron((3, 3, 3), bias=1)),
        Population("out", (4,), "readout", neuron((4,), fires=False)),
    )
    connections = (
        Connection("pixels", "conv", weights(3, 2, 3, 3), 8, ConvGeometry((2, 2), (1, 1))),
        Connection("bias", "out", weights(4, 1)),
        Connection("conv", "out", weights(4, 27)),
    )
    if recurrent:
        connections = (*connections, Connection("conv", "conv", weights(27, 27)))
    encoding = "current" if current else "direct"
    return ChipNetwork(populations, connections, 3, encoding, "membrane", "loihi2", "")


def activity_of(chip, spikes, active_share, samples):
    populations, operations = {}, {}
    for population in chip.populations:
        updates = samples * chip.timesteps * population.size if population.neuron else 0
        populations[population.name] = PopulationActivity(
            np.asarray(spikes[population.name]), updates, int(updates * active_share)
        )
    for connection in chip.connections:
        operations[connection.name] = int(np.sum(populations[connection.source].spikes * fan_out(chip, connection)))
    return Activity(populations, operations, samples, chip.timesteps, "integer")


def priced(chip, activity, name):
    profile = load_profile(name)
    return estimate(activity, place(chip, profile), profile)


def test_sanafe_total_is_the_printed_one():
    report = priced(published_network(), published_activity(), "loihi1-sanafe")
    assert report.total == pytest.approx(3.047228e-07, rel=1e-12)
    assert list(report.by_event().values()) == sorted(report.by_event().values(), reverse=True)
    assert len(report.by_event()) > 1
    assert {event.name: energy for event, energy in report.by_event().items()} == pytest.approx(
        {
            "synaptic_op": 1.430650e-07,
            "neuron_access": 1250 * 51.2 * PICO,
            "neuron_active_extra": 1199 * 21.6 * PICO,
            "spike_out": 398 * 69.3 * PICO,
            "message": 4.417800e-08,
        }
    )


def test_sanafe_total_with_the_readout_on_a_second_tile():
    profile = load_profile("loihi1-sanafe")
    chip = published_network()
    sites = (Site(0, "hidden", ranges(20, 1)[0]), Site(4, "out", ranges(5, 1)[0]))
    apart = replace(place(chip, profile), sites=sites)
    report = estimate(published_activity(), apart, profile)
    assert report.total == pytest.approx(3.058232e-07, rel=1e-12)
    assert [row.count for row in report.rows if row.event.name == "hop_y"] == [262]
    assert not [row for row in report.rows if row.event.name == "hop_x"]


def test_davies_total_by_hand():
    report = priced(published_network(), published_activity(), "loihi1-davies")
    by_hand = (1199 * 81 + 51 * 52 + 4030 * 23.6 + 398 * 1.7) * PICO
    assert report.total == pytest.approx(by_hand, rel=1e-12)
    assert report.total == pytest.approx(1.956e-07, rel=1e-3)


def test_ops_by_hand():
    report = priced(published_network(), published_activity(), "loihi2")
    assert (report.total, report.unit) == (4030 + 10 * 1250, "ops")


def test_cmos45_counts_accumulates_and_graded_multiply_accumulates():
    chip = conv_network()
    ones = {p.name: np.ones(p.shape, dtype=np.int64) for p in chip.populations}
    activity = activity_of(chip, ones, 0.5, 1)
    report = priced(chip, activity, "cmos45")
    graded, dense = activity.synaptic_ops["pixels->conv"], 27 * 4 + 4
    assert report.total == pytest.approx((graded * 4.6 + dense * 0.9) * PICO, rel=1e-12)
    assert [row.kind for row in report.rows] == ["convention"] * 3
    assert {item.event for item in report.not_modelled} >= {"neuron_update_active", "neuron_update_inactive"}


def test_lemaire_charges_every_access_by_hand():
    """The article's sums over reads and writes (8 KiB 10 pJ, 32 KiB 20 pJ), summed apart from ours."""
    chip = published_network()
    report = priced(chip, published_activity(), "lemaire")
    operations, read, fired, steps = 4030, 136 + 262, 262 + 136, 1250
    weights, small, add, multiply = 20.0, 10.0, 0.1, 3.1
    memory = operations * (weights + 2 * small) + steps * (small + 2 * small) + read * small + fired * small
    arithmetic = operations * add + steps * (add + add + multiply) + fired * add
    addresses = operations * add
    assert report.total == pytest.approx((memory + arithmetic + addresses) * PICO, rel=1e-12)
    assert {row.event.name for row in report.rows} == {"synaptic_op", "neuron_access", "spike_read", "spike_out"}


def test_a_spike_is_read_once_for_each_connection_it_enters():
    chip = conv_network(payload_bits=0)
    ones = {p.name: np.ones(p.shape, dtype=np.int64) for p in chip.populations}
    report = priced(chip, activity_of(chip, ones, 0.5, 1), "lemaire")
    reads = {
        row.connection: (row.event.name, row.count) for row in report.rows if row.event.name.startswith("spike_read")
    }
    assert reads == {
        "pixels->conv": ("spike_read_conv", 60),
        "bias->out": ("spike_read", 1),
        "conv->out": ("spike_read", 27),
    }


def test_what_is_included_elsewhere_is_not_listed_as_left_out():
    listed = {item.event for item in priced(published_network(), published_activity(), "tianjic").not_modelled}
    assert listed == {"input_event", "state_reset", "readout", "host"}
    odin = {item.event for item in priced(published_network(), published_activity(), "odin").not_modelled}
    assert odin == {"input_event", "spike_out", "state_reset", "static_power", "readout", "host"}


@pytest.mark.parametrize("name", profile_names())
def test_the_reset_between_samples_is_listed_wherever_states_are_kept(name):
    report = priced(published_network(), published_activity(), name)
    listed = [item.count for item in report.not_modelled if item.event == "state_reset"]
    assert listed == ([] if name == "akida" else [1.0]), "one step leaves nothing to reset"
    assert (report.resets is not None) is name.startswith("loihi1-"), "published for Loihi 1 alone"


def test_a_published_reset_stands_beside_the_total():
    report = priced(published_network(), published_activity(), "loihi1-davies")
    assert report.resets.energy_j == pytest.approx(5.94e-6)
    assert report.total == pytest.approx(195.6e-9, rel=1e-3), "and not in it"
    line = next(line for line in numbers.beside(report) if "reset" in line)
    assert line == (
        "states are reset before each inference: 5.94 µJ, 30.4 times the total, and not in it (5.94 µJ for each chip, "
        "measured; frady2020, state reset, per chip and query)"
    )
    two = replace(report.resets, chips=2)
    assert two.energy_j == pytest.approx(11.88e-6)
    assert "11.88 µJ, not in the total (5.94 µJ for each chip, measured; frady2020" in two.sentence()
    (why,) = [item.why for item in report.not_modelled if item.event == "state_reset"]
    assert why.startswith("estimated beside the total; 5.94 uJ a chip, frady2020, ")


def test_a_chip_whose_constants_have_the_reset_in_them_does_not_list_it():
    odin = load_profile("odin")
    said = odin.model_copy(update={"included": {**odin.included, "state_reset": "in the synaptic operation"}})
    chip = published_network()
    report = estimate(published_activity(), place(chip, said), said)
    assert "state_reset" not in {item.event for item in report.not_modelled}


def test_weights_of_zero_are_charged_and_said():
    """A spike of an input that has 20 targets visits 20 weights, whatever they are; 7 of them are zero here."""
    chip = published_network()
    whole = priced(chip, published_activity(), "loihi1-davies")
    assert whole.zeros.operations == 0
    first = chip.connections[0]
    weight = first.weight.copy()
    weight[:7] = 0
    pruned = replace(chip, connections=(replace(first, weight=weight), *chip.connections[1:]))
    report = priced(pruned, published_activity(), "loihi1-davies")
    assert report.total == whole.total
    assert (report.zeros.operations, report.zeros.energy) == (136 * 7, pytest.approx(136 * 7 * 23.6 * PICO))
    line = next(line for line in numbers.beside(report) if "weights of zero" in line)
    assert line == (
        "weights of zero are charged like any others: 952 synaptic operations, 23.6% of them, 22.47 nJ of the total"
    )


def test_sanafe_prices_convolutions_apart():
    chip = conv_network(payload_bits=0)
    ones = {p.name: np.ones(p.shape, dtype=np.int64) for p in chip.populations}
    report = priced(chip, activity_of(chip, ones, 0.5, 1), "loihi1-sanafe")
    constants = {row.connection: row.constant for row in report.rows if row.event.name.startswith("synaptic")}
    assert constants == pytest.approx({"pixels->conv": 24e-12, "bias->out": 35.5e-12, "conv->out": 35.5e-12})


def test_input_hidden_and_readout_are_apart_and_add_up():
    report = priced(published_network(), published_activity(), "loihi1-davies")
    parts = report.by_part()
    assert parts["input"] == pytest.approx((136 * 20 * 23.6 + 136 * 1.7) * PICO)
    assert parts["readout"] == pytest.approx((229 * 81 + 21 * 52) * PICO)
    assert sum(parts.values()) == pytest.approx(report.total)
    assert sum(report.by_population().values()) == pytest.approx(report.total)


def test_everything_is_per_inference():
    chip, once = published_network(), published_activity()
    one, many = priced(chip, once, "loihi1-davies"), priced(chip, once + once + once, "loihi1-davies")
    assert many.total == pytest.approx(one.total, rel=1e-12)
    assert many.floor == pytest.approx(one.floor, rel=1e-12)
    assert [item.count for item in many.not_modelled] == pytest.approx([item.count for item in one.not_modelled])


def test_unknown_is_listed_with_its_count_and_never_taken_as_zero():
    report = priced(published_network(), published_activity(), "loihi1-davies")
    left_out = {item.event: item.count for item in report.not_modelled}
    assert left_out == {
        "input_event": 136, "spike_out": 398, "input_hops": None, "static_power": None, "barrier": 50,
        "state_reset": 1, "readout": 5, "host": None,
    }  # fmt: skip
    assert report.at_least
    assert report.verdict.startswith("at least 195.6 nJ per inference")
    assert not {"input_event", "spike_out"} & {row.event.name for row in report.rows}


def test_a_measured_zero_is_a_row():
    profile = load_profile("loihi1-davies")
    free = profile.energy.synaptic_op.model_copy(update={"value": 0.0})
    zero = profile.model_copy(update={"energy": profile.energy.model_copy(update={"input_event": free})})
    chip = published_network()
    report = estimate(published_activity(), place(chip, zero), zero)
    assert [(row.count, row.energy) for row in report.rows if row.event.name == "input_event"] == [(136, 0.0)]
    assert "input_event" not in {item.event for item in report.not_modelled}


def test_floor_by_hand():
    chip, profile = published_network(), load_profile("loihi1-davies")
    lowest = floor(place(chip, profile), profile, spread(136, 10))
    assert lowest.updates == pytest.approx(25 * 50 * 52 * PICO)
    assert lowest.inputs == pytest.approx((136 * 20 * 23.6 + 136 * 1.7) * PICO)
    assert str(InputError(lowest.sentence(Amount(1e-8, "J"), "loihi1-davies"))) == (
        "energy_budget=10 nJ: is below the floor of 129.4 nJ on loihi1-davies: before any hidden neuron fires, 65 nJ "
        "go into updating 25 neurons at 50 steps and 64.42 nJ into input events; fewer timesteps, fewer neurons or an "
        "encoding with fewer input events lower it"
    )


def test_floor_keeps_biased_compartments_active_and_bias_axons_firing():
    chip, profile = conv_network(), load_profile("loihi1-davies")
    lowest = floor(place(chip, profile), profile)
    assert lowest.updates == pytest.approx(3 * (32 * 52 + 28 * 29) * PICO)
    assert lowest.inputs == pytest.approx(3 * (4 * 23.6 + 1.7) * PICO)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"samples": 0}, "activity: counts no samples; simulate at least one"),
        ({"timesteps": 4}, "activity: has 4 timesteps; the network has 50"),
        (
            {"populations": {"in": PopulationActivity(spread(1, 10), 0, 0)}},
            "activity: counts populations in; the network has in, hidden, out",
        ),
        (
            {"stated": Quality(2, np.diag([1, 0, 0, 0, 0, 1]))},
            "activity: counts answers of class 5; the network has classes 0 to 4",
        ),
        (
            {"synaptic_ops": {"in->hidden": 1}},
            "activity: counts connections in->hidden; the network has in->hidden, hidden->out",
        ),
    ],
)
def test_an_activity_of_another_network_is_refused(change, sentence):
    chip, profile = published_network(), load_profile("loihi1-davies")
    with pytest.raises(InputError) as caught:
        estimate(replace(published_activity(), **change), place(chip, profile), profile)
    assert str(caught.value) == sentence


@st.composite
def networks_with_activity(draw):
    chip = conv_network(
        payload_bits=draw(st.sampled_from([0, 8])), current=draw(st.booleans()), recurrent=draw(st.booleans())
    )
    seed, samples = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 4))
    rng = np.random.default_rng(seed)
    most = samples * chip.timesteps
    spikes = {p.name: rng.integers(0, most + 1, p.shape) for p in chip.populations}
    return chip, activity_of(chip, spikes, draw(st.floats(0, 1)), samples)


@settings(max_examples=40, deadline=None)
@given(networks_with_activity(), st.sampled_from(profile_names()))
def test_linear_form_is_the_estimate(case, name):
    chip, activity = case
    profile = load_profile(name)
    placement = place(chip, profile)
    costs = linear_cost(placement, profile)
    linear = sum(
        float(np.sum(seen.spikes * costs[p].per_spike))
        + seen.updates * costs[p].per_update_inactive
        + seen.active_updates * costs[p].extra_per_active_update
        for p, seen in activity.populations.items()
    )
    report = estimate(activity, placement, profile)
    assert math.isclose(linear, report.total * activity.samples, rel_tol=1e-9, abs_tol=1e-30)


def over_chips(crossing=None):
    """Loihi 1 with 2 cores of 9 neurons a chip, and perhaps a constant for messages between chips."""
    profile = load_profile("loihi1-sanafe")
    limits = profile.limits.model_copy(update={"neurons_per_core": 9, "cores": 2, "chips": 9})
    energy = profile.energy.model_copy(update={"chip_crossing": crossing})
    return profile.model_copy(update={"limits": limits, "energy": energy})


def test_messages_between_chips_are_counted_and_charged_only_where_there_is_a_constant():
    """20 hidden neurons on three cores, 5 of the readout on a fourth: one core of the hidden layer is beside it."""
    chip, profile = published_network(), over_chips()
    placement = place(chip, profile)
    report = estimate(published_activity(), placement, profile)
    left_out = {item.event: (item.count, item.why) for item in report.not_modelled}
    beside = next(site for site in placement.sites_of("hidden") if site.chip == placement.sites_of("out")[0].chip)
    crossing = 262 - int(np.sum(published_activity().populations["hidden"].spikes[beside.block.members]))
    assert left_out["chip_crossing"] == (crossing, "no constant is published")
    assert left_out["hops_between_chips"] == (None, "where chips join is not known")
    dear = over_chips(profile.energy.message.model_copy(update={"value": 1000.0}))
    priced_too = estimate(published_activity(), placement, dear)
    assert priced_too.total == pytest.approx(report.total + crossing * 1000 * PICO, rel=1e-12)
    assert "chip_crossing" not in {item.event for item in priced_too.not_modelled}


@settings(max_examples=20, deadline=None)
@given(networks_with_activity())
def test_linear_form_is_the_estimate_over_chips_too(case):
    chip, activity = case
    profile = over_chips(load_profile("loihi1-sanafe").energy.message)
    placement = place(chip, profile)
    assert placement.arrangement.chips > 1
    costs = linear_cost(placement, profile)
    linear = sum(
        float(np.sum(seen.spikes * costs[p].per_spike))
        + seen.updates * costs[p].per_update_inactive
        + seen.active_updates * costs[p].extra_per_active_update
        for p, seen in activity.populations.items()
    )
    report = estimate(activity, placement, profile)
    assert math.isclose(linear, report.total * activity.samples, rel_tol=1e-9)


@settings(max_examples=40, deadline=None)
@given(networks_with_activity(), st.sampled_from(profile_names()), st.data())
def test_energy_is_monotone_in_every_count(case, name, data):
    chip, activity = case
    population = data.draw(st.sampled_from([p.name for p in chip.populations]))
    where = data.draw(st.integers(0, chip.by_name[population].size - 1))
    spikes = {p: seen.spikes.copy() for p, seen in activity.populations.items()}
    spikes[population].reshape(-1)[where] += 1
    more = activity_of(chip, spikes, 0.0, activity.samples)
    more = replace(
        more,
        populations={
            p: replace(seen, active_updates=activity.populations[p].active_updates)
            for p, seen in more.populations.items()
        },
    )
    before, after = priced(chip, activity, name), priced(chip, more, name)
    assert after.total >= before.total
    assert after.total == before.total or after.by_population()[population] > before.by_population()[population]


@settings(max_examples=30, deadline=None)
@given(networks_with_activity(), st.sampled_from(profile_names()))
def test_no_activity_costs_less_than_the_floor(case, name):
    chip, activity = case
    biased = {p.name: np.count_nonzero(p.neuron.bias) if p.neuron else 0 for p in chip.populations}
    steps = activity.samples * chip.timesteps
    populations = {
        p: replace(seen, active_updates=max(seen.active_updates, steps * int(biased[p])))
        for p, seen in activity.populations.items()
    }
    populations["bias"] = replace(populations["bias"], spikes=np.full((1,), steps))
    operations = {c.name: int(np.sum(populations[c.source].spikes * fan_out(chip, c))) for c in chip.connections}
    report = priced(chip, replace(activity, populations=populations, synaptic_ops=operations), name)
    assert report.total >= report.floor * (1 - 1e-12)
