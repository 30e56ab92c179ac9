"""Networks of one's own as teachers: what they see of a data set, how they are built, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.energy.macs import Macs
from spikewright.teachers.files import TeacherFiles
from spikewright.teachers.samples import IMAGENET, SampleFormat, arranged, series_shape
from spikewright.teachers.spiking_teacher import SpikingTeacher
from spikewright.teachers.teacher import teacher_from
from spikewright.teachers.torch_teacher import LOGITS, Teacher, TorchTeacher
from spikewright.training.settings import DistillSettings, settings_from

SHAPE = (1, 8, 8)
RANDOM = np.random.default_rng(3)
IMAGES = torch.from_numpy(RANDOM.random((4, *SHAPE), np.float32))
STEPS, CHANNELS = 6, 3


class Rows(nn.Module):
    """An LSTM over series ``(B, T, C)``, and one that its forward pass leaves out."""

    def __init__(self, channels: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.lstm, self.spare = nn.LSTM(channels, 16, batch_first=True), nn.Linear(3, 3)
        self.head = nn.Linear(16, classes)

    def forward(self, rows: Tensor) -> Tensor:
        result: Tensor = self.head(self.lstm(rows)[0][:, -1])
        return result


def dense(inputs: int = 64, classes: int = 10) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes))


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        make()
    return str(caught.value)


# What a network sees.


@pytest.mark.parametrize(
    ("shape", "steps", "channels"),
    [((3, 6, 1), 6, 3), ((1, 6, 3), 6, 3), ((3, 1, 6), 6, 3), ((1, 1, 40), 40, 1), ((5, 1, 1), 1, 5)],
)
def test_time_is_found_in_every_form_of_a_series(shape: tuple[int, int, int], steps: int, channels: int) -> None:
    """Numbers tell step and channel: 10 x step + channel."""
    series = 10 * torch.arange(steps)[:, None] + torch.arange(channels)
    prepared = series.reshape(shape) if shape[0] == 1 else series.T.reshape(shape)
    assert series_shape(shape) == (steps, channels)
    assert torch.equal(arranged(prepared[None], "series")[0], series)
    assert torch.equal(arranged(prepared[None], "channels")[0], series.T)
    assert arranged(prepared[None], "vectors").shape == (1, steps * channels)


def test_images_of_several_channels_are_no_series() -> None:
    assert series_shape((3, 8, 8)) is None
    assert refusal(lambda: Teacher.from_module(Rows(), (3, 8, 8), layout="series")) == (
        "teacher Rows: layout=series: samples of 3 x 8 x 8 are images of several channels, not series of channels over "
        "time"
    )


def test_a_normalisation_by_hand() -> None:
    grey = SampleFormat.of(normalize="0.5/0.25")(IMAGES)
    assert torch.allclose(grey, (IMAGES - 0.5) * 4)
    colours = SampleFormat.of(normalize="imagenet", channels=3)(IMAGES)
    for place, (mean, std) in enumerate(zip(*IMAGENET, strict=True)):
        assert torch.allclose(colours[:, place], (IMAGES[:, 0] - mean) / std)
    over_time = SampleFormat.of("series", ([0.0] * 8, list(range(1, 9))))(IMAGES)
    assert torch.allclose(over_time, IMAGES[:, 0] / torch.arange(1, 9))
    assert SampleFormat.of(normalize="none") == SampleFormat()
    assert SampleFormat.of(normalize=(0.5, 0.25)) == SampleFormat.of(normalize="0.5/0.25")


def test_another_size_is_interpolated_with_antialiasing() -> None:
    found = SampleFormat.of(size="4x6")(IMAGES)
    assert torch.equal(found, F.interpolate(IMAGES, (4, 6), mode="bilinear", antialias=True))
    assert SampleFormat.of(size=4) == SampleFormat.of(size="4") == SampleFormat.of(size=(4, 4))
    assert torch.equal(SampleFormat.of(size=8)(IMAGES), IMAGES)


@pytest.mark.parametrize("given", ["", "0.5", "a/b", "0.5/0", "0.5/-1", "nan/1", "0/inf", "1/2/3"])
def test_no_normalisation(given: str) -> None:
    assert refusal(lambda: SampleFormat.of(normalize=given)).startswith(
        f"teacher: normalize={given}: may be imagenet, none, or MEAN/STD, each one number or one for each channel, "
        "as in 0.5/0.25"
    )


def test_what_does_not_go_together_is_said_at_once() -> None:
    assert refusal(lambda: SampleFormat.of("serie", "1", 0, "big", "rew")) == (
        "teacher: 5 faults\n"
        "  - layout=serie: is unknown; did you mean 'series'? may be: channels, images, series, vectors\n"
        "  - values=rew: is unknown; did you mean 'raw'? may be: raw, scaled\n"
        "  - channels=0: must be a whole number of at least 1\n"
        "  - normalize=1: may be imagenet, none, or MEAN/STD, each one number or one for each channel, as in 0.5/0.25, "
        "with std above 0\n"
        "  - size=big: is no height and width, such as 224 or 224x224"
    )
    odd = SampleFormat.of("vectors", "1,2/1", 3, 16)
    assert next(iter(odd.faults((2, 8, 8)))).startswith("\ue000channels=3\ue001: samples have 2 channels, and")
    assert len(list(odd.faults((2, 8, 8)))) == 3


# Data of one's own: a student gets them scaled, with signs apart, and a teacher as they were found.


def series(signed: bool = True) -> tuple[Dataset, np.ndarray]:
    """30 recordings of 6 steps of 3 channels of unlike range, and their values."""
    values = (RANDOM.standard_normal((30, STEPS, CHANNELS)) * [1, 20, 0.1] + [0, 5, 3]).astype(np.float32)
    scaling = "standard" if signed else "minmax"
    data = Dataset.from_arrays(values, np.arange(30) % 3, layout="series", scaling=scaling)
    return data, np.asarray(data.raw.train.samples)


@pytest.mark.parametrize("view", ["channels", "image", "steps"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_network_for_series_sees_them_in_their_own_units(signed: bool, view: str) -> None:
    data, raw = series(signed)
    seen = Dataset.of_raw(data.raw, data.options.model_copy(update={"view": view}))
    seen = seen.twin or seen
    network = Rows(CHANNELS, 3).eval()
    teacher = Teacher.from_module(network, layout="series").for_data(seen)
    found = teacher.logits(torch.from_numpy(np.asarray(seen.train.samples)))
    rule = seen.input_rule
    within = torch.from_numpy(np.clip(raw, *_ends(rule)).astype(np.float32))  # beyond, values are held at the ends
    torch.testing.assert_close(found, network(within), rtol=1e-4, atol=1e-5)
    assert teacher.sha256 != TorchTeacher(network, seen.shape, "t").sha256, "of what it sees, too"


def _ends(rule) -> tuple[np.ndarray, np.ndarray]:
    low, gain = np.asarray(rule.low), np.asarray(rule.gain)
    return low - (1 / gain if rule.signed else 0), low + 1 / gain


def test_scaled_values_are_for_a_network_that_was_trained_on_them() -> None:
    data, _ = series()
    network = Rows(2 * CHANNELS, 3).eval()
    teacher = Teacher.from_module(network, layout="series", values="scaled").for_data(data)
    samples = torch.from_numpy(np.asarray(data.train.samples))
    torch.testing.assert_close(teacher.logits(samples), network(samples[..., 0].transpose(1, 2)))


def test_vectors_are_seen_in_their_own_units_too() -> None:
    values = RANDOM.integers(0, 16, (40, 5)).astype(np.float32)
    data = Dataset.from_arrays(values, np.arange(40) % 2, scaling="minmax")
    network = dense(5, 2).eval()
    teacher = Teacher.from_module(network, layout="vectors").for_data(data)
    found = teacher.logits(torch.from_numpy(np.asarray(data.train.samples)))
    expected = network(torch.from_numpy(np.asarray(data.raw.train.samples)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_raw_values_of_a_named_data_set_are_refused() -> None:
    teacher = Teacher.from_module(dense(), values="raw")
    assert refusal(lambda: teacher.for_data(load("digits"))) == (
        "values=raw: digits is taken as it is, and has no other values; leave it out"
    )


def test_values_of_a_regression_become_logits() -> None:
    """A network that answers in the data's unit, and a student that answers in deviations from the mean."""
    values = RANDOM.standard_normal((60, 4)).astype(np.float32)
    data = Dataset.from_arrays(values, 100 + 7 * values[:, :2], task="regression", scaling="minmax")
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
    teacher = Teacher.from_module(network).for_data(data)
    found = teacher.logits(torch.from_numpy(np.asarray(data.train.samples)))
    answers = network(torch.from_numpy(np.asarray(data.raw.train.samples))).detach().numpy()
    np.testing.assert_allclose(found.numpy(), data.output.targets(answers), rtol=1e-3, atol=1e-3)
    assert refusal(lambda: Teacher.from_module(dense(4, 3)).for_data(data)) == (
        "teacher Sequential: gives 3 values, and arrays has 2; give a teacher for these values"
    )


