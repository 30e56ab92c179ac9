"""Networks that reset by subtraction: the integer simulator against plain Python integers and against Lava."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.base.types import IntArray
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.law import STATE_LIMIT
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.exchange.lava_values import lava_faults
from spikewright.exchange.netx import netx_faults
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import Recording, compare

LAWS = ("lif-subtract", "lif-subtract-late")
NETWORKS = 200
SAMPLES = 2
Draw = Callable[[str, int], tuple[ChipNetwork, IntArray]]
Step = Callable[[IntArray], IntArray]
"""One step of a population: synaptic input to spikes, each ``(size,)``."""


def int32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def decay(x: int, register: int) -> int:
    return (-1 if x < 0 else 1) * ((abs(x) * (4096 - register)) >> 12)


@dataclass
class Plain:
    """A population in Python integers, one neuron after the other; of any of our three laws."""

    neuron: Neuron
    u: list[int] = field(default_factory=list)
    v: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.u, self.v = [0] * self.neuron.bias.size, [0] * self.neuron.bias.size
        self.fired = [False] * self.neuron.bias.size

    def step(self, arriving: IntArray) -> IntArray:
        for index, a in enumerate(arriving.tolist()):
            self._step(index, a)
        return np.array(self.fired, np.int64)

    def _step(self, i: int, a: int) -> None:
        neuron, threshold = self.neuron, self.neuron.vth << 6
        u = int32(decay(self.u[i], neuron.du + 1) + (a << 6))
        self.u[i] = u - 2 * STATE_LIMIT if u > STATE_LIMIT else u + 2 * STATE_LIMIT if u <= -STATE_LIMIT else u
        late = threshold if self.fired[i] and neuron.law == "lif-subtract-late" else 0
        bias = int(neuron.bias[i]) << neuron.bias_exp
        v = int32(decay(self.v[i], neuron.dv) + self.u[i] + bias - late)
        v = max(-STATE_LIMIT + 1, min(STATE_LIMIT - 1, v))
        self.fired[i] = v > threshold
        prompt = {"lif": v, "lif-subtract": threshold, "lif-subtract-late": 0}[neuron.law]
        self.v[i] = v - prompt if self.fired[i] else v


class Stepped:
    """Lava's model of a population, ours for the laws that subtract, stepped without Lava's runtime."""

    def __init__(self, neuron: Neuron) -> None:
        from lava.proc.lif.models import PyLifModelBitAcc

        from spikewright.exchange.lava_values import SUBTRACTING
        from spikewright.simulation.lava.processes.subtracting import PySubtractingLIF

        late = SUBTRACTING.get(neuron.law)
        given = {"shape": neuron.bias.shape, "late": late, "reset_interval": 0, "reset_offset": 0}
        self.model = PyLifModelBitAcc(given) if late is None else PySubtractingLIF(given)
        self.model.a_in, self.model.s_out = self, self
        self.model.u, self.model.v = (np.zeros(neuron.bias.shape, np.int32) for _ in "uv")
        self.model.du, self.model.dv, self.model.vth = (np.int32(n) for n in (neuron.du, neuron.dv, neuron.vth))
        self.model.bias_mant = neuron.bias.astype(np.int16)
        self.model.bias_exp = np.full(neuron.bias.shape, neuron.bias_exp, np.int16)

    def step(self, arriving: IntArray) -> IntArray:
        self.arriving = arriving.astype(np.int32)
        self.model.run_spk()
        return self.sent.astype(np.int64)

    @property
    def u(self) -> IntArray:
        return self.model.u

    @property
    def v(self) -> IntArray:
        return self.model.v

    def recv(self) -> IntArray:
        return self.arriving

    def send(self, spikes: IntArray) -> None:
        self.sent = np.array(spikes)


def walked(chip: ChipNetwork, drive: IntArray, kind: type[Plain] | type[Stepped]) -> Recording:
    """A dense network, step by step and sample by sample, each population stepped by ``kind``."""
    spikes = {p.name: np.zeros((chip.timesteps, drive.shape[1], p.size), np.uint8) for p in chip.populations}
    u, v = ({p.name: np.zeros(spikes[p.name].shape, np.int32) for p in chip.populations[1:]} for _ in "uv")
    spikes[chip.input.name] = drive.astype(np.uint8)
    for sample in range(drive.shape[1]):
        states = {p.name: kind(p.neuron) for p in chip.populations if p.neuron is not None}
        for t in range(chip.timesteps):
            for population in chip.populations[1:]:
                name, arriving = population.name, np.zeros(population.size, np.int64)
                for c in chip.into(name):
                    then = t - (c.source == c.target)
                    if then >= 0:
                        arriving += c.weight @ spikes[c.source][then, sample].astype(np.int64)
                spikes[name][t, sample] = states[name].step(arriving)
                u[name][t, sample], v[name][t, sample] = states[name].u, states[name].v
    scores = v[chip.output.name][-1] if chip.readout == "membrane" else spikes[chip.output.name].sum(0, dtype=np.int64)
    return Recording(spikes, scores.astype(np.int64), {}, u=u, v=v)


@st.composite
def networks(draw: st.DrawFn) -> tuple[ChipNetwork, IntArray]:
    """Chains of one to three layers, some of which feed themselves, that reset in three ways."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    readout = draw(st.sampled_from(["membrane", "count"]))
    most = draw(st.sampled_from([8, 60, 254]))
    populations, connections = [Population("input", (sizes[0],), "input", None)], []
    for number, (before, size) in enumerate(pairwise(sizes)):
        is_last = number == len(sizes) - 2
        fires = not is_last or readout == "count"
        neuron = Neuron(
            du=draw(st.sampled_from([4095, int(random.integers(0, 4095))])),
            dv=draw(st.sampled_from([0, 4096, int(random.integers(0, 4097))])),
            vth=draw(st.sampled_from([1, 20, 131071, int(random.integers(1, 2000))])) if fires else 131071,
            bias=random.integers(-60, 200, size) * draw(st.sampled_from([0, 1, 20])),
            bias_exp=draw(st.integers(0, 7)),
            fires=fires,
            law=draw(st.sampled_from(LAWS)) if fires else "lif",
        )
        name = "readout" if is_last else f"hidden{number}"
        populations.append(Population(name, (size,), "readout" if is_last else "hidden", neuron))
        weight = random.integers(-most // 3, most + 1, (size, before))
        connections.append(Connection(populations[-2].name, name, weight))
        if not is_last and draw(st.booleans()):
            connections.append(Connection(name, name, random.integers(-most, most + 1, (size, size))))
    timesteps = draw(st.sampled_from([1, 2, 5, 8, 24]))  # of which the last lets registers overflow
    chip = ChipNetwork(tuple(populations), tuple(connections), timesteps, "rate", readout, "none", "")
    return chip, random.integers(0, 2, (timesteps, SAMPLES, sizes[0]))


def differences(case: tuple[ChipNetwork, IntArray], kind: type[Plain] | type[Stepped]) -> Iterator[str]:
    chip, drive = case
    ours, theirs = integer.run(chip, drive, record_states=True), walked(chip, drive, kind)
    yield from map(str, compare(replace(ours, tallies={}), theirs))
    if not np.array_equal(ours.scores, theirs.scores):
        yield "scores"


@settings(max_examples=NETWORKS, deadline=None)
@given(case=networks())
def test_networks_equal_plain_integers(case: tuple[ChipNetwork, IntArray]) -> None:
    assert list(differences(case, Plain)) == []


@pytest.mark.lava
@settings(max_examples=NETWORKS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=networks())
def test_networks_equal_lavas_model_without_its_runtime(lava: None, case: tuple[ChipNetwork, IntArray]) -> None:
    assert list(differences(case, Stepped)) == []


def subtracting(chip: ChipNetwork, law: str) -> ChipNetwork:
    """The same network, whose hidden and firing neurons reset by subtraction."""

    def changed(population: Population) -> Population:
        neuron = population.neuron
        if neuron is None or population.role in ("relay", "bias") or not neuron.fires:
            return population
        return replace(population, neuron=replace(neuron, law=law))

    return replace(chip, populations=tuple(map(changed, chip.populations)))


IN_THE_RUNTIME = ("convolutions", "current_input", "skip_with_relay", "recurrent", "overflowing")


@pytest.mark.lava
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", IN_THE_RUNTIME)
def test_networks_equal_lava_with_its_runtime(lava: None, drawn: Draw, kind: str, law: str) -> None:
    chip, drive = drawn(kind, 7)
    chip = subtracting(chip, law)
    ours, theirs = integer.run(chip, drive, record_states=True), backend("lava")(chip, drive, record_states=True)
    assert [str(mismatch) for mismatch in compare(ours, theirs)] == []
    assert np.array_equal(ours.scores, theirs.scores)
    assert ours.tallies == theirs.tallies


@pytest.mark.parametrize("kind", [kind for kind in IN_THE_RUNTIME if kind != "overflowing"])
def test_the_three_resets_differ_on_these_networks(drawn: Draw, kind: str) -> None:
    chip, drive = drawn(kind, 7)
    runs = [integer.run(each, drive) for each in (chip, *(subtracting(chip, law) for law in LAWS))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert any(not np.array_equal(runs[one].spikes[name], spikes) for name, spikes in runs[other].spikes.items())


@pytest.mark.parametrize("law", LAWS)
def test_a_chip_file_holds_the_law_and_netx_refuses_it(drawn: Draw, law: str, tmp_path: object) -> None:
    chip = subtracting(drawn("convolutions", 7)[0], law)
    save_chip(chip, f"{tmp_path}/chip.h5")
    again = load_chip(f"{tmp_path}/chip.h5")
    assert [p.neuron and p.neuron.law for p in again.populations] == [None, law, law, law, "lif"]
    assert list(lava_faults(again)) == []
    why = f"are of the neuron model '{law}', and lava-dl's neurons are reset to zero; use 'lava' for 'netx'"
    names = "'strided and padded', 'dilated and grouped', 'dense from three axes'"
    assert f"populations {names} {why}" in netx_faults(again)


def test_a_model_that_nobody_has_is_refused_on_lava(drawn: Draw) -> None:
    chip, drive = drawn("convolutions", 7)
    with pytest.raises(InputError, match="neuron model 'lif-soft'"):
        integer.run(subtracting(chip, "lif-soft"), drive)
    assert "Lava's LIF does not compute the neuron model 'lif-soft'" in " ".join(
        lava_faults(subtracting(chip, "lif-soft"))
    )
