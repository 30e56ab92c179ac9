"""Linear paths become one connection that computes the same, and neuron nodes become populations."""

from __future__ import annotations

import nir
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.chip.network import ConvGeometry
from spikewright.graph.nodes import apply
from spikewright.graph.wiring import wire
from spikewright.lowering import linear_map
from spikewright.lowering.draft import Draft, InputFormat, begins, draft_from_nir, encodings_of, input_format
from spikewright.lowering.linear_map import LinearMap, compose
from spikewright.profile.profile import load_profile

DT = 1e-4


def pushed(linear: LinearMap, value: torch.Tensor) -> torch.Tensor:
    weight = torch.from_numpy(linear.weight)
    if linear.conv is None:
        return F.linear(value.flatten(1), weight).reshape(-1, *linear.target_shape)
    g = linear.conv
    return F.conv2d(value, weight, None, g.stride, g.padding, g.dilation, g.groups)


def conv(
    random: np.random.Generator,
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
) -> nir.Conv2d:
    weight = random.normal(size=(outputs, inputs // groups, kernel, kernel))
    return nir.Conv2d(None, weight, stride, padding, dilation, groups, np.zeros(outputs))


def pool(kind: type[nir.NIRNode], kernel: int, stride: int, padding: int = 0) -> nir.NIRNode:
    return kind(np.array([kernel] * 2), np.array([stride] * 2), np.array([padding] * 2))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    kinds=st.lists(st.sampled_from(["conv", "depthwise", "grouped", "avg", "sum", "scale"]), min_size=1, max_size=3),
    size=st.integers(7, 12),
)
def test_a_path_of_convolutions_and_pools_is_one_map(seed: int, kinds: list[str], size: int) -> None:
    random = np.random.default_rng(seed)
    value = torch.from_numpy(random.normal(size=(2, 4, size, size + 1)))
    path: list[nir.NIRNode] = []
    expected = value
    for kind in kinds:
        kernel, stride, dilation = (
            int(n) for n in (random.integers(1, 4), random.integers(1, 3), random.integers(1, 3))
        )
        padding = int(random.integers(0, 2))
        if kind in ("avg", "sum"):
            padding = min(padding, kernel // 2)
            node = pool(nir.AvgPool2d if kind == "avg" else nir.SumPool2d, kernel, stride, padding)
        elif kind == "scale":
            node = nir.Scale(np.broadcast_to(random.normal(size=(4, 1, 1)), tuple(expected.shape[1:])).copy())
        else:
            groups = {"conv": 1, "depthwise": 4, "grouped": 2}[kind]
            node = conv(random, 4, 4, kernel, stride, padding, dilation, groups)
        reach = dilation * (kernel - 1) if kind not in ("avg", "sum", "scale") else kernel - 1
        if kind != "scale" and min(expected.shape[2:]) + 2 * padding <= reach:
            continue
        path.append(node)
        expected = apply(node, expected)
    if not path:
        return
    linear = compose(path, tuple(value.shape[1:]))
    torch.testing.assert_close(pushed(linear, value), expected)
    torch.testing.assert_close(pushed(linear.dense(), value), expected)


def test_pooling_that_divides_the_size_folds_into_a_larger_kernel_and_stride() -> None:
    random = np.random.default_rng(0)
    linear = compose([pool(nir.SumPool2d, 2, 2), conv(random, 4, 6, 3, 1, 1, 1, 1)], (4, 8, 8))
    assert linear.conv == ConvGeometry(stride=(2, 2), padding=(2, 2))
    assert linear.weight.shape == (6, 4, 6, 6)


def test_pooling_that_leaves_a_remainder_before_padding_is_expanded() -> None:
    random = np.random.default_rng(0)
    path = [pool(nir.SumPool2d, 2, 2), conv(random, 1, 1, 3, 1, 1, 1, 1)]
    linear = compose(path, (1, 7, 7))
    assert linear.conv is None
    value = torch.from_numpy(random.normal(size=(2, 1, 7, 7)))
    torch.testing.assert_close(pushed(linear, value), apply(path[1], apply(path[0], value)))


def test_pool_flatten_and_linear_are_one_matrix() -> None:
    random = np.random.default_rng(1)
    flat = nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1)
    path = [pool(nir.AvgPool2d, 2, 2), flat, nir.Affine(random.normal(size=(5, 12)), random.normal(size=5))]
    linear = compose(path, (3, 4, 4))
    assert (linear.conv, linear.weight.shape) == (None, (5, 48))
    value = torch.from_numpy(random.normal(size=(2, 3, 4, 4)))
    expected = value
    for node in path:
        expected = apply(node, expected)
    torch.testing.assert_close(pushed(linear, value), expected - torch.from_numpy(path[2].bias))


def test_a_linear_layer_behind_a_flatten_keeps_its_very_weights() -> None:
    weight = np.random.default_rng(2).normal(size=(5, 12))
    linear = compose([nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1), nir.Linear(weight)], (3, 2, 2))
    np.testing.assert_array_equal(linear.weight, weight)


