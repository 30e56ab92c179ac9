"""A teacher of one's own from the command line, to a certified chip network; and what new users get wrong about it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from spikewright.commands.cli import main
from spikewright.data.load import load

NET = """
from torch import nn


def build(classes):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, classes)
    )


def seven():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))


def large():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def weights():
    return build(10).state_dict()


class Rows(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, classes)

    def forward(self, rows):
        return self.head(self.lstm(rows)[0][:, -1])


class Distances(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.places = nn.Parameter(nn.init.normal_(nn.Linear(64, classes).weight.detach()))

    def forward(self, images):
        import torch

        return -torch.cdist(images.flatten(1), self.places)
"""
SMALL = ("--data", "digits", "--width", "4", "-T", "2", "--epochs", "1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named as a user in their folder names them."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)


def built(name: str, *arguments: int) -> nn.Module:
    names: dict[str, Callable[..., nn.Module]] = {}
    exec(compile(NET, "net.py", "exec"), names)
    torch.manual_seed(0)
    return names[name](*arguments)


def trained(network: nn.Module, see: Callable[[Tensor], Tensor] = lambda images: images) -> nn.Module:
    """The network after 60 steps on the whole training part of digits."""
    part = load("digits").train
    images, labels = see(torch.from_numpy(np.asarray(part.samples))), torch.from_numpy(part.labels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval()


@pytest.mark.parametrize("on_lava", ["0", pytest.param("3", marks=pytest.mark.lava)])
def test_a_state_dict_to_a_certified_chip_network(on_lava: str, capsys: pytest.CaptureFixture[str]) -> None:
    if on_lava != "0":
        pytest.importorskip("lava")
    network = trained(built("build", 10))
    lightning = {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in network.state_dict().items()}}
    torch.save(lightning, "teacher.ckpt")
    words = ("--teacher", "net.py:build", "--teacher-weights", "teacher.ckpt", "--samples-lava", on_lava, "-o", "out")
    assert main(["run", *SMALL, *words, "--json"]) == 0
    out, err = capsys.readouterr()
    said = err.splitlines()
    assert "assumed: teacher.ckpt: state_dict of the checkpoint is used; left out: epoch" in said
    assert "assumed: teacher.ckpt: the prefix 'model.' taken off its names" in said
    assert (
        "assumed: net.py:build with teacher.ckpt takes samples of 1 x 8 x 8 as images (B, C, H, W), not normalised"
    ) in said
    assert any(line.startswith("teacher: net.py:build with teacher.ckpt, validation accuracy 9") for line in said)
    assert any(line.startswith("certified: ") for line in said)
    verdict = json.loads(out)
    compared = [found for found in verdict["mismatches"].values() if found is not None]
    assert compared == ([0] if on_lava == "0" else [0, 0, 0])
    assert verdict["accuracy"]["teacher"] > 0.9
    report = json.loads(Path("out/report.json").read_text())["reports"][0]
    assert report["ann"]["teacher_macs"] == 8 * 64 * 9 + 128 * 10


def test_a_recurrent_teacher_is_counted_up_to_the_model_card(capsys: pytest.CaptureFixture[str]) -> None:
    """12,448 multiply-accumulates over eight rows of a digit, where earlier versions counted the last layer's 160."""
    torch.save(trained(built("Rows", 10), lambda images: images[:, 0]).state_dict(), "rows.pt")
    words = ("--teacher", "net.py:Rows", "--teacher-weights", "rows.pt", "--teacher-layout", "series")
    assert main(["distill", *SMALL, *words, "-o", "s.pt"]) == 0
    assert main(["to-nir", "s.pt", "-o", "s.nir"]) == 0
    assert "12,448 multiply-accumulates per inference" in Path("s.md").read_text()
    assert main(["lower", "s.nir", "-p", "loihi2-assumed", "-o", "s.h5"]) == 0
    assert main(["simulate", "s.h5", "--data", "digits", "-o", "a.json"]) == 0
    assert main(["report", "a.json", "s.h5", "-p", "cmos45"]) == 0
    assert "ANN teacher: 12,448 MACs, 57.26 nJ per inference" in capsys.readouterr().out


def test_an_operator_that_is_not_counted_is_named_in_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(built("Distances", 10).state_dict(), "d.pt")
    words = ("--teacher", "net.py:Distances", "--teacher-weights", "d.pt", "--samples-lava", "0", "-o", "out")
    assert main(["run", *SMALL, *words, "--profile", "loihi1-davies"]) == 0
    report = json.loads(Path("out/report.json").read_text())["reports"][0]
    assert report["ann"]["teacher_macs_unknown"] == ["aten::_cdist_forward"]
    page = " ".join(Path("out/report.html").read_text().split())
    assert "The teacher takes at least 0 (not counted: aten::_cdist_forward)." in page


# What new users do first.

WAYS = (
    "give --teacher net.py:build with --teacher-weights w.pt, where build() returns the network and w.pt is "
    "torch.save(network.state_dict(), 'w.pt'); or an ONNX model, torch.onnx.export(network.eval(), (samples[:1],), "
    "'model.onnx')"
)
KERAS = (
    "write it as ONNX, network.export('model.onnx', format='onnx') in Keras 3, or python -m tf2onnx.convert for a "
    "saved model, and give --teacher model.onnx"
)
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(40)


def onnx_of(*shape: int, path: str = "model.onnx") -> None:
    """A model of one matrix whose output has this shape for one image."""
    size = int(np.prod(shape))
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["row"]),
            helper.make_node("Reshape", ["row", "shape"], ["map"]),
        ],
        "model",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", *shape])],
        [
            numpy_helper.from_array(np.ones((64, size), np.float32), "w"),
            numpy_helper.from_array(np.array([-1, *shape]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def saved(content: object, path: str) -> None:
    torch.save(content, path)


def keras_archive(path: str) -> None:
    """The members that Keras 3 writes, empty."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "")


MISTAKES: dict[str, tuple[Callable[[], object], str, str]] = {
    "a whole network in a pickle": (
        lambda: saved(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "model.pth"),
        "--teacher model.pth",
        "teacher model.pth: holds an object of class torch.nn.modules.container.Sequential in a pickle, as "
        f"torch.save(network) writes it, and code that a file names is not run; {WAYS}",
    ),
    "a whole network as weights": (
        lambda: saved(nn.Linear(64, 10), "model.pth"),
        "--teacher net.py:build --teacher-weights model.pth",
        "model.pth: holds an object of class torch.nn.modules.linear.Linear in a pickle, as torch.save(network) writes "
        f"it, and code that a file names is not run; {WAYS}",
    ),
    "TorchScript": (
        lambda: torch.jit.script(nn.Linear(64, 10)).save("model.pt"),
        "--teacher model.pt",
        "teacher model.pt: is a program (TorchScript, or torch.export), which is code, and code in a file is not run; "
        f"{WAYS}",
    ),
    "weights without their network": (
        lambda: saved(built("build", 10).state_dict(), "w.pt"),
        "--teacher w.pt",
        "teacher w.pt: holds weights and no network; name the function that builds the network, --teacher net.py:build "
        "or --teacher torchvision:NAME, and give --teacher-weights w.pt; or give an ONNX model, "
        "torch.onnx.export(network.eval(), (samples[:1],), 'model.onnx')",
    ),
    "weights of another architecture": (
        lambda: saved(built("Rows", 10).state_dict(), "w.pt"),
        "--teacher net.py:build --teacher-weights w.pt",
        "w.pt: does not fit net.py:build: 4 missing: 0.weight, 0.bias, 4.weight and 1 more; 6 unexpected: "
        "lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0 and 3 more; give the function that built the network of "
        "these weights",
    ),
    "weights for other classes": (
        lambda: saved(built("build", 7).state_dict(), "w.pt"),
        "--teacher net.py:build --teacher-weights w.pt",
        "w.pt: does not fit net.py:build: 2 of another shape: 4.weight is (7, 128) and should be (10, 128), 4.bias is "
        "(7,) and should be (10,); give the function that built the network of these weights",
    ),
    "Keras": (
        lambda: Path("model.h5").write_bytes(HDF5),
        "--teacher model.h5",
        f"teacher model.h5: is a Keras model or another HDF5 file, which is not run here; {KERAS}",
    ),
    "Keras 3": (
        lambda: keras_archive("model.keras"),
        "--teacher model.keras",
        f"teacher model.keras: is a Keras model or another HDF5 file, which is not run here; {KERAS}",
    ),
    "TensorFlow": (
        lambda: (Path("saved").mkdir(), Path("saved/saved_model.pb").touch()),
        "--teacher saved",
        f"teacher saved: is a TensorFlow saved model, which is not run here; {KERAS}",
    ),
    "an ONNX model that segments": (
        lambda: onnx_of(10, 8, 8),
        "--teacher model.onnx",
        "model.onnx: its output 'map' has shape (10, 8, 8) per image, the data set has 10 classes and needs (10,); use "
        "a model trained for these classes",
    ),
    "an ONNX model for other classes": (
        lambda: onnx_of(7),
        "--teacher model.onnx",
        "model.onnx: its output 'map' has shape (7,) per image, the data set has 10 classes and needs (10,); use a "
        "model trained for these classes",
    ),
    "another number of classes": (
        lambda: None,
        "--teacher net.py:seven",
        "teacher net.py:seven: distinguishes 7 classes, and digits has 10; give a teacher for these classes",
    ),
    "another size of input": (
        lambda: None,
        "--teacher net.py:large",
        "teacher net.py:large: cannot be run on samples of 1 x 8 x 8, taken as images (B, C, H, W), not normalised "
        "(mat1 and mat2 shapes cannot be multiplied (3x64 and 784x10)); give a network for them, or say how it takes "
        "them: --teacher-layout may be series (B, T, C), channels (B, C, T), vectors (B, F)",
    ),
    "a function that returns weights": (
        lambda: None,
        "--teacher net.py:weights",
        "teacher 'net.py:weights': returns an object of type OrderedDict, and must return a torch.nn.Module; build the "
        "network there, and give the weights' file by --teacher-weights",
    ),
    "a file without its function": (
        lambda: None,
        "--teacher net.py",
        "teacher net.py: say which function in it builds the network, as in --teacher net.py:build",
    ),
    "weights that are not there": (
        lambda: None,
        "--teacher net.py:build --teacher-weights w.pt",
        "--teacher-weights w.pt: there is no file w.pt",
    ),
    "weights for a teacher that is trained here": (
        lambda: saved(built("build", 10).state_dict(), "w.pt"),
        "--teacher convnet --teacher-weights w.pt",
        "distill: --teacher-weights w.pt: is for a network from files, file.py:function, torchvision:NAME or an ONNX "
        "model, and the teacher is convnet; leave it out",
    ),
    "torchvision without anything": (
        lambda: None,
        "--teacher torchvision:resnet18",
        "distill: 2 faults\n"
        "  - nothing is downloaded for torchvision:resnet18; give the file of its state dict, --teacher-weights w.pt\n"
        "  - say how the images of its training were normalised: --teacher-normalize imagenet, as those of "
        "torchvision's own weights, --teacher-normalize none, or --teacher-normalize MEAN/STD",
    ),
    "epochs of a trained teacher": (
        lambda: None,
        "--teacher net.py:build --teacher-epochs 3",
        "distill: --teacher-epochs 3: net.py:build is already trained; leave it out",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_new_users_in_one_message(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    prepare, words, message = MISTAKES[name]
    prepare()
    assert main(["distill", *SMALL, *words.split(), "-o", "student.pt"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.replace("(addmm: mat1", "(mat1") == f"error: {message}\n", "newer versions of torch name the operator"
    assert not Path("student.pt").exists()


@pytest.mark.slow
def test_a_network_of_torchvision_with_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    from torchvision import models

    saved(models.resnet18(weights=None, num_classes=10).state_dict(), "r.pth")
    words = ["--teacher", "torchvision:resnet18", "--teacher-weights", "r.pth", "--teacher-normalize", "imagenet"]
    assert main(["distill", *SMALL, *words, "-o", "s.pt"]) == 2
    assert capsys.readouterr().err == (
        "error: teacher torchvision:resnet18 with r.pth: --teacher-normalize: is for 3 channels, and the network takes "
        "1; give one number, or one for each channel, or --teacher-channels 3 to copy that of grey images\n"
    )
    few = ("--train-samples", "128", "--method", "kd")
    assert main(["distill", *SMALL, *few, *words, "--teacher-channels", "3", "--teacher-size", "32", "-o", "s.pt"]) == 0
    assert (
        "assumed: torchvision:resnet18 with r.pth takes samples of 1 x 8 x 8 as images (B, C, H, W), with 3 channels, "
        "at 32 x 32 pixels, normalised by mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225"
    ) in capsys.readouterr().err
    saved(models.resnet18(weights=None).state_dict(), "r.pth")
    assert main(["distill", *SMALL, *words, "--teacher-channels", "3", "-o", "s.pt"]) == 2
    assert "distinguishes 1000 classes, and digits has 10" in capsys.readouterr().err