# Networks of every kind.


def test_layers_that_give_several_values_are_no_features_and_neither_are_idle_ones() -> None:
    teacher = Teacher.from_module(Rows(), SHAPE, layout="series")
    assert teacher.names == ("head", LOGITS)
    assert teacher.shapes == {"head": (10,), LOGITS: (10,)}
    assert refusal(lambda: teacher.features(IMAGES, ["lstm"])) == (
        "teacher Rows: has no value 'lstm' to distil from; may be: head, logits"
    )


def test_a_convolution_over_time() -> None:
    network = nn.Sequential(nn.Conv1d(8, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10)).eval()
    teacher = Teacher.from_module(network, SHAPE, layout="channels")
    torch.testing.assert_close(teacher.logits(IMAGES), network(IMAGES[:, 0].transpose(1, 2)))
    assert teacher.shapes["0"] == (4, 8)
    assert teacher.macs == Macs(4 * 8 * 8 * 3 + 32 * 10)


def test_a_compiled_network_is_its_own_network() -> None:
    network = dense().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about its own modules
        compiled = torch.compile(network)
    teacher = Teacher.from_module(compiled, SHAPE)
    assert teacher.names == ("0", "1", LOGITS)
    torch.testing.assert_close(teacher.logits(IMAGES), network(IMAGES))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_network_gives_its_logits() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10)).eval()
    teacher = Teacher.from_module(torch.jit.script(network), SHAPE)
    for _ in range(3):  # after which torch may have fused operators
        torch.testing.assert_close(teacher.logits(IMAGES), network(IMAGES))
        assert Teacher.from_module(torch.jit.script(network), SHAPE).macs == Macs(2 * 36 * 9 + 72 * 10)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision(kind: torch.dtype) -> None:
    network = dense().eval()
    expected = network(IMAGES)
    teacher = Teacher.from_module(network.to(kind), SHAPE)
    found = teacher.logits(IMAGES)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-6 if kind == torch.float64 else 0.05, rtol=0.05)
    assert len(teacher.sha256) == 64


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_a_network_that_cannot_be_copied() -> None:
    network = nn.Sequential(nn.Flatten(), torch.nn.utils.weight_norm(nn.Linear(64, 10)))
    network(IMAGES)  # after which its weight is a result of others
    message = refusal(lambda: Teacher.from_module(network, SHAPE))
    assert message.startswith("teacher Sequential: cannot be copied (Only Tensors created explicitly by the user")
    assert message.endswith("; first take off what computes its weights, such as torch.nn.utils.weight_norm")


