"""Students become NIR graphs that compute the same; what has no counterpart is refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.energy.macs import Macs
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import NeuronSettings, integrator, spiking
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import export, verify_export

SHAPE = (2, 8, 8)
FIRES = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}


def student(network: nn.Module | None = None, *, architecture: str = "mlp", **settings: object) -> Student:
    torch.manual_seed(3)
    neuron = settings.pop("neuron", NeuronSettings(beta=0.7, alpha=0.6, threshold=0.4))
    config = StudentConfig(architecture, 4, SHAPE, 5, 4, neuron=neuron, **settings)
    made = Student(config, network)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.track_running_stats:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.2)
            if module.bias is not None:
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
    return made.eval()


def images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", ["mlp", "convnet", "vgg", "skipnet"])
@pytest.mark.parametrize(
    ("encoding", "readout", "kind"),
    [
        ("direct", "membrane", "lif"),
        ("current", "count", "lif"),
        ("rate", "count", "cubalif"),
        ("latency", "membrane", "cubalif"),
    ],
)
def test_every_architecture_and_encoding_survives(
    architecture: str, encoding: str, readout: str, kind: str, tmp_path: Path
) -> None:
    made = student(
        architecture=architecture,
        encoding=encoding,
        readout=readout,
        neuron=NeuronSettings(kind=kind, beta=0.7, alpha=0.6, threshold=0.4),
    )
    checked = export(made, tmp_path / "s.nir", images())
    assert checked.samples + checked.ties == 6
    assert checked.ties <= 1
    graph = read_graph(tmp_path / "s.nir")
    spiking_nodes = {n for n, node in graph.nodes.items() if isinstance(node, nir.LIF | nir.CubaLIF | nir.IF)}
    assert spiking_nodes == set(made(images()).spikes)
    assert set(nir.read(tmp_path / "s.nir").nodes) == set(graph.nodes), "nir's own reader and type check accept it"


def test_nodes_have_the_names_of_their_modules() -> None:
    graph = to_nir(student(Own(nn.Conv2d(2, 4, 3), spiking(NeuronSettings()), *head(144))))
    assert list(graph.nodes) == ["input", *(f"layers.{number}" for number in range(5)), "output"]


def test_metadata_say_what_nir_cannot() -> None:
    graph = to_nir(student(encoding="rate", readout="count"), {"teacher_macs": 12, "seed": 3})
    said = {key: value for key, value in graph.metadata.items() if key not in ("source", "provenance", "input_shape")}
    assert said == {
        "format_version": 1,
        "dt_s": 1e-4,
        "reset": "zero",
        "encoding": "rate",
        "readout": "count",
        "timesteps": 4,
        "input_bits": 8,
        "classes": 5,
        "teacher_macs": 12,
    }
    assert graph.metadata["input_shape"].tolist() == list(SHAPE)
    assert json.loads(graph.metadata["provenance"]) == {"seed": 3, "teacher_macs": 12}


def test_what_is_not_counted_of_a_teacher_goes_along_to_the_chip(tmp_path: Path) -> None:
    facts = {"teacher_macs": 12, "teacher_macs_unknown": ["If", "LSTM"]}
    export(student(), tmp_path / "s.nir", images(), facts)
    graph = read_graph(tmp_path / "s.nir")
    assert (graph.metadata["teacher_macs"], graph.metadata["teacher_macs_unknown"]) == (12, "If, LSTM")
    chip = lower(graph, load_profile("loihi2-assumed"))
    save_chip(chip, tmp_path / "s.h5")
    assert Macs.of_facts(load_chip(tmp_path / "s.h5").provenance) == Macs(12, ("If", "LSTM"))


def test_batch_norms_are_folded_dropout_left_out_and_sums_become_edges() -> None:
    made = student(Joined())
    graph = to_nir(made)
    assert set(graph.nodes) == {
        "input",
        "stem",
        "lif1",
        "inner",
        "lif2",
        "skip",
        "joined",
        "flatten",
        "head",
        "readout",
        "output",
    }
    assert {source for source, target in graph.edges if target == "joined"} == {"inner", "skip"}
    assert verify_export(made, graph, images()).samples >= 5


class Own(nn.Module):
    """Layers of the user's own."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, value: Tensor) -> Tensor:
        result: Tensor = self.layers(value)
        return result


