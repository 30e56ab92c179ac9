"""Spiking teachers: what they answer, what they are made of, the windows of their spikes, and assistants between."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import tensor

from spikewright.base.errors import InputError
from spikewright.base.progress import Callback, Listeners
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.distillation.base import BatchOutputs, shapes_of
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neurons import NeuronTrace
from spikewright.student.student import Student, output_of, save_student
from spikewright.student.train_settings import TrainSettings
from spikewright.teachers import spiking_training
from spikewright.teachers.outputs import batch_outputs, outputs_of
from spikewright.teachers.spiking_teacher import SpikingTeacher, StudentPlan, read_spiking_teacher
from spikewright.teachers.teacher import teacher_from, teacher_shapes
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings, settings_from
from spikewright.training.trainer import Trainer

PROFILE = "loihi2-assumed"
CPU = torch.device("cpu")
SHAPE = (1, 4, 4)
METHOD = "distilling-spikes"

# (T=3, B=2, K=2) of teacher and student: spikes of a count readout.
TAUGHT = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
OWN = [[[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
LABELS = tensor([0, 1])


def made_up(timesteps=None, shape=SHAPE, classes=2, count=24):
    """Samples of two classes that differ in how bright, or busy, they are; as images or as events."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    if timesteps is None:
        images = (random.random((count, *shape)) * 0.3 + labels[:, None, None, None] / classes).astype(np.float32)
    else:
        chance = (0.1 + 0.6 * labels / classes)[:, None, None, None, None]
        images = (random.random((count, timesteps, *shape)) < chance).astype(np.uint8)
    split = Split(images, labels.astype(np.int64))
    return Dataset("made-up", split, split, split, classes, shape, timesteps)


def network(encoding="direct", readout="membrane", timesteps=3, architecture="convnet", classes=2):
    """A student whose batch norms have seen data."""
    torch.manual_seed(0)
    student = Student(StudentConfig(architecture, 4, SHAPE, classes, timesteps, encoding, readout))
    samples = torch.from_numpy(made_up(timesteps if encoding == "events" else None).train.samples)
    with torch.no_grad():
        for _ in range(60):
            student(samples)
    return student


# --- what it answers


@pytest.mark.parametrize("encoding", ["direct", "current", "latency", "events"])
@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("on_integers", [False, True])
def test_it_answers_what_the_network_does(encoding, readout, on_integers):
    student = network(encoding, readout)
    if on_integers:
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    teacher = SpikingTeacher(student, "t")
    samples = torch.from_numpy(made_up(3 if encoding == "events" else None).train.samples)
    output = student.eval()(samples)
    layers = [name for name in output.spikes if name != "encoder"]
    assert teacher.names == (*layers, "steps", "logits")
    found = teacher.features(samples, teacher.names)
    assert {name: tuple(value.shape[1:]) for name, value in found.items()} == teacher.shapes
    assert torch.equal(found["logits"], output.logits)
    assert torch.equal(found["steps"], output.step_logits.transpose(0, 1))
    assert all(torch.equal(found[name], output.spikes[name].mean(0)) for name in layers)
    assert not any(value.requires_grad for value in found.values())
    assert torch.equal(teacher.logits(samples), output.logits)


def test_lessons_of_events_are_on_the_events_themselves():
    """An ANN sees their mean; a spiking network would see nothing in that."""
    student, samples = network("events"), torch.from_numpy(made_up(3).train.samples)
    asked = parse_spec("method", METHOD, METHODS).requested_values(shapes_of(student, None))
    lesson = outputs_of(SpikingTeacher(student, "t"), asked, samples)
    output = student.eval()(samples)
    assert torch.equal(lesson.logits, output.logits)
    assert torch.equal(lesson.features["steps"], output.step_logits.transpose(0, 1))


def test_it_is_a_frozen_copy():
    student = network()
    teacher = SpikingTeacher(student.train(), "t")
    images = torch.from_numpy(made_up().train.samples)
    before, sha256 = teacher.logits(images), teacher.sha256
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    assert torch.equal(teacher.logits(images), before)
    assert SpikingTeacher(student, "other").sha256 != sha256 == teacher.sha256
    assert student.training and not isinstance(teacher, torch.nn.Module)
    state = copy.deepcopy(teacher._student.state_dict())
    teacher.saliency(images, ["lif1"])
    assert all(p.grad is None and not p.requires_grad for p in teacher._student.parameters())
    assert all(torch.equal(value, state[name]) for name, value in teacher._student.state_dict().items())
    assert teacher.macs is None


