"""Every kind of layer and neuron, driven through student, NIR graph, integers, Lava and netx.

Prints the table of docs/layers.md, and below it what is refused, each with the sentence of its refusal:

    python benchmarks/layers.py

*Graph*: the spikes of the graph's interpreter are those of the student, in floats. *Integers*: a student that has
become one on integers computes what its graph and its chip network do. *Lava* and *netx*: spikes, currents and
membrane potentials of all neurons in all steps of two samples, compared with our simulator's; the number is that of
neuron-steps, none of which differs. Weights are random, T is 5.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
import snntorch as snn
import torch
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import SpikewrightError
from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neurons import integrator
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import Verification, verify_export

PROFILE = "loihi2-assumed"
T = 5
DT_S = 1e-4
INPUT_BITS = 8
IMAGE, SERIES, FLAT = (2, 6, 6), (2, 12, 1), (12, 1, 1)
FIRES = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False, "threshold": 0.4}
SUBTRACTS, LATE = FIRES | {"reset_mechanism": "subtract"}, FIRES | {"reset_mechanism": "subtract", "reset_delay": True}
HEAD = ("what", "in the graph", "on the chip", "graph", "integers", "Lava", "netx")


def lif(**given: object) -> nn.Module:
    """A layer of neurons with beta 0.75 and a reset to zero, or with what is given."""
    return snn.Leaky(**({"beta": 0.75} | FIRES | given))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: the layers, as one writes them.
        make: a network, or a graph, that has them behind spikes.
        shape: of its input.
        readout: what its answer is.
    """

    what: str
    make: Callable[[], nn.Module | nir.NIRGraph]
    shape: tuple[int, int, int] = IMAGE
    readout: str = "membrane"


def images(what: str, *layers: Callable[[], nn.Module]) -> Row:
    """Layers between the spikes of an image and a readout of their spikes."""

    def make() -> nn.Module:
        body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), lif(), *(layer() for layer in layers), lif(), nn.Flatten())
        return nn.Sequential(*body, *_head(body, IMAGE))

    return Row(what, make)


def series(what: str, *layers: Callable[[], nn.Module]) -> Row:
    """Layers between the spikes of a series and a readout of their spikes."""

    def make() -> nn.Module:
        first = nn.Flatten(2), nn.Conv1d(2, 4, 3, padding=1), lif()
        body = nn.Sequential(*first, *(layer() for layer in layers), lif(), nn.Flatten())
        return nn.Sequential(*body, *_head(body, SERIES))

    return Row(what, make, SERIES)


def neurons(what: str, layer: Callable[[], nn.Module], readout: str = "membrane") -> Row:
    """A layer of eight neurons before a readout, which counts spikes where the answer is ``count``."""

    def make() -> nn.Module:
        last = integrator() if readout == "membrane" else layer()
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), layer(), nn.Linear(8, 8), last)

    return Row(what, make, FLAT, readout)


def graphs(what: str, node: nir.NIRNode) -> Row:
    """A node of a NIR graph between two layers."""

    def make() -> nir.NIRGraph:
        random, ones = np.random.default_rng(5), np.ones(8)
        first, second = (random.normal(size=(8, size)) * 0.8 for size in (12, 8))
        return nir.NIRGraph.from_list(nir.Linear(first), node, nir.Linear(second), nir.I(r=ones / 1e-4))

    return Row(what, make, FLAT)


def _head(body: nn.Module, shape: Sequence[int]) -> tuple[nn.Module, nn.Module]:
    with torch.no_grad():
        size = body(torch.zeros(1, *shape)).shape[1]
    for module in body.modules():
        if isinstance(module, snn.SpikingNeuron):
            module.reset_mem()
    return nn.Linear(size, 5), integrator()


