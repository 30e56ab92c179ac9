"""The Python API: values in place of names, results that are dataclasses, and InputError for everything wrong."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import snntorch
import torch
from torch import nn

import spikewright as sw
from spikewright.base.progress import Callback
from spikewright.data.load import load
from spikewright.distillation.methods import METHODS, REGULARIZERS, name_of, parse, text_of
from spikewright.energy.macs import Macs
from spikewright.profile.profile import load_profile
from spikewright.student.student import Student, load_student, save_student
from spikewright.teachers.hashes import weights_sha256
from spikewright.teachers.torch_teacher import TorchTeacher
from spikewright.training.objects import settings_of
from spikewright.training.records import EpochRecord
from spikewright.training.settings import FLAT, LATER, DistillSettings, settings_from

FEW = sw.DataSettings(train_samples=64)
SMALL = sw.StudentSpec(width=4, timesteps=2)
ONCE = sw.Training(epochs=1)


class Ann(nn.Module):
    """A network of somebody's own, which drops out while it trains."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.9))
        self.head = nn.Linear(16, classes)

    def forward(self, images):
        return self.head(self.body(images))


class Snn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 12)
        self.lif = snntorch.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False)
        self.last = nn.Linear(12, 10)
        self.readout = snntorch.Leaky(beta=1.0, init_hidden=True, reset_mechanism="none", reset_delay=False)

    def forward(self, images):
        return self.readout(self.last(self.lif(self.first(torch.flatten(images, 1)))))


class Heard(Callback):
    def __init__(self) -> None:
        self.records: list[object] = []
        self.words: list[str] = []
        self.tasks: list[str] = []

    def on_epoch(self, record):
        self.records.append(record)

    def on_message(self, text, kind):
        self.words.append(text)

    def on_start(self, task, total):
        self.tasks.append(task)


def test_everything_as_a_value(capsys) -> None:
    """A module as the teacher, an object as the method; the result holds what the file would."""
    torch.manual_seed(0)
    ann, heard = Ann().train(), Heard()
    result = sw.distill(
        load("digits").with_train_samples(64),
        ann,
        student=SMALL,
        method=sw.methods.ConventionalKD(alpha=0.5),
        regularize=sw.methods.LogitsRegularization(weight=0.1),
        within=sw.Budget(energy_budget="2uJ", profile="loihi1-davies"),
        training=sw.Training(epochs=2, batch=32),
        callbacks=[heard],
    )
    assert isinstance(result, sw.Distillation)
    assert result.certificate.profile == "loihi1-davies"
    assert result.certificate.budget == 2e-6
    assert result.certificate.as_json() == result.provenance["certificate"]
    assert heard.records == list(result.history)
    assert all(isinstance(record, EpochRecord) for record in heard.records)
    assert heard.words[0].startswith("student: convnet, width 4, T = 2")
    assert "training the student" in heard.tasks
    assert capsys.readouterr() == ("", "")
    assert result.provenance["teacher"] == "Ann"
    assert result.provenance["teacher_sha256"] == weights_sha256(ann)
    assert ann.training, "the caller's module stays as it was"
    settings = result.provenance["settings"]
    assert list(settings) == [name for name in FLAT if name != "data_dir" and name not in LATER]
    assert (settings["method"], settings["regularize"]) == ("kd:alpha=0.5", ["logits:weight=0.1"])
    assert (settings["teacher"], settings["profile"]) == ("Ann", "loihi1-davies")
    json.dumps(result.provenance)
    assert repr(result).startswith("Distillation(convnet, width 4, T = 2, current: ")
    assert len(repr(result)) < 200


def test_a_teacher_that_is_a_module_gives_features_by_their_names() -> None:
    teacher = sw.Teacher.from_module(Ann(), (1, 8, 8), "mine")
    assert isinstance(teacher, TorchTeacher)
    assert {"body.1", "head", "logits"} <= set(teacher.names)
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(teacher.logits(images), teacher.logits(images)), "dropout is off"
    assert teacher.features(images, ["body.1"])["body.1"].shape == (3, 16)
    assert teacher.macs == Macs(64 * 16 + 16 * 10)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Linear(3, 10), r"^teacher Linear: cannot be run on samples of 1 x 8 x 8, taken as images \(B, C, H, W\)"),
        (
            nn.Identity(),
            r"^teacher Identity: its output for 3 samples has shape \(3, 1, 8, 8\); it must be \(3, classes\)",
        ),
        (Ann(classes=7), r"^teacher Ann: distinguishes 7 classes, and digits has 10"),
    ],
)
def test_a_module_that_is_no_teacher_of_the_data_is_refused(network: nn.Module, message: str) -> None:
    with pytest.raises(sw.InputError, match=message):
        sw.distill(FEW, network, student=SMALL, training=ONCE)


