"""The inputs of a reader: which file, changed how, from a seed of random numbers and a number alone."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Literal

from .byte_changes import changed_bytes
from .reader import Reader

Way = Literal["bytes", "structure"]
TRIES = 20
NOT_WRITABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    AttributeError,
    RuntimeError,
    struct.error,
    MemoryError,
)
"""What writers of formats raise on a value that their format does not have; then another change is tried."""
WAYS: tuple[Way, ...] = ("structure", "bytes")


@dataclass(frozen=True)
class Input:
    """A changed file.

    Attributes:
        seed: the number of the valid file that it was made of.
        data: its bytes.
    """

    seed: int
    data: bytes


def input_of(reader: Reader, name: str, seed: int, way: Way, number: int) -> Input:
    """An input: the same again for the same arguments.

    Args:
        name: of the reader.
        seed: of the campaign.
        way: what is changed.
        number: of the input.
    """
    random = Random(f"{seed} {name} {way} {number}")
    chosen = random.randrange(len(reader.seeds))
    valid = reader.seeds[chosen]
    if way == "bytes":
        return Input(chosen, changed_bytes(valid, random, reader.seeds))
    for _ in range(TRIES):
        with suppress(*NOT_WRITABLE), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of writers, about values that they take all the same
            return Input(chosen, reader.change(valid, random))
    raise RuntimeError(f"{name}: no change of {TRIES} could be written in its format")


def shared_out(total: int, shares: Sequence[float], least: Sequence[int]) -> list[int]:
    """A number of inputs shared out by weights, none less than its least where the total allows it."""
    whole = sum(shares)
    spare = max(0, total - sum(least))
    return [floor + int(spare * share / whole) for floor, share in zip(least, shares, strict=True)]
