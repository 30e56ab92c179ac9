"""A student on integers against the chip network that it became."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from ...base.threads import student_threads
from ...chip.encoding import encode
from ...chip.network import ChipNetwork
from ...simulation import integer
from ...simulation.recording import Mismatch, Recording, compare
from ..student import Student


def differences(
    student: Student, chip: ChipNetwork, images: Tensor, seed: int = 0, first_index: int = 0
) -> list[Mismatch]:
    """Every layer whose spikes, currents or membrane potentials are not the chip network's, bit for bit.

    Populations that lowering added (relays) have no counterpart in the student and are not compared.

    Args:
        images: intensities in [0, 1], ``(B, *input shape)``.

    Raises:
        ValueError: the student computes in floats.
    """
    config = student.config
    codes = encode(config.encoding, images.numpy(), config.timesteps, config.input_bits, seed, first_index)
    theirs = integer.run(chip, codes, record_states=True)
    with student_threads():
        states, recorded = student.registers(images, seed, first_index)
    spikes = {name: trains.numpy().astype(np.uint8) for name, trains in recorded.items()}
    ours = Recording(
        spikes=spikes,
        scores=theirs.scores,
        tallies={},
        u={name: state.u.numpy() for name, state in states.items()},
        v={name: state.v.numpy() for name, state in states.items()},
    )
    return compare(ours, replace(theirs, spikes={name: theirs.spikes[name] for name in spikes}))
