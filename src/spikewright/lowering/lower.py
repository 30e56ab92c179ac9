"""Lowering: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import nir

from ..base.errors import refuse
from ..chip.network import INPUT_RULE_KEY, OUTPUT_RULE_KEY, ChipNetwork
from ..chip.registers import Grid, grid_for, trained_grid
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..profile.profile import HardwareProfile, load_profile
from .chip_rules import check_chip
from .draft import Draft, draft_from_nir, input_format
from .passes import rewritten
from .quantize import quantize
from .rules import INTEGER_RULES, check_draft, faults_by


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
    """Turn a NIR graph into an integer network for a chip.

    The graph's metadata decide; for graphs of other tools the arguments supply what NIR leaves out. A graph whose
    metadata say that it was trained with integer arithmetic has its numbers on the chip's grid, and nothing is rounded.

    Args:
        profile: a profile, its name, or a path to its file.
        timesteps: timesteps per sample; without metadata the profile's default.
        encoding: how samples enter the network; without metadata ``events``.
        input_bits: bits of graded input or of input currents; without metadata 8.
        dt_s: seconds per timestep; without metadata the convention of the tool that wrote the graph.
        weight_bits: bits of a weight, sign included; without metadata as many as the chip has.

    Raises:
        InputError: the graph, or a design rule that it breaks; all faults in one message.
        AnswerIsNo: the network does not fit this chip; all reasons in one message.
    """
    target = load_profile(profile) if isinstance(profile, str) else profile
    input_rule, meaning = rules_of(graph.metadata)
    draft = drafted(graph, target, {"timesteps": timesteps, "encoding": encoding, "input_bits": input_bits}, dt_s)
    grid, remarks = grid_for(trained_grid(graph.metadata), target, weight_bits)
    assumed = draft.facts["assumed"]
    assert isinstance(assumed, list)
    chip = lower_draft(replace(draft, facts=draft.facts | {"assumed": [*assumed, *remarks]}), target, grid)
    return replace(chip, input_rule=input_rule, meaning=meaning)


def rules_of(metadata: Mapping[str, Any]) -> tuple[InputRule | None, OutputRule]:
    """The rules in a graph's metadata by which samples are prepared and outputs are read.

    Raises:
        InputError: an entry is damaged.
    """
    said, meaning = metadata.get(INPUT_RULE_KEY), metadata.get(OUTPUT_RULE_KEY)
    return (
        None if said is None else InputRule.from_json(_text(said)),
        CLASSES if meaning is None else OutputRule.from_json(_text(meaning)),
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def lower_draft(draft: Draft, profile: HardwareProfile, grid: Grid | None = None) -> ChipNetwork:
    """Check, rewrite and quantize a draft network: the second half of :func:`lower`.

    Args:
        grid: bits and scales that replace the profile's and the quantizer's own.

    Raises:
        InputError: the network breaks design rules; all of them in one message.
        AnswerIsNo: the network does not fit this chip; all reasons in one message.
    """
    check_draft(draft, profile)
    draft = rewritten(draft, profile)
    chip = quantize(draft, profile, grid)
    refuse(f"profile {chip.profile!r}", faults_by(INTEGER_RULES, chip, draft))
    check_chip(chip, profile)
    return chip


def drafted(
    graph: nir.NIRGraph,
    profile: HardwareProfile,
    given: Mapping[str, object] | None = None,
    dt_s: float | None = None,
) -> Draft:
    """The draft network of a graph before any pass.

    Its facts are the graph's metadata, the timestep in seconds (``dt_s``) and everything that was assumed
    (``assumed``).

    Args:
        given: ``timesteps``, ``encoding`` and ``input_bits`` as in :func:`lower`; what is None or missing is not given.
        dt_s: as in :func:`lower`.

    Raises:
        InputError: everything in the graph that a chip network cannot express, in one message.
    """
    wiring = wire(graph)
    inputs, assumed = input_format(graph.metadata, profile, given)
    step = resolve_dt(wiring, graph.metadata, dt_s)
    if step.assumed:
        assumed.append(f"time step {step.dt_s:g} s: {step.why}")
    if "reset" not in graph.metadata:
        assumed.append("reset to zero: the file does not say how its neurons were reset in training")
    said = {key: value for key, value in graph.metadata.items() if key not in (INPUT_RULE_KEY, OUTPUT_RULE_KEY)}
    plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in said.items()}
    facts = plain | {"dt_s": step.dt_s, "assumed": [*wiring.assumed, *assumed]}
    return draft_from_nir(wiring, step.dt_s, inputs, facts)


def fitting_scales(graph: nir.NIRGraph, profile: HardwareProfile) -> dict[str, float]:
    """By population, the largest scale that fits the chip's registers, at most the one in the graph's metadata.

    Raises:
        InputError: everything in the graph that a chip network cannot express, in one message.
    """
    draft = rewritten(drafted(graph, profile), profile)
    grid, _ = grid_for(trained_grid(graph.metadata), profile, None)
    scales = quantize(draft, profile, grid).provenance["scales"]
    assert isinstance(scales, dict)
    return scales
