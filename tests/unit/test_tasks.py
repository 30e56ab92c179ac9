"""Values, populations and recordings from Python: what is refused, and that every level answers the same."""

from dataclasses import replace

import numpy as np
import pytest
import snntorch
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.base.progress import Callback
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.output_rule import CLASSES, OutputRule
from spikewright.data.split import Split
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.accuracy import accuracy_of, quality_of_student
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.teachers.torch_teacher import Teacher, TorchTeacher

SHORT = sw.Training(epochs=2, batch=16)
PROFILE = load_profile("loihi2-assumed")
NAMED = OutputRule("regression", ("force",), center=(2.5,), spread=(1.7,))
VALUES = OutputRule("regression", ("force", "speed"), center=(0.0, 100.0), spread=(1.0, 20.0))


class Heard(Callback):
    """Fails at the first step of any training."""

    def on_start(self, task, total):
        raise AssertionError(f"{task} has begun")


def vectors(n=120):
    return np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)


def forces(n=120):
    x = vectors(n)
    return Dataset.from_arrays(
        x, np.stack([x[:, 0], 100 + 20 * x[:, 1]], 1), name="forces", names=["force", "speed"], task="regression"
    )


def snn(outputs, reset="none", inputs=64):
    leaky = {"init_hidden": True, "reset_delay": False}
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 16),
        snntorch.Leaky(beta=0.5, reset_mechanism="zero", **leaky),
        nn.Linear(16, outputs),
        snntorch.Leaky(beta=1.0, reset_mechanism=reset, **leaky),
    )


def refused(data, *given, **settings):
    with pytest.raises(InputError) as caught:
        sw.distill(data, *given, training=SHORT, callbacks=[Heard()], **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "advice"),
    [
        (8, "give it 10"),
        (40, "give it 10, or population=4 where 4 of them, side by side, stand for each class"),
    ],
)
def test_a_student_of_one_s_own_with_other_outputs_than_classes_is_refused_before_the_teacher(outputs, advice):
    assert refused("digits", "mlp", student=snn(outputs)) == (
        f"student: its network has {outputs} outputs, and digits has 10 classes; {advice}"
    )


def test_a_student_of_one_s_own_must_have_as_many_outputs_as_its_population_says():
    config = StudentConfig("mine", 16, (1, 8, 8), 10, 3, output=OutputRule(population=3))
    assert refused("digits", "mlp", student=Student(config, snn(40))) == (
        "student: its network has 40 outputs, and digits has 10 classes, 3 outputs for each; give it 30"
    )


def test_a_student_of_one_s_own_with_other_outputs_than_values_is_refused():
    assert refused(forces(), student=snn(3, inputs=12)) == (
        "student: its network has 3 outputs, and forces has 2 values; give it 2"
    )


def test_a_network_of_one_s_own_that_does_not_take_the_samples_is_refused():
    said = refused("digits", student=snn(10, inputs=60)).replace("addmm: ", "")  # current torch names the operator
    assert said == (
        "student: its network cannot be run on samples of shape (1, 8, 8) (mat1 and mat2 shapes cannot be multiplied "
        "(2x64 and 60x16)); give one for the samples of digits"
    )


def test_an_architecture_of_one_s_own_with_other_outputs_is_refused(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\nimport snntorch\n"
        "def build(shape, classes, width, neuron, readout):\n"
        "    last = snntorch.Leaky(beta=1.0, init_hidden=True, reset_mechanism='none', reset_delay=False)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7), last)\n"
    )
    assert refused("digits", student=f"{file}:build") == (
        f"architecture={file}:build: its network has 7 outputs, and digits has 10 classes; give it 10"
    )


def test_a_teacher_with_other_outputs_is_refused():
    assert refused("digits", nn.Sequential(nn.Flatten(), nn.Linear(64, 8))) == (
        "teacher Sequential: distinguishes 8 classes, and digits has 10; give a teacher for these classes"
    )
    assert refused(forces(), nn.Sequential(nn.Flatten(), nn.Linear(6, 3))) == (
        "teacher Sequential: gives 3 values, and forces has 2; give a teacher for these values"
    )


def test_a_count_readout_of_one_s_own_is_refused_for_values():
    assert refused(forces(), student=snn(2, reset="zero", inputs=12), method="none") == (
        "distill: readout=count: counts are whole numbers up to T, and the labels of forces are values, which are read "
        "from membrane potentials; leave readout out, or let the last neurons integrate"
    )
    with pytest.raises(InputError) as caught:
        StudentConfig("mlp", 8, (12, 1, 1), 2, 3, readout="count", output=VALUES)
    assert str(caught.value) == (
        "student: readout is 'count', and values are read from membrane potentials; may be membrane"
    )


