"""The integer simulator by dense arithmetic in torch: the plain reference, and for what the compiled loops do not hold.

Populations are walked in order; the synaptic input of all steps of a population is computed at once, then its
neurons are stepped through time. That is the chip's pipeline with every population's clock set back by its depth:
a balanced network gives the same spikes and membranes either way.

Arithmetic is floating point used as integers: a sum is taken in float32 where a bound proves that no partial result
leaves 24 bits, else in float64, and the neurons' registers are float64 throughout (decay products have 44 bits).
Nothing is ever rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from threading import Lock, local
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..base.errors import InputError
from ..base.types import Drive
from ..chip.law import INT32_LIMIT, STATE_LIMIT, exact_kernels, largest, modulo
from ..chip.network import ChipNetwork, Connection, Neuron, Population
from .kernel import Buffers, KernelTrace, Rules, integrate
from .recording import Recording, SpikeArray, Tally, events_of
from .tables import reach

Heard: TypeAlias = Mapping[str, SpikeArray]
"""Spikes of another simulator by population, ``(timesteps, samples, *shape)``: what their targets hear instead."""

NOTHING: Heard = MappingProxyType({})

EXACT_FLOAT32 = 2**23
"""Below this bound sums of integers are exact in float32 and a convolution cannot leave its signed 24 bits."""

EXACT_FLOAT64 = 2**46
"""Below this bound sums of integers are exact in float64, with the six bits of the input shift to spare."""


class Dense:
    """A network and what drives it, ready to be simulated."""

    def __init__(self, chip: ChipNetwork, drive: Drive, heard: Heard = NOTHING, record_states: bool = False) -> None:
        self._recording = _empty(chip, drive, record_states)
        self._chip, self._drive, self._heard, self._own = chip, drive, heard, local()
        self._weights = _Weights(chip)

    @contextmanager
    def workers(self, count: int) -> Iterator[Callable[..., Iterable[Any]]]:
        """A ``map`` over threads whose torch operations use their own thread alone.

        What has not begun is dropped on a failure.
        """
        threads = torch.get_num_threads()

        def begin() -> None:
            torch.set_num_threads(1)
            self._own.simulator = _Simulator(self._chip, self._weights)

        pool = ThreadPoolExecutor(count, initializer=begin)
        try:
            with exact_kernels():
                yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # a worker's setting becomes the default of threads to come

    def run(self, chunk: slice) -> dict[str, Tally]:
        """Simulate some samples, in one of the :meth:`workers`; returns counts by population that has neurons.

        Raises:
            InputError: sums could leave what float64 holds exactly, or 32 bits in a convolution.
        """
        with torch.inference_mode():
            simulator: _Simulator = self._own.simulator
            return simulator.run(self._drive, self._heard, self._recording, chunk)

    def recording(self) -> Recording:
        """What was simulated; the tallies are zero."""
        return self._recording


def _empty(chip: ChipNetwork, drive: Drive, record_states: bool) -> Recording:
    """A recording of the right shapes, with the input's events in it and everything else to be filled in."""
    samples = drive.shape[1]
    shapes = {p.name: (chip.timesteps, samples, *p.shape) for p in chip.populations}
    names = [p.name for p in chip.populations if p.neuron is not None]
    spikes: dict[str, SpikeArray] = {
        name: np.empty(shape, dtype=np.uint8) if name in names else events_of(chip, drive)
        for name, shape in shapes.items()
    }
    u, v = ({name: np.empty(shapes[name], dtype=np.int32) for name in names if record_states} for _ in "uv")
    return Recording(
        spikes=spikes,
        scores=np.zeros((samples, chip.outputs), dtype=np.int64),
        tallies={name: Tally() for name in names},
        active={name: np.zeros((chip.timesteps, samples), dtype=np.int64) for name in names},
        u=u,
        v=v,
    )


class _Weights:
    """The weights of a network as tensors, made when they are needed, once for all threads.

    Attributes:
        reach: by connection, :func:`~spikewright.simulation.tables.reach`.
    """

    def __init__(self, chip: ChipNetwork) -> None:
        self.reach = {connection.name: reach(connection) for connection in chip.connections}
        self._made: dict[tuple[str, torch.dtype], Tensor] = {}
        self._lock = Lock()

    def of(self, connection: Connection, dtype: torch.dtype) -> Tensor:
        """The weights of a connection as float32 or float64."""
        key = connection.name, dtype
        with self._lock:
            if key not in self._made:
                kind = np.float32 if dtype == torch.float32 else np.float64
                self._made[key] = torch.from_numpy(connection.packed.in_floats(kind))
            return self._made[key]


