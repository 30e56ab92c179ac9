"""Teachers: trained once, frozen for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikewright.base.errors import InputError
from spikewright.base.progress import Callback, Listeners
from spikewright.data.dataset import Dataset
from spikewright.data.load import DATASETS, load
from spikewright.data.split import Split
from spikewright.energy.macs import Macs
from spikewright.teachers import ann
from spikewright.teachers.ann import ARCHITECTURES, build, fit, teacher_key, train_teacher
from spikewright.teachers.teacher import teacher_from
from spikewright.teachers.torch_teacher import TorchTeacher, precompute_logits

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def small() -> Dataset:
    """96 made-up images of two classes that differ in brightness."""
    random = np.random.default_rng(3)
    labels = np.arange(96) % 2
    images = (random.random((96, *SHAPE)) * 0.5 + labels[:, None, None, None] * 0.5).astype(np.float32)
    split = Split(images, labels.astype(np.int64))
    return Dataset("made-up", split, split, split, classes=2, shape=SHAPE)


def buffers(teacher: TorchTeacher) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in teacher.state_dict().items()}


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 1, 40)], ids=str)
@pytest.mark.parametrize("name", [name for name, each in ARCHITECTURES.items() if not each.over_time])
def test_every_architecture_fits_every_data_set(name: str, shape: tuple[int, int, int]) -> None:
    assert build(name, shape, 7).eval()(torch.zeros(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("shape", [(3, 4, 1), (12, 29, 1), (6, 100, 1)], ids=str)
def test_a_temporal_network_fits_every_recording(shape: tuple[int, int, int]) -> None:
    assert build("temporal", shape, 7).eval()(torch.zeros(2, *shape)).shape == (2, 7)


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(InputError) as refusal:
        build("vgg", (1, 4, 9), 10)
    assert str(refusal.value) == (
        "teacher 'vgg': halves its input 3 times and needs at least 8 x 8 pixels, found 4 x 9; choose the teacher 'mlp'"
    )


def test_an_unknown_teacher_is_refused_with_a_suggestion(digits: Dataset) -> None:
    with pytest.raises(InputError) as refusal:
        teacher_from("convnte", digits)
    assert str(refusal.value) == (
        "teacher 'convnte': is no architecture; did you mean 'convnet'? may be: convnet, mlp, snn, temporal, vgg, "
        "file.py:function or torchvision:NAME with teacher_weights, or a path that ends in .onnx or .pt"
    )


def test_no_epochs_are_refused(digits: Dataset) -> None:
    with pytest.raises(InputError, match=r"^epochs=0: must be at least 1$"):
        train_teacher(digits, "mlp", epochs=0)


def test_macs_are_outputs_times_inputs_of_each() -> None:
    convolutions = 32 * 1 * 9 * 64 + 64 * 32 * 9 * 16 + 128 * 64 * 9 * 4  # after each halving a quarter of the pixels
    dense = 128 * 4 * 128 + 128 * 10
    assert TorchTeacher(build("convnet", SHAPE, 10), SHAPE, "t").macs == Macs(convolutions + dense)
    grouped = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, groups=2), nn.Flatten(), nn.Linear(8 * 9, 5))
    assert TorchTeacher(grouped, (4, 8, 8), "t").macs == Macs(8 * 9 * 2 * 9 + 72 * 5)


def test_macs_are_counted_on_the_device_that_holds_the_weights() -> None:
    teacher = TorchTeacher(build("convnet", SHAPE, 10), SHAPE, "t")
    elsewhere = TorchTeacher(build("convnet", SHAPE, 10), SHAPE, "t")
    elsewhere._network.to("meta")
    assert elsewhere.macs == teacher.macs


def test_it_is_a_frozen_copy() -> None:
    network = build("mlp", SHAPE, 10).train()
    teacher = TorchTeacher(network, SHAPE, "t")
    images = torch.rand(4, *SHAPE, requires_grad=True)
    before = teacher.logits(images)
    assert not before.requires_grad
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert torch.equal(teacher.logits(images), before)
    assert network.training
    assert not isinstance(teacher, nn.Module)


class Distilling(nn.Module):
    """A student that holds its teacher, as a careless training script would."""

    def __init__(self, teacher: TorchTeacher) -> None:
        super().__init__()
        self.student = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
        self.teacher = teacher


def test_a_training_step_leaves_no_trace_in_it() -> None:
    network = build("convnet", SHAPE, 10)
    network.train()(torch.rand(64, *SHAPE))  # running statistics that are not the initial ones
    teacher = TorchTeacher(network, SHAPE, "t")
    before, sha256 = buffers(teacher), teacher.sha256
    holder = Distilling(teacher).train()
    assert {name.split(".")[0] for name, _ in holder.named_parameters()} == {"student"}
    optimizer = torch.optim.SGD(holder.parameters(), lr=0.5)
    for _ in range(3):
        images = torch.rand(16, *SHAPE)
        soft = teacher.logits(images)
        hidden = teacher.features(images, ["hidden"])["hidden"]
        loss = F.mse_loss(holder.student(images), soft) + hidden.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        holder.train()
    assert any("running_mean" in name for name in before)
    assert buffers(teacher) == before
    assert teacher.sha256 == sha256 == TorchTeacher(network, SHAPE, "t").sha256


def test_evaluation_mode_survives_someone_inside() -> None:
    teacher = TorchTeacher(build("mlp", SHAPE, 10), SHAPE, "t")
    before = buffers(teacher)
    teacher._network.train()
    teacher.logits(torch.rand(8, *SHAPE))
    assert buffers(teacher) == before


def test_features_are_what_the_modules_give() -> None:
    network = build("convnet", SHAPE, 10).eval()
    teacher = TorchTeacher(network, SHAPE, "t")
    images = torch.rand(3, *SHAPE)
    found = teacher.features(images, ["stage2", "logits", "stage1.0"])
    assert list(found) == ["stage2", "logits", "stage1.0"]
    torch.testing.assert_close(found["stage1.0"], network.stage1[0](images))
    torch.testing.assert_close(found["stage2"], network.stage2(network.stage1(images)))
    torch.testing.assert_close(found["logits"], teacher.logits(images))
    assert set(found) < set(teacher.names)


def test_an_activation_in_place_does_not_change_a_feature() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU(inplace=True)).eval()
    teacher = TorchTeacher(network, SHAPE, "t")
    images = torch.rand(3, *SHAPE)
    found = teacher.features(images, ["1", "logits"])
    assert (found["1"] < 0).any()
    assert torch.equal(found["1"].relu(), found["logits"])


def test_an_unknown_feature_is_refused_with_a_suggestion() -> None:
    teacher = TorchTeacher(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), SHAPE, "tiny")
    with pytest.raises(InputError) as refusal:
        teacher.features(torch.zeros(1, *SHAPE), ["logit"])
    assert str(refusal.value) == (
        "teacher tiny: has no value 'logit' to distil from; did you mean 'logits'? may be: 0, 1, logits"
    )


def test_logits_batch_by_batch_are_the_logits() -> None:
    teacher = TorchTeacher(build("mlp", SHAPE, 10), SHAPE, "t")
    images = torch.rand(23, *SHAPE)
    torch.testing.assert_close(precompute_logits(teacher, images, batch=5), teacher.logits(images))


def test_accuracy_is_the_share_of_right_answers() -> None:
    brightest = nn.Flatten()  # the logits are the pixels
    teacher = TorchTeacher(brightest, (1, 1, 4), "t")
    images = np.eye(4, dtype=np.float32).reshape(4, 1, 1, 4)
    assert teacher.accuracy(Split(images, np.array([0, 1, 2, 0]))) == 0.75


def test_one_seed_gives_one_teacher_and_leaves_the_random_state(small: Dataset) -> None:
    recipe = DATASETS["digits"].recipe.teacher
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, third = (TorchTeacher(fit(small, "mlp", recipe, s), SHAPE, "t") for s in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert first.sha256 == second.sha256 != third.sha256
    assert first.accuracy(small.train) > 0.9


def test_the_key_holds_everything(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = DATASETS["digits"].recipe.teacher
    keys = {teacher_key(small, "mlp", recipe, 0), teacher_key(small, "mlp", recipe, 1)}
    keys |= {teacher_key(small, "convnet", recipe, 0), teacher_key(small, "mlp", DATASETS["mnist"].recipe.teacher, 0)}
    other = Split(small.train.samples, 1 - small.train.labels)
    keys.add(teacher_key(Dataset("made-up", other, other, other, 2, SHAPE), "mlp", recipe, 0))
    monkeypatch.setattr(ann, "CODE_VERSION", -1)
    keys.add(teacher_key(small, "mlp", recipe, 0))
    assert len(keys) == 6


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every training."""
    trainings: list[int] = []

    def counting(*words: object) -> nn.Sequential:
        trainings.append(1)
        return fit(*words)

    monkeypatch.setattr(ann, "fit", counting)
    return trainings


