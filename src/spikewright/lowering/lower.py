"""Lowering: a NIR graph becomes an integer chip network for one hardware profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import nir

from ..base.errors import InputError, Message, arg, check_type, refuse
from ..chip.network import INPUT_RULE_KEY, OUTPUT_RULE_KEY, ChipNetwork
from ..chip.registers import Grid, Peaks, grid_for, trained_grid
from ..data.dataset import Dataset
from ..data.for_network import ForNetwork
from ..data.input_rule import InputRule
from ..data.load import DATASETS, load
from ..data.output_rule import CLASSES, OutputRule
from ..data.split import Split
from ..data.unlabelled import samples_for
from ..graph.nir_io import read_graph
from ..graph.time_step import NOTHING_SAID, Convention, Reading, read_as
from ..graph.wiring import RESET_KEY, wire
from ..profile.profile import HardwareProfile, load_profile
from ..sources.arrays import lacks_labels
from . import rules
from .absurd import absurdities
from .chip_rules import check_chip
from .draft import Draft, begins, draft_from_nir, encodings_of, input_format
from .passes import rewritten
from .peaks import Measuring
from .quantize import CALIBRATION, NO_ROOM, quantize, starved
from .rules import check_draft
from .split import by_layer


def lower(
    graph: nir.NIRGraph | str | Path,
    profile: HardwareProfile | str | Path = "loihi2-assumed",
    *,
    timesteps: int | None = None,
    encoding: str | None = None,
    input_bits: int | None = None,
    dt_s: float | None = None,
    producer: str | None = None,
    reset: str | None = None,
    weight_bits: int | None = None,
    calibrate: str | Path | Dataset | Split | Measuring | None = None,
    calibrate_samples: int | None = None,
    quantile: float | None = None,
    margin: float | None = None,
    population: int | None = None,
) -> ChipNetwork:
    """Turn a NIR graph into an integer network for a chip.

    The graph's metadata decide; for graphs of other tools the arguments supply what NIR leaves out. A graph whose
    metadata say that it was trained with integer arithmetic has its numbers on the chip's grid, and nothing is rounded.

    Without ``calibrate`` no register overflows whatever the input: each scale leaves room for every source spiking at
    every step, which over many steps, or with a slow synaptic filter, leaves few levels to the weights. With it a scale
    leaves room for ``margin`` times the largest current and membrane potential on data.

    Args:
        graph: or the path of its file, which is also read where nir's own reader refuses it.
        profile: a profile, its name, or a path to its file.
        timesteps: timesteps per sample; without metadata the profile's default.
        encoding: how samples enter the network; without metadata ``events``.
        input_bits: bits of graded input or of input currents; without metadata 8.
        dt_s: seconds per timestep; without metadata what the convention of the tool that wrote the graph implies.
        producer: the tool that wrote the graph; without metadata it is recognised by the parameters of the neurons:
            snntorch, lava, spikingjelly, sinabs, norse, norse-paper, rockpool, spyx, nengo, spikewright.
        reset: what a spike does to the membrane potential, zero, subtract or subtract-late; without metadata what the
            producer always does, or zero.
        weight_bits: bits of a weight, sign included; without metadata as many as the chip has.
        calibrate: data to measure currents and potentials on, of a data set (or its name) the training part, or how to
            measure them; None for the worst case.
        calibrate_samples: how many at most, from the first; None for 256.
        quantile: of the largest values of single samples; 1, or None, takes the largest of all.
        margin: factor by which registers may go beyond that; None for 1.5.
        population: outputs for each class, side by side, whose scores are added up; without metadata 1.

    Raises:
        InputError: the graph, a design rule that it breaks, or data that do not fit it; all faults in one message.
        AnswerIsNo: the network does not fit this chip; all reasons in one message.
    """
    if isinstance(graph, str | Path):
        graph = read_graph(graph)
    check_type("graph", graph, nir.NIRGraph, "a NIR graph, such as to_nir(student), or the path of its file")
    target = load_profile(profile)
    input_rule, meaning = rules_of(graph.metadata)
    if isinstance(calibrate, str | Path):
        calibrate = calibration_data(calibrate, graph, timesteps, encoding)
    measuring = _measuring(calibrate, graph, calibrate_samples, quantile, margin)
    given = {"timesteps": timesteps, "encoding": encoding, "input_bits": input_bits}
    draft = drafted(graph, target, given, Convention(dt_s, producer, reset))
    trained = trained_grid(graph.metadata)
    grid, remarks = grid_for(trained, target, weight_bits)
    if measuring is not None and grid.scales:
        raise InputError(
            f"{arg('calibrate')}: the graph was trained on the integers of this chip, and its scales stay; leave it "
            f"out, or train with {arg('scales', 'measured')}"
        )
    assumed = draft.facts["assumed"]
    assert isinstance(assumed, list)
    draft = replace(draft, facts=draft.facts | {"assumed": [*assumed, *remarks]})
    check_draft(draft, target)
    draft = rewritten(draft, target)
    calibration = None if trained is None else trained.calibration
    if measuring is not None:
        calibration = measuring.calibration(draft, target, weight_bits)
        grid = replace(grid, peaks={} if calibration is None else calibration.bounds())
    if calibration is not None:
        draft = replace(draft, facts=draft.facts | {CALIBRATION: calibration.model_dump(mode="json")})
    chip = _in_integers(draft, target, grid)
    return replace(chip, input_rule=input_rule, meaning=_with_population(meaning, population, chip.outputs))


def _measuring(
    data: Dataset | Split | Measuring | None,
    graph: nir.NIRGraph,
    samples: int | None,
    quantile: float | None,
    margin: float | None,
) -> Measuring | None:
    if isinstance(data, Dataset | Split):
        takes = takes_of(graph)
        prepared = data.by(takes) if isinstance(data, Dataset) else data
        by_step = takes.rule is not None and takes.rule.changes_each_step
        return Measuring.of(prepared, samples, quantile, margin, by_step=by_step)
    given = {"calibrate_samples": samples, "quantile": quantile, "margin": margin}
    idle = [name for name, value in given.items() if value is not None]
    refuse("lower", [f"{arg(name)}: is for scales measured on data; give {arg('calibrate')} too" for name in idle])
    return data


def calibration_data(
    name: str | Path,
    graph: nir.NIRGraph,
    timesteps: int | None = None,
    encoding: str | None = None,
    data_dir: Path | None = None,
) -> Dataset | Split:
    """Data to measure a graph on: of a data set, or of an ``.npz`` or ``.npy`` file of samples, which needs no labels.

    Args:
        timesteps, encoding: as in :func:`lower`.
        data_dir: folder of a data set that has a name.

    Raises:
        InputError: data that do not fit the graph.
    """
    takes = takes_of(graph, timesteps, encoding)
    if name not in DATASETS and lacks_labels(Path(name)):
        wiring = wire(graph)
        shape = (*wiring.shapes[wiring.input][1], 1, 1)[: max(3, len(wiring.shapes[wiring.input][1]))]
        return samples_for(name, takes, shape)
    return load(name, data_dir, graph.metadata.get("timesteps", timesteps), network=takes)


def takes_of(graph: nir.NIRGraph, timesteps: int | None = None, encoding: str | None = None) -> ForNetwork:
    """What data for the network of a graph must be like.

    Args:
        timesteps: as in :func:`lower`, and so is ``encoding``; they say what samples of events look like.

    Raises:
        InputError: the graph, or an entry of its metadata, is damaged.
    """
    rule, meaning = rules_of(graph.metadata)
    wiring = wire(graph)
    steps, takes = graph.metadata.get("timesteps", timesteps), graph.metadata.get("encoding", encoding)
    frames = (
        (int(steps), *wiring.shapes[wiring.input][1]) if isinstance(steps, int) and takes in (None, "events") else None
    )
    return ForNetwork(rule, meaning, prod(wiring.shapes[wiring.output][0]) // meaning.population, frames)


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


def _with_population(meaning: OutputRule, population: int | None, outputs: int) -> OutputRule:
    """What outputs mean, where the user says how many of them stand for a class.

    Raises:
        InputError: the graph says another number, or it does not divide the outputs.
    """
    if population is None or population == meaning.population:
        return meaning
    where = arg("population", population)
    if meaning != CLASSES:
        raise InputError(
            f"{where}: the graph says what its outputs mean, with {meaning.population} for each; leave it out"
        )
    if population < 1 or outputs % population:
        raise InputError(f"{where}: the network has {outputs} outputs; give a number that divides them")
    return replace(meaning, population=population)


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
    return _in_integers(rewritten(draft, profile), profile, grid)


def _in_integers(draft: Draft, profile: HardwareProfile, grid: Grid | None) -> ChipNetwork:
    chip = quantize(draft, profile, grid)
    refuse(f"profile {chip.profile!r}", rules.faults_by(rules.INTEGER_RULES, chip, draft))
    check_chip(chip, profile)
    return chip


def sketched(graph: nir.NIRGraph, profile: HardwareProfile) -> ChipNetwork:
    """The chip network of a graph for what depends on its structure alone, and not on its weights, such as a cost.

    Where the worst case would leave the weights too few bits, its scales leave no room at all.

    Raises:
        InputError: the graph, or a design rule that it breaks; all faults in one message.
        AnswerIsNo: the network does not fit this chip; all reasons in one message.
    """
    draft = drafted(graph, profile)
    grid, _ = grid_for(trained_grid(graph.metadata), profile, None)
    if not grid.scales:
        check_draft(draft, profile)
        hungry = starved(rewritten(draft, profile), profile, grid.weight_bits)
        grid = replace(grid, peaks={**dict.fromkeys(hungry, NO_ROOM), **grid.peaks})
    return lower_draft(draft, profile, grid)


def drafted(
    graph: nir.NIRGraph,
    profile: HardwareProfile,
    given: Mapping[str, object] | None = None,
    said: Convention = NOTHING_SAID,
) -> Draft:
    """The draft network of a graph before any pass.

    Its facts are the graph's metadata, the timestep in seconds (``dt_s``), the tool whose convention was taken
    (``producer``) and everything that was assumed (``assumed``).

    Args:
        given: ``timesteps``, ``encoding`` and ``input_bits`` as in :func:`lower`; what is None or missing is not given.
        said: ``dt_s``, ``producer`` and ``reset`` as in :func:`lower`.

    Raises:
        InputError: everything in the graph that a chip network cannot express, in one message; a network that can do
            nothing at the timestep that was assumed.
    """
    wiring = wire(graph)
    inputs, assumed = input_format(graph.metadata, profile, given, encodings_of(wiring, profile))
    reading = read_as(wiring, graph.metadata, said)
    if reading.step.assumed:
        assumed.append(f"time step {reading.step.dt_s:g} s: {reading.step.why}")
    assumed += begins(reading.wiring)
    assumed += [str(Message(sentence)) for sentence in reading.assumed]
    said_there = {key: value for key, value in graph.metadata.items() if key not in (INPUT_RULE_KEY, OUTPUT_RULE_KEY)}
    plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in said_there.items()}
    facts = plain | _facts_of(reading, said) | {"assumed": [*wiring.assumed, *assumed]}
    draft = draft_from_nir(reading.wiring, reading.step.dt_s, inputs, facts)
    if reading.step.assumed:
        refuse("NIR graph", list(absurdities(draft, reading.step)))
    return draft


def _facts_of(reading: Reading, said: Convention) -> dict[str, object]:
    """What a chip network notes of how its graph was read, so that it can be read so again."""
    facts: dict[str, object] = {"dt_s": reading.step.dt_s}
    if reading.producer is not None:
        facts["producer"] = reading.producer.name
    return facts if said.reset is None else facts | {RESET_KEY: said.reset}


def fitting_scales(
    graph: nir.NIRGraph, profile: HardwareProfile, peaks: Mapping[str, Peaks] | None = None
) -> dict[str, float]:
    """By layer, the largest scale that fits the chip's registers, at most the one in the graph's metadata.

    Args:
        peaks: by layer, the registers that it must have room for, instead of those in the graph's metadata.

    Raises:
        InputError: everything in the graph that a chip network cannot express, in one message.
    """
    draft = rewritten(drafted(graph, profile), profile)
    grid, _ = grid_for(trained_grid(graph.metadata), profile, None)
    if peaks is not None:
        grid = replace(grid, peaks=peaks)
    return scales_of(quantize(draft, profile, grid))


def scales_of(chip: ChipNetwork) -> dict[str, float]:
    """By layer, the scale of a chip network; of one that was split, the smallest of its parts."""
    scales = chip.provenance["scales"]
    assert isinstance(scales, dict)
    return by_layer(scales, chip.provenance, min)
