"""What a student's forward pass shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .neurons import NeuronTrace


@dataclass(frozen=True)
class StudentOutput:
    """One forward pass.

    Attributes:
        scores: what the chip's readout gives, ``(B, K)``: the membrane after the last step, or spike counts.
        logits: ``(B, K)``; scores divided by T for the membrane readout, spike counts for the count readout.
        step_logits: ``(T, B, K)``: the current into the readout at each step, or its spikes.
        spikes: by layer, ``(T, B, *shape)``, with the encoder's where there is one and without a membrane readout.
        traces: by layer, currents and membranes as well.
        drive: what entered the network, ``(1 or T, B, *input shape)``, in [0, 1].
        active: by layer, updates that had something to do, ``(T, B)``; None for a student in floats.
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
        """Whether the readout fires, so that scores and logits are its spike counts."""
        return next(reversed(self.traces.values())).spikes is not None

    @cached_property
    def mean_counts(self) -> dict[str, Tensor]:
        """Spikes of each neuron in one inference, averaged over the batch, by layer, ``(*shape)``."""
        return {name: spikes.sum(0).mean(0) for name, spikes in self.spikes.items()}

    def first(self, timesteps: int) -> StudentOutput:
        """The same samples over the first steps alone: what comes later changes nothing before."""
        traces = {name: trace.first(timesteps) for name, trace in self.traces.items()}
        active = None if self.active is None else {name: count[:timesteps] for name, count in self.active.items()}
        return output_of(self.drive[:timesteps], traces, timesteps, active)

    def rows(self, start: int, stop: int) -> StudentOutput:
        """The same steps of some samples of the batch."""
        traces = {name: trace.rows(start, stop) for name, trace in self.traces.items()}
        active = None if self.active is None else {name: count[:, start:stop] for name, count in self.active.items()}
        return output_of(self.drive[:, start:stop], traces, len(self.step_logits), active)


def output_of(
    drive: Tensor, traces: dict[str, NeuronTrace], timesteps: int, active: dict[str, Tensor] | None = None
) -> StudentOutput:
    """What the traces of all layers amount to; the last of them is the readout's."""
    last = next(reversed(traces.values()))
    if last.spikes is None:
        steps = last.current.expand(timesteps, *last.current.shape[1:])
        scores = last.membrane[-1]
        logits = scores / timesteps
    else:
        steps, scores = last.spikes, last.spikes.sum(0)
        logits = scores
    spikes = {name: t.spikes for name, t in traces.items() if t.spikes is not None}
    return StudentOutput(scores, logits, steps, spikes, traces, drive, active)