def test_its_accuracy_is_that_of_the_student():
    from spikewright.student.accuracy import accuracy_of

    student, split = network(), made_up().train
    assert SpikingTeacher(student, "t").accuracy(split) == accuracy_of(student, split)


@pytest.mark.parametrize("on_integers", [False, True])
def test_saliency_is_grad_cam_of_rates(on_integers):
    """Of the last map, whose spikes reach the logits through one dense layer after another: by autograd and by hand."""
    student = network(architecture="skipnet")  # lif3 goes straight to the head: z = mean_t W s_t + b
    if on_integers:
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    images = torch.from_numpy(made_up().train.samples)
    output = student.eval()(images)
    weight = student.network.head[1].weight.detach().reshape(2, *output.spikes["lif3"].shape[2:])
    if on_integers:
        from spikewright.student.to_nir import float_equivalent

        weight = float_equivalent(student).network.head[1].weight.detach().reshape(weight.shape)
    answer = output.logits.argmax(1)
    slopes = weight[answer].mean((2, 3), keepdim=True)  # sum over T steps of W / T
    by_hand = torch.relu((slopes * output.spikes["lif3"].detach().mean(0)).sum(1))
    found = SpikingTeacher(student, "t").saliency(images, ["lif3"])["lif3"]
    assert torch.allclose(found, by_hand, atol=1e-6)
    assert found.any() and not found.requires_grad


def test_values_that_are_no_maps_and_names_that_there_are_not():
    teacher, images = SpikingTeacher(network(), "t"), torch.zeros(2, *SHAPE)
    with pytest.raises(InputError) as refusal:
        teacher.saliency(images, ["lif4", "steps"])
    assert "lif4 is of shape (32,), no map of channels, height and width" in str(refusal.value)
    assert "steps is of shape (3, 2), no map of channels, height and width" in str(refusal.value)
    with pytest.raises(InputError, match="teacher t: has no value 'lif9' to distil from; did you mean"):
        teacher.features(images, ["lif9"])


# --- where it comes from


@pytest.mark.parametrize(
    ("config", "timesteps", "faults"),
    [
        ({}, None, []),
        (
            {"input_shape": (1, 8, 8), "classes": 10},
            None,
            [
                "takes samples of 1 x 8 x 8 and made-up has 1 x 4 x 4; use one that was trained on made-up",
                "has 10 classes and made-up has 2; use one that was trained on made-up",
            ],
        ),
        ({"encoding": "events"}, None, ["takes events and made-up has images; use one that was trained on made-up"]),
        ({}, 3, ["takes images and made-up has events; use one that was trained on made-up"]),
        (
            {"encoding": "events", "timesteps": 4},
            3,
            ["runs over 4 timesteps and the samples have 3 frames; use one that was trained on made-up with 3 frames"],
        ),
    ],
)
def test_a_file_fits_the_data_or_is_refused(tmp_path, config, timesteps, faults):
    given = {"architecture": "mlp", "width": 4, "input_shape": SHAPE, "classes": 2, "timesteps": 3, **config}
    student, file = Student(StudentConfig(**given)), tmp_path / "student.pt"
    save_student(student, file, {})
    if not faults:
        assert torch.equal(
            teacher_from(str(file), made_up()).logits(torch.ones(1, *SHAPE)),
            student.eval()(torch.ones(1, *SHAPE)).logits,
        )
        return
    with pytest.raises(InputError) as refusal:
        read_spiking_teacher(file, made_up(timesteps))
    text = str(refusal.value)
    assert text.startswith(f"teacher {file}: ")
    assert all(fault in text for fault in faults)


def test_a_file_comes_trained(tmp_path):
    with pytest.raises(InputError, match=r"^teacher student.pt: is already trained; leave the teacher's epochs out$"):
        teacher_from("student.pt", made_up(), epochs=3)
    with pytest.raises(InputError, match=r"missing\.pt"):
        teacher_from(str(tmp_path / "missing.pt"), made_up())


