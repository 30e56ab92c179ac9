"""Parts of a model card: what the network is, how it was trained, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import nir
import numpy as np
import numpy.typing as npt

from ...chip.agreement import LEVELS
from ...graph.nodes import NEURONS, NodeFault, Shape, constants_of
from ...graph.time_step import resolve_dt
from ...profile.units import quantity
from ..numbers import markdown_table
from ..verdict import Verdict
from .facts import Known

WEIGHTS = ("weight", "bias")


def bullets(lines: Sequence[str]) -> list[str]:
    """Lines as a Markdown list."""
    return [f"- {line}" for line in lines]


def pairs(rows: Sequence[tuple[str, str | None]]) -> list[str]:
    """A Markdown table of names and values, the rows without a value left out; empty where all are."""
    found = [(what, value) for what, value in rows if value is not None]
    return markdown_table(("what", "value"), *found) if found else []


def network_part(known: Known) -> list[str]:
    """What it is: its constants, then a row for each node."""
    said, wiring = known.graph, known.wiring
    bits = said.input_bits if said.encoding in ("direct", "current") else None
    encoding = said.encoding
    neurons = sum(int(np.prod(wiring.shapes[name][0])) for name in wiring.neurons)
    facts = pairs(
        (
            ("architecture", _architecture(known)),
            ("input", _shape(wiring.shapes[wiring.input][0])),
            ("encoding", None if encoding is None else f"{encoding}{f', {bits} bits' if bits is not None else ''}"),
            ("time steps", _steps(known)),
            ("readout", _readout(known)),
            ("reset", None if said.reset is None else f"to {said.reset}, in the step of the spike"),
            ("neurons", f"{neurons:,}"),
            ("parameters", f"{_parameters(known):,} weights and biases of layers"),
            ("integers", _integers(known)),
        )
    )
    return [*facts, "", *_layers(known)]


def _architecture(known: Known) -> str | None:
    shape = known.making.student
    return None if shape.architecture is None else f"{shape.architecture}, width {shape.width}"


def _steps(known: Known) -> str | None:
    steps, dt_s = known.graph.timesteps, known.graph.dt_s
    if steps is None:
        return None
    return f"{steps}" if dt_s is None else f"{steps}, each written as {dt_s:g} s (NIR's constants are in seconds)"


def _readout(known: Known) -> str | None:
    meanings = {"membrane": "membrane potentials after the last step", "count": "spikes counted over all steps"}
    return meanings.get(str(known.graph.readout))


def _integers(known: Known) -> str | None:
    if known.grid is None:
        return None
    registers = known.grid.registers
    return (
        f"trained on those of `{known.grid.profile}`: weights of {registers.weight_bits} bits, biases of "
        f"{registers.bias_mantissa_bits}, thresholds of {registers.threshold_bits}, states of {registers.state_bits}; "
        "each number of the graph is its integer divided by the layer's scale"
    )


def _parameters(known: Known) -> int:
    return sum(_size(node) for node in known.wiring.nodes.values())


def _size(node: nir.NIRNode) -> int:
    if isinstance(node, NEURONS):
        return 0
    return sum(np.asarray(getattr(node, each.name)).size for each in fields(node) if each.name in WEIGHTS)


def _layers(known: Known) -> list[str]:
    wiring = known.wiring
    rows = []
    for name, node in wiring.nodes.items():
        if isinstance(node, nir.Input | nir.Output):
            continue
        into = ", ".join(wiring.into(name))
        arriving, leaving = wiring.shapes[name]
        shapes = _shape(leaving) if arriving == leaving else f"{_shape(arriving)} to {_shape(leaving)}"
        rows.append((f"`{name}`", type(node).__name__, into, shapes, _said_of(known, name)))
    return markdown_table(("layer", "NIR node", "takes", "shape", "what it does"), *rows)


def _said_of(known: Known, name: str) -> str:
    node = known.wiring.nodes[name]
    if isinstance(node, NEURONS):
        return _neuron(known, name)
    if isinstance(node, nir.Conv2d):
        kernel = " x ".join(map(str, np.shape(node.weight)[2:]))
        return f"kernel {kernel}, stride {_pair(node.stride)}, {_size(node):,} parameters"
    return f"{_size(node):,} parameters" if _size(node) else ""


def _neuron(known: Known, name: str) -> str:
    dt_s = resolve_dt(known.wiring, known.metadata).dt_s
    try:
        law = constants_of(known.wiring.nodes[name], dt_s, known.wiring.shapes[name][0])
    except NodeFault as fault:
        return str(fault)
    current = f"current keeps {_range(1 - law.leak_u)} of itself per step, " if (law.leak_u != 1).any() else ""
    fires = "never fires" if law.threshold is None else f"fires above {_range(law.threshold)}"
    return f"{current}membrane keeps {_range(1 - law.leak_v)} per step, {fires}"


def _range(values: npt.NDArray[np.float64]) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _pair(value: object) -> str:
    both = np.broadcast_to(np.asarray(value), (2,)).tolist()
    return str(both[0]) if both[0] == both[1] else f"{both[0]} x {both[1]}"


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def training_part(known: Known) -> list[str]:
    """What the student's file says of its making; nothing where it was not noted."""
    making = known.making
    return pairs(
        (
            ("data", _data(known)),
            ("method", _method(known)),
            ("regularizers", ", ".join(f"`{each}`" for each in making.regularizers) or None),
            ("teacher", _teacher(known)),
            ("assistants", _assistants(known)),
            ("epochs", _epochs(known)),
            ("seed", None if making.settings.seed is None else str(making.settings.seed)),
            ("augmentation", None if making.training is None else making.training.augmentation),
            ("numbers", _numbers(known)),
            ("energy budget", _budget(known)),
            ("further limits", _further(known)),
        )
    )


