"""A placement in words and as JSON: how cores were laid out, what each holds, and what crosses between chips."""

from __future__ import annotations

from ..placing.placement import Placement

WEIGHED = {"connectivity": "connectivity", "spikes": "measured spikes"}


def lines(placement: Placement) -> list[str]:
    """How the cores lie, with the hops of a message that stays on its chip, and the cut between chips; for people."""
    how = placement.arrangement
    said = _on_mesh(placement)
    if how.shared_cores:
        said.append("populations share cores, since each of its own would be too many")
    if how.chips > 1:
        said.append(_between_chips(placement))
        said += [f"chip {chip}: {_listed(found)}" for chip, found in _by_chip(placement).items()]
    return said


def as_json(placement: Placement) -> dict[str, object]:
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
        "cores": _cores(placement),
    }


def _on_mesh(placement: Placement) -> list[str]:
    how, limits = placement.arrangement, placement.profile.limits
    if limits.neurons_per_core is None:
        return []  # a way of counting, without cores
    if how.hops is None or how.hops_in_order is None:
        return ["placement: cores in order, since how they lie on the chip is not known"]
    within = how.messages - how.between_chips
    if how.by == "order":
        return [f"placement: cores in order, {_each(how.hops, within)} a message"]
    instead = "as" if how.hops == how.hops_in_order else _each(how.hops_in_order, within)
    return [
        f"placement: by {WEIGHED[how.by]}, seed {how.seed}: {_each(how.hops, within)} a message, "
        f"{instead} with cores in order"
    ]


def _each(hops: int, messages: int) -> str:
    return f"{hops / messages if messages else 0:.2f} hops"


def _between_chips(placement: Placement) -> str:
    how = placement.arrangement
    crossing = [f"{name} {_share(*counts)}" for name, counts in how.cut.items() if counts[0]]
    return (
        f"{how.chips} chips: {_share(how.between_chips, how.messages)} of the messages between cores change chip "
        f"({_share(how.cut_in_order, how.messages)} with cores in order){': ' if crossing else ''}{', '.join(crossing)}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole if whole else 0:.1%}"


def _by_chip(placement: Placement) -> dict[int, dict[str, int]]:
    """For each chip, how many cores each population has on it."""
    found: dict[int, dict[str, int]] = {chip: {} for chip in range(placement.arrangement.chips)}
    for site in placement.sites:
        found[site.chip][site.population] = found[site.chip].get(site.population, 0) + 1
    return found


def _listed(cores: dict[str, int]) -> str:
    return ", ".join(f"{population} on {n} {'core' if n == 1 else 'cores'}" for population, n in cores.items())


def _cores(placement: Placement) -> list[dict[str, object]]:
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
