"""The one law of a neuron: the kernels against it, and that every level obeys it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikewright.base.errors import InputError
from spikewright.chip.activity import Overflows
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.law import EXACT, Law, State, largest
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.chip.neuron_models import LAWS, law_of
from spikewright.chip.registers import Registers
from spikewright.divergence.drift import drift_on
from spikewright.exchange.lava_values import lava_faults
from spikewright.exchange.netx import netx_faults
from spikewright.graph.interpreter import interpret
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.dense import Dense
from spikewright.simulation.kernel import Rules, integrate
from spikewright.student import compiled
from spikewright.student.integers.neurons import IntegerLaw, step_integers
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, run_over_time, spiking

LIMITS = load_profile("loihi2").limits
T = 6

neurons = st.builds(
    Neuron,
    du=st.one_of(st.just(4095), st.integers(0, 4095)),
    dv=st.integers(0, 4096),
    vth=st.one_of(st.integers(0, 500), st.integers(0, 131071)),
    bias=st.lists(st.integers(-4096, 4095), min_size=2, max_size=2).map(lambda bias: np.array(bias, dtype=np.int64)),
    bias_exp=st.integers(0, 7),
)


def inputs(largest: int) -> st.SearchStrategy[Tensor]:
    """Synaptic input of two compartments, ``(T, 1, 2)``."""
    row = st.lists(st.integers(-largest, largest), min_size=2, max_size=2)
    return st.lists(row, min_size=T, max_size=T).map(lambda rows: torch.tensor(rows, dtype=torch.float64)[:, None])


def by_law(law: Law, arriving: Tensor) -> tuple[list[Tensor], list[State], list[Tensor]]:
    """Spikes, states and potentials before the reset, step by step."""
    state = State(torch.zeros_like(arriving[0]), torch.zeros_like(arriving[0]))
    spikes, states, potentials = [], [], []
    for a in arriving:
        state, potential, fired = law.step(state, a)
        states.append(state)
        potentials.append(potential)
        spikes.append(torch.zeros_like(a) if fired is None else fired.to(a))
    return spikes, states, potentials


@given(neuron=neurons, arriving=st.one_of(inputs(300), inputs(2**18), inputs(2**27)))
def test_the_simulators_kernel_is_the_law(neuron: Neuron, arriving: Tensor) -> None:
    rules = Rules.of(neuron, neuron.bias[None], T, largest(arriving))
    spikes, states, _ = by_law(law_of(neuron), arriving)
    trace = integrate(rules, arriving, record_states=True)
    assert torch.equal(trace.spikes.double(), torch.stack(spikes))
    assert torch.equal(trace.u, torch.stack([state.u for state in states]))
    assert torch.equal(trace.v, torch.stack([state.v for state in states]))


@given(
    beta=st.floats(0, 1), alpha=st.one_of(st.none(), st.floats(0, 1)), threshold=st.floats(0.1, 3), data=inputs(1000)
)
def test_the_students_steps_are_the_law(beta: float, alpha: float | None, threshold: float, data: Tensor) -> None:
    kind = "lif" if alpha is None else "cubalif"
    module = spiking(NeuronSettings(kind, beta, alpha or 0.0, threshold))
    arriving = (data / 700).float()
    keep_u = None if alpha is None else torch.tensor(alpha, dtype=torch.float32)
    law = Law(torch.tensor(beta, dtype=torch.float32), torch.tensor(threshold, dtype=torch.float32), keep_u)
    spikes, _, potentials = by_law(law, arriving)
    trace = run_over_time("n", module, arriving, T)
    assert torch.equal(trace.spikes, torch.stack(spikes)), "bit for bit, rounding of float32 included"
    assert torch.equal(trace.membrane, torch.stack(potentials))


@given(
    beta=st.floats(0, 1), alpha=st.one_of(st.none(), st.floats(0, 1)), threshold=st.floats(0.1, 3), data=inputs(2000)
)
def test_the_integer_students_steps_are_the_chips(
    beta: float, alpha: float | None, threshold: float, data: Tensor
) -> None:
    """float32 in the student and float64 in the simulator hold the same integers."""
    kind, scale = ("lif" if alpha is None else "cubalif"), 100.0
    module = spiking(NeuronSettings(kind, beta, alpha or 0.0, threshold))
    bias = torch.tensor([0.25, -0.5])
    law = IntegerLaw.of(module, scale, Registers.of(LIMITS), bias)
    stepped = step_integers(law, data.float(), T, module.spike_grad, record=True)
    neuron = Neuron(
        du=4095 if law.chip.keep_u is None else 4095 - round(law.chip.keep_u * 4096),
        dv=4096 - round(law.chip.keep_v * 4096),
        vth=int(law.chip.threshold) // 64,
        bias=np.array([25, -50]),
    )
    spikes, states, _ = by_law(law_of(neuron), data)
    assert torch.equal(stepped.spikes.double(), torch.stack(spikes))
    assert torch.equal(stepped.states.u.double(), torch.stack([state.u for state in states]))
    assert torch.equal(stepped.states.v.double(), torch.stack([state.v for state in states]))


@given(neuron=neurons, arriving=inputs(300))
def test_without_rounding_and_limits_the_law_is_its_float_counterpart(neuron: Neuron, arriving: Tensor) -> None:
    law = replace(law_of(neuron), arithmetic=EXACT)
    u = v = torch.zeros(1, 2, dtype=torch.float64)
    bias = torch.from_numpy(neuron.bias * 2.0**neuron.bias_exp)
    for a, potential in zip(arriving, by_law(law, arriving)[2], strict=True):
        u = u * (4095 - neuron.du) / 4096 + 64 * a
        v = v * (4096 - neuron.dv) / 4096 + u + bias
        torch.testing.assert_close(potential, v, rtol=1e-12, atol=1e-6)
        v = torch.where(potential > neuron.vth * 64, 0.0, v)


def test_constants_may_differ_from_neuron_to_neuron() -> None:
    arriving = torch.full((T, 1, 2), 3.0, dtype=torch.float64)
    law = Law(torch.tensor([0.5, 1.0]), torch.tensor([5.0, 4.0]), v_reset=torch.tensor([0.0, -1.0]), gain_u=2.0)
    spikes, states, _ = by_law(law, arriving)
    assert torch.stack(spikes)[:, 0].T.tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]
    assert states[-1].v.tolist() == [[0.0, -1.0]]


# A network of one neuron whose potential meets its threshold exactly: with > it stays silent, with >= it fires.


def graph_at_the_threshold() -> nir.NIRGraph:
    nodes = {
        "input": nir.Input(np.array([1])),
        "fc": nir.Linear(np.array([[1.0]])),
        "n": nir.IF(r=np.array([1000.0]), v_threshold=np.array([1.0])),
        "output": nir.Output(np.array([1])),
    }
    edges = [("input", "fc"), ("fc", "n"), ("n", "output")]
    metadata = {"dt_s": 1e-3, "reset": "zero", "encoding": "events", "readout": "count", "timesteps": 4}
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def chip_at(vth: int, law: str = "lif") -> ChipNetwork:
    return ChipNetwork(
        populations=(
            Population("input", (1,), "input", None),
            Population("n", (1,), "readout", Neuron(4095, 0, vth, np.zeros(1, np.int64), law=law)),
        ),
        connections=(Connection("input", "n", np.array([[4]])),),
        timesteps=4,
        encoding="events",
        readout="count",
        profile="loihi2",
        profile_sha256="",
        provenance={"scales": {"n": 4.0}, "dt_s": 1e-3},
    )


EVENTS = np.ones((1, 4, 1), np.float32)


def in_floats() -> float:
    drive = torch.ones(4, 1, 1, dtype=torch.float64)
    return float(interpret(wire(graph_at_the_threshold()), drive, 1e-3, 4).spikes["n"].sum())


def in_the_student() -> float:
    module = spiking(NeuronSettings(beta=1.0, threshold=1.0))
    return float(run_over_time("n", module, torch.ones(4, 1, 1), 4).spikes.sum())


def in_the_integer_student() -> float:
    module = spiking(NeuronSettings(beta=1.0, threshold=1.0))
    law = IntegerLaw.of(module, 4.0, Registers.of(LIMITS), torch.zeros(1))
    return float(step_integers(law, torch.full((4, 1, 1), 4.0), 4, module.spike_grad).spikes.sum())


def in_the_simulator() -> float:
    """The plain reference; the compiled loops are held to it in test_events.py."""
    chip, drive = chip_at(4), np.ones((4, 1, 1), np.int64)
    return float(integer.simulated(Dense(chip, drive), chip, 1, None).spikes["n"].sum())


def in_drift() -> float:
    """Spikes of drift's own float network."""
    (layer,) = drift_on(graph_at_the_threshold(), chip_at(4), EVENTS).layers
    return float(layer.raster.reference)


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Students step in plain operations; the compiled loops are held to those in test_compiled_steps.py."""
    monkeypatch.setattr(compiled, "RESETS", {})


LEVELS = (in_floats, in_the_student, in_the_integer_student, in_the_simulator, in_drift)


@pytest.mark.usefixtures("plainly")
@pytest.mark.parametrize("level", LEVELS)
def test_the_comparison_is_written_once(level: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> None:
    assert level() == 2, "1, 2: the second step fires, and the fourth"
    monkeypatch.setattr(Law, "fires", lambda law, p, out=None: torch.ge(p, law.threshold, out=out))
    assert level() == 4


@pytest.mark.usefixtures("plainly")
@pytest.mark.parametrize("level", LEVELS)
def test_the_reset_is_written_once(level: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Law, "reset_", lambda law, p, spikes: p.sub_(spikes * law.threshold))
    assert level() == 3, "1, 2, 2, 2: what is above the threshold stays"


@pytest.mark.usefixtures("plainly")
def test_the_gradient_through_a_reset_is_the_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    module = spiking(NeuronSettings(beta=1.0, threshold=1.0))

    def gradient() -> list[float]:
        current = torch.full((4, 1, 1), 0.8, requires_grad=True)
        run_over_time("n", module, current, 4).membrane[-1].sum().backward()
        assert current.grad is not None
        return current.grad.flatten().tolist()

    assert gradient() == [0, 0, 1, 1], "the second step fired"
    monkeypatch.setattr(Law, "through_reset", staticmethod(torch.ones_like))
    assert gradient() == [1, 1, 1, 1]


# A neuron model from outside: one class, one line in the table.


@dataclass(frozen=True, eq=False)
class HalvingLaw(Law):
    """Keeps what is above the threshold, and lets potentials fall by half in each step, rounded down."""

    def potential(self, v: Tensor, u: Tensor, out: Tensor | None = None) -> Tensor:
        return super().potential(torch.floor(v / 2), u, out)

    def reset_(self, potential: Tensor, spikes: Tensor) -> Tensor:
        return potential.sub_(spikes * self.threshold)


def test_a_neuron_model_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(LAWS, "halving", HalvingLaw)
    save_chip(chip_at(5, "halving"), tmp_path / "chip.h5")
    chip = load_chip(tmp_path / "chip.h5")
    ran = integer.run(chip, np.ones((4, 1, 1), np.int64), record_states=True)
    # 4; 2 + 4 = 6 fires and leaves 1; 0.5 + 4 = 4.5; 2.25 + 4 = 6.25 fires and leaves 1.25; times 64.
    assert ran.v["n"].flatten().tolist() == [256, 64, 288, 80]
    assert ran.spikes["n"].flatten().tolist() == [0, 1, 0, 1]
    assert "Lava's LIF does not compute the neuron model 'halving'" in " ".join(lava_faults(chip))
    assert "'halving'" in " ".join(netx_faults(chip))


def test_a_model_that_integrates_otherwise_is_counted_by_its_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAWS, "halving", HalvingLaw)
    chip = chip_at(131071, "halving")
    arriving = torch.full((3, 1, 1), 2.0**17 - 1, dtype=torch.float64)
    trace = integrate(Rules.of(chip.output.neuron, np.zeros((1, 1), np.int64), 3, 2.0**17), arriving)
    # 2^23 - 64; half of it and that again is clipped to 2^23 - 1, fires and leaves 63; then 31 + 2^23 - 64 fires.
    assert trace.spikes.flatten().tolist() == [0, 1, 1]
    assert float(trace.last_v) == 31
    assert trace.tally.overflows == Overflows(clips=1)


def test_a_network_of_ours_says_nothing_of_its_law(tmp_path: Path) -> None:
    save_chip(chip_at(4), tmp_path / "chip.h5")
    assert b"law" not in (tmp_path / "chip.h5").read_bytes(), "files are as they were before there was a table"
    assert load_chip(tmp_path / "chip.h5").output.neuron.law == "lif"


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"^neuron model 'lix': there is none of this name; did you mean 'lif'\?"):
        integer.run(chip_at(4, "lix"), np.ones((4, 1, 1), np.int64))


def test_an_integrator_never_fires() -> None:
    trace = run_over_time("n", integrator(), torch.ones(T, 1, 2), T)
    assert trace.spikes is None
    assert trace.membrane[-1].tolist() == [[T, T]]
    assert lower(graph_at_the_threshold(), "loihi2").output.neuron.law == "lif"
