"""The gradient through a layer's time steps is what autograd makes of the same steps written out."""

import pytest
import snntorch as snn
import torch

from spikewright.chip.law import Law
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, is_integrator, run_over_time, spiking
from spikewright.student.surrogate import Steps, through_time

T = 5


def neuron(kind):
    torch.manual_seed(0)
    module = integrator(0.9) if kind == "integrator" else spiking(NeuronSettings(kind, 0.6, 0.4, 1.0, True, True))
    if kind == "integrator":
        module.beta = torch.nn.Parameter(torch.tensor(0.9))
    return module.double()


def written_out(module, current):
    alpha = module.alpha.clamp(0, 1) if isinstance(module, snn.Synaptic) else None
    membrane = synaptic = torch.zeros_like(current[0])
    spikes, membranes = [], []
    for step in range(T):
        arriving = current[step if len(current) > 1 else 0]
        if alpha is not None:
            synaptic = arriving = alpha * synaptic + arriving
        membrane = module.beta.clamp(0, 1) * membrane + arriving
        membranes.append(membrane)
        if not is_integrator(module):
            spikes.append(module.spike_grad(membrane - module.threshold).to(membrane))
            membrane = membrane * (1 - spikes[-1].detach())
    return (torch.stack(spikes) if spikes else None), torch.stack(membranes)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("kind", ["lif", "cubalif", "integrator"])
def test_gradients_of_current_decays_and_threshold(kind, constant):
    module = neuron(kind)
    drive = 2 * torch.randn(1 if constant else T, 3, 4, dtype=torch.double)
    weight, other = torch.rand(2, T, 3, 4, dtype=torch.double)
    found = []
    for run in (written_out, lambda m, c: (lambda t: (t.spikes, t.membrane))(run_over_time("n", m, c, T))):
        current = drive.clone().requires_grad_()
        module.zero_grad()
        spikes, membranes = run(module, current)
        loss = (membranes * weight).sum() + (0 if spikes is None else (spikes * other).sum())
        loss.backward()
        found.append([current.grad, *(p.grad.clone() for p in module.parameters() if p.grad is not None), membranes])
    assert len(found[0]) == len(found[1]) >= 3
    for expected, actual in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    assert (found[0][0] != 0).any()


def test_gain_and_bias_are_part_of_the_current():
    module = neuron("lif")
    sums, bias = torch.randn(T, 3, 4, 2, 2, dtype=torch.double) * 9, torch.randn(4, 1, 1, dtype=torch.double)
    weight = torch.rand(T, 3, 4, 2, 2, dtype=torch.double)
    gradients = []
    for apart in (False, True):
        s, b = sums.clone().requires_grad_(), bias.clone().requires_grad_()
        spikes, membranes = written_out(module, s / 4 + b)
        if apart:
            steps = Steps(spikes.detach(), membranes.detach(), None)
            law = Law(module.beta, module.threshold, gain_u=0.25, bias=b)
            spikes, membranes = through_time(law, steps, s, module.spike_grad)
        ((spikes + membranes) * weight).sum().backward()
        gradients.append((s.grad, b.grad))
    for expected, actual in zip(*gradients, strict=True):
        torch.testing.assert_close(actual, expected)


def test_an_encoder_learns_its_threshold_and_nothing_else_is_asked_for():
    module = spiking(NeuronSettings(beta=1.0, learn_threshold=True)).double()
    drive = torch.rand(1, 3, 4, dtype=torch.double)
    trace = run_over_time("encoder", module, drive, T)
    trace.spikes.sum().backward()
    expected = module.threshold.grad.clone()
    module.zero_grad()
    written_out(module, drive)[0].sum().backward()
    torch.testing.assert_close(expected, module.threshold.grad)
    assert float(expected) < 0
