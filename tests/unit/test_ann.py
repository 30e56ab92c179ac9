"""The artificial network against the spiking one, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.agreement import Agreement
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.energy.ann import macs_of, standings
from spikewright.energy.macs import Macs
from spikewright.pages import against
from spikewright.pages.pricing import report


def neuron(shape):
    return Neuron(4095, 0, 100, np.zeros(shape, dtype=np.int64), 6)


def network(**provenance):
    """Ten inputs, twenty neurons, five classes: 300 multiply-accumulates."""
    populations = (
        Population("in", (10,), "input", None),
        Population("hidden", (20,), "hidden", neuron((20,))),
        Population("out", (5,), "readout", neuron((5,))),
    )
    connections = (
        Connection("in", "hidden", np.full((20, 10), 2, dtype=np.int64)),
        Connection("hidden", "out", np.full((5, 20), 2, dtype=np.int64)),
    )
    return ChipNetwork(populations, connections, 1, "events", "count", "loihi1-davies", "", provenance)


def activity(spikes_in=6, spikes_hidden=6):
    """One sample of one step: 6 x 20 + 6 x 5 = 150 synaptic operations, 25 active updates."""
    populations = {
        "in": PopulationActivity(np.repeat([1, 0], [spikes_in, 10 - spikes_in]), 0, 0),
        "hidden": PopulationActivity(np.repeat([1, 0], [spikes_hidden, 20 - spikes_hidden]), 20, 20),
        "out": PopulationActivity(np.zeros(5, dtype=np.int64), 5, 5),
    }
    operations = {"in->hidden": 20 * spikes_in, "hidden->out": 5 * spikes_hidden}
    return Activity(populations, operations, 1, 1, "integer", "", 1, "test")


def sentences(priced):
    return against.sentences(priced.energy, priced.ann, priced.agreement)


def test_one_pass_counts_synapses_and_leaves_relays_and_biases_out():
    """3 x 3 kernel on 4 x 4 with a border: 100 of 144 taps are inside, twice for two channels; then 32 x 3."""
    populations = (
        Population("in", (1, 4, 4), "input", None),
        Population("conv", (2, 4, 4), "hidden", neuron((2, 4, 4))),
        Population("relay", (32,), "relay", neuron((32,))),
        Population("bias", (1,), "bias", neuron((1,))),
        Population("out", (3,), "readout", neuron((3,))),
    )
    connections = (
        Connection("in", "conv", np.ones((2, 1, 3, 3), dtype=np.int64), conv=ConvGeometry(padding=(1, 1))),
        Connection("conv", "relay", np.eye(32, dtype=np.int64)),
        Connection("relay", "out", np.ones((3, 32), dtype=np.int64)),
        Connection("bias", "out", np.ones((3, 1), dtype=np.int64)),
    )
    chip = ChipNetwork(populations, connections, 4, "events", "count", "none", "")
    assert macs_of(chip) == 2 * 100 + 32 * 3


def test_energies_and_break_even_by_hand():
    """cmos45: 0.9 pJ an operation, 4.6 pJ a multiply-accumulate, nothing else modelled."""
    priced = report(activity(), network(), "cmos45")
    own = next(row for row in standings(priced.energy, priced.ann, Macs(300)) if row.ann.platform == "cmos45")
    assert own.visits == 150 / 300
    assert own.ann.energy == pytest.approx(300 * 4.6e-12)
    assert own.break_even == pytest.approx(4.6 / 0.9)
    alone, modelled, whole = own.ratios
    assert alone == pytest.approx(150 * 0.9 / (300 * 4.6))
    assert modelled == pytest.approx(alone)
    assert whole is None
    assert [row.ann.platform for row in standings(priced.energy, priced.ann, Macs(300))][:2] == ["cmos45", "edge-gpu"]


@pytest.mark.parametrize("visits", [5.1, 5.2])
def test_at_the_break_even_arithmetic_costs_the_same(visits):
    """4.6 / 0.9 = 5.11 operations a multiply-accumulate: below it wins, above it loses."""
    priced = report(activity(), network(), "cmos45")
    energy = replace(priced.energy, synaptic_ops=visits * 300)
    own = next(row for row in standings(energy, priced.ann, Macs(300)) if row.ann.platform == "cmos45")
    assert (own.ratios[0] < 1) == (visits < own.break_even)


def test_static_energy_turns_a_verdict_and_the_report_says_so():
    """Some 6 nJ are less than 300 x 33.2 pJ, and with 104 mW over a step they are more; an edge CPU takes 270 nJ."""
    priced = report(activity(), network(), "loihi1-davies")
    rows = {row.ann.platform: row for row in standings(priced.energy, priced.ann, Macs(300))}
    static = 0.104 * priced.time.inference_s
    assert rows["lemaire"].ratios[2] == pytest.approx((priced.total + static) / (300 * 33.2e-12))
    assert [name for name, row in rows.items() if row.is_turned_by_static] == ["lemaire"]
    said = " ".join(sentences(priced))
    assert "turns the verdict against the same network on Lemaire 2022. It is that of a whole chip" in said
    energy = replace(priced.energy, time=replace(priced.time, static_w=None))
    without = replace(priced, energy=energy)
    assert "Static energy of the chip is not known here" in " ".join(sentences(without))


def test_a_floor_above_the_ann_is_out_of_reach():
    """25 updates of 52 pJ, and 6 inputs x 20 operations: more than 300 x 4.6 pJ = 1.38 nJ without a hidden spike."""
    priced = report(activity(), network(), "loihi1-davies")
    assert priced.floor > 300 * 4.74e-12
    rows = {row.ann.platform: row.is_out_of_reach for row in standings(priced.energy, priced.ann, Macs(300))}
    assert rows == {"cmos45": True, "edge-gpu": True, "lemaire": False, "edge-cpu": False, "desktop-cpu": False}
    said = " ".join(sentences(priced))
    assert "Sparser spikes cannot win against it on 45 nm arithmetic, edge GPU: without any hidden spike" in said


def test_sentences_from_known_quantities_only():
    plain = sentences(report(activity(), network(), "loihi1-davies"))
    assert plain[0] == (
        "Run once as an artificial network, the same wiring takes 300 multiply-accumulates. The spiking network did "
        "150 synaptic operations an inference: 0.5 for each synapse."
    )
    assert not any("teacher takes" in sentence or sentence.startswith("Against the teacher") for sentence in plain)
    assert plain[-1].startswith("How accurate the artificial network is on these samples is not known")
    levels = Agreement("", "test", {"teacher": 0.9, "integer": 0.925}, {"teacher": 40, "integer": 40}, {}, {})
    taught = replace(report(activity(), network(teacher_macs=1_000_000), "loihi1-davies"), agreement=levels)
    said = sentences(taught)
    assert said[-1] == "The spiking network gains 2.50 points of accuracy: 92.50% against the teacher's 90.00%."
    assert any(sentence.startswith("Against the teacher, which") for sentence in said)
    assert [caption for caption, _ in against.tables(taught.energy, taught.ann)] == [
        "Against the same network run once as an ANN: 300 MACs",
        "Against the ANN teacher: 1,000,000 MACs",
    ]


PARTLY = {"teacher_macs": 160, "teacher_macs_unknown": ["If", "LSTM"]}


def test_a_lower_bound_of_the_teacher_settles_wins_alone():
    """160 x 33.2 pJ are 5.3 nJ, less than the spiking network's 5.6 nJ; 160 x 900 pJ are more than that anyway."""
    priced = report(activity(), network(**PARTLY), "loihi1-davies")
    said = sentences(priced)
    assert said[0].startswith(
        "Run once as an artificial network, the same wiring takes 300 multiply-accumulates. The teacher takes at least "
        "160 (not counted: If, LSTM). The spiking network did "
    )
    assert (
        "Against the teacher, which is another and mostly larger network, it wins on edge CPU, desktop CPU and may win "
        "or lose on 45 nm arithmetic, edge GPU, Lemaire 2022."
    ) in said
    _, (caption, rows) = against.tables(priced.energy, priced.ann)
    assert caption == "Against the ANN teacher: at least 160 MACs (not counted: If, LSTM)"
    by_machine = {row[0]: row for row in rows[1:]}
    assert by_machine["Lemaire 2022"][2] == "≥ 5.312 nJ"
    assert [cell.split(",")[0] for cell in by_machine["Lemaire 2022"][4:]] == ["wins", "not known", "not known"]
    assert by_machine["edge CPU"][5] == f"wins, ≤ {priced.total / (160 * 900e-12):.3g}×"


