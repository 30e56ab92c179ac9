"""What methods are shown: longer horizons, static twins, saliency, lessons that are kept, modules of their own."""

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.distillation.base import BatchOutputs, LossTerms, RequestedValues, shapes_of
from spikewright.distillation.features import pairs_of
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.student import Student
from spikewright.teachers import outputs
from spikewright.teachers.outputs import CachedOutputs, batch_outputs, outputs_of, seen_by_teacher
from spikewright.teachers.torch_teacher import TorchTeacher
from spikewright.training.prepare import unmet
from spikewright.training.settings import DistillSettings

PROFILE = "loihi2-assumed"


class Longer(LossTerms):
    title: ClassVar[str] = "for tests"

    def terms(self, batch: BatchOutputs):
        return {}

    def training_timesteps(self, timesteps):
        return 2 * timesteps

    def source_drive(self, events, twins, progress):
        return events * progress


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(load("digits").train.samples[:12])


def student_of(architecture="convnet", timesteps=2, encoding="direct", on_integers=False):
    torch.manual_seed(0)
    student = Student(StudentConfig(architecture, 4, (1, 8, 8), 10, timesteps, encoding))
    if on_integers:
        for _ in range(20):
            student(torch.rand(32, 1, 8, 8))
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    return student.eval()


@pytest.mark.parametrize("encoding", ["direct", "current", "rate"])
@pytest.mark.parametrize("on_integers", [False, True])
def test_the_first_steps_of_a_longer_pass_are_the_pass(images, encoding, on_integers):
    student = student_of(encoding=encoding, on_integers=on_integers)
    own = student(images, 3, 5)
    done = batch_outputs(student, Longer(), torch.zeros(len(images)), images, seed=3, first_index=5)
    assert len(done.longer.step_logits) == 4
    for name, spikes in own.spikes.items():
        assert torch.equal(done.student.spikes[name], spikes)
    assert torch.equal(done.student.scores, own.scores)
    assert torch.equal(done.student.logits, own.logits)
    if on_integers:
        assert all(torch.equal(done.student.active[name], count) for name, count in own.active.items())


