"""The reference interpreter against each neuron's recurrence, written out."""

from __future__ import annotations

import nir
import numpy as np
import pytest
import torch

from spikewright.graph.interpreter import GraphTrace, at_rest, interpret
from spikewright.graph.wiring import Wiring, wire

DT = 1e-3
T = 12


def wired(nodes: dict[str, nir.NIRNode], *edges: tuple[str, str]) -> Wiring:
    ends = {"input": nir.Input(np.array([1])), "output": nir.Output(np.array([1]))}
    return wire(nir.NIRGraph({**ends, **nodes}, list(edges), metadata={}, type_check=False))


def one(value: float) -> np.ndarray:
    return np.array([value])


@pytest.fixture
def drive() -> torch.Tensor:
    return torch.linspace(-0.4, 1.6, T, dtype=torch.float64).reshape(T, 1, 1)


def run(node: nir.NIRNode, drive: torch.Tensor) -> GraphTrace:
    return interpret(wired({"n": node}, ("input", "n"), ("n", "output")), drive, DT, T)


def test_lif(drive: torch.Tensor) -> None:
    node = nir.LIF(tau=one(4e-3), r=one(3.0), v_leak=one(0.2), v_threshold=one(0.9), v_reset=one(-0.1))
    trace, v = run(node, drive), 0.0
    for step, current in enumerate(drive.flatten().tolist()):
        v += DT / 4e-3 * ((0.2 - v) + 3.0 * current)
        assert trace.membranes["n"][step, 0, 0] == pytest.approx(v)
        assert bool(trace.spikes["n"][step, 0, 0]) == (v > 0.9)
        v = -0.1 if v > 0.9 else v
    assert 0 < trace.spikes["n"].sum() < T


def test_if_and_integrator(drive: torch.Tensor) -> None:
    fires = run(nir.IF(r=one(700.0), v_threshold=one(0.8)), drive)
    silent = run(nir.I(r=one(700.0)), drive)
    v = 0.0
    for step, current in enumerate(drive.flatten().tolist()):
        v += 0.7 * current
        assert bool(fires.spikes["n"][step, 0, 0]) == (v > 0.8)
        v = 0.0 if v > 0.8 else v
    assert 0 < fires.spikes["n"].sum() < T
    torch.testing.assert_close(silent.membranes["n"], 0.7 * drive.cumsum(0))
    assert silent.spikes == {}


def test_cubalif(drive: torch.Tensor) -> None:
    node = nir.CubaLIF(
        tau_syn=one(2e-3), tau_mem=one(5e-3), r=one(4.0), v_leak=one(0.1), v_threshold=one(0.7), w_in=one(1.5)
    )
    trace, u, v = run(node, drive), 0.0, 0.0
    for step, current in enumerate(drive.flatten().tolist()):
        u += DT / 2e-3 * (-u + 1.5 * current)
        v += DT / 5e-3 * ((0.1 - v) + 4.0 * u)
        assert trace.membranes["n"][step, 0, 0] == pytest.approx(v)
        assert bool(trace.spikes["n"][step, 0, 0]) == (v > 0.7)
        v = 0.0 if v > 0.7 else v
    assert 0 < trace.spikes["n"].sum() < T


def test_the_threshold_is_strict() -> None:
    ones = torch.ones(3, 1, 1, dtype=torch.float64)
    trace = interpret(
        wired({"n": nir.IF(r=one(1 / DT), v_threshold=one(2.0))}, ("input", "n"), ("n", "output")), ones, DT, 3
    )
    assert trace.spikes["n"].flatten().tolist() == [0, 0, 1]


def test_recurrence_brings_the_step_before_and_its_bias_acts_from_the_first_step() -> None:
    loop = nir.Affine(np.array([[-0.5]]), np.array([0.25]))
    wiring = wired(
        {"n": nir.IF(r=one(1 / DT), v_threshold=one(0.9)), "w": loop},
        ("input", "n"), ("n", "w"), ("w", "n"), ("n", "output"),
    )  # fmt: skip
    ones = torch.ones(5, 1, 1, dtype=torch.float64)
    assert at_rest(wiring, ones)["w"].item() == 0.25
    trace = interpret(wiring, ones, DT, 5)
    v, before = 0.0, 0.0
    for step in range(5):
        v += 1.0 + 0.25 - 0.5 * before
        assert trace.membranes["n"][step].item() == pytest.approx(v)
        before = float(v > 0.9)
        v = 0.0 if before else v


def test_a_drive_that_is_the_same_at_every_step_may_be_given_once(drive: torch.Tensor) -> None:
    node = nir.IF(r=one(500.0), v_threshold=one(1.1))
    once, always = run(node, drive[-1:]), run(node, drive[-1:].expand(T, 1, 1))
    torch.testing.assert_close(once.spikes["n"], always.spikes["n"])


def test_linear_nodes() -> None:
    value = torch.arange(16, dtype=torch.float64).reshape(1, 1, 1, 4, 4)
    two = np.array([2, 2])
    none = np.array([0, 0])
    nodes = {
        "avg": nir.AvgPool2d(two, two, none),
        "sum": nir.SumPool2d(two, two, none),
        "scale": nir.Scale(np.full((1, 2, 2), 0.5)),
        "flat": nir.Flatten({"input": np.array([1, 2, 2])}, 0, -1),
        "n": nir.I(r=np.full(4, 1 / DT)),
    }
    for pool, factor in (("avg", 0.25), ("sum", 1.0)):
        kept = {name: node for name, node in nodes.items() if name not in {"avg", "sum"} - {pool}}
        graph = nir.NIRGraph(
            {"input": nir.Input(np.array([1, 4, 4])), "output": nir.Output(np.array([4])), **kept},
            [("input", pool), (pool, "scale"), ("scale", "flat"), ("flat", "n"), ("n", "output")],
            metadata={}, type_check=False,
        )  # fmt: skip
        sums = torch.tensor([10.0, 18.0, 42.0, 50.0], dtype=torch.float64)
        trace = interpret(wire(graph), value, DT, 1)
        torch.testing.assert_close(trace.membranes["n"].flatten(), 0.5 * factor * sums)
