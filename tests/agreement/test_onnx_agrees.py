"""The ONNX model of a chip network computes in onnxruntime what the integer simulator does, integer for integer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.data.output_rule import OutputRule
from spikewright.exchange.onnx_network import ANSWER, INPUT, SCORES, SPIKES, VALUES, network_model
from spikewright.simulation import integer

LAWS = [(0, "lif"), (1, "lif"), (2, "lif"), (0, "lif-subtract"), (0, "lif-subtract-late")]


def with_law(population: Population, law: str) -> Population:
    neuron = population.neuron
    subtracts = neuron is not None and neuron.fires and population.role not in ("relay", "bias")
    return replace(population, neuron=replace(neuron, law=law)) if subtracts else population


def ran(model: onnx.ModelProto, drive: IntArray) -> dict[str, Any]:
    """Every output of a model, by name, for a drive ``(steps, samples, *shape)``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {INPUT: np.moveaxis(drive, 0, 1)}), strict=True))


def compare(chip: ChipNetwork, drive: IntArray, found: dict[str, Any]) -> None:
    ours = integer.run(chip, drive)
    assert np.array_equal(found[SCORES], ours.scores)
    assert np.array_equal(found[ANSWER], chip.meaning.by_class(ours.scores).argmax(1))
    neurons = [population.name for population in chip.populations if population.neuron is not None]
    assert set(found) == {SCORES, ANSWER, *(f"{SPIKES}{name}" for name in neurons)}
    for name in neurons:
        assert np.array_equal(np.moveaxis(found[f"{SPIKES}{name}"], 1, 0), ours.spikes[name]), name


@pytest.mark.parametrize(("seed", "law"), LAWS)
def test_onnxruntime_computes_the_same_integers(kind: str, seed: int, law: str, drawn: Callable[..., tuple]) -> None:
    chip, drive = drawn(kind, seed)
    chip = replace(chip, populations=tuple(with_law(population, law) for population in chip.populations))
    compare(chip, drive, ran(network_model(chip), drive))


def test_the_evaluator_of_onnx_computes_the_same_integers(kind: str, drawn: Callable[..., tuple]) -> None:
    chip, drive = drawn(kind, 3)
    model = network_model(chip)
    evaluator = ReferenceEvaluator(model)
    found = evaluator.run(None, {INPUT: np.moveaxis(drive, 0, 1)})
    compare(chip, drive, dict(zip(evaluator.output_names, found, strict=True)))


def one_neuron(weight: IntArray, shape: tuple[int, ...], conv: bool = False) -> ChipNetwork:
    """Graded values of 20 bits into one neuron with the largest threshold, for one step."""
    neuron = Neuron(du=4095, dv=0, vth=131071, bias=np.zeros(1, np.int64), fires=True)
    target = (1, 1, 1) if conv else (1,)
    populations = (
        Population("input", shape, "input", None, payload_bits=20),
        Population("n", target, "readout", replace(neuron, bias=np.zeros(target, np.int64))),
    )
    connection = Connection("input", "n", weight, conv=ConvGeometry() if conv else None)
    return ChipNetwork(populations, (connection,), 1, "direct", "count", "none", "")


@pytest.mark.parametrize(
    ("weight", "value", "fires"),
    [
        (1, 131_071, False),  # 64 a = 8,388,544, the threshold itself
        (1, 131_072, True),  # 2^23, which stays and is clipped to 2^23 - 1
        (1, 131_073, False),  # beyond 2^23: 2^24 less
        (-1, 131_071, False),
        (-1, 131_072, True),  # -2^23 becomes 2^23
        (-1, 131_073, False),  # -8,388,672 + 2^24 is the threshold itself
    ],
)
def test_the_ends_of_24_bits(weight: int, value: int, fires: bool) -> None:
    chip = one_neuron(np.array([[weight]]), (1,))
    drive = np.full((1, 1, 1), value)
    found = ran(network_model(chip), drive)
    compare(chip, drive, found)
    assert bool(found[SCORES][0, 0]) is fires


def test_a_sum_wraps_in_32_bits() -> None:
    """64 * 33 (2^20 - 1) = 2,214,590,400 becomes -2,080,376,896, and 2^24 more is no spike."""
    chip, drive = one_neuron(np.ones((1, 33), np.int64), (33,)), np.full((1, 1, 33), 2**20 - 1)
    found = ran(network_model(chip), drive)
    compare(chip, drive, found)
    assert found[SCORES][0, 0] == 0
    fewer = np.where(np.arange(33) < 31, drive, 0)  # 2,080,372,736, which only loses 2^24 once, and is clipped
    assert ran(network_model(chip), fewer)[SCORES][0, 0] == 1


