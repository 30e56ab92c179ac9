"""The proof of an import: the network in its own tool and the student, spike for spike on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import AnswerIsNo
from .neurons import NeuronTrace

TIE = 1e-5
"""Relative distance of a membrane potential from its threshold below which float32 may decide either way."""


@dataclass(frozen=True)
class Proof:
    """How a student was compared with the network that it was imported from.

    Attributes:
        samples: compared over all their timesteps.
        spikes: and silences, compared one by one.
        fired: spikes among them.
        ties: samples that were left out because a membrane potential equals its threshold to within float32.
    """

    samples: int
    spikes: int
    fired: int
    ties: int

    def __add__(self, other: Proof) -> Proof:
        """Both together."""
        return Proof(
            self.samples + other.samples,
            self.spikes + other.spikes,
            self.fired + other.fired,
            self.ties + other.ties,
        )


def compared(
    theirs: Mapping[str, Tensor],
    traces: Mapping[str, NeuronTrace],
    thresholds: Mapping[str, Tensor],
    layers: Mapping[str, str],
    caveats: Mapping[str, str],
) -> Proof:
    """Compare spikes, and the membrane potentials of a readout that integrates.

    Args:
        theirs: by neuron layer in order, what its own tool computed, ``(T, B, *shape)``: spikes, or the membrane
            potentials of integrators.
        traces: of the student.
        thresholds: by layer.
        layers: by layer, its name in the network.
        caveats: by layer, what may be the reason if its spikes differ.

    Raises:
        AnswerIsNo: the first layer, step and neuron that differ, with both values.
    """
    samples = next(iter(theirs.values())).shape[1]
    whole = torch.ones(samples, dtype=torch.bool)
    spikes = fired = 0
    for name, expected in theirs.items():
        trace = traces[name]
        if trace.spikes is None:
            _potentials(layers[name], expected, trace.membrane, whole)
            continue
        threshold = thresholds[name]
        least = torch.finfo(torch.float32).tiny
        distance = (trace.membrane - threshold).abs() / threshold.abs().clamp_min(least)
        whole &= _agreeing(layers[name], expected, trace, distance, whole, caveats.get(name, ""))
        spikes += expected[:, whole].numel()
        fired += int(expected[:, whole].sum())
    if int(whole.sum()) * 2 < samples:
        raise AnswerIsNo(
            f"import: {samples - int(whole.sum())} of {samples} samples hold a membrane potential that equals its "
            "threshold to within float32, too many to compare by"
        )
    return Proof(int(whole.sum()), spikes, fired, int((~whole).sum()))


def _agreeing(name: str, expected: Tensor, trace: NeuronTrace, distance: Tensor, whole: Tensor, caveat: str) -> Tensor:
    """The samples whose spikes are equal, as a mask ``(B,)``; others need a tie at the first step that differs."""
    assert trace.spikes is not None
    found = trace.spikes.reshape(expected.shape)
    wrong = (expected != found).flatten(2)
    good = ~wrong.any(2).any(0)
    for sample in torch.nonzero(whole & ~good).flatten().tolist():
        step = int(wrong[:, sample].any(1).int().argmax())
        neurons = wrong[step, sample].nonzero().flatten()
        far = distance.flatten(2)[step, sample, neurons]
        if not float(far.max()) <= TIE:
            neuron = int(neurons[int(far.argmax())])
            values = (each.flatten(2)[step, sample, neuron].item() for each in (expected, found, trace.membrane))
            theirs, ours, membrane = values
            raise AnswerIsNo(
                f"import: the student does not compute what the network does: {name}, step {step}, neuron {neuron} of "
                f"sample {sample}: {theirs:g} spikes in the network, {ours:g} in the student, whose membrane potential "
                f"is {membrane:.6g}{f'; {caveat}' if caveat else ''}"
            )
    return good


def _potentials(name: str, expected: Tensor, membrane: Tensor, whole: Tensor) -> None:
    before = len(membrane) - len(expected)  # steps of which only the last is known
    theirs, ours = expected[:, whole].flatten(2), membrane[before:].reshape(expected.shape)[:, whole].flatten(2)
    apart = (theirs - ours).abs()
    if apart.numel() and not float(apart.max()) <= 10 * TIE * max(float(theirs.abs().max()), 1e-6):
        step, sample, neuron = (int(each) for each in torch.unravel_index(apart.argmax(), apart.shape))
        raise AnswerIsNo(
            f"import: the student does not compute what the network does: {name}, step {before + step}, "
            f"neuron {neuron} of sample {sample}: its membrane potential is {float(theirs[step, sample, neuron]):.6g} "
            f"in the network and {float(ours[step, sample, neuron]):.6g} in the student"
        )
