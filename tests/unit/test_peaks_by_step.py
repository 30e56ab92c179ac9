"""Peaks of samples that change from step to step, by hand on tiny networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.lowering import peaks
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.peaks import peaks_of


def neuron(size: int, threshold: float | None = None) -> DraftNeuron:
    ones = np.ones(size)
    return DraftNeuron(ones, 0 * ones, None if threshold is None else threshold * ones, 0 * ones, 0 * ones, 0 * ones)


def network(encoding: Any, encoder: DraftNeuron | None = None, payload: int = 1) -> Draft:
    """An input line, and an integrator that gets 3 of each of its spikes, over three steps."""
    populations = (
        DraftPopulation("in", (1,), "input", encoder, payload), DraftPopulation("n", (1,), "readout", neuron(1)),
    )  # fmt: skip
    return Draft(populations, (DraftConnection("in", "n", np.array([[3.0]])),), 3, encoding, "membrane", 2)


def found(draft: Draft, samples: list, by_step: bool) -> tuple[list[float], list[float]]:
    current, potential = peaks_of(draft, np.array(samples, np.float32), by_step=by_step)["n"]
    return current.tolist(), potential.tolist()


def test_currents_that_the_host_sets_for_each_step_are_all_heard() -> None:
    """Above 0.9 an encoder spikes: of the first sample in step 2, of the second once, after two steps of 2/3."""
    draft = network("current", neuron(1, threshold=0.9))
    samples = [[[0.0], [1.0], [0.0]], [[2 / 3], [2 / 3], [0.0]], [[0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0]]]
    assert found(draft, samples, by_step=True) == ([3, 3, 0, 3], [3, 3, 0, 9])
    assert found(draft, [[1.0], [2 / 3], [1 / 3]], by_step=False) == ([3, 3, 3], [9, 3, 3]), "the same at each step"


def test_graded_frames_are_all_heard() -> None:
    draft = network("direct", payload=3)
    assert found(draft, [[[0.0], [1.0], [1 / 3]]], by_step=True) == ([9], [12])
    assert found(draft, [[1 / 3]], by_step=False) == ([3], [9])


def test_batches_and_seeds_change_nothing_that_they_should_not(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = network("rate")
    samples = np.random.default_rng(0).random((7, 1)).astype(np.float32)
    whole = peaks_of(draft, samples, seed=3)["n"]
    for elements in (1, 6, 12, 13):
        monkeypatch.setattr(peaks, "ELEMENTS", elements)
        parts = peaks_of(draft, samples, seed=3)["n"]
        assert [each.tolist() for each in parts] == [each.tolist() for each in whole]
    assert [peaks_of(draft, samples)["n"][1].tolist()] == [peaks_of(draft, samples, seed=0)["n"][1].tolist()]


@pytest.mark.parametrize(
    ("shape", "by_step", "wanted"), [((4, 3, 2), True, "(3, 1)"), ((4, 2, 1), True, "(3, 1)"), ((4, 2), False, "(1,)")]
)
def test_samples_of_other_shapes_are_refused(shape: tuple[int, ...], by_step: bool, wanted: str) -> None:
    with pytest.raises(InputError) as refusal:
        peaks_of(network("direct", payload=3), np.zeros(shape, np.float32), by_step=by_step)
    assert str(refusal.value) == (
        f"calibrate: the network's input takes samples of shape {wanted}, and these are 4 of shape {shape[1:]}; give "
        "data such as it was trained on"
    )


def test_a_flat_input_takes_maps_and_no_input_takes_nothing() -> None:
    assert found(network("direct", payload=3), [[[[1.0]]]], by_step=False) == ([9], [27])
    assert found(network("direct", payload=3), [[[[1.0]], [[0.0]], [[1.0]]]], by_step=True) == ([9], [18])
    with pytest.raises(InputError, match="and these are 0 of shape"):
        peaks_of(network("direct", payload=3), np.zeros((0, 1), np.float32))


@pytest.mark.parametrize(
    ("option", "good", "bad", "said"),
    [
        ("quantile", (1.0, 0.01), (0.0, 1.01, -0.5), "must be above 0 and at most 1, which takes the largest peak"),
        (
            "margin", (1.0, 2.0), (0.99, float("inf")),
            "must be 1 or more; 1.5 leaves room for half as much again as the peaks",
        ),
    ],
)  # fmt: skip
def test_options_have_bounds(option: str, good: tuple[float, ...], bad: tuple[float, ...], said: str) -> None:
    faults = {"samples": None, "quantile": None, "margin": None}
    for value in good:
        assert list(peaks._faults(**{**faults, option: value})) == []
    for value in bad:
        (fault,) = peaks._faults(**{**faults, option: value})
        assert str(InputError(fault)) == f"{option}={value:g}: {said}"
    assert list(peaks._faults(1, None, None)) == []
    (fault,) = peaks._faults(0, None, None)
    assert str(InputError(fault)) == "calibrate_samples=0: must be at least 1"
