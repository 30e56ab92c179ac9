"""What a NIR graph of any tool computes on samples, in float64: its spikes and membrane potentials."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import nir
import numpy as np
import torch

from ..base.errors import InputError, Message, arg, check_type
from ..base.types import FloatArray
from ..data.for_network import ForNetwork
from ..data.load import load
from ..data.output_rule import CLASSES
from .interpreter import GraphTrace
from .interpreter import interpret as run
from .nir_data import graph_data, write_graph_data
from .nir_io import read_graph
from .time_step import Convention, Reading, read_as
from .wiring import Wiring, wire

BATCH = 64
"""Samples at once."""


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What the neurons of a graph did.

    Attributes:
        spikes: by name of a neuron node that fires, 0 and 1, shape ``(samples, timesteps, *shape)``.
        membranes: by name of a neuron node, after the step and before a reset, same shape.
        scores: spike counts of the readout, or its membrane potentials after the last step, ``(samples, outputs)``.
        dt_s: seconds per timestep.
        producer: the tool whose convention was taken; None where the graph was read as it stands.
        assumed: what was assumed, as sentences.
        drive: by name of the input node, what it gave, ``(samples, timesteps, *shape)``.
    """

    spikes: dict[str, FloatArray]
    membranes: dict[str, FloatArray]
    scores: FloatArray
    dt_s: float
    producer: str | None
    assumed: tuple[str, ...]
    drive: dict[str, FloatArray]

    def save(self, path: Path | str) -> None:
        """Write spikes, membrane potentials and the input in nir's form of data (``nir.read_data``), atomically.

        Observables of a node are ``spikes`` and ``voltages``, those before a reset; of the input ``spikes``, or
        ``values`` where it is graded. Each is of shape ``(samples, timesteps, neurons)``.

        Raises:
            InputError: the folder does not exist, or a node's name cannot stand in a file.
        """
        write_graph_data(graph_data(self.drive, self.spikes, self.membranes, self.dt_s), path)

    def __repr__(self) -> str:
        steps = {name: values.shape[:2] for name, values in self.membranes.items()}
        rates = ", ".join(f"{name} {values.mean():.4g}" for name, values in self.spikes.items())
        samples, timesteps = next(iter(steps.values()))
        return (
            f"Interpretation of {samples} samples, {timesteps} timesteps of {self.dt_s:g} s; rates: {rates or 'none'}"
        )


def interpret(
    graph: nir.NIRGraph | str | Path,
    samples: object,
    *,
    timesteps: int | None = None,
    dt_s: float | None = None,
    producer: str | None = None,
    reset: str | None = None,
) -> Interpretation:
    """Run a NIR graph of any tool on samples, in float64 and without latency, as its producer means it.

    Args:
        graph: or the path of its file.
        samples: numbers of shape ``(samples, timesteps, *input shape)``, or ``(samples, *input shape)`` for the same in
            every step; or the path of a file that holds such samples.
        timesteps: of each sample; needed where samples have no steps, and for a file.
        dt_s: as in :func:`spikewright.lower`, and so are ``producer`` and ``reset``.

    Raises:
        InputError: the graph has faults, its time step has to be given, or samples do not fit its input.
    """
    if isinstance(graph, str | Path):
        graph = read_graph(graph)
    check_type("graph", graph, nir.NIRGraph, "a NIR graph, such as nir.read(path), or the path of its file")
    if (
        isinstance(timesteps, bool)
        or not isinstance(timesteps, int | None)
        or (timesteps is not None and timesteps < 1)
    ):
        raise InputError(f"{arg('timesteps')}: is {reprlib.repr(timesteps)}; must be a whole number of at least 1")
    reading = read_as(wire(graph), graph.metadata, Convention(dt_s, producer, reset))
    drive = _drive(reading.wiring, samples, timesteps)
    steps = drive.shape[1] if timesteps is None else timesteps
    traces = [_run(reading, drive[start : start + BATCH], steps) for start in range(0, len(drive), BATCH)]
    wiring = reading.wiring
    return Interpretation(
        {name: _joined(trace.spikes[name] for trace in traces) for name in traces[0].spikes},
        {name: _joined(trace.membranes[name] for trace in traces) for name in wiring.neurons},
        np.concatenate([trace.scores(wiring.readout).flatten(1).numpy() for trace in traces]),
        reading.step.dt_s,
        None if reading.producer is None else reading.producer.name,
        tuple(assumptions(reading)),
        {wiring.input: np.broadcast_to(drive, (len(drive), steps, *drive.shape[2:]))},
    )


def assumptions(reading: Reading) -> Iterator[str]:
    """What was assumed of a graph, as sentences."""
    yield from reading.wiring.assumed
    if reading.step.assumed:
        yield f"time step {reading.step.dt_s:g} s: {reading.step.why}"
    yield from (str(Message(sentence)) for sentence in reading.assumed)


def _run(reading: Reading, drive: FloatArray, timesteps: int) -> GraphTrace:
    return run(reading.wiring, torch.from_numpy(np.swapaxes(drive, 0, 1).copy()), reading.step.dt_s, timesteps)


def _joined(parts: Iterator[torch.Tensor]) -> FloatArray:
    """Values of batches, ``(T, B, *shape)`` each, as ``(samples, T, *shape)``."""
    return np.swapaxes(np.concatenate([part.numpy() for part in parts], axis=1), 0, 1)


def _drive(wiring: Wiring, samples: object, timesteps: int | None) -> FloatArray:
    """Samples as ``(samples, timesteps or 1, *input shape)``."""
    shape = wiring.shapes[wiring.input][1]
    if isinstance(samples, str | Path):
        if timesteps is None:
            raise InputError(f"{arg('timesteps')}: is needed for samples of a file; give their number of steps")
        outputs = prod(wiring.shapes[wiring.output][0])
        whole = load(samples, timesteps=timesteps, network=ForNetwork(None, CLASSES, outputs, (timesteps, *shape)))
        samples = np.asarray(whole.test.samples[:]).reshape(len(whole.test), *([timesteps] * whole.is_events), *shape)
    values = np.asarray(samples)
    if values.dtype.kind not in "iufb" or not np.all(np.isfinite(values)):
        raise InputError(f"{arg('samples')}: are {values.dtype}; must be finite numbers")
    if values.shape[1:] == shape and len(values):
        if timesteps is None:
            raise InputError(
                f"{arg('timesteps')}: is needed where samples are the same in every step; give their number"
            )
        return values[:, None].astype(np.float64)
    if values.ndim != len(shape) + 2 or values.shape[2:] != shape or 0 in values.shape:
        wanted = ", ".join(map(str, shape))
        raise InputError(
            f"{arg('samples')}: have shape {values.shape}; the graph takes (samples, timesteps, {wanted}) or (samples, "
            f"{wanted})"
        )
    if timesteps not in (None, values.shape[1]):
        raise InputError(f"{arg('timesteps', timesteps)}: samples have {values.shape[1]} steps; leave it out")
    return values.astype(np.float64)
