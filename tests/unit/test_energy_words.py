"""What an energy report says in words, of what it comes from and what is beside its total."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.activity import Activity, Counts, PopulationActivity, Samples
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.data.output_rule import OutputRule
from spikewright.data.quality import Quality
from spikewright.energy.ann import Standing
from spikewright.energy.estimate import Floor, estimate
from spikewright.energy.pricing import classes_of, price, spread_of
from spikewright.energy.provenance import Provenance, provenance_of
from spikewright.energy.report import ClassEnergy, StateResets
from spikewright.energy.time import TimeEstimate, time_of
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.profile.units import Amount


def neuron(size: int) -> Neuron:
    return Neuron(4095, 0, 5, np.zeros(size, np.int64))


def network(payload_bits: int = 0, weight_bits: int = 8) -> ChipNetwork:
    """in -> relay -> out, and in -> out."""
    return ChipNetwork(
        (
            Population("in", (2,), "input", None, payload_bits), Population("relay", (2,), "relay", neuron(2)),
            Population("out", (3,), "readout", neuron(3)),
        ),
        (
            Connection("in", "relay", np.eye(2, dtype=int), weight_bits),
            Connection("relay", "out", np.ones((3, 2), int), weight_bits),
        ),
        3, "events", "count", "loihi1-davies", "",
    )  # fmt: skip


def counted(spikes: int = 1) -> Activity:
    populations = {
        "in": PopulationActivity(np.array([2, 2]) * spikes, 0, 0),
        "relay": PopulationActivity(np.array([2, 2]) * spikes, 12, 6),
        "out": PopulationActivity(np.array([1, 0, 0]) * spikes, 18, 6),
    }
    return Activity(populations, {"in->relay": 8 * spikes, "relay->out": 12 * spikes}, 2, 3, "integer")


def test_a_relay_is_a_hidden_layer_of_its_own() -> None:
    profile = load_profile("loihi1-davies")
    report = estimate(counted(), place(network(), profile), profile)
    assert [(s.population, s.part, s.spikes, s.updates, s.synaptic_ops) for s in report.spikes] == [
        ("in", "input", 2, 0, 4), ("relay", "hidden", 2, 6, 6), ("out", "readout", 0.5, 9, 0),
    ]  # fmt: skip
    assert {row.part for row in report.rows if row.population == "relay"} == {"hidden"}
    assert report.synaptic_ops == 10


@pytest.mark.parametrize(
    ("timesteps", "inputs", "said"),
    [
        (1, 0.0, "1 nJ go into updating 5 neurons at 1 step; fewer neurons lower it"),
        (2, 0.0, "1 nJ go into updating 5 neurons at 2 steps; fewer timesteps or fewer neurons lower it"),
        (
            1, 2e-9, "1 nJ go into updating 5 neurons at 1 step and 2 nJ into input events; "
            "fewer neurons or an encoding with fewer input events lower it",
        ),
        (
            3, 2e-9, "1 nJ go into updating 5 neurons at 3 steps and 2 nJ into input events; "
            "fewer timesteps, fewer neurons or an encoding with fewer input events lower it",
        ),
    ],
)  # fmt: skip
def test_a_floor_says_what_it_is_made_of(timesteps: int, inputs: float, said: str) -> None:
    floor = Floor(1e-9, inputs, 5, timesteps)
    assert str(InputError(floor.sentence(Amount(0.5e-9, "J"), "mine"))) == (
        f"energy_budget=500 pJ: is below the floor of {3 if inputs else 1} nJ on mine: before any hidden neuron fires, "
        f"{said}"
    )


def test_payloads_and_weights_that_a_chip_cannot_hold_are_refused() -> None:
    loihi2, loihi1 = load_profile("loihi2"), load_profile("loihi1-davies")
    assert (loihi2.limits.graded_spike_bits, loihi1.limits.graded_spike_bits, loihi1.limits.weight_bits) == (24, 0, 8)
    price(counted(), network(), loihi1)
    price(counted(), network(payload_bits=24), loihi2)
    for profile, bits, holds in ((loihi1, 1, "none"), (loihi2, 25, 24)):
        with pytest.raises(AnswerIsNo) as refusal:
            price(counted(), network(payload_bits=bits), profile)
        assert str(refusal.value) == (
            f"{profile.name}: 'in' sends {bits}-bit payloads and the chip takes {holds}; use binary spikes (current, "
            "rate or latency encoding)"
        )
    with pytest.raises(AnswerIsNo) as refusal:
        price(counted(), network(weight_bits=9), loihi1)
    assert str(refusal.value) == (
        "loihi1-davies: in->relay has 9-bit weights and the chip holds 8; lower the network for loihi1-davies"
    )


def test_of_no_spikes_no_step_has_a_share() -> None:
    """Steps were counted and nothing spiked: updates alone keep a core busy."""
    quiet, profile = counted(0), load_profile("loihi1-davies")
    zero = np.zeros(3, np.int64)
    names, updated, wires = ("in", "relay", "out"), ("relay", "out"), ("in->relay", "relay->out")
    steps = Counts(*(dict.fromkeys(each, zero) for each in (names, updated, wires)))
    found = time_of(replace(quiet, by_step=steps), place(network(), profile), profile)
    assert found is not None
    assert found.busy_s == pytest.approx([3 * 5.3e-9] * 3), "the readout, alone on its core"


TIME = TimeEstimate(
    1e-6, (2e-6, 4e-6), (7, "conv", "synapses"), 1, 3, 2, 0.5, "Somebody 2020, table 1", ("message_in",)
)


def test_a_time_in_words() -> None:
    assert (TIME.steps, TIME.inference_s, TIME.static_j) == (2, pytest.approx(8e-6), pytest.approx(4e-6))
    assert TIME.latency_s == pytest.approx(4e-6 * 5)
    assert TIME.sentence() == (
        "at least 8 µs per inference (125,000 a second), 20 µs from input to answer: 2 steps of 4 µs, 1 µs of it to "
        "synchronise 1 tile; the slowest is core 7 (conv), busy with synapses"
    )
    assert "synchronise 2 tiles;" in replace(TIME, tiles=2).sentence()
    assert TIME.static_sentence() == (
        "static energy meanwhile: 4 µJ per inference, not in the total (500 mW a chip; Somebody 2020, table 1)"
    )
    unknown = replace(TIME, static_w=None)
    assert (unknown.static_sentence(), unknown.static_j) == ("", None)
    assert TIME.as_json() == {
        "inference_s": TIME.inference_s, "latency_s": TIME.latency_s, "barrier_s": 1e-6, "busy_s": (2e-6, 4e-6),
        "slowest": {"core": 7, "population": "conv", "busy_with": "synapses"}, "tiles": 1, "static_w": 0.5,
        "static_j": TIME.static_j, "static_source": "Somebody 2020, table 1", "unknown": ("message_in",),
    }  # fmt: skip


def test_resets_in_words() -> None:
    resets = StateResets(3, 2e-6, "Somebody 2020, table 1", "measured")
    assert resets.energy_j == pytest.approx(6e-6)
    said = "states are reset before each inference: 6 µJ, {} (2 µJ for each chip, measured; Somebody 2020, table 1)"
    assert resets.sentence() == said.format("not in the total")
    assert resets.sentence(0.0) == said.format("not in the total")
    assert resets.sentence(4e-6) == said.format("1.5 times the total, and not in it")
    assert resets.as_json()["energy_j"] == pytest.approx(6e-6)


def test_a_class_without_a_name_has_none() -> None:
    assert ClassEnergy(1, 5, 0.5, 2.0).as_json() == {"label": 1, "samples": 5, "accuracy": 0.5, "energy": 2.0}
    assert ClassEnergy(0, 0, 0.0, 0.0, "walk").as_json() == {
        "label": 0, "samples": 0, "accuracy": 0.0, "energy": 0.0, "name": "walk",
    }  # fmt: skip


def test_classes_of_windows_are_as_good_as_their_recordings() -> None:
    column = np.ones(4, np.int64)
    each = Samples(Counts({"in": column}, {}, {}), np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    activity = Activity({"in": PopulationActivity(np.array([4]), 0, 0)}, {}, 4, 1, "integer", by_sample=each)
    energies = np.array([1.0, 3.0, 5.0, 9.0])
    assert [(c.label, c.samples, c.accuracy, c.energy, c.name) for c in classes_of(energies, activity)] == [
        (0, 2, 0.5, 2.0, ""), (1, 2, 1.0, 7.0, ""),
    ]  # fmt: skip
    recordings = replace(activity, stated=Quality(2, np.array([[1, 0], [1, 0]])))
    named = classes_of(energies, recordings, OutputRule(names=("walk", "sit")))
    assert [(c.accuracy, c.name) for c in named] == [(1.0, "walk"), (0.0, "sit")]
    assert classes_of(None, activity) == ()
    for less in ({"classes": None}, {"predicted": None}):
        assert classes_of(energies, replace(activity, by_sample=replace(each, **less))) == ()
    assert classes_of(energies, replace(activity, by_sample=None)) == ()


def test_a_spread_has_the_quantiles_of_its_samples() -> None:
    energies = np.arange(21.0)
    found = spread_of(energies)
    assert found is not None
    assert (found.samples, found.least, found.median, found.p95, found.most) == (21, 0, 10, 19, 20)
    assert found.least < found.low < 10 < found.high < found.most
    assert found.high - found.low == pytest.approx(2 * 1.96 * energies.std() / 21**0.5, rel=0.1)
    assert found == spread_of(energies, seed=0) != spread_of(energies, seed=1)
    assert spread_of(energies[:1]) is None
    assert spread_of(energies[:2]) is not None


def test_a_provenance_says_what_it_knows() -> None:
    activity = {"file": "a.json", "sha256": "aa", "source": "spikewright 1", "data": "digits"}
    chip = {"file": "c.h5", "sha256": "cc"}
    whole = Provenance(activity, chip, "spikewright report", "pp", {"seed": 1})
    assert whole.lines() == [
        ("command", "spikewright report"),
        ("activity file", "a.json, SHA-256 aa, by spikewright 1"),
        ("chip file", "c.h5, SHA-256 cc"),
    ]
    assert whole.data == "digits"
    assert whole.as_json() == {
        "activity": activity, "chip": chip, "command": "spikewright report", "profile_sha256": "pp",
    }  # fmt: skip
    assert "command" not in replace(whole, command="").as_json()
    assert replace(whole, command="").lines()[0][0] == "activity file"
    for less in ({"activity": None}, {"chip": None}, {"activity": None, "chip": None}):
        part = replace(whole, **less)
        assert part.as_json() == {"seed": 1}
        assert [name for name, _ in part.lines()] == [
            "command", *(f"{name} file" for name in ("activity", "chip") if name not in less)
        ]  # fmt: skip
    assert replace(whole, activity={"data": 3}).data == ""
    assert replace(whole, activity=None).data == ""


def test_a_provenance_of_files_has_their_hashes_first(tmp_path: Path) -> None:
    files = tmp_path / "a.json", tmp_path / "c.h5"
    for file in files:
        file.write_bytes(file.name.encode())
    hashes = [sha256_of(file) for file in files]
    facts = {"graph": '{"seed": 3}', "broken": "{no", "plain": "text", "number": 4, "sha256": "forged"}
    chip = replace(network(), provenance=facts)
    activity = replace(counted(), provenance={"seed": 7, "file": "forged"})
    for of in ("", hashes[1]):
        found = provenance_of(*files, replace(activity, chip_sha256=of), chip)
        assert found.activity == {"file": "a.json", "sha256": hashes[0], "seed": 7}
        assert found.chip == {
            "file": "c.h5", "sha256": hashes[1], "lowered_for": "loihi1-davies", "graph": {"seed": 3},
            "broken": "{no", "plain": "text", "number": 4,
        }  # fmt: skip
        assert found.chip is not None
        assert list(found.chip)[:3] == ["file", "sha256", "lowered_for"]
    with pytest.raises(InputError) as refusal:
        provenance_of(*files, replace(activity, chip_sha256="0123456789abcdef"), chip)
    assert (
        f"was counted on a network with SHA-256 0123456789ab..., and {files[1]} has {hashes[1][:12]}...; give"
        in str(refusal.value)
    )


@pytest.mark.parametrize(
    ("total", "static", "turned"),
    [(0.5, 0.2, False), (0.5, 0.5, True), (0.5, 0.6, True), (1.5, 0.1, False), (1.0, 0.1, False), (0.5, None, False)],
)
def test_static_energy_turns_what_it_lifts_above_one(total: float, static: float | None, turned: bool) -> None:
    time = None if static is None else SimpleNamespace(static_j=static)
    report: Any = SimpleNamespace(rows=(), total=total, time=time, synaptic_ops=50.0, floor=1.0)
    ann: Any = SimpleNamespace(energy=1.0, constant=0.01, macs=SimpleNamespace(count=100))
    standing = Standing(ann, report)
    assert standing.is_turned_by_static is turned
    assert standing.visits == 0.5
    assert (standing.operation, standing.break_even, standing.ratios[0]) == (None, None, None)
    assert not standing.is_out_of_reach


@pytest.mark.parametrize(("timed", "said"), [(True, "estimated beside the total"), (False, "run time is not modelled")])
def test_static_power_is_in_the_total_of_no_profile(timed: bool, said: str) -> None:
    profile = load_profile("loihi1-davies")
    profile = profile if timed else profile.model_copy(update={"time": None})
    found = {each.event: each for each in estimate(counted(), place(network(), profile), profile).not_modelled}
    assert found["static_power"].why.startswith(said)
