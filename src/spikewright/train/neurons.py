"""snnTorch neurons run over all time steps of a layer at once.

The modules stay snnTorch's (`snn.Leaky`, `snn.Synaptic`): their parameters, their surrogate gradient. What differs is
only the order of the work: a whole layer goes through all its steps before the next layer starts, so that the
convolution before it sees one large batch instead of T small ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import snntorch as snn
import torch
from torch import Tensor, nn

from ..errors import InputError
from .choices import NeuronSettings


def spiking(settings: NeuronSettings) -> nn.Module:
    """A hidden neuron layer with the reset that NIR, Lava and Loihi have: to zero, in the step of the spike."""
    common = {
        "beta": float(settings.beta),
        "threshold": float(settings.threshold),
        "learn_beta": settings.learn_beta,
        "learn_threshold": settings.learn_threshold,
        "init_hidden": True,
        "reset_mechanism": "zero",
        "reset_delay": False,
        "spike_grad": snn.surrogate.atan(),
    }
    neuron: nn.Module = (
        snn.Synaptic(alpha=float(settings.alpha), **common) if settings.kind == "cubalif" else snn.Leaky(**common)
    )
    return neuron


def integrator(beta: float = 1.0) -> nn.Module:
    """A readout that never fires: its membrane is the answer."""
    neuron: nn.Module = snn.Leaky(beta=float(beta), init_hidden=True, reset_mechanism="none", reset_delay=False)
    return neuron


def is_neuron(module: nn.Module) -> bool:
    """Whether ``module`` is one of snnTorch's spiking neurons."""
    return isinstance(module, snn.SpikingNeuron)


def is_integrator(module: nn.Module) -> bool:
    """Whether ``module`` is a non-firing readout (reset mechanism "none")."""
    return is_neuron(module) and getattr(module, "_reset_mechanism", None) == "none"


@dataclass(frozen=True)
class NeuronTrace:
    """One layer over one batch, each tensor ``(T, B, *shape)``.

    Attributes:
        current: what arrived at the layer.
        spikes: 0 or 1; None for an integrator.
        membrane: after the step, before a reset.
    """

    current: Tensor
    spikes: Tensor | None
    membrane: Tensor


def check_neuron(name: str, module: nn.Module) -> list[str]:
    """What keeps a neuron module from being trained and deployed here; empty when nothing does."""
    if type(module) not in (snn.Leaky, snn.Synaptic):
        return [f"{name}: {type(module).__name__} is not handled; may be snn.Leaky or snn.Synaptic"]
    faults = []
    reset = module._reset_mechanism
    if reset == "subtract":
        faults.append(
            f'{name}: reset_mechanism is "subtract" (snnTorch\'s default), which NIR, Lava and Loihi do not have; '
            'train with reset_mechanism="zero", reset_delay=False'
        )
    if reset == "zero" and module.reset_delay and isinstance(module, snn.Synaptic):
        faults.append(f"{name}: reset_delay is True, which resets one step late; set reset_delay=False")
    if not module.init_hidden:
        faults.append(f"{name}: init_hidden is False; set init_hidden=True so that the forward pass returns spikes")
    if module.inhibition:
        faults.append(f"{name}: inhibition has no counterpart on the chip; set inhibition=False")
    if module.state_quant:
        faults.append(f"{name}: state_quant is set; the chip's own rounding is applied in lowering, so remove it")
    if bool((module.graded_spikes_factor != 1).any()):
        faults.append(f"{name}: graded_spikes_factor is not 1; spikes between layers are binary here")
    return faults


def run_over_time(name: str, module: nn.Module, current: Tensor, timesteps: int) -> NeuronTrace:
    """Step a neuron layer T times from rest.

    ``syn = alpha * syn + I`` (cubalif), ``mem = beta * mem + I``, spike where ``mem > threshold``, then ``mem = 0``.

    Args:
        current: ``(T, B, *shape)``, or ``(1, B, *shape)`` for a current that is the same at every step.

    Raises:
        InputError: the module is a neuron this project cannot deploy.
    """
    if faults := check_neuron(name, module):
        raise InputError(faults[0])
    beta = module.beta.clamp(0, 1)
    alpha = module.alpha.clamp(0, 1) if isinstance(module, snn.Synaptic) else None
    fires = not is_integrator(module)
    membrane = synaptic = torch.zeros_like(current[0])
    spikes, membranes = [], []
    for step in range(timesteps):
        arriving = current[step if current.shape[0] > 1 else 0]
        if alpha is not None:
            synaptic = arriving = alpha * synaptic + arriving
        membrane = beta * membrane + arriving
        membranes.append(membrane)
        if fires:
            spike = module.spike_grad(membrane - module.threshold).to(membrane)  # snnTorch gives float32 always
            spikes.append(spike)
            membrane = membrane * (1.0 - spike.detach())
    return NeuronTrace(current, torch.stack(spikes) if fires else None, torch.stack(membranes))
