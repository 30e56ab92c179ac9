"""Weights of an ANN as the beginning of a student: matched layer by layer, thresholds balanced on data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.commands.cli import main
from spikewright.student.accuracy import accuracy_of
from spikewright.student.student import student_provenance
from spikewright.training.ann_weights import EPS, LayerWeights, begin_with, read_ann
from spikewright.training.fine_tuning import RATE, with_start
from spikewright.training.objects import objects_of
from spikewright.training.settings import DistillSettings


@pytest.fixture(scope="module")
def ann() -> nn.Sequential:
    """An ANN of digits with 32 hidden units in each of two layers."""
    torch.manual_seed(0)
    layers = [nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)]
    network, data = nn.Sequential(nn.Flatten(), *layers), sw.load("digits")
    x, y = torch.from_numpy(data.train.samples[:]), torch.from_numpy(data.train.labels[:])
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(8):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
    return network


def student(architecture: str = "mlp", width: int = 32, **more: Any) -> sw.Student:
    torch.manual_seed(1)
    return sw.Student(sw.StudentConfig(architecture, width, (1, 8, 8), 10, 4, **more))


def test_a_student_answers_as_the_ann_before_any_training(ann: nn.Sequential, tmp_path: Path) -> None:
    torch.save({"state_dict": {f"net.{name}": value for name, value in ann.state_dict().items()}}, tmp_path / "a.ckpt")
    data, made = sw.load("digits"), student()
    remarks = begin_with(read_ann(tmp_path / "a.ckpt"), made, data)
    assert "net.1 is dense1, net.3 is dense2, net.5 is head" in remarks[-2] and "balanced on 256" in remarks[-1]
    theirs = ann(torch.from_numpy(data.validation.samples[:])).argmax(1).numpy() == data.validation.labels
    assert float(theirs.mean()) > 0.85
    assert accuracy_of(made, data.validation) > float(theirs.mean()) - 0.1
    with torch.no_grad():
        spikes = made(torch.from_numpy(data.train.samples[:64])).spikes
    assert all(0.05 < float(each.mean()) < 0.6 for each in spikes.values()), "no layer starves"
    sw.save_student(made, tmp_path / "s.pt", {})
    again = sw.load_student(tmp_path / "s.pt")
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(again(images).logits, made.eval()(images).logits)


def test_every_kind_of_file_holds_the_same_layers(ann: nn.Sequential, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.save(ann.state_dict(), tmp_path / "a.pt")
    save_file(ann.state_dict(), tmp_path / "a.safetensors")
    torch.onnx.export(ann, torch.rand(1, 1, 8, 8), str(tmp_path / "a.onnx"))
    whole = [read_ann(tmp_path / name) for name in ("a.pt", "a.safetensors", "a.onnx")]
    for found in whole[1:]:
        for one, other in zip(whole[0].layers, found.layers, strict=True):
            assert one.bias is not None and other.bias is not None
            assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)


def test_a_norm_in_weights_by_hand() -> None:
    weight, norm = torch.tensor([[2.0, 4.0]]), tuple(torch.tensor([value]) for value in (3.0, 0.5, 1.0, 9.0 - EPS))
    folded = LayerWeights("l", weight, torch.tensor([7.0]), norm).folded
    assert folded.bias is not None
    assert folded.weight.tolist()[0] == pytest.approx([2.0, 4.0])  # gain 3 / sqrt(9)
    assert float(folded.bias) == pytest.approx((7 - 1) * 1 + 0.5)


@pytest.mark.parametrize("encoding", ["direct", "current", "rate"])
@pytest.mark.parametrize("architecture", ["convnet", "skipnet"])
def test_norms_and_paths_that_join(architecture: str, encoding: str, tmp_path: Path) -> None:
    given = student(architecture, 3, encoding=encoding)
    for module in given.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.05, 0.2)
            nn.init.uniform_(module.bias, 0.0, 0.3)
    names = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
    state = {
        f"{name}.{key}": value
        for name, module in given.network.named_modules()
        if isinstance(module, names)
        for key, value in module.state_dict().items()
    }
    torch.save(state, tmp_path / "a.pt")
    made = student(architecture, 3, encoding=encoding)
    begin_with(read_ann(tmp_path / "a.pt"), made, sw.load("digits"))
    with torch.no_grad():
        spikes = made(torch.from_numpy(sw.load("digits").train.samples[:64])).spikes
    assert all(bool(each.any()) for each in spikes.values())


def test_what_does_not_fit_is_refused(ann: nn.Sequential, tmp_path: Path) -> None:
    torch.save(ann.state_dict(), tmp_path / "a.pt")
    found, data = read_ann(tmp_path / "a.pt"), sw.load("digits")
    with pytest.raises(InputError, match="has shape") as raised:
        begin_with(found, student(width=16), data)
    assert len(str(raised.value).splitlines()) == 4, "all layers at once"
    with pytest.raises(InputError, match="has 3 layers"):
        begin_with(found, student("convnet", 4), data)
    torch.save({"norm.weight": torch.ones(4), "norm.bias": torch.ones(4)}, tmp_path / "n.pt")
    with pytest.raises(InputError, match="no dense layer"):
        read_ann(tmp_path / "n.pt")
    spoilt = {name: value * float("nan") for name, value in ann.state_dict().items()}
    torch.save(spoilt, tmp_path / "nan.pt")
    with pytest.raises(InputError, match="NaN"):
        read_ann(tmp_path / "nan.pt")
    silent = {name: value * 0 for name, value in ann.state_dict().items()}
    torch.save(silent, tmp_path / "zero.pt")
    with pytest.raises(InputError, match="never fire"):
        begin_with(read_ann(tmp_path / "zero.pt"), student(), data)
    with pytest.raises(InputError, match="holds weights and no network"):
        with_start(DistillSettings.of(init=tmp_path / "a.pt", teacher="init"))


def test_distill_begins_with_an_ann(ann: nn.Sequential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(ann.state_dict(), "a.pt")
    settings = with_start(DistillSettings.of(init=Path("a.pt")))
    assert settings.student.width == 32 and settings.training.learning_rate == RATE
    ann_read = objects_of(settings).ann
    assert ann_read is not None and "smaller rate" in ann_read.remarks[-1]
    words = ["--data", "digits", "--train-samples", "120", "--architecture", "mlp", "--method", "none"]
    words = ["distill", *words, "--init", "a.pt", "--epochs", "1", "--rounds", "0", "-o", "s.pt"]
    assert main(words) == 0
    facts = student_provenance("s.pt")
    assert facts["init"] == "a.pt" and len(str(facts["init_sha256"])) == 64
    assert sw.load_student("s.pt").config.width == 32
    assert main([*words, "--resume"]) == 0
