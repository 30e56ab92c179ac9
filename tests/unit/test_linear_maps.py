"""Linear maps scaled, added and made dense, by hand."""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikewright.base.errors import InputError
from spikewright.chip.network import ConvGeometry
from spikewright.graph.wiring import wire
from spikewright.lowering import draft as drafting
from spikewright.lowering.draft import Draft, InputFormat, draft_from_nir
from spikewright.lowering.linear_map import LinearMap, compose, frame, identity

KERNEL = np.array([1.0, 2, 3, 4]).reshape(2, 1, 1, 2)
CONV = LinearMap(KERNEL, (1, 1, 3), (2, 1, 2), ConvGeometry())
DENSE = [[1, 2, 0], [0, 1, 2], [3, 4, 0], [0, 3, 4]]


def test_values_over_one_axis_stand_upright_or_lie() -> None:
    assert frame((3, 5)) == (3, 5, 1)
    assert frame((3, 5), lying=True) == (3, 1, 5)
    assert frame((7,), lying=True) == (7,)
    assert frame((2, 3, 4), lying=True) == (2, 3, 4)


def test_a_kernel_as_a_matrix() -> None:
    made = CONV.dense()
    assert (made.weight.tolist(), made.conv, made.source_shape, made.target_shape) == (
        DENSE,
        None,
        (1, 1, 3),
        (2, 1, 2),
    )
    assert made.dense() is made


def test_gains_keep_a_kernel_where_channels_have_one() -> None:
    one = CONV.scaled(np.full((2, 1, 2), 3.0))
    assert (one.weight.tolist(), one.conv) == ((3 * KERNEL).tolist(), CONV.conv)
    channels = CONV.scaled(np.array([2.0, 2, 5, 5]).reshape(2, 1, 2))
    assert channels.weight.ravel().tolist() == [2, 4, 15, 20]
    assert channels.conv == CONV.conv
    pixels = CONV.scaled(np.array([2.0, 3, 5, 7]).reshape(2, 1, 2))
    assert pixels.conv is None
    assert pixels.weight.tolist() == [[2, 4, 0], [0, 3, 6], [15, 20, 0], [0, 21, 28]]
    rows = CONV.dense().scaled(np.array([2.0, 3, 5, 7]).reshape(2, 1, 2))
    assert rows.weight.tolist() == pixels.weight.tolist()


def test_sums_keep_a_kernel_where_both_are_alike() -> None:
    both = CONV.plus(replace(CONV, weight=10 * KERNEL))
    assert (both.weight.ravel().tolist(), both.conv) == ([11, 22, 33, 44], CONV.conv)
    mixed = CONV.plus(replace(CONV.dense(), weight=np.ones((4, 3))))
    assert (mixed.weight.tolist(), mixed.conv) == ((np.array(DENSE) + 1).tolist(), None)
    wider = LinearMap(np.ones((2, 1, 1, 1)), (1, 1, 3), (2, 1, 3), ConvGeometry())
    padded = replace(wider, target_shape=(2, 1, 2), conv=ConvGeometry(stride=(1, 2)))
    assert CONV.plus(padded).weight.tolist() == (np.array(DENSE) + [[1, 0, 0], [0, 0, 1]] * 2).tolist()


def test_the_identity_is_depthwise_or_a_unit_matrix() -> None:
    maps = identity((2, 3, 3))
    assert (maps.weight.tolist(), maps.conv) == ([[[[1.0]]], [[[1.0]]]], ConvGeometry(groups=2))
    assert maps.dense().weight.tolist() == np.eye(18).tolist()
    assert (identity((3,)).weight.tolist(), identity((3,)).conv) == (np.eye(3).tolist(), None)


def test_two_convolutions_in_a_row_are_one() -> None:
    """Rows: kernels of 2 with strides of 2 and 1 and a dilation of 2; columns: 1 and 1 with padding."""
    first = nir.Conv2d(None, np.array([1.0, 10]).reshape(1, 1, 2, 1), (2, 1), (0, 1), (1, 1), 1, np.zeros(1))
    second = nir.Conv2d(None, np.array([1.0, 100]).reshape(1, 1, 2, 1), (1, 3), 0, (2, 1), 1, np.zeros(1))
    made = compose([first, second], (1, 8, 4))
    assert made.conv == ConvGeometry(stride=(2, 3), padding=(0, 1))
    assert made.weight.ravel().tolist() == [1, 10, 0, 0, 100, 1000]
    assert made.target_shape == (1, 2, 2)


def test_paddings_of_two_convolutions_add_up() -> None:
    """A first kernel of 1 without padding reads zeros where the second pads; strides of 2 and 3 between them."""
    first = nir.Conv2d(None, np.ones((1, 1, 1, 1)), (2, 3), 0, (1, 1), 1, np.zeros(1))
    second = nir.Conv2d(None, np.ones((1, 1, 3, 5)), 1, (1, 2), (1, 1), 1, np.zeros(1))
    made = compose([first, second], (1, 5, 7))
    assert made.conv == ConvGeometry(stride=(2, 3), padding=(2, 6))
    assert made.target_shape == (1, 3, 3)
    assert made.weight.shape == (1, 1, 5, 13)


@pytest.mark.parametrize(("kind", "value"), [(nir.SumPool2d, 1.0), (nir.AvgPool2d, 1 / 6)])
def test_pooling_is_a_depthwise_convolution(kind: type, value: float) -> None:
    pool = kind(np.array([2, 3]), np.array([2, 3]), np.array([0, 0]))
    made = compose([pool], (2, 4, 6))
    assert made.conv == ConvGeometry(stride=(2, 3), groups=2)
    assert made.weight.shape == (2, 1, 2, 3)
    assert np.unique(made.weight).tolist() == [pytest.approx(value)]


