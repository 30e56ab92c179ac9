"""A Lava process for neurons that reset by subtraction, which Lava's own LIF processes do not.

Its model is Lava's bit-accurate LIF with the reset of :mod:`spikewright.chip.subtraction`: the decays, the wrap of the
current, the bias and the clip of the potential are Lava's own code. Only the child process that runs Lava
imports this module, and tests that step the model themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed
from lava.proc.lif.process import LIF

from ....base.types import IntArray


class SubtractingLIF(LIF):  # type: ignore[misc]
    """A LIF population in which a spike takes the threshold off the membrane potential."""

    def __init__(self, *, late: bool, reset_interval: int = 0, reset_offset: int = 0, **settings: Any) -> None:
        """As Lava's LIF and LIFReset.

        Args:
            late: whether the threshold is taken off in the step after the spike, behind the decay.
            reset_interval: steps after which currents and potentials are set to 0, at the beginning of a step; 0:
                never.
            reset_offset: step of the first of these, counted from 1.
            settings: of Lava's LIF.
        """
        super().__init__(late=late, reset_interval=reset_interval, reset_offset=reset_offset, **settings)


@implements(proc=SubtractingLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PySubtractingLIF(AbstractPyLifModelFixed):  # type: ignore[misc]
    """Model of :class:`SubtractingLIF`; a step needs ``a_in`` and ``s_out`` alone, and no runtime."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: int = LavaPyType(int, np.int32, precision=17)
    effective_bias: IntArray

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.effective_vth: Any = 0
        self.late: bool = proc_params["late"]
        self.interval: int = proc_params["reset_interval"]
        self.first: int = proc_params["reset_offset"]

    def scale_threshold(self) -> None:
        """Bring the mantissa of the threshold to the unit of the potential."""
        self.effective_vth = np.left_shift(self.vth, self.vth_shift)
        self.isthrscaled = True

    def spiking_activation(self) -> Any:
        """Where potentials are above the threshold."""
        return self.v > self.effective_vth

    def subthr_dynamics(self, activation_in: IntArray) -> None:
        """One step without its spikes; what a late reset takes off is part of the sum that is clipped."""
        if self.late:
            owed = np.where(self.v > self.effective_vth, self.effective_vth, 0)
            self.effective_bias = (self.effective_bias - owed).astype(np.int32)
        super().subthr_dynamics(activation_in)

    def reset_voltage(self, spike_vector: Any) -> None:
        """Take one threshold off where a neuron spikes; a late reset is the next step's."""
        if not self.late:
            self.v[:] = self.v - np.where(spike_vector, self.effective_vth, 0)

    def run_spk(self) -> None:
        """One step; at the beginning of a sample from rest."""
        if self.interval and self.time_step % self.interval == self.first % self.interval:
            self.u[:], self.v[:] = 0, 0
        super().run_spk()
