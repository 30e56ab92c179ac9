"""CKD: alignment, phases and replacement by hand; who learns from what; images and events through one student."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import tensor

from spikewright.base.errors import InputError
from spikewright.bench.run import run_with
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.distillation.base import BatchOutputs, shapes_of
from spikewright.distillation.cross_kd import Alignment
from spikewright.distillation.losses import linear_cka
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neurons import NeuronTrace
from spikewright.student.student import Student, output_of
from spikewright.student.to_nir import to_nir
from spikewright.teachers.ann import train_teacher
from spikewright.teachers.outputs import CachedOutputs, batch_outputs, seen_by_teacher
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings
from spikewright.training.trainer import Trainer

PROFILE = "loihi2-assumed"
STEPS = 3
QUICK = DistillSettings.of(
    data="digits-made-up",
    architecture="mlp",
    width=8,
    epochs=3,
    batch=32,
    teacher="mlp",
    teacher_epochs=1,
    method="cross-kd:weights=learnt",
)


def cross_kd(options="weights=learnt,labels=steps"):
    return parse_spec("method", f"cross-kd:{options}", METHODS)


@pytest.fixture(scope="module")
def events():
    """The first digits of each part, and frames of ON and OFF events: pixels brighter, and darker, than noise."""
    random = np.random.default_rng(0)

    def cut(part, count):
        return Split(part.samples[:count], part.labels[:count])

    def filmed(part):
        noise = random.random((len(part), STEPS, 1, 8, 8))
        bright = part.samples[:, None] > 0.3 + 0.6 * noise
        return Split(
            np.concatenate([bright, part.samples[:, None] < 0.05 * noise], axis=2).astype(np.uint8), part.labels
        )

    digits = load("digits")
    parts = [cut(digits.train, 640), cut(digits.validation, 64), cut(digits.test, 48)]
    twin = replace(digits, train=parts[0], validation=parts[1], test=parts[2])
    return Dataset("digits-made-up", *map(filmed, parts), 10, (2, 8, 8), STEPS, twin)


@pytest.fixture
def loaded(events, monkeypatch):
    for module in ("training.objects", "simulation.simulate"):
        monkeypatch.setattr(f"spikewright.{module}.load", lambda *_: events)
    return events


# --- alignment


def by_hand(first, second, unbiased):
    """CKA of two lists of samples, from the definitions of HSIC, entry by entry."""
    count = len(first)
    one, two = (
        [[sum(a * b for a, b in zip(x, y, strict=True)) for y in rows] for x in rows] for rows in (first, second)
    )

    def hsic(a, b):
        if not unbiased:
            h = [[(i == j) - 1 / count for j in range(count)] for i in range(count)]
            product = np.array(a) @ h @ np.array(b) @ h
            return float(np.trace(product))
        a, b = (np.array(m) * (1 - np.eye(count)) for m in (a, b))
        whole = a.sum() * b.sum() / ((count - 1) * (count - 2))
        return float(np.trace(a @ b) + whole - 2 / (count - 2) * (a @ b).sum()) / (count * (count - 3))

    return hsic(one, two) / math.sqrt(hsic(one, one) * hsic(two, two))


@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_from_its_definition(unbiased):
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 7, 3)) + 0.5, random.normal(size=(2, 7, 5))
    found = linear_cka(tensor(first), tensor(second), unbiased)
    assert found.tolist() == pytest.approx([by_hand(x, y, unbiased) for x, y in zip(first, second, strict=True)])


def test_cka_worked_out():
    """X = (-1, 1, 0, 0), Y = (0, 0, -1, 1): centred already, K and L are zero where the other is not."""
    first, second = tensor([[[-1.0], [1.0], [0.0], [0.0]]]), tensor([[[0.0], [0.0], [-1.0], [1.0]]])
    assert linear_cka(first, second, unbiased=False).item() == pytest.approx(0, abs=1e-7)
    # Off the diagonal K is -1 at (1, 2), L at (3, 4). With row sums r and total -2, U-centring makes of K:
    # (1,2): -1 + 1/2 + 1/2 - 1/3 = -1/3;  (1,3) and its like: 0 + 1/2 - 1/3 = 1/6;  (3,4): -1/3. L has the same.
    assert linear_cka(first, second, unbiased=True).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_knows_neither_scale_nor_rotation_nor_offset(unbiased):
    torch.manual_seed(0)
    first = torch.randn(2, 8, 4, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    assert linear_cka(first, 3 * first @ rotation + 5, unbiased).tolist() == pytest.approx([1, 1])
    assert linear_cka(first, -first, unbiased).tolist() == pytest.approx([1, 1])


def test_only_the_unbiased_estimator_tells_strangers_apart_in_small_batches():
    torch.manual_seed(0)
    first, second = torch.randn(50, 8, 200), torch.randn(50, 8, 200)
    assert linear_cka(first, second, unbiased=False).mean() > 0.8
    assert abs(linear_cka(first, second, unbiased=True).mean()) < 0.05


@pytest.mark.parametrize("unbiased", [False, True])
def test_activities_that_are_all_the_same_are_no_trouble(unbiased):
    first, second = torch.ones(2, 6, 3, requires_grad=True), torch.randn(2, 6, 3, requires_grad=True)
    alike = linear_cka(first, second, unbiased)
    alike.sum().backward()
    assert alike.tolist() == [0, 0]
    assert torch.isfinite(first.grad).all() and torch.isfinite(second.grad).all()


# --- what the student sees of images


def drive_of(samples):
    return torch.from_numpy(samples).to(torch.float32).movedim(1, 0)


@pytest.mark.parametrize("colours", [1, 3])
def test_images_become_spikes_in_every_channel_of_events(colours):
    torch.manual_seed(0)
    twins, events = torch.rand(4, colours, 5, 5), torch.full((400, 4, 2, 5, 5), 7.0)
    drawn = cross_kd().source_drive(events, twins, 0.0)
    value = twins.max(1).values  # of a colour its largest component, as in HSV
    assert drawn.shape == events.shape and set(drawn.unique().tolist()) == {0.0, 1.0}
    assert (drawn.mean(0) - value[:, None]).abs().max() < 0.15
    assert not torch.equal(drawn[:, :, 0], drawn[:, :, 1])
    steady = cross_kd("source_input=repeat").source_drive(events, twins, 0.0)
    assert torch.equal(steady, (value > 0.5).float()[None, :, None].expand_as(events))


def test_black_never_spikes_and_white_always():
    twins = torch.cat([torch.zeros(1, 1, 3, 3), torch.ones(1, 1, 3, 3)])
    drawn = cross_kd().source_drive(torch.zeros(50, 2, 2, 3, 3), twins, 0.0)
    assert not drawn[:, 0].any() and drawn[:, 1].all()


@pytest.mark.parametrize(("power", "progress", "share"), [(3, 0.0, 0.0), (3, 0.5, 0.125), (1, 0.5, 0.5), (3, 1.0, 1.0)])
def test_whole_samples_are_replaced_by_their_own_events(power, progress, share):
    torch.manual_seed(0)
    count = 2000
    events = torch.arange(2.0, 2.0 + count)[None, :, None, None, None].expand(2, count, 1, 2, 2)
    seen = cross_kd(f"power={power}").source_drive(events, torch.rand(count, 1, 2, 2), progress)
    replaced = (seen == events).flatten(2).all(2).all(0)
    assert float(replaced.float().mean()) == pytest.approx(share, abs=0.03)
    assert set(seen[:, ~replaced].unique().tolist()) <= {0.0, 1.0}


# --- the loss

# (T=2, B=4, K=2) of the events' and the images' branch; membranes of one neuron.
OWN = [[[1.0, 0.0], [0.0, 0.0], [2.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 0.0], [0.0, 0.0], [3.0, 0.0]]]
SOURCE = [[[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [1.0, 0.0]]]
OWN_MEMBRANES = [[[1.0], [0.0], [2.0], [5.0]], [[0.0], [1.0], [0.5], [2.0]]]
SOURCE_MEMBRANES = [[[2.0], [1.0], [0.0], [3.0]], [[0.0], [1.0], [0.7], [2.5]]]
TEACHER = [[3.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 1.0]]
LABELS = [0, 1, 0, 1]
C_T = [0.4, -1.0]


def branch(steps, membranes, readout):
    steps, membranes = tensor(steps, requires_grad=True), tensor(membranes, requires_grad=True)
    answer = NeuronTrace(steps, steps if readout == "count" else None, steps.cumsum(0))
    traces = {"lif1": NeuronTrace(membranes, torch.zeros_like(membranes), membranes), "readout": answer}
    return output_of(torch.zeros(1, 4, 1), traces, 2), steps, membranes


def batch_of(options="", progress=0.3, readout="membrane", c_t=C_T):
    """BatchOutputs with known numbers, and the leaves: steps and membranes of both branches, and c_t."""
    own, source = branch(OWN, OWN_MEMBRANES, readout), branch(SOURCE, SOURCE_MEMBRANES, readout)
    auxiliary = None if "alignment=0" in options else Alignment("lif1", 2, "weights=equal" not in options)
    if auxiliary is not None and auxiliary.steps is not None:
        with torch.no_grad():
            auxiliary.steps.copy_(tensor(c_t))
    given = BatchOutputs(
        tensor(LABELS), own[0], tensor(TEACHER), auxiliary=auxiliary, source=source[0], progress=progress
    )
    return given, (*own[1:], *source[1:], None if auxiliary is None else auxiliary.steps)


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def ce(rows):
    return -mean(math.log(softmax(row)[y]) for row, y in zip(rows, LABELS, strict=True))


def answered(steps, readout):
    return [[sum(step[b][k] for step in steps) / (1 if readout == "count" else 2) for k in range(2)] for b in range(4)]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("labels", ["steps", "mean"])
@pytest.mark.parametrize("weights", ["learnt", "equal"])
@pytest.mark.parametrize("mix", ["sum", "convex"])
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_every_term_by_hand(readout, labels, weights, mix, estimator):
    options = f"temperature=3,steepness=10,switch=0.4,mix={mix},weights={weights},labels={labels},estimator={estimator}"
    given, _ = batch_of(options, 0.3, readout)
    share = [sigmoid(c) for c in C_T] if weights == "learnt" else [1, 1]
    rest = [1 - s for s in share] if weights == "learnt" else [1, 1]
    w = 1 / (1 + math.exp(10 * (0.3 - 0.4)))
    own, source = ([ce(step) for step in steps] for steps in (OWN, SOURCE))
    if labels == "mean":
        own, source = ([ce(answered(steps, readout))] * 2 for steps in (OWN, SOURCE))
    pairs = zip(TEACHER, answered(SOURCE, readout), strict=True)
    kl = mean(sum(a * math.log(a / b) for a, b in zip(softmax(z, 3), softmax(s, 3), strict=True)) for z, s in pairs)
    unlike = [1 - by_hand(a, b, estimator == "unbiased") for a, b in zip(SOURCE_MEMBRANES, OWN_MEMBRANES, strict=True)]
    found = {name: term.item() for name, term in cross_kd(options).terms(given).items()}
    assert found == pytest.approx(
        {
            "cross_entropy": mean(r * e for r, e in zip(rest, own, strict=True)),
            "source": (1 if mix == "sum" else 1 - w) * mean(source),
            "distillation": w * 9 * kl,
            "alignment": 0.5 * mean(s * u for s, u in zip(share, unlike, strict=True)),
        },
        rel=1e-4,
    )


def test_the_absolute_value_differs_where_the_unbiased_estimator_is_negative():
    """By hand 1 - |CKA| step by step; at least one of the two steps is negative here."""
    alike = [by_hand(a, b, True) for a, b in zip(SOURCE_MEMBRANES, OWN_MEMBRANES, strict=True)]
    assert min(alike) < 0
    for magnitude, unlike in (("signed", [1 - a for a in alike]), ("absolute", [1 - abs(a) for a in alike])):
        given, _ = batch_of(f"magnitude={magnitude}")
        share = [sigmoid(c) for c in C_T]
        found = cross_kd(f"weights=learnt,magnitude={magnitude}").terms(given)["alignment"].item()
        assert found == pytest.approx(0.5 * mean(s * u for s, u in zip(share, unlike, strict=True)), rel=1e-4)


def test_the_teacher_speaks_first_and_falls_silent():
    phases = [cross_kd().teaching(progress) for progress in (0.0, 0.3, 0.4, 0.5, 1.0)]
    assert phases == pytest.approx([1, sigmoid(5), 0.5, sigmoid(-5), 0], abs=1e-6)
    assert cross_kd("steepness=1e6").teaching(1.0) == 0


def test_a_batch_that_says_no_progress_is_one_of_the_beginning():
    text = "steepness=1,alignment=0"
    begins, _ = batch_of(text, progress=0.0)
    unsaid = BatchOutputs(begins.labels, begins.student, begins.teacher_logits, source=begins.source)
    assert cross_kd(text).terms(unsaid) == cross_kd(text).terms(begins)
    later, _ = batch_of(text, progress=0.3)
    assert cross_kd(text).terms(later) != cross_kd(text).terms(begins)


def test_without_alignment_labels_weigh_fully():
    given, _ = batch_of("alignment=0")
    found = cross_kd("alignment=0,labels=steps").terms(given)
    assert set(found) == {"cross_entropy", "source", "distillation"}
    assert found["cross_entropy"].item() == pytest.approx(mean(ce(step) for step in OWN), rel=1e-5)


def test_who_learns_from_what():
    """The teacher reaches the images' branch alone, alignment both membranes, labels the answers of each branch."""
    reached = {"cross_entropy": "own c", "source": "source", "distillation": "source", "alignment": "h k c"}
    for name, wanted in reached.items():
        given, leaves = batch_of()
        cross_kd().terms(given)[name].backward()
        names = ("own", "h", "source", "k", "c")
        found = {leaf for leaf, value in zip(names, leaves, strict=True) if value.grad is not None and value.grad.any()}
        assert found == set(wanted.split())