def _data(known: Known) -> str | None:
    if known.data is None:
        return None
    samples = known.making.settings.train_samples
    return f"`{known.data}`" + (f", {samples:,} samples of its training part" if samples is not None else "")


def _method(known: Known) -> str | None:
    asked, options = known.making.settings.method, known.making.method
    if asked is None:
        return None if options is None else f"`{options}`"
    return f"`{asked}`" + (f": `{options}`" if options is not None else "")


def _teacher(known: Known) -> str | None:
    name, accuracy = known.making.teacher, known.making.teacher_validation_accuracy
    if name is None:
        return None
    macs = known.making.teacher_macs
    good = f", {accuracy:.2%} on validation" if accuracy is not None else ""
    return f"{name}{good}{f', {macs:,} multiply-accumulates per inference' if macs is not None else ''}"


def _assistants(known: Known) -> str | None:
    found = known.making.assistants
    if found is None:
        return None
    words = []
    for each in found:
        accuracy = each.validation_accuracy
        words.append(f"{each.name}{f' ({accuracy:.2%} on validation)' if accuracy is not None else ''}")
    return ", ".join(words)


def _epochs(known: Known) -> str | None:
    training = known.making.training
    if training is None or (asked := training.epochs) is None:
        return None
    further = len(known.making.history) - asked
    return f"{asked}" + (f" and {further} more, to keep or use up a limit" if further > 0 else "")


def _numbers(known: Known) -> str | None:
    training = known.making.training
    if known.grid is None:
        return None if training is None else "floats, to the end"
    if training is None or (share := training.integer_from) is None:
        return f"integers of `{known.grid.profile}`"
    return f"integers of `{known.grid.profile}` after a warm-up in floats, {share:.0%} of the epochs"


def _budget(known: Known) -> str | None:
    settings, found = known.making.settings, known.making.certificate
    if settings.energy_budget is None:
        return None
    words = f"{settings.energy_budget} per inference on `{settings.profile}`"
    if found is None or found.budget is None:
        return words
    kept = "kept" if found.energy <= found.budget else "not kept"
    spent = quantity(found.energy, found.unit)
    return f"{words}, {kept}: its chip network spends {spent} on {found.samples:,} {found.split} samples"


def _further(known: Known) -> str | None:
    found = known.making.certificate
    limits = {} if found is None else {name: each for name, each in found.limits.items() if name != "budget"}
    return "; ".join(f"{name}: {spent:.4g} of {limit:.4g}" for name, (spent, limit) in limits.items()) or None


def results_part(known: Known) -> list[str]:
    """What was measured: on validation in training, and on test by a run."""
    rows = [*_validation(known), *(_test(known.verdict) if known.verdict is not None else [])]
    lines = markdown_table(("what", "measured", "on"), *rows) if rows else []
    if known.verdict is not None:
        lines += ["", f"Agreement, every spike, current and membrane potential: {known.verdict.agreement.in_words()}."]
    if rows and known.making.validation_accuracy is not None:
        lines += ["", "Validation samples chose the epoch whose weights were kept; test samples chose nothing."]
    return lines


def _validation(known: Known) -> list[tuple[str, str, str]]:
    trained, found = known.making.validation_accuracy, known.making.certificate
    rows = [] if trained is None else [("accuracy, student", f"{trained:.2%}", "validation")]
    if found is not None:
        where = f"{found.samples:,} {found.split} samples"
        rows += [
            ("accuracy, chip network", f"{found.accuracy:.2%}", where),
            ("energy per inference", f"{quantity(found.energy, found.unit)} on `{found.profile}`", where),
            ("synaptic operations per inference", f"{found.synaptic_ops:,.0f}", where),
        ]
    return rows


def _test(verdict: Verdict) -> list[tuple[str, str, str]]:
    measured = verdict.agreement
    rows = [
        (
            f"accuracy, {LEVELS.get(level, level)}",
            f"{value:.2%}",
            f"{measured.samples[level]:,} {measured.split} samples",
        )
        for level, value in measured.accuracy.items()
    ]
    report = verdict.report.energy
    where = f"{report.samples:,} {report.split} samples"
    return [
        *rows,
        ("energy", f"{report.verdict}, on `{report.profile.name}`", where),
        ("spikes per inference", f"{verdict.spikes:,.0f}", where),
        ("synaptic operations per inference", f"{verdict.synaptic_ops:,.0f}", where),
        ("nearest limit of the chip", verdict.binding, "placement"),
    ]
