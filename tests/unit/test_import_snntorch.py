"""Networks in the forms that snnTorch's tutorials teach become students that spike as they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import snntorch as snn
import torch
import torch.nn.functional as F
from snntorch import spikegen, utils
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError

STEPS, BATCH = 6, 4
ZERO: dict[str, Any] = {"reset_mechanism": "zero"}
LOUD = 4.0
"""Weights are multiplied by it, so that untrained networks spike."""


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Dense(nn.Module):
    """Two dense layers, as in tutorial 5."""

    def __init__(self, entering: int = 20, leaving: int = 3, **settings: Any) -> None:
        super().__init__()
        self.fc1 = nn.Linear(entering, 30)
        self.lif1 = snn.Leaky(beta=0.9, **settings)
        self.fc2 = nn.Linear(30, leaving)
        self.lif2 = snn.Leaky(beta=0.8, **settings)


class Fixed(Dense):
    """The loop has a fixed length, states are handed round, spikes and potentials are stacked."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, potentials = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(F.dropout(spk1, 0.5, self.training)), mem2)
            spikes.append(spk2)
            potentials.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(potentials, dim=0)


class OverInput(Dense):
    """The loop goes over the first axis of its input."""

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        counted = 0
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step].view(x.size(1), -1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            counted = counted + spk2
        return counted


class BatchFirst(Dense):
    """The steps are the second axis, the weights are applied to all of them before the loop, a buffer is filled."""

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        current = self.fc1(x)
        out = torch.zeros(x.shape[1], x.shape[0], 3)
        for step in range(x.shape[1]):
            spk1, mem1 = self.lif1(current[:, step], mem1)
            out[step], mem2 = self.lif2(self.fc2(spk1), mem2)
        return out.sum(0)


class Coded(Dense):
    """Spikes are made inside."""

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes = []
        for spk in spikegen.rate(x.flatten(1), num_steps=STEPS):
            spk1, mem1 = self.lif1(self.fc1(spk), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class OneStep(Dense):
    """The loop is outside, and the states go in and out."""

    def forward(self, x: Tensor, mem1: Tensor | None = None, mem2: Tensor | None = None) -> tuple[Tensor, ...]:
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


class LayerByLayer(Dense):
    """Each layer runs through all steps before the next begins."""

    def forward(self, x: Tensor) -> Tensor:
        for number, (fc, lif) in enumerate(((self.fc1, self.lif1), (self.fc2, self.lif2))):
            mem, spikes = lif.reset_mem(), []
            for step in range(STEPS):
                spk, mem = lif(fc(x if number == 0 else x[step]), mem)
                spikes.append(spk)
            x = torch.stack(spikes)
        return x


class Convolutions(nn.Module):
    """Tutorial 6: hidden states, ``utils.reset``, functional pooling and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(1, 4, 3), snn.Leaky(beta=0.9, init_hidden=True, **ZERO)
        self.conv2, self.lif2 = nn.Conv2d(4, 6, 3, padding=1), snn.Leaky(beta=0.9, init_hidden=True, **ZERO)
        self.fc, self.lif3 = nn.Linear(54, 5), snn.Leaky(beta=0.9, init_hidden=True, output=True, **ZERO)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spk1 = self.lif1(F.avg_pool2d(self.conv1(x), 2))
        spk2 = self.lif2(self.conv2(spk1))
        return self.lif3(self.fc(spk2.view(x.size(0), -1)))


class Listed(nn.Module):
    """ModuleLists, a layer of weights that is shared, and a sum of two paths."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n, 16) for n in (12, 16))
        self.neurons = nn.ModuleList(snn.Synaptic(alpha=0.5, beta=0.8, reset_delay=False, **ZERO) for _ in range(3))
        self.head, self.readout = nn.Linear(16, 4), snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states = [each.reset_mem() for each in self.neurons]
        mem = self.readout.reset_mem()
        for _ in range(STEPS):
            first, *states[0] = self.neurons[0](self.layers[0](x), *states[0])
            second, *states[1] = self.neurons[1](self.layers[1](first), *states[1])
            third, *states[2] = self.neurons[2](self.layers[1](second) + self.layers[1](first), *states[2])
            spk, mem = self.readout(self.head(third), mem)
        return spk, mem


class Sequence(nn.Module):
    """Convolutions over one axis, constants of each channel and each neuron."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 6, 3, padding=1), nn.BatchNorm1d(6)
        self.lif1 = snn.Leaky(beta=torch.rand(6, 1), threshold=torch.rand(6, 1) + 0.3, learn_beta=True, **ZERO)
        self.fc = nn.Linear(6 * 4, 3)
        self.lif2 = snn.Leaky(beta=torch.rand(3), learn_threshold=True, **ZERO)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        total = torch.zeros(1)
        for _ in range(STEPS):
            spk, mem1 = self.lif1(self.norm(self.conv(x)), mem1)
            spk, mem2 = self.lif2(self.fc(F.avg_pool1d(spk, 2).flatten(1)), mem2)
            total = total + spk
        return total


class Branches(nn.Module):
    """Two branches that are concatenated, max pooling of spikes, and neurons that hear themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(1, 2, 5, padding=2)
        self.lif1, self.lif2 = snn.Leaky(beta=0.8), snn.Leaky(beta=0.6)
        self.fc = nn.Linear(5 * 4, 6)
        self.lif3 = snn.RLeaky(beta=0.7, linear_features=6)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spk3, mem3 = self.lif3.reset_mem()
        total = torch.zeros(1)
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.one(x), mem1)
            spk2, mem2 = self.lif2(self.other(x), mem2)
            both = torch.cat((F.max_pool2d(spk1, 2), F.avg_pool2d(spk2, 2)), dim=1)
            spk3, mem3 = self.lif3(self.fc(both.flatten(1)), spk3, mem3)
            total = total + spk3
        return total


class Convolved(Dense):
    """An image at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        mem1, spikes = self.lif1.reset_mem(), []
        for image in x:
            spk1, mem1 = self.lif1(self.fc1(self.conv(image).flatten(1)), mem1)
            spikes.append(spk1)
        return torch.stack(spikes)


class NoReadout(Dense):
    """The last layer has no neurons; its values are averaged over time."""

    def forward(self, x: Tensor) -> Tensor:
        mem1, currents = self.lif1.reset_mem(), []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            currents.append(self.fc2(spk1))
        return torch.stack(currents).mean(0)


def loud(network: nn.Module) -> nn.Module:
    """The network with larger weights, and running statistics as after a training."""
    with torch.no_grad():
        for each in network.modules():
            if isinstance(each, nn.Linear | nn.Conv1d | nn.Conv2d):
                each.weight *= LOUD
            if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d):
                each.running_mean.uniform_(-0.5, 0.5)
                each.running_var.uniform_(0.3, 2.0)
    return network


def frames(*shape: int) -> Tensor:
    return (torch.rand(*shape) < 0.4).float()


NETWORKS = {
    "fixed": (lambda: Fixed(**ZERO), (BATCH, 20), {}, "count", "direct", 3),
    "subtracting": (lambda: Fixed(), (BATCH, 20), {}, "count", "direct", 3),
    "subtracting, one step": (lambda: OneStep(), (BATCH, 20), {"timesteps": STEPS}, "count", "direct", 3),
    "over input": (lambda: OverInput(**ZERO), (STEPS, BATCH, 1, 4, 5), {"encoding": "rate"}, "count", "rate", 3),
    "batch first": (lambda: BatchFirst(**ZERO), (BATCH, STEPS, 20), {"encoding": "events"}, "count", "events", 3),
    "coded": (lambda: Coded(**ZERO), (BATCH, 1, 4, 5), {}, "count", "rate", 3),
    "one step": (lambda: OneStep(**ZERO), (BATCH, 20), {"timesteps": STEPS}, "count", "direct", 3),
    "layer by layer": (lambda: LayerByLayer(**ZERO), (BATCH, 20), {}, "count", "direct", 3),
    "convolutions": (Convolutions, (BATCH, 1, 8, 8), {"timesteps": STEPS}, "count", "direct", 5),
    "listed": (Listed, (BATCH, 12), {}, "membrane", "direct", 4),
    "sequence": (Sequence, (BATCH, 2, 8), {}, "count", "direct", 3),
    "branches": (Branches, (BATCH, 1, 4, 4), {}, "count", "direct", 6),
    "no readout": (lambda: NoReadout(**ZERO), (BATCH, 20), {}, "membrane", "direct", 3),
    "population": (lambda: Fixed(leaving=6, **ZERO), (BATCH, 20), {"classes": 3}, "count", "direct", 6),
}


def test_what_snntorch_computes_otherwise_than_the_chip_is_found_by_the_proof() -> None:
    network = loud(Fixed(reset_delay=False))
    with pytest.raises(AnswerIsNo, match="counts as reset once more in the next step") as caught:
        with torch.no_grad():
            network.fc1.weight *= 8
        sw.Student.from_module(network, torch.rand(BATCH, 20))
    assert "whose membrane potential is" in str(caught.value)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_snntorch_becomes_a_student(name: str, tmp_path: Path) -> None:
    build, shape, asked, readout, encoding, outputs = NETWORKS[name]
    changing = encoding in ("rate", "events") and name != "coded"
    student = sw.Student.from_module(loud(build()), frames(*shape) if changing else torch.rand(shape), **asked)

    origin, config = student.origin, student.config
    assert origin is not None and origin.proof is not None
    proof = origin.proof
    assert proof.fired > 100 and proof.ties == 0 and proof.samples == BATCH + 32, proof
    assert (config.timesteps, config.readout, config.encoding) == (STEPS, readout, encoding)
    assert config.outputs == outputs and config.architecture == "imported"
    sw.save_student(student, tmp_path / "student.pt", {})
    loaded = sw.load_student(tmp_path / "student.pt")
    samples = torch.rand(3, *config.input_shape) if encoding != "events" else frames(3, STEPS, *config.input_shape)
    assert torch.equal(loaded(samples).scores, student(samples).scores)
    sw.to_nir(loaded)


def test_the_readout_that_was_trained_as_a_mean_gives_the_same_answers() -> None:
    network, x = loud(NoReadout(**ZERO)), torch.rand(BATCH, 20)
    student = sw.Student.from_module(network, x)
    drive = x.reshape(1, BATCH, 20, 1, 1)
    assert torch.allclose(student.run(drive).scores / STEPS, network(x), atol=1e-5)


def test_the_networks_own_counts_are_the_students() -> None:
    network, x = loud(Fixed(**ZERO)), torch.rand(BATCH, 20)
    student = sw.Student.from_module(network.train(), x)
    assert network.training
    assert torch.equal(student.run(x.reshape(1, BATCH, 20, 1, 1)).scores, network.eval()(x)[0].sum(0))


def test_random_samples_of_a_shape_are_enough() -> None:
    student = sw.Student.from_module(loud(Fixed(**ZERO)), input_shape=(1, 4, 5))
    assert student.config.input_shape == (1, 4, 5)
    student = sw.Student.from_module(loud(OverInput(**ZERO)), input_shape=(1, 4, 5), timesteps=9, encoding="rate")
    assert (student.config.timesteps, student.config.input_shape) == (9, (1, 4, 5))


def test_series_of_vectors_enter_step_by_step_where_the_example_says_so() -> None:
    network, x = loud(OverInput(**ZERO)), torch.rand(STEPS, BATCH, 1, 4, 5)
    series = sw.Student.from_module(network, x, encoding="direct")
    assert series.config.changes_each_step
    assert series.config.input_shape == (20, 1, 1)
    assert series.origin is not None and series.origin.proof is not None and series.origin.proof.samples == BATCH + 32
    same = sw.Student.from_module(network, x[:1].expand(x.shape), encoding="direct")
    assert (same.config.changes_each_step, same.config.input_shape) == (False, (1, 4, 5))
    said = faults_of(Convolved(), torch.rand(STEPS, BATCH, 1, 4, 5), encoding="direct")
    assert "takes images or sequences of values that change from step to step" in said
    assert same.origin is not None and "the student gets the same values in each" in " ".join(same.origin.remarks)


def faults_of(network: nn.Module, example: Tensor, **asked: Any) -> str:
    with pytest.raises(InputError) as caught:
        sw.Student.from_module(network, example, **asked)
    return str(caught.value)


@pytest.mark.parametrize("batch", [1, STEPS - 1, STEPS, STEPS + 1])
@pytest.mark.parametrize("batch_first", [False, True])
def test_as_many_samples_as_timesteps_are_told_from_them(batch: int, batch_first: bool) -> None:
    network = loud((BatchFirst if batch_first else OverInput)(**ZERO))
    x = frames(batch, STEPS, 20) if batch_first else frames(STEPS, batch, 20)
    student = sw.Student.from_module(network, x, encoding="events")
    assert student.config.timesteps == STEPS
    frame_by_frame = x.movedim(1, 0) if batch_first else x
    assert torch.equal(student.run(frame_by_frame[..., None, None]).scores, network(x))


def test_what_is_ambiguous_is_asked_for() -> None:
    said = faults_of(OverInput(**ZERO), frames(STEPS, BATCH, 20))
    assert "takes an input for each step; say what these are: encoding=direct" in said
    assert "say for how many steps it is run: timesteps" in faults_of(Convolutions(), torch.rand(BATCH, 1, 8, 8))
    said = faults_of(Fixed(**ZERO), torch.rand(BATCH, 20), timesteps=9)
    assert f"runs {STEPS} steps, and timesteps=9 are asked for" in said
    said = faults_of(Fixed(**ZERO), torch.rand(BATCH, 20), readout="membrane")
    assert "the last neurons (lif2) fire" in said
    assert "3 outputs, no multiple" in faults_of(Fixed(**ZERO), torch.rand(BATCH, 20), classes=2)


class Changing(Dense):
    """Something is not as it should be."""

    def __init__(self, fault: str) -> None:
        super().__init__(**ZERO)
        self.fault = fault
        self.norms = nn.ModuleList(nn.BatchNorm1d(30) for _ in range(STEPS))
        self.layer_norm, self.pool = nn.LayerNorm(30), nn.MaxPool1d(2)
        self.register_buffer("noise", torch.rand(30))

    def forward(self, x: Tensor) -> Tensor:
        mem1 = torch.ones(x.size(0), 30) if self.fault == "start" else self.lif1.reset_mem()
        mem2, spikes, before = self.lif2.reset_mem(), [], torch.zeros(x.size(0), 30)
        for step in range(STEPS):
            current = self.fc1(x)
            changed = {
                "norms": self.norms[step],
                "layer norm": self.layer_norm,
                "pool": lambda c: self.pool(torch.stack((c, c), 2).flatten(1)),
                "noise": lambda c: c + self.noise,
                "gate": lambda c: c * c,
            }
            current = changed[self.fault](current) if self.fault in changed else current
            if self.fault == "last step" and step == STEPS - 1:
                current = F.relu(current)
            if self.fault == "decayed" and step:
                mem1 = mem1 * 0.5
            if self.fault == "forgotten":
                mem1 = torch.zeros(x.size(0), 30)
            spk1, mem1 = self.lif1(current, mem1)
            if self.fault == "two faults":
                spk1 = torch.sigmoid(self.pool(spk1.repeat(1, 2)))
            taken = {"recurrent": before, "potentials": mem1}.get(self.fault, spk1)
            before = spk1
            spk2, mem2 = self.lif2(self.fc2(taken), mem2)
            spikes.append(mem2 if self.fault == "answers" else spk2)
        return spikes[-1] if self.fault == "one step" else torch.stack(spikes)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("norms", "a batch norm for each step (BatchNormTT)"),
        ("layer norm", "layer_norm: is a LayerNorm, which divides by the spread of each sample"),
        ("noise", "adds what is no value of another layer"),
        ("gate", "multiplies values with one another"),
        ("last step", f"lif1: is fed by 'fc1' in step 0 and otherwise, by 'relu', in step {STEPS - 1}"),
        ("decayed", "lif1: gets a state from the code around it in step 1"),
        ("forgotten", "lif1: starts from zero again in step 1"),
        ("start", "lif1: starts from a state that is not zero"),
        ("recurrent", "lif2: takes spikes of 'lif1' of step 0 in step 1, and a layer of a student hears"),
        ("potentials", "lif1: hands its membrane on to another layer"),
        ("answers", "returns the membranes of neurons that fire (lif2)"),
        ("one step", f"returns the spikes of lif2 in 1 of {STEPS} steps"),
        ("two faults", "2 faults"),
        ("pool", "pool: is a max pool of currents, and the largest of several currents is no weighted sum"),
    ],
)
def test_what_no_chip_does_is_refused_in_the_fields_words(fault: str, said: str) -> None:
    assert said in faults_of(Changing(fault), torch.rand(BATCH, 20))


@pytest.mark.parametrize(
    ("neuron", "said"),
    [
        (lambda: snn.Alpha(alpha=0.9, beta=0.8), "is an Alpha neuron"),
        (lambda: snn.Lapicque(R=1.0, C=2.0, time_step=0.5), "write it as snn.Leaky with beta = 1 - time_step / (R C)"),
        (lambda: snn.LeakyParallel(4, 4), "is a LeakyParallel, which has no step in time"),
        (lambda: snn.SLSTM(4, 4), "is a SLSTM, whose gates"),
        (lambda: snn.Leaky(beta=0.9, graded_spikes_factor=0.5, **ZERO), "has a graded_spikes_factor that is not 1"),
    ],
)
def test_neurons_without_a_counterpart_are_refused_with_a_remedy(neuron: Any, said: str) -> None:
    network = nn.Sequential(nn.Linear(4, 4), neuron())
    assert said in faults_of(network, torch.rand(2, 4), timesteps=3)


REVERSED = [2, 1, 0]


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        (lambda spikes: spikes, True),
        (lambda spikes: spikes.sum(0), True),
        (lambda spikes: spikes.mean(0).log_softmax(1), True),
        (lambda spikes: spikes.sum(0).argmax(1), True),
        (lambda spikes: spikes.transpose(0, 1), True),
        (lambda spikes: spikes.sum(0)[:, REVERSED], False),
        (lambda spikes: spikes.sum(0)[:, :2], False),
        (lambda spikes: spikes.sum(0) * torch.tensor([1.0, 2.0, 3.0]), False),
        (lambda spikes: spikes.max(0)[0], False),
        (lambda spikes: spikes[-1], False),
    ],
)
def test_what_is_computed_behind_the_last_neurons_is_refused_or_left_out_on_demand(answer: Any, same: bool) -> None:
    class Answering(Fixed):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            return answer(super().forward(x)[0])

    network, x = loud(Answering(**ZERO)), torch.rand(BATCH, 20)
    if same:
        assert not any("left out" in remark for remark in sw.Student.from_module(network, x).origin.remarks)
        return
    with pytest.raises(InputError, match="computes something of the results of lif2 before it returns them"):
        sw.Student.from_module(network, x)
    remarks = sw.Student.from_module(network, x, readout="count").origin.remarks
    assert "lif2: what the network computes behind it is left out; its count is read" in remarks


@pytest.mark.parametrize("side_by_side", [True, False])
def test_a_population_code_lies_side_by_side(side_by_side: bool) -> None:
    class Answering(Fixed):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            counts = super().forward(x)[0].sum(0)
            return counts.reshape(-1, 3, 4).sum(2) if side_by_side else counts.reshape(-1, 4, 3).sum(1)

    network, x = loud(Answering(leaving=12, **ZERO)), torch.rand(BATCH, 20)
    if side_by_side:
        student = sw.Student.from_module(network, x, classes=3)
        assert (student.config.classes, student.config.outputs) == (3, 12)
        return
    with pytest.raises(InputError, match="computes something of the results of lif2"):
        sw.Student.from_module(network, x, classes=3)


@pytest.mark.parametrize(
    ("example", "asked", "said"),
    [
        (
            torch.rand(BATCH, 20) * 255,
            {},
            "and values enter a student from 0 to 1: scale the data to that",
        ),
        (-torch.rand(BATCH, 20), {}, r"example: reaches -.*, and values enter a student from 0 to 1"),
        (
            torch.ones(STEPS, BATCH, 20) * 2,
            {"encoding": "events"},
            "holds other values than 0 and 1 in its frames",
        ),
    ],
)
def test_examples_that_no_student_is_fed_with_are_refused(example: Tensor, asked: dict[str, Any], said: str) -> None:
    network = OverInput(**ZERO) if asked else Fixed(**ZERO)
    with pytest.raises(InputError, match=said):
        sw.Student.from_module(loud(network), example, **asked)


def test_shapes_of_vectors_are_enough() -> None:
    for given in ({"input_shape": (20,)}, {"example": torch.rand(BATCH, 20), "input_shape": (20,)}):
        student = sw.Student.from_module(loud(Fixed(**ZERO)), **given)
        assert student.config.input_shape == (20, 1, 1)
        assert "the input is rounded to 6 bits, as on the chip" in student.origin.remarks[-1]
    with pytest.raises(InputError, match=r"input_shape=\(\): must be \(C, H, W\), \(C, L\) or \(F,\)"):
        sw.Student.from_module(loud(Fixed(**ZERO)), input_shape=())


def test_a_network_that_stops_early_is_refused() -> None:
    class Early(Fixed):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            mem1, mem2, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
            self.calls += 1
            for _ in range(STEPS if self.calls < 4 else 2):
                spk1, mem1 = self.lif1(self.fc1(x), mem1)
                spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
                spikes.append(spk2)
            return torch.stack(spikes)

    student = sw.Student.from_module(loud(Early(**ZERO)), torch.rand(BATCH, 20))
    assert student.origin is not None
    with pytest.raises(InputError, match="the network runs 6 steps on one sample and 2 on another"):
        student.origin.prove(torch.rand(BATCH, 20))
