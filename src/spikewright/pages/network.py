"""A chip network and its placement in words and as JSON: populations, connections, and what they take of the chip."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from ..base.errors import InputError
from ..chip.network import ChipNetwork, Connection, Population
from ..lowering.quantize import bits_of_levels
from ..placing.placement import Placement

_HEADINGS = ("population", "role", "shape", "from", "weights", "bits", "fan-in", "scale", "vth", "du", "dv", "cores")
_WEIGHED = {"connectivity": "connectivity", "spikes": "measured spikes"}


def summary(chip: ChipNetwork) -> dict[str, object]:
    """JSON-able facts of every population and connection."""
    return {
        **{name: getattr(chip, name) for name in ("profile", "timesteps", "encoding", "readout")},
        "populations": [_population(chip, population) for population in chip.populations],
        "connections": [_connection(chip, connection) for connection in chip.connections],
        "assumed": chip.provenance.get("assumed", []),
    }


def fit_of(placement: Placement) -> list[dict[str, object]]:
    """JSON-able: the fullest core for each resource."""
    keys = ("resource", "used", "limit", "core", "population")
    return [{key: getattr(use, key) for key in keys} for use in placement.worst]


def table(chip: ChipNetwork, placement: Placement) -> str:
    """Lines for people: populations with their incoming connections, then the fit."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for population in chip.populations:
        first, *others = [_weights(chip, connection) for connection in chip.into(population.name)] or [
            (_driven_by(population), "", "", "")
        ]
        shape = "x".join(map(str, population.shape))
        rows.append((population.name, population.role, shape, *first, *_registers(chip, population, placement)))
        rows += [("", "", "", *weights, "", "", "", "", "") for weights in others]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    head = f"{chip.profile}: {chip.encoding} input, T = {chip.timesteps}, {chip.readout} readout"
    for use in placement.worst:
        limit = ", no limit known" if use.limit is None else f" of {use.limit}"
        lines.append(f"{use.resource}: {use.used}{limit}{f' ({use.population})' if use.population else ''}")
    return "\n".join([head, *lines, *placement_lines(placement)])


def effective_bits(chip: ChipNetwork, connection: Connection) -> float:
    """Bits that the weights of a connection really use."""
    return bits_of_levels(connection, int(_noted(chip, "weight_levels")[connection.name]))


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
        facts |= {name: getattr(neuron, name) for name in ("du", "dv", "vth", "bias_exp", "fires")}
        facts["scale"] = _noted(chip, "scales")[population.name]
    return facts


def _connection(chip: ChipNetwork, connection: Connection) -> dict[str, object]:
    return {
        "source": connection.source,
        "target": connection.target,
        "weights": list(connection.shape),
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
    shape = "x".join(map(str, connection.shape))
    kind = shape if connection.conv is None else f"{shape} conv"
    return connection.source, kind, f"{effective_bits(chip, connection):.1f}", str(_fan_in(connection))


def _fan_in(connection: Connection) -> int:
    return int(np.prod(connection.shape[1:]))


def placement_lines(placement: Placement) -> list[str]:
    """How the cores lie, with the hops of a message that stays on its chip, and the cut between chips; for people."""
    how = placement.arrangement
    lines = _on_mesh(placement)
    if how.shared_cores:
        lines.append("populations share cores, since each of its own would be too many")
    if how.chips > 1:
        crossing = ", ".join(f"{name} {_percent(*counts)}" for name, counts in how.cut.items() if counts[0])
        lines.append(
            f"{how.chips} chips: {_percent(how.between_chips, how.messages)} of the messages between cores change chip "
            f"({_percent(how.cut_in_order, how.messages)} with cores in order){': ' if crossing else ''}{crossing}"
        )
    for chip in range(how.chips) if how.chips > 1 else ():
        cores = Counter(site.population for site in placement.sites if site.chip == chip)
        listed = ", ".join(f"{name} on {n} {'core' if n == 1 else 'cores'}" for name, n in cores.items())
        lines.append(f"chip {chip}: {listed}")
    return lines


def placement_sentences(placement: Placement) -> list[str]:
    """The same lines, each beginning with a capital."""
    return [line[:1].upper() + line[1:] for line in placement_lines(placement)]


def placement_json(placement: Placement) -> dict[str, object]:
    """The layout, the cut, and ``[used, limit]`` of every resource of every core."""
    how = placement.arrangement
    return {
        **{name: getattr(how, name) for name in ("by", "seed", "chips", "shared_cores")},
        **{name: getattr(how, name) for name in ("hops", "hops_in_order", "messages", "between_chips")},
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


def _percent(part: int, whole: int) -> str:
    return f"{part / whole if whole else 0:.1%}"


def _cores_json(placement: Placement) -> list[dict[str, object]]:
    uses: defaultdict[tuple[int, int], dict[str, list[int | None]]] = defaultdict(dict)
    for use in placement.fit:
        if use.core is not None:
            uses[use.chip or 0, use.core][use.resource] = [use.used, use.limit]
    compartments: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for site in placement.sites:
        compartments[site.chip, site.core][site.population] = site.block.size
    return [
        {"chip": chip, "core": core, "compartments": compartments[chip, core], "uses": uses[chip, core]}
        for chip, core in sorted(uses)
    ]
