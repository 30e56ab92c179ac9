"""What a model card tells of a graph: its metadata, what its student's file said, and a run; and the card's tables.

A cell that is no :class:`~spikewright.pages.markdown.Markdown` is a text of any origin, and is escaped in the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ...base.errors import InputError
from ...base.headers import read_json
from ...chip.agreement import LEVELS
from ...chip.registers import TrainedGrid, trained_grid
from ...data.output_rule import CLASSES, OutputRule
from ...energy.macs import Macs
from ...graph.fields import NodeFault
from ...graph.nodes import NEURONS, Shape
from ...graph.time_step import read_as
from ...graph.wiring import Wiring, wire
from ...lowering.lower import rules_of
from ...profile.units import quantity
from ...student.facts import CertificateFacts, Facts, OverflowFacts, StudentFacts
from ..markdown import code, filled, joined
from ..measure import measure_of
from ..numbers import Rows
from ..paths import Paths
from ..verdict import Verdict

WEIGHTS = ("weight", "bias")
NAMED = 40
READOUTS = {"membrane": "membrane potentials after the last step", "count": "spikes counted over all steps"}


class GraphFacts(Facts):
    """What the metadata of a graph say of it."""

    classes: int | None = None
    encoding: str | None = None
    input_bits: int | None = None
    timesteps: int | None = None
    dt_s: float | None = None
    readout: str | None = None
    reset: str | None = None
    source: str | None = None
    format_version: int | str | None = None
    parent_sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """All that a card may say.

    Attributes:
        metadata: of the graph, as they are; ``graph`` those of them that the card tells.
        student: what the student's file said of its making; None where nobody noted it.
        grid: the integers that it was trained on; None for floats, or where it is not noted.
        files: whose names, without their folders, the card's commands use.
        path: of the graph's file; None where it was not written.
        verdict: how a run of the graph ended; None without one.
        outputs: what they mean.
    """

    wiring: Wiring
    metadata: Mapping[str, Any]
    graph: GraphFacts
    student: StudentFacts | None
    grid: TrainedGrid | None
    files: Paths
    path: Path | None
    verdict: Verdict | None
    outputs: OutputRule = CLASSES

    @classmethod
    def of(cls, graph: nir.NIRGraph, path: Path | None, verdict: Verdict | None) -> Known:
        """Gather what a graph, its file's name and a verdict say.

        Raises:
            InputError: the graph is damaged.
        """
        paths = Paths.under(Path()) if verdict is None else verdict.paths
        names = replace(paths, nir=Path("network.nir") if path is None else path)
        said = graph.metadata
        facts = GraphFacts.model_validate(said)
        outputs = rules_of(said)[1]
        return cls(wire(graph), said, facts, _student(said), trained_grid(said), names, path, verdict, outputs)

    @property
    def making(self) -> StudentFacts:
        """What the student's file said of its making, empty where nobody noted it."""
        return self.student or StudentFacts()

    @property
    def profile(self) -> str | None:
        """Name of the hardware profile that it was trained for."""
        return self.grid.profile if self.grid is not None else self.making.settings.profile


def _student(metadata: Mapping[str, Any]) -> StudentFacts | None:
    said = metadata.get("provenance")
    if said is None:
        return None
    try:
        found = read_json(said)
    except (TypeError, ValueError) as error:
        raise InputError(f"NIR graph: its metadata 'provenance' is not JSON ({error}); export it again") from error
    return StudentFacts.model_validate(found) if isinstance(found, Mapping) and found else None


def _pairs(*rows: tuple[str, str | None]) -> Rows:
    """A table of names and values, the rows without a value left out."""
    return [("what", "value"), *((what, value) for what, value in rows if value is not None)]


def _if_known(words: str, value: object) -> str:
    """``words`` with a value in place of their braces; empty where it is None."""
    return "" if value is None else words.format(value)


