"""Teachers as ONNX files: the same logits elsewhere, and by `--teacher teacher.onnx` again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.commands.cli import main
from spikewright.data.dataset import Dataset
from spikewright.teachers.ann import ARCHITECTURES, build, train_teacher
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.onnx_writer import teacher_model
from spikewright.teachers.teacher import teacher_from
from spikewright.teachers.torch_teacher import Teacher, TorchTeacher

SHAPES = {"mlp": (2, 5, 6), "convnet": (1, 8, 12), "vgg": (3, 16, 16), "temporal": (6, 20, 1)}
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def network_of(name: str) -> nn.Sequential:
    """A network whose normalisations have seen something."""
    torch.manual_seed(3)
    network = build(name, SHAPES[name], 7)
    network.train()(torch.rand(32, *SHAPES[name]))
    return network.eval()


def images(shape: tuple[int, ...], count: int = 9) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_same_logits_and_features(name: str, tmp_path: Path) -> None:
    teacher, seen = TorchTeacher(network_of(name), SHAPES[name], name), images(SHAPES[name])
    path = tmp_path / "teacher.onnx"
    sw.write_onnx(teacher, path)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"samples": seen.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), teacher.logits(seen), **CLOSE)
    again = OnnxTeacher(path, SHAPES[name], 7)
    torch.testing.assert_close(again.logits(seen), teacher.logits(seen), **CLOSE)
    assert set(teacher.names) <= set(again.names)
    ours, theirs = teacher.features(seen, teacher.names), again.features(seen, teacher.names)
    for feature, value in ours.items():
        torch.testing.assert_close(theirs[feature], value, **CLOSE)
    assert again.macs == teacher.macs
    assert path.read_bytes() == teacher_model(teacher).SerializeToString(deterministic=True)


def test_every_layer_and_its_options_are_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        nn.BatchNorm2d(6, affine=False),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.Sequential(nn.Identity(), nn.Flatten(), nn.ReLU(), nn.Dropout()),
        nn.Linear(120, 5, bias=False),
    )
    network.train()(torch.rand(4, 2, 11, 10))
    teacher = TorchTeacher(network.eval(), (2, 11, 10), "own")
    sw.write_onnx(teacher, tmp_path / "t.onnx")
    seen = images((2, 11, 10))
    torch.testing.assert_close(
        OnnxTeacher(tmp_path / "t.onnx", (2, 11, 10), 5).logits(seen), teacher.logits(seen), **CLOSE
    )


@pytest.mark.parametrize("layout", [None, "vectors"])
def test_how_a_teacher_takes_samples_is_in_the_model(layout: str | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(12, 4)] if layout else [nn.Flatten(), nn.Linear(12, 4)]
    teacher = Teacher.from_module(nn.Sequential(*layers), (1, 3, 4), layout=layout, normalize=((0.4,), (0.25,)))
    sw.write_onnx(teacher, tmp_path / "t.onnx")
    seen = images((1, 3, 4))
    torch.testing.assert_close(
        OnnxTeacher(tmp_path / "t.onnx", (1, 3, 4), 4).logits(seen), teacher.logits(seen), **CLOSE
    )


def own_data(task: str) -> Dataset:
    random = np.random.default_rng(0)
    x = (100 * random.normal(size=(120, 6)) + 40).astype(np.float32)
    y = np.stack([x[:, 0], 7 + 20 * x[:, 2]], 1) if task == "regression" else (x[:, 0] > 40).astype(np.int64)
    names = ["force", "speed"] if task == "regression" else ["low", "high"]
    return Dataset.from_arrays(x, y, task=task, names=names)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_teacher_of_own_data_is_itself_again(task: str, tmp_path: Path) -> None:
    """Its samples are scaled and its values are deviations; in the file the values have their unit."""
    data = own_data(task)
    teacher = train_teacher(data, "mlp", epochs=2)
    path = tmp_path / "teacher.onnx"
    sw.write_onnx(teacher, path)
    again = teacher_from(str(path), data)
    seen = torch.from_numpy(np.asarray(data.test.samples[:20]))
    torch.testing.assert_close(again.logits(seen).float(), teacher.logits(seen), **CLOSE)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"samples": seen.numpy()})
    ours = teacher.logits(seen).numpy()
    expected = data.output.values(ours) if task == "regression" else ours
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(facts["meaning"])["names"] == list(data.output.names)
    assert json.loads(facts["input_rule"])["layout"] == "vectors"
    assert facts["sha256"] == teacher.sha256


def test_what_cannot_be_written_is_refused_with_every_reason(tmp_path: Path) -> None:
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    odd = nn.Sequential(nn.Flatten(), Doubled(12, 6), nn.GELU(), nn.Linear(6, 4).double())
    path = tmp_path / "t.onnx"
    with pytest.raises(InputError) as caught:
        sw.write_onnx(TorchTeacher(odd, (1, 3, 4), "odd"), path)
    message = str(caught.value)
    assert "1: Doubled has no operator here; may be: BatchNorm1d, " in message
    assert "2: GELU has no operator here" in message
    assert "3.weight: is float64; make it float32" in message
    assert message.endswith("; write it with torch.onnx.export(network.eval(), ...), as docs/teachers.md says")
    with pytest.raises(InputError, match="has not seen any data yet"):
        sw.write_onnx(Teacher.from_module(nn.Sequential(nn.Flatten(), nn.Linear(12, 4))), path)
    with pytest.raises(InputError, match="in other channels or of another size"):
        grey = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(4, 4))
        sw.write_onnx(Teacher.from_module(grey, (1, 3, 4), channels=3), path)
    with pytest.raises(
        InputError, match=r"network: is a Linear, and must be a ChipNetwork, from sw.lower, or a Teacher"
    ):
        sw.write_onnx(nn.Linear(2, 2), path)
    assert not path.exists()


def test_a_model_and_a_spiking_network_are_no_teachers_to_write(tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    sw.write_onnx(TorchTeacher(network_of("mlp"), SHAPES["mlp"], "mlp"), path)
    with pytest.raises(InputError, match=f"is an ONNX model already; copy {path}"):
        sw.write_onnx(OnnxTeacher(path, SHAPES["mlp"], 7), tmp_path / "u.onnx")


def test_the_teacher_of_a_training_is_kept_and_teaches_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, student = tmp_path / "teacher.onnx", str(tmp_path / "s.pt")
    small = ["--data", "digits", "--width", "4", "-T", "2", "--epochs", "1", "--architecture", "mlp", "-o", student]
    assert (
        main(["distill", *small, "--teacher", "mlp", "--teacher-epochs", "1", "--keep-teacher", str(kept), "--json"])
        == 0
    )
    out, err = capsys.readouterr()
    assert f"{kept}: the teacher mlp on digits\n" in err
    by_torch = json.loads(out)["teacher_validation_accuracy"]
    digits = sw.load("digits")
    teacher = train_teacher(digits, "mlp", epochs=1)
    seen = torch.from_numpy(digits.test.samples[:50])
    torch.testing.assert_close(teacher_from(str(kept), digits).logits(seen), teacher.logits(seen), **CLOSE)
    assert main(["distill", *small, "--teacher", str(kept), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["teacher_validation_accuracy"] == by_torch
    again = tmp_path / "again.onnx"
    finished = ["--teacher", "mlp", "--teacher-epochs", "1", "--keep-teacher", str(again)]
    assert main(["distill", *small, *finished]) == 0
    assert again.read_bytes() == kept.read_bytes()
    again.unlink()
    assert main(["distill", *small, *finished, "--resume"]) == 0
    assert again.read_bytes() == kept.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep-teacher", "t.pt"], "--keep-teacher t.pt: must end in .onnx, by which a teacher's file is recognised"),
        (["--method", "none", "--keep-teacher", "t.onnx"], "--method none uses no teacher; leave it out"),
        (
            ["--teacher", "snn", "--keep-teacher", "t.onnx"],
            "the teacher snn is none that is trained here; it is for mlp",
        ),
        (
            ["--teacher", "other.onnx", "--keep-teacher", "t.onnx"],
            "the teacher other.onnx is none that is trained here",
        ),
    ],
)
def test_a_teacher_that_cannot_be_kept_is_refused_before_any_training(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.onnx").write_bytes(b"a model")
    for verb in ("distill", "run"):
        assert main([verb, "--data", "digits", *words]) == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if not path.name.startswith(".")] == ["other.onnx"]


def written_and_own(network: nn.Module, shape: tuple[int, int, int], folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the model that is written, in onnxruntime, and of the network itself."""
    sw.write_onnx(Teacher.from_module(network, shape), folder / "t.onnx")
    session = onnxruntime.InferenceSession((folder / "t.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"samples": images(shape).numpy()})
    with torch.no_grad():
        return found, network.eval()(images(shape)).numpy()


def test_a_module_that_is_used_twice_is_written_twice(tmp_path: Path) -> None:
    torch.manual_seed(0)
    relu, block = nn.ReLU(), nn.Sequential(nn.Linear(16, 16), nn.ReLU())
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), relu, block, nn.Linear(16, 16), relu, block)
    network.append(nn.Linear(16, 5))
    found, own = written_and_own(network, (1, 3, 4), tmp_path)
    np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-6)
    kinds = [node.op_type for node in onnx.load(tmp_path / "t.onnx").graph.node]
    assert (kinds.count("MatMul"), kinds.count("Relu")) == (5, 4)
    teacher, again = Teacher.from_module(network, (1, 3, 4)), OnnxTeacher(tmp_path / "t.onnx", (1, 3, 4), 5)
    ours, theirs = (each.features(images((1, 3, 4)), ["2", "3", "3.1"]) for each in (teacher, again))
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, **CLOSE)


