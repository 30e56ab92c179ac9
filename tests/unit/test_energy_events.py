"""The table of energy events: all that prices an activity follows from it, an event added from outside included."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from spikewright.chip.activity import Activity, Counts, PopulationActivity, Samples
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.energy import events
from spikewright.energy.estimate import estimate, linear_cost
from spikewright.energy.events import EVENTS, Event, PerSpike, PerUpdate
from spikewright.energy.pricing import samples_of, steps_of
from spikewright.energy.time import core_work
from spikewright.pages.pricing import report
from spikewright.pages.render import Document, as_html, as_markdown
from spikewright.placing.placement import place
from spikewright.profile.costs import Constant, Durations, Energy
from spikewright.profile.profile import load_profile

PICO = 1e-12


def network() -> ChipNetwork:
    def neuron(size: int) -> Neuron:
        return Neuron(4095, 0, 100, np.zeros(size, dtype=np.int64), 6)

    populations = (
        Population("in", (4,), "input", None),
        Population("hidden", (3,), "hidden", neuron(3)),
        Population("out", (2,), "readout", neuron(2)),
    )
    connections = (
        Connection("in", "hidden", np.full((3, 4), 2, dtype=np.int64)),
        Connection("hidden", "out", np.full((2, 3), 2, dtype=np.int64)),
    )
    return ChipNetwork(populations, connections, 2, "events", "count", "loihi1-davies", "")


def activity() -> Activity:
    """Two samples of two steps: 6 input events, 5 hidden spikes, 1 of the readout."""
    populations = {
        "in": PopulationActivity(np.array([3, 2, 1, 0]), 0, 0),
        "hidden": PopulationActivity(np.array([4, 1, 0]), 12, 10),
        "out": PopulationActivity(np.array([1, 0]), 8, 5),
    }
    steps = Counts(
        {"in": np.array([4, 2]), "hidden": np.array([1, 4]), "out": np.array([0, 1])},
        {"hidden": np.array([6, 4]), "out": np.array([2, 3])},
        {"in->hidden": np.array([12, 6]), "hidden->out": np.array([2, 8])},
    )
    samples = Samples(steps, np.array([0, 1]), np.array([0, 1]))
    operations = {"in->hidden": 18, "hidden->out": 10}
    return Activity(populations, operations, 2, 2, "integer", "", 2, "test", {}, steps, samples)


def test_the_table_has_every_constant_of_a_profile_and_no_name_twice() -> None:
    names = [event.name for event in EVENTS]
    assert len(names) == len(set(names))
    assert set(names) == Energy.model_fields.keys() - {"teacher_mac"}
    keys = {key for event in EVENTS for key in (event.sends, event.receives) if key}
    assert keys == Durations.model_fields.keys() - {"barrier"}
    constants = load_profile("loihi1-sanafe").energy
    assert {e.name for e in EVENTS if e.constant(constants)} == constants.given().keys() - {"teacher_mac"}


class PricedLikeASynapticOperation(Event):
    def constant(self, energy: Energy) -> Constant | None:
        return energy.synaptic_op


@pytest.mark.parametrize(
    ("driver", "happens", "count", "shares"),
    [
        (PerSpike(on_connections=True), lambda spot: spot.connection.name == "in->hidden", 6, [4 / 6, 2 / 6]),
        (
            PerSpike(False, lambda spot: np.array([2, 0, 0])),
            lambda spot: spot.population.name == "hidden",
            8,
            [0.2, 0.8],
        ),
        (PerUpdate(0, 1), lambda spot: spot.population.name == "out", 5, [0.4, 0.6]),
        (PerUpdate(1, -1), lambda spot: spot.population.name == "hidden", 2, [0.0, 1.0]),
        (PerUpdate(1, 0), lambda spot: spot.population.name == "hidden", 12, [0.5, 0.5]),
    ],
)
def test_an_event_added_to_the_table_is_estimated_trained_on_and_shown(driver, happens, count, shares, monkeypatch):
    """Count by hand; the linear form, the steps and the samples add up to the same total, and the pages name it."""
    chip, counted, profile = network(), activity(), load_profile("loihi1-davies")
    placement = place(chip, profile)
    before = estimate(counted, placement, profile)
    added = PricedLikeASynapticOperation("decoding", "spikes decoded", driver, happens)
    monkeypatch.setattr(events, "EVENTS", (*EVENTS, added))
    after = estimate(counted, placement, profile)
    (row,) = (row for row in after.rows if row.event is added)
    assert (row.count, row.constant) == (count / 2, pytest.approx(23.6 * PICO))
    assert after.total == pytest.approx(before.total + count / 2 * 23.6 * PICO, rel=1e-12)
    costs = linear_cost(placement, profile)
    linear = sum(
        float(np.sum(seen.spikes * costs[name].per_spike))
        + seen.updates * costs[name].per_update_inactive
        + seen.active_updates * costs[name].extra_per_active_update
        for name, seen in counted.populations.items()
    )
    assert linear == pytest.approx(2 * after.total, rel=1e-12)
    alone = [row]
    assert steps_of(alone, counted) == pytest.approx(tuple(row.energy * share for share in shares))
    assert sum(steps_of(after.rows, counted)) == pytest.approx(after.total, rel=1e-12)
    assert samples_of(after.rows, counted).mean() == pytest.approx(after.total, rel=1e-12)
    shown = report(counted, chip, profile)
    assert shown.as_json()["by_event"]["decoding"] == pytest.approx(row.energy)
    for text in (str(shown), as_markdown(Document([shown])), as_html(Document([shown]))):
        assert "spikes decoded" in text


def test_an_event_without_a_constant_is_listed_with_its_count(monkeypatch):
    free = Event("decoding", "spikes decoded", PerSpike(False), lambda spot: spot.population.neuron is not None)
    monkeypatch.setattr(events, "EVENTS", (*EVENTS, free))
    chip, profile = network(), load_profile("loihi1-davies")
    found = estimate(activity(), place(chip, profile), profile)
    assert [(item.words, item.count) for item in found.not_modelled if item.event == "decoding"] == [
        ("spikes decoded", (5 + 1) / 2)
    ]


def test_an_event_with_a_duration_takes_time(monkeypatch):
    """Each of the 5 hidden spikes takes 1 ns more at the sender: 2.5 ns an inference."""
    chip, counted, profile = network(), activity(), load_profile("loihi1-davies")
    longer = profile.time.synaptic_op.model_copy(update={"value": 1.0, "unit": "ns"})
    profile = profile.model_copy(update={"time": profile.time.model_copy(update={"spike_out": longer})})
    added = Event("decoding", "", PerSpike(False), lambda spot: spot.population.name == "hidden", sends="spike_out")
    placement = place(chip, profile)
    before = events_seconds(counted, chip, placement, profile)
    monkeypatch.setattr(events, "EVENTS", (*EVENTS, added))
    after = events_seconds(counted, chip, placement, profile)
    assert after - before == pytest.approx(2.5e-9)


def events_seconds(counted, chip, placement, profile):
    return core_work(counted, placement, profile.time, 4).updates_s.sum()


def test_a_report_has_the_attributes_of_its_energy_and_can_be_copied() -> None:
    shown = report(activity(), network(), "loihi1-davies", energy_budget="1uJ")
    assert (shown.total, shown.verdict, shown.within_budget) == (
        shown.energy.total, shown.energy.verdict, True,
    )  # fmt: skip
    assert shown.accuracy == 1.0
    assert shown.rows is shown.energy.rows
    assert shown.by_part() == shown.energy.by_part()
    assert copy.copy(shown).total == shown.total
    assert replace(shown, energy=replace(shown.energy, rows=())).total == 0
    with pytest.raises(AttributeError, match="nonsense"):
        _ = shown.nonsense