def network_rows(known: Known) -> Rows:
    """What it is: its constants."""
    said, wiring, shape = known.graph, known.wiring, known.making.student
    bits = said.input_bits if said.encoding in ("direct", "current") else None
    written = _if_known(", each written as {:g} s (NIR's constants are in seconds)", said.dt_s)
    neurons = sum(int(np.prod(wiring.shapes[name][0])) for name in wiring.neurons)
    parameters = sum(_size(node) for node in wiring.nodes.values())
    return _pairs(
        ("architecture", shape.architecture and f"{shape.architecture}, width {shape.width}"),
        ("input", _shape(wiring.shapes[wiring.input][0])),
        ("encoding", said.encoding and said.encoding + _if_known(", {} bits", bits)),
        ("time steps", None if said.timesteps is None else f"{said.timesteps}{written}"),
        ("readout", READOUTS.get(str(said.readout))),
        ("classes" if known.outputs.is_classes else "values", _named(known.outputs.names)),
        ("outputs", _outputs(known)),
        ("reset", _reset(known)),
        ("neurons", f"{neurons:,}"),
        ("parameters", f"{parameters:,} weights and biases of layers"),
        ("integers", None if known.grid is None else _integers(known.grid)),
    )


RESETS = {
    "zero": "to zero, in the step of the spike",
    "subtract": "by subtraction of the threshold, in the step of the spike",
    "subtract-late": "by subtraction of the threshold, one step after the spike",
}
"""What a spike does to the membrane potential."""


def _reset(known: Known) -> str | None:
    """Of every neuron that fires; None where the metadata do not say it."""
    if known.graph.reset is None:
        return None
    firing = [name for name in known.wiring.neurons if hasattr(known.wiring.nodes[name], "v_threshold")]
    resets = {known.wiring.resets.get(name, "zero") for name in firing} or {"zero"}
    return "; or ".join(words for reset, words in RESETS.items() if reset in resets)


def _named(names: Sequence[str]) -> str | None:
    """The names of classes or values, not all of very many; None where they have none."""
    return ", ".join([*names[:NAMED], *(["..."] if len(names) > NAMED else [])]) or None


def _outputs(known: Known) -> str | None:
    """What the readout's neurons stand for, where it is not one class each."""
    outputs = known.outputs
    if not outputs.is_classes:
        return "each a value: mean of the training part + standard deviation x potential / T"
    if outputs.population == 1:
        return None
    return f"{outputs.population} neurons for each class, side by side, whose scores are added up"


def _integers(grid: TrainedGrid) -> str:
    registers, measured = grid.registers, grid.calibration
    room = ""
    if measured is not None:
        room = (
            f"; {', '.join(measured.peaks)} have room for {measured.margin:g} times the peaks of {measured.samples} "
            "training samples, not for every input"
        )
    return filled(
        "trained on those of {}: weights of {} bits, biases of {}, thresholds of {}, states of {}; each number of the "
        "graph is its integer divided by the layer's scale{}",
        code(grid.profile), registers.weight_bits, registers.bias_mantissa_bits, registers.threshold_bits,
        registers.state_bits, room,
    )  # fmt: skip


def _size(node: nir.NIRNode) -> int:
    if isinstance(node, NEURONS):
        return 0
    return sum(np.asarray(getattr(node, each.name)).size for each in fields(node) if each.name in WEIGHTS)


def layer_rows(known: Known) -> Rows:
    """What it is, node by node."""
    wiring = known.wiring
    rows: Rows = [("layer", "NIR node", "takes", "shape", "what it does")]
    for name, node in wiring.nodes.items():
        if isinstance(node, nir.Input | nir.Output):
            continue
        into = ", ".join(wiring.into(name))
        arriving, leaving = wiring.shapes[name]
        shapes = _shape(leaving) if arriving == leaving else f"{_shape(arriving)} to {_shape(leaving)}"
        rows.append((code(name), type(node).__name__, into, shapes, _what_it_does(known, name)))
    return rows


