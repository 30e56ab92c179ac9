"""Peaks that are measured on data, by hand on tiny networks, and the scales that are chosen by them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork, ConvGeometry
from spikewright.chip.registers import (
    GRID_KEY,
    Calibration,
    Grid,
    Peaks,
    Registers,
    TrainedGrid,
    grid_for,
    trained_grid,
)
from spikewright.data.split import Split
from spikewright.graph.interpreter import interpret
from spikewright.graph.wiring import wire
from spikewright.lowering import peaks
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.lower import drafted, lower, sketched
from spikewright.lowering.passes import rewritten
from spikewright.lowering.peaks import Measuring, peaks_of
from spikewright.lowering.quantize import MEASURED, quantize, starved
from spikewright.lowering.rules import remarks
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate

DT = 1e-4
PROFILE = load_profile("loihi2-assumed")


def neuron(
    shape: tuple[int, ...], leak_u: float = 1.0, leak_v: float = 0.0, threshold: float | None = None, bias: float = 0.0
) -> DraftNeuron:
    ones = np.ones(shape)
    level = None if threshold is None else threshold * ones
    return DraftNeuron(leak_u * ones, leak_v * ones, level, 0 * ones, bias * ones, 0 * ones)


def draft(weight: list[list[float]], made: DraftNeuron, timesteps: int, *more: DraftConnection) -> Draft:
    matrix = np.asarray(weight, np.float64)
    populations = (
        DraftPopulation("in", (matrix.shape[1],), "input", None),
        DraftPopulation("n", (len(matrix),), "readout", made),
    )
    readout = "membrane" if made.threshold is None else "count"
    return Draft(populations, (DraftConnection("in", "n", matrix), *more), timesteps, "events", readout, 8)


def frames(*samples: list[list[int]]) -> np.ndarray:
    """Events ``(n, T, lines)``."""
    return np.array(samples, np.uint8)


def test_the_current_and_potential_of_an_integrator_by_hand() -> None:
    # Steps bring 0.5, -1 and -1 + 0.5 = -0.5: with half of it left, u = 0.5, -0.75, -0.875 and v its sum.
    net = draft([[0.5, -1.0]], neuron((1,), leak_u=0.5), 3)
    found = peaks_of(net, frames([[1, 0], [0, 1], [1, 1]], [[0, 0], [0, 0], [1, 0]]))
    current, potential = found["n"]
    assert current.tolist() == [0.875, 0.5]
    assert potential.tolist() == [1.125, 0.5]  # 0.5, -0.25, -1.125; the largest magnitude counts


def test_a_current_without_decay_adds_up() -> None:
    net = draft([[0.5, -1.0]], neuron((1,), leak_u=0.0), 3)
    current, potential = peaks_of(net, frames([[1, 0], [1, 0], [1, 0]]))["n"]
    assert (current.tolist(), potential.tolist()) == ([1.5], [3.0])  # u = 0.5, 1, 1.5, and v its sum


def test_of_neurons_that_fire_potentials_count_below_zero_alone() -> None:
    # v = 2 (fires, reset), -1, -2 + 0.25 of bias at each step.
    net = draft([[2.0, -1.0]], neuron((1,), threshold=1.0, bias=0.25), 3)
    current, potential = peaks_of(net, frames([[1, 0], [0, 1], [0, 1]]))["n"]
    assert current.tolist() == [2.0], "a bias acts on the membrane"
    assert potential.tolist() == [1.5]


def test_a_population_that_feeds_itself_hears_its_spikes_one_step_later() -> None:
    net = draft([[2.0]], neuron((1,), threshold=1.0), 3, DraftConnection("n", "n", np.array([[-4.0]])))
    current, potential = peaks_of(net, frames([[1], [0], [0]]))["n"]
    assert (current.tolist(), potential.tolist()) == ([4.0], [4.0])


def test_peaks_are_those_of_the_reference_interpreter() -> None:
    graph, data = cuba_graph(steps=20), events(12, 20)
    found = peaks_of(rewritten(drafted(graph, PROFILE), PROFILE), data)
    wiring, drive = wire(graph), torch.from_numpy(np.moveaxis(data, 0, 1)).double()
    trace = interpret(wiring, drive, DT, 20)
    expected = trace.membranes["out"].abs().amax((0, 2)).numpy()
    assert found["out"][1] == pytest.approx(expected, rel=1e-4)
    assert found["cuba"][1] == pytest.approx((-trace.membranes["cuba"]).clamp(min=0).amax((0, 2)).numpy(), rel=1e-3)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = rewritten(drafted(cuba_graph(steps=20), PROFILE), PROFILE), events(12, 20)
    whole = peaks_of(net, data)
    monkeypatch.setattr(peaks, "ELEMENTS", 20 * 60 * 5)
    parts = peaks_of(net, data)
    for name in whole:
        assert parts[name][0] == pytest.approx(whole[name][0], rel=1e-6)


def test_neither_relays_nor_biases_nor_inputs_are_measured() -> None:
    student = sw.Student(sw.StudentConfig("skipnet", 3, (1, 8, 8), 4, 3, "current")).eval()
    net = rewritten(drafted(sw.to_nir(student), PROFILE), PROFILE)
    roles = {p.name: p.role for p in net.populations}
    assert "relay" in roles.values()
    found = peaks_of(net, np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32))
    assert set(found) == {name for name, role in roles.items() if role in ("hidden", "readout")}


def test_quantile_and_margin() -> None:
    net = draft([[1.0]], neuron((1,)), 1)
    measuring = Measuring(np.ones((10, 1, 1), np.uint8), quantile=0.5, margin=2.0)
    assert measuring.of_populations(net).bounds() == {"n": Peaks(current=2.0, potential=2.0)}
    unasked = Measuring(np.ones((10, 1, 1), np.uint8)).of_populations(net)
    assert unasked.bounds() == {"n": Peaks(current=1.5, potential=1.5)}, "half as much again"
    some = np.r_[np.ones(6), np.zeros(4)].astype(np.uint8).reshape(10, 1, 1)
    low, high = (Measuring(some, quantile=q, margin=1.0).of_populations(net).peaks["n"] for q in (0.3, 0.5))
    assert (low.current, high.current) == (0.0, 1.0)


def test_peaks_are_measured_with_the_threads_of_a_student(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on a machine of few cores, so that sums of floats are those of a training there."""
    seen: list[int] = []

    class Watched:
        shape = (1, 1, 1)

        def __len__(self) -> int:
            return 1

        def __getitem__(self, rows: slice) -> np.ndarray:
            seen.append(torch.get_num_threads())
            return np.ones((1, 1, 1), np.uint8)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        peaks_of(draft([[1.0]], neuron((1,)), 1), Watched())
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("value", "up"), [(0.0, 0.0), (1.0, 1.0), (1.2341, 1.24), (123456.0, 124000.0), (0.0012301, 0.00124), (9.991, 10.0)]
)
def test_peaks_are_rounded_up_to_three_digits(value: float, up: float) -> None:
    assert Peaks(current=value, potential=0.0).rounded_up().current == up


