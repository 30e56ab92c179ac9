"""Whatever CONTRIBUTING's table says can be added: each is added from outside here and driven through the commands."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import nir
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spikewright.base.progress import Advance
from spikewright.base.types import IntArray
from spikewright.chip.chip_file import load_chip
from spikewright.chip.network import ChipNetwork
from spikewright.commands.cli import VERBS, Verb, main
from spikewright.data.dataset import Dataset
from spikewright.data.load import DATASETS, DataSource
from spikewright.data.recipe import Recipe, TeacherRecipe
from spikewright.data.split import Split
from spikewright.distillation.base import BatchOutputs, LossTerms
from spikewright.distillation.losses import cross_entropy, trainable_spikes
from spikewright.distillation.methods import METHODS, REGULARIZERS
from spikewright.graph import nodes
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.lowering import passes, rules
from spikewright.lowering.draft import Draft
from spikewright.profile.profile import HardwareProfile
from spikewright.simulation import integer
from spikewright.simulation.backends import BACKENDS, Backend
from spikewright.simulation.recording import Recording
from spikewright.student.student import student_provenance

QUICK = (
    *("--data", "digits", "--train-samples", "100", "--epochs", "1", "--width", "4", "-T", "2"),
    *("--teacher", "mlp", "--teacher-epochs", "1"),
)


def did(*words: object) -> None:
    """Run a verb that must succeed."""
    assert main([str(word) for word in words]) == 0


def chain(metadata: dict[str, object] | None = None, **between: nir.NIRNode) -> nir.NIRGraph:
    """A graph of eight inputs, the given nodes, six leaky neurons, and ten integrators; made for events of T = 3."""
    ones, random = np.ones(6, np.float32), np.random.default_rng(3)
    named = {
        "input": nir.Input(np.array([1, 1, 8])),
        **between,
        "flatten": nir.Flatten({"input": np.array([1, 6])}, 0, -1),
        "lif": nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones),
        "fc": nir.Linear(random.normal(size=(10, 6)).astype(np.float32)),
        "out": nir.I(r=np.full(10, 1e4)),
        "output": nir.Output(np.array([10])),
    }
    said = {"dt_s": 1e-4, "reset": "zero", "encoding": "events", "readout": "membrane", "timesteps": 3}
    return nir.NIRGraph(named, list(pairwise(named)), metadata=said | (metadata or {}), type_check=False)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph of nodes that are handled: six weights from eight inputs."""
    weight = np.random.default_rng(1).uniform(0.5, 1, (6, 8)).astype(np.float32)
    flat = nir.Flatten({"input": np.array([1, 1, 8])}, 0, -1)
    made = chain(flat=flat, first=nir.Linear(weight))
    made.nodes["flatten"] = nir.Scale(np.ones(6, np.float32))
    write_graph(made, tmp_path / "graph.nir")
    return tmp_path / "graph.nir"


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> str:
    """A data set of two classes: bright above, bright below."""
    random = np.random.default_rng(0)

    def part(count: int) -> Split:
        labels = np.arange(count) % 2
        images = random.uniform(0, 0.3, (count, 1, 4, 4)).astype(np.float32)
        images[labels == 0, :, :2] += 0.6
        images[labels == 1, :, 2:] += 0.6
        return Split(images, labels)

    def load(data_dir: Path | None) -> Dataset:
        assert data_dir is None
        return Dataset("mine", part(64), part(16), part(20), classes=2, shape=(1, 4, 4))

    recipe = Recipe(epochs=26, batch=16, teacher=TeacherRecipe(epochs=2, batch_size=16, augmentation="none"))
    monkeypatch.setitem(DATASETS, "mine", DataSource(load, recipe))
    return "mine"


