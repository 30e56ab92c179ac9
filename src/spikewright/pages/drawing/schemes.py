"""What is drawn of each kind of network: NIR graphs, chip networks and students, with what was counted on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

import nir
import numpy as np

from ...base.errors import InputError, arg, refuse
from ...chip.activity import Activity
from ...chip.network import ChipNetwork, Connection, Population
from ...chip.neuron_models import reset_of
from ...graph.nodes import NEURONS
from ...graph.wiring import Wiring, wire
from ...student.student import Student
from ...student.to_nir import to_nir
from .. import numbers
from .scheme import Arrow, Box, Kind, Scheme

ADDED = {"relay": "relay: repeats a step later", "bias": "always on"}
LEFT_OUT = {
    "input_type",
    "output_type",
    "metadata",
    "weight",
    "bias",
    "input_shape",
    "name",
    "v_reset",
    "v_leak",
    "start_dim",
    "end_dim",
}
"""Fields of a NIR node that are told in another way, or only where they are not zero."""


def scheme_of(network: object, activity: Activity | None = None) -> Scheme:
    """What is drawn of a network.

    Args:
        network: a NIR graph, a chip network or a student.
        activity: counted on the chip network, or on the one that graph or student became.

    Raises:
        InputError: another kind of object, an activity of another network, or a student that has no graph.
    """
    if isinstance(network, ChipNetwork):
        return _with_counts(_of_chip(network), activity, is_chip=True)
    if isinstance(network, nir.NIRGraph):
        return _with_counts(_of_graph(network), activity)
    if isinstance(network, Student):
        config = network.config
        found = _of_graph(to_nir(network))
        title = f"Student: {config.architecture}, width {config.width}"
        return _with_counts(replace(found, title=title), activity)
    kind = type(network).__name__
    raise InputError(f"{arg('network')}: is a {kind}; may be a NIR graph, a chip network or a student")


def by(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    return " × ".join(f"{int(size):,}" for size in shape)


# chip networks


def _of_chip(chip: ChipNetwork) -> Scheme:
    boxes = tuple(
        Box(
            each.name,
            _kind(each),
            tuple(_registers(each)),
            fires=each.neuron is None or each.neuron.fires,
            size=each.size,
        )
        for each in chip.populations
    )
    late = {each.name for each in chip.connections if each.source == each.target}
    arrows = tuple(
        Arrow(each.source, each.target, (_synapses(each),), is_late=each.name in late) for each in chip.connections
    )
    steps = f"T = {chip.timesteps}"
    return Scheme(
        f"Chip network for {chip.profile}", f"{chip.encoding} input, {steps}, {chip.readout} readout", boxes, arrows
    )


def _kind(population: Population) -> Kind:
    if population.role in ("input", "readout"):
        return "input" if population.role == "input" else "readout"
    return "added" if population.role in ADDED else "neurons"


def _registers(population: Population) -> Iterator[str]:
    neuron, shape = population.neuron, by(population.shape)
    if population.role in ADDED:
        yield f"{shape}, {ADDED[population.role]}"
        return
    if neuron is None:
        yield f"{shape} {f'values of {population.payload_bits} bits' if population.payload_bits else 'events'}"
        return
    yield f"{shape} neurons{', set by the host' if population.role == 'input' else ''}"
    yield f"{f'vth {neuron.vth:,}' if neuron.fires else 'never fires'} · du {neuron.du:,} · dv {neuron.dv:,}"
    reset = reset_of(neuron.law)
    if neuron.fires and reset != "zero":
        yield f"reset {reset}" if reset else f"neuron model {neuron.law}"
    if neuron.bias.any():
        yield f"bias {_range(neuron.bias)} × 2^{neuron.bias_exp}"


def _synapses(connection: Connection) -> str:
    if connection.conv is None:
        return f"dense {by(connection.shape)}"
    conv, words = connection.conv, f"convolution {by(connection.shape)}"
    if conv.stride != (1, 1):
        words += f", stride {_pair(conv.stride)}"
    if conv.dilation != (1, 1):
        words += f", dilation {_pair(conv.dilation)}"
    return words + (f", {conv.groups} groups" if conv.groups > 1 else "")


def _pair(pair: tuple[int, ...]) -> str:
    return " × ".join(map(str, dict.fromkeys(pair)))


# NIR graphs


def _of_graph(graph: nir.NIRGraph) -> Scheme:
    told = {name: _text(value) for name, value in graph.metadata.items()}
    title = f"NIR graph of {told['source']}" if told.get("source") else "NIR graph"
    said = [
        f"{told['encoding']} input" if "encoding" in told else "",
        f"T = {told['timesteps']}" if "timesteps" in told else "",
        f"dt = {float(told['dt']):g} s" if _is_number(told.get("dt")) else "",
    ]
    subtitle = ", ".join(filter(None, said))
    try:
        wiring = wire(graph)
    except InputError as fault:
        boxes = tuple(Box(name, _node_kind(node, False), tuple(_constants(node))) for name, node in graph.nodes.items())
        known = {box.name for box in boxes}
        arrows = tuple(Arrow(*edge) for edge in dict.fromkeys(graph.edges) if set(edge) <= known)
        return Scheme(title, subtitle, boxes, arrows, (f"shapes are not shown: {fault.message}",))
    boxes = tuple(_node(wiring, name) for name in wiring.nodes)
    arrows = tuple(Arrow(*edge, is_late=edge in wiring.delayed) for edge in wiring.edges)
    return Scheme(title, subtitle, boxes, arrows, tuple(f"drawn as it is read: {each}" for each in wiring.assumed))


def _node(wiring: Wiring, name: str) -> Box:
    node, (arriving, leaving) = wiring.nodes[name], wiring.shapes[name]
    what = type(node).__name__
    if isinstance(node, nir.Input | nir.Output):
        first = by(leaving)
    elif isinstance(node, NEURONS):
        first = f"{what} · {by(leaving)} neurons"
    else:
        first = f"{what} · {by(arriving)} → {by(leaving)}" if arriving != leaving else f"{what} · {by(leaving)}"
    reset = wiring.resets.get(name)
    lines = [first, *_constants(node)[1:], *([f"reset {reset}"] if reset else [])]
    size = prod(leaving) if isinstance(node, (nir.Input, *NEURONS)) else None
    integrates = isinstance(node, NEURONS) and not hasattr(node, "v_threshold")
    return Box(name, _node_kind(node, name == wiring.readout), tuple(lines), fires=not integrates, size=size)


def _node_kind(node: nir.NIRNode, is_readout: bool) -> Kind:
    if isinstance(node, nir.Input):
        return "input"
    if isinstance(node, NEURONS):
        return "readout" if is_readout else "neurons"
    return "linear"


def _constants(node: nir.NIRNode) -> list[str]:
    """The type of a node, and its parameters: shapes of weights, and of constants their range."""
    fields = vars(node)
    lines = [type(node).__name__]
    if (weight := fields.get("weight")) is not None:
        parts = [f"weights {by(np.shape(weight))}"]
        if (bias := fields.get("bias")) is not None and np.any(bias):
            parts.append("bias")
        lines.append(" + ".join(parts))
    told = [
        f"{name} {_value(value)}" for name, value in fields.items() if name not in LEFT_OUT and _is_told(name, value)
    ]
    told += [
        f"{name} {_value(fields[name])}"
        for name in ("v_leak", "v_reset")
        if fields.get(name) is not None and np.any(fields[name])
    ]
    return lines + [" · ".join(told[start : start + 3]) for start in range(0, len(told), 3)]


def _is_told(name: str, value: object) -> bool:
    """Whether a field is a constant that says something: padding of 0, groups and dilations of 1 do not."""
    if value is None or isinstance(value, dict | nir.NIRNode | list):
        return False
    usual = {"padding": 0, "dilation": 1, "groups": 1, "stride": 1}.get(name)
    return isinstance(value, str) or usual is None or not np.all(np.asarray(value) == usual)


def _value(value: object) -> str:
    found = np.asarray(value)
    if found.dtype.kind not in "fiub" or not found.size:
        return _text(value)
    if found.dtype.kind in "iu" and found.ndim == 1 and found.size <= 3:
        return _pair(tuple(found.tolist()))
    return _range(found)


def _range(values: np.ndarray) -> str:  # type: ignore[type-arg]
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low}..{high}"


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and bool(np.isfinite(float(text)))
    except ValueError:
        return False


# counts


def _with_counts(scheme: Scheme, activity: Activity | None, is_chip: bool = False) -> Scheme:
    """The same scheme with spikes in boxes, and synaptic operations at arrows or in the boxes that they reach."""
    if activity is None:
        return scheme
    refuse(arg("activity"), list(_count_faults(scheme, activity, is_chip)))
    names = {f"{arrow.source}->{arrow.target}": arrow for arrow in scheme.arrows}
    drawn = {name: count for name, count in activity.synaptic_ops.items() if name in names}
    others = {name: count for name, count in activity.synaptic_ops.items() if name not in names}
    most = max(drawn.values(), default=0)
    arrows = tuple(_counted(arrow, drawn, most, activity.samples) for arrow in scheme.arrows)
    boxes = tuple(_fired(box, activity, others) for box in scheme.boxes)
    which = f"{activity.split} samples" if activity.split else "samples"
    counted = f"counts per inference, of {activity.samples:,} {which}"
    subtitle = f"{scheme.subtitle}; {counted}" if scheme.subtitle else counted
    return replace(scheme, boxes=boxes, arrows=arrows, subtitle=subtitle)


def _count_faults(scheme: Scheme, activity: Activity, is_chip: bool) -> Iterator[str]:
    """Why counts are those of another network; lowering adds populations that a graph does not have."""
    boxes = {box.name: box for box in scheme.boxes}
    if not activity.samples:
        yield "counts no samples"
    for name, box in boxes.items():
        found = activity.populations.get(name)
        if found is None and box.size is not None and (is_chip or box.kind != "input"):
            yield f"does not count {name!r}: it is of another network; simulate this one"
        if found is not None and box.size not in (None, found.spikes.size):
            yield f"counts {found.spikes.size:,} of {name!r}, and the network has {box.size:,}; simulate this one"
    for name in activity.populations if is_chip else ():
        if name not in boxes:
            yield f"counts {name!r}, which the network does not have; simulate this one"


def _counted(arrow: Arrow, counts: Mapping[str, int], most: int, samples: int) -> Arrow:
    count = counts.get(f"{arrow.source}->{arrow.target}")
    if count is None:
        return arrow
    words = f"{numbers.count(count / samples)} synaptic operations"
    return replace(arrow, lines=(*arrow.lines, words), weight=count / most if most else 0.0)


def _fired(box: Box, activity: Activity, ops: Mapping[str, int]) -> Box:
    found = activity.populations.get(box.name)
    if found is None:
        return box
    spikes, what = int(np.sum(found.spikes)), "spikes" if found.updates else "events"
    share = spikes / (activity.samples * activity.timesteps * found.spikes.size)
    lines = list(box.lines)
    if box.fires:
        lines.append(f"{numbers.count(spikes / activity.samples)} {what} · rate {numbers.share(share, 1)}")
    arriving = [count for name, count in ops.items() if name.rpartition("->")[2] == box.name]
    if arriving:
        lines.append(f"{numbers.count(sum(arriving) / activity.samples)} synaptic operations arrive")
    return replace(box, lines=tuple(lines), share=share if box.fires else None)