def test_it_is_trained_once(small: Dataset, tmp_path: Path, counted: list[int]) -> None:
    first = train_teacher(small, "mlp", epochs=2, cache_dir=tmp_path)
    again = train_teacher(small, "mlp", epochs=2, cache_dir=tmp_path)
    assert len(counted) == 1
    assert again.sha256 == first.sha256
    assert again.validation_accuracy == first.validation_accuracy == first.accuracy(small.validation)
    train_teacher(small, "mlp", epochs=1, cache_dir=tmp_path)
    assert len(counted) == 2
    assert sorted(path.suffix for path in (tmp_path / "teachers").iterdir()) == [".pt", ".pt"]


def swapped(file: Path) -> None:
    kept = torch.load(file, weights_only=True)
    torch.save({**kept, "key": "of another teacher"}, file)


def emptied(file: Path) -> None:
    kept = torch.load(file, weights_only=True)
    torch.save({**kept, "state": {}}, file)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "half": lambda file: file.write_bytes(file.read_bytes()[:1000]),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_bytes(b"hello"),
    "pickle": lambda file: file.write_bytes(b"\x80\x04c__builtin__\nprint\n."),
    "list": lambda file: torch.save([1], file),
    "other": swapped,
    "no weights": emptied,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_kept_teacher_is_trained_anew(
    small: Dataset, tmp_path: Path, counted: list[int], damage: Callable[[Path], object]
) -> None:
    first = train_teacher(small, "mlp", epochs=1, cache_dir=tmp_path)
    (file,) = (tmp_path / "teachers").iterdir()
    damage(file)
    with pytest.warns(RuntimeWarning, match=r"the cached teacher cannot be used \(\w+\); it is trained again"):
        again = train_teacher(small, "mlp", epochs=1, cache_dir=tmp_path)
    assert len(counted) == 2
    assert again.sha256 == first.sha256
    assert train_teacher(small, "mlp", epochs=1, cache_dir=tmp_path).sha256 == first.sha256
    assert len(counted) == 2


def test_a_cache_that_cannot_be_made_is_refused(small: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as refusal:
        train_teacher(small, "mlp", epochs=1, cache_dir=tmp_path / "file")
    assert str(refusal.value) == (
        f"{tmp_path / 'file' / 'teachers'}: the cache folder cannot be made (Not a directory); "
        "set SPIKEWRIGHT_CACHE to a folder that can be written"
    )


def test_progress_adds_up(small: Dataset) -> None:
    announced: list[tuple[str, int]] = []
    steps: list[int] = []

    class Tasks(Callback):
        def on_start(self, task: str, total: int) -> None:
            announced.append((task, total))

        def on_advance(self, task: str, done: int) -> None:
            steps.append(done)

    fit(small, "mlp", DATASETS["digits"].recipe.teacher, 0, Listeners((Tasks(),)))
    assert announced == [("teacher mlp", 20)]  # 20 epochs of one whole batch of 64 in 96 samples
    assert sum(steps) == 20


@pytest.mark.slow
def test_teachers_of_digits_are_good(digits: Dataset) -> None:
    for architecture in ("mlp", "convnet"):
        teacher = teacher_from(architecture, digits)
        assert teacher.accuracy(digits.validation) > 0.97
        assert teacher.accuracy(digits.train) > 0.98