def _what_it_does(known: Known, name: str) -> str:
    node = known.wiring.nodes[name]
    if isinstance(node, NEURONS):
        return _neuron(known, name)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        kernel, stride = " x ".join(map(str, np.shape(node.weight)[2:])), np.broadcast_to(np.asarray(node.stride), (2,))
        strides = " x ".join(map(str, dict.fromkeys(stride.tolist())))
        return f"kernel {kernel}, stride {strides}, {_size(node):,} parameters"
    return f"{_size(node):,} parameters" if _size(node) else ""


def _neuron(known: Known, name: str) -> str:
    try:
        reading = read_as(known.wiring, known.metadata)
        law = reading.wiring.constants(name, reading.step.dt_s)
    except NodeFault as fault:
        return str(fault)
    except InputError:  # of another tool, whose time step nobody has said yet; `check` asks for it
        return "its time step is not in the graph"
    current = f"current keeps {_range(1 - law.leak_u)} of itself per step, " if (law.leak_u != 1).any() else ""
    fires = "never fires" if law.threshold is None else f"fires above {_range(law.threshold)}"
    if law.reset != "zero":
        fires += ", which is then taken off" + (" one step late" if law.reset == "subtract-late" else "")
    return f"{current}membrane keeps {_range(1 - law.leak_v)} per step, {fires}"


def _range(values: npt.NDArray[np.float64]) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def training_rows(known: Known) -> Rows:
    """What the student's file says of its making; headings alone where it was not noted."""
    making, settings = known.making, known.making.settings
    methods = [code(each) for each in (settings.method, making.method) if each is not None]
    macs = _if_known(", {} multiply-accumulates per inference", _macs(making))
    good = _on_validation(", {} on validation", making.teacher_validation_accuracy, making.teacher_validation_quality)
    assistants = [
        f"{each.name}{_on_validation(' ({} on validation)', each.validation_accuracy, each.validation_quality)}"
        for each in making.assistants or ()
    ]
    samples = _samples(known)
    return _pairs(
        ("data", settings.data and filled("{}{}", code(settings.data), samples)),
        ("method", joined(": ", methods) or None),
        ("regularizers", joined(", ", [code(each) for each in making.regularizers]) or None),
        ("teacher", making.teacher and f"{making.teacher}{good}{macs}"),
        ("assistants", None if making.assistants is None else ", ".join(assistants)),
        ("epochs", _epochs(known)),
        ("seed", _if_known("{}", settings.seed) or None),
        ("augmentation", None if making.training is None else making.training.augmentation),
        ("numbers", _numbers(known)),
        ("energy budget", _budget(known)),
        ("further limits", _further(known)),
    )


def _samples(known: Known) -> str:
    """How many training samples there were, where they were not all and all with labels."""
    counts, settings = known.making.samples, known.making.settings
    if counts.unlabelled:
        return f", {counts.labelled:,} training samples with labels and {counts.unlabelled:,} without"
    asked = settings.train_samples if settings.label_fraction is None else counts.labelled
    return _if_known(", {:,} samples of its training part", asked)


def _macs(making: StudentFacts) -> str | None:
    """The teacher's multiply-accumulates, and which of its operators are not counted; None where nobody noted them."""
    macs = Macs.of_facts(vars(making))
    return None if macs is None else f"{macs} ({macs.left_out})" if macs.unknown else str(macs)


def _on_validation(words: str, accuracy: float | None, quality: Mapping[str, float]) -> str:
    """``words`` with the accuracy, or R^2, in place of their braces; empty where neither is known."""
    if accuracy is not None:
        return words.format(f"{accuracy:.2%}")
    return words.format(f"R^2 {quality['r2']:.3f}") if "r2" in quality else ""


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
        return filled("integers of {}", code(known.grid.profile))
    return filled(
        "integers of {} after a warm-up in floats, {} of the epochs", code(known.grid.profile), f"{share:.0%}"
    )


