"""Networks of SpikingJelly, sinabs and Norse become students that spike as they do, where the tool is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import InputError

STEPS, BATCH = 6, 4


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def loud(network: nn.Module, factor: float = 4.0) -> nn.Module:
    with torch.no_grad():
        for each in network.modules():
            if isinstance(each, nn.Linear | nn.Conv2d):
                each.weight *= factor
    return network


def events(*shape: int) -> Tensor:
    return (torch.rand(*shape) < 0.4).float()


def proven(student: sw.Student, fired: int = 20) -> sw.Student:
    assert student.origin is not None and student.origin.proof is not None
    proof = student.origin.proof
    assert proof.fired > fired and proof.samples >= 32, proof
    return student


class TestSpikingJelly:
    """Version 0.0.0.0.14 and later."""

    @pytest.fixture
    def jelly(self) -> Any:
        return pytest.importorskip("spikingjelly.activation_based")

    @pytest.fixture(params=["if", "lif", "undecayed", "parametric", "soft"])
    def neuron(self, request: pytest.FixtureRequest, jelly: Any) -> Callable[[], nn.Module]:
        from spikingjelly.activation_based import neuron

        made: dict[str, Callable[[], nn.Module]] = {
            "if": neuron.IFNode,
            "lif": lambda: neuron.LIFNode(tau=2.0),
            "undecayed": lambda: neuron.LIFNode(tau=3.0, decay_input=False),
            "parametric": lambda: neuron.ParametricLIFNode(init_tau=2.5),
            "soft": lambda: neuron.LIFNode(tau=2.0, v_reset=None),
        }
        return made[request.param]

    def test_all_steps_at_once(self, neuron: Callable[[], nn.Module]) -> None:
        from spikingjelly.activation_based import functional, layer

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body = nn.Sequential(
                    *(layer.Conv2d(1, 4, 3, padding=1, bias=False), layer.BatchNorm2d(4), neuron()),
                    *(layer.AvgPool2d(2, 2), layer.Flatten(), layer.Dropout(0.5), layer.Linear(64, 20), neuron()),
                    layer.VotingLayer(4),
                )
                functional.set_step_mode(self, "m")

            def forward(self, x: Tensor) -> Tensor:
                return self.body(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).mean(0)

        student = proven(sw.Student.from_module(loud(Net()), input_shape=(1, 8, 8)))
        config = student.config
        assert (config.timesteps, config.encoding, config.classes) == (STEPS, "direct", 5)
        assert config.output.population == 4

    def test_one_step_and_the_loop_outside(self, neuron: Callable[[], nn.Module]) -> None:
        from spikingjelly.activation_based import layer

        network = nn.Sequential(layer.Flatten(), layer.Linear(64, 30), neuron(), layer.Linear(30, 10), neuron())
        proven(sw.Student.from_module(loud(network), torch.rand(BATCH, 1, 8, 8), timesteps=STEPS))

    def test_a_container_over_sequences(self, jelly: Any) -> None:
        from spikingjelly.activation_based import layer, neuron

        network = nn.Sequential(
            layer.SeqToANNContainer(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), neuron.LIFNode(step_mode="m"),
            layer.SeqToANNContainer(nn.Flatten(), nn.Linear(4 * 36, 5)), neuron.LIFNode(step_mode="m"),
        )  # fmt: skip
        student = sw.Student.from_module(loud(network), input_shape=(1, 8, 8), timesteps=5, encoding="rate")
        assert proven(student).config.timesteps == 5
        with pytest.raises(InputError, match="say what these are"):
            sw.Student.from_module(network, events(5, BATCH, 1, 8, 8))

    def test_another_reset_is_refused(self, jelly: Any) -> None:
        from spikingjelly.activation_based import neuron

        with pytest.raises(InputError, match=r"1: resets to v_reset = 0\.2, not to 0"):
            sw.Student.from_module(nn.Sequential(nn.Linear(4, 4), neuron.IFNode(v_reset=0.2)), torch.rand(2, 4), 3)


class TestSinabs:
    """Version 3."""

    @pytest.fixture
    def layers(self) -> Any:
        return pytest.importorskip("sinabs.layers")

    @pytest.mark.parametrize("reset", ["MembraneReset", "MembraneSubtract"])
    def test_samples_and_steps_as_one_axis(self, layers: Any, reset: str) -> None:
        from sinabs import activation

        rule = {"spike_fn": activation.SingleSpike, "reset_fn": getattr(activation, reset)()}
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), layers.IAFSqueeze(batch_size=1, **rule), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(36, 5), layers.LIFSqueeze(tau_mem=5.0, batch_size=1, **rule),
        )  # fmt: skip
        for asked in ({"example": events(STEPS, 1, 8, 8)}, {"input_shape": (1, 8, 8), "timesteps": STEPS}):
            student = proven(sw.Student.from_module(loud(network), encoding="events", **asked))
            assert (student.config.timesteps, student.config.input_shape) == (STEPS, (1, 8, 8))

    def test_steps_behind_the_samples_and_a_readout_that_integrates(self, layers: Any) -> None:
        from sinabs.activation import MembraneReset, SingleSpike

        hidden = layers.LIF(tau_mem=5.0, tau_syn=3.0, spike_fn=SingleSpike, reset_fn=MembraneReset())
        network = nn.Sequential(nn.Linear(20, 30), hidden, nn.Linear(30, 5), layers.ExpLeak(tau_mem=4.0))
        student = proven(sw.Student.from_module(loud(network, 8.0), events(BATCH, STEPS, 20), encoding="events"))
        assert (student.config.readout, student.config.timesteps) == ("membrane", STEPS)

    def test_a_floor_of_the_membrane_is_refused(self, layers: Any) -> None:
        network = nn.Sequential(nn.Linear(20, 5), layers.LIF(tau_mem=5.0, min_v_mem=-1.0))
        with pytest.raises(InputError, match="1: holds its membrane above min_v_mem = -1"):
            sw.Student.from_module(network, events(BATCH, STEPS, 20), encoding="events")


class TestNorse:
    """Version 1.1."""

    @pytest.fixture
    def norse(self) -> Any:
        return pytest.importorskip("norse.torch")

    @pytest.mark.parametrize("cell", ["LIFBoxCell", "LIFCell"])
    @pytest.mark.parametrize("last", ["LIFBoxCell", "LIFCell", "LIBoxCell", "LICell"])
    def test_cells_with_states_handed_round(self, norse: Any, cell: str, last: str) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc1, self.cell1 = nn.Linear(20, 30), getattr(norse, cell)()
                self.fc2, self.cell2 = nn.Linear(30, 5), getattr(norse, last)()

            def forward(self, x: Tensor) -> Tensor:
                state1 = state2 = None
                out = []
                for _ in range(STEPS):
                    spikes, state1 = self.cell1(self.fc1(x), state1)
                    made, state2 = self.cell2(self.fc2(spikes), state2)
                    out.append(made)
                return torch.stack(out)

        student = proven(sw.Student.from_module(loud(Net(), 90.0), torch.rand(BATCH, 20)))
        assert student.config.readout == ("membrane" if last.startswith("LI") and last[2] != "F" else "count")

    def test_a_sequential_state_and_the_loop_outside(self, norse: Any) -> None:
        network = norse.SequentialState(nn.Linear(20, 30), norse.LIFCell(), nn.Linear(30, 5), norse.LIFBoxCell())
        proven(sw.Student.from_module(loud(network, 90.0), torch.rand(BATCH, 20), timesteps=STEPS))

    def test_a_step_that_is_too_long_is_refused(self, norse: Any) -> None:
        network = norse.SequentialState(nn.Linear(20, 5), norse.LIFCell(dt=0.01))
        with pytest.raises(InputError, match="its alpha reaches from -1 to -1; a decay is from 0 to 1"):
            sw.Student.from_module(network, torch.rand(BATCH, 20), timesteps=STEPS)
