"""What a network answers: the neurons and steps that its outputs are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import arg
from ..base.types import Readout
from .calls import Call, Value
from .folding import Folding
from .neuron import CannotImport

GATHERS = frozenset(
    (
        *("stack", "cat", "concat", "sum", "mean", "add", "__add__", "__radd__", "__iadd__", "add_", "cumsum"),
        *(
            "div",
            "__truediv__",
            "div_",
            "mul",
            "__mul__",
            "__rmul__",
            "softmax",
            "log_softmax",
            "argmax",
            "max",
            "amax",
        ),
        *("__getitem__", "__setitem__", "select", "unbind", "split", "chunk", "view", "view_as", "reshape", "flatten"),
        *("unflatten", "squeeze", "unsqueeze", "transpose", "permute", "movedim", "swapaxes", "repeat", "expand"),
        *("clone", "detach", "data", "contiguous", "to", "type", "float", "cpu", "cuda", "zeros_like"),
    )
)
"""Operations between the neurons that answer and what a network returns."""
VOTES = "VotingLayer"
"""SpikingJelly's mean over as many outputs for each class."""
_OVER_TIME = {"sum": "summed", "mean": "averaged", "max": "the largest is taken", "amax": "the largest is taken"}


@dataclass(frozen=True)
class End:
    """Where an output comes from.

    Attributes:
        place: of the output among what the network returns, for people.
        layer: neurons, or the last layer with weights where no neurons follow.
        result: ``spikes``, ``membrane``, ``current`` of neurons; ``values`` of a layer without neurons.
        steps: from which it comes.
        operations: between the layer and the output.
        value: of the first of the steps.
    """

    place: str
    layer: str
    result: str
    steps: frozenset[int]
    operations: tuple[str, ...]
    value: Value

    @property
    def kind(self) -> tuple[str, str]:
        """The layer and what of it."""
        return self.layer, self.result


def ends_of(folding: Folding) -> list[End]:
    """Where all outputs come from; an output that mixes several layers has several ends."""
    found: list[End] = []
    for place, values in leaves(folding.recording.outputs):
        gathered: dict[tuple[str, str], list[tuple[Value, int]]] = {}
        operations: dict[str, None] = {}
        for value in _behind(values, folding, operations):
            call = value.maker
            assert call is not None
            neuron = folding.neurons.get(call.what) if call.module is not None else None
            result: str = "values" if neuron is None else neuron.result(value.index)
            gathered.setdefault((call.what, result), []).append((value, call.index))
        for (layer, result), each in gathered.items():
            steps = frozenset(step for _, step in each)
            found.append(End(place, layer, result, steps, tuple(operations), each[0][0]))
    return found


def leaves(outputs: list[Any]) -> Iterator[tuple[str, list[Value]]]:
    """Each output by its place, over all passes."""
    by_place: dict[str, list[Value]] = {}
    for output in outputs:
        for place, value in _placed(output, ""):
            by_place.setdefault(place or "output", []).append(value)
    yield from by_place.items()


def _placed(tree: Any, place: str) -> Iterator[tuple[str, Value]]:
    if isinstance(tree, Value):
        yield place, tree
        return
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(tree, Mapping):
        parts = tree.items()
    elif isinstance(tree, list | tuple):
        parts = enumerate(tree)
    for key, each in parts:
        yield from _placed(each, f"{place or 'output'}[{key!r}]")


def _behind(values: list[Value], folding: Folding, operations: dict[str, None]) -> Iterator[Value]:
    """The results of neurons and of layers with weights that values are gathered from."""
    waiting, seen = list(values), set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not folding.moves(value) or value.is_input:
            continue
        seen.add(id(value))
        call = value.maker
        if call is not None and _gathers(call):
            operations[call.what if call.module is None else f"{VOTES} {call.module.voting_size}"] = None
            waiting += call.sources
        else:
            yield value


def _gathers(call: Call) -> bool:
    """Whether a call only puts values together."""
    if call.module is not None:
        return type(call.module).__name__ == VOTES
    return call.what in GATHERS and not _is_layer(call.sources)


def _is_layer(sources: list[Value]) -> bool:
    return any(source.name and source.maker is None and not source.is_input for source in sources)


@dataclass(frozen=True)
class Choice:
    """The readout of an imported network.

    Attributes:
        readout: membrane or count.
        layer: the neurons, or the layer behind which an integrator is put.
        decay: of that integrator; None where the network has its own neurons.
        value: of a step, of the layer.
        remarks: what was assumed.
        population: outputs for each class.
        once: whether the layer computes once, and not in each step.
    """

    readout: Readout
    layer: str
    decay: float | None
    value: Value
    remarks: tuple[str, ...] = ()
    population: int = 1
    once: bool = False