def test_the_weight_that_acts_is_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(),
        nn.utils.parametrizations.spectral_norm(nn.Linear(12, 8)),
        nn.utils.prune.l1_unstructured(nn.Linear(8, 6), "weight", 20),
    )
    with torch.no_grad():  # the weights that hooks make can be copied then
        network(images((1, 3, 4)))
    found, own = written_and_own(network, (1, 3, 4), tmp_path)
    np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-6)


def test_hooks_are_refused_with_their_modules(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 4))

    def doubled(module: nn.Module, taken: object, given: torch.Tensor) -> torch.Tensor:
        return 2 * given

    network[1].register_forward_hook(doubled)
    network.register_forward_pre_hook(lambda module, taken: (3 * taken[0],))
    with pytest.raises(InputError) as caught:
        sw.write_onnx(Teacher.from_module(network, (1, 3, 4)), tmp_path / "t.onnx")
    assert "1: has a forward hook (doubled), which is code and would be left out; remove it first" in str(caught.value)
    assert "has a forward hook (<lambda>)" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_model_with_other_answers_is_not_written(tmp_path: Path) -> None:
    """A forward function of one instance, which no class and no hook tells of."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4, bias=False), nn.Identity())
    nn.init.constant_(network[1].weight, 1.0)
    network[2].forward = lambda x: x + 1.5
    with pytest.raises(InputError, match=r"answers differently in onnxruntime, by up to 1\.5 where .* so nothing is "):
        sw.write_onnx(Teacher.from_module(network, (1, 3, 4)), tmp_path / "t.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flattening",
    [
        [nn.Flatten(2), nn.Flatten()],
        [nn.Flatten(1, 2), nn.Linear(4, 2), nn.Flatten(-2)],
        [nn.Flatten(1, 1), nn.Flatten(2, -1), nn.Flatten(start_dim=-2, end_dim=-1)],
    ],
    ids=["from axis 2", "to axis 2", "axis by axis"],
)
def test_every_flattening_of_samples_is_written(flattening: list[nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    features = nn.Sequential(*flattening)(images((2, 3, 4))).shape[1]
    network = nn.Sequential(*flattening, nn.Linear(features, 5))
    found, own = written_and_own(network, (2, 3, 4), tmp_path)
    np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(7, 10), (8, 9), (11, 6)])
@pytest.mark.parametrize("options", [(2, 2, 0, 1), (3, 2, 1, 1), (3, 4, 1, 1), (2, 3, 1, 2), (2, 3, 1, 3)])
def test_a_pooling_that_rounds_up_is_written(
    options: tuple[int, int, int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    pooling = nn.MaxPool2d(*options, ceil_mode=True)
    shape = (1, *size)
    features = nn.Flatten()(pooling(images(shape))).shape[1]
    found, own = written_and_own(nn.Sequential(pooling, nn.Flatten(), nn.Linear(features, 5)), shape, tmp_path)
    np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-6)


def test_layers_that_mix_the_samples_of_a_batch_are_refused(tmp_path: Path) -> None:
    odd = nn.Sequential(nn.Flatten(2), nn.MaxPool2d((1, 2)), nn.Flatten(), nn.Linear(12, 4))
    with pytest.raises(InputError, match=r"1: MaxPool2d gets 3 axes and takes .* before it; write it with torch\.onnx"):
        sw.write_onnx(Teacher.from_module(odd, (2, 3, 4)), tmp_path / "t.onnx")
    assert not list(tmp_path.iterdir())
