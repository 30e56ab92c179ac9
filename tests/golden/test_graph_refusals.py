"""What is said about graphs that cannot be read, exported or lowered: whole transcripts, kept in ``graphs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from torch import nn

from spikewright.base.errors import SpikewrightError
from spikewright.commands.cli import main
from spikewright.graph.nir_io import write_graph
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import integrator
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir

FOLDER = Path(__file__).with_name("graphs")


def student(network: nn.Module | None = None, encoding: str = "direct") -> Student:
    torch.manual_seed(0)
    return Student(StudentConfig("mlp", 4, (1, 6, 6), 3, 4, encoding), network).eval()


def graph(path: Path, encoding: str = "direct") -> Path:
    write_graph(to_nir(student(encoding=encoding)), path)
    return path


def damaged(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(graph(path), "a") as file:
        change(file)
    return path


def unknown_node(file: h5py.File) -> None:
    for name in ("lif1", "lif2"):
        del file[f"node/nodes/{name}/type"]
        file[f"node/nodes/{name}/type"] = "Izhikevich"


def dangling_edge(file: h5py.File) -> None:
    edges = file["node/edges"][()]
    del file["node/edges"]
    file["node/edges"] = [*edges.tolist(), [b"lif1", b"lif9"]]


def truncated(path: Path) -> Path:
    path.write_bytes(graph(path).read_bytes()[:-200])
    return path


def not_hdf5(path: Path) -> Path:
    path.write_text("<html>404</html>", encoding="utf-8")
    return path


def another_hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["layer/0/type"] = "input"
    return path


def unbalanced(path: Path) -> Path:
    made = to_nir(student())
    made.nodes["short"] = nir.Linear(np.ones((4, 36), np.float32))
    made.edges += [("flatten" if "flatten" in made.nodes else "input", "short"), ("short", "lif2")]
    write_graph(made, path)
    return path


def subtracting(path: Path) -> Path:
    made = to_nir(student())
    made.metadata |= {"reset": "subtract", "encoding": "rate"}
    write_graph(made, path)
    return path


LOWERED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda path: path, "loihi2"),
    "truncated": (truncated, "loihi2"),
    "not_hdf5": (not_hdf5, "loihi2"),
    "another_hdf5": (another_hdf5, "loihi2"),
    "unknown_node": (lambda path: damaged(path, unknown_node), "loihi2"),
    "dangling_edge": (lambda path: damaged(path, dangling_edge), "loihi2"),
    "direct_without_graded_spikes": (graph, "loihi1-davies"),
    "reset_by_subtraction": (subtracting, "loihi1-davies"),
    "graded_input_that_waits": (unbalanced, "loihi2"),
}


def maxpool() -> nn.Module:
    return nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9, 3), integrator())


EXPORTED = {"maxpool": maxpool}


def kept(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_nothing_is_kept_that_no_case_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == LOWERED.keys() | EXPORTED.keys()


@pytest.mark.parametrize("name", LOWERED)
def test_lowering(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, profile = LOWERED[name]
    path = make(tmp_path / "graph.nir")
    code = main(["lower", str(path), "--profile", profile, "-o", str(tmp_path / "chip.h5")])
    out, err = capsys.readouterr()
    said = f"$ spikewright lower graph.nir --profile {profile} -o chip.h5\n{out}{err}exit {code}\n"
    assert said.replace(f"{tmp_path}/", "") == kept(name)
    assert not (tmp_path / "chip.h5").exists()


@pytest.mark.parametrize("name", EXPORTED)
def test_export(name: str) -> None:
    with pytest.raises(SpikewrightError) as caught:
        to_nir(student(EXPORTED[name]()))
    assert f"{caught.value}\nexit {caught.value.exit_code}\n" == kept(name)