def test_a_matrix_too_large_for_any_chip_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_map, "MOST_DENSE_WEIGHTS", 1000)
    with pytest.raises(InputError, match=r"from shape \(1, 9, 9\) to \(1, 4, 4\) needs a matrix of 1,296 weights"):
        compose([pool(nir.SumPool2d, 2, 2), conv(np.random.default_rng(0), 1, 1, 3, 1, 1, 1, 1)], (1, 9, 9))


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape)


def lif(shape: tuple[int, ...], threshold: np.ndarray | float = 1.0, **given: np.ndarray) -> nir.LIF:
    parameters = {"tau": ones(*shape) * 2 * DT, "r": ones(*shape) * 2, "v_leak": ones(*shape) * 0} | given
    return nir.LIF(**parameters, v_threshold=ones(*shape) * threshold)


def drafted(
    nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]], shape: tuple[int, ...], encoding: str = "events"
) -> Draft:
    ends = {"input": nir.Input(np.array(shape)), "output": nir.Output(np.array([1]))}
    graph = nir.NIRGraph({**ends, **nodes}, edges, metadata={}, type_check=False)
    return draft_from_nir(wire(graph), DT, InputFormat(4, encoding, 8), {})


def test_gain_bias_and_leak_potential_end_up_in_weights_and_bias() -> None:
    node = lif((3,), r=ones(3) * 6, v_leak=ones(3) * 0.4)
    fc = nir.Affine(np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0]))
    draft = drafted({"fc": fc, "n": node}, [("input", "fc"), ("fc", "n"), ("n", "output")], (2,))
    np.testing.assert_allclose(draft.connections[0].weight, 3 * fc.weight)
    neuron = draft.populations[1].neuron
    assert neuron is not None
    np.testing.assert_allclose(neuron.bias, 3 * fc.bias + 0.4 * 0.5)
    np.testing.assert_allclose(neuron.leak_v, 0.5)
    assert [p.role for p in draft.populations] == ["input", "readout"]


def test_a_bias_before_a_synaptic_filter_stays_inside_it() -> None:
    node = nir.CubaLIF(
        tau_syn=ones(3) * 4 * DT,
        tau_mem=ones(3) * 2 * DT,
        r=ones(3) * 2,
        v_leak=ones(3) * 0.4,
        v_threshold=ones(3),
        w_in=ones(3) * 4,
    )
    fc = nir.Affine(np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0]))
    draft = drafted({"fc": fc, "n": node}, [("input", "fc"), ("fc", "n"), ("n", "output")], (2,))
    neuron = draft.populations[1].neuron
    assert neuron is not None
    np.testing.assert_allclose(neuron.synaptic_bias, fc.bias)
    np.testing.assert_allclose(neuron.bias, 0.2)
    np.testing.assert_allclose(neuron.leak_u, 0.25)


def test_a_bias_behind_a_sum_counts_once_and_parallel_ways_become_one_connection() -> None:
    fc = nir.Affine(np.array([[1.0, 2.0]]), np.array([0.5]))
    straight, other = nir.Linear(np.eye(2)), nir.Linear(np.array([[0.0, 1.0], [1.0, 0.0]]))
    draft = drafted(
        {"a": straight, "b": other, "fc": fc, "n": lif((1,))},
        [("input", "a"), ("input", "b"), ("a", "fc"), ("b", "fc"), ("fc", "n"), ("n", "output")],
        (2,),
    )
    assert [(c.source, c.target) for c in draft.connections] == [("input", "n")]
    np.testing.assert_allclose(draft.connections[0].weight, [[3.0, 3.0]])
    neuron = draft.populations[1].neuron
    assert neuron is not None
    np.testing.assert_allclose(neuron.bias, [0.5])


def test_thresholds_that_vary_are_divided_out() -> None:
    threshold = np.array([0.5, 1.0, 2.0])
    fc = nir.Affine(np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0]))
    draft = drafted({"fc": fc, "n": lif((3,), threshold)}, [("input", "fc"), ("fc", "n"), ("n", "output")], (2,))
    neuron = draft.populations[1].neuron
    assert neuron is not None and neuron.threshold is not None
    np.testing.assert_allclose(neuron.threshold, 1)
    np.testing.assert_allclose(draft.connections[0].weight, fc.weight / threshold[:, None])
    np.testing.assert_allclose(neuron.bias, fc.bias / threshold)