@pytest.fixture
def chip(graph: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The chip network of ``graph``."""
    path = graph.with_name("chip.h5")
    did("lower", graph, "-o", path)
    capsys.readouterr()
    return path


@pytest.fixture
def eights(monkeypatch: pytest.MonkeyPatch) -> str:
    """Events for ``graph``: eight lines, three steps, ten classes."""
    random = np.random.default_rng(5)

    def load(data_dir: Path | None, timesteps: int | None) -> Dataset:
        assert data_dir is None
        part = Split(random.integers(0, 2, (20, timesteps or 3, 1, 1, 8)).astype(np.uint8), np.arange(20) % 10)
        return Dataset("eights", part, part, part, classes=10, shape=(1, 1, 8), timesteps=timesteps or 3)

    monkeypatch.setitem(DATASETS, "eights", DataSource(load, events=True))
    return "eights"


# A data set


def test_a_data_set(mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student, nir_file, chip, activity = (tmp_path / name for name in ("s.pt", "s.nir", "chip.h5", "activity.json"))
    did("distill", "--data", mine, "--width", "4", "-T", "2", "--teacher", "mlp", "-o", student)
    facts = student_provenance(student)
    training = facts["training"]
    assert isinstance(training, dict)
    assert (training["epochs"], training["batch"], training["augmentation"]) == (26, 16, "none")
    did("to-nir", student, "--data", mine, "--samples", "8", "-o", nir_file)
    did("lower", nir_file, "-o", chip)
    did("simulate", chip, "--data", mine, "-o", activity)
    did("drift", nir_file, chip, "--data", mine, "--samples", "10")
    said = capsys.readouterr().out
    assert "20 test samples" in said
    did("report", activity, chip)


def test_a_data_set_goes_the_whole_way(mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--width", "4", "-T", "2", "--teacher", "mlp", "--samples-lava", "0", "-o", tmp_path / "run", "--json")
    did("run", "--data", mine, *words)
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["samples"]["student"] == verdict["samples"]["integer"] == 20
    assert verdict["mismatches"]["student_integer"] == 0


# A simulator


def half_as_many(
    chip: ChipNetwork, drive: IntArray, *, record_states: bool = False, progress: Advance | None = None
) -> Recording:
    """A simulator of its own: that on integers, with every other spike of the first population lost."""
    recording = integer.run(chip, drive, record_states=record_states, progress=progress)
    first = chip.populations[0].name
    spikes = np.array(recording.spikes[first])
    spikes[:, :, ..., ::2] = 0
    return replace(recording, spikes={**recording.spikes, first: spikes})


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(BACKENDS, "halving", Backend(half_as_many, "loses every other input", exact=False))
    return "halving"


def test_a_simulator(halving: str, eights: str, chip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activity = tmp_path / "activity.json"
    did("simulate", chip, "--data", eights, "--on", halving, "-o", activity)
    assert "warning: the simulator 'halving' is not exact; " in capsys.readouterr().err
    assert json.loads(activity.read_text())["backend"] == halving
    did("report", activity, chip, "--format", "md")
    assert "halving simulation" in capsys.readouterr().out


def test_a_simulator_is_in_refusals(halving: str, chip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(chip), "--on", "halvin"]) == 2
    assert "did you mean 'halving'? may be: halving, integer, lava, netx, or" in capsys.readouterr().err


def test_an_activity_of_a_simulator_that_is_not_here_is_reported(
    halving: str, eights: str, chip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = tmp_path / "activity.json"
    did("simulate", chip, "--data", eights, "--on", halving, "-o", activity)
    monkeypatch.delitem(BACKENDS, halving)
    did("report", activity, chip)


# A torch module

NETWORK = """
import nir
import numpy as np
import torch
from torch import nn

from spikewright.student.modules import node_of
from spikewright.student.neurons import integrator, spiking


class Halved(nn.Module):
    def forward(self, value):
        return torch.mul(value, 0.5)


@node_of.register
def _(module: Halved, shape: tuple) -> nir.NIRNode:
    return nir.Scale(np.full(shape, 0.5, np.float32))


def build(shape, classes, width, settings, readout):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), Halved(), spiking(settings), nn.Linear(width, classes), integrator()
    )
