"""Reset by subtraction: a spike takes one threshold off the membrane potential, at once or one step late.

Both laws compare and round as :class:`~spikewright.chip.law.Law` does and take off one threshold for a spike, however
many thresholds the potential has crossed: what is left may fire again in the next step. They differ in whether the
part taken off decays::

    at once    p(t) = clip(decay(keep_v, v(t-1)) + u(t) + bias)
               s(t) = p(t) > threshold
               v(t) = p(t) - threshold s(t)

    late       p(t) = clip(decay(keep_v, v(t-1)) + u(t) + bias - threshold s(t-1))
               s(t) = p(t) > threshold
               v(t) = p(t)

Without a leak the two give the same spikes. In the late law ``s(t-1)`` is ``v(t-1) > threshold``, so that neither needs
a register that the chip's neuron does not have.

**Integers.** The threshold is a multiple of 64, as potentials are compared with it, and no product is cut but the
decay's, toward zero. At once, the clip to 24 bits comes before the comparison and the subtraction; what is left of a
potential above the threshold lies within 24 bits. Late, the threshold is part of the sum that is clipped: a sum of more
than ``2^23 - 1`` before the subtraction is clipped only where it still is after it. Potentials of neurons that fire in
every step and still gain may grow to the clip; what is clipped is lost, and counted.

Sources: snnTorch 1.0.0, ``_neurons/leaky.py`` and ``synaptic.py`` (late: ``reset_delay=True``, its default);
SpikingJelly 0.0.0.0.14 (``v_reset=None``), sinabs 3.1.3 (``SingleSpike`` with ``MembraneSubtract``) and Norse 1.1.0
(``reset_subtract``), at once. See the table in ``docs/neurons.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .law import Law


@dataclass(frozen=True, eq=False)
class SubtractingLaw(Law):
    """A spike takes one threshold off in its own step, after the comparison: what is left decays with the next step."""

    def reset_(self, potential: Tensor, spikes: Tensor) -> Tensor:
        """``v(t) = p(t) - threshold s(t)``, in place."""
        return potential.sub_(spikes.to(potential) * self.threshold)

    @staticmethod
    def through_reset(spikes: Tensor) -> Tensor | None:  # noqa: ARG004
        """``dv(t)/dp(t)``: a subtraction passes everything on."""
        return None

    @staticmethod
    def left(potential: Tensor, spikes: Tensor, threshold: Tensor) -> Tensor:
        """``v(t)`` from ``p(t)`` and spikes that are 0 and 1, floating."""
        return potential - spikes * threshold

    @staticmethod
    def taken_off(spikes: Tensor, keep_v: Tensor) -> Tensor | None:
        """``-dp(t+1)/dthreshold``: what was taken off has decayed for one step."""
        return spikes * keep_v


@dataclass(frozen=True, eq=False)
class LateSubtractingLaw(Law):
    """A spike takes one threshold off in the step after it, behind the decay; ``v(t)`` is the potential as compared."""

    reach: ClassVar[int] = 2
    """A threshold that was crossed is no more than what was gathered, and may come off a potential that has left."""

    def owed(self, v: Tensor) -> Tensor | None:
        """One threshold where ``v(t-1)`` is above it."""
        return None if self.threshold is None else self.fires(v).to(v) * self.threshold

    def reset_(self, potential: Tensor, spikes: Tensor) -> Tensor:  # noqa: ARG002
        """``v(t) = p(t)``: the reset is the next step's."""
        return potential

    @staticmethod
    def through_reset(spikes: Tensor) -> Tensor | None:  # noqa: ARG004
        """``dv(t)/dp(t)``: everything passes on, since the reset takes off a constant."""
        return None

    @staticmethod
    def left(potential: Tensor, spikes: Tensor, threshold: Tensor) -> Tensor:  # noqa: ARG004
        """``v(t)`` from ``p(t)``, which the reset of the next step changes."""
        return potential

    @staticmethod
    def taken_off(spikes: Tensor, keep_v: Tensor) -> Tensor | None:  # noqa: ARG004
        """``-dp(t+1)/dthreshold``: behind the decay, all of it."""
        return spikes