class _Simulator:
    """One network, with memory to work in."""

    def __init__(self, chip: ChipNetwork, weights: _Weights) -> None:
        self.chip = chip
        self._payload: int  # the largest of the samples at hand
        self._weights = weights
        self._buffers = {p.name: Buffers() for p in chip.populations}

    def run(self, drive: Drive, heard: Heard, recording: Recording, chunk: slice) -> dict[str, Tally]:
        """Simulate some samples into ``recording``; targets of a population in ``heard`` hear those spikes instead."""
        self._payload = int(drive[:, chunk].max())
        sent: dict[str, Tensor] = {}
        tallies: dict[str, Tally] = {}
        for population in self.chip.populations:
            name = population.name
            if population.neuron is None:
                sent[name] = _float32(drive[:, chunk])
                continue
            trace = self._integrate(population, population.neuron, drive[:, chunk], sent, bool(recording.v))
            sent[name] = _float32(heard[name][:, chunk]) if name in heard else trace.spikes
            recording.spikes[name][:, chunk] = trace.spikes.numpy()
            recording.active[name][:, chunk] = trace.active.numpy()
            tallies[name] = trace.tally
            if recording.v:
                recording.u[name][:, chunk], recording.v[name][:, chunk] = trace.u.numpy(), trace.v.numpy()
            if population.role == "readout":
                score = trace.last_v if self.chip.readout == "membrane" else trace.spikes.sum(dim=0)
                recording.scores[chunk] = score.flatten(1).numpy()
        return tallies

    def _integrate(
        self, population: Population, neuron: Neuron, drive: Drive, sent: Mapping[str, Tensor], states: bool
    ) -> KernelTrace:
        """One population through all its steps.

        Args:
            drive: the biases of an input population, ``(timesteps or 1, samples, *shape)``.
            sent: by source, float32, ``(timesteps or 1, samples, *shape)``; 1 means the same at every step.
        """
        into = self.chip.into(population.name)
        loops = [c for c in into if c.source == c.target]
        others = [c for c in into if c.source != c.target]
        bound = sum(map(self._bound, into))
        if bound >= EXACT_FLOAT64:
            raise InputError(
                f"population {population.name!r}: its synaptic input may reach {bound}; the simulator is exact below "
                f"{EXACT_FLOAT64}: lower the payloads of the input"
            )
        dtype = torch.float32 if bound < EXACT_FLOAT32 else torch.float64
        arriving = torch.zeros((1, drive.shape[1], *population.shape), dtype=dtype)
        if others:
            arriving = reduce(torch.add, [self._delivered(c, sent[c.source], dtype) for c in others])

        def feedback(spikes: Tensor) -> Tensor:
            return reduce(torch.add, [self._delivered(c, spikes[None], dtype)[0] for c in loops])

        bias = drive if population.role == "input" else neuron.bias[None]
        return integrate(
            Rules.of(neuron, bias, self.chip.timesteps, peak=largest(arriving) + sum(map(self._bound, loops))),
            arriving,
            feedback if loops else None,
            record_states=states,
            buffers=self._buffers[population.name],
        )

    def _delivered(self, connection: Connection, sent: Tensor, dtype: torch.dtype) -> Tensor:
        """Synaptic input of every step through one connection, ``(steps, samples, *target shape)``."""
        shape, wraps = self.chip.by_name[connection.target].shape, self._bound(connection) >= EXACT_FLOAT32
        return delivered(connection, self._weights.of(connection, dtype), sent.to(dtype), shape, wraps)

    def _bound(self, connection: Connection) -> int:
        """Largest absolute synaptic input that ``connection`` could deliver, partial sums included."""
        peak = self._payload if self.chip.by_name[connection.source].neuron is None else 1
        return self._weights.reach[connection.name] * peak


def delivered(
    connection: Connection, weight: Tensor, values: Tensor, target_shape: tuple[int, ...], wraps: bool
) -> Tensor:
    """The synaptic input that spikes or payloads cause, ``(steps, samples, *target shape)``.

    Args:
        connection: whose geometry counts.
        weight: of the type of ``values``.
        values: of the source, ``(steps, samples, *source shape)``.
        target_shape: of the population that the connection leads to.
        wraps: whether the sums of a convolution may leave 24 bits, into which Lava wraps them.

    Raises:
        InputError: a sum of a convolution leaves 32 bits.
    """
    steps, samples = values.shape[:2]
    if (geometry := connection.conv) is None:
        made = values.reshape(steps * samples, -1) @ weight.T
    else:
        made = functional.conv2d(
            values.flatten(0, 1), weight, None, geometry.stride, geometry.padding, geometry.dilation, geometry.groups
        )
        if wraps and (most := largest(made)) >= STATE_LIMIT:
            if most >= INT32_LIMIT:
                raise InputError(
                    f"connection {connection.name}: a sum of its convolution reaches {most:.0f}; Lava's has 32 bits "
                    "for it, and what it makes of more depends on the processor: lower the payloads of the input"
                )
            made = modulo(made, STATE_LIMIT)
    return made.reshape(steps, samples, *target_shape)


def _float32(spikes: SpikeArray) -> Tensor:
    return torch.from_numpy(np.asarray(spikes, dtype=np.float32))