class Joined(nn.Module):
    """Two ways that meet, batch norms and dropout on both, and a flatten in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.lif1, self.lif2 = spiking(NeuronSettings(threshold=0.5)), spiking(NeuronSettings(threshold=0.5))
        self.inner, self.drop, self.inner_norm = nn.Conv2d(4, 6, 3, 2, 1), nn.Dropout(), nn.BatchNorm2d(6)
        self.skip, self.skip_norm = nn.Conv2d(2, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6)
        self.joined = spiking(NeuronSettings(threshold=0.5))
        self.head, self.readout = nn.Linear(96, 5), integrator(0.9)

    def forward(self, value: Tensor) -> Tensor:
        stem = self.lif1(self.stem_norm(self.stem(value)))
        inner = self.inner_norm(self.drop(self.inner(self.lif2(stem))))
        joined = self.joined(inner + self.skip_norm(self.skip(value)))
        result: Tensor = self.readout(self.head(torch.flatten(joined, 1)))
        return result


def head(inputs: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(inputs, 5), integrator()]


def test_neuron_constants_become_populations_of_parameters() -> None:
    beta = torch.linspace(0.1, 0.9, 4)
    threshold = torch.linspace(0.5, 2.0, 4)
    network = Own(
        nn.Flatten(),
        nn.Linear(128, 4),
        snn.Leaky(beta=beta, threshold=threshold, **FIRES),
        nn.Linear(4, 4),
        snn.Leaky(beta=0.0, **FIRES),
        nn.Linear(4, 3),
        snn.Leaky(beta=1.5, learn_beta=True, threshold=0.3, **FIRES),
        nn.Linear(3, 5),
        integrator(0.8),
    )
    graph = to_nir(student(network))
    each, none, clamped, readout = (graph.nodes[f"layers.{i}"] for i in (2, 4, 6, 8))
    np.testing.assert_allclose(each.tau, 1e-4 / (1 - beta.numpy()), rtol=1e-6)
    np.testing.assert_allclose(each.r, 1 / (1 - beta.numpy()), rtol=1e-6)
    np.testing.assert_allclose(each.v_threshold, threshold.numpy())
    np.testing.assert_allclose(none.tau, np.full(4, 1e-4), rtol=1e-6)
    assert type(clamped) is nir.IF
    np.testing.assert_allclose(clamped.r, np.full(3, 1e4))
    assert type(readout) is nir.LI
    verify_export(student(network), graph, images())


def test_a_graph_shares_no_memory_with_its_student() -> None:
    made = student(Own(*head(128)))
    before = made.network.layers[1].weight.detach().clone()
    to_nir(made).nodes["layers.1"].weight[:] = 0
    torch.testing.assert_close(made.network.layers[1].weight, before)


def test_the_modules_of_a_network_of_ones_own_are_exported() -> None:
    network = Own(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False),
        nn.BatchNorm2d(4, affine=False),
        nn.Dropout(),
        spiking(NeuronSettings(threshold=0.1)),
        nn.AvgPool2d(2, stride=1),
        nn.Conv2d(4, 3, 3, padding="same"),
        nn.Identity(),
        spiking(NeuronSettings(threshold=0.05)),
        *head(45),
    )
    made = student(network)
    assert verify_export(made, to_nir(made), images()).samples >= 5
    assert all(0.01 < spikes.mean() < 0.99 for spikes in made(images()).spikes.values())


def test_a_file_that_computes_something_else_is_caught(tmp_path: Path) -> None:
    made = student(Joined())
    graph = to_nir(made)
    graph.nodes["inner"].weight[0] *= 1.05
    with pytest.raises(AnswerIsNo, match="not compute what the student does: node 'joined' spikes differently at step"):
        verify_export(made, graph, images())
    graph = to_nir(made)
    graph.nodes["head"].bias[0] += 0.01
    with pytest.raises(AnswerIsNo, match=r"readout 'readout' differs by 0\.\d+ of its largest value"):
        verify_export(made, graph, images())


def test_a_failed_comparison_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = student(Joined())
    other = to_nir(made)
    other.nodes["inner"].weight[:] = 0
    monkeypatch.setattr("spikewright.student.verify.to_nir", lambda *_: other)
    with pytest.raises(AnswerIsNo):
        export(made, tmp_path / "s.nir", images())
    assert list(tmp_path.iterdir()) == []


def test_a_membrane_at_its_threshold_is_a_tie_and_no_failure() -> None:
    network = Own(
        nn.Flatten(), nn.Linear(128, 4, bias=False), snn.Leaky(beta=1.0, threshold=0.3, **FIRES), *head(4)[1:]
    )
    network.layers[1].weight.data.fill_(0.1)
    made = student(network)
    samples = images(4)
    samples[0] = 0
    samples[0, 0, 0, :3] = 1  # three times 0.1 in float64 is either side of 0.3 in float32
    graph = to_nir(made)
    graph.nodes["layers.1"].weight *= 1 + 1e-6
    checked = verify_export(made, graph, samples)
    assert (checked.samples, checked.ties) == (3, 1)


class Stepwise(nn.Module):
    """snnTorch's batch norm through time, in a forward pass of a single step."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc = nn.Flatten(), nn.Linear(128, 6)
        self.norms = snn.BatchNormTT1d(6, 3)
        self.lif, self.head, self.readout = spiking(NeuronSettings()), nn.Linear(6, 5), integrator()

    def forward(self, value: Tensor) -> Tensor:
        result: Tensor = self.readout(self.head(self.lif(self.norms[0](self.fc(self.flat(value))))))
        return result


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(8, 2), nn.LayerNorm(4)
        self.flat, self.fc, self.readout = nn.Flatten(), nn.Linear(128, 4), integrator()
        self.head, self.lif = nn.Linear(4, 5), spiking(NeuronSettings())

    def forward(self, value: Tensor) -> Tensor:
        flat = self.norm(self.fc(self.flat(value)))
        mixed = self.attention(value, value, value)
        result: Tensor = self.readout(self.head(self.lif(flat + mixed[0])))
        return result


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc, self.lif = nn.Flatten(), nn.Linear(128, 128), spiking(NeuronSettings())
        self.head, self.readout = nn.Linear(128, 5), integrator()

    def forward(self, value: Tensor) -> Tensor:
        once = self.lif(self.fc(self.flat(value)))
        result: Tensor = self.readout(self.head(self.lif(self.fc(once))))
        return result