def test_a_scale_leaves_room_for_what_was_measured() -> None:
    """Weights of 1 and of -1, whose largest integer is 254; registers hold 2^23 / 64 = 131072 units of a weight."""
    net = draft([[1.0, -1.0]], neuron((1,)), 1000)
    worst = quantize(net, PROFILE)
    assert worst.provenance["scale_limited_by"] == {"n": "the range of the readout"}
    assert worst.provenance["scales"]["n"] == pytest.approx(131071 / 1000, rel=0.01)
    measured = quantize(net, PROFILE, Grid(peaks={"n": Peaks(current=1.0, potential=600.0)}))
    assert measured.provenance["scales"]["n"] == pytest.approx(131071 / 600, rel=1e-6)
    assert measured.provenance[MEASURED] == ["n"]
    full = quantize(net, PROFILE, Grid(peaks={"n": Peaks(current=1.0, potential=500.0)}))
    assert full.provenance["scale_limited_by"] == {"n": "weights from in"}


def test_peaks_beyond_the_worst_case_ask_for_no_more_than_it() -> None:
    net = draft([[1.0, -1.0]], neuron((1,)), 1000)
    far = quantize(net, PROFILE, Grid(peaks={"n": Peaks(current=9e9, potential=9e9)}))
    assert far.provenance["scales"] == quantize(net, PROFILE).provenance["scales"]
    assert far.provenance[MEASURED] == []


def test_what_a_convolution_sums_up_keeps_below_24_bits_whatever_was_measured() -> None:
    shape = (8, 9, 9)
    populations = (
        DraftPopulation("in", shape, "input", None, 4095),
        DraftPopulation("n", (1, 1, 1), "readout", neuron((1, 1, 1))),
    )
    kernel = DraftConnection("in", "n", np.full((1, *shape), 1.0), ConvGeometry())
    net = Draft(populations, (kernel,), 2, "direct", "membrane", 12)
    made = quantize(net, PROFILE, Grid(peaks={"n": Peaks(current=0.0, potential=0.0)}))
    assert made.provenance["scale_limited_by"] == {"n": "the sum of a convolution"}
    assert 0 < int(made.connections[0].weight.sum()) * 4095 < 2**23


