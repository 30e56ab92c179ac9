"""Run time and static energy against arithmetic done by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, Counts, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.energy.time import TimeEstimate, core_work, seconds, time_of
from spikewright.placing.placement import place
from spikewright.profile.costs import Barrier
from spikewright.profile.profile import load_profile, read_profile

NANO = 1e-9


def network(recurrent: bool = False) -> ChipNetwork:
    """4 event inputs, 6 and 2 neurons, 3 steps."""

    def population(name: str, size: int, role: str) -> Population:
        return Population(name, (size,), role, Neuron(4095, 0, 9, np.zeros(size, dtype=np.int64)))

    def weights(*shape: int) -> np.ndarray:
        return np.full(shape, 2, dtype=np.int64)

    populations = (Population("in", (4,), "input", None), population("a", 6, "hidden"), population("out", 2, "readout"))
    connections = (Connection("in", "a", weights(6, 4)), Connection("a", "out", weights(2, 6)))
    if recurrent:
        connections = (*connections, Connection("a", "a", weights(6, 6)))
    return ChipNetwork(populations, connections, 3, "events", "count", "loihi1-davies", "")


def activity(chip: ChipNetwork) -> Activity:
    """Two samples: 24 input events, 12 and 6 spikes; 36 updates of a (18 active), 12 of out (6 active)."""
    populations = {
        "in": PopulationActivity(np.array([6, 6, 6, 6]), 0, 0),
        "a": PopulationActivity(np.full(6, 2), 36, 18),
        "out": PopulationActivity(np.array([3, 3]), 12, 6),
    }
    operations = {"in->a": 24 * 6, "a->out": 12 * 2, "a->a": 12 * 6}
    return Activity(populations, {c.name: operations[c.name] for c in chip.connections}, 2, 3, "integer")


def at_steps(chip: ChipNetwork) -> Counts:
    """Everything in a's first step, and an even input."""
    return Counts(
        spikes={"in": np.array([8, 8, 8]), "a": np.array([12, 0, 0]), "out": np.array([2, 2, 2])},
        active_updates={"a": np.array([18, 0, 0]), "out": np.array([2, 2, 2])},
        synaptic_ops={c.name: np.zeros(3, dtype=np.int64) for c in chip.connections},
    )


def estimated(chip: ChipNetwork, counts: Activity, name: str) -> TimeEstimate:
    profile = load_profile(name)
    found = time_of(counts, place(chip, profile), profile)
    assert found is not None
    return found


def test_davies_by_hand() -> None:
    chip = network()
    found = estimated(chip, activity(chip), "loihi1-davies")
    # a step and sample: a has 6 updates, 3 of them active, and sends 2 spikes; 4 events arrive and visit 24 synapses
    updates, arrivals = 3 * 8.4 + 3 * 5.3 + 2 * 2.1, 24 * 3.5
    assert found.busy_s == pytest.approx([max(updates, arrivals) * NANO] * 3)
    assert found.slowest == (0, "a", "synapses")
    assert (found.barrier_s, found.tiles, found.steps) == (pytest.approx(113 * NANO), 1, 3)
    assert found.inference_s == pytest.approx(3 * (113 + 84) * NANO)
    assert found.latency_s == pytest.approx((3 + 2) * (113 + 84) * NANO)
    assert found.static_j == pytest.approx(0.104 * 3 * (113 + 84) * NANO)
    assert found.unknown == ("spike_out", "message_in")


def test_a_mean_of_active_updates_is_no_whole_number() -> None:
    """17 of 36 in two samples of three steps, and no input: 17 / 6 of 8.4 ns and 19 / 6 of 5.3 ns."""
    chip = network()
    plain = activity(chip)
    quiet = {
        "in": PopulationActivity(np.zeros(4, np.int64), 0, 0),
        "a": PopulationActivity(np.full(6, 2), 36, 17),
        "out": plain.populations["out"],
    }
    found = estimated(chip, replace(plain, populations=quiet, synaptic_ops={"in->a": 0, "a->out": 24}), "loihi1-davies")
    assert found.busy_s == pytest.approx([(17 / 6 * 8.4 + 19 / 6 * 5.3 + 2 * 2.1) * NANO] * 3)


def test_sanafe_by_hand() -> None:
    chip = network()
    found = estimated(chip, activity(chip), "loihi1-sanafe")
    updates = 6 * 6.0 + 3 * 3.7 + 2 * 30.0 + 2 * 5.1
    arrivals = 24 * 3.8 + 4 * 16.0
    assert found.busy_s == pytest.approx([max(updates, arrivals) * NANO] * 3)
    assert found.barrier_s == pytest.approx(600 * NANO)
    assert found.unknown == ()


