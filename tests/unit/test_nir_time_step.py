"""Where a graph's time step comes from, by producer."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.graph.time_step import Convention, read_as, resolve_dt
from spikewright.graph.wiring import FORMAT_VERSION, Wiring, wire

ONES = np.ones(2, np.float32)


def lif(tau: float, r: float) -> nir.LIF:
    return nir.LIF(tau=ONES * tau, r=ONES * r, v_leak=ONES * 0, v_threshold=ONES)


def neuron_if(r: float) -> nir.IF:
    return nir.IF(r=ONES * r, v_threshold=ONES)


def cuba(tau_mem: float, r: float, tau_syn: float, w_in: float) -> nir.CubaLIF:
    return nir.CubaLIF(
        tau_syn=ONES * tau_syn, tau_mem=ONES * tau_mem, r=ONES * r, v_leak=ONES * 0, v_threshold=ONES, w_in=ONES * w_in
    )


def wired(*neurons: nir.NIRNode, version: str = "") -> Wiring:
    names = ["input", *(f"n{i}" for i in range(len(neurons))), "output"]
    nodes = dict(zip(names, [nir.Input(np.array([2])), *neurons, nir.Output(np.array([2]))], strict=True))
    graph = nir.NIRGraph(nodes, list(pairwise(names)), metadata={}, type_check=False)
    vars(graph)[FORMAT_VERSION] = version
    return wire(graph)


@pytest.mark.parametrize(
    ("neurons", "dt_s", "why"),
    [
        ([lif(1e-3, 10)], 1e-4, "snnTorch"),
        ([lif(2e-2, 20), lif(3e-3, 3)], 1e-3, "snnTorch"),
        ([cuba(1e-3, 10, 2e-4, 2)], 1e-4, "snnTorch"),
        ([neuron_if(1)], 1.0, "sinabs"),
        ([neuron_if(1000)], 1e-3, "spikingjelly"),
        ([lif(2.5e-3, 1), neuron_if(1e4)], 1e-4, "spikingjelly"),
    ],
)
def test_the_producers_convention(neurons: list[nir.NIRNode], dt_s: float, why: str) -> None:
    step = resolve_dt(wired(*neurons), {})
    assert step.dt_s == pytest.approx(dt_s, rel=1e-5)
    assert step.assumed and why in step.why


def test_a_time_constant_in_seconds_has_one_time_step_in_the_first_nir_and_several_since() -> None:
    """Norse of the NIR paper wrote seconds and meant 1e-4 s; since then SpikingJelly, Norse, Nengo write the like."""
    step = resolve_dt(wired(lif(2.5e-3, 1), version="0.1.1"), {})
    assert (step.dt_s, step.assumed) == (1e-4, True) and "customary where r = 1 (norse)" in step.why
    for version in ("", "1.0.8"):
        with pytest.raises(InputError, match=r"consistent are .*dt_s=0\.0001 .*dt_s=0\.001 .*give dt_s=SECONDS or"):
            resolve_dt(wired(lif(2.5e-3, 1), version=version), {})


def test_the_user_beats_the_file_and_the_file_beats_conventions() -> None:
    wiring = wired(lif(1e-3, 10))
    said = resolve_dt(wiring, {"dt_s": 5e-4})
    assert (said.dt_s, said.assumed) == (5e-4, False)
    asked = resolve_dt(wiring, {"dt_s": 5e-4}, dt_s=1e-3)
    assert (asked.dt_s, asked.assumed) == (1e-3, False)


def test_contradicting_nodes_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        resolve_dt(wired(lif(1e-3, 10), lif(1e-3, 5)), {})
    assert str(caught.value) == (
        "NIR graph: its neurons imply different time steps ('n0' 0.0001 s, 'n1' 0.0002 s); give dt_s=SECONDS"
    )


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), "soon"])
def test_an_impossible_time_step_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"must be a (positive )?number of seconds"):
        resolve_dt(wired(lif(1e-3, 10)), {"dt_s": value})


@pytest.mark.parametrize(
    ("neurons", "producer", "dt_s"),
    [
        ([lif(2e-4, 1)], "spikingjelly", 1e-4),  # its own defaults
        ([lif(1e-3, 1)], "spikingjelly", 1e-4),
        ([lif(10, 1)], "sinabs", 1.0),
        ([lif(1e-5, 1)], "norse", 1e-6),
        ([lif(2e-2, 20 * np.exp(-0.05))], "rockpool", 1e-3),
        ([lif(2e-2, 20)], "snntorch", 1e-3),
        ([lif(1e-4, 1), lif(1e-3, 10)], "snntorch", 1e-4),  # one without memory
        ([lif(5, 0.8)], "spyx", 1.0),
        ([neuron_if(1234.5)], "spikingjelly", 1 / 1234.5),
        ([lif(5, 0.8), neuron_if(1)], "spyx", 1.0),
        ([cuba(2e-2, 20 * np.exp(-0.05), 1e-2, 1)], "rockpool", 1e-3),
        ([cuba(1e-3, 10, 2e-4, 2), neuron_if(1e4)], "spikingjelly", 1e-4),
    ],
)
def test_one_producer_fits(neurons: list[nir.NIRNode], producer: str, dt_s: float) -> None:
    reading = read_as(wired(*neurons), {})
    assert reading.producer is not None and reading.producer.name == producer
    assert reading.step.dt_s == pytest.approx(dt_s, rel=1e-5)
    assert read_as(wired(*neurons), {}, Convention(producer=producer)).step.dt_s == pytest.approx(dt_s, rel=1e-5)


@pytest.mark.parametrize(
    ("neurons", "says"),
    [
        (
            [lif(10, 1), neuron_if(1)],
            r"producer=sinabs dt_s=1 \(sinabs\), producer=spikingjelly dt_s=1 \(SpikingJelly\)",
        ),
        ([lif(2e-2, 1)], r"producer=spikingjelly dt_s=0.0001 \(SpikingJelly\), .* producer=nengo dt_s=0.001 \(Nengo\)"),
        ([lif(2e-2, 17.123)], r"producer=snntorch dt_s=0.00116802 .*, producer=rockpool dt_s=0.0011"),
        ([lif(2e-2, -3)], "no tool that is known writes neurons with such time constants and gains"),
        ([cuba(5, 0.8, 5, 1)], r"consistent are producer=rockpool dt_s=3\.\d+ \(Rockpool\)"),  # what one always solves
    ],
)
def test_several_or_none_fit(neurons: list[nir.NIRNode], says: str) -> None:
    with pytest.raises(InputError, match=f"{says}.*give dt_s=SECONDS or producer=NAME"):
        resolve_dt(wired(*neurons), {})


def test_a_time_step_that_is_given_selects_among_the_producers() -> None:
    rockpool = wired(lif(2e-2, 20 * np.exp(-0.05)))
    given = read_as(rockpool, {}, Convention(1e-3))
    assert given.producer is not None and given.producer.name == "rockpool"
    assert not given.step.assumed and given.step.why.startswith("as given; r = tau exp")
    assert read_as(rockpool, {}, Convention(5e-4)).producer is None, "as it stands"
    assert read_as(rockpool, {"dt_s": 1e-3}).producer is None, "what says its time step is read as it stands"
    with pytest.raises(InputError, match="producer=rockpool: the graph's metadata say its time step"):
        read_as(rockpool, {"dt_s": 1e-3}, Convention(producer="rockpool"))


@pytest.mark.parametrize(("tau", "r"), [(1e-20, 1e300), (1e300, 1e-300), (1e300, 1.0), (1e-3, 1e-320), (1e-29, 1.0)])
def test_parameters_beyond_all_measure_are_those_of_no_tool(tau: float, r: float) -> None:
    ones = np.ones(2)
    neuron = nir.LIF(ones * tau, ones * r, ones * 0, ones, ones * 0)
    try:
        found = read_as(wired(neuron), {})
    except InputError:
        return
    assert 0 < found.step.dt_s < np.inf


def test_whole_thresholds_stay_where_a_neuron_fires_at_them() -> None:
    reading = read_as(wired(nir.IF(r=ONES * 1000, v_threshold=np.array([1, 2]))), {})
    below = reading.wiring.constants("n0", reading.step.dt_s).threshold
    assert below is not None
    np.testing.assert_array_equal(below, np.nextafter(np.array([1, 2], np.float32), np.float32(0)))