def parts(labels, output=CLASSES, classes=3, **more):
    samples = np.zeros((6, 4, 1, 1), np.float32)
    known = {name: Split(samples, np.array(more.get(name, labels))) for name in ("train", "validation", "test")}
    return Dataset("mine", *known.values(), classes, (4, 1, 1), output=output)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            parts([0.0, 1.0, 2.0, 0.0, 1.0, 2.0]),
            "data mine: 3 faults\n"
            + "\n".join(
                f"  - labels of {part} are float64 of shape (6,); classes must be whole numbers (n,): convert them, "
                "or, where they are values to learn, make the data set a regression"
                for part in ("train", "validation", "test")
            ),
        ),
        (
            parts([0, 1, 2, 0, 1, 2], validation=[0, 1, 3, 0, 1, 2]),
            "data mine: labels of validation reach 0..3; with 3 classes they may be 0..2",
        ),
        (
            parts([1, 1, 1, 1, 1, 1]),
            "data mine: its train part holds one class, 1; give samples of two or more",
        ),
        (
            parts([[0.0], [1], [2], [3], [4], [5]], OutputRule("regression", center=(2.5,), spread=(1.7,)), 1,
                  test=[[0.0], [1], [2], [np.nan], [4], [5]]),
            "data mine: labels of test hold NaN or infinity, first at sample 3; leave such samples out",
        ),
        (
            parts([[0.0], [1], [2], [3], [4], [5]], NAMED, 1,
                  validation=[[1.0]] * 6),
            "data mine: value force is the same in every sample of validation; leave it out, or give more samples",
        ),
        (
            parts([0, 1, 2, 0, 1, 2], OutputRule("regression", center=(2.5,), spread=(1.7,)), 1),
            "data mine: 3 faults\n"
            + "\n".join(
                f"  - labels of {part} are int64 of shape (6,); 1 values need numbers of shape (n, 1)"
                for part in ("train", "validation", "test")
            ),
        ),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learnt_are_refused_before_any_training(data, said):
    assert refused(data, "mlp", student="mlp") == said


def test_an_empty_part_is_refused():
    whole = parts([0, 1, 2, 0, 1, 2])
    assert refused(replace(whole, validation=whole.validation.first(0)), student="mlp") == (
        "data mine: its validation part is empty; give samples with labels"
    )


def population_of(student, part, population):
    """Accuracy by the loudest neuron, as if there were as many classes as outputs."""
    scores = student(torch.from_numpy(part.samples)).scores.argmax(1).numpy()
    return float((scores == part.labels).mean()), float((scores // population == part.labels).mean())


def test_a_population_code_is_read_by_class():
    """A readout whose neuron 4k + j answers class k: by the loudest neuron alone nearly every answer is wrong."""
    digits = load("digits")
    part = Split(digits.test.samples[:80], digits.test.labels[:80])
    templates = np.stack([digits.train.samples[digits.train.labels == k].mean(0).ravel() for k in range(10)])
    weights = torch.from_numpy(np.repeat(templates - templates.mean(0), 4, axis=0)).float()
    leaky = snntorch.Leaky(beta=1.0, init_hidden=True, reset_mechanism="none", reset_delay=False)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), leaky)
    network[1].weight.data, network[1].bias.data = weights, torch.zeros(40)
    config = StudentConfig("mine", 1, (1, 8, 8), 10, 2, output=OutputRule(population=4))
    student = Student(config, network).eval()
    as_classes, by_group = population_of(student, part, 4)
    assert as_classes < 0.2 < 0.7 < by_group
    assert accuracy_of(student, part) == by_group
    output = student(torch.from_numpy(part.samples))
    assert output.scores.shape == (80, 40)
    assert output.logits.shape == (80, 10)
    assert output.step_logits.shape == (2, 80, 10)
    grouped = output.scores.reshape(80, 10, 4)
    assert torch.allclose(output.logits, grouped.mean(2) / 2)
    integers = become_integer(student, PROFILE, "loihi2-assumed")
    chip = lower(to_nir(integers), PROFILE)
    assert (chip.classes, chip.outputs, chip.meaning.population) == (10, 40, 4)
    activity = simulate(chip, part)
    assert activity.accuracy == accuracy_of(integers, part)
    assert np.array_equal(activity.answers.scores, integers.answers(integers(torch.from_numpy(part.samples))).scores)
    assert activity.by_sample.predicted.tolist() == activity.answers.answers.tolist()