def student_plan(config=None, **settings):
    config = config or StudentConfig("mlp", 4, SHAPE, 2, 3)
    return StudentPlan(config, TrainSettings(epochs=2, batch=8, **settings), 3, CPU)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("snn:widht=3", "teacher snn:widht=3: widht: extra inputs are not permitted; may be snn:width=32,taught_by="),
        ("snn:width=0", "teacher snn:width=0: width: input should be greater than or equal to 1; may be snn:width=32"),
        ("snn:width", "teacher snn:width: width: input should be a valid integer"),
        (
            "snm",
            "teacher 'snm': is no architecture; did you mean 'snn'? may be: convnet, mlp, snn, temporal, vgg, file.py:",
        ),
    ],
)
def test_specs_that_say_nothing(spec, message):
    with pytest.raises(InputError) as refusal:
        teacher_from(spec, made_up(), student=student_plan())
    assert str(refusal.value).startswith(message)


def test_nobody_to_take_after():
    with pytest.raises(InputError, match=r"^teacher snn: is derived from a student, which has to be given"):
        teacher_from("snn", made_up())


def test_it_is_made_like_its_student(tmp_path):
    config = StudentConfig("convnet", 4, SHAPE, 2, 3, "rate", "count")
    for spec, width in (("snn", 8), ("snn:width=5", 5)):
        teacher = teacher_from(spec, made_up(), cache_dir=tmp_path, student=student_plan(config))
        assert teacher.config == StudentConfig("convnet", width, SHAPE, 2, 3, "rate", "count")
        assert teacher_shapes(spec, made_up(), student_plan(config)) == teacher.shapes


def test_of_an_event_student_that_is_shown_images_it_takes_them_directly():
    config = StudentConfig("mlp", 4, (2, 4, 4), 2, 3, "events")
    assert student_plan(config).wider(None, made_up()) == StudentConfig("mlp", 8, SHAPE, 2, 3, "direct")
    assert student_plan(config).wider(None, made_up(3, (2, 4, 4))) == StudentConfig("mlp", 8, (2, 4, 4), 2, 3, "events")


def test_it_is_trained_once_and_learns(tmp_path, monkeypatch):
    counted, original = [], spiking_training.fit
    monkeypatch.setattr(spiking_training, "fit", lambda *given: counted.append(1) or original(*given))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    settings = {"cache_dir": tmp_path, "seed": 1, "epochs": 12}
    first = teacher_from("snn", made_up(), student=student_plan(learning_rate=0.02), **settings)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.accuracy(made_up().validation) > 0.9
    assert teacher_from("snn", made_up(), student=student_plan(learning_rate=0.02), **settings).sha256 == first.sha256
    assert len(counted) == 1
    others = [
        teacher_from("snn", made_up(), student=student_plan(learning_rate=0.02), **settings | {"seed": 2}),
        teacher_from("snn", made_up(), student=student_plan(learning_rate=0.02), **settings | {"epochs": 2}),
        teacher_from("snn:width=6", made_up(), student=student_plan(learning_rate=0.02), **settings),
        teacher_from("snn", made_up(), student=student_plan(learning_rate=1e-3), **settings),
    ]
    assert len({first.sha256, *(other.sha256 for other in others)}) == 5 == len(counted)