def test_twins_share_a_pass_and_no_sample():
    student = student_of(timesteps=3, encoding="events")
    frames = (torch.rand(6, 3, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.3).to(torch.uint8)
    done = batch_outputs(student, Longer(), torch.zeros(6), frames, sources=torch.zeros(6, 1, 8, 8))
    own, silent = student(frames), student(torch.zeros_like(frames))
    assert torch.allclose(done.student.scores, own.scores, atol=1e-6)
    assert torch.allclose(done.source.scores, silent.scores, atol=1e-6)
    assert all(torch.equal(done.student.spikes[name], spikes) for name, spikes in own.spikes.items())


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Linear(3 * 16, 2)

    def forward(self, x):
        return self.head(self.stage1(x).flatten(1))


def test_saliency_is_grad_cam_by_hand():
    torch.manual_seed(0)
    network, x = Small(), torch.rand(5, 1, 4, 4)
    teacher = TorchTeacher(network, (1, 4, 4), "small")
    features = torch.relu(network.stage1[0](x))
    answer = network.head(features.flatten(1)).argmax(1)
    slopes = network.head.weight[answer].reshape(5, 3, 4, 4)  # of the answer's logit by each feature
    by_hand = torch.relu((slopes.mean((2, 3), keepdim=True) * features).sum(1))
    found = teacher.saliency(x, ["stage1"])["stage1"]
    assert torch.allclose(found, by_hand, atol=1e-6)
    assert not found.requires_grad
    assert all(p.grad is None for p in teacher._network.parameters())
    with pytest.raises(InputError, match=r"head is of shape \(2,\), no map of channels, height and width"):
        teacher.saliency(x, ["head"])


def test_kept_lessons_are_those_that_are_given_now():
    torch.manual_seed(0)
    teacher, x = TorchTeacher(Small(), (1, 4, 4), "small"), torch.rand(9, 1, 4, 4)
    asked, rows = RequestedValues(("stage1",), ("stage1",)), torch.tensor([4, 0, 7])
    kept = CachedOutputs(teacher, asked, x, torch.device("cpu"), augmented=False).of(rows, torch.zeros(3, 1, 4, 4))
    now = CachedOutputs(teacher, asked, x, torch.device("cpu"), augmented=True).of(rows, x[rows])
    for lesson in (kept, now):
        wanted = outputs_of(teacher, asked, x[rows])
        assert torch.allclose(lesson.logits, wanted.logits, atol=1e-6)
        assert torch.allclose(lesson.features["stage1"], wanted.features["stage1"], atol=1e-6)
        assert torch.allclose(lesson.saliency["stage1"], wanted.saliency["stage1"], atol=1e-6)


class Asking(TorchTeacher):
    """Counts the images that it is asked about."""

    asked = 0

    def logits(self, images):
        self.asked += len(images)
        return super().logits(images)


ONLY_LOGITS = RequestedValues()


def asked_about(teacher: Asking, images: torch.Tensor, asked: RequestedValues = ONLY_LOGITS) -> int:
    assert teacher.shapes  # which takes an image of its own
    before = teacher.asked
    lesson = CachedOutputs(teacher, asked, images, torch.device("cpu"), augmented=False).of(torch.arange(3), images[:3])
    found, wanted = lesson.logits, TorchTeacher.logits(teacher, images[:3])
    assert torch.allclose(found, wanted, atol=1e-6)
    return teacher.asked - before


def test_the_next_training_remembers_what_the_same_teacher_said_of_the_same_samples(monkeypatch):
    monkeypatch.setattr(outputs, "_cache", outputs.OrderedDict())
    torch.manual_seed(0)
    network, x = Small(), torch.rand(9, 1, 4, 4)
    teacher, again = (Asking(network, (1, 4, 4), "small") for _ in range(2))
    maps = RequestedValues(("stage1",), ("stage1",))
    assert asked_about(teacher, x) == 9
    assert asked_about(again, x.clone()) == 0
    assert asked_about(teacher, x, maps) == 9, "not only logits"
    assert asked_about(again, x.clone(), maps) == 0
    assert asked_about(teacher, x + 0.01) == 9
    assert asked_about(Asking(Small(), (1, 4, 4), "small"), x) == 9, "other weights of the same name"
    spiking = Asking(network, (1, 4, 4), "small")
    spiking.spikes = True
    assert asked_about(spiking, x) == 9


def test_what_was_asked_for_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(outputs, "_cache", outputs.OrderedDict())
    monkeypatch.setattr(outputs, "CACHE_BYTES", 2 * 9 * 2 * 4)  # two teachers' float32 logits: 9 samples, 2 classes
    torch.manual_seed(0)
    x, others = torch.rand(9, 1, 4, 4), [Asking(Small(), (1, 4, 4), "small") for _ in range(3)]
    assert [asked_about(others[i], x) for i in (0, 1, 0, 2, 0, 1)] == [9, 9, 0, 9, 0, 9]
    assert sum(lesson.bytes for lesson in outputs._cache.values()) == outputs.CACHE_BYTES


def test_a_teacher_of_events_is_shown_their_twins_though_its_answers_are_too_many_to_keep(monkeypatch):
    monkeypatch.setattr("spikewright.teachers.outputs.CACHE_BYTES", 0)
    torch.manual_seed(0)
    teacher, twins = TorchTeacher(Small(), (1, 4, 4), "small"), torch.rand(9, 1, 4, 4)
    rows, frames = torch.tensor([4, 0, 7]), torch.ones(3, 2, 2, 4, 4, dtype=torch.uint8)
    lesson = CachedOutputs(teacher, RequestedValues(), twins, torch.device("cpu"), augmented=False).of(rows, frames)
    assert torch.allclose(lesson.logits, teacher.logits(twins[rows]), atol=1e-6)


class OfTwins(Longer):
    needs: ClassVar = frozenset({"static twins"})

    def training_timesteps(self, timesteps):
        return timesteps


def test_a_method_for_twins_wants_images_of_the_events_size():
    signals = dataset_of(shape=(1, 1, 16), timesteps=5, twin=dataset_of(shape=(1, 1, 40)))
    images = dataset_of(shape=(2, 8, 8), timesteps=5, twin=dataset_of(shape=(1, 8, 8)))
    refused = (
        "method=OfTwins: learns from the images that events were made from, and made-up has none; use data such as "
        "digits-events"
    )
    settings = DistillSettings.of(method="of-twins")
    for data in (signals, dataset_of(shape=(1, 8, 8))):
        assert [str(InputError(fault)) for fault in unmet(settings, OfTwins(), data)] == [refused]
    assert list(unmet(settings, OfTwins(), images)) == []


def dataset_of(shape, timesteps=None, twin=None):
    frames = np.zeros((2, timesteps, *shape), np.uint8) if timesteps else np.zeros((2, *shape), np.float32)
    part = Split(frames, np.zeros(2, np.int64))
    return Dataset("made-up", part, part, part, 2, shape, timesteps, twin)


def test_what_a_teacher_sees(images):
    still = load("digits")
    moved = load("digits-events", timesteps=3)
    assert seen_by_teacher(Longer(), still, spikes=False) is still
    assert seen_by_teacher(Longer(), moved, spikes=False) is moved.twin
    assert seen_by_teacher(Longer(), moved, spikes=True) is moved
    assert seen_by_teacher(OfTwins(), moved, spikes=True) is moved.twin
    assert torch.equal(torch.from_numpy(moved.twin.train.samples[:12]), images)


def test_a_teacher_is_never_changed(images):
    teacher = TorchTeacher(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), (1, 8, 8), "normed")
    before = copy.deepcopy(teacher.state_dict())
    teacher.features(images, ["0", "1"])
    with pytest.raises(InputError):
        teacher.saliency(images, ["nothing"])
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def named(spec, student, teacher):
    return [(p.teacher, p.student) for p in pairs_of(spec, shapes_of(student, teacher), "bkd")]