def test_a_population_code_of_another_tool_s_graph_is_said_in_lowering():
    digits = load("digits")
    student = Student(StudentConfig("mine", 1, (1, 8, 8), 40, 2), snn(40)).eval()
    graph = to_nir(student)
    with pytest.raises(InputError) as caught:
        simulate(lower(graph, PROFILE), digits, samples=20)
    assert str(caught.value) == (
        "data digits: has 10 classes, and the network 40 classes; use the data that it was trained on, or, where 4 "
        "outputs stand for each class, lower it with population=4"
    )
    chip = lower(graph, PROFILE, population=4)
    found = simulate(chip, digits, samples=20)
    assert found.quality.confusion.shape == (10, 10)
    with pytest.raises(InputError) as caught:
        lower(graph, PROFILE, population=7)
    assert str(caught.value) == "population=7: the network has 40 outputs; give a number that divides them"
    coded = to_nir(Student(replace(student.config, classes=10, output=OutputRule(population=4)), snn(40)).eval())
    with pytest.raises(InputError) as caught:
        lower(coded, PROFILE, population=2)
    assert str(caught.value) == "population=2: the graph says what its outputs mean, with 4 for each; leave it out"


def test_labels_that_do_not_fit_a_network_s_outputs_are_refused_in_simulation():
    chip = lower(to_nir(Student(StudentConfig("mine", 1, (1, 8, 8), 10, 2), snn(10)).eval()), PROFILE)
    images = load("digits").test.samples[:4]
    for labels, said in (
        (np.array([0.0, 1, 2, 3]), "test labels: are float64 of shape (4,); classes must be whole numbers (n,): "
         "convert them, or, where they are values to learn, make the data set a regression"),
        (np.array([0, 1, 2, 10]), "test labels: reach 0..10; with 10 classes they may be 0..9"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            simulate(chip, (images, labels))
        assert str(caught.value) == said


@pytest.fixture(scope="module")
def forced():
    """A student of values, trained on integers, and its data."""
    data = forces(200)
    student = sw.StudentSpec(architecture="mlp", width=16, timesteps=3)
    return data, sw.distill(data, method="none", student=student, training=sw.Training(epochs=4))


def test_values_are_the_same_of_student_and_chip(forced):
    data, found = forced
    chip, activity = found.deployed.chip, found.deployed.activities["validation"]
    assert chip.meaning == data.output
    quality = quality_of_student(found.student, data.validation)
    assert quality.facts == activity.quality.facts
    assert quality.mae == activity.quality.mae == found.certificate.mae
    assert found.certificate.accuracy is None
    assert found.certificate.r2 == activity.quality.r2
    assert found.history[-1].validation_accuracy is None
    on_integers = [record.quality["r2"] for record in found.history if record.on_integers]
    assert max(on_integers) == pytest.approx(np.mean(found.certificate.r2))
    assert found.history[-1].train_r2 > found.history[0].train_r2
    output = found.student(torch.from_numpy(data.validation.samples))
    assert np.array_equal(found.student.answers(output).answers, found.answers.answers)
    assert np.array_equal(found.answers.scores, activity.answers.scores)
    in_floats = data.output.values(output.logits.detach().numpy())
    assert np.abs(in_floats - found.answers.answers).max() < 1e-4 * max(data.output.spread)


def test_a_student_of_values_is_saved_with_what_they_mean(forced, tmp_path):
    data, found = forced
    sw.save_student(found.student, tmp_path / "student.pt", found.provenance)
    again = sw.load_student(tmp_path / "student.pt")
    assert again.config.output == data.output
    assert quality_of_student(again, data.test).facts == quality_of_student(found.student, data.test).facts
    taught = sw.distill(
        data,
        str(tmp_path / "student.pt"),
        student=sw.StudentSpec(architecture="mlp", width=8, timesteps=2),
        training=SHORT,
    )
    teacher = quality_of_student(found.student, data.validation).facts
    assert taught.provenance["teacher_validation_quality"] == pytest.approx(teacher)


def linear(weight, bias):
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    network[1].weight.data, network[1].bias.data = torch.tensor(weight).float(), torch.tensor(bias).float()
    return network


def test_a_teacher_of_one_s_own_answers_in_the_labels_unit_or_in_deviations():
    data = forces()
    center, spread = data.output.center, data.output.spread
    flat = data.validation.samples.reshape(len(data.validation), 12)
    positive = linear([[0.0] * 12, [0.0] * 12], list(center))
    own = Teacher.from_module(positive, data.shape)
    assert own.quality(data.validation, data.output).mae == pytest.approx(
        tuple(np.abs(data.validation.labels - center).mean(0)), rel=1e-5
    )
    there = TorchTeacher(linear([[0.0] * 12, [0.0] * 12], [0.0, 0.0]), data.shape, "deviations")
    there.in_deviations = True
    assert there.quality(data.validation, data.output).mae == pytest.approx(
        own.quality(data.validation, data.output).mae, rel=1e-5
    )
    logits = own.standardised(own.logits(torch.from_numpy(data.validation.samples)), data.output)
    assert torch.allclose(logits, torch.zeros(len(flat), 2), atol=1e-5)
    assert spread[1] > 10


def test_students_of_both_kinds_of_teacher_learn_the_same():
    data = forces()
    rule = data.output
    unit = linear([[0.1] * 12, [0.2] * 12], [0.0, 100.0])
    deviations = linear(
        [[0.1 / rule.spread[0]] * 12, [0.2 / rule.spread[1]] * 12],
        [(0.0 - rule.center[0]) / rule.spread[0], (100.0 - rule.center[1]) / rule.spread[1]],
    )
    student, found = sw.StudentSpec(architecture="mlp", width=8, timesteps=2), []
    for network, in_deviations in ((unit, False), (deviations, True)):
        teacher = Teacher.from_module(network, values="scaled")
        teacher.in_deviations = in_deviations
        found.append(sw.distill(data, teacher, student=student, training=SHORT).history[0].loss["distillation"])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_windows_have_one_answer_for_each_recording():
    random = np.random.default_rng(0)
    t = np.arange(48)
    y = np.arange(60) % 2
    x = np.sin(t[None] * (0.3 + 0.3 * y[:, None]) + random.uniform(0, 6, 60)[:, None]) + 0.1 * random.normal(
        size=(60, 48)
    )
    data = Dataset.from_arrays(x[..., None].astype(np.float32), y, layout="series", window=16, hop=16, view="channels")
    found = sw.distill(
        data, method="none", student=sw.StudentSpec(architecture="mlp", width=8, timesteps=2), training=SHORT
    )
    part, activity = data.validation, found.deployed.activities["validation"]
    recordings = len(np.unique(part.recordings))
    assert (found.certificate.samples, found.certificate.recordings) == (3 * recordings, recordings)
    assert activity.quality.samples == recordings
    assert activity.answers.answers.shape == (recordings,)
    summed = activity.answers.scores.reshape(recordings, 3, 2).sum(1).argmax(1)
    assert activity.answers.answers.tolist() == summed.tolist()
    assert found.certificate.accuracy == (summed == part.labels[::3]).mean()
    report = sw.report(activity, found.deployed.chip, "loihi2-assumed")
    assert f"windows of {recordings} recordings" in str(report)
    for each in report.energy.classes:
        of_class = part.labels[::3] == each.label
        assert each.accuracy == pytest.approx((summed[of_class] == each.label).mean())
        assert each.name == str(each.label)


def test_a_budget_is_kept_by_a_student_of_values():
    data = forces(200)
    free = sw.distill(
        data, method="none", student=sw.StudentSpec(architecture="mlp", width=16, timesteps=2), training=SHORT
    )
    floor = 39e-9
    budget = f"{1e9 * (floor / 2 + free.certificate.energy):.0f}nJ"
    found = sw.distill(
        data, "mlp", student=sw.StudentSpec(architecture="mlp", width=16, timesteps=2), within=budget,
        training=sw.Training(epochs=4, loss="huber"),
    )  # fmt: skip
    assert found.certificate.met
    assert "huber" in found.history[0].loss
    assert 0.1 < found.provenance["limits"]["budget"]["guess"] < 1


@pytest.mark.parametrize(
    ("center", "spread", "fault"),
    [
        (1e39, 1.0, "center is (1e+39,); must be numbers of up to 3.40282e+38, the largest of 32 bits"),
        (float("nan"), 1.0, "center is (nan,); must be numbers of up to 3.40282e+38, the largest of 32 bits"),
        (0.0, 0.0, "spread is (0.0,); must be above 0, from 1e-30 to 3.40282e+38"),
        (0.0, float("inf"), "spread is (inf,); must be above 0, from 1e-30 to 3.40282e+38"),
    ],
)
def test_values_that_no_training_can_have_given(center: float, spread: float, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        OutputRule("regression", center=(center,), spread=(spread,))
    assert str(caught.value) == f"outputs: {fault}"
