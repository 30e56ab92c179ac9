"""A chip network as one readable script of Lava processes, with its weights beside it, for Lava and NumPy alone."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..base.artefacts import as_path, write_bytes
from ..base.errors import InputError, arg, check_type, refuse
from ..base.types import IntArray
from ..base.version import __version__
from ..chip.encoding import input_transform
from ..chip.network import ChipNetwork, Connection, Population, Schedule
from . import lava_text
from .lava_values import SUBTRACTING, dense_values, lava_faults, lava_kernel, lava_order, sum_faults

SCRIPT, ARRAYS = "run.py", "network.npz"


def write_lava(chip: ChipNetwork, folder: Path | str) -> None:
    """Write ``run.py`` and ``network.npz`` into a folder, which is made where it is not there.

    ``python run.py samples.npy`` runs the network on Lava and prints its spikes and its answers, which are those of
    the integer simulator.

    Raises:
        InputError: Lava's processes do not compute the network, all reasons in one message; no chip network; or the
            folder cannot be written, or as :func:`check_folder`.
    """
    check_type("chip", chip, ChipNetwork, "a ChipNetwork, such as lower(graph) or read_netx(path)")
    target = as_path(folder)
    refuse("lava", script_faults(chip))
    check_folder(chip, target)
    _made(target)
    write_bytes(target / ARRAYS, _arrays(chip))
    write_bytes(target / SCRIPT, script(chip).encode())


def check_folder(chip: ChipNetwork, folder: Path) -> None:
    """Check that nothing of anybody's would be lost if ``chip`` was written into ``folder``.

    Raises:
        InputError: the folder is the current one or has no name; or it holds a script other than that of ``chip``,
            which somebody may have changed, or weights without a script.
    """
    if folder.name in ("", "..") or folder.resolve() == Path.cwd():
        raise InputError(
            f"{arg('folder')}: is {str(folder)!r}; name a folder of its own for the script, such as chip_lava"
        )
    there, new = folder / SCRIPT, script(chip).encode()
    if there.is_symlink() or (there.exists() and not (there.is_file() and there.read_bytes() == new)):
        why = "is there and is not what would be written; it may hold changes of yours"
    elif not there.exists() and (folder / ARRAYS).exists():
        there, why = folder / ARRAYS, f"is there without a {SCRIPT}, and would be written over"
    else:
        return
    raise InputError(f"{there}: {why}; move or delete the folder, or choose another name")


def _made(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made as a folder ({error.strerror})") from error


def script_faults(chip: ChipNetwork) -> list[str]:
    """Why a script of Lava processes cannot compute ``chip``; nothing where it can."""
    faults = [*lava_faults(chip), *sum_faults(chip)]
    if chip.encoding in ("direct", "current") and input_transform(chip) is None and _bits(chip) is None:
        faults.append(f"the network's {chip.encoding} input does not say its bits")
    return faults


def script(chip: ChipNetwork) -> str:
    """The text of the script; the same network gives the same text."""
    subtracting = any(p.neuron is not None and p.neuron.law in SUBTRACTING for p in chip.populations)
    text = lava_text.HEAD + (lava_text.SUBTRACTING if subtracting else "") + lava_text.BODY
    values = {
        "SAMPLES": _samples(chip),
        "ALLOWED": "np.isin(samples, (0, 1))" if chip.encoding == "events" else "(samples >= 0) & (samples <= 1)",
        "VALUES": "0 and 1" if chip.encoding == "events" else "numbers from 0 to 1",
        "VERSION": __version__,
        "PORTS": "PyInPort, PyOutPort" if subtracting else "PyInPort",
        "LIF": _lif(chip, subtracting),
        "CONSTANTS": "\n".join(_constants(chip)),
        "POPULATIONS": "\n".join(f"    {_population(chip, i, p)}" for i, p in enumerate(chip.populations)),
        "CONNECTIONS": "\n".join(f"    {_connection(chip, i, c)}" for i, c in enumerate(chip.connections)),
        "ENCODE": "\n".join(f"    {line}" for line in _encode(chip)) + "\n",
        "ANSWER": "\n".join(f"        {line}" for line in _answer(chip)),
    }
    # One pass: what stands in a network, such as names, is not looked at again.
    return re.sub("<<([A-Z]+)>>", lambda match: values[match[1]], text)


def _lif(chip: ChipNetwork, subtracting: bool) -> str:
    """The lines that import Lava's neurons, those that are used."""
    lines = ["from lava.proc.lif.models import AbstractPyLifModelFixed"] if subtracting else []
    plain = any(p.neuron is not None and p.neuron.law not in SUBTRACTING for p in chip.populations)
    names = ["LIF"] if subtracting or chip.is_recurrent else []
    names += ["LIFReset"] if plain and not chip.is_recurrent else []
    return "\n".join([*lines, f"from lava.proc.lif.process import {', '.join(names)}"])


