"""Layers of neurons stepped, and learned backwards, by the compiled loops of :mod:`spikewright.kernels`.

They know the laws of a student, in the memory of a processor. The same in plain operations, for all else, stands in
:mod:`.plain_steps`, and is what tests hold the loops to.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pkgutil import resolve_name
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from snntorch import surrogate
from torch import Tensor

from ..chip.law import EXACT, STATE_LIMIT, Constant, Law
from ..kernels import codes
from ..kernels.codes import ATAN, FAST_SIGMOID, GIVEN, GROUP
from ..simulation.tables import RESETS
from .plain_steps import Gradients, Past, SpikeGrad, Steps

ROOM = codes.__name__.rpartition(".")[0]
"""Of the loops, which are imported when they are needed: numba takes a moment."""
SMALL = 2**15
"""Neuron updates that are not worth a second thread."""
Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def steps_in_floats(law: Law, arriving: Tensor) -> bool:
    """Whether the loops step a layer in floating point."""
    is_plain = law.arithmetic == EXACT and not isinstance(law.v_reset, Tensor) and law.v_reset == 0
    has_none = all(each is None for each in (law.gain_u, law.gain_v, law.bias, law.biases))
    return is_plain and has_none and _are_known(type(law), arriving, law.keep_v, law.keep_u, law.threshold)


def step_floats(law: Law, arriving: Tensor, timesteps: int) -> Steps:
    """As :func:`.plain_steps.step_plainly`, with the same bits."""
    steps = _new_steps(law, arriving, timesteps)
    flat = _flat(arriving)
    constants = [_by_neuron(value, arriving) for value in (law.keep_v, law.keep_u, law.threshold)]
    made = [_flat_or_none(each, flat) for each in (steps.spikes, steps.membranes, steps.synaptics)]
    step = resolve_name(f"{ROOM}.steps:step_floats")
    _share(lambda begin, end: step(flat, *constants, RESETS[type(law)], *made, begin, end), flat.shape[1], made[1].size)
    return steps


def steps_on_integers(law: Law, arriving: Tensor) -> bool:
    """Whether the loops step a layer on whole numbers; no current may leave its 24 bits."""
    numbers = (law.threshold, law.gain_u, law.v_reset)
    is_plain = not any(isinstance(each, Tensor) for each in numbers) and law.gain_v is None and law.v_reset == 0
    return (
        bool(is_plain) and arriving.dtype == torch.float32 and _are_known(type(law), arriving, law.keep_v, law.keep_u)
    )


def step_integers(law: Law, arriving: Tensor, timesteps: int, unit: float, clips: bool) -> tuple[Steps, Tensor]:
    """Step a layer in the chip's units.

    Args:
        unit: what 1 is worth in the membrane potentials and currents that are given back.
        clips: whether a potential may leave its 24 bits.

    Returns:
        the steps, and counts ``(2, T, B)``: neurons that had something to do, and potentials that were clipped.
    """
    steps = _new_steps(law, arriving, timesteps)
    flat = _flat(arriving)
    made = [_flat_or_none(each, flat) for each in (steps.spikes, steps.membranes, steps.synaptics)]
    one, keeps = _shares(law, arriving)
    constants = np.array([*one, law.threshold or 0], np.float64)
    units = np.array([law.gain_u, unit, STATE_LIMIT - 1 if clips else 0], np.float32)
    counts = arriving.new_zeros(2, timesteps, arriving.shape[1])
    given = flat, _biases(law, arriving), constants, keeps, RESETS[type(law)], units, *made, counts.numpy()
    step = resolve_name(f"{ROOM}.steps:step_integers")
    _share(lambda begin, end: step(*given, begin, end), flat.shape[1], made[1].size)
    return steps, counts


def learns(past: Past) -> bool:
    """Whether the loops learn backwards through the steps."""
    constants = (past.keep_v, past.keep_u, past.threshold, past.bias)
    return not isinstance(past.gain, Tensor) and _are_known(past.law, past.steps.membranes, *constants)


def learn(past: Past, at_spikes: Tensor | None, at_membranes: Tensor | None) -> Gradients:
    """As :func:`.plain_steps.learn_plainly`; sums over neurons, samples and timesteps are made in another order."""
    membranes, (learns_current, *wanted) = past.steps.membranes, past.wanted
    kind, numbers = _surrogate(past.spike_grad)
    if at_spikes is not None and kind == GIVEN:
        at_spikes = past.slopes(at_spikes)
    flat = _flat(membranes)
    at = [_flat_or_none(each, flat) for each in (at_spikes, at_membranes)]
    steps = tuple(_flat_or_none(each, flat) for each in (past.steps.spikes, membranes, past.steps.synaptics))
    law = (
        *(_by_neuron(value, membranes) for value in (past.keep_v, past.keep_u, past.threshold)),
        RESETS[past.law],
        np.array([1.0 if past.gain is None else past.gain], flat.dtype),
    )
    to_current = _for_current(past, learns_current)
    sums = np.zeros((-(-flat.shape[1] // GROUP) if any(wanted) else 1, len(wanted), flat.shape[2]))
    given = *at, steps, law, (kind, np.array([1.0, *numbers], flat.dtype)), np.array(wanted)
    backwards = resolve_name(f"{ROOM}.gradients:backwards")
    into = to_current.numpy().reshape(len(to_current), *flat.shape[1:]), sums
    _share(lambda begin, end: backwards(*given, *into, begin, end), flat.shape[1], flat.size)
    constants = (past.keep_v, past.keep_u, past.threshold, past.bias)
    summed = torch.from_numpy(sums.sum(0)).to(membranes).reshape(len(wanted), *membranes.shape[2:])
    return Gradients(
        to_current if learns_current else None,
        *(
            values.sum_to_size(constant.shape) if asked and constant is not None else None
            for values, constant, asked in zip(summed, constants, wanted, strict=True)
        ),
    )


def _are_known(law: type[Law], values: Tensor, *constants: Constant | None) -> bool:
    """Whether the loops know a law, and values ``(T, B, *shape)`` with constants that broadcast to ``shape``."""
    fit = all(not isinstance(each, Tensor) or each.ndim <= values.ndim - 2 for each in constants)
    kind = values.dtype in (torch.float32, torch.float64) and values.device.type == "cpu"
    return fit and kind and law in RESETS and values.numel() > 0


def _surrogate(spike_grad: SpikeGrad) -> tuple[int, tuple[float, ...]]:
    """Which surrogate the loops know a function by, and its numbers."""
    if getattr(spike_grad, "__module__", None) == surrogate.__name__:
        name, numbers = spike_grad.__qualname__.partition(".")[0], inspect.getclosurevars(spike_grad).nonlocals
        if name == surrogate.atan.__name__:
            return ATAN, (math.pi / 2 * numbers["alpha"], numbers["alpha"] / 2)
        if name == surrogate.fast_sigmoid.__name__:
            return FAST_SIGMOID, (numbers["slope"],)
    return GIVEN, ()


def _new_steps(law: Law, arriving: Tensor, timesteps: int) -> Steps:
    """Steps that are to be written."""
    shape = (timesteps, *arriving.shape[1:])
    return Steps(
        None if law.threshold is None else arriving.new_empty(shape),
        arriving.new_empty(shape),
        None if law.keep_u is None else arriving.new_empty(shape),
    )


def _for_current(past: Past, learns_current: bool) -> Tensor:
    """Where the gradient at what arrived is written: none, of each step, or the sum over the steps."""
    membranes = past.steps.membranes
    if not learns_current:
        return membranes.new_empty(0, *membranes.shape[1:])
    return membranes.new_zeros(1, *membranes.shape[1:]) if past.is_same else torch.empty_like(membranes)


def _shares(law: Law, arriving: Tensor) -> tuple[tuple[float, float], Floats]:
    """What a step leaves of the potential and of the current: of all neurons, or ``(2, neurons)`` of each."""
    if not isinstance(law.keep_v, Tensor) and not isinstance(law.keep_u, Tensor):
        return (law.keep_v, law.keep_u or 0.0), np.zeros((2, 0))
    each = [_by_neuron(0.0 if keep is None else keep, arriving) for keep in (law.keep_v, law.keep_u)]
    return (0.0, 0.0), np.stack(each).astype(np.float64)


def _biases(law: Law, arriving: Tensor) -> Floats:
    """What each step adds, ``(T or 1, B or 1, neurons)``."""
    shape = arriving.shape[2:]
    if law.biases is not None:
        return _flat(law.biases.to(arriving))
    if law.bias is None:
        return np.zeros((1, 1, math.prod(shape)), np.float32)
    if law.bias.ndim > len(shape):
        return _flat(law.bias.to(arriving)[None])
    return _flat(law.bias.to(arriving).expand(1, 1, *shape))


def _by_neuron(value: Constant | None, like: Tensor) -> Floats:
    """A constant of each neuron; empty for none."""
    if value is None:
        return np.zeros(0, like.detach().numpy().dtype)
    return torch.as_tensor(value, dtype=like.dtype).detach().expand(like.shape[2:]).reshape(-1).contiguous().numpy()


def _flat(values: Tensor) -> Floats:
    """``(T, B, *shape)`` as ``(T, B, neurons)``, without a copy where it lies in order."""
    found: Floats = values.detach().reshape(*values.shape[:2], -1).contiguous().numpy()
    return found


def _flat_or_none(values: Tensor | None, like: Floats) -> Floats:
    return np.zeros((0, 0, 0), like.dtype) if values is None else _flat(values)


_POOLS: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_POOLS.clear)  # its threads stay with the parent


def _share(work: Callable[[int, int], object], samples: int, updates: int) -> None:
    """Call ``work`` with the first sample and the end of each share, on as many threads as torch has."""
    threads = max(1, min(torch.get_num_threads(), -(-samples // GROUP), updates // SMALL))
    each = -(-samples // (GROUP * threads)) * GROUP
    shares = [(begin, min(begin + each, samples)) for begin in range(0, samples, each)]
    if len(shares) == 1:
        work(*shares[0])
        return
    if threads not in _POOLS:
        _POOLS[threads] = ThreadPoolExecutor(threads - 1)
    others = [_POOLS[threads].submit(work, *share) for share in shares[1:]]
    work(*shares[0])
    for other in others:
        other.result()
