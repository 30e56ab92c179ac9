"""Drift: one cause at a time on one layer by hand, counts, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.divergence.causes import CAUSES
from spikewright.divergence.drift import drift_on
from spikewright.divergence.report import DriftReport, Effect, LayerDrift, Place, Raster, Why, raster
from spikewright.lowering.lower import lower
from spikewright.pages.drift import answer_lines, cause_rows, layer_rows, sentence

DT = 1e-4


def one_layer(weight: Any, threshold: float, steps: int, *, leak: float = 0.0, bias: float = 0.0) -> nir.NIRGraph:
    """Events into one layer of integrate-and-fire neurons whose gain per step is 1."""
    matrix = np.atleast_2d(np.asarray(weight, np.float64))
    ones = np.ones(len(matrix))
    if leak:
        neuron: nir.NIRNode = nir.LIF(
            tau=ones * DT / leak, r=ones / leak, v_leak=0 * ones, v_threshold=threshold * ones
        )
    else:
        neuron = nir.IF(r=ones / DT, v_threshold=threshold * ones)
    nodes = {
        "input": nir.Input(np.array([matrix.shape[1]])),
        "fc": nir.Affine(matrix, bias * ones),
        "n": neuron,
        "output": nir.Output(np.array([len(matrix)])),
    }
    metadata = {"dt_s": DT, "reset": "zero", "encoding": "events", "readout": "count", "timesteps": steps}
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)


def integers(weight: Any, vth: int, steps: int, scale: float, *, dv: int = 0, bias: int = 0) -> ChipNetwork:
    """What the registers of that layer are said to be."""
    matrix = np.atleast_2d(np.asarray(weight, np.int64))
    neuron = Neuron(4095, dv, vth, np.full(len(matrix), bias, np.int64))
    populations = (
        Population("input", (matrix.shape[1],), "input", None),
        Population("n", (len(matrix),), "readout", neuron),
    )
    provenance: dict[str, object] = {"scales": {"n": scale}, "dt_s": DT, "input_bits": 8}
    return ChipNetwork(
        populations, (Connection("input", "n", matrix),), steps, "events", "count", "loihi2", "", provenance
    )


def always(steps: int, lines: int = 1) -> np.ndarray:
    return np.ones((1, steps, lines), np.float32)


def only_layer(report: DriftReport) -> LayerDrift:
    (layer,) = report.layers
    assert layer.why is not None
    return layer


def blamed(report: DriftReport) -> dict[str, int]:
    """Spikes changed by each cause that changes any."""
    why = only_layer(report).why
    assert why is not None
    assert why.other == 0, "all causes together are the chip, bit for bit"
    return {cause: effect.spikes for cause, effect in why.ranked()}


def test_weights_that_round() -> None:
    # 4 x 0.875 = 3.5 becomes 4. Exact: 3.5, 7 (not above 7), 10.5: steps 2 and 5. Rounded: 4, 8: steps 1, 3 and 5.
    report = drift_on(one_layer(0.875, 1.75, 6), integers(4, 7, 6, 4.0), always(6))
    assert blamed(report) == {"weights": 3}
    layer = only_layer(report)
    assert (layer.raster.reference, layer.raster.chip, layer.raster.both, layer.raster.differing) == (2, 3, 1, 3)
    assert layer.raster.first == Place(1, 0, 0)
    assert sentence(report) == (
        "'n' is the first layer that differs, first at step 1 (sample 0, neuron 0); on the same input, weight rounding "
        "alone changes 3 spikes"
    )


def test_a_bias_that_rounds() -> None:
    graph = one_layer(0.0, 1.75, 6, bias=0.875)
    report = drift_on(graph, integers(0, 7, 6, 4.0, bias=4), always(6))
    assert blamed(report) == {"bias": 3}


def test_a_threshold_that_rounds() -> None:
    # 7 is above 6.5 at every step, and above 7 only together with the step before.
    report = drift_on(one_layer(1.75, 1.625, 6), integers(7, 7, 6, 4.0), always(6))
    assert blamed(report) == {"threshold": 3}


def test_a_leak_that_rounds() -> None:
    # Of 254 << 6 the exact leak leaves 8129.6 and the register 8128; 381 << 6 is what the register just does not pass.
    report = drift_on(one_layer(1.0, 1.5, 2, leak=2047.6 / 4096), integers(254, 381, 2, 254.0, dv=2048), always(2))
    assert blamed(report) == {"decay": 1}


def test_a_decay_product_that_is_cut() -> None:
    # 1 << 6 halves to 0.5 in seven steps, or to 0 in integers; the next input just meets the threshold.
    # The third weight rounds too, on a line that never spikes: by itself it changes nothing.
    events = np.zeros((1, 9, 3), np.float32)
    events[0, 0, 0] = events[0, 8, 1] = 1
    report = drift_on(one_layer([1.0, 2.0, 0.6], 2.0, 9, leak=0.5), integers([1, 2, 1], 2, 9, 1.0, dv=2048), events)
    assert blamed(report) == {"truncation": 1}
    assert only_layer(report).raster.first == Place(8, 0, 0)


def test_a_current_that_wraps() -> None:
    # 600 x 255 << 6 is past 2^23, and comes out negative.
    weight = np.full((1, 600), 255)
    report = drift_on(one_layer(weight, 1000.0, 1), integers(weight, 1000, 1, 1.0), always(1, 600))
    assert blamed(report) == {"wrap": 1}


def test_a_membrane_that_clips() -> None:
    # Twice -6.5 million is clipped to -8.4 million; twice 6.5 million then brings it above the threshold.
    weight = np.repeat([[-255, 255]], 400, axis=1)
    events = np.zeros((1, 4, 800), np.float32)
    events[0, :2, :400] = events[0, 2:, 400:] = 1
    report = drift_on(one_layer(weight, 1000.0, 4), integers(weight, 1000, 4, 1.0), events)
    assert blamed(report) == {"saturation": 1}


def test_integers_that_need_no_rounding_do_not_drift() -> None:
    weight = np.random.default_rng(0).integers(-20, 21, (5, 7))
    graph, chip = one_layer(weight / 8, 2.0, 12), integers(weight, 16, 12, 8.0)
    events = np.random.default_rng(1).integers(0, 2, (6, 12, 7)).astype(np.float32)
    report = drift_on(graph, chip, events, np.zeros(6, np.int64))
    assert not report.differs
    assert only_layer(report).raster.chip > 0
    assert sentence(report) == "no drift: spikes and scores are those of the float network on 6 samples"


def test_a_readout_is_compared_by_its_scores() -> None:
    graph, chip = one_layer([[0.875], [0.5]], 1.0, 4), integers([[4], [2]], 131071, 4, 4.0)
    silent = nir.I(r=np.ones(2) / DT)
    graph = nir.NIRGraph(
        graph.nodes | {"n": silent}, graph.edges, metadata=graph.metadata | {"readout": "membrane"}, type_check=False
    )
    source, made = chip.populations
    assert made.neuron is not None
    readout = replace(made, neuron=replace(made.neuron, fires=False))
    report = drift_on(graph, replace(chip, populations=(source, readout), readout="membrane"), always(4), np.array([0]))
    # Four steps of 4 / 4 instead of 0.875.
    assert report.answers.score == 0.5
    assert report.answers.spread == 1.5
    assert only_layer(report).why == Why({"weights": Effect(0, 0.5)}, Effect(0, 0.5), 0)
    assert sentence(report) == (
        "no spike differs on 1 sample; scores differ by up to 0.5 of 1.5; on the same input, weight rounding alone "
        "changes a score by up to 0.5"
    )
    assert layer_rows(report)[1] == ["n", "does not fire", "-", "-", "-", "-", "-"]
    assert cause_rows(report) == [["layer", "weights", "together", "other"], ["n", "0.5", "0.5", "0"]]
    assert answer_lines(report)[0] == "accuracy        float 100.00%, chip 100.00%"


def test_a_cause_that_is_missing_from_the_list_would_show() -> None:
    found = Why({"weights": Effect(3)}, Effect(3), 0) + Why({"decay": Effect(1)}, Effect(1), 2)
    assert found == Why({"weights": Effect(3), "decay": Effect(1)}, Effect(4), 2)
    assert list(found.alone) == [cause for cause in CAUSES if cause in ("weights", "decay")]


def test_kappa_is_the_agreement_beyond_chance() -> None:
    # 40 of 100 in both, 10 and 20 in one alone: agreement 0.7, by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5.
    counted = Raster(100, 50, 60, 40)
    assert counted.differing == 30
    assert counted.agreement == pytest.approx(0.7)
    assert counted.kappa == pytest.approx(0.4)
    assert Raster(10, 0, 0, 0).kappa is None
    assert Raster(10, 4, 4, 4).kappa == 1


def test_the_first_difference_is_the_earliest_step_of_all_batches() -> None:
    reference, chip = np.zeros((2, 5, 3, 2, 2), np.uint8)
    chip[3, 0, 1, 0] = chip[2, 2, 0, 1] = reference[2, 2, 1, 1] = 1
    late, early = raster(reference, chip, 40), raster(reference[1:], chip[1:], 90)
    assert late.first == Place(2, 42, 1)
    assert (late + early).first == Place(1, 92, 1)
    assert (early + late) == (late + early)


def test_a_chip_of_another_graph_is_refused() -> None:
    graph = one_layer([[0.5, 0.5]], 1.0, 4)
    with pytest.raises(InputError) as other:
        drift_on(graph, integers([[4]], 8, 4, 8.0), always(4))
    assert str(other.value) == (
        "drift: the chip network was not made from this graph: 2 faults\n"
        "  - connection input->n is (1, 2) in the graph and (1, 1) in the chip network\n"
        "  - population 'input' is input of shape (2,) in the graph and input of shape (1,) in the chip network"
    )
    with pytest.raises(
        InputError, match=r"^drift: the graph has timesteps 4 and the chip network 5; lower the graph ag"
    ):
        drift_on(graph, integers([[4, 4]], 8, 5, 8.0), always(5, 2))
    unscaled = replace(integers([[4, 4]], 8, 4, 8.0), provenance={})
    with pytest.raises(InputError, match=r"does not say the scale of every population; lower it again$"):
        drift_on(graph, unscaled, always(4, 2))
    with pytest.raises(InputError, match=r"takes samples of shape \(4, 2\) and the data has \(4, 3\)"):
        drift_on(graph, integers([[4, 4]], 8, 4, 8.0), always(4, 3))


def test_a_profile_that_is_not_ours_is_asked_for() -> None:
    chip = replace(integers(4, 8, 4, 8.0), profile="mine")
    with pytest.raises(
        InputError, match=r"^drift: names the profile 'mine', which does not come .*; give its file: profile=PATH"
    ):
        drift_on(one_layer(0.5, 1.0, 4), chip, always(4))


def test_weights_that_no_rounding_made_are_remarked_on() -> None:
    graph = one_layer(0.5, 1.0, 4)
    assert drift_on(graph, integers(4, 8, 4, 8.0), always(4)).remarks == ()
    assert drift_on(graph, integers(40, 8, 4, 8.0), always(4)).remarks == (
        "input->n: weights lie up to 36 units from the graph's, more than rounding to 8 bits explains; was the chip "
        "network lowered from this graph?",
    )


def test_spikes_decorrelate_from_layer_to_layer_while_rates_stay() -> None:
    """A random network of the sizes for which the reference gives kappa .97, .68 and .32 at 8 bits."""
    random = np.random.default_rng(0)
    sizes, gains = (64, 128, 64, 10), (0.9, 1.6, 2.4)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([64]))}
    for layer, (before, size) in enumerate(pairwise(sizes)):
        ones = np.ones(size, np.float32)
        weight = random.normal(0.02, gains[layer] / np.sqrt(before), (size, before)).astype(np.float32)
        nodes[f"fc{layer}"] = nir.Linear(weight)
        nodes[f"lif{layer}"] = nir.LIF(tau=ones * 1e-3, r=ones * 10, v_leak=ones * 0, v_threshold=ones)
    nodes["output"] = nir.Output(np.array([10]))
    metadata = {"dt_s": DT, "reset": "zero", "encoding": "rate", "readout": "count", "timesteps": 100}
    graph = nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)
    images = np.broadcast_to(random.random((32, 1), dtype=np.float32) * 0.4, (32, 64))
    report = drift_on(graph, lower(graph, "loihi2"), images)
    kappas = [layer.raster.kappa or 0.0 for layer in report.layers]
    assert kappas[0] > 0.85
    assert kappas[0] > kappas[1] > kappas[2], kappas
    assert kappas[2] < 0.7
    for layer in report.layers:
        assert layer.raster.chip == pytest.approx(layer.raster.reference, rel=0.1)
        assert layer.why is not None
        assert layer.why.other == 0
        assert layer.why.ranked()[0][0] == "weights"
    first = report.layers[0]
    assert report.first is first
    assert first.why is not None
    assert first.why.together.spikes == first.raster.differing, "nothing before it differs"