def test_a_student_that_is_a_module_is_copied_trained_and_read_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Snn()
    before = weights_sha256(network)
    result = sw.distill(FEW, student=network, method="none", training=sw.Training(epochs=2, batch=32))
    assert weights_sha256(network) == before != weights_sha256(result.student.network)
    config = result.student.config
    assert (config.architecture, config.readout, config.input_shape) == ("Snn", "membrane", (1, 8, 8))
    file = tmp_path / "mine.pt"
    save_student(result.student, file, result.provenance)
    again = load_student(file, Snn())
    images = torch.from_numpy(load("digits").test.samples[:16])
    assert torch.equal(again(images).logits, result.student(images).logits)


def test_a_student_brings_its_timesteps_and_its_encoding_along() -> None:
    config = sw.StudentConfig("mine", 12, (1, 8, 8), 10, 3, encoding="rate", input_bits=8)
    result = sw.distill(FEW, student=Student(config, Snn()), method="none", training=ONCE)
    assert (result.student.config.timesteps, result.student.config.encoding) == (3, "rate")
    named = sw.StudentConfig("mlp", 8, (1, 8, 8), 10, 2)
    assert sw.distill(FEW, student=named, method="none", training=ONCE).student.config == named
    wrong = sw.StudentConfig("mlp", 8, (1, 9, 8), 10, 2)
    with pytest.raises(sw.InputError, match=r"^student: takes samples of shape and classes \(1, 9, 8\), 10"):
        sw.distill(FEW, student=wrong, method="none", training=ONCE)


FORMER = {
    "profile": ("loihi1-davies", "within=sw.Budget(profile=...)", {"within": sw.Budget(profile="loihi1-davies")}),
    "energy_budget": ("2uJ", "within=sw.Budget(energy_budget=...)", {"within": "2uJ"}),
    "epochs": (2, "training=sw.Training(epochs=...)", {"training": sw.Training(epochs=2)}),
    "seed": (3, "training=sw.Training(seed=...)", {"training": sw.Training(seed=3)}),
}


@pytest.mark.parametrize("name", FORMER)
def test_a_former_argument_warns_with_its_replacement_and_sets_the_same(name: str, monkeypatch) -> None:
    value, replacement, now = FORMER[name]
    asked: list[DistillSettings] = []

    def noted(settings: DistillSettings, **_: object) -> SimpleNamespace:
        asked.append(settings)
        return SimpleNamespace(student="the student")

    monkeypatch.setattr("spikewright.training.distill.distill_with", noted)
    with pytest.warns(DeprecationWarning) as warned:
        assert sw.distill("digits", **{name: value}) == "the student"
    (warning,) = warned
    assert str(warning.message).startswith(
        f"`{name}` is deprecated and will be removed in 0.3; use `{replacement}`, with which"
    )
    assert warning.filename == __file__
    sw.distill("digits", **now)
    assert asked[0].flat() == asked[1].flat()


