"""Checks of the integers that drive a network, before anything runs."""

from __future__ import annotations

from ..base.errors import refuse
from ..base.types import IntArray
from ..chip.network import ChipNetwork
from ..chip.registers import LAVA_WIDTHS


def check_drive(chip: ChipNetwork, drive: IntArray) -> None:
    """Raise one :class:`InputError` that names everything about ``drive`` that ``chip`` cannot take."""
    faults, population = [], chip.input
    if drive.ndim != 2 + len(population.shape) or drive.shape[2:] != population.shape:
        faults.append(f"the drive has shape {drive.shape}; it must be (steps, samples, {_listed(population.shape)})")
    elif drive.shape[0] not in (1, chip.timesteps) or not drive.shape[1]:
        faults.append(f"the drive has {drive.shape[0]} steps of {drive.shape[1]} samples; steps may be 1 or "
                      f"{chip.timesteps}, samples at least 1")  # fmt: skip
    elif population.neuron is not None and drive.shape[0] != 1:
        faults.append("an input of neurons is driven by one bias per sample; the drive must have 1 step")
    if not faults:
        low, high = 0, 2 ** max(1, population.payload_bits) - 1
        if population.neuron is not None:
            low, high = -LAVA_WIDTHS.bias_max - 1, LAVA_WIDTHS.bias_max
        if drive.min() < low or drive.max() > high:
            faults.append(f"the drive reaches {drive.min()}..{drive.max()}; may be {low}..{high}")
    refuse(f"input population {population.name!r}", faults)


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