REFUSED = {
    "maxpool": (
        lambda: Own(nn.MaxPool2d(2), *head(32)),
        "student: module 'layers.0' is a MaxPool2d: the largest of several currents is no weighted sum, and neither "
        "NIR nor the chip has it; put it behind the neurons, where any of several spikes makes one, or use "
        "nn.AvgPool2d or a convolution with a stride",
    ),
    "unknown": (
        lambda: Own(nn.PixelShuffle(1), *head(128)),
        "student: module 'layers.0' is a PixelShuffle; handled are Conv1d/2d, ConvTranspose1d/2d, Linear, "
        "BatchNorm1d/2d, AvgPool1d/2d, AdaptiveAvgPool1d/2d, Upsample, padding, Flatten, Dropout, Identity, snn.Leaky, "
        "snn.Synaptic, snn.RLeaky, snn.RSynaptic",
    ),
    "batch norm without statistics": (
        lambda: Own(nn.BatchNorm2d(2, track_running_stats=False), *head(128)),
        "student: module 'layers.0' keeps no running statistics; train it with track_running_stats=True",
    ),
    "a norm for each step": (
        lambda: Stepwise(),
        "student: module 'norms' is a BatchNormTT, with statistics and gains of its own for each timestep; a chip has "
        "one set of weights for all timesteps: use one nn.BatchNorm, which becomes part of the weights",
    ),
    "attention, and a norm of the sample": (
        lambda: Attending(),
        "student: 2 faults\n"
        "  - attention: is attention, which multiplies values with one another; the chip adds and weighs: use "
        "convolutions\n"
        "  - norm: is a LayerNorm, which divides by the spread of each sample while it runs; the chip cannot: use a "
        "batch norm, whose statistics are fixed after training, behind a convolution or dense layer",
    ),
    "unfolded": (
        lambda: Own(nn.Flatten(), nn.Unflatten(1, (2, 64)), *head(128)),
        "student: module 'layers.1' splits an axis of its input, which no NIR node does; leave values in the shape in "
        "which they come, and flatten them where a Linear begins",
    ),
    "alpha": (
        lambda: Own(nn.Flatten(), nn.Linear(128, 5), snn.Synaptic(alpha=1.0, beta=0.5, **FIRES), *head(5)[1:]),
        "student: module 'layers.2' has alpha = 1, an infinite time constant without a node in NIR; use less",
    ),
    "reused": (
        Reused,
        "student: 2 faults\n"
        "  - module 'fc' is used more than once; the chip needs neurons and weights for each use: make one per use\n"
        "  - module 'lif' is used more than once; the chip needs neurons and weights for each use: make one per use",
    ),
    "several": (
        lambda: Own(nn.LayerNorm([2, 8, 8]), nn.Flatten(), nn.ReLU(), *head(128)[1:]),
        "student: 2 faults\n"
        "  - module 'layers.0' is a LayerNorm, whose mean and variance are those of each sample; a chip has fixed "
        "weights and sums spikes: use nn.BatchNorm, which becomes part of the weights\n"
        "  - module 'layers.2' is a ReLU: it is the nonlinearity of an artificial network, and a chip has spiking "
        "neurons in its place: snn.Leaky",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_counterpart_is_refused(case: str) -> None:
    build, says = REFUSED[case]
    with pytest.raises(InputError) as caught:
        to_nir(student(build()))
    assert str(caught.value) == says
