"""The layer-by-layer forward pass against snnTorch stepped in time."""

import itertools

import pytest
import snntorch as snn
import torch
from torch import nn

from spikewright.base.errors import InputError
from spikewright.student.config import StudentConfig
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import is_integrator, is_neuron, reset_of
from spikewright.student.student import Student, load_student, save_student
from spikewright.training.settings import DistillSettings

SHAPE = (1, 12, 12)


def make(architecture="convnet", encoding="direct", readout="membrane", **neuron):
    torch.manual_seed(0)
    config = StudentConfig(
        architecture, 4, SHAPE, 10, 5, encoding, readout, neuron=NeuronSettings(beta=0.8, threshold=0.4, **neuron)
    )
    return Student(config)


def stepped_in_time(student, drive):
    """What snnTorch's own modules give when they are stepped one by one."""
    for module in student.modules():
        if isinstance(module, snn.SpikingNeuron):
            module.reset_mem()
    outputs, spikes = [], {}
    neurons = {n: m for n, m in student.network.named_modules() if isinstance(m, snn.SpikingNeuron)}
    hooks = [
        m.register_forward_hook(lambda _m, _i, out, n=n: spikes.setdefault(n, []).append(out))
        for n, m in neurons.items()
    ]
    for step in drive.expand(student.config.timesteps, *drive.shape[1:]):
        entering = step if student.encoder is None else student.encoder(step)
        outputs.append(student.network(entering))
    for hook in hooks:
        hook.remove()
    scores = student.readout.mem if student.config.readout == "membrane" else torch.stack(outputs).sum(0)
    return scores, {name: torch.stack(train) for name, train in spikes.items()}


@pytest.mark.parametrize(
    ("architecture", "encoding", "readout", "kind"),
    [
        *itertools.product(
            ("mlp", "convnet", "vgg", "skipnet"),
            ("direct", "current", "rate", "latency"),
            ("membrane", "count"),
            ("lif", "cubalif"),
        )
    ],
)
def test_layer_by_layer_equals_snntorch_stepped_in_time(architecture, encoding, readout, kind):
    student = make(architecture, encoding, readout, kind=kind).eval()
    images = torch.rand(3, *SHAPE)
    with torch.no_grad():
        output = student(images)
        scores, spikes = stepped_in_time(student, output.drive)
    assert torch.allclose(output.scores, scores, atol=1e-6)
    hidden = {n: s for n, s in output.spikes.items() if n != "encoder"}
    assert sum(s.sum() for s in hidden.values()) > 0
    for name, train in hidden.items():
        assert torch.equal(train, spikes[name]), name


def test_membrane_readout_without_leak_adds_up_its_input():
    output = make(readout="membrane").eval()(torch.rand(2, *SHAPE))
    assert torch.allclose(output.scores, output.step_logits.sum(0), atol=1e-6)
    assert torch.allclose(output.logits, output.step_logits.mean(0), atol=1e-6)


def test_gradients_reach_every_parameter():
    student = make(encoding="current", learn_beta=True, learn_threshold=True)
    student(torch.rand(8, *SHAPE)).logits.square().sum().backward()
    silent = [n for n, p in student.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert [n for n in silent if "readout" not in n] == []


def test_a_students_own_module(tmp_path):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(144, 10)
            self.out = snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="zero", reset_delay=False)

        def forward(self, x):
            return self.out(self.dense(torch.flatten(x, 1)))

    config = StudentConfig("mine", 1, SHAPE, 10, 3, readout="count")
    student = Student(config, Mine()).eval()
    save_student(student, tmp_path / "mine.pt", {})
    again = load_student(tmp_path / "mine.pt", Mine())
    images = torch.rand(2, *SHAPE)
    assert torch.equal(student(images).scores, again(images).scores)