class Joined(nn.Module):
    """Two ways that meet, added or concatenated."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor], channels: int, strided: bool = False) -> None:
        super().__init__()
        self.join = [join]
        self.stem, self.first = nn.Conv2d(2, 4, 3, padding=1), lif()
        self.inner, self.second = nn.Conv2d(4, 4, 3, padding=1), lif()
        self.last, self.third = nn.Conv2d(4, 4, 3, padding=1), lif()
        self.down = nn.Conv2d(4, 4, 1) if strided else nn.Identity()
        self.head, self.readout = nn.Linear(36 * channels, 5), integrator()

    def forward(self, value: Tensor) -> Tensor:
        spikes = self.first(self.stem(value))
        inner = self.last(self.second(self.inner(spikes)))
        if self.join[0] is torch.add:
            return self.readout(self.head(self.third(inner + self.down(spikes)).flatten(1)))
        return self.readout(self.head(self.join[0](self.third(inner), spikes).flatten(1)))


def lif_node(**given: object) -> nir.NIRNode:
    """A LIF node that keeps 0.75 of its potential in a step of 1e-4 s, with what else is given."""
    ones = np.ones(8)
    constants = {"tau": 4e-4 * ones, "r": 4 * ones, "v_leak": 0 * ones, "v_threshold": 0.6 * ones}
    return nir.LIF(**(constants | {name: np.full(8, value) for name, value in given.items()}))


LINEAR = (
    images("`Conv2d`, groups, dilation, stride", lambda: nn.Conv2d(4, 6, 3, 2, 2, 2, groups=2)),
    images("`Conv2d`, padding that repeats values", lambda: nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect")),
    images("`Linear`", nn.Flatten, lambda: nn.Linear(144, 8)),
    series("`Conv1d`", lambda: nn.Conv1d(4, 6, 3, 2, 1, groups=2)),
    series("`ConvTranspose1d`", lambda: nn.ConvTranspose1d(4, 3, 4, 2, 1)),
    images("`ConvTranspose2d`", lambda: nn.AvgPool2d(2), lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1)),
    images("`AvgPool2d` of spikes", lambda: nn.AvgPool2d(2), lambda: nn.Conv2d(4, 4, 2)),
    images("`AvgPool2d` of currents", lambda: nn.Conv2d(4, 4, 3, padding=1), lambda: nn.AvgPool2d(2)),
    images("`AvgPool2d`, `ceil_mode`", lambda: nn.AvgPool2d(4, ceil_mode=True), lambda: nn.Conv2d(4, 4, 1)),
    images("`AdaptiveAvgPool2d` of spikes", lambda: nn.AdaptiveAvgPool2d((2, 4)), lambda: nn.Conv2d(4, 4, 1)),
    images(
        "`AdaptiveAvgPool2d` of currents, uneven",
        lambda: nn.Conv2d(4, 4, 1),
        lambda: nn.AdaptiveAvgPool2d((2, 4)),
    ),
    series("`AvgPool1d`, `AdaptiveAvgPool1d`", lambda: nn.AdaptiveAvgPool1d(4), lambda: nn.Conv1d(4, 3, 2)),
    images("`MaxPool2d` of spikes", lambda: nn.MaxPool2d(2), lambda: nn.Conv2d(4, 4, 1)),
    images("`MaxPool2d` of currents", lambda: nn.Conv2d(4, 4, 1), lambda: nn.MaxPool2d(2)),
    images(
        "`Upsample`, nearest", lambda: nn.AvgPool2d(3), lambda: nn.Upsample(scale_factor=2), lambda: nn.Conv2d(4, 3, 1)
    ),
    images("`ZeroPad2d`", lambda: nn.ZeroPad2d((1, 0, 2, 0)), lambda: nn.Conv2d(4, 3, 2)),
    images("`BatchNorm2d` behind weights", lambda: nn.Conv2d(4, 4, 3, padding=1), lambda: nn.BatchNorm2d(4)),
    images("`BatchNorm2d` before weights", lambda: nn.BatchNorm2d(4), lambda: nn.Conv2d(4, 4, 3)),
    images("`BatchNorm2d` before padded weights", lambda: nn.BatchNorm2d(4), lambda: nn.Conv2d(4, 4, 3, padding=1)),
    images("two `Conv2d` in a row", lambda: nn.Conv2d(4, 4, 3), lambda: nn.Conv2d(4, 4, 1)),
    images("two padded `Conv2d` in a row", *(lambda: nn.Conv2d(4, 4, 3, padding=1),) * 2),
    images("two `Linear` in a row", nn.Flatten, lambda: nn.Linear(144, 8), lambda: nn.Linear(8, 12)),
    Row("`+` of spikes, behind weights (SEW)", lambda: Joined(torch.add, 4, strided=True)),
    Row("`+` of spikes, identity (membrane)", lambda: Joined(torch.add, 4)),
    Row("`torch.cat` of spikes", lambda: Joined(lambda one, two: torch.cat([one, two], 1), 8)),
    images("`LayerNorm`", lambda: nn.LayerNorm([4, 6, 6])),
    images("`GroupNorm`", lambda: nn.GroupNorm(2, 4)),
)
NEURONS = (
    neurons("`Leaky`", lif),
    neurons("`Leaky`, beta 1", lambda: lif(beta=1.0)),
    neurons("`Leaky`, beta of each neuron", lambda: lif(beta=torch.tensor([0.5, 0.9] * 4))),
    neurons("`Leaky`, threshold of each neuron", lambda: lif(threshold=torch.linspace(0.2, 0.6, 8))),
    neurons("`Leaky`, reset by subtraction", lambda: lif(**SUBTRACTS)),
    neurons("`Leaky`, reset by subtraction, a step late", lambda: lif(**LATE)),
    neurons("`Synaptic`", lambda: snn.Synaptic(alpha=0.5, beta=0.75, **FIRES)),
    neurons("`Leaky`, spikes counted", lif, "count"),
    neurons("`RLeaky`, all to all", lambda: snn.RLeaky(beta=0.75, linear_features=8, **FIRES)),
    neurons("`RLeaky`, one to one", lambda: snn.RLeaky(beta=0.75, all_to_all=False, V=0.5, **FIRES)),
    neurons("`RSynaptic`", lambda: snn.RSynaptic(alpha=0.5, beta=0.75, linear_features=8, **FIRES)),
    neurons("`Alpha`", lambda: snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True)),
    neurons("`Lapicque`", lambda: snn.Lapicque(beta=0.8, init_hidden=True)),
    graphs("NIR `IF`", nir.IF(r=np.full(8, 1e4), v_threshold=np.full(8, 0.6))),
    graphs("NIR `LIF`, `v_leak`", lif_node(v_leak=0.2)),
    graphs("NIR `LIF`, `v_reset`", lif_node(v_reset=-0.25)),
    graphs("NIR `Threshold`", nir.Threshold(threshold=np.full(8, 0.6))),
    graphs(
        "NIR `CubaLIF`, `w_in`",
        nir.CubaLIF(
            tau_syn=np.full(8, 2e-4), tau_mem=np.full(8, 4e-4), r=np.full(8, 4.0), v_leak=np.zeros(8),
            v_threshold=np.full(8, 0.6), w_in=np.full(8, 2.0),
        ),
    ),
)  # fmt: skip
ROWS = LINEAR + NEURONS


@dataclass
class Line:
    """What became of a row: its cells, and the sentences of what refused it."""

    cells: list[str] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)


def main(words: Sequence[str] | None = None) -> None:
    """Print the table and the refusals."""
    parser = argparse.ArgumentParser(prog="python benchmarks/layers.py", description=__doc__)
    parser.add_argument("--only", help="rows whose name has this in it")
    parser.add_argument(
        "--without", nargs="*", default=[], choices=["lava", "netx"], help="simulators that are left out"
    )
    options = parser.parse_args(words)
    rows = [row for row in ROWS if options.only is None or options.only in row.what]
    for line in table(rows, [name for name in ("lava", "netx") if name not in options.without]):
        print(line, flush=True)


def table(rows: Sequence[Row], simulators: Sequence[str] = ("lava", "netx")) -> Iterator[str]:
    """The lines of the table, and below it a sentence for each refusal."""
    yield "| " + " | ".join(HEAD[: 5 + len(simulators)]) + " |"
    yield "|" + " --- |" * (5 + len(simulators))
    notes: dict[str, int] = {}
    for row in rows:
        line = driven(row, simulators)
        marks = {step: notes.setdefault(sentence, len(notes) + 1) for step, sentence in line.refusals}
        cells = [f"refused ({marks[cell]})" if cell in marks else cell for cell in line.cells]
        yield f"| {row.what} | " + " | ".join(cells) + " |"
    yield ""
    yield from (f"{number}. {sentence}" for sentence, number in notes.items())


def driven(row: Row, simulators: Sequence[str] = ("lava", "netx")) -> Line:
    """One row through everything; a cell that is refused holds the name of its column."""
    line, inputs = Line(), torch.rand(4, *row.shape, generator=torch.Generator().manual_seed(1))
    made = refused(line, "graph", lambda: student(row))
    graph = refused(line, "graph", lambda: to_nir(made)) if isinstance(made, Student) else made
    if graph is None:
        line.cells = ["", "", "graph", *[""] * (1 + len(simulators))]
        return line
    given = {} if isinstance(made, Student) else {"timesteps": T, "encoding": "rate", "dt_s": DT_S}
    chip = refused(line, "chip", lambda: sw.lower(graph, PROFILE, **given))
    line.cells = [nodes(graph), "chip" if chip is None else populations(chip)]
    line.cells += [in_floats(line, made, graph, given, inputs), on_integers(line, row, inputs)]
    line.cells += ["" if chip is None else simulated(line, name, chip, inputs) for name in simulators]
    return line


def student(row: Row) -> Student | nir.NIRGraph:
    """A row's network with random weights under which its neurons fire, or its graph."""
    torch.manual_seed(4)
    network = row.make()
    if isinstance(network, nir.NIRGraph):
        return network
    width, outputs = (8, 8) if row.shape == FLAT else (4, 5)
    made = Student(StudentConfig("own", width, row.shape, outputs, T, "rate", readout=row.readout), network)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.05, 0.3)
        elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            module.weight.data.mul_(2.5)
    return made.eval()


