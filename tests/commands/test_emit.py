"""`lower --emit`: a chip network in the formats of other tools, beside its own file."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import spikewright as sw
from spikewright.chip.chip_file import load_chip
from spikewright.commands.cli import main
from spikewright.exchange.lava_script import script
from spikewright.exchange.writers import WRITERS, Writer, described
from spikewright.graph.nir_io import write_graph
from spikewright.simulation import integer
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The graph of a small student without a skip."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(2)
    write_graph(sw.to_nir(Student(StudentConfig("convnet", 2, (1, 8, 8), 3, 4, "events"))), "student.nir")
    return Path("student.nir")


Say = Callable[..., str]


@pytest.fixture
def lowered(graph: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """What `lower` says of the graph with these flags."""

    def lower(*flags: str, code: int = 0, file: str = "student.nir") -> str:
        assert main(["lower", file, "-o", "chip.h5", *flags]) == code
        said = capsys.readouterr()
        return said.out + said.err

    return lower


def test_both_formats_lie_beside_the_chip_network(lowered: Say) -> None:
    said = lowered("--emit", "netx", "--emit", "lava")
    assert said.split()[-3:] == ["chip.h5", "chip.net", "chip_lava"]
    assert sorted(path.name for path in Path("chip_lava").iterdir()) == ["network.npz", "run.py"]
    ast.parse(Path("chip_lava/run.py").read_text())
    own, read = load_chip("chip.h5"), sw.read_netx("chip.net")
    assert [c.weight.ravel().tolist() for c in read.connections] == [c.weight.ravel().tolist() for c in own.connections]
    with np.load("chip_lava/network.npz") as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.int32)}


def test_the_same_network_gives_the_same_bytes(lowered: Say) -> None:
    lowered("--emit", "netx", "--emit", "lava")
    files = [Path("chip.net"), Path("chip_lava/run.py"), Path("chip_lava/network.npz")]
    before = [file.read_bytes() for file in files]
    said = json.loads(lowered("--emit", "netx", "--emit", "lava", "--json").partition("\nassumed")[0])
    assert said["emitted"] == {"netx": "chip.net", "lava": "chip_lava"}
    assert [file.read_bytes() for file in files] == before


def test_a_network_that_a_format_cannot_hold_is_refused_before_anything_is_written(
    lowered: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_graph(sw.to_nir(Student(StudentConfig("skipnet", 2, (1, 8, 8), 3, 4, "events"))), "skips.nir")
    said = lowered("--emit", "lava", "--emit", "netx", code=2, file="skips.nir")
    assert said.count("--emit netx: population") > 1
    assert "the format holds chains only" in said
    assert not [path for path in Path().iterdir() if path.name.startswith("chip")]
    monkeypatch.setitem(WRITERS, "none", Writer(lambda *_: None, lambda _: ["is one", "is another"], ".none", "x"))
    assert lowered("--emit", "none", code=2).splitlines() == [
        "error: emit: 2 faults", "  - --emit none: is one", "  - --emit none: is another",
    ]  # fmt: skip
    assert not Path("chip.h5").exists()


def test_formats_and_places_that_are_none(lowered: Say) -> None:
    assert "--emit onx: there is no such format; did you mean 'onnx'? may be: lava, netx, onnx" in lowered(
        "--emit", "onx", code=2
    )
    assert main(["lower", "student.nir", "-o", "chip.net", "--emit", "netx"]) == 2
    Path("chip_lava").write_text("a file")
    assert "chip_lava: is there and is no folder, which --emit lava makes; move it away" in lowered(
        "--emit", "lava", code=2
    )


def test_the_help_lists_every_format() -> None:
    assert described() == (
        "netx: a file for lava-dl, CHIP.net; lava: a folder with a script for Lava, CHIP_lava; onnx: an ONNX model of "
        "all timesteps on integers, CHIP.onnx"
    )


def test_the_onnx_model_beside_a_network_gives_its_scores(lowered: Say) -> None:
    said = lowered("--emit", "onnx")
    assert said.split()[-2:] == ["chip.h5", "chip.onnx"]
    chip, session = load_chip("chip.h5"), onnxruntime.InferenceSession("chip.onnx", providers=["CPUExecutionProvider"])
    drive = np.random.default_rng(0).integers(0, 2, (chip.timesteps, 6, *chip.input.shape))
    (scores,) = session.run(["scores"], {"input": np.moveaxis(drive, 0, 1)})
    np.testing.assert_array_equal(scores, integer.run(chip, drive).scores)
    before = Path("chip.onnx").read_bytes()
    lowered("--emit", "onnx")
    assert Path("chip.onnx").read_bytes() == before


def test_an_onnx_model_is_the_one_that_python_writes(lowered: Say) -> None:
    lowered("--emit", "onnx")
    sw.write_onnx(load_chip("chip.h5"), "again.onnx")
    assert Path("again.onnx").read_bytes() == Path("chip.onnx").read_bytes()


def test_what_stands_in_a_network_is_text_in_the_script(graph: Path, tmp_path: Path) -> None:
    """Names and the profile come out of a file, and nothing in a file is run."""
    evil = '"""\nimport os\nos.system("touch ran")\n<<VERSION>>\'\'\''
    chip = sw.lower(graph)
    names = {p.name: f"{p.name}{evil}" for p in chip.populations}
    odd = replace(
        chip,
        profile=evil,
        populations=tuple(replace(p, name=names[p.name]) for p in chip.populations),
        connections=tuple(replace(c, source=names[c.source], target=names[c.target]) for c in chip.connections),
    )
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(script(odd))) if isinstance(node, ast.Call)}
    assert calls == {ast.unparse(node.func) for node in ast.walk(ast.parse(script(chip))) if isinstance(node, ast.Call)}
    assert "os.system" not in calls


def test_a_script_that_was_changed_is_not_written_over(lowered: Say) -> None:
    lowered("--emit", "lava")
    lowered("--emit", "lava")  # the same once more
    changed = Path("chip_lava/run.py")
    changed.write_text(changed.read_text() + "# mine\n")
    files = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    said = lowered("--emit", "lava", code=2)
    assert "chip_lava/run.py: is there and is not what would be written; it may hold changes of yours; move or" in said
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == files
    changed.unlink()
    assert "chip_lava/network.npz: is there without a run.py" in lowered("--emit", "lava", code=2)


@pytest.mark.parametrize("folder", ["", ".", "..", "/"])
def test_a_script_has_a_folder_of_its_own(folder: str, graph: Path) -> None:
    before = sorted(Path().iterdir())
    with pytest.raises(sw.InputError, match=r"folder: is '[./]*'; name a folder of its own for the script, such as "):
        sw.write_lava(sw.lower(graph), folder)
    with pytest.raises(sw.InputError, match="name a folder of its own"):
        sw.write_lava(sw.lower(graph), Path.cwd())
    assert sorted(Path().iterdir()) == before