def test_former_arguments_return_the_same_student() -> None:
    with pytest.warns(DeprecationWarning):
        student = sw.distill(FEW, "mlp", student="mlp", profile="loihi1-davies", epochs=1)
    assert isinstance(student, sw.Student)
    new = sw.distill(FEW, "mlp", student="mlp", within=sw.Budget(profile="loihi1-davies"), training=ONCE).student
    assert weights_sha256(student) == weights_sha256(new)
    with pytest.raises(TypeError, match="unexpected keyword argument 'epocs'"):
        sw.distill(epocs=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: sw.distill(epochs=0), "settings: epochs is 0: input should be greater than or equal to 1"),
        (
            lambda: sw.distill(within="2uJ", energy_budget="2uJ"),
            "distill: energy_budget is given twice: in `within=sw.Budget(energy_budget=...)`, too",
        ),
        (lambda: sw.distill(callbacks=5), "callbacks: holds int; may be a sequence of spikewright.Callback"),
        (lambda: sw.distill(callbacks=[5]), "callbacks: holds int; may be a sequence of spikewright.Callback"),
        (lambda: sw.distill(data=3), "data: is of type int; may be a Dataset, such as Dataset.from_arrays(x, y)"),
        (lambda: sw.distill(teacher=3), "teacher: is 3; may be a torch network, a Teacher, a TeacherSpec, or the name"),
        (lambda: sw.distill(teacher=Ann), "teacher: is the class Ann; give an object of it, Ann(...)"),
        (lambda: sw.distill(student=Snn), "student: is the class Snn; give an object of it, Snn(...)"),
        (lambda: sw.distill(student=3), "student: is 3; may be a module, a StudentConfig, a StudentSpec or"),
        (lambda: sw.distill(method=3), "method 3: may be an object, such as LabelsOnly(), or text"),
        (
            lambda: sw.distill(method=sw.methods.LabelsOnly),
            "method: is the class LabelsOnly; give an object of it, LabelsOnly()",
        ),
        (lambda: sw.distill(regularize=3), "regularize: is 3; may be a regularizer, its text, or several of them"),
        (lambda: sw.distill(unlabelled=0.5), "unlabelled: is 0.5; may be a whole number, rest, a path, or samples"),
        (lambda: sw.distill(callbacks=sw.ProgressBar()), "callbacks: is a single callback; give a list of it"),
        (
            lambda: sw.distill(within=3),
            'within=3: has no unit; give text such as "3uJ" or "3kops", or Budget(...)',
        ),
        (
            lambda: sw.distill(within=load_profile("loihi2")),
            'may be an energy per inference, such as "2uJ", or Budget(...)',
        ),
        (
            lambda: sw.distill(teacher=Ann, within=3, training=sw.Training),
            "arguments: 3 faults\n  - teacher: is the class Ann; give an object of it, Ann(...)\n  - within=3: has no",
        ),
        (lambda: sw.Budget(energy_budget=2), "Budget: energy_budget is 2: must be text"),
        (lambda: sw.StudentSpec(width="4x"), "StudentSpec: width is '4x': must be a whole number, or auto"),
        (lambda: sw.compare(methods=3), "methods: is 3; may be a method, its text, or several of them"),
        (lambda: sw.sweep(budgets=["2uJ"], seeds="two"), "sweep: seeds: is 'two'; must be a whole number"),
        (lambda: sw.run(samples_lava=-1), "run: samples_lava=-1: must be at least 0"),
        (lambda: sw.run(out=3), "run: out: is 3; must be the path of a folder"),
        (lambda: sw.distill(training={"epochs": 1}), "training: is {'epochs': 1}; may be Training(...)"),
        (lambda: sw.distill(data="digit"), "digit: there is no such data set; did you mean 'digits'?"),
        (lambda: sw.distill(method="kdd"), "method 'kdd' is unknown; did you mean 'kd'?"),
        (lambda: sw.distill(regularize="kd:"), "regularizer 'kd' is unknown"),
        (
            lambda: sw.distill(regularize=sw.methods.ConventionalKD()),
            "regularizer kd: is no regularizer; may be:",
        ),
        (lambda: sw.distill(method=sw.methods.SpikeCountPenalty()), "method spikes: is no method; may be: none, kd"),
        (lambda: sw.distill(within="2"), "2: say the unit"),
        (
            lambda: sw.Training(epochs=0, batch=1),
            "greater than or equal to 1; batch is 1: input",
        ),
        (lambda: sw.StudentSpec(widht=3), "StudentSpec: widht is 3: extra inputs are not permitted"),
        (lambda: sw.parse("tomatoes"), "method 'tomatoes' is unknown"),
    ],
)
def test_everything_wrong_is_an_input_error(wrong, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(sw.InputError) as caught:
            wrong()
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [*METHODS, *REGULARIZERS])
def test_a_method_as_text_and_back(name: str) -> None:
    terms = parse(name)
    assert (name_of(terms), text_of(terms)) == (name, name)
    numbers = [field for field, info in type(terms).model_fields.items() if isinstance(info.default, float)]
    changed = terms.model_copy(update=dict.fromkeys(numbers[:1], 0.5))
    assert parse(text_of(changed)) == changed