def test_options_of_files_do_nothing_for_a_student(tmp_path: Path) -> None:
    config = sw.StudentConfig("mlp", 4, SHAPE, 10, 2)
    sw.save_student(sw.Student(config).eval(), tmp_path / "s.pt", {})
    (fault,) = TeacherFiles(layout="series").faults(str(tmp_path / "s.pt"))
    assert (
        "is for a network from files, file.py:function, torchvision:NAME or an ONNX model, and the teacher is " in fault
    )
    assert list(TeacherFiles(layout="series").faults("snn:taught_by=net.py:build")) == []
    assert len(list(TeacherFiles(layout="series").faults("snn"))) == 1


def test_teachers_as_objects_are_checked_too() -> None:
    digits = load("digits")
    large = sw.Student(sw.StudentConfig("mlp", 4, (1, 9, 9), 10, 2)).eval()
    assert refusal(lambda: SpikingTeacher(large, "large").for_data(digits)) == (
        "teacher large: takes samples of 1 x 9 x 9 and digits has 1 x 8 x 8; use one that was trained on digits"
    )


class Gives(nn.Module):
    """A network that gives whatever a function makes of its input."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, samples: Tensor) -> object:
        return self.function(samples)


def failing(samples: Tensor) -> object:
    raise KeyError("nothing")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: {"logits": x}, "its output is a dict; give a network that returns its logits alone"),
        (lambda x: x.flatten(1).T, "its output for 3 samples has shape (64, 3); it must be (3, classes)"),
        (lambda x: x.flatten(1) / 0, "its output is not finite for samples of noise; check its weights"),
        (
            lambda x: x.flatten(1).softmax(1),
            "its output holds probabilities (they sum to 1), and a student learns from the logits before them; leave "
            "the last softmax out",
        ),
        (
            failing,
            "cannot be run on samples of 1 x 8 x 8, taken as images (B, C, H, W), not normalised ('nothing'); give a "
            "network for them, or say how it takes them: layout may be series (B, T, C), channels (B, C, T), vectors "
            "(B, F)",
        ),
    ],
)
def test_an_output_that_is_no_logits(function: Callable[[Tensor], object], message: str) -> None:
    assert refusal(lambda: Teacher.from_module(Gives(function), SHAPE)) == f"teacher Gives: {message}"


def test_the_layouts_that_would_do_are_named() -> None:
    assert refusal(lambda: Teacher.from_module(Rows(), SHAPE)) == (
        "teacher Rows: cannot be run on samples of 1 x 8 x 8, taken as images (B, C, H, W), not normalised (LSTM: "
        "Expected input to be 2D or 3D, got 4D instead); it gives logits with layout=series, samples as (B, T, C); it "
        "gives logits with layout=channels, samples as (B, C, T)"
    )


def test_grey_images_for_a_network_of_colours() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10)).eval()
    message = refusal(lambda: Teacher.from_module(network, SHAPE))
    assert message.endswith("its first layer takes 3 channels, and the samples have one: give channels=3 to copy it")
    teacher = Teacher.from_module(network, SHAPE, channels=3)
    torch.testing.assert_close(teacher.logits(IMAGES), network(IMAGES.repeat(1, 3, 1, 1)))
    assert refusal(lambda: Teacher.from_module(network, (2, 8, 8), channels=3)) == (
        "teacher Sequential: channels=3: samples have 2 channels, and those of grey images alone, which have one, can "
        "be copied"
    )


def test_a_network_waits_for_its_data() -> None:
    teacher = Teacher.from_module(dense())
    assert refusal(lambda: teacher.shapes) == (
        "teacher Sequential: has not seen any data yet; give input_shape when it is made"
    )
    fitted = teacher.for_data(load("digits"))
    assert fitted.shapes[LOGITS] == (10,)
    assert teacher.sha256 == fitted.sha256
    colours = Teacher.from_module(dense(3 * 64), (3, 8, 8))
    assert refusal(lambda: colours.for_data(load("digits"))) == (
        "teacher Sequential: was made for samples of 3 x 8 x 8, and digits has 1 x 8 x 8; give a teacher for these "
        "samples"
    )


# Networks from files.

BUILD = """
from pathlib import Path
from torch import nn
from parts import head