def test_each_population_is_busy_in_its_own_place_of_the_pipeline() -> None:
    chip, profile = network(), load_profile("loihi1-davies")
    counts = replace(activity(chip), by_step=at_steps(chip))
    placement = place(chip, profile)
    work = core_work(counts, placement, profile.time, 3)
    assert [list(placement.held[core]) for core in work.cores] == [["a"], ["out"]]
    idle, burst = (
        6 * 5.3,
        9 * 3.1 + 6 * 2.1,
    )  # of a: 9 active updates and 6 spikes in its first step, one after the input
    assert work.updates_s[0] == pytest.approx(np.array([idle, idle + burst, idle]) * NANO)
    assert work.arrivals_s[0] == pytest.approx(np.full(3, 24 * 3.5) * NANO)
    assert work.arrivals_s[1] == pytest.approx(np.array([0, 12 * 3.5, 0]) * NANO)
    assert work.busy_s[1] == pytest.approx(np.array([2 * 5.3 + 3.1, 12 * 3.5, 2 * 5.3 + 3.1]) * NANO)


def test_a_recurrent_network_is_emptied_between_samples() -> None:
    chip = network(recurrent=True)
    found = estimated(chip, replace(activity(chip), by_step=at_steps(chip)), "loihi1-davies")
    assert found.steps == 5
    # input at steps 0..2; a at 1..3, hearing itself in its first step; nothing but idle updates at the last one
    arrivals = np.array([24, 24 + 36, 24, 0, 0]) * 3.5
    assert found.busy_s == pytest.approx(np.maximum(arrivals, 6 * 5.3) * NANO)


def test_more_tiles_take_longer_to_synchronise() -> None:
    davies, sanafe = (load_profile(name).time.barrier for name in ("loihi1-davies", "loihi1-sanafe"))
    assert [davies.seconds(tiles) for tiles in (1, 16, 32, 40)] == pytest.approx(
        [113e-9, (113 + 352 * 15 / 31) * NANO, 465e-9, 465e-9]
    )
    assert [sanafe.seconds(tiles) for tiles in (1, 2, 3, 4, 28, 29, 32)] == pytest.approx(
        np.array([0.6, 1.0, 1.0, 1.4, 1.4, 1.8, 1.8]) * 1e-6
    )
    later = Barrier(tiles=[4], values=[2.0], between="steps", unit="us", source="s", where="w", kind="assumed")
    assert later.seconds(1) == pytest.approx(2e-6)


@pytest.mark.parametrize("name", ["loihi2", "loihi2-assumed", "cmos45"])
def test_without_durations_nothing_is_estimated(name: str) -> None:
    chip, profile = network(), load_profile(name)
    assert time_of(activity(chip), place(chip, profile), profile) is None


def test_populations_that_share_a_core_keep_it_busy_together() -> None:
    chip, profile = network(), load_profile("loihi1-davies")
    one = profile.model_copy(update={"limits": profile.limits.model_copy(update={"cores": 1})})
    found = time_of(activity(chip), place(chip, one), one)
    updates = 3 * 8.4 + 3 * 5.3 + 2 * 2.1 + 1 * 8.4 + 1 * 5.3
    assert found.busy_s == pytest.approx([max(updates, (24 + 4) * 3.5) * NANO] * 3)
    assert found.slowest == (0, "a and out", "synapses")


def test_several_chips_have_no_barrier_that_is_known() -> None:
    chip, profile = network(), load_profile("loihi1-davies")
    few = {"cores": 1, "chips": 2, "neurons_per_core": 6}
    small = profile.model_copy(update={"limits": profile.limits.model_copy(update=few)})
    placement = place(chip, small)
    assert placement.arrangement.chips == 2
    assert time_of(activity(chip), placement, small) is None


def test_times_in_words() -> None:
    assert [seconds(value) for value in (2.0, 0.0012, 15.17e-6, 303.4e-9)] == ["2 s", "1.2 ms", "15.17 µs", "303.4 ns"]
    found = estimated(network(), activity(network()), "loihi1-davies")
    assert found.sentence() == (
        "at least 591 ns per inference (1,692,047 a second), 985 ns from input to answer: 3 steps of 197 ns, 113 ns of "
        "it to synchronise 1 tile; the slowest is core 0 (a), busy with synapses"
    )
    assert found.static_sentence() == (
        "static energy meanwhile: 61.46 nJ per inference, not in the total (104 mW a chip; frady2020, 3.34 W over 32 "
        "chips)"
    )
    assert replace(found, static_w=None).static_sentence() == ""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[time.neuron_update_inactive]", "[time.neuron_access]", "time: gives neuron_access, neuron_update_active of"),
        ("tiles = [1, 32]", "tiles = [32, 1]", "time.barrier: is "),
        (
            'band = ["loihi1-sanafe"]',
            'band = ["loihi1-sanaf"]',
            "band: is 'loihi1-sanaf'; did you mean 'loihi1-sanafe'",
        ),
        ("value = 3.5", "value = -3.5", "time.synaptic_op.value: is -3.5; may be: greater than or equal to 0"),
        ("[time.message_out]", "[time.mesage_out]", "time.mesage_out: unknown key; did you mean 'message_out'?"),
        (
            'unit = "ns"\nsource = "davies2018"',
            'unit = "ns"\nsource = "davies18"',
            "time.synaptic_op.source: is 'davies18'; did you mean 'davies2018'",
        ),
    ],
)
def test_faults_of_the_table_are_said(root: Path, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    shutil.copy(root / "hardware_profiles" / "loihi1-davies.toml", tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        read_profile(tmp_path / "mine.toml")
    assert sentence in str(refusal.value)