def choose(folding: Folding, ends: list[End], readout: Readout | None, above: dict[str, set[str]]) -> Choice:
    """The readout of a network.

    Args:
        readout: what is asked for; None where the network leaves no choice.
        above: by layer, the neurons that it depends on.

    Raises:
        CannotImport: none that the chip can read, or several.
    """
    hidden = {name for end in ends for name in above.get(end.layer, ())}
    last = [end for end in ends if end.layer not in hidden]
    faults: list[str] = []
    choices: dict[tuple[str, str], Choice] = {}
    for end in last:
        try:
            made = _choice(folding, end, readout)
            votes = [int(name.split()[1]) for name in end.operations if name.startswith(VOTES)]
            made = replace(made, population=votes[0] if votes else 1)
            choices.setdefault((made.readout, made.layer), made)
        except CannotImport as fault:
            faults.append(str(fault))
    if not choices:
        told = "; ".join(dict.fromkeys(faults)) or "returns nothing that comes from its neurons"
        raise CannotImport(told)
    if len(choices) > 1:
        names = " and ".join(f"{made.layer} ({made.readout})" for made in choices.values())
        raise CannotImport(f"answers by several layers, {names}; return one of them")
    return next(iter(choices.values()))


def _choice(folding: Folding, end: End, readout: Readout | None) -> Choice:
    neuron, every = folding.neurons.get(end.layer), frozenset(range(folding.steps))
    if neuron is not None and neuron.over_time:
        every = frozenset({0})
    if neuron is None:
        return _integrated(folding, end, readout)
    if neuron.fires and readout != "membrane":
        if end.result != "spikes" and readout is None:
            raise CannotImport(
                f"returns the {end.result}s of neurons that fire ({end.layer}); the chip reads spikes of neurons that "
                f'fire: choose {arg("readout", "count")}, or train the last layer with reset_mechanism="none"'
            )
        if end.result == "spikes" and end.steps != every:
            raise CannotImport(
                f"returns the spikes of {end.layer} in {len(end.steps)} of {len(every)} steps; the chip counts those "
                f"of all steps: return them all, or choose {arg('readout', 'count')} for their number"
                if readout is None
                else f"{end.layer} is not run in all steps"
            )
        return Choice("count", end.layer, None, end.value, _read(end, "spikes are counted over all steps"))
    if neuron.fires:
        raise CannotImport(
            f"{arg('readout', 'membrane')}: the last neurons ({end.layer}) fire, and a membrane potential that is "
            "reset "
            'is no answer; train the last layer with reset_mechanism="none", or choose '
            f"{arg('readout', 'count')}"
        )
    if readout == "count":
        raise CannotImport(f"{arg('readout', 'count')}: the last neurons ({end.layer}) integrate and do not fire")
    if end.result != "membrane" and len(neuron.results) > 1:
        raise CannotImport(f"returns the {end.result} of {end.layer}, which integrates; return its membrane potentials")
    if readout is None and (over := _over_time(end)):
        raise CannotImport(
            f"answers by membrane potentials of {end.layer} that are {over} over time, and the chip reads those of the "
            f"last step; choose {arg('readout', 'membrane')} to take these"
        )
    return Choice(
        "membrane", end.layer, None, end.value, _read(end, "the membrane potentials of the last step are read")
    )


def _integrated(folding: Folding, end: End, readout: Readout | None) -> Choice:
    """A layer without neurons as the last: what it computes is summed over time by an integrator."""
    if readout == "count":
        raise CannotImport(f"{arg('readout', 'count')}: {end.layer} is the last layer, and no neurons follow that fire")
    if (once := _once(folding, end)) is not None:
        return once
    last = not {"sum", "mean", "add", "__add__", "__iadd__", "add_"} & set(end.operations)
    if last and len(end.steps) == 1 and folding.steps > 1 and not _whole(folding, end):
        return Choice("membrane", end.layer, 0.0, end.value, (f"{end.layer}: its values of the last step are read",))
    if "max" in end.operations or "amax" in end.operations:
        raise CannotImport(f"takes the largest of what {end.layer} computes over time; take the sum or the mean")
    remark = f"{end.layer}: no neurons follow, so what it computes is summed over all steps by an integrator"
    return Choice("membrane", end.layer, 1.0, end.value, (remark,))


def _once(folding: Folding, end: End) -> Choice | None:
    """The readout of a layer that computes once, behind the loop over time; None of one that does so in each step."""
    try:
        number, step, timed = folding.place_of(end.value)
    except CannotImport:
        return None  # the fault is noted where the layer is built
    if folding.nodes[number].behind:
        told = "computes once, of what all steps give; the student's does so in each step, and an integrator sums it"
        return Choice("membrane", end.layer, 1.0, end.value, _read(end, told), once=True)
    if not timed and step == folding.steps - 1 > 0 and len(folding.recording.of_layer(end.layer)) == 1:
        told = "computes once, of the spikes of the last step; its values of that step are read"
        return Choice("membrane", end.layer, 0.0, end.value, _read(end, told), once=True)
    return None


def _whole(folding: Folding, end: End) -> bool:
    """Whether the values of a layer hold all timesteps."""
    shape, sizes = end.value.tensor.shape, (folding.steps, folding.sample.batch)
    return tuple(shape[:2]) in (sizes, sizes[::-1]) or shape[0] == folding.steps * folding.sample.batch


def _over_time(end: End) -> str:
    return next((word for name, word in _OVER_TIME.items() if name in end.operations), "")


def _read(end: End, what: str) -> tuple[str, ...]:
    return (f"{end.layer}: {what}",)
