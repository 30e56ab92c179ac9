"""How far the currents and membrane potentials of a network go on data, in floats.

The draft network is run, as it is after all passes: it has the populations, the delays and the folded weights of the
chip network, and no scale yet. So one run measures what every scale needs, and nothing that a scale would have rounded
or wrapped is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..base.errors import InputError, arg, refuse
from ..base.threads import student_threads
from ..base.types import FloatArray
from ..chip.encoding import encode, full_scale
from ..chip.law import Law, State
from ..chip.neuron_models import law_with
from ..chip.registers import MARGIN, PEAK_SAMPLES, QUANTILE, Calibration, Peaks
from ..data.dataset import Dataset
from ..data.split import Split
from ..profile.profile import HardwareProfile
from ..sources.rows import Rows, first_rows
from .draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from .quantize import starved

ELEMENTS = 2**23
"""Values of all populations and steps that are worked on at once: bounds the memory."""

_ADDED = ("relay", "bias")
_Column: TypeAlias = tuple[Tensor, Tensor]
"""Of one population, the largest current and the largest potential of each sample, ``(samples,)``."""


@dataclass(frozen=True, eq=False)
class Measuring:
    """Data to measure peaks on, and what scales make of them.

    Attributes:
        samples: intensities in [0, 1], ``(n, *input shape)``; of events 0 and 1, ``(n, timesteps, *input shape)``.
        quantile: of the peaks of single samples, above 0 and up to 1, which takes the largest.
        margin: factor by which registers may go beyond that, 1 or more.
        seed: of the rate code.
        by_step: whether intensities have an axis of timesteps too, ``(n, timesteps, *input shape)``.
        only_starved: measure only the populations to whose weights the worst case leaves too few bits.
    """

    samples: Rows
    quantile: float = QUANTILE
    margin: float = MARGIN
    seed: int = 0
    by_step: bool = False
    only_starved: bool = False

    @staticmethod
    def of(
        data: Dataset | Split,
        samples: int | None = None,
        quantile: float | None = None,
        margin: float | None = None,
        seed: int = 0,
        by_step: bool = False,
        only_starved: bool = False,
    ) -> Measuring:
        """The first samples of a part, of a data set its training part.

        Args:
            samples: how many at most; None for :data:`PEAK_SAMPLES`.
            quantile: None for :data:`QUANTILE`.
            margin: None for :data:`MARGIN`.
            by_step: whether intensities have an axis of timesteps too.
            only_starved: measure only the populations to whose weights the worst case leaves too few bits.

        Raises:
            InputError: options that are not allowed; all of them at once.
        """
        refuse(arg("calibrate"), list(_faults(samples, quantile, margin)))
        part = data.train if isinstance(data, Dataset) else data
        return Measuring(
            first_rows(part.samples, PEAK_SAMPLES if samples is None else samples),
            QUANTILE if quantile is None else quantile,
            MARGIN if margin is None else margin,
            seed,
            by_step,
            only_starved,
        )

    def calibration(self, draft: Draft, profile: HardwareProfile, weight_bits: int | None = None) -> Calibration | None:
        """Peaks of the populations of a draft that has passed all passes; None where there is nothing to measure.

        Args:
            weight_bits: of a weight, sign included; None for as many as the chip has.

        Raises:
            InputError: the samples do not fit the network's input.
        """
        if not self.only_starved:
            return self.of_populations(draft)
        names = starved(draft, profile, weight_bits)
        return self.of_populations(draft, names) if names else None

    def of_populations(self, draft: Draft, names: Sequence[str] | None = None) -> Calibration:
        """Peaks of these populations; of all that have weights, but for relays and biases, where ``names`` is None.

        Raises:
            InputError: the samples do not fit the network's input.
        """
        found = peaks_of(draft, self.samples, self.seed, self.by_step)
        chosen = found if names is None else {name: found[name] for name in names}
        return Calibration(
            quantile=self.quantile,
            margin=self.margin,
            samples=len(self.samples),
            peaks={name: self._peaks(*columns) for name, columns in chosen.items()},
        )

    def _peaks(self, currents: FloatArray, potentials: FloatArray) -> Peaks:
        values = [float(np.quantile(each, self.quantile, method="higher")) for each in (currents, potentials)]
        return Peaks(current=values[0], potential=values[1]).rounded_up()


def _faults(samples: int | None, quantile: float | None, margin: float | None) -> Iterator[str]:
    if samples is not None and samples < 1:
        yield f"{arg('calibrate_samples', samples)}: must be at least 1"
    if quantile is not None and not 0 < quantile <= 1:
        yield f"{arg('quantile', f'{quantile:g}')}: must be above 0 and at most 1, which takes the largest peak"
    if margin is not None and not 1 <= margin < inf:
        yield f"{arg('margin', f'{margin:g}')}: must be 1 or more; 1.5 leaves room for half as much again as the peaks"


@student_threads()
@torch.no_grad()
def peaks_of(
    draft: Draft, samples: Rows, seed: int = 0, by_step: bool = False
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """By population that has weights, the largest current and potential of each sample, each ``(n,)``, in float units.

    Potentials of neurons that are reset to zero are those below zero alone.

    Args:
        draft: after all passes.
        samples: as of :class:`Measuring`, like ``by_step``.
        seed: of the rate code.

    Raises:
        InputError: the samples do not fit the network's input.
    """
    runner, has_steps = _Runner(draft), by_step or draft.encoding == "events"
    _check(draft, samples, has_steps)
    size = draft.timesteps * sum(prod(p.shape) for p in draft.populations)
    batch = max(1, ELEMENTS // size)
    columns: dict[str, list[_Column]] = {}
    for start in range(0, len(samples), batch):
        chosen = np.asarray(samples[start : start + batch])
        chosen = chosen.reshape(*chosen.shape[: 2 if has_steps else 1], *draft.populations[0].shape)
        codes = encode(draft.encoding, chosen, draft.timesteps, draft.input_bits, seed, start, by_step=by_step)
        for name, column in runner.run(torch.from_numpy(codes).float()).items():
            columns.setdefault(name, []).append(column)
    return {
        name: (torch.cat([u for u, _ in found]).double().numpy(), torch.cat([v for _, v in found]).double().numpy())
        for name, found in columns.items()
    }


def _check(draft: Draft, samples: Rows, has_steps: bool) -> None:
    """Refuse samples that are not of the shape of the network's input; a flat input takes those of any shape."""
    shape = draft.populations[0].shape
    wanted = (*((draft.timesteps,) if has_steps else ()), *shape)
    given = samples.shape[1:]
    steps = 1 if has_steps else 0
    is_flat = len(shape) == 1 and given[:steps] == wanted[:steps] and prod(given) == prod(wanted)
    if not len(samples) or not (given == wanted or is_flat):
        raise InputError(
            f"{arg('calibrate')}: the network's input takes samples of shape {wanted}, and these are {len(samples)} of "
            f"shape {given}; {_hint(draft, given, has_steps)}"
        )