def nodes(graph: nir.NIRGraph) -> str:
    """The kinds of the nodes between the first neurons and the last weights."""
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    inner = [kind for kind in kinds if kind not in ("Input", "Output", "Flatten")]
    return ", ".join(dict.fromkeys(inner))


def populations(chip: ChipNetwork) -> str:
    """How many populations, and what their connections are."""
    matrices = sum(connection.conv is None for connection in chip.connections)
    both = (len(chip.connections) - matrices, "convolution"), (matrices, "matrix")
    return f"{len(chip.populations)} populations; " + ", ".join(f"{count} {name}" for count, name in both if count)


def in_floats(
    line: Line, made: Student | nir.NIRGraph, graph: nir.NIRGraph, given: dict[str, object], inputs: Tensor
) -> str:
    """Whether student and graph fire the same spikes; a graph is made a student for that."""
    if isinstance(made, Student):
        return _equal(verify_export(made, graph, inputs))
    back = refused(line, "graph", lambda: Student.from_nir(graph, **given))
    return "graph" if back is None else "equal"


def on_integers(line: Line, row: Row, inputs: Tensor) -> str:
    """Whether a student that has become one on integers is what its graph and its chip network are."""
    made = student(row)
    if not isinstance(made, Student):
        made = refused(line, "integers", lambda: Student.from_nir(made, timesteps=T, encoding="rate", dt_s=DT_S))
    if made is None:
        return "integers"
    integers = refused(line, "integers", lambda: become_integer(made, sw.load_profile(PROFILE), PROFILE))
    if integers is None:
        return "integers"
    return _equal(verify_export(integers, to_nir(integers.eval()), inputs))