def test_it_learns_from_an_ann_where_asked(tmp_path):
    asked = []

    class Tasks(Callback):
        def on_start(self, task, total):
            asked.append((task, total))

    by_labels = teacher_from("snn", made_up(), cache_dir=tmp_path, student=student_plan())
    by_ann = teacher_from(
        "snn:taught_by=mlp", made_up(), cache_dir=tmp_path, student=student_plan(), listeners=Listeners((Tasks(),))
    )
    assert [words for words, _ in asked] == ["teacher mlp", "spiking mlp of width 8 on made-up"]
    assert asked[1][1] == 3 * (24 // 8)
    assert by_labels.sha256 != by_ann.sha256


def test_a_damaged_file_in_the_cache_is_reported_and_replaced(tmp_path):
    first = teacher_from("snn", made_up(), cache_dir=tmp_path, student=student_plan())
    (file,) = (tmp_path / "teachers").glob("made-up-snn-*.pt")
    for damage in (b"nothing", None):
        if damage is None:
            save_student(first._student, file, {"key": "another"})
        else:
            file.write_bytes(damage)
        with pytest.warns(RuntimeWarning, match="the cached spiking network cannot be used .*; it is trained again"):
            again = teacher_from("snn", made_up(), cache_dir=tmp_path, student=student_plan())
        assert again.sha256 == first.sha256


def test_a_users_own_architecture_is_known_by_its_words_and_its_file(tmp_path):
    file = tmp_path / "mine.py"
    body = "from spikewright.student.architectures import mlp\n\ndef build(*given):\n    return mlp(*given)\n"
    keys = set()
    for text in (body, body + "# changed\n"):
        file.write_text(text)
        config = StudentConfig(f"{file}:build", 4, SHAPE, 2, 3)
        method = parse_spec("method", "none", METHODS)
        keys.add(spiking_training.SpikingTraining("t", made_up(), config, method, None, TrainSettings(), CPU).key)
    assert len(keys) == 2


# --- the loss


def batch_of(taught=TAUGHT, own=OWN, readout="count"):
    taught, steps = tensor(taught, requires_grad=True), torch.as_tensor(own).clone().requires_grad_()
    trace = NeuronTrace(steps, steps if readout == "count" else None, steps.cumsum(0))
    student = output_of(torch.zeros(1, 2, 1), {"readout": trace}, len(steps))
    features = {"steps": taught.transpose(0, 1)}
    return BatchOutputs(LABELS, student, None, teacher_features=features), taught, steps


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def squared(p, q):
    return sum((a - b) ** 2 for a, b in zip(p, q, strict=True))


def counts(steps, window, divisor):
    return [[sum(steps[t][b][k] for t in window) / divisor for k in range(2)] for b in range(2)]


@pytest.mark.parametrize(
    ("options", "windows"),
    [
        ("", [(0, 1, 2)]),  # a window of 5 is cut where T ends
        ("window=3", [(0, 1, 2)]),
        ("window=2", [(0, 1), (2,)]),
        ("window=2,stride=1", [(0, 1), (1, 2)]),
        ("window=1", [(0,), (1,), (2,)]),
        ("window=1,stride=2", [(0,), (2,)]),
    ],
)
@pytest.mark.parametrize("readout", ["count", "membrane"])
@pytest.mark.parametrize("distance", ["kl", "mse"])
def test_windows_by_hand(options, windows, readout, distance):
    """Sums of spikes; of a membrane readout, whose logits are means over time, means of currents."""
    by_hand = []
    for window in windows:
        divisor = 1 if readout == "count" else len(window)
        pairs = zip(counts(TAUGHT, window, divisor), counts(OWN, window, divisor), strict=True)
        if distance == "kl":
            by_hand.append(mean(9 * kl(softmax(c, 3), softmax(d, 3)) for c, d in pairs))
        else:
            by_hand.append(mean(squared(c, d) for c, d in pairs))
    method = parse_spec("method", f"{METHOD}:alpha=0.4,temperature=3,distance={distance},{options}", METHODS)
    found = method.terms(batch_of(readout=readout)[0])["distillation"].item()
    assert found == pytest.approx(0.4 * mean(by_hand), rel=1e-5)


@pytest.mark.parametrize(("readout", "divisor"), [("count", 1), ("membrane", 3)])
def test_labels_and_the_whole_output_by_hand(readout, divisor):
    method = parse_spec("method", f"{METHOD}:alpha=0.4,label_temperature=2,distance=tensor", METHODS)
    found = {name: term.item() for name, term in method.terms(batch_of(readout=readout)[0]).items()}
    logits = counts(OWN, (0, 1, 2), divisor)
    differing = [3, 2]  # of six numbers of each sample, where the two differ by 1
    assert differing == [
        sum(abs(a[b][k] - o[b][k]) for a, o in zip(TAUGHT, OWN, strict=True) for k in (0, 1)) for b in (0, 1)
    ]
    assert found == pytest.approx(
        {
            "cross_entropy": -0.6 * mean(math.log(softmax(row, 2)[y]) for row, y in zip(logits, (0, 1), strict=True)),
            "distillation": 0.4 * mean(differing),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("distance", ["kl", "mse", "tensor"])
def test_a_student_that_spikes_like_its_teacher_learns_nothing_from_it(distance):
    given, taught, steps = batch_of(own=TAUGHT)
    term = parse_spec("method", f"{METHOD}:distance={distance},window=2", METHODS).terms(given)["distillation"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert steps.grad.abs().max() < 1e-6
    assert taught.grad is None


def test_only_how_often_matters_within_a_window():
    """The teacher's spikes moved within the window are the same lesson; step by step they are not."""
    moved, own = [TAUGHT[2], TAUGHT[1], TAUGHT[0]], [[[0.0, 0.0]] * 2, [[0.0, 0.0]] * 2, [[0.0, 1.0], [0.0, 0.0]]]
    for options, same in (("window=3", True), ("window=1", False), ("distance=tensor", False)):
        method = parse_spec("method", f"{METHOD}:{options}", METHODS)
        first, second = (method.terms(batch_of(taught, own)[0])["distillation"].item() for taught in (TAUGHT, moved))
        assert (first == pytest.approx(second, rel=1e-6)) == same


@pytest.mark.parametrize("distance", ["kl", "mse", "tensor"])
def test_a_shortened_student_follows_the_first_steps(distance):
    method = parse_spec("method", f"{METHOD}:distance={distance}", METHODS)
    short = method.terms(batch_of(own=OWN[:2])[0])["distillation"].item()
    assert short == pytest.approx(method.terms(batch_of(TAUGHT[:2], OWN[:2])[0])["distillation"].item(), rel=1e-6)


def test_the_squared_temperature_keeps_the_gradient_for_small_logits():
    norms = []
    for temperature in (4.0, 8.0, 16.0):
        small = [[[0.01 * z for z in row] for row in step] for step in OWN]
        given, _, steps = batch_of([[[0.0, 0.0]] * 2] * 3, small)
        parse_spec("method", f"{METHOD}:temperature={temperature}", METHODS).terms(given)["distillation"].backward()
        norms.append(float(steps.grad.norm()))
    assert max(norms) / min(norms) == pytest.approx(1, abs=0.02)


@pytest.fixture(scope="module")
def digits():
    split = load("digits").train
    return torch.from_numpy(split.samples[:64]), torch.from_numpy(split.labels[:64])


@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
def test_one_step_lowers_the_loss(architecture, readout, on_integers, digits):
    images, labels = digits
    torch.manual_seed(0)
    config = StudentConfig(architecture, 4, (1, 8, 8), 10, 4, readout=readout)
    student, above = Student(config), Student(config)
    with torch.no_grad():
        for _ in range(80):  # batch norms take in the data before they are folded, so that no layer is silent
            student(images)
            above(images)
    if on_integers:
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    method, teacher = parse_spec("method", METHOD, METHODS), SpikingTeacher(above, "t")
    lesson = outputs_of(teacher, method.requested_values(shapes_of(student, teacher.shapes)), images)

    def loss():
        given = batch_outputs(student.train(), method, labels, images, teacher=lesson)
        return torch.stack(list(method.terms(given).values())).sum()

    before = loss()
    before.backward()
    learning = [p for p in student.network.parameters() if p.requires_grad]
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for p in learning if p.ndim > 1)
    norm = sum(float(p.grad.square().sum()) for p in learning) ** 0.5
    with torch.no_grad():
        for parameter in learning:
            parameter -= 0.3 / norm * parameter.grad
    assert loss().item() < before.item()


# --- the whole way

QUICK = DistillSettings.of(
    data="digits", architecture="mlp", width=8, timesteps=2, epochs=2, teacher_epochs=1, method=METHOD
)


def faults_of(**changed):
    with pytest.raises(InputError) as refusal:
        distill_with(QUICK.changed(changed))
    return str(refusal.value)


def test_what_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    assert faults_of(teacher="convnet") == (
        "distill: teacher=convnet: does not spike, and method=distilling-spikes learns from spikes; leave "
        "teacher out, or give snn, snn:width=32 or a student.pt"
    )
    assert faults_of(method="none", assistant=(4,)) == (
        "distill: assistant: method=none uses no teacher, so an assistant has no effect; leave assistant out"
    )
    assert faults_of(teacher="snn:width=x").startswith("teacher snn:width=x: width: input should be a valid integer")
    with pytest.raises(InputError, match=r"assistant is '0': input should be greater than or equal to 1"):
        settings_from(None, {"assistant": ["0"]})
    assert not list(tmp_path.rglob("*.pt"))


def test_a_teacher_at_another_pace_is_refused(tmp_path):
    file = tmp_path / "other.pt"
    save_student(Student(StudentConfig("mlp", 4, (1, 8, 8), 10, 5, readout="count")), file, {})
    text = faults_of(teacher=str(file), teacher_epochs=None)
    assert f"teacher={file}: 2 faults" in text
    assert (
        "runs over 5 steps and the student, which is to follow it step by step, over 2; give timesteps=5, or another "
        "teacher"
    ) in text
    assert "has a count readout and the student a membrane one; give readout=count, or another teacher" in text
    assert distill_with(QUICK.changed({"teacher": str(file), "teacher_epochs": None, "method": "kd", "epochs": 1}))


def test_teacher_assistants_student():
    """Each learns from the one before; all of them are found in the cache the second time."""
    settings = QUICK.changed({"assistant": (12, 10)})
    met, original = [], Trainer.set_teacher

    def meet(self, teacher, seed):
        met.append(teacher)
        original(self, teacher, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "set_teacher", meet)
        facts = distill_with(settings).provenance
        patch.setattr(spiking_training, "fit", lambda *_: pytest.fail("is in the cache"))
        again = distill_with(settings).provenance
    assert facts["teacher"] == "spiking mlp of width 16 on digits"
    assert "teacher_macs" not in facts
    assert [each["name"] for each in facts["assistants"]] == ["assistant of width 12", "assistant of width 10"]
    assert [each.config.width for each in met] == [10, 10]
    assert met[0].sha256 == facts["assistants"][-1]["sha256"]
    assert facts["assistants"][-1]["validation_accuracy"] == met[0].accuracy(load("digits").validation)
    assert 0 < facts["teacher_validation_accuracy"] <= 1
    assert facts["history"] == again["history"]
    alone = distill_with(QUICK).provenance
    assert "assistants" not in alone
    assert alone["teacher_sha256"] == facts["teacher_sha256"]
    assert alone["history"] != facts["history"]


@pytest.mark.parametrize(("widths", "has"), [((12,), 12), ((12, 10), 12)])
def test_pairs_by_name_that_an_assistant_cannot_keep_are_refused_before_training(widths, has):
    """The assistant has the student's layers, not the teacher's stages."""
    settings = QUICK.changed({"method": "kdsnn:form=feature,pairs=hidden1:lif1", "teacher": "mlp", "assistant": widths})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spiking_training, "fit", lambda *_: pytest.fail("was trained"))
        with pytest.raises(InputError) as caught:
            distill_with(settings)
    assert str(caught.value) == (
        f"assistant={has}: an assistant takes the place of the teacher, with values of its own: method kdsnn: the "
        "teacher has no 'hidden1'; may be: lif1, lif2, logits, steps; choose what both have, let pairs=auto find it, "
        "or leave assistant out"
    )


def test_an_assistant_of_an_ann():
    facts = distill_with(QUICK.changed({"method": "kd", "teacher": "mlp", "assistant": (12,)})).provenance
    assert facts["teacher"] == "mlp on digits"
    assert facts["teacher_macs"] > 0
    assert [each["name"] for each in facts["assistants"]] == ["assistant of width 12"]


OF_LOGITS = [n for n, m in METHODS.items() if m.needs_teacher() and m.needs <= {"teacher logits", "step logits"}]


@pytest.mark.parametrize("method", OF_LOGITS)
def test_every_method_of_logits_takes_a_spiking_teacher(method):
    """One teacher for all, from the cache."""
    result = distill_with(QUICK.changed({"method": method, "teacher": "snn", "epochs": 1, "integer_from": 1.0}))
    assert result.provenance["teacher"] == "spiking mlp of width 16 on digits"
    assert all(math.isfinite(value) for value in result.history[0].loss.values())


def test_killed_and_resumed_ends_in_the_same_weights(tmp_path, killed):
    settings = QUICK.changed({"assistant": (10,), "readout": "count", "epochs": 3})
    whole = distill_with(settings).student.state_dict()
    checkpoint = tmp_path / "checkpoint"
    with killed("train_on", 80):
        distill_with(settings, checkpoint)
    resumed = distill_with(settings, checkpoint, resume=True).student.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
