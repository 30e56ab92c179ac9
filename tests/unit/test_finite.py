"""Numbers that are none: NaN and infinities are named where they enter, and prove nothing."""

from __future__ import annotations

import copy

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.encoding import encode
from spikewright.lowering.check import check
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import export, verify_export
from spikewright.teachers.torch_teacher import TorchTeacher
from spikewright.teachers.weights import load_weights, read_weights

NONE = [float("nan"), float("inf"), float("-inf")]
PROFILE = load_profile("loihi2-assumed")


def made():
    torch.manual_seed(0)
    config = StudentConfig("convnet", 4, (1, 8, 8), 10, 3, "direct", "membrane", 6, NeuronSettings(threshold=0.4))
    return Student(config).eval()


def samples(count=4):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def spoilt(value, name="head.weight"):
    student = made()
    with torch.no_grad():
        student.network.get_parameter(name).view(-1)[0] = value
    return student


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize("name", ["conv1.weight", "norm2.bias", "head.weight"])
def test_a_weight_that_is_none_is_named_at_every_door(value, name, tmp_path):
    student, size = spoilt(value, name), made().network.get_parameter(name).numel()
    fault = f"{name}: 1 of {size:,} values are NaN or infinite"
    file = tmp_path / "student.pt"
    save_student(student, file, {})
    doors = {
        "student": lambda: to_nir(student),
        "export": lambda: verify_export(student, to_nir(made()), samples()),
        "training on integers": lambda: become_integer(student, PROFILE, PROFILE.name),
        str(file): lambda: load_student(file),
    }
    for door, enter in doors.items():
        with pytest.raises(InputError) as caught:
            enter()
        assert str(caught.value) == f"{door}: {fault}"
    with pytest.raises(InputError):
        export(student, tmp_path / "student.nir", samples())
    assert not (tmp_path / "student.nir").exists()


@pytest.mark.parametrize("value", NONE)
def test_a_number_of_a_graph_that_is_none_is_named_wherever_the_graph_goes(value):
    graph = to_nir(made())
    head = graph.nodes["head"]
    graph.nodes["head"] = nir.Affine(np.where(np.arange(head.weight.size) == 3, value, head.weight.flat).reshape(
        head.weight.shape), head.bias)  # fmt: skip
    fault = "node 'head' has a 'weight' that is not finite everywhere"
    for go in (lambda: verify_export(made(), graph, samples()), lambda: lower(graph, PROFILE)):
        with pytest.raises(InputError) as caught:
            go()
        assert str(caught.value) == f"NIR graph: {fault}"
    assert [each.what for each in check(graph) if each.level == "blocks"] == [fault]
    neuron = to_nir(made())
    neuron.nodes["lif1"].v_threshold = np.full_like(neuron.nodes["lif1"].v_threshold, value)
    with pytest.raises(InputError, match=r"node 'lif1' has a 'v_threshold' that is not finite everywhere"):
        lower(neuron, PROFILE)


def test_a_proof_without_samples_or_with_samples_that_are_none_is_no_proof():
    student, graph = made(), to_nir(made())
    spoilt_samples = samples()
    spoilt_samples[0, 0, 0, :2] = torch.tensor([float("nan"), float("inf")])
    for images, said in (
        (samples(0), "export: images: are none; give one sample or more"),
        (spoilt_samples, "export: images: 2 of 256 values are NaN or infinite; give intensities of 0 to 1"),
        (samples() * 4 - 1, r"export: images: reach from -0\.9\d+ to 2\.9\d+; give intensities of 0 to 1"),
    ):
        with pytest.raises(InputError, match=f"^{said}$"):
            verify_export(student, graph, images)
    assert verify_export(student, graph, samples(1)).samples == 1, "a batch of one proves as much as it can"


def test_a_graph_that_computes_no_number_is_not_what_the_student_computes(monkeypatch):
    """However it comes about: a comparison with NaN is neither above nor within the tolerance."""
    from spikewright.student import verify

    class Found:
        def __init__(self, found):
            self.spikes, self._found = found.spikes, found

        def scores(self, readout):
            return self._found.scores(readout) * float("nan")

    original = verify.interpret
    monkeypatch.setattr(verify, "interpret", lambda *given: Found(original(*given)))
    with pytest.raises(AnswerIsNo, match=r"differs by nan of its largest value"):
        verify_export(made(), to_nir(made()), samples())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("encoding", ["direct", "current", "rate", "latency", "events"])
def test_a_sample_that_is_none_is_refused_by_every_encoding(encoding, dtype):
    given = np.zeros((2, 4, 1, 3, 3) if encoding == "events" else (2, 1, 3, 3), dtype)
    encode(encoding, given, 4, 6)
    given.flat[5] = np.nan
    with pytest.raises(
        InputError, match=rf"{encoding}: 1 of {given.size} values of the samples are NaN; must be 0 to 1"
    ):
        encode(encoding, given, 4, 6)