def _equal(checked: Verification) -> str:
    assert checked.samples >= 3, "too few samples could be compared"
    return "equal"


def simulated(line: Line, name: str, chip: ChipNetwork, inputs: Tensor) -> str:
    """The neuron-steps that were compared, none of which differs; or what differs."""
    samples = inputs[:2].reshape(2, *chip.input.shape).numpy()
    drive = encode(chip.encoding, samples, chip.timesteps, INPUT_BITS)
    ours = integer.run(chip, drive, record_states=True)
    silent = [
        p.name
        for p in chip.populations[1:]
        if p.neuron is not None and p.neuron.fires and not ours.spikes[p.name].any()
    ]
    assert not silent, f"silent: {silent}"
    theirs = refused(line, name, lambda: backend(name)(chip, drive, record_states=True))
    if theirs is None:
        return name
    if faults := compare(ours, theirs):
        return "; ".join(map(str, faults))
    return f"{sum(spikes.size for population, spikes in ours.spikes.items() if population != chip.input.name):,}"


def refused(line: Line, step: str, work: Callable[[], object]) -> Any:
    """What some work gives; None, and the sentence noted, where it refuses."""
    try:
        return work()
    except SpikewrightError as error:
        line.refusals.append((step, "; ".join(str(error).split("\n  - "))))
        return None


if __name__ == "__main__":
    main()
