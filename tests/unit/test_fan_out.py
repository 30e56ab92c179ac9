"""Synapses per spike, against counting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from spikewright.chip.fan_out import fan_out, fan_out_of_weights, taps
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, output_shape


def network(source: tuple[int, ...], connection: Connection) -> ChipNetwork:
    shape = output_shape(connection, Population("a", source, "input", None))
    neuron = Neuron(4095, 0, 1, np.zeros(shape, dtype=np.int64))
    populations = (Population("a", source, "input", None), Population("b", shape, "readout", neuron))
    return ChipNetwork(populations, (connection,), 1, "rate", "count", "none", "")


def test_dense_reaches_every_target_even_where_weights_are_zero() -> None:
    connection = Connection("a", "b", np.zeros((7, 12), dtype=np.int64))
    assert np.array_equal(fan_out(network((3, 2, 2), connection), connection), np.full((3, 2, 2), 7))


def test_a_border_reaches_fewer() -> None:
    connection = Connection("a", "b", np.ones((5, 1, 3, 3), dtype=np.int64), conv=ConvGeometry(padding=(1, 1)))
    assert fan_out(network((1, 3, 4), connection), connection).tolist() == [
        [[20, 30, 30, 20], [30, 45, 45, 30], [20, 30, 30, 20]]
    ]


@given(
    groups=st.integers(1, 3),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(5, 8), st.integers(5, 8)),
    seed=st.integers(0, 99),
)
def test_equals_the_transposed_convolution_of_ones(
    groups: int,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    kernel: tuple[int, int],
    size: tuple[int, int],
    seed: int,
) -> None:
    weight = np.random.default_rng(seed).integers(0, 2, (2 * groups, 2, *kernel))
    connection = Connection("a", "b", weight, conv=ConvGeometry(stride, padding, dilation, groups))
    source = (2 * groups, *size)
    chip = network(source, connection)
    for found, kernels in ((fan_out(chip, connection), weight * 0 + 1), (fan_out_of_weights(chip, connection), weight)):
        x = torch.zeros(1, *source, dtype=torch.float64, requires_grad=True)
        reached = torch.from_numpy(kernels).double()
        functional.conv2d(x, reached, None, stride, padding, dilation, groups).sum().backward()
        assert x.grad is not None
        assert np.array_equal(found, x.grad[0].numpy())


@pytest.mark.parametrize(("padding", "expected"), [(0, [1, 2, 2, 1]), (1, [2, 2, 2, 2]), (2, [2, 2, 2, 2])])
def test_taps_along_an_axis(padding: int, expected: list[int]) -> None:
    outputs = 4 + 2 * padding - 1
    assert taps(4, outputs, kernel=2, stride=1, padding=padding, dilation=1).sum(axis=1).tolist() == expected