def test_branches_that_agree_are_aligned():
    given, leaves = batch_of()
    own = given.student
    same = replace(given, source=own)
    term = cross_kd().terms(same)["alignment"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert leaves[1].grad.abs().max() < 1e-5


def test_an_image_branch_that_answers_like_the_teacher_learns_nothing_from_it():
    given, _ = batch_of()
    source, steps, _ = branch([TEACHER] * 2, SOURCE_MEMBRANES, "membrane")
    term = cross_kd().terms(replace(given, source=source))["distillation"]
    term.backward()
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert steps.grad.abs().max() < 1e-6


def test_too_few_samples_for_the_unbiased_estimator():
    given, _ = batch_of()
    few = replace(given, student=given.student.rows(0, 3), source=given.source.rows(0, 3))
    few = replace(few, labels=few.labels[:3], teacher_logits=few.teacher_logits[:3])
    with pytest.raises(InputError, match="unbiased estimator of CKA takes 4 samples, and a batch has 3; give batch=64"):
        cross_kd().terms(few)
    assert "alignment" in cross_kd("estimator=biased").terms(few)


# --- the student


@pytest.mark.parametrize("readout", ["membrane", "count"])
def test_the_last_hidden_layer_is_aligned(readout):
    student = Student(StudentConfig("convnet", 4, (2, 8, 8), 10, 2, "events", readout))
    module = cross_kd().auxiliary(shapes_of(student, None))
    assert (module.layer, module.steps.tolist()) == ("lif4", [0.0, 0.0])
    assert cross_kd("layer=lif2,weights=equal").auxiliary(shapes_of(student, None)).layer == "lif2"
    assert not list(cross_kd("").auxiliary(shapes_of(student, None)).parameters())
    assert cross_kd("alignment=0").auxiliary(shapes_of(student, None)) is None
    with pytest.raises(InputError, match="method cross-kd: the student has no spiking layer 'lif8'; did you mean"):
        cross_kd("layer=lif8").auxiliary(shapes_of(student, None))


@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize("readout", ["membrane", "count"])
@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
def test_one_step_lowers_the_loss(architecture, readout, on_integers, events):
    frames, labels = torch.from_numpy(events.train.samples[:64]), torch.from_numpy(events.train.labels[:64])
    twins = torch.from_numpy(events.twin.train.samples[:64])
    torch.manual_seed(0)
    student = Student(StudentConfig(architecture, 4, (2, 8, 8), 10, STEPS, "events", readout))
    with torch.no_grad():
        for _ in range(80):  # batch norms take in the data before they are folded, so that no layer is silent
            student(frames)
    if on_integers:
        student = become_integer(student, load_profile(PROFILE), PROFILE)
    method = cross_kd()
    auxiliary = method.auxiliary(shapes_of(student, None))
    teacher = train_teacher(events.twin, "mlp", epochs=1)
    lesson = CachedOutputs(
        teacher, method.requested_values(shapes_of(student, teacher.shapes)), twins, torch.device("cpu"), False
    )
    given = lesson.of(torch.arange(64), frames)
    assert torch.allclose(given.logits, teacher.logits(twins), atol=1e-5)
    learning = [*student.network.parameters(), *auxiliary.parameters()]

    def loss():
        torch.manual_seed(2)  # of the images' spikes
        more = {"sources": twins, "teacher": given, "auxiliary": auxiliary, "progress": 0.3}
        seen = batch_outputs(student.train(), method, labels, frames, **more)
        return torch.stack(list(method.terms(seen).values())).sum()

    before = loss()
    before.backward()
    gradients = [p.grad for p in learning if p.requires_grad]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(p.grad.any() for p in learning if p.ndim > 1) and auxiliary.steps.grad.all()
    norm = sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5
    with torch.no_grad():
        for parameter in (p for p in learning if p.requires_grad):
            parameter -= 0.3 / norm * parameter.grad
    assert loss().item() < before.item()


def test_an_ann_sees_images_and_a_spiking_teacher_events_but_where_the_method_is_about_images(events):
    kd = parse_spec("method", "kd", METHODS)
    assert seen_by_teacher(kd, events, spikes=False) is events.twin
    assert seen_by_teacher(kd, events, spikes=True) is events
    assert seen_by_teacher(cross_kd(), events, spikes=True) is events.twin
    assert seen_by_teacher(kd, events.twin, spikes=False) is events.twin


def test_answers_that_are_not_kept_are_on_the_images_too(events, monkeypatch):
    monkeypatch.setattr("spikewright.teachers.outputs.CACHE_BYTES", 0)
    teacher = train_teacher(events.twin, "mlp", epochs=1)
    twins, rows = torch.from_numpy(events.twin.train.samples), torch.tensor([5, 2])
    student = Student(StudentConfig("mlp", 4, (2, 8, 8), 10, STEPS, "events"))
    asked = cross_kd().requested_values(shapes_of(student, teacher.shapes))
    lessons = CachedOutputs(teacher, asked, twins, torch.device("cpu"), augmented=False)
    frames = torch.from_numpy(events.train.samples)[rows]
    assert torch.allclose(lessons.of(rows, frames).logits, teacher.logits(twins[rows]), atol=1e-6)


# --- the whole way


@pytest.mark.parametrize("twin", [None, "smaller"])
def test_data_without_such_images_are_refused(twin, events, monkeypatch):
    other = None if twin is None else replace(events.twin, shape=(1, 6, 6))
    monkeypatch.setattr("spikewright.training.objects.load", lambda *_: replace(events, twin=other))
    with pytest.raises(InputError, match="method=cross-kd: learns from the images that events were made from, and"):
        distill_with(QUICK)


def test_nobody_assists_a_teacher_of_images(loaded):
    with pytest.raises(InputError) as refusal:
        distill_with(QUICK.changed({"assistant": (8,)}))
    assert str(refusal.value) == (
        "distill: assistant: the teacher of method=cross-kd sees still images, and an assistant sees what the "
        "student sees; leave assistant out"
    )


@pytest.mark.parametrize("method", ["cross-kd", "kd", "distilling-spikes"])
def test_a_spiking_teacher_for_events(loaded, method):
    """It sees images where the method is about them, events where not; an assistant of it sees events."""
    settings = QUICK.changed({"method": method, "teacher": "snn:taught_by=mlp", "epochs": 1})
    if method != "cross-kd":
        settings = settings.changed({"assistant": (10,)})
    facts = distill_with(settings).provenance
    on = "digits" if method == "cross-kd" else "digits-made-up"
    assert facts["teacher"] == f"spiking mlp of width 16 on {on}"


@pytest.mark.parametrize("dies_at", [30, 55])
def test_killed_and_resumed_ends_in_the_same_weights(loaded, tmp_path, monkeypatch, dies_at, killed):
    """In floats and on integers; c_t, and what is drawn for the images, come back too."""
    found, original_meet = [], Trainer.set_teacher

    def meet(self, teacher, seed):
        found.append(self)
        original_meet(self, teacher, seed)

    monkeypatch.setattr(Trainer, "set_teacher", meet)
    distill_with(QUICK)
    checkpoint = tmp_path / "checkpoint"
    with killed("train_on", dies_at):
        distill_with(QUICK, checkpoint)
    distill_with(QUICK, checkpoint, resume=True)
    whole, _, resumed = found
    for part in ("student", "auxiliary"):
        first, second = getattr(whole, part).state_dict(), getattr(resumed, part).state_dict()
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.auxiliary.steps.any()


def test_from_images_to_a_report_on_events(loaded, tmp_path):
    """What is deployed is the student of events; nothing of the other branch or of c_t is in it."""
    verdict = run_with(QUICK, tmp_path, samples_lava=0)
    assert verdict.agreement.mismatches["student_integer"] == 0
    assert verdict.agreement.accuracy["student"] == verdict.agreement.accuracy["integer"]
    alone = distill_with(QUICK.changed({"method": "none"})).student
    from spikewright.student.student import load_student

    taught = load_student(tmp_path / "student.pt")
    assert taught.state_dict().keys() == alone.state_dict().keys()
    assert to_nir(taught).nodes.keys() == to_nir(alone).nodes.keys()
