"""Our counts and energies against SANA-FE's, which simulates the same networks on the same cores with its own code."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import Neuron, Population
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation.integer import run

EXACT = ("synaptic_ops", "messages", "hops_x", "hops_y", "accesses")


@pytest.fixture(scope="module")
def bench(root: Path) -> Iterator[ModuleType]:
    """The benchmark `sanafe_agreement.py`, which speaks to SANA-FE."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "benchmarks")
        yield import_module("sanafe_agreement")


@pytest.fixture(scope="module")
def python(bench: ModuleType) -> str:
    """A Python that has SANA-FE."""
    found = bench.sanafe_python()
    if found is None:
        pytest.skip(f"SANA-FE is not installed; {bench.PYTHON} may name a Python that has it")
    return str(found)


def cancelled_at_rest(case) -> int:
    """Updates of dense layers in which spikes arrived that add up to nothing, at rest and without bias.

    SANA-FE calls such an update active, and we do not.
    """
    recording = run(case.chip, case.drive, record_states=True)
    total = 0
    for connection in case.chip.connections:
        sent = recording.spikes[connection.source].reshape(case.chip.timesteps, case.drive.shape[1], -1)
        v = recording.v[connection.target].astype(np.int64)
        before = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
        arrived = sent.any(axis=2)[..., None]
        nothing = sent.astype(np.int64) @ connection.weight.T == 0
        bias = case.chip.by_name[connection.target].neuron.bias
        total += np.count_nonzero(arrived & nothing & (before == 0) & (bias == 0))
    return total


@pytest.mark.parametrize("name", ["dense", "sparse: groups", "convolutions on two paths"])
def test_sanafe_counts_the_same_on_many_tiles(bench: ModuleType, python: str, name: str) -> None:
    case = next(each for each in bench.cases() if each.name == name)
    profile = bench.spread(load_profile(bench.PROFILE), bench.NEURONS_OF_MANY_TILES)
    rows = {row.quantity: row for row in bench.compare(case, profile, python)}
    assert rows["energy_j"].tiles > 2
    assert rows["hops_y"].ours > 0
    assert {name: rows[name].ours for name in EXACT} == pytest.approx({name: rows[name].sanafe for name in EXACT})
    assert rows["energy_j"].ours == pytest.approx(rows["energy_j"].sanafe, rel=1e-3)
    assert rows["active_updates"].ours == pytest.approx(rows["active_updates"].sanafe, rel=2e-3)
    # Our time is that of the mean over a population's cores, and nothing is left over while the pipeline runs empty.
    assert 0.975 * rows["time_s"].sanafe < rows["time_s"].ours < rows["time_s"].sanafe


@pytest.mark.parametrize("name", ["dense, event input", "15 % of weights not zero, dense table"])
def test_active_updates_differ_by_the_inputs_that_cancel_and_by_nothing_else(
    bench: ModuleType, python: str, name: str
) -> None:
    case = next(each for each in bench.cases() if each.name == name)
    rows = {row.quantity: row for row in bench.compare(case, load_profile(bench.PROFILE), python)}
    cancelled = cancelled_at_rest(case)
    assert rows["active_updates"].sanafe - rows["active_updates"].ours == pytest.approx(cancelled, abs=0.01)
    assert cancelled == (145 if "15 %" in name else 0)
    assert {name: rows[name].ours for name in EXACT} == pytest.approx({name: rows[name].sanafe for name in EXACT})
    assert rows["energy_j"].ours + cancelled * 21.6e-12 == pytest.approx(rows["energy_j"].sanafe, rel=1e-6)


def test_synapses_enumerated_tap_by_tap_are_the_fan_out(bench: ModuleType) -> None:
    case = import_module("sanafe_cases").conv_case("convolutions", paths=2)
    for connection in case.chip.connections:
        if connection.conv is not None:
            source, target = (case.chip.by_name[name].shape for name in (connection.source, connection.target))
            leaving = np.zeros(source, dtype=np.int64)
            for (first, _), _ in bench.synapses(connection, source, target):
                leaving.reshape(-1)[first] += 1
            assert np.array_equal(leaving, fan_out(case.chip, connection))


def test_what_sanafe_cannot_compute_exactly_is_refused(bench: ModuleType) -> None:
    case = import_module("sanafe_cases").dense_case("dense")
    placement = place(case.chip, load_profile(bench.PROFILE))
    slow = Neuron(2000, 0, 300, np.zeros(64, dtype=np.int64), 6)
    with pytest.raises(ValueError, match="one: SANA-FE does not round the decay of a current"):
        bench.population_job(case, placement, Population("one", (64,), "hidden", slow))
