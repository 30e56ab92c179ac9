"""Which events happen where: one way of charging a thing, and never two."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spikewright.energy.events import EVENTS

EVERYTHING = frozenset(event.name for event in EVENTS)


def happening(
    on_connections: bool, *, role: str = "hidden", neuron: bool = True, payload_bits: int = 0, conv: bool = False,
    known: frozenset[str] = frozenset(), by_step: bool = False, chips: int = 1,
) -> set[str]:  # fmt: skip
    spot: Any = SimpleNamespace(
        population=SimpleNamespace(role=role, neuron=object() if neuron else None, payload_bits=payload_bits),
        outgoing=SimpleNamespace(conv=object() if conv else None),
        known=known,
        placement=SimpleNamespace(
            chip=SimpleNamespace(changes_each_step=by_step), arrangement=SimpleNamespace(chips=chips)
        ),
    )
    return {e.name for e in EVENTS if e.driver.on_connections is on_connections and e.happens(spot)}


UPDATES = {"neuron_update_active", "neuron_update_inactive", "spike_out"}


@pytest.mark.parametrize("by_step", [False, True])
@pytest.mark.parametrize("role", ["input", "hidden", "readout", "relay", "bias"])
def test_within_a_population(role: str, by_step: bool) -> None:
    assert happening(False, role=role, neuron=False, by_step=by_step) == {"input_event"}
    written = {"bias_write"} if role == "input" and by_step else set()
    assert happening(False, role=role, by_step=by_step) == UPDATES | written
    for known in ({"neuron_access"}, {"neuron_active_extra"}, {"neuron_access", "neuron_active_extra"}):
        found = happening(False, role=role, by_step=by_step, known=frozenset(known))
        assert found == {"neuron_access", "neuron_active_extra", "spike_out"} | written


ALWAYS = {"message", "hop_x", "hop_y"}


@pytest.mark.parametrize(
    ("payload_bits", "conv", "known", "found"),
    [
        (0, False, frozenset(), {"synaptic_op"}),
        (8, True, frozenset(), {"synaptic_op"}),
        (8, False, frozenset({"synaptic_op_graded"}), {"synaptic_op_graded"}),
        (0, False, frozenset({"synaptic_op_graded"}), {"synaptic_op"}),
        (0, True, frozenset({"synaptic_op_conv"}), {"synaptic_op_conv"}),
        (0, False, frozenset({"synaptic_op_conv"}), {"synaptic_op"}),
        (8, True, frozenset({"synaptic_op_conv", "synaptic_op_graded"}), {"synaptic_op_graded"}),
        (8, True, frozenset({"synaptic_op_conv"}), {"synaptic_op_conv"}),
        (0, True, frozenset({"spike_read"}), {"synaptic_op", "spike_read"}),
        (0, True, frozenset({"spike_read", "spike_read_conv"}), {"synaptic_op", "spike_read_conv"}),
        (0, False, frozenset({"spike_read", "spike_read_conv"}), {"synaptic_op", "spike_read"}),
        (0, False, frozenset({"spike_read_conv"}), {"synaptic_op"}),
        (8, True, EVERYTHING, {"synaptic_op_graded", "spike_read_conv"}),
        (0, True, EVERYTHING, {"synaptic_op_conv", "spike_read_conv"}),
    ],
)
def test_on_a_connection(payload_bits: int, conv: bool, known: frozenset[str], found: set[str]) -> None:
    where: Any = {"payload_bits": payload_bits, "conv": conv, "known": known}
    assert happening(True, **where) == found | ALWAYS
    assert happening(True, chips=2, **where) == found | ALWAYS | {"chip_crossing"}


def test_updates_by_hand() -> None:
    """Of 10 updates, 4 of them active."""
    counts = {
        event.name: event.driver.per_update * 10 + event.driver.per_active_update * 4
        for event in EVENTS
        if event.driver.per_update or event.driver.per_active_update
    }
    assert counts == {
        "bias_write": 10, "neuron_access": 10, "neuron_active_extra": 4, "neuron_update_active": 4,
        "neuron_update_inactive": 6,
    }  # fmt: skip
