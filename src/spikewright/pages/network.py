"""A chip network and its placement in words and as JSON: populations, connections, and what they take of the chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

import numpy as np

from ..base.errors import InputError
from ..chip.network import ChipNetwork, Connection, Population
from ..placing.placement import Placement

_HEADINGS = ("population", "role", "shape", "from", "weights", "bits", "fan-in", "scale", "vth", "du", "dv", "cores")
_WEIGHED = {"connectivity": "connectivity", "spikes": "measured spikes"}


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
    return "\n".join([head, *_aligned(rows), *fit, *placement_lines(placement)])


def effective_bits(chip: ChipNetwork, connection: Connection) -> float:
    """Bits that the weights of a connection really use: log2 of the values between its extremes."""
    levels = _noted(chip, "weight_levels")
    mixed = connection.weight.min() < 0 < connection.weight.max()
    return log2((2 if mixed else 1) * int(levels[connection.name]) + 1)


def _noted(chip: ChipNetwork, name: str) -> Mapping[str, float]:
    """Numbers by population or connection that the lowering noted in the network's provenance."""
    noted = chip.provenance.get(name)
    if not isinstance(noted, dict):
        raise InputError(f"chip network: its provenance does not hold {name!r}; lower it again")
    return noted


def _population(chip: ChipNetwork, population: Population) -> dict[str, object]:
    facts: dict[str, object] = {"name": population.name, "role": population.role, "shape": list(population.shape)}
    if population.payload_bits:
        facts["payload_bits"] = population.payload_bits
    if (neuron := population.neuron) is not None:
        facts |= {
            "du": neuron.du,
            "dv": neuron.dv,
            "vth": neuron.vth,
            "bias_exp": neuron.bias_exp,
            "fires": neuron.fires,
            "scale": _noted(chip, "scales")[population.name],
        }
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
    vth = str(neuron.vth) if neuron.fires else "never"
    cores = str(len(placement.sites_of(population.name)))
    return f"{_noted(chip, 'scales')[population.name]:.5g}", vth, str(neuron.du), str(neuron.dv), cores


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


def placement_lines(placement: Placement) -> list[str]:
    """How the cores lie, with the hops of a message that stays on its chip, and the cut between chips; for people."""
    how = placement.arrangement
    said = _on_mesh(placement)
    if how.shared_cores:
        said.append("populations share cores, since each of its own would be too many")
    if how.chips > 1:
        said.append(_between_chips(placement))
        said += [f"chip {chip}: {_listed(found)}" for chip, found in _by_chip(placement).items()]
    return said


def placement_sentences(placement: Placement) -> list[str]:
    """The same lines, each beginning with a capital."""
    return [line[:1].upper() + line[1:] for line in placement_lines(placement)]


def placement_json(placement: Placement) -> dict[str, object]:
    """The layout, the cut, and ``[used, limit]`` of every resource of every core."""
    how = placement.arrangement
    return {
        "by": how.by,
        "seed": how.seed,
        "chips": how.chips,
        "shared_cores": how.shared_cores,
        "hops": how.hops,
        "hops_in_order": how.hops_in_order,
        "messages": how.messages,
        "between_chips": how.between_chips,
        "between_chips_in_order": how.cut_in_order,
        "cut": {name: list(counts) for name, counts in how.cut.items()} if how.chips > 1 else {},
        "cores": _cores_json(placement),
    }


def _on_mesh(placement: Placement) -> list[str]:
    how, limits = placement.arrangement, placement.profile.limits
    if limits.neurons_per_core is None:
        return []  # a way of counting, without cores
    if how.hops is None or how.hops_in_order is None:
        return ["placement: cores in order, since how they lie on the chip is not known"]
    within = how.messages - how.between_chips
    if how.by == "order":
        return [f"placement: cores in order, {_hops(how.hops, within)} a message"]
    instead = "as" if how.hops == how.hops_in_order else _hops(how.hops_in_order, within)
    return [
        f"placement: by {_WEIGHED[how.by]}, seed {how.seed}: {_hops(how.hops, within)} a message, "
        f"{instead} with cores in order"
    ]


def _hops(hops: int, messages: int) -> str:
    return f"{hops / messages if messages else 0:.2f} hops"


def _between_chips(placement: Placement) -> str:
    how = placement.arrangement
    crossing = ", ".join(f"{name} {_percent(*counts)}" for name, counts in how.cut.items() if counts[0])
    return (
        f"{how.chips} chips: {_percent(how.between_chips, how.messages)} of the messages between cores change chip "
        f"({_percent(how.cut_in_order, how.messages)} with cores in order){': ' if crossing else ''}{crossing}"
    )


def _percent(part: int, whole: int) -> str:
    return f"{part / whole if whole else 0:.1%}"


def _by_chip(placement: Placement) -> dict[int, dict[str, int]]:
    """For each chip, how many cores each population has on it."""
    found: dict[int, dict[str, int]] = {chip: {} for chip in range(placement.arrangement.chips)}
    for site in placement.sites:
        found[site.chip][site.population] = found[site.chip].get(site.population, 0) + 1
    return found


def _listed(cores: dict[str, int]) -> str:
    return ", ".join(f"{population} on {n} {'core' if n == 1 else 'cores'}" for population, n in cores.items())


def _cores_json(placement: Placement) -> list[dict[str, object]]:
    uses: dict[tuple[int, int], dict[str, list[int | None]]] = {}
    for use in placement.fit:
        if use.core is not None:
            uses.setdefault((use.chip or 0, use.core), {})[use.resource] = [use.used, use.limit]
    compartments: dict[tuple[int, int], dict[str, int]] = {}
    for site in placement.sites:
        compartments.setdefault((site.chip, site.core), {})[site.population] = site.block.size
    return [
        {"chip": chip, "core": core, "compartments": compartments[chip, core], "uses": uses[chip, core]}
        for chip, core in sorted(uses)
    ]