def test_starved_are_those_to_which_the_worst_case_leaves_less_than_six_bits() -> None:
    net = draft([[1.0, -1.0]], neuron((1,)), 4)
    assert starved(net, PROFILE) == ()
    assert starved(draft([[1.0, -1.0]], neuron((1,)), 2000), PROFILE) == ()  # 32 levels, 6.02 bits
    assert starved(draft([[1.0, -1.0]], neuron((1,)), 2100), PROFILE) == ("n",)  # 31 levels, 5.98 bits
    # Of 4 bits, 7 levels, the worst case must leave 3 levels, one bit less.
    assert starved(draft([[1.0, -1.0]], neuron((1,)), 1000), PROFILE, 4) == ()
    assert starved(draft([[1.0, -1.0]], neuron((1,)), 1800), PROFILE, 4) == ("n",)


def cuba_graph(steps: int, lines: int = 40, alpha: float = 0.95) -> nir.NIRGraph:
    """Events into CubaLIF neurons and a readout that integrates, weights as torch initialises them."""
    random = np.random.default_rng(0)

    def weight(rows: int, columns: int) -> np.ndarray:
        return (random.uniform(-1, 1, (rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def each(value: float, size: int) -> np.ndarray:
        return np.full(size, value, np.float32)

    tau_syn, tau_mem = DT / (1 - alpha), DT / 0.1
    cuba = nir.CubaLIF(
        tau_syn=each(tau_syn, 16), tau_mem=each(tau_mem, 16), r=each(tau_mem / DT, 16), v_leak=each(0, 16),
        v_threshold=each(2.0, 16), w_in=each(tau_syn / DT, 16), v_reset=each(0, 16),
    )  # fmt: skip
    nodes = {
        "input": nir.Input(np.array([lines])),
        "first": nir.Linear(weight(16, lines)),
        "cuba": cuba,
        "second": nir.Linear(weight(4, 16)),
        "out": nir.I(r=each(1 / DT, 4)),
        "output": nir.Output(np.array([4])),
    }
    names = list(nodes)
    metadata = {"dt_s": DT, "timesteps": steps, "encoding": "events", "reset": "zero"}
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata=metadata)


def events(count: int, steps: int, lines: int = 40, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    rates = random.gamma(1.0, 0.1, (count, 1, lines))
    return (random.random((count, steps, lines)) < rates).astype(np.uint8)


def part(count: int, steps: int, lines: int = 40, seed: int = 1) -> Split:
    return Split(events(count, steps, lines, seed)[..., None, None], np.zeros(count, np.int64))


def levels(chip: ChipNetwork) -> list[int]:
    return list(chip.provenance["weight_levels"].values())


def test_a_long_recording_gets_its_levels_back_and_overflows_nowhere() -> None:
    graph = cuba_graph(steps=400, lines=300, alpha=0.99)
    worst, measured = lower(graph, PROFILE), lower(graph, PROFILE, calibrate=part(60, 400, lines=300))
    assert levels(worst) == [7, 32]
    assert min(levels(measured)) >= 32, "six bits"
    assert measured.provenance[MEASURED] == ["cuba", "out"]
    calibration = Calibration.model_validate(measured.provenance["calibration"])
    assert (calibration.samples, calibration.margin, calibration.quantile) == (60, 1.5, 1.0)
    activity = simulate(measured, part(30, 400, lines=300, seed=5))
    assert activity.overflows.harmful == 0
    said = list(remarks(measured))
    assert said[0] == (
        "cuba, out: room for 1.5 times the peaks of 60 samples, not for every input; `simulate` counts what goes beyond"
    )


def test_too_little_room_is_counted_and_remarked_on() -> None:
    from spikewright.simulation.simulate import remarks as counted

    graph, data = cuba_graph(steps=2000), part(60, 2000)
    chip = lower(graph, PROFILE, calibrate=data, quantile=0.01, margin=1)
    scale = chip.provenance["scales"]["out"]
    peaks = Calibration.model_validate(chip.provenance["calibration"]).peaks["out"]
    assert peaks.potential * scale * 64 == pytest.approx(2**23, rel=0.01), "the readout's room is used up"
    activity = simulate(chip, data)
    assert activity.overflows.resets > 0
    assert list(counted(chip, activity))[-1] == (
        "the scales leave room for peaks measured on data; a larger margin in lowering, or scale_margin in training, "
        "leaves more"
    )


def test_lowering_says_all_that_is_wrong_with_its_options() -> None:
    graph = cuba_graph(steps=10)
    with pytest.raises(InputError) as refusal:
        lower(graph, PROFILE, calibrate=part(4, 10), calibrate_samples=0, quantile=0.0, margin=0.5)
    assert str(refusal.value).splitlines() == [
        "calibrate: 3 faults",
        "  - calibrate_samples=0: must be at least 1",
        "  - quantile=0: must be above 0 and at most 1, which takes the largest peak",
        "  - margin=0.5: must be 1 or more; 1.5 leaves room for half as much again as the peaks",
    ]
    with pytest.raises(InputError) as refusal:
        lower(graph, PROFILE, quantile=0.5, margin=2)
    assert str(refusal.value).splitlines() == [
        "lower: 2 faults",
        "  - quantile: is for scales measured on data; give calibrate too",
        "  - margin: is for scales measured on data; give calibrate too",
    ]
    with pytest.raises(InputError) as refusal:
        lower(graph, PROFILE, calibrate=part(4, 11))
    assert str(refusal.value) == (
        "calibrate: the network's input takes samples of shape (10, 40), and these are 4 of shape (11, 40, 1, 1); give "
        "data such as it was trained on"
    )


def test_a_cost_needs_no_levels() -> None:
    """Where the worst case rounds every weight to zero, the structure is there all the same."""
    graph = cuba_graph(steps=40_000)
    with pytest.raises(InputError, match=r"all weights round to zero; the scale is limited by the range of the read"):
        lower(graph, PROFILE)
    assert sketched(graph, PROFILE).connections[1].weight.any()
    short = cuba_graph(steps=4, alpha=0.2)
    assert levels(sketched(short, PROFILE)) == levels(lower(short, PROFILE))


def test_metadata_hold_the_calibration_and_are_as_before_without_one() -> None:
    registers = Registers.of(PROFILE.limits)
    plain = TrainedGrid(profile="p", profile_sha256="x", registers=registers, scales={"n": 2.0})
    assert "calibration" not in json.loads(plain.as_metadata)
    found = Calibration(quantile=1, margin=2, samples=3, peaks={"n": Peaks(current=1, potential=2)})
    grid = plain.model_copy(update={"calibration": found})
    assert trained_grid({GRID_KEY: grid.as_metadata}) == grid
    kept, said = grid_for(grid, PROFILE, None)
    assert (kept.scales, kept.peaks, said) == ({"n": 2.0}, found.peaks, [])
    anew, said = grid_for(grid, PROFILE, 6)
    assert (anew.scales, anew.peaks) == ({}, {"n": Peaks(current=2, potential=4)}), "with its margin"
    assert said == ["weights are rounded anew: the graph was trained on the integers of p with 8-bit weights"]


def test_metadata_are_read_from_bytes_and_do_not_depend_on_the_order_of_fields() -> None:
    """A file may hold text as bytes; scales of the same numbers are the same text."""
    registers = Registers.of(PROFILE.limits)
    one, other = (
        TrainedGrid(profile="p", profile_sha256="x", registers=registers, scales=scales)
        for scales in ({"a": 2.0, "b": 3.0}, {"b": 3.0, "a": 2.0})
    )
    assert one.as_metadata == other.as_metadata
    assert trained_grid({GRID_KEY: one.as_metadata.encode()}) == one


@pytest.mark.parametrize(
    ("name", "bits"), [("threshold_bits", 10**9), ("state_bits", 25), ("bias_mantissa_bits", 0), ("weight_bits", 9)]
)
def test_registers_that_no_chip_has_are_refused(name: str, bits: int) -> None:
    widths = {
        "threshold_bits": 17,
        "bias_mantissa_bits": 13,
        "state_bits": 24,
        "weight_bits": 8,
        "mixed_weights_even": True,
    }
    facts = {"profile": "loihi2", "profile_sha256": "", "registers": widths | {name: bits}, "scales": {"lif": 2.0}}
    with pytest.raises(InputError, match=rf"registers\.{name}"):
        trained_grid({GRID_KEY: json.dumps(facts)})


def test_samples_of_another_shape_are_refused_with_what_may_help() -> None:
    """The encoding is a choice only where the graph does not say one."""
    open_choice = draft([[1.0, 2.0]], neuron((1,)), 3)
    said = replace(open_choice, facts={"encoding": "events"})

    def hint(of: Draft, *shape: int) -> str:
        with pytest.raises(InputError) as refused:
            peaks_of(of, np.zeros(shape, np.float32))
        return str(refused.value).rpartition("; ")[2]

    assert hint(open_choice, 5, 2) == (
        "values without an axis of timesteps need another encoding than events, such as encoding=rate"
    )
    assert hint(replace(open_choice, encoding="rate"), 5, 3, 2) == (
        "frames of events, one for each timestep, need encoding=events"
    )
    for of, shape in ((said, (5, 2)), (replace(said, encoding="rate"), (5, 3, 2)), (open_choice, (5, 7))):
        assert hint(of, *shape) == "give data such as it was trained on"
