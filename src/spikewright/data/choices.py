"""What can be chosen about neurons and batches, in words: importable without torch, as `--help` needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DATA_HELP = (
    "digits, mnist-5k, mnist, fashion-mnist or cifar10; or events: nmnist, mnist1d, digits-events, mnist-5k-events, "
    "mnist-events or fashion-mnist-events"
)
"""The names of `spikewright.data`, whose arrays `--help` does not wait for."""

Augmentation = Literal["none", "shift", "shift-flip"]
NATURAL: dict[str, Augmentation] = {"mnist": "shift", "fashion-mnist": "shift-flip", "cifar10": "shift-flip"}
"""What leaves a sample's class as it is, by data set; a mirrored digit is another sign."""
FOR_STUDENTS: dict[str, Augmentation] = {"mnist": "shift", "cifar10": "shift-flip"}
"""What students are trained with. In the few epochs that a spiking student gets, Fashion-MNIST's lose by augmentation:
on validation 92.1 against 90.8 % (direct, width 16, 6 epochs), 91.0 against 90.0 % (current, 8 epochs)."""
REACH = {"digits": 1, "mnist": 2, "fashion-mnist": 2, "cifar10": 4}
"""Pixels of the largest shift, by data set."""

NeuronKind = Literal["lif", "cubalif"]
NEURON_KINDS: tuple[NeuronKind, ...] = ("lif", "cubalif")


@dataclass(frozen=True)
class NeuronSettings:
    """How the hidden neurons of a named architecture are made.

    Attributes:
        kind: ``lif`` (`snn.Leaky`) or ``cubalif`` (`snn.Synaptic`, with a synaptic current that decays).
        beta: membrane decay per step, 0..1 (1: no leak).
        alpha: synaptic current decay per step, 0..1 (cubalif only).
        threshold: firing threshold; a spike needs ``membrane > threshold``.
        learn_beta: whether each layer learns its beta.
        learn_threshold: whether each layer learns its threshold.
    """

    kind: NeuronKind = "lif"
    beta: float = 0.5
    alpha: float = 0.5
    threshold: float = 1.0
    learn_beta: bool = False
    learn_threshold: bool = False