def test_nothing_but_flattening_is_the_unit_matrix() -> None:
    flat = nir.Flatten({"input": np.array([1, 2, 2])}, 0, -1)
    assert compose([flat], (1, 2, 2)).weight.tolist() == np.eye(4).tolist()
    weight = np.arange(8.0).reshape(2, 4)
    assert compose([flat, nir.Linear(weight)], (1, 2, 2)).weight.tolist() == weight.tolist()
    twice = compose([nir.Linear(weight), nir.Linear(np.array([[1.0, 10.0]]))], (4,))
    assert twice.weight.tolist() == [[40, 51, 62, 73]]


def parallel(ways: int) -> Draft:
    """So many linear nodes side by side, with the weights 1, 2, 3 and so on."""
    one = np.ones(1)
    nodes: dict[str, nir.NIRNode] = {f"w{i}": nir.Linear(np.array([[1.0 + i]])) for i in range(ways)}
    nodes |= {"input": nir.Input(one), "n": nir.IF(one, one), "output": nir.Output(one)}
    edges = [edge for i in range(ways) for edge in (("input", f"w{i}"), (f"w{i}", "n"))]
    graph = nir.NIRGraph(nodes, [*edges, ("n", "output")], type_check=False)
    return draft_from_nir(wire(graph), 1.0, InputFormat(4, "events", 8), {})


def test_paths_side_by_side_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [c.weight.tolist() for c in parallel(12).connections] == [[[78.0]]]
    monkeypatch.setattr(drafting, "_MOST_PATHS", 3)
    assert len(parallel(3).connections) == 1
    with pytest.raises(
        InputError, match=r"^node 'n': more than 3 paths of linear nodes lead to it; merge some of them$"
    ):
        parallel(4)


def test_a_scale_of_each_place_is_no_convolution() -> None:
    """One value for each channel is a part of the kernel behind it; one that differs inside a channel is a matrix."""
    conv = nir.Conv2d((2, 2), np.ones((1, 2, 1, 1)), 1, 0, 1, 1, np.zeros(1))
    by_channel = np.array([2.0, 3.0]).reshape(2, 1, 1) * np.ones((2, 2, 2))
    kernel = compose([nir.Scale(by_channel), conv], (2, 2, 2))
    assert (kernel.conv is None, kernel.weight.reshape(-1).tolist()) == (False, [2.0, 3.0])
    by_place = by_channel.copy()
    by_place[0, 0, 1] = 5.0
    matrix = compose([nir.Scale(by_place), conv], (2, 2, 2))
    assert matrix.conv is None
    expected = np.concatenate([np.diag([2.0, 5.0, 2.0, 2.0]), 3 * np.eye(4)], 1)
    np.testing.assert_array_equal(matrix.weight, expected)


@pytest.mark.parametrize(("first", "second", "groups"), [(4, 2, 2), (2, 4, 2), (4, 4, 4), (1, 4, 1), (4, 1, 1)])
def test_two_grouped_convolutions_keep_the_groups_that_both_can_have(first: int, second: int, groups: int) -> None:
    random = np.random.default_rng(7)
    kernels = [random.normal(size=(4, 4 // count, 2, 2)) for count in (first, second)]
    nodes = [
        nir.Conv2d(None, kernel, 1, 0, 1, count, np.zeros(4))
        for kernel, count in zip(kernels, (first, second), strict=True)
    ]
    made = compose(nodes, (4, 5, 5))
    assert made.conv is not None and made.conv.groups == groups
    assert made.weight.shape == (4, 4 // groups, 3, 3)
    value = torch.from_numpy(random.normal(size=(2, 4, 5, 5)))
    expected = F.conv2d(
        F.conv2d(value, torch.from_numpy(kernels[0]), groups=first), torch.from_numpy(kernels[1]), groups=second
    )
    torch.testing.assert_close(F.conv2d(value, torch.from_numpy(made.weight), groups=groups), expected)


def test_a_dilation_over_one_axis_leaves_the_other_at_1() -> None:
    conv = nir.Conv1d(None, np.ones((1, 1, 2)), 2, 1, 3, 1, np.zeros(1))
    standing = compose([conv], (1, 9)).conv
    lying = compose([conv], (1, 9), lying=True).conv
    assert standing is not None and lying is not None
    assert (standing.stride, standing.padding, standing.dilation) == ((2, 1), (1, 0), (3, 1))
    assert (lying.stride, lying.padding, lying.dilation) == ((1, 2), (0, 1), (1, 3))


def test_flattening_an_axis_of_one_leaves_a_convolution() -> None:
    """Values of a series with a row of one, as convolutions over one axis take them; what merges axes is a matrix."""
    kernel = np.arange(1.0, 7.0).reshape(1, 2, 3)
    conv = nir.Conv1d(None, kernel, 1, 0, 1, 1, np.zeros(1))
    made = compose([nir.Flatten({"input": np.array([2, 5, 1])}, 1, 2), conv], (2, 5, 1))
    assert made.conv is not None and made.weight.reshape(-1).tolist() == [1, 2, 3, 4, 5, 6]
    merged = compose([nir.Flatten({"input": np.array([2, 5, 1])}, 0, -1), nir.Linear(np.ones((1, 10)))], (2, 5, 1))
    assert merged.conv is None and merged.weight.tolist() == [[1.0] * 10]


def test_one_factor_for_all_values_stays_a_convolution() -> None:
    made = compose(
        [nir.Scale(np.array([2.0])), nir.Conv2d((2, 2), np.ones((1, 3, 1, 1)), 1, 0, 1, 1, np.zeros(1))], (3, 2, 2)
    )
    assert made.conv is not None
    assert made.weight.tolist() == [[[[2.0]], [[2.0]], [[2.0]]]]