def test_saved_and_loaded_is_the_same(tmp_path):
    student = make("skipnet", "rate", "count", kind="cubalif").eval()
    save_student(student, tmp_path / "student.pt", {"seed": 3})
    again = load_student(tmp_path / "student.pt")
    assert again.config == student.config
    images = torch.rand(2, *SHAPE)
    assert torch.equal(student(images).scores, again(images).scores)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "student.pt"
    path.write_bytes(b"not a student")
    with pytest.raises(InputError, match=r"student.pt: is not a student file .*make one with `spikewright distill`"):
        load_student(path)


def test_snntorchs_default_reset_is_run_as_snntorch_runs_it():
    leaky = snn.Leaky(beta=0.9, init_hidden=True)
    student = Student(
        StudentConfig("mine", 1, SHAPE, 10, 3, readout="count"), nn.Sequential(nn.Flatten(), nn.Linear(144, 10), leaky)
    )
    with torch.no_grad():
        student.network[1].weight.mul_(20)
        trace = student(torch.rand(4, *SHAPE)).traces["2"]
    assert (trace.current > 2).any(), "more than a threshold is left"
    leaky.reset_mem()
    assert torch.equal(trace.spikes, torch.stack([leaky(trace.current[0]) for _ in range(3)]))


@pytest.mark.parametrize("reset", ["subtract", "subtract-late"])
@pytest.mark.parametrize("kind", ["lif", "cubalif"])
def test_the_reset_of_a_configuration_is_its_layers(kind, reset):
    student = make("mlp", kind=kind, reset=reset)
    assert {reset_of(layer) for layer in student.modules() if is_neuron(layer) and not is_integrator(layer)} == {reset}
    assert StudentConfig.from_json(student.config.as_json()) == student.config
    assert student.config.as_json()["neuron"]["reset"] == reset


def test_a_reset_to_zero_leaves_no_trace_in_a_file():
    assert "reset" not in make("mlp").config.as_json()["neuron"]
    assert "reset" not in DistillSettings().flat()
    with pytest.raises(InputError, match="reset is 'soft'; may be zero, subtract, subtract-late"):
        make("mlp", reset="soft")


def test_all_faults_of_a_configuration_at_once():
    with pytest.raises(InputError) as refusal:
        StudentConfig("mlp", 0, SHAPE, 10, 0, encoding="morse")
    text = str(refusal.value)
    assert "3 faults" in text
    for fault in ("timesteps is 0", "width is 0", "encoding is 'morse'"):
        assert fault in text


def test_data_dependent_forward_is_refused():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="none")

        def forward(self, x):
            return self.out(x) if x.sum() > 0 else x

    with pytest.raises(InputError, match="Branching: its forward pass cannot be followed"):
        Student(StudentConfig("mine", 1, SHAPE, 10, 3), Branching())


def test_a_floating_point_student_has_no_registers():
    student = Student(StudentConfig("mlp", 4, (1, 4, 4), 3, 2))
    with pytest.raises(InputError, match="student: computes in floating point and has no registers"):
        student.registers(torch.zeros(1, 1, 4, 4))


def test_a_student_as_simulator_records_no_states():
    student = Student(StudentConfig("mlp", 4, (1, 4, 4), 3, 2))
    with pytest.raises(InputError, match=r"record_states=True: a student records no registers; ask Student\.registers"):
        student.as_backend(None, None, record_states=True)


@pytest.mark.parametrize(
    ("encoding", "shape", "wanted"),
    [
        ("direct", (2, 4, 1), "samples, 1, 4, 4"),
        ("direct", (16,), "samples, 1, 4, 4"),
        ("events", (2, 3, 1, 4, 5), "samples, 3, 1, 4, 4"),
    ],
)
def test_samples_of_another_shape_are_refused(encoding, shape, wanted):
    student = Student(StudentConfig("mlp", 4, (1, 4, 4), 2, 3, encoding))
    with pytest.raises(InputError) as caught:
        student(torch.zeros(shape))
    assert str(caught.value) == f"student: the samples have shape {shape}; must be ({wanted})"
