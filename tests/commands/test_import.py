"""`spikewright import`: a trained network of snnTorch enters with its weights and reaches the chip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.own_code import named_in
from spikewright.chip.activity_file import load_activity
from spikewright.commands import cli

NET = """
import snntorch as snn
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, hidden), snn.Leaky(beta=0.9, reset_mechanism="zero")
        self.fc2, self.lif2 = nn.Linear(hidden, 10), snn.Leaky(beta=0.9, reset_mechanism="zero")

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk_rec, mem_rec = [], []
        for step in range(8):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec, dim=0), torch.stack(mem_rec, dim=0)

def build():
    return Net()

def pooled():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.LayerNorm(3), snn.Alpha(alpha=0.9, beta=0.8))

def broken():
    raise RuntimeError("no such thing")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``net.py`` and its weights, trained for a few epochs as tutorial 5 does."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NET)
    torch.manual_seed(0)
    network: nn.Module = named_in(f"{folder / 'net.py'}:build", "network")()
    data = sw.load("digits")
    x, y = torch.from_numpy(data.train.samples[:]).float().flatten(1), torch.from_numpy(data.train.labels[:])
    optimizer, loss = torch.optim.Adam(network.parameters(), 1e-2), nn.CrossEntropyLoss()
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(64):
            spikes, _ = network(x[rows])
            optimizer.zero_grad()
            loss(spikes.sum(0), y[rows]).backward()
            optimizer.step()
    torch.save(network.state_dict(), folder / "w.pt")
    torch.save({"state_dict": {f"net.{k}": v.half() for k, v in network.state_dict().items()}}, folder / "w.ckpt")
    return folder


def test_a_trained_network_goes_to_the_chip(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [f"{trained / 'net.py'}:build", "--weights", str(trained / "w.pt"), "--input-shape", "1,8,8"]
    assert cli.main(["import", *words, "--data", "digits", "-o", "s.pt", "--json"]) == 0
    said = capsys.readouterr()
    made = json.loads(said.out)
    assert made["student"] == "s.pt" and made["proof"]["ties"] == 0 and made["proof"]["fired"] > 5000
    assert made["accuracy"] > 0.8, made
    assert "assumed: lif2: spikes are counted over all steps" in said.err
    (trained / "net.py").rename(trained / "away.py")  # the student's file stands alone
    try:
        assert cli.main(["to-nir", "s.pt", "-o", "s.nir", "--data", "digits", "--no-card"]) == 0
        assert cli.main(["lower", "s.nir", "--profile", "loihi2-assumed", "-o", "chip.h5"]) == 0
        assert cli.main(["simulate", "chip.h5", "--data", "digits", "--samples", "100", "-o", "a.json"]) == 0
    finally:
        (trained / "away.py").rename(trained / "net.py")
    assert (load_activity("a.json").accuracy or 0) > 0.8


def test_weights_of_a_checkpoint_in_half_precision_are_taken(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"{trained / 'net.py'}:build", "--weights", str(trained / "w.ckpt"), "--input-shape", "1,8,8"]
    assert cli.main(["import", *words, "-o", str(tmp_path / "s.pt")]) == 0
    said = capsys.readouterr().err
    assert "state_dict of the checkpoint is used" in said and "the prefix 'net.' taken off its names" in said
    weights = sw.load_student(tmp_path / "s.pt").state_dict()
    assert weights["network.fc1.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{net}:build", "--input-shape", "1,9"], "its forward raises RuntimeError in line"),
        (["{net}:build", "--input-shape", "eight"], "--input-shape: 'eight': must be channels, height and width"),
        (["{net}:build", "--input-shape", "1,8,8", "--readout", "spikes"], "--readout spikes: may be: count, membrane"),
        (["{net}:build", "--input-shape", "1,8,8", "-T", "9"], "runs 8 steps, and --timesteps 9 are asked for"),
        (["{net}:built", "--input-shape", "1,8,8"], "has no function 'built'; did you mean 'build'?"),
        (["{net}:broken", "--input-shape", "1,8,8"], "raises RuntimeError in line 29: no such thing"),
        (
            ["{net}:build", "--input-shape", "1,9,9", "--data", "digits"],
            "--input-shape: says that samples have shape (1, 9, 9), and those of --data digits have (1, 8, 8)",
        ),
        (
            ["{net}:build", "--input-shape", "1,8,8", "--data", "{vectors}"],
            "--input-shape: says that samples have shape (1, 8, 8), and those of --data",
        ),
        (["{net}:pooled", "--input-shape", "1,8,8"], "3: is an Alpha neuron"),
        (["w.pt", "--input-shape", "1,8,8"], "names no function; code that a file of weights names is not run"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(NET)
    np.savez(tmp_path / "vectors.npz", x=np.zeros((30, 50), np.float32), y=np.arange(30) % 10)
    files = {"{net}": tmp_path / "net.py", "{vectors}": tmp_path / "vectors.npz"}
    full = words
    for name, path in files.items():
        full = [word.replace(name, str(path)) for word in full]
    assert cli.main(["import", *full, "-o", str(tmp_path / "s.pt")]) == 2
    error = capsys.readouterr().err
    assert said in error and not (tmp_path / "s.pt").exists(), error