def _bits(chip: ChipNetwork) -> int | None:
    bits = chip.input.payload_bits or chip.provenance.get("input_bits")
    return bits if isinstance(bits, int) else None


def _samples(chip: ChipNetwork) -> str:
    shape = "x".join(map(str, chip.input.shape))
    own = ", prepared as `spikewright data` shows" if chip.input_rule is not None else ""
    if chip.encoding == "events":
        return f"frames of 0 and 1, {chip.timesteps} for each sample, of {shape}{own}."
    frames = f"{chip.timesteps} frames each, " if chip.changes_each_step else ""
    return f"numbers from 0 to 1, {frames}of {shape}{own}; their encoding is {chip.encoding}."


def _constants(chip: ChipNetwork) -> Iterator[str]:
    by_step = chip.encoding == "events" or chip.changes_each_step
    yield f"CHIP = {chip.profile!r}  # what it was lowered for"
    yield f"T = {chip.timesteps}  # timesteps of a sample"
    yield f"STRIDE = {Schedule.of(chip, 1).stride}  # chip steps from one sample's start to the next one's"
    yield f"RECURRENT = {chip.is_recurrent}  # then it is emptied between samples"
    yield f"MEMBRANE = {chip.readout == 'membrane'}  # the answer is a potential; else a number of spikes"
    yield f"INPUT, READOUT = {chip.input.name!r}, {chip.output.name!r}"
    yield f"SAMPLE = {((chip.timesteps,) if by_step else ()) + chip.input.shape}  # shape of a sample"
    yield f"SHAPES = { ({p.name: p.shape[::-1] for p in chip.populations}) }"
    yield f"DEPTH = {chip.depth}  # steps from the input"
    biased = [(i, p) for i, p in enumerate(chip.populations) if _has_bias(p)]
    yield "BIASES = {" + ", ".join(f'{p.name!r}: DATA["bias_{i}"]' for i, p in biased) + "}"


def _has_bias(population: Population) -> bool:
    return population.neuron is not None and population.role != "input" and bool(population.neuron.bias.any())


def _population(chip: ChipNetwork, index: int, population: Population) -> str:
    """The line that makes the neurons of a population, or what sends its events."""
    neuron, name = population.neuron, population.name
    if neuron is None:
        return f"ports[{name!r}] = RingBuffer(data=stream).s_out"
    settings = f"shape={population.shape[::-1]}, du={neuron.du}, dv={neuron.dv}, vth={neuron.vth}"
    settings += f", bias_exp={neuron.bias_exp}"
    if _has_bias(population):
        settings += f', bias_mant=DATA["bias_{index}"]'
    elif population.role == "input":
        settings += f", bias_mant=np.zeros({population.shape[::-1]}, np.int32)"
    kind = "LIF" if chip.is_recurrent else "LIFReset"
    if neuron.law in SUBTRACTING:
        kind, settings = "SubtractingLIF", f"late={SUBTRACTING[neuron.law]}, {settings}"
    if not chip.is_recurrent:
        settings += f", reset_interval=T, reset_offset={chip.depth[name] + 1}"
    return f"neurons[{name!r}] = {kind}({settings})"


