"""The table of simulators of a chip network, and what all of them ask of the integers that drive it."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Protocol, cast

from ..base.errors import InputError, did_you_mean
from ..base.progress import Advance
from ..base.types import Drive
from ..chip.network import ChipNetwork
from ..chip.registers import LAVA_WIDTHS
from .recording import Recording


class Run(Protocol):
    """What every simulator is: a function of a chip network and what drives it.

    ``drive`` is integers of shape ``(timesteps or 1, samples, *input shape)``; ``record_states`` asks for currents and
    membrane potentials; ``progress`` is called with the number of samples done. It raises
    :class:`~spikewright.base.errors.InputError` for a network that it cannot hold.
    """

    def __call__(
        self, chip: ChipNetwork, drive: Drive, *, record_states: bool = False, progress: Advance | None = None
    ) -> Recording: ...


@dataclass(frozen=True)
class Backend:
    """One line of the table of simulators.

    Attributes:
        run: the simulator, or its place, ``package.module:function``, which is imported when it is needed.
        words: what it is, in a few words.
        exact: whether it gives the integers of the chip network, bit for bit; tests hold those that do to it.
    """

    run: Run | str
    words: str
    exact: bool = True


_HERE = __package__
BACKENDS: dict[str, Backend] = {
    "integer": Backend(f"{_HERE}.integer:run", "ours, batched"),
    "lava": Backend(f"{_HERE}.lava.backend:run", "Lava's processes"),
    "netx": Backend(f"{_HERE}.netx:run", "lava-dl's"),
}


def backend(name: str) -> Run:
    """The simulator called ``name``.

    Raises:
        InputError: there is no such simulator.
    """
    if name not in BACKENDS:
        raise InputError(f"{name!r}: there is no such simulator; {did_you_mean(name, BACKENDS)}, or a student's file")
    run = BACKENDS[name].run
    return cast(Run, resolve_name(run)) if isinstance(run, str) else run


def described() -> str:
    """Every simulator in words, for a help text."""
    return "; ".join(f"{name}: {each.words}{'' if each.exact else ' (not exact)'}" for name, each in BACKENDS.items())


def check_drive(chip: ChipNetwork, drive: Drive) -> None:
    """Raise an :class:`InputError` where ``chip`` cannot take ``drive``: its shape, or the range of its integers."""
    population, fault = chip.input, ""
    shape, (steps, samples) = population.shape, drive.shape[:2] if drive.ndim > 1 else (0, 0)
    low, high = 0, 2 ** max(1, population.payload_bits) - 1
    if population.neuron is not None:
        low, high = -LAVA_WIDTHS.bias_max - 1, LAVA_WIDTHS.bias_max
    if drive.ndim != 2 + len(shape) or drive.shape[2:] != shape:
        fault = f"the drive has shape {drive.shape}; it must be (steps, samples, {', '.join(map(str, shape))})"
    elif steps not in (1, chip.timesteps) or not samples:
        fault = (
            f"the drive has {steps} steps of {samples} samples; steps may be 1 or {chip.timesteps}, samples at least 1"
        )
    elif drive.min() < low or drive.max() > high:
        fault = f"the drive reaches {drive.min()}..{drive.max()}; may be {low}..{high}"
    if fault:
        raise InputError(f"input population {population.name!r}: {fault}")