def test_a_convolution_wraps_in_24_bits_before_anything_else() -> None:
    """16 (2^20 - 1) = 2^24 - 16 becomes -16; the same weight in a matrix arrives as it is, and fires."""
    weight, drive = np.array([[16]]), np.full((1, 1, 1, 1, 1), 2**20 - 1)
    convolved = one_neuron(weight.reshape(1, 1, 1, 1), (1, 1, 1), conv=True)
    found = ran(network_model(convolved), drive)
    compare(convolved, drive, found)
    assert found[SCORES][0, 0] == 0
    assert ran(network_model(one_neuron(weight, (1, 1, 1))), drive)[SCORES][0, 0] == 1


def test_outputs_of_a_class_are_added_and_of_equal_ones_the_first_is_the_answer(drawn: Callable[..., tuple]) -> None:
    chip, drive = drawn("convolutions", 0)
    chip = replace(chip, meaning=OutputRule(population=2))
    compare(chip, drive, ran(network_model(chip), drive))
    silent = np.zeros_like(drive)
    assert chip.classes == 2
    quiet = replace(chip, readout="count")
    found = ran(network_model(quiet), silent)
    compare(quiet, silent, found)
    assert not found[SCORES].any()
    assert not found[ANSWER].any()


def test_values_of_a_regression_are_in_the_unit_of_the_labels(drawn: Callable[..., tuple]) -> None:
    chip, drive = drawn("dense", 1)
    rule = OutputRule("regression", center=(1.0, -2.0, 0.0, 4.0, 0.5), spread=(0.5, 3.0, 1.0, 2.0, 1.0))
    chip = replace(chip, readout="membrane", meaning=rule, provenance={"scales": {"readout": 2.5}})
    found = ran(network_model(chip), drive)
    scores = integer.run(chip, drive).scores
    assert np.array_equal(found[SCORES], scores)
    by_hand = np.array(rule.center) + np.array(rule.spread) * scores / (64 * 2.5 * chip.timesteps)
    np.testing.assert_allclose(found[VALUES], by_hand, rtol=1e-12)
    assert ANSWER not in found


def test_equal_networks_give_equal_bytes_and_the_facts_travel(drawn: Callable[..., tuple], tmp_path: Path) -> None:
    for name in ("a", "b"):
        sw.write_onnx(drawn("skip_with_relay", 0)[0], tmp_path / f"{name}.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    model = onnx.load(tmp_path / "a.onnx")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (facts["timesteps"], facts["input_low"], facts["input_high"]) == ("5", "0", "1")
    assert {node.domain for node in model.graph.node} == {""}
    assert not {"Loop", "Scan", "If"} & {node.op_type for node in model.graph.node}
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]


def test_what_a_model_cannot_hold_is_refused_with_every_reason(drawn: Callable[..., tuple], tmp_path: Path) -> None:
    chip, _ = drawn("dense", 0)
    strange = tuple(with_law(population, "izhikevich") for population in chip.populations)
    with pytest.raises(InputError) as caught:
        sw.write_onnx(replace(chip, populations=strange, timesteps=100_000), tmp_path / "t.onnx")
    message = str(caught.value)
    assert "population 'a': the neuron model 'izhikevich' has no operators here" in message
    assert "100000 timesteps of 4 populations take up to 16,000,009 nodes" in message
    assert not list(tmp_path.iterdir())


def test_names_from_a_file_are_names_and_nothing_else(drawn: Callable[..., tuple]) -> None:
    """A population may be called like another value of the model, or by half of a character."""
    chip, drive = drawn("dense", 0)
    new = {"input": "input", "a": "scores", "b": "\ud800", "readout": "spikes/input"}
    populations = tuple(replace(each, name=new[each.name]) for each in chip.populations)
    connections = tuple(replace(each, source=new[each.source], target=new[each.target]) for each in chip.connections)
    chip = replace(chip, populations=populations, connections=connections)
    found = ran(network_model(chip), drive)
    assert set(found) == {SCORES, ANSWER, "spikes/scores", "spikes/\\ud800", "spikes/spikes/input"}
    assert np.array_equal(found[SCORES], integer.run(chip, drive).scores)
