"""Graphs as other tools write them are read back to the networks that these tools compute, spike by spike.

Each writer below holds one tool's convention: how a layer of neurons becomes a NIR node, and its rule for one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.base.types import FloatArray
from spikewright.graph.interpreter import interpret
from spikewright.graph.nir_io import graph_bytes, read_graph
from spikewright.graph.time_step import Convention, Reading, read_as
from spikewright.graph.wiring import wire

SIZES = (6, 5, 4)
STEPS = 40
THRESHOLD = 1.0
CLOSE = 1e-4  # potentials this near the threshold fire or not by the rounding of float32


@dataclass
class Layer:
    """A layer of one tool: the node that its exporter writes, and its rule.

    Attributes:
        step: takes a state, which it changes, and what arrives; returns the potential that is compared, and spikes.
        late: steps by which its spikes come later than those of NIR's equations.
        typical: what a spiking input has to bring so that such neurons fire now and then.
    """

    node: nir.NIRNode
    step: Callable[[dict[str, FloatArray], FloatArray], tuple[FloatArray, FloatArray]]
    late: int = 0
    typical: float = 1.0


def full(size: int, value: float | FloatArray) -> np.ndarray:
    return np.full(size, value, np.float32)


def lif(size: int, tau: float | FloatArray, r: float | FloatArray) -> nir.LIF:
    return nir.LIF(full(size, tau), full(size, r), full(size, 0), full(size, THRESHOLD), full(size, 0))


def snntorch(size: int, beta: FloatArray, reset: str) -> Layer:
    tau = 1e-4 / (1 - beta)

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = beta * s.get("v", 0 * x) + x - (s.get("fired", 0 * x) * THRESHOLD if reset == "subtract-late" else 0)
        fired = (v > THRESHOLD).astype(float)
        s["fired"], s["v"] = fired, v * (1 - fired) if reset == "zero" else v
        return v, fired

    return Layer(lif(size, tau, tau / 1e-4), step)


def sinabs(size: int, tau: FloatArray, reset: str, norm_input: bool = True) -> Layer:
    keep = np.exp(-1 / tau)

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = keep * s.get("v", 0 * x) + (1 - keep if norm_input else 1) * x
        fired = (v >= THRESHOLD).astype(float)
        s["v"] = v - fired * THRESHOLD if reset == "subtract" else v * (1 - fired)
        return v, fired

    return Layer(lif(size, tau, 1), step, typical=float(tau.max()) if norm_input else 1)


def iaf(size: int, reset: str) -> Layer:
    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = s.get("v", 0 * x) + x
        fired = (v > THRESHOLD).astype(float)
        s["v"] = v - fired * THRESHOLD if reset == "subtract" else v * (1 - fired)
        return v, fired

    return Layer(nir.IF(full(size, 1), full(size, THRESHOLD), full(size, 0)), step)


def spikingjelly(size: int, tau: float, decay_input: bool, dt: float) -> Layer:
    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = s.get("v", 0 * x)
        v = v + (x - v) / tau if decay_input else v - v / tau + x
        fired = (v >= THRESHOLD).astype(float)
        s["v"] = v * (1 - fired)
        return v, fired

    return Layer(lif(size, tau * dt, 1.0 if decay_input else tau), step, typical=tau if decay_input else 1.0)


def norse_box(size: int, rate: float, dt: float = 1e-3) -> Layer:
    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = s.get("v", 0 * x)
        v = v + dt * rate * (x - v)
        fired = (v > THRESHOLD).astype(float)
        s["v"] = v * (1 - fired)
        return v, fired

    return Layer(lif(size, dt / rate, 1), step, typical=1 / (dt * rate))


def norse_cell(size: int, rate: float, rate_syn: float, dt: float = 1e-3) -> Layer:
    """It adds what arrives to a current, which acts at once and decays after it."""

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v, current = s.get("v", 0 * x), s.get("i", 0 * x) + x
        v = v + dt * rate * (current - v)
        fired = (v > THRESHOLD).astype(float)
        s["v"], s["i"] = v * (1 - fired), current - dt * rate_syn * current
        return v, fired

    ones = full(size, 1)
    node = nir.CubaLIF(ones * dt / rate_syn, ones * dt / rate, ones, ones * 0, ones * THRESHOLD, ones * 0, ones)
    return Layer(node, step, typical=rate_syn / rate)


def rockpool(size: int, tau: FloatArray, dt: float) -> Layer:
    keep = np.exp(-dt / tau)

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = keep * s.get("v", 0 * x) + x
        assume(v.max() < 2 * THRESHOLD)  # else it fires twice
        fired = (v >= THRESHOLD).astype(float)
        s["v"] = v - fired * THRESHOLD
        return v, fired

    return Layer(lif(size, tau, tau * keep / dt), step, typical=0.5)


def rockpool_filtered(size: int, tau: float, tau_syn: float, dt: float) -> Layer:
    keep, keep_syn = np.exp(-dt / tau), np.exp(-dt / tau_syn)

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        s["u"] = keep_syn * (s.get("u", 0 * x) + x)
        v = keep * s.get("v", 0 * x) + s["u"]
        assume(v.max() < 2 * THRESHOLD)
        fired = (v >= THRESHOLD).astype(float)
        s["v"] = v - fired * THRESHOLD
        return v, fired

    ones = full(size, 1)
    node = nir.CubaLIF(ones * tau_syn, ones * tau, ones * tau * keep / dt, ones * 0, ones * THRESHOLD, ones * 0, ones)
    return Layer(node, step, typical=3.5 * (1 - keep) * (1 - keep_syn) / keep_syn)


def spyx(size: int, beta: FloatArray) -> Layer:
    """It compares the potential of the step before."""

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        before = s.get("v", 0 * x)
        fired = (before > THRESHOLD).astype(float)
        s["v"] = beta * before + x - fired * THRESHOLD
        return before, fired

    return Layer(lif(size, 1 / (1 - beta), beta), step, late=1)


def nengo(size: int, tau: float, dt: float = 1e-3) -> Layer:
    keep = np.exp(-dt / tau)

    def step(s: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        v = keep * s.get("v", 0 * x) + (1 - keep) * x
        fired = (v > THRESHOLD).astype(float)
        s["v"] = v * (1 - fired)
        return v, fired

    return Layer(lif(size, tau, 1), step, typical=tau / dt)


@dataclass
class Written:
    """A network of two layers in one tool: its graph, its input, and what the tool computes."""

    layers: list[Layer]
    seed: int
    weights: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.drive = (rng.random((STEPS, SIZES[0])) < 0.4).astype(float)
        for layer, (inputs, outputs) in zip(self.layers, pairwise(SIZES), strict=True):
            self.weights.append((rng.random((outputs, inputs)) - 0.3) * layer.typical)
        self.weights = [weight.astype(np.float32).astype(float) for weight in self.weights]

    def graph(self) -> nir.NIRGraph:
        nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([SIZES[0]]))}
        for index, (layer, weight) in enumerate(zip(self.layers, self.weights, strict=True)):
            nodes[f"fc{index}"] = nir.Linear(weight.astype(np.float32))
            nodes[f"n{index}"] = layer.node
        nodes["output"] = nir.Output(np.array([SIZES[-1]]))
        return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata={}, type_check=False)

    def spikes(self) -> list[FloatArray]:
        """By layer, as the tool computes them, without the steps by which they come late."""
        found, value, late = [], self.drive, 0
        for layer, weight in zip(self.layers, self.weights, strict=True):
            state: dict[str, FloatArray] = {}
            steps = []
            for now in value:
                potential, fired = layer.step(state, weight @ now)
                assume(np.abs(potential - THRESHOLD).min() > CLOSE)
                steps.append(fired)
            value, late = np.array(steps), late + layer.late
            found.append(value[late:])
        return found


def assert_the_same(written: Written, tmp_path_factory: pytest.TempPathFactory, said: Convention) -> Reading:
    """Write, read, and compare all spikes."""
    path = tmp_path_factory.mktemp("foreign") / "g.nir"
    path.write_bytes(graph_bytes(written.graph()))
    expected = written.spikes()
    assume(expected[0].any())
    reading = read(path, said)
    trace = interpret(reading.wiring, torch.from_numpy(written.drive[:, None]), reading.step.dt_s, STEPS)
    for index, spikes in enumerate(expected):
        np.testing.assert_array_equal(trace.spikes[f"n{index}"][: len(spikes), 0].numpy(), spikes)
    return reading


def read(path: Path, said: Convention) -> Reading:
    graph = read_graph(path)
    return read_as(wire(graph), graph.metadata, said)


SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=25, deadline=None)


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


def both(low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.lists(between(low, high), min_size=2, max_size=2)


def per_neuron(size: int, mean: float, seed: int, spread: float = 0.1) -> FloatArray:
    return mean * (1 + spread * np.random.default_rng(seed).random(size))


@given(both(0.3, 0.85), st.sampled_from(["zero", "subtract-late"]), SEEDS)
@FEW
def test_snntorch(tmp_path_factory: pytest.TempPathFactory, betas: list[float], reset: str, seed: int) -> None:
    layers = [snntorch(n, per_neuron(n, b, seed), reset) for n, b in zip(SIZES[1:], betas, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention(reset=reset))
    assert reading.producer is not None and reading.producer.name == "snntorch"


@given(both(2.5, 40), st.sampled_from(["zero", "subtract"]), SEEDS)
@FEW
def test_sinabs(tmp_path_factory: pytest.TempPathFactory, taus: list[float], reset: str, seed: int) -> None:
    layers = [sinabs(n, per_neuron(n, tau, seed), reset) for n, tau in zip(SIZES[1:], taus, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention(reset=reset))
    assert reading.producer is not None and reading.producer.name == "sinabs"
    assert reading.step.dt_s == 1


@given(both(2.5, 40), st.sampled_from(["zero", "subtract"]), SEEDS)
@FEW
def test_sinabs_without_norm_input_when_it_is_named(
    tmp_path_factory: pytest.TempPathFactory, taus: list[float], reset: str, seed: int
) -> None:
    pairs = zip(SIZES[1:], taus, strict=True)
    layers = [sinabs(n, per_neuron(n, tau, seed), reset, norm_input=False) for n, tau in pairs]
    written = Written(layers, seed)
    assert_the_same(written, tmp_path_factory, Convention(producer="sinabs-unnormed", reset=reset))


@given(st.sampled_from(["zero", "subtract"]), SEEDS)
@FEW
def test_sinabs_without_leak(tmp_path_factory: pytest.TempPathFactory, reset: str, seed: int) -> None:
    layers = [iaf(n, reset) for n in SIZES[1:]]
    assert_the_same(Written(layers, seed), tmp_path_factory, Convention(reset=reset))


@given(both(1.2, 30), st.booleans(), st.sampled_from([1e-4, 1e-3, 1e-2]), SEEDS)
@FEW
def test_spikingjelly(
    tmp_path_factory: pytest.TempPathFactory, taus: list[float], decay_input: bool, dt: float, seed: int
) -> None:
    """Where the file does not say the time step it is asked for, or it is right."""
    written = Written([spikingjelly(n, t, decay_input, dt) for n, t in zip(SIZES[1:], taus, strict=True)], seed)
    assert_the_same(written, tmp_path_factory, Convention(dt))
    assert_the_same(written, tmp_path_factory, Convention(dt, "spikingjelly"))  # named, too
    try:
        assert_the_same(written, tmp_path_factory, Convention())
    except InputError as error:
        assert "its time step does not follow from its parameters" in str(error)
        assert f"dt_s={dt:g} (SpikingJelly" in str(error)


@given(both(60, 900), SEEDS)
@FEW
def test_norse(tmp_path_factory: pytest.TempPathFactory, rates: list[float], seed: int) -> None:
    layers = [norse_box(n, rate) for n, rate in zip(SIZES[1:], rates, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention())
    assert reading.step.dt_s == 1e-6


@given(both(60, 900), both(60, 900), SEEDS)
@FEW
def test_norse_with_a_synaptic_filter(
    tmp_path_factory: pytest.TempPathFactory, rates: list[float], synapses: list[float], seed: int
) -> None:
    layers = [norse_cell(n, *both) for n, both in zip(SIZES[1:], zip(rates, synapses, strict=True), strict=True)]
    assert_the_same(Written(layers, seed), tmp_path_factory, Convention())


@given(both(3e-3, 0.1), st.sampled_from([1e-3, 5e-4]), SEEDS)
@FEW
def test_rockpool(tmp_path_factory: pytest.TempPathFactory, taus: list[float], dt: float, seed: int) -> None:
    layers = [rockpool(n, per_neuron(n, tau, seed), dt) for n, tau in zip(SIZES[1:], taus, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention())
    assert reading.producer is not None and reading.producer.name == "rockpool"
    assert reading.step.dt_s == pytest.approx(dt, rel=1e-6)
    assert set(reading.wiring.resets.values()) == {"subtract"}


@given(both(3e-3, 0.02), both(3e-3, 0.01), SEEDS)
@FEW
def test_rockpool_with_a_synaptic_filter(
    tmp_path_factory: pytest.TempPathFactory, taus: list[float], synapses: list[float], seed: int
) -> None:
    pairs = zip(taus, synapses, strict=True)
    layers = [rockpool_filtered(n, *pair, 1e-3) for n, pair in zip(SIZES[1:], pairs, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention())
    assert reading.producer is not None and reading.producer.name == "rockpool"


@given(both(0.3, 0.85), SEEDS)
@FEW
def test_spyx(tmp_path_factory: pytest.TempPathFactory, betas: list[float], seed: int) -> None:
    layers = [spyx(n, per_neuron(n, beta, seed)) for n, beta in zip(SIZES[1:], betas, strict=True)]
    reading = assert_the_same(Written(layers, seed), tmp_path_factory, Convention())
    assert reading.producer is not None and reading.producer.name == "spyx"
    assert set(reading.wiring.resets.values()) == {"subtract-late"}


@given(both(5e-3, 0.05), SEEDS)
@FEW
def test_nengo_when_it_is_named(tmp_path_factory: pytest.TempPathFactory, taus: list[float], seed: int) -> None:
    written = Written([nengo(n, tau) for n, tau in zip(SIZES[1:], taus, strict=True)], seed)
    assert_the_same(written, tmp_path_factory, Convention(producer="nengo"))
    with pytest.raises(InputError, match=r"consistent are .*producer=nengo dt_s=0\.001 \(Nengo\)"):
        assert_the_same(written, tmp_path_factory, Convention())