def test_flat_values_lie_in_groups_and_come_back() -> None:
    settings = settings_from(None, {"data": "mnist", "teacher": "snn", "method": "none", "max_rate": ["lif1=0.1"]})
    assert (settings.data.name, settings.teacher.name, settings.method.name) == ("mnist", "snn", "none")
    assert settings.limits.max_rate == ("lif1=0.1",)
    assert DistillSettings.of(**settings.flat()) == settings
    assert settings.changed({"width": 3}).changed({"width": None}) == settings
    hidden = ("data", "seed", *LATER)
    assert list(settings.flat(without=["data", "seed"])) == [name for name in FLAT if name not in hidden]
    with pytest.raises(sw.InputError, match=r"^settings: wide is 3: extra .*; width is 0: .*; data is 4: "):
        settings.changed({"width": 0, "data": 4, "wide": 3})


def test_the_flat_order_is_that_of_files() -> None:
    """Names that came later stand anywhere between or behind those of the first version."""
    first_version = [
        "data",
        "data_dir",
        "train_samples",
        "profile",
        "energy_budget",
        "teacher",
        "teacher_epochs",
        "teacher_seed",
        "assistant",
        "method",
        "regularize",
        "architecture",
        "width",
        "timesteps",
        "encoding",
        "readout",
        "input_bits",
        "neuron",
        "beta",
        "alpha",
        "threshold",
        "learn_beta",
        "learn_threshold",
        "epochs",
        "batch",
        "learning_rate",
        "weight_decay",
        "augmentation",
        "integer_from",
        "weight_bits",
        "rounds",
        "reserve",
        "also_within",
        "max_synaptic_ops",
        "max_rate",
        "shorten",
        "device",
        "seed",
    ]
    assert [name for name in FLAT if name in first_version] == first_version


def test_text_that_was_given_is_kept_as_it_is() -> None:
    settings = settings_of("digits", "mlp", method="kd:alpha=0.7", regularize=["logits:weight=0.01"])
    assert settings.flat()["method"] == "kd:alpha=0.7"
    assert settings.flat()["regularize"] == ["logits:weight=0.01"]


def test_what_has_a_name_is_given_without_one_and_chip_is_another_word_for_profile() -> None:
    assert sw.Budget("1uJ", chip="loihi1-davies") == sw.Budget(energy_budget="1uJ", profile="loihi1-davies")
    assert sw.StudentSpec("convnet", width=4) == sw.StudentSpec(architecture="convnet", width=4)
    assert sw.TeacherSpec("vgg") == sw.TeacherSpec(name="vgg")
    profile = sw.load_profile("tianjic")
    assert sw.load_profile(profile) is profile


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: sw.Budget("1uJ", energy_budget="2uJ"), "Budget: energy_budget is given twice, once without its name"),
        (
            lambda: sw.Budget(chip="tianjic", profile="tianjic"),
            "chip and profile are two names of one option; give one",
        ),
        (lambda: sw.Budget("1uJ", "tianjic"), r"Budget: 2 values without a name; only energy_budget may be given"),
        (lambda: sw.Training(3), r"Training: a value without a name; options are given by name, as Training\(name="),
        (lambda: sw.lower(3), "graph: is of type int; may be a NIR graph, such as to_nir"),
        (lambda: sw.lower(sw.to_nir(small()), 3), "profile: is of type int; may be the name of a profile"),
        (lambda: sw.to_nir(3), "student: is of type int; may be a Student"),
        (lambda: sw.save_student(3, "x.pt", {}), "student: is of type int; may be a Student"),
        (lambda: sw.simulate(3, "digits"), "chip: is of type int; may be a ChipNetwork"),
        (lambda: sw.report(3, 3, "tianjic"), "activity: is of type int; may be an Activity"),
        (lambda: sw.drift(sw.to_nir(small()), 3, "digits"), "chip: is of type int; may be a ChipNetwork"),
        (lambda: sw.model_card(3), "graph: is of type int; may be a NIR graph"),
        (lambda: sw.load_profile(3), r"profile: is of type int; may be the name of a profile, the path of its \.toml"),
    ],
)
def test_another_type_of_argument_is_said_and_what_it_may_be(made: Callable[[], object], said: str) -> None:
    with pytest.raises(sw.InputError, match=said):
        made()


def small() -> Student:
    return Student(sw.StudentConfig("mlp", 2, (1, 2, 2), 2, 2))