def test_static_energy_says_nothing_of_a_lower_bound():
    """With joules enough static energy turns no verdict against the same network; the teacher's is left open."""
    priced = report(activity(), network(**PARTLY), "loihi1-davies")
    idle = replace(priced, energy=replace(priced.energy, time=replace(priced.energy.time, static_w=1e-9)))
    assert any("changes no verdict against the same network." in sentence for sentence in sentences(idle))
    exact = report(activity(), network(teacher_macs=160), "loihi1-davies")
    idle = replace(exact, energy=replace(exact.energy, time=replace(exact.energy.time, static_w=1e-9)))
    assert any("changes no verdict." in sentence for sentence in sentences(idle))


def test_without_joules_nothing_is_said_about_who_wins():
    priced = report(activity(), network(teacher_macs=1_000_000), "loihi2")
    said = " ".join(sentences(priced))
    assert "300 multiply-accumulates" in said
    assert "nothing is said about who wins" in said
    assert against.tables(priced.energy, priced.ann) == []
    assert priced.as_json()["ann"] == {"macs": 300, "teacher_macs": 1_000_000, "against": []}


def test_factors_in_words():
    assert [against.verdict(ratio, Macs(1)) for ratio in (None, 0.5, 0.0004, 1.0, 1234.5)] == [
        "not known", "wins, 0.5×", "wins, <0.001×", "loses, 1×", "loses, 1,234×",
    ]  # fmt: skip