def _budget(known: Known) -> str | None:
    settings, found = known.making.settings, known.making.certificate
    if settings.energy_budget is None:
        return None
    words = filled("{} per inference on {}", settings.energy_budget, code(settings.profile))
    if found is None or found.budget is None:
        return words
    kept = "kept" if found.energy <= found.budget else "not kept"
    spent = quantity(found.energy, found.unit)
    on = f"{found.samples:,} {found.split} samples"
    return filled("{}, {}: its chip network spends {} on {}", words, kept, spent, on)


def _further(known: Known) -> str | None:
    found = known.making.certificate
    limits = {} if found is None else {name: each for name, each in found.limits.items() if name != "budget"}
    return "; ".join(f"{name}: {spent:.4g} of {limit:.4g}" for name, (spent, limit) in limits.items()) or None


def result_rows(known: Known) -> Rows:
    """What was measured: on validation in training, and on test by a run."""
    test = [] if known.verdict is None else _test(known.verdict)
    return [("what", "measured", "on"), *_validation(known), *test]


def _validation(known: Known) -> Rows:
    trained, found = known.making.validation_accuracy, known.making.certificate
    rows: Rows = [] if trained is None else [("accuracy, student", f"{trained:.2%}", "validation")]
    if trained is None and "r2" in known.making.validation_quality:
        rows = [("R^2, student", f"{known.making.validation_quality['r2']:.3f}", "validation")]
    if found is not None:
        where = f"{found.samples:,} {found.split} samples"
        answers = where if found.recordings is None else f"{found.recordings:,} {found.split} recordings"
        rows += [
            *_answers(known, found, answers),
            (
                "energy per inference",
                filled("{} on {}", quantity(found.energy, found.unit), code(found.profile)),
                where,
            ),
            ("synaptic operations per inference", f"{found.synaptic_ops:,.0f}", where),
            *_overflows(found),
        ]
    return rows


def _overflows(found: CertificateFacts) -> Rows:
    """Registers that overflowed, of a network that has no room for every input, or where they did."""
    parts = found.overflows.values()
    wraps, clips, resets = (sum(getattr(each, kind) for each in parts) for kind in OverflowFacts.model_fields)
    if not (found.measured or wraps or clips or resets):
        return []
    said = f"{wraps:,} wraps, {resets:,} readouts reset, {clips:,} potentials clipped"
    return [("registers that overflowed", said, " and ".join(found.overflows))]


def _answers(known: Known, found: CertificateFacts, on: str) -> Iterator[tuple[str, str, str]]:
    """How good the answers of the chip network are."""
    if found.accuracy is not None:
        yield "accuracy, chip network", f"{found.accuracy:.2%}", on
    if found.balanced_accuracy is not None and found.f1 is not None:
        yield "balanced accuracy and F1, chip network", f"{found.balanced_accuracy:.2%}, {found.f1:.3f}", on
    for index, (r2, mae) in enumerate(zip(found.r2, found.mae, strict=False)):
        name = known.outputs.name_of(index)
        yield f"value {name}, chip network", f"R^2 {r2:.3f}, mean absolute error {mae:.4g}", on


def _test(verdict: Verdict) -> Rows:
    measured = verdict.agreement
    rows: Rows = []
    measure = measure_of(verdict.report.outputs)
    for level, value in measured.merits.items():
        on = f"{measured.samples[level]:,} {measured.split} samples"
        rows.append((f"{measure.name}, {LEVELS.get(level, level)}", measure.say(value), on))
    report = verdict.report.energy
    where = f"{report.samples:,} {report.split} samples"
    return [
        *rows,
        ("energy", filled("{}, on {}", report.verdict, code(report.profile.name)), where),
        ("spikes per inference", f"{verdict.spikes:,.0f}", where),
        ("synaptic operations per inference", f"{verdict.synaptic_ops:,.0f}", where),
        ("nearest limit of the chip", verdict.binding, "placement"),
    ]
