"""Every layer that is linear: student, graph, integers and Lava give the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nir
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikewright.chip.encoding import encode
from spikewright.lowering.draft import Draft, DraftConnection
from spikewright.lowering.lower import drafted, lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import export, verify_export

SHAPE = (2, 6, 6)
SERIES = (2, 12, 1)


def lif(beta: float = 0.75) -> nn.Module:
    return spiking(NeuronSettings(beta=beta, threshold=0.4))


class Followed(nn.Module):
    """Layers by name, and a forward pass of one's own."""

    def __init__(self, forward: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.each = nn.ModuleDict(layers)
        self.how = [forward]

    def forward(self, value: Tensor) -> Tensor:
        return self.how[0](self.each, value)


def images_network(*layers: nn.Module, outputs: int) -> nn.Module:
    """Spikes of an image, the layers, and a readout of their spikes."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), lif(), *layers, lif(0.5), nn.Flatten(), nn.Linear(outputs, 5), integrator()
    )


def series_network(*layers: nn.Module, outputs: int) -> nn.Module:
    """Spikes of a series, the layers over its steps, and a readout of their spikes."""
    return nn.Sequential(
        nn.Flatten(2), nn.Conv1d(2, 4, 3, padding=1), lif(), *layers, lif(0.5), nn.Flatten(), nn.Linear(outputs, 5),
        integrator(),
    )  # fmt: skip


def concatenated(each: nn.ModuleDict, value: Tensor) -> Tensor:
    spikes = each["first"](each["stem"](value))
    joined = torch.cat([spikes, each["second"](each["inner"](spikes))], 1)
    return each["readout"](each["head"](each["third"](each["last"](joined)).flatten(1)))


def of_images() -> dict[str, Callable[[], nn.Module]]:
    return {
        "transposed": lambda: images_network(
            nn.AvgPool2d(2), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), outputs=216
        ),
        "transposed, stride 1": lambda: images_network(nn.ConvTranspose2d(4, 3, 3, padding=1), outputs=108),
        "upsampled": lambda: images_network(
            nn.AvgPool2d(3), nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3, padding=1), outputs=48
        ),
        "adaptive": lambda: images_network(nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d((2, 4)), outputs=32),
        "global": lambda: images_network(nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d(1), outputs=4),
        "ceil": lambda: images_network(nn.AvgPool2d(4, ceil_mode=True), nn.Conv2d(4, 4, 1), outputs=16),
        "padding not counted": lambda: images_network(
            nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.Conv2d(4, 4, 2), outputs=16
        ),
        "divisor": lambda: images_network(nn.AvgPool2d(2, divisor_override=3), nn.Conv2d(4, 4, 2), outputs=16),
        "reflect": lambda: images_network(nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), outputs=108),
        "circular": lambda: images_network(
            nn.Conv2d(4, 3, (3, 1), padding=(2, 1), padding_mode="circular"), outputs=192
        ),
        "same, even": lambda: images_network(nn.Conv2d(4, 3, (2, 4), padding="same"), outputs=108),
        "same, even, dilated": lambda: images_network(nn.Conv2d(4, 3, 2, padding="same", dilation=(3, 1)), outputs=108),
        "padded": lambda: images_network(nn.ZeroPad2d((1, 0, 2, 0)), nn.Conv2d(4, 3, 2), outputs=126),
        "norm first": lambda: images_network(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1), outputs=144),
        "norm of a pool": lambda: images_network(
            nn.Conv2d(4, 4, 3), nn.AvgPool2d(2), nn.BatchNorm2d(4, affine=False), outputs=16
        ),
        "norm of a transposed": lambda: images_network(
            nn.AvgPool2d(3), nn.ConvTranspose2d(4, 4, 2, 2, groups=2), nn.BatchNorm2d(4), outputs=64
        ),
        "two convolutions": lambda: images_network(
            nn.Conv2d(4, 4, 3, padding=1), nn.Dropout(), nn.Conv2d(4, 4, 3, padding=1), outputs=144
        ),
        "two linear": lambda: images_network(
            nn.Flatten(), nn.Linear(144, 8), nn.Identity(), nn.Linear(8, 12), nn.BatchNorm1d(12), outputs=12
        ),
        "concatenated": lambda: Followed(
            concatenated,
            stem=nn.Conv2d(2, 4, 3, padding=1), first=lif(), inner=nn.Conv2d(4, 6, 3, padding=1), second=lif(),
            last=nn.Conv2d(10, 4, 3, 2, groups=2), third=lif(), head=nn.Linear(16, 5), readout=integrator(),
        ),
        "functional": lambda: Followed(
            functional, stem=nn.Conv2d(2, 4, 3, padding=1), first=lif(), inner=nn.Conv2d(4, 4, 3), second=lif(),
            head=nn.Linear(64, 5), readout=integrator(),
        ),
        "shapes": lambda: Followed(
            shaped, stem=nn.Linear(72, 20), first=lif(), head=nn.Linear(20, 5), readout=integrator()
        ),
        "the largest of spikes": lambda: images_network(
            nn.MaxPool2d(2, 2, 1), nn.Dropout(), nn.MaxPool2d((1, 2), 1), nn.Conv2d(4, 4, 1), outputs=48
        ),
        "the largest, uneven": lambda: images_network(
            nn.MaxPool2d((1, 4), ceil_mode=True), nn.Conv2d(4, 4, 1), outputs=48
        ),
        "mean": lambda: Followed(
            lambda each, x: each["readout"](each["head"](each["first"](each["stem"](x)).mean((2, 3)))),
            stem=nn.Conv2d(2, 4, 3, padding=1), first=lif(), head=nn.Linear(4, 5), readout=integrator(),
        ),
    }  # fmt: skip


def functional(each: nn.ModuleDict, value: Tensor) -> Tensor:
    pooled = F.avg_pool2d(each["first"](each["stem"](value)), 2)
    spikes = each["second"](each["inner"](F.interpolate(pooled, scale_factor=2)) / 2)
    dropped = F.dropout(spikes, 0.3, each["stem"].training)
    return each["readout"](each["head"](dropped.view(value.size(0), -1)))


def shaped(each: nn.ModuleDict, value: Tensor) -> Tensor:
    batch, channels, rows, columns = value.shape
    flat = value.reshape((batch, channels * rows, columns)).view(-1, 12 * 6)
    return each["readout"](each["head"](each["first"](each["stem"](flat))))


def of_series() -> dict[str, Callable[[], nn.Module]]:
    return {
        "conv1d": lambda: series_network(
            nn.Conv1d(4, 6, 3, 2, 1, 2, groups=2), nn.BatchNorm1d(6), nn.AvgPool1d(2), outputs=12
        ),
        "pools before": lambda: series_network(nn.AvgPool1d(3, 2), nn.Conv1d(4, 6, 2), outputs=24),
        "transposed": lambda: series_network(nn.ConvTranspose1d(4, 3, 4, 2, 1), outputs=72),
        "adaptive": lambda: series_network(nn.AdaptiveAvgPool1d(5), nn.Conv1d(4, 3, 2), outputs=12),
        "replicate": lambda: series_network(nn.ReplicationPad1d(1), nn.Conv1d(4, 3, 3), nn.BatchNorm1d(3), outputs=36),
    }


CASES = [(SHAPE, name) for name in of_images()] + [(SERIES, name) for name in of_series()]


def student(shape: tuple[int, int, int], name: str, encoding: str = "rate") -> Student:
    torch.manual_seed(4)
    network = (of_images() if shape == SHAPE else of_series())[name]()
    made = Student(StudentConfig("own", 4, shape, 5, 5, encoding), network)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.05, 0.3)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear):
            module.weight.data.mul_(2.5)
    return made.eval()


def images(shape: tuple[int, int, int], count: int = 4) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("shape", "name"), CASES)
def test_the_graph_computes_what_the_layers_do(shape: tuple[int, int, int], name: str, tmp_path: Path) -> None:
    made = student(shape, name)
    checked = export(made, tmp_path / "s.nir", images(shape))
    assert checked.samples >= 3
    assert set(nir.read(tmp_path / "s.nir", type_check=False).nodes), "nir's own reader takes it"
    fired = made(images(shape)).spikes.values()
    assert all(0.01 < float(spikes.mean()) < 1 for spikes in fired)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("shape", "name"), CASES)
def test_integers_are_the_chips(shape: tuple[int, int, int], name: str) -> None:
    """A student that becomes one on integers, and takes a step there, is the chip network that it becomes."""
    target = load_profile("loihi2-assumed")
    made = become_integer(student(shape, name, "direct"), target, "loihi2-assumed")
    optimizer = torch.optim.SGD(made.parameters(), lr=0.02)
    output = made(images(shape, 8))
    (F.cross_entropy(output.logits, torch.arange(8) % 5) + sum(s.mean() for s in output.spikes.values())).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in made.network.parameters())
    optimizer.step()
    settle(made, target)
    graph = to_nir(made.eval())
    assert verify_export(made, graph, images(shape)).samples == 4
    rounding = lower(graph, target).provenance["rounding"]
    assert max(rounding[name] for name in made.grid.scales) < 1e-2


def spikes_of(draft: Draft, drive: Tensor) -> dict[str, Tensor]:
    """The populations of a draft network in float64, step by step, none of which is delayed: ``(T, B, *shape)``."""
    states: dict[str, tuple[Tensor, Tensor]] = {}
    found: dict[str, list[Tensor]] = {p.name: [] for p in draft.populations}
    for step in range(draft.timesteps):
        for population in draft.populations:
            if population.neuron is None:
                found[population.name].append(drive[step].reshape(-1, *population.shape))
                continue
            neuron = {
                k: v if v is None or k == "reset" else torch.from_numpy(v) for k, v in vars(population.neuron).items()
            }
            u, v = states.get(population.name, (torch.zeros(1, *population.shape).double(),) * 2)
            current = neuron["synaptic_bias"] + torch.zeros(len(drive[0]), *population.shape).double()
            for connection in draft.into(population.name):
                current = current + arriving(connection, found[connection.source][step], population.shape)
            u = (1 - neuron["leak_u"]) * u + current
            v = (1 - neuron["leak_v"]) * v + u + neuron["bias"]
            fired = torch.zeros_like(v) if neuron["threshold"] is None else (v > neuron["threshold"]).double()
            found[population.name].append(v if neuron["threshold"] is None else fired)
            states[population.name] = u, torch.where(fired > 0, neuron["v_reset"], v)
    return {name: torch.stack(steps) for name, steps in found.items()}


def arriving(connection: DraftConnection, spikes: Tensor, shape: tuple[int, ...]) -> Tensor:
    weight, conv = torch.from_numpy(connection.weight.copy()), connection.conv
    if conv is None:
        return (spikes.flatten(1) @ weight.T).reshape(-1, *shape)
    return F.conv2d(spikes, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("shape", "name"), CASES)
def test_the_draft_computes_what_the_layers_do(shape: tuple[int, int, int], name: str) -> None:
    """Populations and connections as the chip has them, before anything is rounded."""
    made = student(shape, name)
    with torch.no_grad():
        output = made.double()(images(shape).double())
    draft = drafted(to_nir(made.float()), load_profile("loihi2-assumed"))
    found = spikes_of(draft, output.drive)
    for layer, spikes in output.spikes.items():
        assert float((found[layer].reshape(spikes.shape) != spikes).double().mean()) < 1e-3, layer
    readout = found[draft.populations[-1].name][-1]
    torch.testing.assert_close(readout, output.scores, atol=1e-4, rtol=1e-4)


@pytest.mark.lava
@pytest.mark.parametrize(
    ("shape", "name", "kinds"),
    [
        (SERIES, "conv1d", ["conv", "conv", "dense"]),
        (SHAPE, "concatenated", ["conv", "conv", "conv", "conv", "dense"]),
        (SHAPE, "the largest of spikes", ["conv", "conv", "conv", "conv", "dense"]),
    ],
)
def test_lava_computes_the_same(lava: None, shape: tuple[int, int, int], name: str, kinds: list[str]) -> None:
    chip = lower(to_nir(student(shape, name)), "loihi2-assumed")
    assert ["dense" if c.conv is None else "conv" for c in chip.connections if "relay" not in c.target] == kinds
    drive = encode(chip.encoding, images(shape, 2).numpy(), chip.timesteps, 8)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []
    assert all(spikes.any() for name, spikes in ours.spikes.items() if name != chip.output.name)
