"""Networks of SpikingJelly, sinabs and Norse become students that spike as they do, where the tool is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError

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

    @pytest.mark.parametrize("form", ["repeated", "expanded", "stacked", "looped", "flattened", "sequence", "behind"])
    def test_the_first_convolution_outside_the_loop(self, jelly: Any, form: str) -> None:  # noqa: C901  (one per form)
        from spikingjelly.activation_based import functional, layer, neuron

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
                self.lif1, self.pool = neuron.LIFNode(), layer.MaxPool2d(2)
                self.conv, self.lif2 = layer.Conv2d(4, 4, 3, padding=1), neuron.LIFNode()
                self.flat, self.fc, self.last = layer.Flatten(), layer.Linear(64, 10), neuron.LIFNode()
                functional.set_step_mode(self, "s" if form == "looped" else "m")
                if form == "behind":
                    self.fc.step_mode = "s"

            def rest(self, x: Tensor) -> Tensor:
                return self.last(self.fc(self.flat(self.lif2(self.conv(self.pool(self.lif1(x)))))))

            def looped(self, x: Tensor) -> Tensor:
                current = self.first(x)
                out = self.rest(current)
                for _ in range(1, STEPS):
                    out += self.rest(current)
                return out / STEPS

            def flattened(self, x: Tensor) -> Tensor:
                current = self.first(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1).flatten(0, 1))
                return self.rest(current.view(STEPS, x.shape[0], *current.shape[1:])).mean(0)

            def sequence(self, x: Tensor) -> Tensor:
                repeated = x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)
                return self.rest(functional.seq_to_ann_forward(repeated, self.first)).mean(0)

            def stacked(self, x: Tensor) -> Tensor:
                return self.rest(torch.stack([self.first(x)] * STEPS)).mean(0)

            def expanded(self, x: Tensor) -> Tensor:
                return self.rest(self.first(x).unsqueeze(0).expand(STEPS, -1, -1, -1, -1)).mean(0)

            def repeated(self, x: Tensor) -> Tensor:
                return self.rest(self.first(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).mean(0)

            def behind(self, x: Tensor) -> Tensor:
                spikes = self.lif1(self.first(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
                return self.fc(self.flat(self.lif2(self.conv(self.pool(spikes)))).mean(0))

            def forward(self, x: Tensor) -> Tensor:
                made: Tensor = getattr(self, form)(x)
                return made

        network, x = loud(Net()).eval(), (torch.rand(BATCH, 1, 8, 8) * 63).round() / 63
        config = proven(student := sw.Student.from_module(network, input_shape=(1, 8, 8))).config
        assert (config.timesteps, config.encoding) == (STEPS, "direct")
        assert config.readout == ("membrane" if form == "behind" else "count")
        functional.reset_net(network)
        with torch.no_grad():
            assert torch.allclose(student(x).scores / STEPS, network(x), atol=1e-5)

    def test_a_layer_over_all_steps_in_two_places_is_refused(self, jelly: Any) -> None:
        from spikingjelly.activation_based import neuron

        class Twice(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc, self.lif = nn.Linear(20, 20), neuron.LIFNode(step_mode="m")

            def forward(self, x: Tensor) -> Tensor:
                return self.lif(self.fc(self.lif(self.fc(x.unsqueeze(0).repeat(STEPS, 1, 1)))))

        with pytest.raises(InputError, match="lif: goes through all steps in one call and is called more than once"):
            sw.Student.from_module(Twice(), torch.rand(BATCH, 20))

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

    @pytest.mark.parametrize("form", ["layers", "squeezed", "one sample", "repeated"])
    def test_reshapes_of_the_users_own(self, layers: Any, form: str) -> None:
        from sinabs.activation import SingleSpike

        one = {"layers": None, "one sample": {"batch_size": 1}}.get(form, {"num_timesteps": STEPS})

        def neurons() -> nn.Module:
            return layers.IAF(spike_fn=SingleSpike) if one is None else layers.IAFSqueeze(spike_fn=SingleSpike, **one)

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.lif1, self.pool = nn.Conv2d(1, 4, 3, bias=False), neurons(), nn.AvgPool2d(2)
                self.fc, self.lif2 = nn.Linear(36, 5), neurons()

            def forward(self, x: Tensor) -> Tensor:
                batch = x.shape[0]
                if form == "repeated":
                    x = x.unsqueeze(1).repeat(1, STEPS, 1, 1, 1)
                current = self.conv(x.reshape(batch * STEPS, 1, 8, 8))
                if form == "layers":
                    spikes = self.lif1(current.reshape(batch, STEPS, *current.shape[1:])).flatten(0, 1)
                    return self.lif2(self.fc(self.pool(spikes).flatten(1)).reshape(batch, STEPS, -1)).sum(1)
                last = self.lif2(self.fc(self.pool(self.lif1(current)).reshape(batch * STEPS, -1)))
                return last.reshape(batch, STEPS, -1).sum(1)

        network = loud(Net())
        asked: dict[str, Any] = {} if form == "repeated" else {"timesteps": STEPS, "encoding": "events"}
        config = proven(sw.Student.from_module(network, input_shape=(1, 8, 8), **asked)).config
        assert (config.timesteps, config.encoding) == (STEPS, "direct" if form == "repeated" else "events")

    def test_several_spikes_in_a_step_are_refused_where_there_are_and_said_where_not(self, layers: Any) -> None:
        network = nn.Sequential(nn.Linear(20, 5), layers.LIF(tau_mem=5.0))
        with pytest.raises(AnswerIsNo, match=r"1, step \d, .* 2 spikes in the network, 1 in the student, .*MultiSpike"):
            sw.Student.from_module(loud(network, 40.0), events(BATCH, STEPS, 20), encoding="events")
        student = sw.Student.from_module(loud(network, 0.15), events(BATCH, STEPS, 20), encoding="events")
        assert proven(student, 5).origin is not None
        remarks = " ".join(student.origin.remarks)
        assert "1: a neuron that crosses its threshold several times in a step sends" in remarks

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

    @pytest.mark.parametrize("hidden", ["LIF", "IAF"])
    @pytest.mark.parametrize("last", ["LIF", "LI", "IAF"])
    def test_layers_over_all_steps(self, norse: Any, hidden: str, last: str) -> None:
        def body() -> nn.Module:
            return norse.SequentialState(
                nn.Linear(20, 30), getattr(norse, hidden)(), nn.Linear(30, 5), getattr(norse, last)()
            )

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body = body()

            def forward(self, x: Tensor) -> Tensor:
                return self.body(x.unsqueeze(0).repeat(STEPS, 1, 1))[0]

        for network, asked in ((Net(), {}), (body(), {"timesteps": STEPS, "encoding": "events"})):
            factor = 4.0 if hidden == "IAF" else 90.0
            config = proven(sw.Student.from_module(loud(network, factor), input_shape=(20,), **asked)).config
            assert config.timesteps == STEPS and config.readout == ("membrane" if last == "LI" else "count")

    def test_lifted_layers_and_cells_with_constants_of_their_own(self, norse: Any) -> None:
        constants = {"tau_syn_inv": torch.tensor(150.0), "tau_mem_inv": torch.tensor(80.0)}
        hidden = norse.LIFCell(p=norse.LIFParameters(v_th=torch.tensor(0.7), **constants), dt=0.002)
        readout = norse.LICell(p=norse.LIParameters(**constants), dt=0.002)
        network = norse.SequentialState(
            *(norse.Lift(nn.Linear(20, 30)), norse.Lift(hidden), norse.Lift(nn.Linear(30, 5)), norse.Lift(readout))
        )
        asked: dict[str, Any] = {"timesteps": STEPS, "encoding": "events"}
        student = proven(sw.Student.from_module(loud(network, 40.0), input_shape=(20,), **asked))
        alphas = [float(each.alpha) for each in student.network.modules() if hasattr(each, "alpha")]
        betas = [float(each.beta) for each in student.network.modules() if hasattr(each, "beta")]
        assert alphas == pytest.approx([0.7, 0.7]) and betas == pytest.approx([0.84, 0.84])

    @pytest.mark.parametrize("state", ["given", "too late"])
    def test_a_state_that_is_not_zero_is_refused(self, norse: Any, state: str) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc, self.lif = nn.Linear(20, 5), norse.LIF()

            def forward(self, x: Tensor) -> Tensor:
                made = self.fc(x.unsqueeze(0).repeat(STEPS, 1, 1))
                start = norse.LIFFeedForwardState(v=torch.full_like(made[0], 0.5), i=torch.zeros_like(made[0]))
                if state == "given":
                    return self.lif(made, start)[0]
                return self.lif(made, self.lif(made)[1])[0]

        said = "lif: starts from a state that is not zero" if state == "given" else "lif: goes through all steps in one"
        with pytest.raises(InputError, match=said):
            sw.Student.from_module(Net(), torch.rand(BATCH, 20))

    def test_layers_with_weights_of_their_own_are_refused_with_what_to_write(self, norse: Any) -> None:
        network = norse.SequentialState(nn.Linear(20, 30), norse.LIFCell(), norse.LILinearCell(30, 5))
        with pytest.raises(
            InputError, match=r"2: is a LILinearCell, .*; write it as nn\.Linear without a bias and LICell"
        ):
            sw.Student.from_module(network, torch.rand(BATCH, 20), timesteps=STEPS)

    def test_a_step_that_is_too_long_is_refused(self, norse: Any) -> None:
        network = norse.SequentialState(nn.Linear(20, 5), norse.LIFCell(dt=0.01))
        with pytest.raises(InputError, match="its alpha reaches from -1 to -1; a decay is from 0 to 1"):
            sw.Student.from_module(network, torch.rand(BATCH, 20), timesteps=STEPS)
