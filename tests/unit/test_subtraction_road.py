"""A student that resets by subtraction on its way to the chip: NIR, interpreter, lowering, integers, drift, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
import torch.nn.functional as F
from torch import nn

from spikewright.base.errors import InputError
from spikewright.base.types import RESETS, Reset
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.encoding import encode
from spikewright.commands.cli import main
from spikewright.divergence.drift import drift_on
from spikewright.graph.interpreter import interpret
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.graph.wiring import wire
from spikewright.lowering.check import check
from spikewright.lowering.lower import lower
from spikewright.lowering.peaks import Measuring
from spikewright.pages.pricing import report
from spikewright.pages.report import beside
from spikewright.profile.profile import load_profile, profile_names
from spikewright.simulation import integer
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, reset_of, spiking
from spikewright.student.resets import with_reset
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import RESET_NOTE, to_nir
from spikewright.student.verify import differences, export

SHAPE = (1, 8, 8)
SUBTRACT: tuple[Reset, ...] = ("subtract", "subtract-late")
LAWS = {"subtract": "lif-subtract", "subtract-late": "lif-subtract-late"}
Ways = pytest.mark.parametrize(
    ("encoding", "readout", "kind"),
    [("direct", "membrane", "lif"), ("current", "count", "cubalif"), ("rate", "count", "lif")],
)


def student(
    reset: Reset, encoding: str = "direct", readout: str = "membrane", kind: str = "lif", timesteps: int = 5
) -> Student:
    torch.manual_seed(5)
    neuron = NeuronSettings(kind, 0.7, 0.6, 0.3, learn_beta=True, learn_threshold=True, reset=reset)
    made = Student(StudentConfig("convnet", 4, SHAPE, 5, timesteps, encoding, readout, 6, neuron)).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_var.uniform_(0.005, 0.05)
    return made


def images(count: int = 8) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(2))


@Ways
@pytest.mark.parametrize("reset", SUBTRACT)
def test_the_graph_is_the_student(reset: Reset, encoding: str, readout: str, kind: str, tmp_path: Path) -> None:
    made = student(reset, encoding, readout, kind)
    checked = export(made, tmp_path / "s.nir", images())
    assert checked.ties <= 1
    graph = read_graph(tmp_path / "s.nir")
    assert graph.metadata["reset"] == reset
    assert f"reset {reset!r}: v_threshold is subtracted from v in the step " in graph.metadata[RESET_NOTE]
    own = {name: node.metadata for name, node in graph.nodes.items() if node.metadata}
    assert own == ({"encoder": {"reset": "zero"}} if encoding == "current" else {})
    assert nir.read(tmp_path / "s.nir").nodes.keys() == graph.nodes.keys(), "nir's own reader takes it"
    as_zero = nir.NIRGraph(graph.nodes, graph.edges, metadata={**graph.metadata, "reset": "zero"}, type_check=False)
    drive = made(images()).drive.double()
    one, other = (interpret(wire(each), drive, 1e-4, 5).spikes for each in (graph, as_zero))
    assert any(not torch.equal(one[name], other[name]) for name in one), "it makes a difference here"


@Ways
@pytest.mark.parametrize("reset", SUBTRACT)
def test_training_on_integers_is_the_chip_network(reset: Reset, encoding: str, readout: str, kind: str) -> None:
    made, target = student(reset, encoding, readout, kind), load_profile("loihi2")
    on_integers = become_integer(made, target, "loihi2", 8)
    optimizer = torch.optim.SGD(on_integers.parameters(), lr=0.05)
    F.cross_entropy(on_integers(images()).logits, torch.arange(8) % 5).backward()
    optimizer.step()
    settle(on_integers, target)
    on_integers.eval()
    chip = lower(to_nir(on_integers), "loihi2")
    laws = {p.name: p.neuron.law for p in chip.populations if p.neuron is not None}
    assert {law for name, law in laws.items() if name.startswith("lif")} == {LAWS[reset]}
    assert laws[chip.output.name] == (LAWS[reset] if readout == "count" else "lif")
    assert laws.get("encoder", "lif") == "lif"
    assert [str(d) for d in differences(on_integers, chip, images(20))] == []
    spikes = on_integers(images(20)).spikes
    assert all(0 < each.mean() < 1 for each in spikes.values())


@pytest.mark.parametrize("reset", SUBTRACT)
def test_a_student_file_holds_the_reset(reset: Reset, tmp_path: Path) -> None:
    made = student(reset)
    save_student(made, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt")
    assert again.config == made.config
    assert torch.equal(again.eval()(images()).logits, made(images()).logits)


def test_layers_that_differ_are_noted_at_their_nodes() -> None:
    settings = [NeuronSettings(beta=0.7, threshold=0.3, reset=reset) for reset in ("subtract-late", "zero", "subtract")]
    layers = [layer for each in settings for layer in (nn.Linear(64, 64), spiking(each))]
    network = nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, 5), integrator())
    graph = to_nir(Student(StudentConfig("mine", 4, SHAPE, 5, 4), network).eval())
    assert graph.metadata["reset"] == "subtract-late"
    own = {name: node.metadata["reset"] for name, node in graph.nodes.items() if node.metadata}
    assert own == {"4": "zero", "6": "subtract"}
    chip = lower(graph, "loihi2")
    assert [p.neuron and p.neuron.law for p in chip.populations[1:]] == [
        *("lif-subtract-late", "lif", "lif-subtract", "lif"),
    ]


def test_snntorchs_default_network_is_lowered_with_its_law() -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(16, 5), integrator()
    )
    made = Student(StudentConfig("mine", 4, SHAPE, 5, 4), network).eval()
    assert lower(to_nir(made), "loihi2").by_name["2"].neuron.law == "lif-subtract-late"


@pytest.mark.parametrize(
    ("of_graph", "of_node", "said"),
    [
        ("soft", None, "NIR graph: its metadata say that neurons are reset by 'soft'; may be: "),
        ("zero", "late", "NIR graph: node 'lif1': its metadata say that it is reset by 'late'; did you mean "),
        (b"subtract", "soft", "NIR graph: node 'lif1': its metadata say that it is reset by 'soft'; may be: "),
    ],
)
def test_a_reset_that_nobody_knows_is_refused(of_graph: object, of_node: str | None, said: str) -> None:
    graph = to_nir(student("zero"))
    graph.metadata["reset"] = of_graph
    if of_node is not None:
        graph.nodes["lif1"].metadata["reset"] = of_node
    with pytest.raises(InputError) as caught:
        lower(graph, "loihi2")
    assert str(caught.value).startswith(said.removesuffix("did you mean "))


def test_check_says_what_a_spike_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = to_nir(student("subtract-late"))
    assert any("a spike takes off one step late" in finding.what for finding in check(graph))
    write_graph(graph, tmp_path / "s.nir")
    assert main(["check", str(tmp_path / "s.nir")]) == 0
    assert "lif1: membrane decays by 0.3 per step, threshold 0.3, which a spike takes off one step late" in (
        " ".join(capsys.readouterr().out.split())
    )


@pytest.mark.parametrize("reset", SUBTRACT)
def test_drifts_float_network_is_the_student(reset: Reset) -> None:
    made = student(reset)
    graph = to_nir(made)
    layers = {layer.name: layer.raster for layer in drift_on(graph, lower(graph, "loihi2"), images(4).numpy()).layers}
    with torch.no_grad():
        own = made(images(4)).spikes
    assert {name: layers[name].reference for name in own} == {name: int(each.sum()) for name, each in own.items()}


def one_neuron(reset: Reset, timesteps: int) -> nir.NIRGraph:
    """A weight of 8 and a threshold of 1, without a leak."""
    nodes = {
        "input": nir.Input(np.array([1])),
        "fc": nir.Linear(np.array([[8.0]])),
        "n": nir.IF(r=np.array([1000.0]), v_threshold=np.array([1.0])),
        "output": nir.Output(np.array([1])),
    }
    edges = [("input", "fc"), ("fc", "n"), ("n", "output")]
    metadata = {"dt_s": 1e-3, "reset": reset, "encoding": "events", "readout": "count", "timesteps": timesteps}
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


@pytest.mark.parametrize("reset", SUBTRACT)
def test_a_membrane_has_room_for_a_threshold_in_each_step(reset: Reset) -> None:
    """In 8000 steps for 8001 thresholds: ``64 x 8001 x 16 < 2^23``; in 4 the weight is the limit, as with zero."""

    def scaled(reset: Reset, timesteps: int) -> tuple[float, str]:
        facts = lower(one_neuron(reset, timesteps), "loihi2").provenance
        return facts["scales"]["n"], facts["scale_limited_by"]["n"]

    assert scaled(reset, 4) == scaled("zero", 4) == scaled("zero", 8000) == (31, "weights from input")
    assert scaled(reset, 8000) == (16, "the range of the membrane potential")


def test_a_reset_that_the_caller_names_is_noted_for_whoever_reads_the_graph_again() -> None:
    """So that drift and the comparison of all levels read it in the same way."""
    graph = one_neuron("subtract", 4)
    del graph.metadata["reset"]
    assert lower(graph, "loihi2", reset="subtract").provenance["reset"] == "subtract"
    assert "reset" not in lower(graph, "loihi2").provenance, "nobody has named one"


def test_measured_peaks_leave_room_for_what_is_subtracted() -> None:
    """One input that stays: 8 in each step, of which a threshold of 1 is taken off: 8, 15, 22 and 29 at once."""
    measuring = Measuring(np.ones((1, 4, 1), np.float32), margin=1.0)
    potentials = {}
    for reset in ("zero", *SUBTRACT):
        chip = lower(one_neuron(reset, 4), "loihi2", calibrate=measuring)
        potentials[reset] = chip.provenance["calibration"]["peaks"]["n"]["potential"]
    assert potentials == {"zero": 0, "subtract": 29, "subtract-late": 29}


def test_a_report_says_who_says_that_the_chip_can() -> None:
    made = student("subtract")
    chip = lower(to_nir(made), "loihi2-assumed")
    ran = integer.run(chip, encode("direct", images(2).numpy(), 5, 6))
    counts = {
        name: PopulationActivity(spikes.sum((0, 1), dtype=np.int64), ran.tallies[name].active_updates, 0)
        if name in ran.tallies
        else PopulationActivity(spikes.astype(np.int64).sum((0, 1)), 0, 0)
        for name, spikes in ran.spikes.items()
    }
    activity = Activity(counts, {c.name: 0 for c in chip.connections}, 2, 5, "integer")
    assert beside(report(activity, chip, "loihi2-assumed"))[0] == (
        "lif1, lif2, lif3, lif4: a spike takes the threshold off, charged like a reset to zero; assumed of this chip: "
        "open-neuromorphic, neuron models are programs; that a program takes the threshold off is not published"
    )


def test_the_page_of_neurons_says_what_the_profiles_say(root: Path) -> None:
    page = (root / "docs" / "neurons.md").read_text(encoding="utf-8")
    section = page.partition("## Which chips")[2].partition("\n## ")[0]
    rows = [row.split("|")[1:3] for row in section.splitlines() if row.startswith("| `")]
    said = {name.strip(" `"): resets.strip() for names, resets in rows for name in names.split(",")}
    assert said.keys() == set(profile_names())
    for name, resets in said.items():
        known = load_profile(name).limits.known_resets
        assert known == (RESETS if resets == "all" else tuple(reset.strip(" `") for reset in resets.split(","))), name


def test_settings_refuse_a_chip_that_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "digits", "--profile", "loihi1-davies", "--encoding", "current", "--reset", "subtract"]
    assert main(["distill", *words]) == 2
    assert capsys.readouterr().err == (
        "error: --reset subtract on loihi1-davies: a spike takes the threshold off, which this chip's neurons do not "
        "do; train with --reset zero, or take a chip whose neurons can (`spikewright profiles NAME` says it under "
        "limits)\n"
    )
    also = ["--data", "digits", "--reset", "subtract", "--also-within", "loihi1-davies=1uJ", "--energy-budget", "1uJ"]
    assert main(["distill", *also]) == 2
    assert "--reset subtract on loihi1-davies: a spike takes the threshold off" in capsys.readouterr().err


def test_a_converted_layer_is_snntorchs_layer_of_that_reset() -> None:
    torch.manual_seed(0)
    rules = {"beta": 0.9, "init_hidden": True}
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), snn.RLeaky(**rules, linear_features=8), nn.Linear(8, 5))
    network.append(integrator())
    made = Student(StudentConfig("mine", 4, SHAPE, 5, 4), network).eval()
    converted = with_reset(made, "zero").network[2]
    anew = snn.RLeaky(**rules, linear_features=8, reset_mechanism="zero", reset_delay=False)
    anew.recurrent.load_state_dict(network[2].recurrent.state_dict())
    current = 3 * torch.rand(6, 4, 8)
    for layer in (converted, anew):
        layer.reset_mem()
    assert torch.equal(*(torch.stack([layer(now) for now in current]) for layer in (converted, anew)))
    assert reset_of(made.network[2]) == "subtract-late", "the network that was given stays as it is"


@pytest.mark.parametrize("on_integers", [False, True])
@pytest.mark.parametrize(("encoding", "kind"), [("direct", "lif"), ("current", "cubalif")])
def test_the_same_weights_with_a_reset_to_zero(encoding: str, kind: str, on_integers: bool, tmp_path: Path) -> None:
    made = student("subtract-late", encoding, "membrane", kind)
    if on_integers:
        made = become_integer(made, load_profile("loihi2"), "loihi2", 8)
    converted = with_reset(made, "zero")
    assert converted.config == replace(made.config, neuron=replace(made.config.neuron, reset="zero"))
    before, after = (
        {name: value for name, value in each.state_dict().items() if not name.endswith("reset_mechanism_val")}
        for each in (made, converted)
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name for name, p in made.named_parameters()} == {name for name, p in converted.named_parameters()}
    assert (made.grid is None, converted.grid) == (not on_integers, made.grid)
    assert {p.neuron.law for p in lower(to_nir(converted), "loihi2").populations if p.neuron is not None} == {"lif"}
    save_student(converted, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt").eval()
    assert torch.equal(again(images()).logits, converted(images()).logits)
    back = with_reset(again, "subtract-late")
    assert torch.equal(back(images()).logits, made(images()).logits)
    assert not torch.equal(converted(images()).logits, made(images()).logits)


def test_a_network_of_ones_own_gets_another_reset_too() -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(16, 5), integrator()
    )
    made = Student(StudentConfig("mine", 4, SHAPE, 5, 4), network).eval()
    converted = with_reset(made, "zero")
    assert [reset_of(layer) for layer in (made.network[2], converted.network[2])] == ["subtract-late", "zero"]
    with pytest.raises(InputError, match="reset is 'soft'"):
        with_reset(made, "soft")


def test_an_imported_network_is_converted_with_its_description(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.lif1 = nn.Linear(64, 16), snn.Leaky(beta=0.9)
            self.second, self.lif2 = nn.Linear(16, 5), snn.Leaky(beta=0.9)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            one, two, spikes, membranes = self.lif1.init_leaky(), self.lif2.init_leaky(), [], []
            for _ in range(5):
                fired, one = self.lif1(self.first(x.flatten(1)), one)
                fired, two = self.lif2(self.second(fired), two)
                spikes.append(fired)
                membranes.append(two)
            return torch.stack(spikes), torch.stack(membranes)

    torch.manual_seed(0)
    made = Student.from_module(Net(), torch.rand(4, *SHAPE), input_shape=SHAPE, readout="count")
    converted = with_reset(made, "zero").eval()
    save_student(converted, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt")
    neurons = [layer for layer in again.network.modules() if isinstance(layer, snn.SpikingNeuron)]
    assert {reset_of(layer) for layer in neurons} == {"zero"}
    assert {layer.reset_mechanism for layer in neurons} == {"zero"}
    assert torch.equal(again(images()).logits, converted(images()).logits)
    assert {p.neuron.law for p in lower(to_nir(made), "loihi2").populations[1:]} == {"lif-subtract-late"}
    assert {p.neuron.law for p in lower(to_nir(again), "loihi2").populations[1:]} == {"lif"}


@torch.no_grad()
def test_a_layer_that_feeds_itself_subtracts_as_snntorchs_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = snn.RLeaky(beta=0.9, init_hidden=True, linear_features=12)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), layer, nn.Linear(12, 5), integrator())
    network[1].weight.mul_(4)
    made = Student(StudentConfig("mine", 4, SHAPE, 5, 6), network).eval()
    found = made(images()).spikes["2"]
    current = network[1](made.drive(images())[0].flatten(1))
    layer.reset_mem()
    assert torch.equal(found, torch.stack([layer(current) for _ in range(6)]))
    assert 0 < found.mean() < 1
    layer.reset_mem()
    export(made, tmp_path / "s.nir", images())
    assert lower(read_graph(tmp_path / "s.nir"), "loihi2").by_name["2"].neuron.law == "lif-subtract-late"
