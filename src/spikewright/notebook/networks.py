"""Views of networks and chips: the student, its NIR graph, the integers on the chip, and the chip itself."""

from __future__ import annotations

from math import prod

import nir
import numpy as np

from ..base.errors import InputError
from ..base.shown import VIEWS
from ..chip.network import ChipNetwork, Connection, Population
from ..pages.card.sections import Known, layer_rows
from ..pages.drawing.draw import Drawing
from ..pages.numbers import Rows
from ..profile.profile import HardwareProfile
from ..student.student import Student, leaves
from . import html


@VIEWS.of(Student)
def student_view(student: Student) -> str:
    """The layers of a student with their parameters."""
    config = student.config
    parameters = sum(each.numel() for each in student.network.parameters())
    numbers = "floats" if student.grid is None else f"the integers of {student.grid.profile}"
    rows: Rows = [("layer", "what it is", ">parameters")]
    for name, layer in leaves(student.network):
        count = sum(each.numel() for each in layer.parameters())
        rows.append((name, " ".join(repr(layer).split()), f"{count:,}" if count else ""))
    neuron = config.neuron
    facts = (
        f"{config.encoding} input {_shape(config.input_shape)}, T = {config.timesteps}, {neuron.kind} neurons, beta "
        f"{neuron.beta:g}, {config.readout} readout of {config.outputs}; {parameters:,} parameters, on {numbers}"
    )
    return html.view(f"Student: {config.architecture}, width {config.width}", html.text(facts), html.table(rows))


@VIEWS.of(nir.NIRGraph)
def graph_view(graph: nir.NIRGraph) -> str:
    """The nodes of a NIR graph with their shapes, of any producer; of one that cannot be wired, why, and its nodes."""
    try:
        known = Known.of(graph, None, None)
    except InputError as fault:
        nodes: Rows = [("node", "what it is"), *((name, type(node).__name__) for name, node in graph.nodes.items())]
        return html.view(graph_line(graph), html.text(str(fault)), html.table(nodes))
    head, *body = layer_rows(known)
    rows: Rows = [head, *((name.strip("`"), *rest) for name, *rest in body)]
    said = known.graph
    told = [
        f"{said.encoding} input" if said.encoding else "",
        f"T = {said.timesteps}" if said.timesteps else "",
        f"{said.readout} readout" if said.readout else "",
        ("reset to zero" if said.reset == "zero" else f"reset {said.reset}") if said.reset else "",
        "trained on integers" if known.grid is not None else "",
        f"made by {said.source}" if said.source else "",
    ]
    return html.view(graph_line(graph), html.text(", ".join(filter(None, told))), html.table(rows))


def graph_line(graph: nir.NIRGraph) -> str:
    """A NIR graph in one line, without its arrays."""
    kinds = ", ".join(dict.fromkeys(type(node).__name__ for node in graph.nodes.values()))
    return f"NIR graph: {len(graph.nodes)} nodes ({kinds}), {len(graph.edges)} edges"


@VIEWS.of(ChipNetwork)
def chip_view(chip: ChipNetwork) -> str:
    """The populations of a chip network with their registers and what enters them."""
    rows: Rows = [("population", "role", "shape", ">neurons", "from", "weights", ">bits", ">vth", ">du", ">dv")]
    for population in chip.populations:
        first, *others = [_entering(each) for each in chip.into(population.name)] or [(_driven(population), "", "")]
        neurons = "" if population.neuron is None else f"{population.size:,}"
        rows.append(
            (population.name, population.role, _shape(population.shape), neurons, *first, *_registers(population))
        )
        rows += [("", "", "", "", *each, "", "", "") for each in others]
    weights = sum(prod(each.shape) for each in chip.connections)
    facts = (
        f"{chip.encoding} input, T = {chip.timesteps}, {chip.readout} readout of {chip.outputs}; {weights:,} stored "
        f"weights in {len(chip.connections)} connections"
    )
    assumed = chip.provenance.get("assumed")
    notes = [f"assumed: {each}" for each in assumed] if isinstance(assumed, list) else []
    return html.view(f"Chip network for {chip.profile}", html.text(facts, *notes), html.table(rows))


@VIEWS.of(Drawing)
def drawing_view(drawn: Drawing) -> str:
    """The picture of a network, and what it could not show."""
    return html.view(drawn.title, html.text(*drawn.remarks, faint=True), html.drawing(drawn.picture))


@VIEWS.of(HardwareProfile)
def profile_view(profile: HardwareProfile) -> str:
    """The constants of a chip with where each comes from, its limits of size, and how sure all this is."""
    rows: Rows = [("event", ">each", "kind, scope", "source")]
    for event, constant in profile.energy.given().items():
        value = f"{constant.value:g} {constant.unit}"
        rows.append((event, value, f"{constant.kind}, {constant.scope}", f"{constant.source}, {constant.where}"))
    sizes = ("weight_bits", "neurons_per_core", "cores", "graded_spike_bits")
    known = [(name, getattr(profile.limits, name)) for name in sizes]
    limits = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in known if value is not None)
    return html.view(
        f"{profile.name}: {profile.title}",
        html.text(profile.banner, f"{limits}; input `{profile.default_encoding}`, T = {profile.default_timesteps}"),
        html.table(rows),
        html.text(*profile.uncertainty, faint=True),
    )


def _registers(population: Population) -> tuple[str, str, str]:
    neuron = population.neuron
    if neuron is None:
        return "", "", ""
    return f"{neuron.vth:,}" if neuron.fires else "never", str(neuron.du), str(neuron.dv)


def _entering(connection: Connection) -> tuple[str, str, str]:
    kind = "dense" if connection.conv is None else "convolution"
    return connection.source, f"{_shape(connection.shape)} {kind}", str(connection.weight_bits)


def _driven(population: Population) -> str:
    if population.role != "input":
        return ""
    if population.neuron is not None:
        return "current"
    return f"{population.payload_bits}-bit events" if population.payload_bits else "events"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(int(np.int64(each))) for each in shape)
