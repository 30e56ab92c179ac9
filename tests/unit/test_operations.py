"""Operations of a forward pass as modules: what they compute, when they drop out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikewright.base.errors import InputError
from spikewright.student.config import StudentConfig
from spikewright.student.linear_layers import turned_round
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.operations import Reshape
from spikewright.student.spatial_maps import depthwise, map_of_channel
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir


class Network(nn.Module):
    """A layer of spikes, an operation on them, and a readout."""

    def __init__(self, operation: Callable[[nn.Module, Tensor], Tensor], inputs: int) -> None:
        super().__init__()
        self.stem, self.lif = nn.Conv2d(1, 2, 1), spiking(NeuronSettings(threshold=0.1))
        self.head, self.readout = nn.Linear(inputs, 3), integrator()
        self.operation = [operation]

    def forward(self, value: Tensor) -> Tensor:
        result: Tensor = self.readout(self.head(self.operation[0](self, self.lif(self.stem(value)))))
        return result


def student(operation: Callable[[nn.Module, Tensor], Tensor], inputs: int = 32) -> Student:
    torch.manual_seed(0)
    made = Student(StudentConfig("own", 1, (1, 4, 4), 3, 3, "rate"), Network(operation, inputs)).eval()
    with torch.no_grad():
        made.network.stem.bias.fill_(0.3)
    return made


IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_dropout_in_a_forward_pass_follows_the_mode_of_the_network() -> None:
    made = student(lambda net, x: F.dropout(x, 0.5, net.training).flatten(1))
    assert torch.equal(made(IMAGES).scores, made(IMAGES).scores)
    made.train()
    assert not torch.equal(made(IMAGES).scores, made(IMAGES).scores)
    assert torch.equal(made.eval()(IMAGES).scores, made(IMAGES).scores)


@pytest.mark.parametrize(
    "operation",
    [
        lambda net, x: x.view(x.size(0), -1),
        lambda net, x: x.view(-1, 32),
        lambda net, x: x.reshape(x.shape[0], x.shape[1] * 16),
        lambda net, x: torch.reshape(x, (-1, 32)),
        lambda net, x: x.flatten(2).view(x.size(0), -1),
        lambda net, x: x.contiguous().flatten(1),
    ],
)
def test_ways_to_flatten(operation: Callable[[nn.Module, Tensor], Tensor]) -> None:
    plain = student(lambda net, x: torch.flatten(x, 1))
    made = student(operation)
    assert torch.equal(made(IMAGES).scores, plain(IMAGES).scores)
    kinds = {type(node).__name__ for node in to_nir(made).nodes.values()}
    assert kinds == {type(node).__name__ for node in to_nir(plain).nodes.values()}


def test_a_value_may_be_joined_with_itself() -> None:
    made = student(lambda net, x: torch.cat([x, x], 1).flatten(1), 64)
    once = student(lambda net, x: x.flatten(1))
    with torch.no_grad():
        made.network.head.weight.copy_(torch.cat([once.network.head.weight, 0 * once.network.head.weight], 1))
        made.network.head.bias.copy_(once.network.head.bias)
    torch.testing.assert_close(made(IMAGES).scores, once(IMAGES).scores)


def test_samples_do_not_mix() -> None:
    assert Reshape([lambda shape: shape[1] * shape[2], -1]).target((2, 4, 4)) == (8, 4)
    with pytest.raises(InputError, match=r"values of shape \(2, 4, 4\) the shape \(16,\), which would mix"):
        student(lambda net, x: x.view(-1, 16), 16)(IMAGES)


REFUSED = {
    "a sum with a factor": (lambda net, x: torch.add(x, x, alpha=2).flatten(1), "operation 'add' is add; in a forward"),
    "a product of values": (lambda net, x: (x * x).flatten(1), "operation 'mul' is mul; in a forward pass handled are"),
    "a nonlinearity": (lambda net, x: F.relu(x).flatten(1), "module 'relu' is a ReLU: it is the nonlinearity of"),
    "a softmax": (lambda net, x: F.softmax(x, 1).flatten(1), "module 'softmax' is a Softmax: it changes what neurons"),
    "an axis that is split": (lambda net, x: x.view(x.size(0), 2, 2, 2, 4).flatten(1), "module 'view' splits an axis"),
    "a largest of currents": (
        lambda net, x: F.max_pool2d(x * 2, 2).flatten(1),
        "module 'max_pool2d' is a MaxPool2d: the largest of several currents is no weighted sum",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_counterpart_is_refused(case: str) -> None:
    operation, says = REFUSED[case]
    with pytest.raises(InputError) as caught:
        to_nir(student(operation, 8 if "largest" in case else 32))
    assert says in str(caught.value)


def test_a_map_of_channels_is_two_convolutions() -> None:
    """By hand: 2 values become 4, each twice, in 2 channels."""
    matrix, target = map_of_channel(nn.Upsample(scale_factor=2), (2,))
    assert (matrix.tolist(), target) == ([[1, 0], [1, 0], [0, 1], [0, 1]], (4,))
    gather, spread = depthwise(matrix, 2, (2,), target)
    assert gather.weight.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]], [[0, 0], [0, 1]]]
    value = torch.tensor([[[1.0, 2], [3, 4]]])
    middle = F.conv1d(value, torch.from_numpy(gather.weight))
    made = F.conv1d(middle, torch.from_numpy(spread.weight), padding=spread.padding)
    assert made.tolist() == [[[1, 1, 2, 2], [3, 3, 4, 4]]]
    assert np.count_nonzero(spread.weight) == 8


def test_a_kernel_turned_round() -> None:
    """Two groups of one input and two outputs each, by hand."""
    weight = torch.arange(12.0).reshape(2, 2, 3)
    turned = turned_round(weight, 2)
    assert turned.tolist() == [[[2, 1, 0]], [[5, 4, 3]], [[8, 7, 6]], [[11, 10, 9]]]
