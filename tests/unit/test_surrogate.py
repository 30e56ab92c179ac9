"""The gradient through a layer's time steps is what autograd makes of the same steps written out."""

import pytest
import snntorch as snn
import torch

from spikewright.chip.law import Law
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, is_integrator, run_over_time, spiking
from spikewright.student.surrogate import Steps, through_time

T = 5


def neuron(kind, reset="zero"):
    torch.manual_seed(0)
    settings = NeuronSettings(kind, 0.6, 0.4, 1.0, True, True, reset) if kind != "integrator" else None
    module = integrator(0.9) if settings is None else spiking(settings)
    if kind == "integrator":
        module.beta = torch.nn.Parameter(torch.tensor(0.9))
    return module.double()


def as_snntorch_does(module, current):
    """Steps of snnTorch's own module, with autograd through them."""
    twin = type(module)(**({"alpha": module.alpha} if isinstance(module, snn.Synaptic) else {}), beta=module.beta)
    twin.beta, twin.threshold, twin.spike_grad = module.beta, module.threshold, module.spike_grad
    if isinstance(module, snn.Synaptic):
        twin.alpha = module.alpha
    assert (twin.reset_mechanism, twin.reset_delay) == ("subtract", True), "its defaults"
    states = [torch.zeros_like(current[0])] * (2 if isinstance(module, snn.Synaptic) else 1)
    spikes, membranes = [], []
    for step in range(T):
        spike, *states = twin(current[step if len(current) > 1 else 0], *states)
        spikes.append(spike)
        membranes.append(states[-1])
    return torch.stack(spikes), torch.stack(membranes)


def written_out(module, current):
    alpha = module.alpha.clamp(0, 1) if isinstance(module, snn.Synaptic) else None
    membrane = synaptic = torch.zeros_like(current[0])
    subtracts = module.reset_mechanism == "subtract"
    spikes, membranes = [], []
    for step in range(T):
        arriving = current[step if len(current) > 1 else 0]
        if alpha is not None:
            synaptic = arriving = alpha * synaptic + arriving
        membrane = module.beta.clamp(0, 1) * membrane + arriving
        membranes.append(membrane)
        if not is_integrator(module):
            spikes.append(module.spike_grad(membrane - module.threshold).to(membrane))
            fired = spikes[-1].detach()
            membrane = membrane - fired * module.threshold if subtracts else membrane * (1 - fired)
    return (torch.stack(spikes) if spikes else None), torch.stack(membranes)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    ("kind", "reset"),
    [("integrator", "zero"), *((k, r) for k in ("lif", "cubalif") for r in ("zero", "subtract", "subtract-late"))],
)
def test_gradients_of_current_decays_and_threshold(kind, reset, constant):
    module = neuron(kind, reset)
    drive = 2 * torch.randn(1 if constant else T, 3, 4, dtype=torch.double)
    weight, other = torch.rand(2, T, 3, 4, dtype=torch.double)
    found = []
    reference = as_snntorch_does if reset == "subtract-late" else written_out
    for run in (reference, lambda m, c: (lambda t: (t.spikes, t.membrane))(run_over_time("n", m, c, T))):
        current = drive.clone().requires_grad_()
        module.zero_grad()
        spikes, membranes = run(module, current)
        loss = (membranes * weight).sum() + (0 if spikes is None else (spikes * other).sum())
        loss.backward()
        found.append([current.grad, *(p.grad.clone() for p in module.parameters() if p.grad is not None), membranes])
    assert len(found[0]) == len(found[1]) >= 3
    for expected, actual in zip(*found, strict=True):
        rounding = 1e-12 if kind == "integrator" else 1e-6  # snnTorch's spikes are float32 whatever its membranes are
        torch.testing.assert_close(actual, expected, rtol=rounding, atol=rounding)
    assert (found[0][0] != 0).any()


@pytest.mark.parametrize(("reset", "expected"), [("subtract", -0.5 - 0.25), ("subtract-late", -1.0 - 0.5)])
def test_a_threshold_learns_from_what_is_subtracted(reset, expected):
    """By hand: p4 = (p3 - th) / 2, p3 = (p2 - th) / 2 + 1.5 at once; p4 = p3 / 2 - th, p3 = p2 / 2 - th + 1.5 late."""
    module = spiking(NeuronSettings(beta=0.5, learn_threshold=True, reset=reset)).double()
    current = torch.tensor([0, 0, 1.5, 1.5, 0], dtype=torch.double).reshape(T, 1, 1).requires_grad_()
    trace = run_over_time("n", module, current, T)
    assert trace.spikes.flatten().tolist() == [0, 0, 1, 1, 0]
    trace.membrane[-1].sum().backward()
    assert float(module.threshold.grad) == expected
    assert current.grad.flatten().tolist() == [0.0625, 0.125, 0.25, 0.5, 1]


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
