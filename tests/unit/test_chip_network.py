"""A chip network: what it must be, the shapes it leads through, and when spikes arrive."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.base.types import Encoding
from spikewright.chip.network import (
    ChipNetwork,
    Connection,
    ConvGeometry,
    Neuron,
    Population,
    Role,
    Schedule,
    output_shape,
)
from spikewright.data.output_rule import OutputRule


def neurons(*shape: int, **registers: object) -> Neuron:
    given: dict = {"du": 4095, "dv": 0, "vth": 5, "bias": np.zeros(shape, np.int64)}
    return Neuron(**(given | registers))


def population(name: str, *shape: int, role: Role = "hidden", **registers: object) -> Population:
    return Population(name, shape, role, neurons(*shape, **registers))


INPUT = Population("in", (2,), "input", None)


def dense(source: str, target: str, rows: int, columns: int, value: int = 1) -> Connection:
    return Connection(source, target, np.full((rows, columns), value))


def network(*populations: Population, connections: tuple[Connection, ...] = (), timesteps: int = 4) -> ChipNetwork:
    return ChipNetwork(populations, connections, timesteps, "events", "count", "loihi2", "")


PLAIN = (INPUT, population("out", 3, role="readout"))
WIRED = (dense("in", "out", 3, 2),)


def faults(*populations: Population, connections: tuple[Connection, ...] = (), timesteps: int = 4) -> list[str]:
    with pytest.raises(InputError) as refusal:
        network(*populations, connections=connections, timesteps=timesteps)
    lines = str(refusal.value).splitlines()
    return [re.sub(r"^ *- ", "", line) for line in lines[1:]] or [lines[0].removeprefix("chip network: ")]


def test_names_and_roles() -> None:
    twice = population("b", 1), population("a", 1), population("b", 1), population("a", 1)
    assert faults(*PLAIN, *twice) == ["two populations are named 'a'", "two populations are named 'b'"]
    assert faults(PLAIN[0]) == ["0 populations have the role 'readout'; exactly one must"]
    assert faults(PLAIN[1]) == ["0 populations have the role 'input'; exactly one must"]
    assert faults(INPUT, replace(INPUT, name="other"), PLAIN[1]) == [
        "2 populations have the role 'input'; exactly one must"
    ]
    assert faults(*PLAIN, timesteps=0) == ["timesteps is 0; at least 1"]
    assert network(*PLAIN, timesteps=1).timesteps == 1
    assert faults(*PLAIN, Population("h", (1,), "hidden", None)) == [
        "h: has no neuron; only an input population may be without"
    ]


@pytest.mark.parametrize(("register", "most"), [("du", 4095), ("dv", 4096), ("vth", 131071), ("bias_exp", 7)])
def test_registers_hold_no_more(register: str, most: int) -> None:
    for value in (0, most):
        network(INPUT, population("out", 3, role="readout", **{register: value}))
    for value in (-1, most + 1):
        assert faults(INPUT, population("out", 3, role="readout", **{register: value})) == [
            f"out: {register} is {value}; may be 0..{most}"
        ]


def test_biases_have_13_bits_and_the_shape_of_the_population() -> None:
    def out(*bias: int) -> Population:
        return replace(PLAIN[1], neuron=neurons(bias=np.array(bias)))

    network(INPUT, out(-4096, 0, 4095))
    assert faults(INPUT, out(-4097, 0, 5)) == ["out: bias reaches -4097..5; 13 bits hold -4096..4095"]
    assert faults(INPUT, out(-5, 0, 4096)) == ["out: bias reaches -5..4096; 13 bits hold -4096..4095"]
    assert faults(INPUT, out(-4097, 0, 4096)) == ["out: bias reaches -4097..4096; 13 bits hold -4096..4095"]
    assert faults(INPUT, out(0, 0)) == ["out: bias has shape (2,); the population has (3,)"]


def test_weights_are_whole_numbers_of_9_bits() -> None:
    def wired(*row: float) -> tuple[Connection, ...]:
        return (Connection("in", "out", np.array([row, (0, 0), (0, 0)])),)

    network(*PLAIN, connections=wired(-256, 255))
    said = "connection in->out: weights reach {}; may be -256..255"
    assert faults(*PLAIN, connections=wired(-257, 5)) == [said.format("-257..5")]
    assert faults(*PLAIN, connections=wired(-5, 256)) == [said.format("-5..256")]
    assert faults(*PLAIN, connections=wired(-257, 256)) == [said.format("-257..256")]
    assert faults(*PLAIN, connections=wired(1.0, 2.0)) == [
        "connection in->out: weights are float64; they must be integers"
    ]


def test_weights_lead_from_population_to_population() -> None:
    assert faults(*PLAIN, connections=(dense("in", "out", 2, 3),)) == [
        "connection in->out: weight (2, 3) does not lead from (2,) to (3,)"
    ]
    assert faults(*PLAIN, connections=(dense("on", "out", 3, 2),)) == [
        "connection on->out: no population is named 'on'"
    ]
    assert faults(*PLAIN, connections=(dense("on", "off", 3, 2),)) == [
        "connection on->off: no population is named 'on'"
    ]
    assert faults(*PLAIN, connections=(dense("in", "off", 3, 2),)) == [
        "connection in->off: no population is named 'off'"
    ]
    assert faults(*PLAIN, connections=(dense("out", "off", 2, 2),)) == [
        "connection out->off: no population is named 'off'"
    ]
    kernel = np.ones((6, 2, 3, 2), np.int64)
    conv = Connection("in", "out", kernel, conv=ConvGeometry(stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2))
    source, target = Population("in", (4, 8, 9), "input", None), population("out", 6, 4, 7, role="readout")
    assert output_shape(conv, source) == (6, 4, 7), "rows (8 + 2 - 2 - 1) // 2 + 1, columns (9 - 2 - 1) // 1 + 1"
    assert [conv.axis(0), conv.axis(1)] == [(3, 2, 1, 1), (2, 1, 0, 2)]
    network(source, target, connections=(conv,))
    for wrong in (replace(source, shape=(2, 8, 9)), replace(source, shape=(4, 10, 9)), replace(source, shape=(4, 8))):
        assert faults(wrong, target, connections=(conv,)) == [
            f"connection in->out: weight (6, 2, 3, 2) does not lead from {wrong.shape} to (6, 4, 7)"
        ]
    assert output_shape(WIRED[0], INPUT) == (3,)
    assert (source.size, target.size, source.payload_bits) == (288, 168, 0)


def test_a_convolution_moves_by_one_and_covers_all_where_nothing_else_is_said() -> None:
    conv = Connection("in", "out", np.ones((1, 1, 3, 3), np.int64), conv=ConvGeometry())
    assert [conv.axis(0), conv.axis(1)] == [(3, 1, 0, 1)] * 2
    assert output_shape(conv, Population("in", (1, 5, 4), "input", None)) == (1, 3, 2)
    assert ConvGeometry().groups == 1
    assert conv.weight_bits == 8


def test_padding_is_on_both_sides_and_groups_share_the_channels() -> None:
    geometry = ConvGeometry(padding=(2, 1), groups=3)
    conv = Connection("in", "out", np.ones((3, 2, 2, 2), np.int64), conv=geometry)
    source, target = Population("in", (6, 5, 5), "input", None), population("out", 3, 8, 6, role="readout")
    assert output_shape(conv, source) == (3, 8, 6), "5 + 4 - 1 rows, 5 + 2 - 1 columns"
    network(source, target, connections=(conv,))
    assert len(faults(replace(source, shape=(8, 5, 5)), target, connections=(conv,))) == 1


def test_outputs_may_stand_for_a_class_together() -> None:
    assert replace(network(*PLAIN), meaning=OutputRule(population=3)).classes == 1


def test_populations_feed_only_themselves_and_later_ones() -> None:
    a, b = population("a", 1), population("b", 1)
    own = dense("a", "a", 1, 1)
    network(*PLAIN, a, b, connections=(own, dense("a", "b", 1, 1)))
    assert faults(*PLAIN, a, b, connections=(dense("b", "a", 1, 1),)) == [
        "connection b->a: points backwards in the order of populations"
    ]
    (circle,) = faults(*PLAIN, a, b, connections=(dense("a", "b", 1, 1), dense("b", "a", 1, 1)))
    assert re.fullmatch(
        r"populations feed each other in a circle \((a -> b -> a|b -> a -> b)\); only a population on itself may",
        circle,
    )


def test_paths_that_meet_are_equally_long() -> None:
    """Lava runs others differently: a spike takes one step over each connection."""
    long = dense("in", "a", 1, 2), dense("a", "out", 3, 1)
    why = (
        "and a spike arrives after one: paths that meet have to be equally long; lower the graph again, which puts "
        "relays between"
    )
    order = INPUT, population("a", 1), PLAIN[1]
    assert faults(*order, connections=(*long, dense("in", "out", 3, 2))) == [
        f"connection in->out: spans 2 steps of the chip, {why}"
    ]
    always = population("always", 1, role="bias")
    both = dense("always", "a", 1, 1), dense("always", "out", 3, 1)
    assert faults(always, *order, connections=(*long, *both)) == [
        f"connection always->out: spans 2 steps of the chip, {why}"
    ]
    assert faults(always, *order, connections=long) == ["bias population 'always' feeds nothing"]
    network(*order, connections=(*long, dense("a", "a", 1, 1)))


def branched(recurrent: bool = False) -> ChipNetwork:
    """in -> a -> b -> out, in -> c -> b, and a bias that feeds b."""
    own = (dense("a", "a", 1, 1),) if recurrent else ()
    return network(
        INPUT, population("bias", 1, role="bias"), population("a", 1), population("c", 1),
        population("b", 1), PLAIN[1],
        connections=(
            dense("in", "a", 1, 2), dense("a", "b", 1, 1), dense("b", "out", 3, 1), dense("in", "c", 1, 2),
            dense("c", "b", 1, 1), dense("bias", "b", 1, 1), *own,
        ),
        timesteps=5,
    )  # fmt: skip


def test_depth_counts_the_longest_way_from_the_input() -> None:
    assert branched().depth == {"in": 0, "bias": 1, "a": 1, "c": 1, "b": 2, "out": 3}
    assert branched(recurrent=True).depth == branched().depth
    assert [c.name for c in branched().into("b")] == ["a->b", "c->b", "bias->b"]
    assert [c.name for c in branched().out_of("in")] == ["in->a", "in->c"]
    assert list(branched().by_name) == ["in", "bias", "a", "c", "b", "out"]


def test_samples_follow_each_other_or_wait_until_a_recurrent_network_is_empty() -> None:
    plain, recurrent = Schedule.of(branched(), 3), Schedule.of(branched(recurrent=True), 3)
    assert not branched().is_recurrent
    assert (plain.stride, plain.deepest, plain.chip_steps) == (5, 3, 2 * 5 + 5 + 3)
    assert (recurrent.stride, recurrent.deepest, recurrent.chip_steps) == (8, 3, 2 * 8 + 5 + 3)
    assert plain.places(2)[:, 0].tolist() == [2, 3, 4, 5, 6]
    assert recurrent.places(2)[1].tolist() == [3, 11, 19]


def test_what_a_network_says_of_itself() -> None:
    chip = branched()
    assert repr(chip) == (
        "ChipNetwork(loihi2: events input (2,), T = 5, 7 neurons in 6 populations, 6 connections, count readout of 3)"
    )
    assert (chip.input.name, chip.output.name, chip.outputs, chip.classes) == ("in", "out", 3, 3)
    assert not chip.changes_each_step
    assert chip.with_provenance(seed=1).with_provenance(more=2).provenance == {"seed": 1, "more": 2}


def test_scores_are_divided_by_one_or_by_the_scale_of_potentials() -> None:
    assert branched().score_unit == 1
    by_potential = replace(branched(), readout="membrane", provenance={"scales": {"out": 2.5}})
    assert by_potential.score_unit == 64 * 2.5 * 5
    for unknown in ({}, {"scales": {}}, {"scales": {"out": "2"}}, {"scales": 3}):
        with pytest.raises(InputError, match="its provenance does not note the scale of 'out', by which potentials"):
            _ = replace(by_potential, provenance=unknown).score_unit


@pytest.mark.parametrize("scale", [0, 1e-31, -1.5, float("nan"), float("inf"), 10**400])
def test_a_scale_that_nothing_can_be_divided_by_is_refused(scale: float) -> None:
    by_potential = replace(branched(), readout="membrane", provenance={"scales": {"out": scale}})
    with pytest.raises(InputError) as caught:
        _ = by_potential.score_unit
    assert str(caught.value) == (
        "chip network: its provenance notes a scale of 'out' that is not between 1e-30 and 1e+30; lower it again"
    )


@pytest.mark.parametrize("encoding", ["current", "direct", "latency", "rate"])
def test_only_events_come_in_frames_of_their_own(encoding: Encoding) -> None:
    chip = network(*PLAIN, connections=WIRED)
    assert replace(chip, encoding="events").takes.frames == (chip.timesteps, *chip.input.shape)
    assert replace(chip, encoding=encoding).takes.frames is None


def test_two_connections_with_the_same_ends_are_one_too_many() -> None:
    """Simulators know weights by their connection's name, and would take the first for both."""
    twice = dense("in", "out", 3, 2), dense("in", "out", 3, 2, value=2)
    assert faults(*PLAIN, connections=twice) == [
        "connection in->out: is there 2 times; add the weights up into one connection"
    ]