def test_a_channel_without_variance_is_one_like_any_other():
    """Its weights are divided by the root of eps; graph, student and integers agree."""
    student = made()
    student.network.norm1.running_var[1] = 0.0
    assert verify_export(student, to_nir(student), samples()).samples == 4
    folded = to_nir(student).nodes["conv1"].weight[1]
    assert folded == pytest.approx(student.network.conv1.weight[1].detach().numpy() / np.sqrt(1e-5), rel=1e-5)
    integers = become_integer(student, PROFILE, PROFILE.name)
    assert verify_export(integers, to_nir(integers), samples()).samples == 4


@pytest.mark.parametrize(("variance", "eps"), [(0.0, 0.0), (-1.0, 1e-5), (-1e-5, 1e-5)])
def test_a_norm_that_divides_by_nothing_is_named(variance, eps):
    student = made()
    norm = student.network.norm1
    norm.running_var[1:3], norm.eps = variance, eps
    said = (
        f"norm1: its running variance and its eps of {eps:g} add up to 0 or less in 2 of 4 channels, and it divides by "
        "the root of that; give it an eps above 0, such as 1e-5"
    )
    for door, enter in (
        ("student", lambda: to_nir(student)),
        ("training on integers", lambda: become_integer(student, PROFILE, PROFILE.name)),
    ):
        with pytest.raises(InputError) as caught:
            enter()
        assert str(caught.value) == f"{door}: {said}"


def test_a_norm_whose_gain_leaves_the_range_of_floats_is_named():
    student = made()
    student.network.norm1.weight.data[1], student.network.norm1.running_var[1] = 1e38, 0.0
    with pytest.raises(InputError) as caught:
        to_nir(student)
    said = "module 'norm1' has values, with its normalization, beyond the range of 32-bit floating point"
    assert str(caught.value) == f"student: {said}"
    with pytest.raises(InputError):
        become_integer(student, PROFILE, PROFILE.name)


def arrays(count=40):
    random = np.random.default_rng(0)
    return random.random((count, 4, 4)).astype(np.float32), np.arange(count) % 3


def small():
    return sw.Dataset.from_arrays(*arrays(), layout="images")


SHORT = {"student": sw.StudentSpec(width=4, timesteps=2), "training": sw.Training(epochs=1, batch=8)}


class SometimesNone(nn.Module):
    """Logits of a teacher that are NaN for the brighter samples."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(16, 3)

    def forward(self, images):
        logits, bright = self.dense(images.flatten(1)), images.sum((1, 2, 3)) > 9.5
        return torch.where(bright[:, None], torch.full_like(logits, float("nan")), logits)


def test_logits_of_a_teacher_that_are_none_are_named_before_the_first_step():
    data = small()
    with pytest.raises(InputError) as caught:
        sw.distill(data, SometimesNone(), method="kd", **SHORT)
    bright = int((data.train.samples[:].sum((1, 2, 3)) > 9.5).sum())
    assert 0 < bright < len(data.train)
    assert "SometimesNone: its logits are NaN or infinite for" in str(caught.value)
    with pytest.raises(InputError, match=f"NaN or infinite for {bright} of {len(data.train)} samples, and nothing"):
        TorchTeacher.from_module(SometimesNone(), (1, 4, 4)).quality(data.train)


def test_weights_of_a_teacher_that_are_none_are_named_with_their_file(tmp_path):
    network, file = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), tmp_path / "w.pt"
    values = copy.deepcopy(network.state_dict())
    values["1.weight"][0, :2] = torch.tensor([float("nan"), float("inf")])
    torch.save(values, file)
    with pytest.raises(InputError) as caught:
        load_weights(network, read_weights(file), "net.py:build")
    assert str(caught.value) == f"{file}, as net.py:build: 1.weight: 2 of 48 values are NaN or infinite"


def test_a_network_of_one_s_own_is_looked_at_before_any_training():
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 3), snn.Leaky(beta=0.9, reset_mechanism="none", init_hidden=True)
    )
    with torch.no_grad():
        network[1].weight[0, 0] = float("nan")
    with pytest.raises(InputError, match=r"^student: 1\.weight: 1 of 48 values are NaN or infinite$"):
        sw.distill(small(), student=network, method="none", training=SHORT["training"])


def test_one_class_and_one_sample():
    """One class is refused; a last batch of one is left to the next epoch; a part of one sample is measured."""
    x, _ = arrays()
    with pytest.raises(InputError, match="its training part holds one class, 0; give samples of two or more"):
        sw.Dataset.from_arrays(x, np.zeros(len(x), int), layout="images")
    data = small()
    alone = sw.Training(epochs=1, batch=len(data.train) - 1)
    for architecture in ("mlp", "convnet"):
        spec = sw.StudentSpec(architecture=architecture, width=4, timesteps=2)
        assert sw.distill(data, student=spec, method="none", training=alone).history[0].epoch == 0
    with pytest.raises(InputError, match="batch is 1: input should be greater than or equal to 2"):
        sw.Training(batch=1)
    x, y = arrays()
    one = sw.Dataset.from_arrays(
        x[:30], y[:30], validation=(x[30:31], y[30:31]), test=(x[31:], y[31:]), layout="images"
    )
    assert sw.distill(one, method="none", **SHORT).certificate.samples == 1
