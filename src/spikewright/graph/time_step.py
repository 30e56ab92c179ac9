"""How a NIR graph is read: its timestep, its producer and its reset, which the format has no fields for.

They are given, stand in the metadata, or follow from the parameters of all neurons (:mod:`.recognition`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import nir
import numpy as np

from ..base.errors import InputError, Message, arg, check_type, did_you_mean
from ..base.types import RESETS, Reset
from .nodes import FILTERED
from .producers import PRODUCERS, Part, Producer
from .readers import READERS, STEP_S, WRITTEN_FOR
from .recognition import Candidate, candidates, disagreeing, grouped, timed
from .wiring import RESET_KEY, Wiring


@dataclass(frozen=True)
class TimeStep:
    """The duration of a timestep and the reason for it.

    Attributes:
        dt_s: seconds per timestep.
        why: the reason, as a clause for messages.
        assumed: whether it is inferred; False if the file or the caller gives it.
    """

    dt_s: float
    why: str
    assumed: bool = True


@dataclass(frozen=True)
class Convention:
    """What the caller says of a graph of another tool.

    Attributes:
        dt_s: seconds per timestep; None for what the graph says or implies.
        producer: name of the tool that wrote the graph, of :data:`spikewright.graph.producers.PRODUCERS`.
        reset: what a spike does to the membrane potential: zero, subtract or subtract-late.
    """

    dt_s: float | None = None
    producer: str | None = None
    reset: str | None = None


NOTHING_SAID = Convention()
_UNSAID = "reset to zero: NIR cannot say how its neurons were reset in training"
UNSAID_RESET = f"{_UNSAID}; a network trained with reset by subtraction will spike differently"


@dataclass(frozen=True, eq=False)
class Reading:
    """A graph as its producer means it.

    Attributes:
        step: the timestep.
        wiring: the graph with neurons whose forward Euler step is that of the producer.
        producer: the tool whose convention is taken; None where the graph is read as it stands.
        assumed: what was assumed beside the timestep, as sentences.
    """

    step: TimeStep
    wiring: Wiring
    producer: Producer | None
    assumed: tuple[str, ...]


def assumptions(reading: Reading) -> Iterator[str]:
    """What was assumed of a graph, as sentences."""
    yield from reading.wiring.assumed
    if reading.step.assumed:
        yield f"time step {reading.step.dt_s:g} s: {reading.step.why}"
    yield from (str(Message(sentence)) for sentence in reading.assumed)


def resolve_dt(wiring: Wiring, metadata: Mapping[str, Any], dt_s: float | None = None) -> TimeStep:
    """The timestep of a graph: the caller's, else that of the metadata, else what its producer's convention implies.

    Args:
        metadata: of the graph; ``dt_s`` is read.
        dt_s: seconds per timestep; takes precedence over the graph.

    Raises:
        InputError: none or several follow from the parameters, or the given one is no positive number.
    """
    return read_as(wiring, metadata, Convention(dt_s)).step


def read_as(wiring: Wiring, metadata: Mapping[str, Any], said: Convention = NOTHING_SAID) -> Reading:
    """Read a graph as the tool means it that wrote it.

    A graph whose metadata give the timestep, as this project writes it, is read as it stands. Of others the producer is
    recognised by relations between the parameters of all neurons; the caller may name it.

    Args:
        metadata: of the graph; ``dt_s`` and ``reset`` are read.
        said: takes precedence over the graph.

    Raises:
        InputError: the parameters fit no producer or several with different meanings; the producer is none that is
            known, or cannot have written this; the timestep is no positive number; a reset that the graph denies.
    """
    _check(said)
    stated = _stated(metadata, said.dt_s)
    if not timed(wiring):
        stated, found = stated or TimeStep(1.0, "counted in steps, since no neuron keeps anything", assumed=False), None
    elif "dt_s" in metadata:
        found = None
        if said.producer is not None:
            why = "the graph's metadata say its time step, so that it is read as it stands; leave it out"
            raise InputError(f"{arg('producer', said.producer)}: {why}")
    elif WRITTEN_FOR in metadata:
        found = _written_for(wiring, metadata, said)
        stated = TimeStep(found.dt_s, f"as the file says, which was written for {metadata[WRITTEN_FOR]}", assumed=False)
    else:
        found = _named(wiring, said) if said.producer else _recognised(wiring, said.dt_s)
    if found is None:
        assert stated is not None
        step, meant, producer = stated, wiring, None
    else:
        producer = found.producer
        step = TimeStep(
            found.dt_s, producer.writes if stated is None else f"as given; {producer.writes}", stated is None
        )
        meant = replace(wiring, nodes=wiring.nodes | found.nodes)
    return _with_reset(Reading(step, meant, producer, ()), metadata, said.reset)


def _check(said: Convention) -> None:
    """Refuse what a caller gives that is of another type."""
    if said.dt_s is not None:
        check_type("dt_s", said.dt_s, Real, "a number of seconds")
    for name, known in (("producer", PRODUCERS), ("reset", RESETS)):
        if getattr(said, name) is not None:
            check_type(name, getattr(said, name), str, f"one of {', '.join(sorted(known))}")


def _stated(metadata: Mapping[str, Any], dt_s: float | None) -> TimeStep | None:
    """The timestep that the caller gives, else that of the metadata; None if there is neither."""
    if dt_s is not None:
        return _positive(TimeStep(dt_s, "as given", assumed=False))
    if "dt_s" not in metadata:
        return None
    said = metadata["dt_s"]
    if not isinstance(said, int | float):
        raise InputError(f"NIR graph: its metadata give the time step as {said!r}; must be a number of seconds")
    return _positive(TimeStep(float(said), "as the file's metadata says", assumed=False))


def _positive(step: TimeStep) -> TimeStep:
    if not (step.dt_s > 0 and np.isfinite(step.dt_s)):
        raise InputError(f"time step {step.dt_s:g} s ({step.why}): must be a positive number of seconds")
    return step


def _written_for(wiring: Wiring, metadata: Mapping[str, Any], said: Convention) -> Candidate:
    """The reading of a graph that was written here for another tool, as its metadata say."""
    name, step = metadata[WRITTEN_FOR], metadata.get(STEP_S)
    if not isinstance(name, str) or name not in READERS:
        near = did_you_mean(str(name), READERS)
        raise InputError(f"NIR graph: its metadata say that it was written for {name!r}: {near}")
    if not isinstance(step, int | float):
        raise InputError(f"NIR graph: its metadata give the time step as {step!r}; must be a number of seconds")
    producer = READERS[name].producer
    if said.producer not in (None, name, producer):
        raise InputError(f"{arg('producer', said.producer)}: the graph's metadata say {producer!r}; leave it out")
    if said.dt_s not in (None, step):
        raise InputError(f"{arg('dt_s', said.dt_s)}: the graph's metadata say {step:g}; leave it out")
    found = Candidate(PRODUCERS[producer], _positive(TimeStep(float(step), "as the file says")).dt_s, True, wiring)
    if not found.is_possible:
        raise InputError("NIR graph: its neurons lose more than themselves in the time step that its metadata give")
    return found


def _named(wiring: Wiring, said: Convention) -> Candidate:
    """The reading of a producer that the caller names."""
    name = str(said.producer)
    where = arg("producer", name)
    if name not in PRODUCERS:
        raise InputError(f"{where}: {did_you_mean(name, PRODUCERS)}")
    found = candidates(wiring, said.dt_s, name)
    producer = PRODUCERS[name]
    if not found:
        at = "" if said.dt_s is None else f" with a time step of {said.dt_s:g} s"
        raise InputError(f"{where}: {producer.tool} does not write such neurons{at}; it writes {producer.writes}")
    if len(found) > 1:
        listed = ", ".join(arg("dt_s", f"{each.dt_s:g}") for each in found)
        raise InputError(f"{where}: its time step does not follow from the parameters; consistent are {listed}")
    return found[0]


def _recognised(wiring: Wiring, dt_s: float | None) -> Candidate | None:
    """The one reading that the parameters allow; with a given timestep None where they say nothing.

    Tools that mean the same by a time step may differ where a potential equals the threshold. In SpikingJelly that is
    no exception, so that it is taken where it is one of them.
    """
    found = candidates(wiring, dt_s)
    groups = grouped(found)
    if dt_s is not None:
        implied = [group[0] for group in groups if group[0].is_implied]
        likely = [each for each in found if each.producer.fires_at_threshold and dt_s in dict(each.producer.customary)]
        return implied[0] if len(implied) == 1 else likely[0] if likely and not implied else None
    if len(groups) == 1 and groups[0][0].is_sure:
        return groups[0][0]
    raise InputError(f"NIR graph: {_question(wiring, groups)}")


def _question(wiring: Wiring, groups: list[list[Candidate]]) -> str:
    """What has to be answered where none or several readings fit, with the answers that are consistent."""
    if groups:
        listed = ", ".join(_answer(group) for group in groups)
        which = f"consistent are {listed}"
        return f"its time step does not follow from its parameters; {which}; give {_ANSWER}"
    if steps := disagreeing(wiring):
        listed = ", ".join(f"{name!r} {step:g} s" for name, step in steps)
        return f"its neurons imply different time steps ({listed}); give {arg('dt_s', 'SECONDS')}"
    return f"no tool that is known writes neurons with such time constants and gains; give {_ANSWER}"


_ANSWER = f"{arg('dt_s', 'SECONDS')} or {arg('producer', 'NAME')}"


def _answer(group: list[Candidate]) -> str:
    tools = " or ".join(dict.fromkeys(each.producer.tool for each in group))
    first = group[0]
    return f"{arg('producer', first.producer.name)} {arg('dt_s', f'{first.dt_s:g}')} ({tools})"


def _with_reset(reading: Reading, metadata: Mapping[str, Any], given: str | None) -> Reading:
    """The reading with the reset that the caller, the graph or the producer says."""
    if given is not None and given not in RESETS:
        raise InputError(f"{arg('reset', given)}: {did_you_mean(given, RESETS)}")
    wiring, producer = reading.wiring, reading.producer
    if RESET_KEY in metadata:
        if given is not None and given != metadata[RESET_KEY]:
            raise InputError(f"{arg('reset', given)}: the graph's metadata say {metadata[RESET_KEY]!r}; leave it out")
        return reading
    if given is not None:
        return replace(reading, wiring=_resetting(wiring, given), assumed=_lacking(producer, wiring))
    if producer is not None and producer.certainty == "always" and producer.reset != "zero":
        said = f"reset {producer.reset}: so neurons of {producer.tool} are reset"
        return replace(reading, wiring=_resetting(wiring, producer.reset), assumed=(said, *_lacking(producer, wiring)))
    return replace(reading, assumed=(_reset_to_zero(producer), *_lacking(producer, wiring)))


def _resetting(wiring: Wiring, reset: Reset) -> Wiring:
    firing = [name for name in wiring.neurons if hasattr(wiring.nodes[name], "v_threshold")]
    return replace(wiring, resets=dict.fromkeys(firing, reset) if reset != "zero" else {})


def _reset_to_zero(producer: Producer | None) -> str:
    if producer is None or producer.certainty == "always":
        return UNSAID_RESET
    usual = f"neurons of {producer.tool} are reset by {producer.reset!r} unless one says otherwise"
    return f"{_UNSAID}; {usual}, and such a network will spike differently: say its reset if this is one"


def _lacking(producer: Producer | None, wiring: Wiring) -> tuple[str, ...]:
    """What the tool computes that no graph of its kind holds."""
    if producer is None:
        return ()
    flattened = (name for name, node in wiring.nodes.items() if isinstance(node, nir.Flatten))
    there: dict[Part, bool] = {
        "all": True,
        "filtered": any(isinstance(wiring.nodes[name], FILTERED) for name in wiring.neurons),
        "loops": bool(wiring.delayed),
        "flattened": any(len(wiring.shapes[name][0]) > 1 for name in flattened),
    }
    return tuple(f"{producer.tool}: {sentence}" for part, sentence in producer.lacks.items() if there[part])
