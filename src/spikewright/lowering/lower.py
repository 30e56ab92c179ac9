"""`spikewright lower`: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

import nir

from ..chip.network import ChipNetwork
from ..chip.trained_grid import Grid, grid_for, trained_grid
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..profile.profile import HardwareProfile, load_profile
from .chip_rules import check_chip
from .draft import Draft, draft_from_nir, plain
from .horizon import Asked, horizon_of
from .passes import rewritten
from .quantize import quantize
from .rules import check_draft, check_integers


def lower(
    graph: nir.NIRGraph,
    profile: HardwareProfile | str = "loihi2-assumed",
    *,
    timesteps: int | None = None,
    encoding: str | None = None,
    input_bits: int | None = None,
    dt_s: float | None = None,
    weight_bits: int | None = None,
) -> ChipNetwork:
    """The integer network that ``graph`` becomes on a chip.

    A graph that was trained on integers says so in its metadata: its numbers lie on the chip's grid already, and
    nothing is rounded.

    What the graph's metadata say holds; for graphs of other tools the arguments fill in what NIR leaves out.

    Args:
        profile: a profile, its name, or a path to its file.
        timesteps: steps per sample; without metadata the profile's default.
        encoding: how samples enter; without metadata ready-made events.
        input_bits: width of graded input or currents; without metadata 8.
        dt_s: seconds per step; without metadata the producer's convention.
        weight_bits: width of a weight, sign included; without metadata the chip's own.

    Raises:
        InputError: every fault of the graph, or every broken design rule, at once.
        AnswerIsNo: the network is not one for this chip; every reason.
    """

    target = load_profile(profile) if isinstance(profile, str) else profile
    draft, grid = _drafted(graph, target, Asked(timesteps, encoding, input_bits), dt_s, weight_bits)
    return lower_draft(draft, target, grid)


def fitting_scales(graph: nir.NIRGraph, profile: HardwareProfile) -> dict[str, float]:
    """By population, the largest scale up to the one its metadata give at which a graph fits the chip's registers."""

    draft, grid = _drafted(graph, profile, Asked(None, None, None), None, None)
    scales = quantize(rewritten(draft, profile), profile, grid).provenance["scales"]
    assert isinstance(scales, dict)
    return scales


def _drafted(
    graph: nir.NIRGraph, target: HardwareProfile, asked: Asked, dt_s: float | None, weight_bits: int | None
) -> tuple[Draft, Grid]:

    wiring = wire(graph)
    horizon, assumed = horizon_of(graph.metadata, asked, target)
    step = resolve_dt(wiring, graph.metadata, dt_s)
    if step.assumed:
        assumed.append(f"time step {step.dt_s:g} s: {step.why}")
    if "reset" not in graph.metadata:
        assumed.append("reset to zero: the file does not say how its neurons were reset in training")
    grid, remarks = grid_for(trained_grid(graph.metadata), target, weight_bits)
    facts = plain(graph.metadata) | {"dt_s": step.dt_s, "assumed": [*wiring.assumed, *assumed, *remarks]}
    return draft_from_nir(wiring, step.dt_s, horizon, facts), grid


def lower_draft(draft: Draft, profile: HardwareProfile, grid: Grid | None = None) -> ChipNetwork:
    """Rules, passes and rounding: the second half of :func:`lower`.

    Raises:
        InputError: every broken design rule.
        AnswerIsNo: the network is not one for this chip; every reason.
    """

    check_draft(draft, profile)
    draft = rewritten(draft, profile)
    chip = quantize(draft, profile, grid)
    check_integers(chip, draft)
    check_chip(chip, profile)
    return chip