def _connection(chip: ChipNetwork, index: int, connection: Connection) -> str:
    ends, weight = f"{connection.source!r}, {connection.target!r}", f'DATA["weight_{index}"]'
    bits = chip.by_name[connection.source].payload_bits
    if (geometry := connection.conv) is None:
        _, width, exponent = _dense(connection)
        return f"dense({ends}, {weight}, {width}, {exponent}, {bits})"
    pairs = ", ".join(f"{name}={getattr(geometry, name)[::-1]}" for name in ("stride", "padding", "dilation"))
    return f"conv({ends}, {weight}, {pairs}, groups={geometry.groups}, num_message_bits={bits})"


def _dense(connection: Connection) -> tuple[IntArray, int, int]:
    values = dense_values(connection)
    assert values is not None
    return values


def _encode(chip: ChipNetwork) -> Iterator[str]:
    """The lines that do what :func:`spikewright.chip.encoding.encode` does for this network's encoding."""
    if chip.encoding == "events":
        yield "return np.moveaxis(np.rint(samples), 0, 1).astype(np.int64)"
        return
    yield "unit = np.clip(samples.astype(np.float64), 0, 1)"
    yield "steps = np.moveaxis(unit, 1, 0)" if chip.changes_each_step else "steps = unit[None]"
    transform = input_transform(chip) if chip.encoding == "current" else None
    if transform is not None:
        yield f"return np.rint(steps * {transform[0]!r} + {transform[1]!r}).astype(np.int64)"
    elif chip.encoding in ("direct", "current"):
        yield f"return np.rint(steps * {2 ** (_bits(chip) or 1) - 1}).astype(np.int64)"
    elif chip.encoding == "rate":
        yield "draws = [np.random.default_rng((0, i)).random((T, *steps.shape[2:])) for i in range(len(unit))]"
        yield "return (np.stack(draws, axis=1) < steps).astype(np.int64)"
    else:
        yield "first = np.rint((1 - unit) * (T - 1)).astype(np.int64)  # the brighter, the earlier"
        yield "times = np.arange(T).reshape(-1, *[1] * unit.ndim)"
        yield "return ((times == first[None]) & (unit[None] > 0)).astype(np.int64)"


def _answer(chip: ChipNetwork) -> Iterator[str]:
    meaning = chip.meaning
    if not meaning.is_classes:
        yield f"center, spread = np.array({list(meaning.center)}), np.array({list(meaning.spread)})"
        yield f"values = center + spread * row / {chip.score_unit!r}"
        yield 'print(f"sample {number}: values {values.tolist()}, scores {row.tolist()}")'
        return
    if meaning.names:
        yield f"names = {list(meaning.names)!r}"
    yield f"best = int(np.argmax(row.reshape({chip.classes}, {meaning.population}).sum(axis=1)))"
    best = "{names[best]}" if meaning.names else "{best}"
    yield f'print(f"sample {{number}}: class {best}, scores {{row.tolist()}}")'


def _arrays(chip: ChipNetwork) -> bytes:
    """The weights and biases in Lava's order."""
    arrays: dict[str, IntArray] = {}
    for index, population in enumerate(chip.populations):
        if population.neuron is not None and _has_bias(population):
            arrays[f"bias_{index}"] = lava_order(population.neuron.bias)
    for index, connection in enumerate(chip.connections):
        kernel = connection.conv is not None
        arrays[f"weight_{index}"] = lava_kernel(connection.weight) if kernel else _dense(connection)[0]
    buffer = io.BytesIO()
    np.savez(buffer, **{name: values.astype(np.int32) for name, values in arrays.items()})
    return buffer.getvalue()