def build(classes, *, input_shape=None):
    with Path(__file__).with_name("ran").open("a") as file:
        file.write(f"{classes} {input_shape}\\n")
    return head(64, classes)

ready = head(64, 10)
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A file whose function is given the shape and the classes, and takes a layer from a file beside it."""
    (tmp_path / "parts.py").write_text(
        "from torch import nn\ndef head(a, b):\n    return nn.Sequential(nn.Flatten(), nn.Linear(a, b))\n"
    )
    (tmp_path / "net.py").write_text(BUILD)
    return tmp_path / "net.py"


def test_a_function_gets_what_it_names_and_runs_once(net: Path) -> None:
    torch.save(dense().state_dict(), net.with_name("w.pt"))
    files = TeacherFiles(weights=net.with_name("w.pt"))
    digits = load("digits")
    first, again = (teacher_from(f"{net}:build", digits, files=files) for _ in range(2))
    assert first.sha256 == again.sha256
    assert first.name == "net.py:build with w.pt"
    assert first.remarks == (
        "net.py:build with w.pt takes samples of 1 x 8 x 8 as images (B, C, H, W), not normalised",
    )
    assert net.with_name("ran").read_text() == "10 (1, 8, 8)\n"
    torch.save(dense().state_dict(), net.with_name("w.pt"))  # other weights are read anew
    assert teacher_from(f"{net}:build", digits, files=files).sha256 != first.sha256


def test_from_python(net: Path) -> None:
    network = dense().eval()
    torch.save({"state_dict": {f"model.{k}": v for k, v in network.state_dict().items()}}, net.with_name("w.ckpt"))
    teacher = sw.Teacher.from_file(f"{net}:build", net.with_name("w.ckpt"), classes=10)
    assert teacher.remarks == (
        "w.ckpt: state_dict of the checkpoint is used",
        "w.ckpt: the prefix 'model.' taken off its names",
    )
    torch.testing.assert_close(teacher.for_data(load("digits")).logits(IMAGES), network(IMAGES))
    assert sw.Teacher.from_file(f"{net}:ready", input_shape=SHAPE).shapes[LOGITS] == (10,)
    assert refusal(lambda: sw.Teacher.from_file(f"{net}:build", net.with_name("w.ckpt"))) == (
        f"teacher '{net}:build': wants classes, which are not known before there are data; give classes"
    )


def test_a_function_gets_the_shape_that_its_network_sees(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, input_shape, classes):\n"
        "        super().__init__()\n"
        "        self.lstm, self.head = nn.LSTM(input_shape[0], 4, batch_first=True), nn.Linear(4, classes)\n"
        "    def forward(self, series):\n"
        "        return self.head(self.lstm(series)[0][:, -1])\n"
    )
    data, _ = series()
    data = data.for_student(None, "temporal", None)
    assert data.shape == (2 * CHANNELS, STEPS, 1), "positive and negative parts are channels of their own"
    teacher = teacher_from(f"{tmp_path / 'net.py'}:Net", data, files=TeacherFiles(layout="series"))
    assert teacher.shapes[LOGITS] == (3,)
    image = data.for_student(None, "convnet", None)
    assert image.shape == (2, STEPS, CHANNELS)
    assert teacher_from(f"{tmp_path / 'net.py'}:Net", image, files=TeacherFiles(layout="series")).shapes[LOGITS] == (3,)
    assert teacher.remarks[-1] == (
        "net.py:Net takes samples of 3 x 6 x 1 as series (B, T, C), in the units of the data, not normalised"
    )


def test_a_series_teacher_through_distill(tmp_path: Path) -> None:
    data, _ = series()
    teacher = sw.Teacher.from_module(Rows(CHANNELS, 3), layout="series")
    small = sw.StudentSpec(architecture="temporal", width=2, timesteps=2)
    result = sw.distill(data, teacher, student=small, training=sw.Training(epochs=1, batch=8))
    per_step = 4 * 16 * (CHANNELS + 16)
    assert result.provenance["teacher_macs"] == STEPS * per_step + 16 * 3
    assert "teacher_macs_unknown" not in result.provenance


def test_a_teacher_that_knows_nothing_is_warned_of() -> None:
    """All images of digits get the same answer: no more often right than the most frequent class."""
    network = dense()
    nn.init.zeros_(network[1].weight)
    said: list[tuple[str, str]] = []

    class Hears(sw.Callback):
        def on_message(self, text: str, kind: str) -> None:
            said.append((kind, text))

    few = sw.DataSettings(name="digits", train_samples=100)
    small = sw.StudentSpec(architecture="mlp", width=2, timesteps=1)
    sw.distill(few, network, student=small, training=sw.Training(epochs=1), callbacks=[Hears()])
    (warned,) = (text for kind, text in said if kind == "warning" and "teacher" in text)
    assert warned.startswith(
        "teacher Sequential: is right no more often than the most frequent class as every answer, 11."
    )


def test_weights_are_a_setting_in_its_group() -> None:
    spec = sw.TeacherSpec(name="net.py:build", weights="w.pt", layout="series")
    settings = DistillSettings(teacher=spec)
    flat = settings.flat()
    assert (flat["teacher_weights"], flat["teacher_layout"]) == ("w.pt", "series")
    assert "teacher_size" not in flat, "files of earlier versions hold the same settings"
    assert DistillSettings.of(**flat) == settings
    assert refusal(lambda: DistillSettings.of(teacher_channels=0)) == (
        "settings: teacher_channels is 0: input should be greater than or equal to 1"
    )


@pytest.mark.parametrize("line", ['teacher = "net.py:build"', 'teacher_weights = "w"', 'teacher = "model.pth"'])
def test_a_preset_names_no_code_and_no_weights(line: str, tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(line + "\n")
    name = line.split(" = ")[0]
    assert refusal(lambda: settings_from(str(preset), {})) == (
        f"preset {preset}: {name} is {line.split(' = ')[1].replace(chr(34), chr(39))}; a preset names only what comes "
        f"with spikewright, give {name} yourself"
    )
