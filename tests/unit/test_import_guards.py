"""Weights in every form in which people hold them, and what is wrong with a network, said in one sentence."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.student.config import StudentConfig

STEPS = 5
ZERO: dict[str, Any] = {"reset_mechanism": "zero", "init_hidden": True}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(12, 16), snn.Leaky(beta=0.9, **ZERO), nn.Linear(16, 4), snn.Leaky(beta=0.9, **ZERO))
    with torch.no_grad():
        made[0].weight *= 4
        made[2].weight *= 4
    return made


def imported(module: Any, **asked: Any) -> sw.Student:
    torch.manual_seed(1)
    return sw.Student.from_module(module, torch.rand(3, 12), timesteps=STEPS, **asked)


def half(made: nn.Sequential) -> nn.Module:
    return made.half()


def pruned(made: nn.Sequential) -> nn.Module:
    prune.l1_unstructured(made[0], "weight", amount=0.5)
    return made


def weight_normed(made: nn.Sequential) -> nn.Module:
    parametrizations.weight_norm(made[0])
    return made


def weight_normed_of_old(made: nn.Sequential) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(made[0])
    return made


def spectral(made: nn.Sequential) -> nn.Module:
    parametrizations.spectral_norm(made[0])
    return made


def not_contiguous(made: nn.Sequential) -> nn.Module:
    made[0].weight = nn.Parameter(made[0].weight.detach().t().contiguous().t())
    assert not made[0].weight.is_contiguous()
    return made


def left_over(made: nn.Sequential) -> nn.Module:
    for _ in range(3):
        made(torch.rand(7, 12))  # states of another batch, with their gradients
    return made


def parallel(made: nn.Sequential) -> nn.Module:
    return nn.DataParallel(made)


def compiled(made: nn.Sequential) -> nn.Module:
    return torch.compile(made)  # type: ignore[return-value]


class Holder(nn.Module):
    """Only for training, without a forward pass of its own."""

    def __init__(self, made: nn.Module) -> None:
        super().__init__()
        self.model, self.loss = made, nn.CrossEntropyLoss()


@pytest.mark.parametrize(
    "form",
    [
        *(half, torch.nn.Sequential.bfloat16, torch.nn.Sequential.double, pruned, weight_normed, weight_normed_of_old),
        *(spectral, not_contiguous, left_over, parallel, compiled, Holder),
    ],
)
def test_weights_in_every_form_become_plain_ones(form: Callable[[Any], nn.Module]) -> None:
    given = form(network())
    student = imported(given)
    origin = student.origin
    assert origin is not None and origin.proof is not None and origin.proof.fired > 50
    assert all(value.dtype == torch.float32 for value in student.network.parameters())
    assert {name for name, _ in student.network.named_parameters()} == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_the_given_module_is_not_changed() -> None:
    given = network().train()
    before = copy.deepcopy(given.state_dict())
    imported(given)
    assert given.training and all(torch.equal(value, before[name]) for name, value in given.state_dict().items())
    assert not given[0]._forward_hooks and all(p.requires_grad for p in given[0].parameters())
    assert "__getitem__" not in vars(Tensor) and "__setitem__" not in vars(Tensor)


def said_of(module: Any, **asked: Any) -> str:
    with pytest.raises(InputError) as caught:
        imported(module, **asked)
    return str(caught.value)


def test_torchscript_is_named() -> None:
    assert "module: is TorchScript" in said_of(torch.jit.trace(nn.Linear(12, 4), torch.rand(1, 12)))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_named_with_their_layer(bad: float) -> None:
    made = network()
    with torch.no_grad():
        made[2].weight[0, :3] = bad
    assert "2.weight: 3 of 64 values are NaN or infinite" in said_of(made)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(beta=0.9, **ZERO)

    def forward(self, x: Tensor) -> Tensor:
        return self.lif(x) + self.missing


def test_an_exception_in_the_users_file_is_shown_as_theirs() -> None:
    said = said_of(Broken())
    assert "Broken: its forward raises AttributeError in line" in said and "test_import_guards.py" in said
    assert "has no attribute 'missing'" in said


def test_what_is_no_spiking_network_is_said() -> None:
    assert "module: is a state dict, which is weights without a network" in said_of(network().state_dict())
    assert "has no spiking neurons that are known here" in said_of(nn.Sequential(nn.Linear(12, 4), nn.ReLU()))
    with pytest.raises(InputError, match="example: is missing"):
        sw.Student.from_module(network())


class Odd(snn.Leaky):
    """Neurons of the user's own, which are called a Leaky and compute something else."""

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        return super().forward(input_.abs() + 0.3, mem)


def test_neurons_that_compute_something_else_are_found_by_the_proof() -> None:
    made = network()
    made[1] = Odd(beta=0.9, **ZERO)
    with pytest.raises(AnswerIsNo, match=r"the network does: 1, step \d, neuron \d+ of sample \d: [01] spikes in the"):
        imported(made)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: snn.LeakyParallel(12, 12), "1: is a LeakyParallel, which runs through time by itself"),
        (lambda: nn.LSTM(12, 12), "1: is a LSTM, whose gates multiply values"),
        (lambda: nn.MultiheadAttention(12, 2), "1: is attention, which multiplies values with one another"),
    ],
)
def test_a_student_of_ones_own_is_refused_layers_without_a_step(layer: Callable[[], nn.Module], said: str) -> None:
    readout = snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="none")
    with pytest.raises(InputError) as caught:
        sw.Student(StudentConfig("own.py:net", 4, (12, 1, 1), 3, 3), nn.Sequential(nn.Flatten(), layer(), readout))
    assert said in str(caught.value)


def test_a_proof_on_many_samples_is_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = imported(network()).origin
    monkeypatch.setattr("spikewright.importing.network.MOST_VALUES", 2000)
    parted = imported(network()).origin
    assert whole is not None and parted is not None
    assert len(list(parted.found.in_parts(torch.rand(32, 12)))) > 4
    assert whole.proof == parted.proof


@pytest.mark.parametrize(
    ("neurons", "said"),
    [
        (
            snn.Leaky(beta=torch.linspace(0.5, 1.2, 16), **ZERO),
            r"1: its beta is 1 \(5 of 16 values, the first at index 11; snnTorch takes larger values as 1",
        ),
        (
            snn.Synaptic(alpha=torch.tensor([1.5] + [0.5] * 15), beta=0.9, reset_delay=False, **ZERO),
            r"1: its alpha is 1 \(1 of 16 values, the first at index 0\), an infinite time constant",
        ),
        (
            snn.Synaptic(alpha=0.5, beta=1.0, reset_delay=False, **ZERO),
            r"1: its beta is 1 \(1 of 1 values, the first at index 0\), an infinite time constant",
        ),
    ],
)
def test_decays_of_one_that_no_chip_network_has_are_refused_where_they_are(neurons: nn.Module, said: str) -> None:
    made = network()
    made[1] = neurons
    with pytest.raises(InputError, match=said):
        imported(made)


@pytest.mark.parametrize("beta", [1.0, 1.5, torch.ones(16), 0.0, torch.linspace(-0.2, 0.9, 16)])
def test_decays_that_snntorch_takes_as_0_or_1_are_taken_so(beta: Any) -> None:
    made = network()
    made[1] = snn.Leaky(beta=beta, **ZERO)
    student = imported(made)
    found = next(each for each in student.network.modules() if isinstance(each, snn.Leaky)).beta
    assert torch.equal(found.expand(16), torch.as_tensor(beta).clamp(0, 1).expand(16))
    sw.to_nir(student)