"""


def test_a_torch_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On integers it becomes one matrix with the weights beside it; its node is in the graph of a student in floats."""
    (tmp_path / "network.py").write_text(NETWORK)
    network = f"{tmp_path / 'network.py'}:build"
    student, nir_file, chip, activity = (tmp_path / name for name in ("s.pt", "s.nir", "chip.h5", "activity.json"))
    for more, scales in ([], 0), (["--integer-from", "1"], 1):
        did("distill", *QUICK, "--architecture", network, *more, "-o", student)
        did("to-nir", student, "--network", network, "--samples", "4", "-o", nir_file)
        assert "equal on 4 samples" in capsys.readouterr().err
        assert [type(node).__name__ for node in read_graph(nir_file).nodes.values()].count("Scale") == scales
        did("lower", nir_file, "-o", chip)
        did("simulate", chip, "--data", "digits", "--samples", "10", "-o", activity)


# A NIR node


@pytest.fixture
def delays() -> Iterator[None]:
    """NIR's Delay, which is not handled, made known from outside as weights; taken back afterwards."""

    @nodes.apply.register(nir.Delay)
    def _(node: nir.Delay, value: Tensor) -> Tensor:
        return F.conv1d(value, nodes.tensor(node.delay, value))

    yield
    nodes.apply.register(nir.Delay, nodes.apply.dispatch(object))


@pytest.fixture
def with_delay(tmp_path: Path) -> Path:
    kernel = np.array([[[0.5, -0.25, 1.0]]], np.float32)
    node = nir.Delay(kernel)
    merge = nir.Flatten({"input": np.array([1, 1, 8])}, 0, 1)
    write_graph(chain(merge=merge, conv=node), tmp_path / "delay.nir")
    return tmp_path / "delay.nir"


def test_without_it_the_node_is_refused(with_delay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(with_delay)]) == 1
    assert "is a Delay; handled are Input, LIF," in capsys.readouterr().out


def test_a_nir_node(delays: None, eights: str, with_delay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chip, activity = with_delay.with_name("chip.h5"), with_delay.with_name("activity.json")
    did("check", with_delay)
    did("lower", with_delay, "-o", chip)
    (first, _) = load_chip(chip).connections
    assert first.weight.shape == (6, 8)
    ratio = first.weight[0] / first.weight[0, 2]
    np.testing.assert_allclose(ratio[:4], [0.5, -0.25, 1, 0], atol=0.02)
    did("simulate", chip, "--data", eights, "-o", activity)
    did("drift", with_delay, chip, "--data", eights, "--samples", "10")
    assert "Delay" in nodes.handled()


def test_a_nir_node_is_forgotten_again() -> None:
    assert "Delay" not in nodes.handled()


# A pass


def without_the_first_input(draft: Draft, profile: HardwareProfile) -> Draft:
    """A pass of its own: nothing listens to the first input."""
    first, *others = draft.connections
    weight = first.weight.copy()
    weight[:, 0] = 0
    return replace(draft, connections=(replace(first, weight=weight), *others))


def test_a_pass(graph: Path, eights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, without_the_first_input))
    chip = graph.with_name("chip.h5")
    did("lower", graph, "-o", chip)
    weight = load_chip(chip).connections[0].weight
    assert not weight[:, 0].any()
    assert weight[:, 1:].all()
    did("drift", graph, chip, "--data", eights, "--samples", "10")


# A design rule


def few_neurons(draft: Draft) -> Iterator[str]:
    """A rule of its own."""
    for population in draft.populations:
        if population.shape == (6,):
            yield f"population {population.name!r} has six neurons, one too many"


def test_a_design_rule_for_graphs(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rules, "GRAPH_RULES", (*rules.GRAPH_RULES, few_neurons))
    assert main(["lower", str(graph), "-o", str(graph.with_name("chip.h5"))]) == 2
    assert "[few_neurons] population 'lif' has six neurons, one too many" in capsys.readouterr().err
    assert main(["check", str(graph)]) == 1
    assert "[few_neurons] population 'lif' has six neurons, one too many" in capsys.readouterr().out


