"""A chip network in words and numbers: one line for each population, and what it takes of the chip."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np

from ..chip.network import ChipNetwork, Connection, Population
from ..placing.placement import Placement
from .placement_text import lines

_HEADINGS = ("population", "role", "shape", "from", "weights", "bits", "fan-in", "scale", "vth", "du", "dv", "cores")


def summary(chip: ChipNetwork) -> dict[str, object]:
    """JSON-able facts of every population and connection."""
    return {
        "profile": chip.profile,
        "timesteps": chip.timesteps,
        "encoding": chip.encoding,
        "readout": chip.readout,
        "populations": [_population(chip, population) for population in chip.populations],
        "connections": [_connection(chip, connection) for connection in chip.connections],
        "assumed": chip.provenance.get("assumed", []),
    }


def fit_of(placement: Placement) -> list[dict[str, object]]:
    """JSON-able: the fullest core for each resource."""
    return [
        {"resource": use.resource, "used": use.used, "limit": use.limit, "core": use.core, "population": use.population}
        for use in placement.worst
    ]


def table(chip: ChipNetwork, placement: Placement) -> str:
    """Lines for people: populations with their incoming connections, then the fit."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for population in chip.populations:
        incoming = chip.into(population.name)
        shape = "x".join(map(str, population.shape))
        feed = _weights(chip, incoming[0]) if incoming else (_driven_by(population), "", "", "")
        rows.append((population.name, population.role, shape, *feed, *_registers(chip, population, placement)))
        rows += [("", "", "", *_weights(chip, connection), "", "", "", "", "") for connection in incoming[1:]]
    head = f"{chip.profile}: {chip.encoding} input, T = {chip.timesteps}, {chip.readout} readout"
    fit = [_use_line(use.resource, use.used, use.limit, use.population) for use in placement.worst]
    return "\n".join([head, *_aligned(rows), *fit, *lines(placement)])


def effective_bits(chip: ChipNetwork, connection: Connection) -> float:
    """Bits that the weights of a connection really use: log2 of the values between its extremes."""
    levels = chip.provenance["weight_levels"]
    assert isinstance(levels, dict)
    mixed = connection.weight.min() < 0 < connection.weight.max()
    return log2((2 if mixed else 1) * int(levels[connection.name]) + 1)


def _population(chip: ChipNetwork, population: Population) -> dict[str, object]:
    facts: dict[str, object] = {"name": population.name, "role": population.role, "shape": list(population.shape)}
    if population.payload_bits:
        facts["payload_bits"] = population.payload_bits
    if (neuron := population.neuron) is not None:
        scales = chip.provenance["scales"]
        assert isinstance(scales, dict)
        facts |= {
            "du": neuron.du,
            "dv": neuron.dv,
            "vth": neuron.vth,
            "bias_exp": neuron.bias_exp,
            "fires": neuron.fires,
        }
        facts["scale"] = scales[population.name]
    return facts


def _connection(chip: ChipNetwork, connection: Connection) -> dict[str, object]:
    return {
        "source": connection.source,
        "target": connection.target,
        "weights": list(connection.weight.shape),
        "convolution": connection.conv is not None,
        "fan_in": _fan_in(connection),
        "weight_bits": connection.weight_bits,
        "effective_bits": round(effective_bits(chip, connection), 2),
    }


def _driven_by(population: Population) -> str:
    if population.role != "input":
        return ""
    if population.neuron is not None:
        return "current"
    return f"{population.payload_bits}-bit events" if population.payload_bits else "events"


def _registers(chip: ChipNetwork, population: Population, placement: Placement) -> tuple[str, ...]:
    neuron = population.neuron
    if neuron is None:
        return "", "", "", "", ""
    scales = chip.provenance["scales"]
    assert isinstance(scales, dict)
    vth = str(neuron.vth) if neuron.fires else "never"
    cores = str(len(placement.sites_of(population.name)))
    return f"{scales[population.name]:.5g}", vth, str(neuron.du), str(neuron.dv), cores


def _weights(chip: ChipNetwork, connection: Connection) -> tuple[str, ...]:
    shape = "x".join(map(str, connection.weight.shape))
    kind = shape if connection.conv is None else f"{shape} conv"
    return connection.source, kind, f"{effective_bits(chip, connection):.1f}", str(_fan_in(connection))


def _fan_in(connection: Connection) -> int:
    return int(np.prod(connection.weight.shape[1:]))


def _use_line(resource: str, used: int, limit: int | None, population: str) -> str:
    where = f" ({population})" if population else ""
    return (
        f"{resource}: {used} of {limit}{where}" if limit is not None else f"{resource}: {used}, no limit known{where}"
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
