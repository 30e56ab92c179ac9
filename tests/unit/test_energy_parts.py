"""Energies of steps, samples and classes against the estimator on each alone, and the interval of their mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.activity import Activity
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.energy.estimate import estimate
from spikewright.energy.pricing import classes_of, detailed, samples_of, spread_of, steps_of
from spikewright.energy.report import EnergyReport
from spikewright.pages.pricing import report as page
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation.integer import run
from spikewright.simulation.recording import activity_of

PROFILES = ["loihi1-davies", "loihi1-sanafe", "loihi2", "loihi2-assumed", "cmos45"]
LABELS = np.array([0, 1, 2, 1, 1])


def network(conv: bool) -> ChipNetwork:
    """Event input, a hidden layer with leak and a few biases, and a readout."""
    random = np.random.default_rng(3)

    def neuron(shape: tuple[int, ...], vth: int) -> Neuron:
        return Neuron(4095, 700, vth, random.integers(0, 2, shape) * 3)

    hidden = (3, 3, 3) if conv else (20,)
    populations = (
        Population("in", (2, 5, 5), "input", None),
        Population("a", hidden, "hidden", neuron(hidden, 40)),
        Population("out", (3,), "readout", neuron((3,), 60)),
    )
    first = random.integers(-9, 20, (3, 2, 3, 3) if conv else (20, 50))
    geometry = ConvGeometry((2, 2), (1, 1)) if conv else None
    connections = (
        Connection("in", "a", first, conv=geometry),
        Connection("a", "out", random.integers(-9, 30, (3, int(np.prod(hidden))))),
    )
    return ChipNetwork(populations, connections, 4, "events", "count", "loihi1-davies", "")


def drive() -> IntArray:
    """Five samples, each denser than the one before."""
    random = np.random.default_rng(4)
    return (random.random((4, 5, 2, 5, 5)) < np.linspace(0.05, 0.9, 5)[:, None, None, None]).astype(np.int64)


def counted(chip: ChipNetwork, which: slice = slice(None)) -> Activity:
    return activity_of(chip, run(chip, drive()[:, which]), "integer", LABELS[which])


def priced(chip: ChipNetwork, activity: Activity, name: str) -> EnergyReport:
    profile = load_profile(name)
    return estimate(activity, place(chip, profile), profile)


@pytest.mark.parametrize("name", PROFILES)
def test_a_sample_costs_what_it_costs_alone(name: str) -> None:
    chip = network(conv=False)
    report = priced(chip, counted(chip), name)
    alone = [priced(chip, counted(chip, slice(i, i + 1)), name).total for i in range(5)]
    assert len({round(energy, 15) for energy in alone}) == 5
    assert samples_of(report.rows, counted(chip)) == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("name", PROFILES)
def test_where_spikes_go_different_ways_the_mean_is_still_the_total(name: str) -> None:
    chip = network(conv=True)
    report = priced(chip, counted(chip), name)
    energies = samples_of(report.rows, counted(chip))
    assert energies.mean() == pytest.approx(report.total, rel=1e-9)
    alone = [priced(chip, counted(chip, slice(i, i + 1)), name).total for i in range(5)]
    assert energies == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("name", PROFILES)
def test_steps_add_up_to_the_total(name: str, conv: bool) -> None:
    chip = network(conv)
    report = priced(chip, counted(chip), name)
    assert sum(steps_of(report.rows, counted(chip))) == pytest.approx(report.total, rel=1e-9)


def test_a_step_by_hand() -> None:
    """The second step of the dense network on loihi1-davies, event by event."""
    chip = network(conv=False)
    recording = run(chip, drive())
    activity = counted(chip)
    sent = {name: spikes[1].reshape(5, -1).sum() / 5 for name, spikes in recording.spikes.items()}
    active = sum(active[1].sum() for active in recording.active.values()) / 5
    by_hand = sent["in"] * (20 * 23.6 + 1.7) + sent["a"] * (3 * 23.6 + 1.7) + active * 81 + (23 - active) * 52
    steps = steps_of(priced(chip, activity, "loihi1-davies").rows, activity)
    assert steps[1] == pytest.approx(by_hand * 1e-12, rel=1e-9)


def test_classes_by_hand() -> None:
    chip = network(conv=False)
    activity = counted(chip)
    energies = samples_of(priced(chip, activity, "loihi1-davies").rows, activity)
    found = {each.label: each for each in classes_of(energies, activity)}
    assert {label: each.samples for label, each in found.items()} == {0: 1, 1: 3, 2: 1}
    assert found[1].energy == pytest.approx((energies[1] + energies[3] + energies[4]) / 3)
    predicted = activity.by_sample.predicted
    assert found[1].accuracy == pytest.approx(np.mean(predicted[[1, 3, 4]] == 1))
    assert sum(each.accuracy * each.samples for each in found.values()) == pytest.approx(activity.correct)


def test_the_accuracy_of_a_class_is_that_of_the_samples_that_are_kept() -> None:
    """Where more were counted, whose answers nobody knows, as well."""
    kept = counted(network(conv=False))
    more = replace(kept, samples=9, answers=None)
    assert more.quality is None
    found = {each.label: each.accuracy for each in classes_of(np.ones(5), more)}
    predicted = kept.by_sample.predicted
    assert found[1] == pytest.approx(np.mean(predicted[[1, 3, 4]] == 1))


def test_the_interval_of_the_mean_is_that_of_statistics() -> None:
    energies = np.random.default_rng(0).gamma(4.0, 1e-7, 2000)
    spread = spread_of(energies)
    half = 1.96 * energies.std() / np.sqrt(len(energies))
    assert (spread.low, spread.high) == pytest.approx((energies.mean() - half, energies.mean() + half), rel=0.004)
    assert (spread.samples, spread.least, spread.most) == (2000, energies.min(), energies.max())
    assert np.mean(energies <= spread.p95) == pytest.approx(0.95)
    assert np.mean(energies <= spread.median) == pytest.approx(0.5)
    assert spread_of(energies) == spread
    assert spread_of(energies, seed=1) != spread


def test_a_mean_of_two_samples_may_be_that_of_either() -> None:
    """Each is drawn twice in a quarter of the resamples, far more than the 2.5 % that lie beyond either end."""
    spread = spread_of(np.array([1.0, 3.0]))
    assert (spread.samples, spread.low, spread.high, spread.least, spread.most) == (2, 1.0, 3.0, 1.0, 3.0)


def test_one_sample_has_no_spread() -> None:
    assert spread_of(np.array([1.0])) is None
    assert spread_of(None) is None


@pytest.mark.parametrize("name", ["loihi1-davies", "loihi1-sanafe"])
def test_the_band_is_both_totals(name: str) -> None:
    chip, activity = network(conv=True), counted(network(conv=True))
    profile = load_profile(name)
    placement = place(chip, profile)
    report = detailed(estimate(activity, placement, profile), activity, placement)
    totals = {each: priced(chip, activity, each).total for each in ("loihi1-davies", "loihi1-sanafe")}
    assert report.band == pytest.approx(totals)
    assert 1.2 < max(report.band.values()) / min(report.band.values()) < 2.5


def test_what_was_not_counted_is_left_out() -> None:
    chip = network(conv=True)
    old = replace(counted(chip), by_step=None, by_sample=None)
    profile = load_profile("loihi2")
    placement = place(chip, profile)
    report = detailed(estimate(old, placement, profile), old, placement)
    assert (report.steps, report.spread, report.classes, report.band, report.time) == ((), None, (), None, None)
    as_json = page(old, chip, profile).as_json()
    assert {name: as_json[name] for name in ("by_step", "spread", "by_class", "band", "time")} == {
        "by_step": [], "spread": None, "by_class": [], "band": None, "time": None,
    }  # fmt: skip
    without_answers = replace(counted(chip).by_sample, predicted=None)
    assert classes_of(np.ones(5), replace(counted(chip), by_sample=without_answers)) == ()
    unlabelled = activity_of(chip, run(chip, drive()), "integer")
    assert classes_of(samples_of(report.rows, unlabelled), unlabelled) == ()
