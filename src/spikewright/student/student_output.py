"""The outputs of a student's forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .neurons import NeuronTrace


@dataclass(frozen=True)
class StudentOutput:
    """One forward pass over a batch.

    Attributes:
        scores: output of the readout as on the chip, ``(B, K)``: membrane potentials after the last timestep, or spike
            counts.
        logits: ``(B, K)``: scores divided by T for the membrane readout, spike counts for the count readout.
        step_logits: ``(T, B, K)``: the input current of the readout in each timestep, or its spikes.
        spikes: by firing layer, the encoder included, ``(T, B, *shape)``.
        traces: by neuron layer, spikes, input currents and membrane potentials.
        drive: the input drive of the network, ``(1 or T, B, *input shape)``, in [0, 1].
        active: by layer, the number of neuron updates that are active, ``(T, B)``; None for a floating-point student.
    """

    scores: Tensor
    logits: Tensor
    step_logits: Tensor
    spikes: dict[str, Tensor]
    traces: dict[str, NeuronTrace]
    drive: Tensor
    active: dict[str, Tensor] | None = None

    @property
    def counts_spikes(self) -> bool:
        """Whether the readout fires; scores and logits are then its spike counts."""
        return next(reversed(self.traces.values())).spikes is not None

    @cached_property
    def mean_counts(self) -> dict[str, Tensor]:
        """By layer, the spikes of each neuron per inference, averaged over the batch, ``(*shape)``."""
        return {name: spikes.sum(0).mean(0) for name, spikes in self.spikes.items()}

    def first(self, timesteps: int) -> StudentOutput:
        """The same samples over the first timesteps only; as a network is causal, this is its output at a smaller T."""
        return self._at((slice(timesteps),), timesteps)

    def rows(self, start: int, stop: int) -> StudentOutput:
        """The outputs of the samples ``start`` to ``stop`` of the batch."""
        return self._at((slice(None), slice(start, stop)), len(self.step_logits))

    def _at(self, where: tuple[slice, ...], timesteps: int) -> StudentOutput:
        traces = {name: trace.at(where) for name, trace in self.traces.items()}
        active = None if self.active is None else {name: count[where] for name, count in self.active.items()}
        return output_of(self.drive[where], traces, timesteps, active)


def output_of(
    drive: Tensor, traces: dict[str, NeuronTrace], timesteps: int, active: dict[str, Tensor] | None = None
) -> StudentOutput:
    """The output of a forward pass, given the traces of all neuron layers, of which the last is the readout."""
    spikes = {name: trace.spikes for name, trace in traces.items() if trace.spikes is not None}
    readout = next(reversed(traces.values()))
    if readout.spikes is not None:
        counts = readout.spikes.sum(0)
        return StudentOutput(counts, counts, readout.spikes, spikes, traces, drive, active)
    steps = readout.current.expand(timesteps, *readout.current.shape[1:])
    scores = readout.membrane[-1]
    return StudentOutput(scores, scores / timesteps, steps, spikes, traces, drive, active)