def test_a_current_drives_the_encoder_and_its_gain_moves_to_the_threshold() -> None:
    encoder = nir.IF(r=ones(2) * 4 / DT, v_threshold=ones(2) * 2)
    nodes = {"encoder": encoder, "fc": nir.Linear(ones(1, 2)), "n": lif((1,))}
    edges = [("input", "encoder"), ("encoder", "fc"), ("fc", "n"), ("n", "output")]
    draft = drafted(nodes, edges, (2,), "current")
    assert [(p.name, p.role) for p in draft.populations] == [("encoder", "input"), ("n", "readout")]
    neuron = draft.populations[0].neuron
    assert neuron is not None and neuron.threshold is not None
    np.testing.assert_allclose(neuron.threshold, 0.5)


@pytest.mark.parametrize(
    ("nodes", "edges", "encoding", "says"),
    [
        (
            {"fc": nir.Linear(ones(1, 2))},
            [("input", "fc"), ("fc", "output")],
            "events",
            "output 'output' is fed by 'fc'; it must be one neuron node: end the network with an LI, I or spiking node",
        ),
        (
            {"fc": nir.Linear(ones(1, 2)), "n": lif((1,))},
            [("input", "fc"), ("fc", "n"), ("n", "output")],
            "current",
            "encoding is 'current', but input 'input' feeds 'fc' instead of one neuron node that the current drives",
        ),
        (
            {"i": nir.I(ones(2)), "n": lif((2,))},
            [("input", "i"), ("i", "n"), ("n", "output")],
            "events",
            "node 'i' is an I that does not feed the output; between layers only spikes travel",
        ),
        (
            {"n": lif((2,)), "m": lif((2,))},
            [("input", "n"), ("n", "m"), ("m", "n"), ("n", "output")],
            "events",
            "readout 'n' feeds further neurons; the readout must be the last population",
        ),
    ],
)
def test_ends_that_a_chip_cannot_have_are_refused(
    nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]], encoding: str, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        drafted(nodes, edges, (2,), encoding)
    assert str(caught.value) == f"NIR graph: {says}"


def test_numbers_that_nir_reads_back_as_arrays_are_numbers() -> None:
    inputs, assumed = input_format({"timesteps": np.int64(4), "encoding": "events", "input_bits": np.array(8)})
    assert (inputs.timesteps, inputs.input_bits, assumed) == (4, 8, [])


def test_the_first_nodes_and_the_chip_decide_which_encodings_are_named() -> None:
    ones = np.ones(2)
    neuron = nir.IF(r=ones / DT, v_threshold=ones)
    weighted = wire(nir.NIRGraph.from_list(nir.Linear(np.eye(2)), neuron))
    driven = wire(nir.NIRGraph.from_list(neuron, nir.Linear(np.eye(2)), nir.IF(r=ones / DT, v_threshold=ones)))
    graded, binary = load_profile("loihi2-assumed"), load_profile("loihi1-davies")
    assert encodings_of(weighted, graded) == ["direct", "rate", "latency"]
    assert encodings_of(weighted, binary) == ["rate", "latency"]
    assert encodings_of(driven, binary) == ["current", "rate", "latency"]
    _, assumed = input_format({}, binary, also=["rate"])
    assert assumed[1] == (
        "encoding events: the file does not say how samples enter; the graph also allows rate (spikes drawn from "
        "values): say the encoding where samples are values and not spikes"
    )


def test_what_contradicts_the_metadata_is_refused() -> None:
    known = {"timesteps": 4, "encoding": "events"}
    assert input_format(known, given={"timesteps": 4})[0] == InputFormat(4, "events", 8)
    with pytest.raises(InputError, match=r"timesteps=9: the graph was made for 4; leave it out"):
        input_format(known, given={"timesteps": 9})


@pytest.mark.parametrize("value", [0, -1, 2.5, "4"])
def test_numbers_of_the_input_format_are_whole_and_at_least_1(value: object) -> None:
    said = f"NIR graph: timesteps is {value!r}; must be a whole number of at least 1"
    with pytest.raises(InputError) as refused:
        input_format({"timesteps": value, "encoding": "events"})
    assert str(refused.value) == said
    with pytest.raises(InputError, match=f"input_bits is {value!r}; must be a whole number of at least 1"):
        input_format({"timesteps": 3, "encoding": "direct", "input_bits": value})


def test_where_potentials_begin_is_said_of_neurons_with_another_reset_alone() -> None:
    ones = np.ones(2)
    constants = {"tau": ones * 2e-4, "r": ones * 2, "v_leak": ones * 0}
    fires = nir.LIF(**constants, v_threshold=ones, v_reset=np.array([0.0, 0.5]))
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(2)), fires, nir.Linear(np.eye(2)), nir.LI(**constants))
    (said,) = begins(wire(graph))
    assert said.startswith("node 'lif': its potentials are counted from v_reset (0 to 0.5)")