def test_stages_are_matched_from_the_deepest():
    student = student_of()  # lif1 4 x 4 x 4, lif2 and lif3 8 x 2 x 2, lif4 32
    teacher = {"stage1": (32, 4, 4), "stage1.0": (32, 8, 8), "stage2": (64, 2, 2), "stage3": (128, 2, 2)}
    teacher["hidden"] = (9,)
    assert named("auto", student, teacher) == [("stage1", "lif1"), ("stage2", "lif2"), ("stage3", "lif3")]
    del teacher["stage2"]
    assert named("auto", student, teacher) == [("stage1", "lif1"), ("stage3", "lif3")]
    assert named("hidden:lif4+stage1.0:lif1", student, teacher) == [("hidden", "lif4"), ("stage1.0", "lif1")]


def test_of_values_without_stages_the_last_of_each_shape_is_matched():
    """As in an ONNX file, whose graph names every step."""
    first = {"s1/s.0/Conv": (32, 8, 8), "s1/s.1/Pool": (32, 4, 4), "s1/s.2/Relu": (32, 4, 4)}
    teacher = {**first, "s2/s.0/Conv": (64, 2, 2), "s2/s.1/Relu": (64, 2, 2), "logits": (10,)}
    assert named("auto", student_of(), teacher) == [("s1/s.2/Relu", "lif1"), ("s2/s.1/Relu", "lif3")]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("auto", "method bkd: no map of the teacher (hidden 9) has the height and width of a layer of the student"),
        ("stage1", "method bkd: 'stage1' is no pair; write pairs=VALUE:LAYER+VALUE:LAYER"),
        ("hiden:lif4", "method bkd: the teacher has no 'hiden'; did you mean 'hidden'? may be: hidden"),
        ("hidden:lif1", "method bkd: hidden is 9 and lif1 4 x 4 x 4; pair maps with maps and vectors with vectors"),
    ],
)
def test_pairs_that_do_not_go_together(spec, message):
    with pytest.raises(InputError) as refusal:
        named(spec, student_of(), {"hidden": (9,)})
    assert str(refusal.value).startswith(message)
