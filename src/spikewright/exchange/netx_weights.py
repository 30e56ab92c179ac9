"""What lava-dl's loader makes of dense weights on the way from its file into Lava's Dense process."""

from __future__ import annotations

import numpy as np

from ..base.types import IntArray

LOWEST, HIGHEST = -256, 255
"""What a synapse of a chip network holds."""


def loaded_weight(weight: IntArray) -> IntArray:
    """What lava-dl's loader and Lava's Dense process make of dense weights that are not all 0.

    The loader scales weights up to fill the synapse, ``w << k`` with weight exponent ``-k``, and counts the bits that
    are left; Dense clips and floors to those bits, and shifts the sum back by k. Where nothing is lost on the way, the
    sum is a multiple of ``2^k`` and nothing is lost on the way back. The two do not always agree about the sign and the
    bits: weights that are all -2 are loaded as 0.
    """
    kept, shift = _in_the_synapse(weight)
    return kept >> shift


def sums_exactly(weight: IntArray) -> bool:
    """Whether what Dense makes of a sum is the sum of the :func:`loaded_weight`: it shifts the sum, not each weight."""
    kept, shift = _in_the_synapse(weight)
    return not np.any(kept & ((1 << shift) - 1))


def _in_the_synapse(weight: IntArray) -> tuple[IntArray, int]:
    """What Dense keeps in its synapses, and by how many bits it shifts its sums back."""
    low, high = int(weight.min()), int(weight.max())
    if low < 0 <= high:
        weight = np.clip(weight, -256, 254)
        low, high = int(weight.min()), int(weight.max())
        scale, mixed = min(127 / high if high else np.inf, -128 / low), True
    else:
        scale, mixed = (255 / high if high > 0 else -256 / low), False
    shift = int(np.floor(np.log2(scale))) + mixed
    scaled = weight.astype(np.int64) << shift
    spare = next((n for n in range(8, 0, -1) if not np.any(weight % 2**n)), 0) - mixed
    # Dense decides about the sign for itself, and calls a matrix with no weight above 0 inhibitory.
    really_mixed = bool(scaled.min() < 0 < scaled.max())
    sign = -1 if scaled.max() <= 0 else 1
    floor = shift + spare + really_mixed
    if floor < 0:
        return np.zeros_like(scaled), shift  # NumPy shifts by a negative count to 0
    return sign * ((np.clip(sign * scaled, -256 if really_mixed else 0, 255) >> floor) << floor), shift