def _hint(draft: Draft, given: tuple[int, ...], has_steps: bool) -> str:
    """What to do about samples of another shape; the encoding is a choice where the graph does not say one."""
    size, free = prod(draft.populations[0].shape), "encoding" not in draft.facts
    if free and draft.encoding == "events" and prod(given) == size:
        return (
            f"values without an axis of timesteps need another encoding than events, such as {arg('encoding', 'rate')}"
        )
    if free and not has_steps and prod(given) == draft.timesteps * size:
        return f"frames of events, one for each timestep, need {arg('encoding', 'events')}"
    return "give data such as it was trained on"


class _Runner:
    """A draft network in float32, population by population, each over all its timesteps."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._weights = {(c.source, c.target): _tensor(c.weight) for c in draft.connections}

    def run(self, drive: Tensor) -> dict[str, _Column]:
        """Peaks of every population that has weights, of the samples of a drive ``(T or 1, n, *input shape)``."""
        signals: dict[str, Tensor] = {}
        found: dict[str, _Column] = {}
        for population in self.draft.populations:
            if population.neuron is None:
                signals[population.name] = drive
                continue
            signals[population.name], column = self._stepped(population, population.neuron, signals, drive)
            if population.role not in ("input", *_ADDED):
                found[population.name] = column
        return found

    def _stepped(
        self, population: DraftPopulation, neuron: DraftNeuron, signals: dict[str, Tensor], drive: Tensor
    ) -> tuple[Tensor, _Column]:
        """Spikes of a population, ``(T, n, *shape)``, and its peaks."""
        law, into, count = _law_of(neuron), self.draft.into(population.name), drive.shape[1]
        subtracts = neuron.reset != "zero"
        loops = [c for c in into if c.source == population.name]
        arriving = torch.zeros(1, count, *population.shape)
        for connection in into:
            if connection.source != population.name:
                arriving = arriving + self._delivered(connection, signals[connection.source], population)
        if population.role == "input":  # driven by intensities, which act on the membrane
            most = full_scale(self.draft.encoding, self.draft.input_bits)
            bias, biases = (None, drive / most) if len(drive) > 1 else (drive[0] / most, None)
            law = type(law)(law.keep_v, law.threshold, bias=bias, biases=biases)
        spikes = torch.zeros(self.draft.timesteps, count, *population.shape)
        rest = torch.zeros(count, *population.shape)
        state, current, potential = State(rest, rest), rest, rest
        for t in range(self.draft.timesteps):
            a = arriving[t if len(arriving) > 1 else 0]
            for loop in loops if t else ():
                a = a + self._delivered(loop, spikes[t - 1][None], population)[0]
            state, p, fired = law.at(t).step(state, a)
            if fired is not None:
                spikes[t] = fired
            current = torch.maximum(current, state.u.abs())
            potential = torch.maximum(potential, p.abs() if fired is None or subtracts else -p)
        return spikes, (current.flatten(1).amax(1), potential.flatten(1).amax(1))

    def _delivered(self, connection: DraftConnection, values: Tensor, target: DraftPopulation) -> Tensor:
        steps, count = values.shape[:2]
        weight, geometry = self._weights[connection.source, connection.target], connection.conv
        if geometry is None:
            made = values.reshape(steps * count, -1) @ weight.T
        else:
            made = functional.conv2d(
                values.flatten(0, 1),
                weight,
                None,
                geometry.stride,
                geometry.padding,
                geometry.dilation,
                geometry.groups,
            )
        return made.reshape(steps, count, *target.shape)


def _law_of(neuron: DraftNeuron) -> Law:
    return law_with(neuron.reset)(
        keep_v=_tensor(1 - neuron.leak_v),
        threshold=None if neuron.threshold is None else _tensor(neuron.threshold),
        keep_u=_tensor(1 - neuron.leak_u) if np.any(neuron.leak_u != 1) else None,
        bias=_tensor(neuron.bias) if np.any(neuron.bias) else None,
        v_reset=_tensor(neuron.v_reset),
    )


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