def test_design_rules_for_profiles_and_integers(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def on_fridays(draft: Draft, profile: HardwareProfile) -> Iterator[str]:
        yield f"{profile.name} takes no {draft.encoding}"

    def rounded(chip: ChipNetwork, draft: Draft) -> Iterator[str]:
        yield f"{len(chip.populations)} of {len(draft.populations)}"

    words = ["lower", str(graph), "-o", str(graph.with_name("chip.h5"))]
    with monkeypatch.context() as patch:
        patch.setattr(rules, "PROFILE_RULES", (*rules.PROFILE_RULES, on_fridays))
        assert main(words) == 2
    assert "[on_fridays] loihi2-assumed takes no events" in capsys.readouterr().err
    monkeypatch.setattr(rules, "INTEGER_RULES", (*rules.INTEGER_RULES, rounded))
    assert main(words) == 2
    assert "[rounded] 3 of 3" in capsys.readouterr().err


# A distillation method and a regularizer


class Sharpened(LossTerms):
    """Cross-entropy, weighted."""

    title = "a method from outside"
    equation = "L = sharpness CE"
    source = "this test"
    confidence = "low"

    sharpness: float = 2.0

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        """One term."""
        return {"sharpened": self.sharpness * cross_entropy(batch)}


class Quiet(LossTerms):
    """The largest rate."""

    title = "a regularizer from outside"
    equation = "L = max S"
    source = "this test"
    confidence = "low"

    def terms(self, batch: BatchOutputs) -> dict[str, Tensor]:
        """One term."""
        return {"quiet": torch.stack([s.mean() for s in trainable_spikes(batch)]).max()}


def test_a_distillation_method_and_a_regularizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(METHODS, "sharpened", Sharpened)
    monkeypatch.setitem(REGULARIZERS, "quiet", Quiet)
    did("methods")
    said = capsys.readouterr().out
    assert "sharpened" in said
    assert "quiet" in said
    did("methods", "sharpened", "--json")
    (entry,) = json.loads(capsys.readouterr().out)["methods"]
    assert (entry["title"], entry["options"][0]["default"]) == ("a method from outside", 2.0)
    student = tmp_path / "s.pt"
    did("distill", *QUICK, "--method", "sharpened:sharpness=3", "--regularize", "quiet", "-o", student)
    facts = student_provenance(student)
    assert (facts["method"], facts["regularizers"]) == ("Sharpened(sharpness=3.0)", ["Quiet()"])
    assert main(["distill", *QUICK, "--method", "sharpened:bluntness=3", "-o", str(student)]) == 2
    assert "method sharpened: bluntness" in capsys.readouterr().err


# A chip


@pytest.fixture
def hardware(root: Path, tmp_path: Path) -> Path:
    """A folder of profiles with one of its own."""
    folder = tmp_path / "hardware"
    shutil.copytree(root / "hardware_profiles", folder, ignore=shutil.ignore_patterns("*.py", "*.md"))
    text = (folder / "loihi2-assumed.toml").read_text(encoding="utf-8")
    (folder / "made-up.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_chip_by_its_path(
    hardware: Path, eights: str, graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, chip, activity = hardware / "made-up.toml", tmp_path / "chip.h5", tmp_path / "activity.json"
    did("profiles", profile)
    did("lower", graph, "-p", profile, "-o", chip)
    did("simulate", chip, "--data", eights, "-o", activity)
    did("report", activity, chip, "-p", profile)
    assert "made-up" in capsys.readouterr().out


def test_a_chip_in_the_folder(
    hardware: Path,
    eights: str,
    graph: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("spikewright.profile.profile.profiles_dir", lambda: hardware)
    chip, activity = tmp_path / "chip.h5", tmp_path / "activity.json"
    did("profiles")
    assert "made-up" in capsys.readouterr().out
    did("lower", graph, "-p", "made-up", "-o", chip)
    did("simulate", chip, "--data", eights, "-o", activity)
    did("report", activity, chip)
    assert "made-up" in capsys.readouterr().out


# A verb


def test_a_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("spikewright.commands.greet")

    def greet(argv: Sequence[str] | None = None) -> int:
        print("hello", *(argv or ()))
        return 0

    vars(module)["main"] = greet
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(VERBS, "greet", Verb("Say hello"))
    did("greet", "world")
    assert capsys.readouterr().out == "hello world\n"
    did("--help")
    assert "greet" in capsys.readouterr().out
    assert main(["gret"]) == 2
    assert "did you mean 'greet'?" in capsys.readouterr().err
