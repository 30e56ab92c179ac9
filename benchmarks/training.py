"""How long a training step takes: ours, other tools' and that of a network of ReLUs, side by side in one process.

    python benchmarks/training.py [--threads 1] [--timesteps 4] [--keep-memory] [--out training.json]

Every network has the layers of `convnet` of width 16 on 28 x 28 pixels, and a batch of 128. The bound is the same
network with ReLUs in place of neurons, on as many frames as there are timesteps: what the layers between the neurons
cost. Steps of all networks alternate, so that all meet the same machine; a row is the median of the ratios to the
bound's step beside it. Those tools are measured that can be imported: `requirements/make-env.sh` makes an environment
for each.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import snntorch as snn
import snntorch.utils
import torch
import torch.nn.functional as F
import typer
from packaging.version import Version
from torch import Tensor, nn

from spikewright.base.artefacts import atomic_write
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import is_neuron
from spikewright.student.student import Student, leaves

BETA = 0.5
BATCH = 128
DT_S = 0.001
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        step_ms: median of its steps.
        ratio: median of its step's time over the bound's.
        spread: (third quartile - first) / median of those ratios.
    """

    network: str
    step_ms: float
    samples_per_s: float
    ratio: float
    spread: float


def student(timesteps: int) -> Student:
    """Our student `convnet` of width 16 in floats, before training."""
    torch.manual_seed(0)
    neuron = NeuronSettings("lif", BETA)
    return Student(
        StudentConfig("convnet", 16, (1, 28, 28), 10, timesteps, "direct", input_bits=6, neuron=neuron)
    ).train()


def layers(neuron: Callable[[], nn.Module]) -> list[nn.Module]:
    """The layers of ours with other neurons, and no neurons behind the last weights."""
    return [neuron() if is_neuron(module) else module for _, module in leaves(student(1).network)][:-1]


def ours(timesteps: int) -> tuple[nn.Module, Logits]:
    """Our student in floats, and its logits."""
    made = student(timesteps)
    return made, lambda images: made(images).logits


def ours_on_integers(timesteps: int) -> tuple[nn.Module, Logits]:
    """A student on the integers of a chip."""
    made = become_integer(student(timesteps), load_profile("loihi2-assumed"), "loihi2-assumed").train()
    return made, lambda images: made(images).logits


def relu(timesteps: int) -> tuple[nn.Module, Logits]:
    """The bound: the same layers with ReLUs, on a frame for each timestep."""
    net = nn.Sequential(*layers(nn.ReLU))
    return net, lambda images: net(images.repeat(timesteps, 1, 1, 1)).reshape(timesteps, len(images), -1).mean(0)


def of_snntorch(timesteps: int) -> tuple[nn.Module, Logits]:
    """A loop over time, as its tutorials have it."""
    net = nn.Sequential(*layers(lambda: snn.Leaky(beta=BETA, init_hidden=True, reset_mechanism="zero")))

    def logits(images: Tensor) -> Tensor:
        snntorch.utils.reset(net)
        return torch.stack([net(images) for _ in range(timesteps)]).mean(0)

    return net, logits


def of_norse(timesteps: int) -> tuple[nn.Module, Logits]:
    """Its stateful sequence of cells, in a loop over time."""
    norse = importlib.import_module("norse.torch")
    rate = torch.tensor((1 - BETA) / DT_S)
    net = norse.SequentialState(*layers(lambda: norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=rate), dt=DT_S)))

    def logits(images: Tensor) -> Tensor:
        state, found = None, []
        for _ in range(timesteps):
            out, state = net(images, state)
            found.append(out)
        return torch.stack(found).mean(0)

    return net, logits


def of_spikingjelly(timesteps: int) -> tuple[nn.Module, Logits]:
    """Its multi-step mode, in which layers without a memory take all timesteps at once."""
    base = importlib.import_module("spikingjelly.activation_based")
    neuron, layer, functional, surrogate = (
        importlib.import_module(f"{base.__name__}.{name}") for name in ("neuron", "layer", "functional", "surrogate")
    )

    def lif() -> nn.Module:
        made: nn.Module = neuron.LIFNode(
            tau=1 / (1 - BETA), decay_input=False, step_mode="m", surrogate_function=surrogate.ATan(), detach_reset=True
        )
        return made

    found = [
        module if isinstance(module, neuron.LIFNode) else layer.SeqToANNContainer(module) for module in layers(lif)
    ]
    net = nn.Sequential(*found)

    def logits(images: Tensor) -> Tensor:
        functional.reset_net(net)
        out: Tensor = net(images.repeat(timesteps, 1, 1, 1, 1)).mean(0)
        return out

    return net, logits


def of_sinabs(timesteps: int) -> tuple[nn.Module, Logits]:
    """Its squeezing layers, which take samples and timesteps in one axis."""
    sinabs = importlib.import_module("sinabs")
    own = importlib.import_module("sinabs.layers")
    tau = -1 / torch.log(torch.tensor(BETA)).item()
    net = nn.Sequential(*layers(lambda: own.LIFSqueeze(tau_mem=tau, batch_size=BATCH, norm_input=False)))

    def logits(images: Tensor) -> Tensor:
        sinabs.reset_states(net)
        sinabs.zero_grad(net)
        frames = images.repeat_interleave(timesteps, 0)
        out: Tensor = net(frames).reshape(len(images), timesteps, -1).mean(1)
        return out

    return net, logits


def of_slayer(timesteps: int) -> tuple[nn.Module, Logits]:
    """Blocks of lava-dl, whose last axis is time and which have no batch norms."""
    slayer = importlib.import_module("lava.lib.dl.slayer")
    known = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 1 - BETA, "requires_grad": False}
    block = slayer.block.cuba
    net = nn.Sequential(
        block.Conv(known, 1, 16, 3, stride=2, padding=1),
        block.Conv(known, 16, 32, 3, stride=2, padding=1),
        block.Conv(known, 32, 32, 3, padding=1),
        block.Flatten(),
        block.Dense(known, 1568, 128),
        block.Affine(known, 128, 10),
    )

    def logits(images: Tensor) -> Tensor:
        out: Tensor = net(images[..., None].expand(*images.shape, timesteps)).mean(-1)
        return out

    return net, logits


PEERS: dict[str, tuple[str | None, Callable[[int], tuple[nn.Module, Logits]]]] = {
    "ReLU on T x B frames": (None, relu),
    "spikewright, floats": (None, ours),
    "spikewright, integers": ("nir>=1.0.8", ours_on_integers),
    "snnTorch": ("snntorch", of_snntorch),
    "Norse": ("norse", of_norse),
    "SpikingJelly": ("spikingjelly", of_spikingjelly),
    "sinabs": ("sinabs", of_sinabs),
    "lava-dl slayer": ("lava-dl", of_slayer),
}
"""By name, the distribution that it needs, and what makes a network and its logits."""


def installed(distribution: str | None) -> bool:
    """Whether a distribution is installed here, in the version that is asked for or a later one."""
    name, _, wanted = (distribution or "torch").partition(">=")
    try:
        return Version(version(name)) >= Version(wanted or "0")
    except PackageNotFoundError:
        return False


def keep_memory() -> None:
    """Have the C library keep what is freed, so that no step asks the system for pages."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(M_TOP_PAD, 64 << 20)


def step_of(net: nn.Module, logits: Logits, batch: int = BATCH) -> Callable[[], None]:
    """A function that trains a network by one step, forward, backward and update, on random images that stay."""
    torch.manual_seed(1)
    images, labels = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    optimizer = torch.optim.AdamW(net.parameters())

    def step() -> None:
        loss = F.cross_entropy(logits(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measure(timesteps: int, steps: int) -> list[Row]:
    """All networks, step beside step."""
    wanted = {name: make for name, (needed, make) in PEERS.items() if installed(needed)}
    made = {name: step_of(*make(timesteps)) for name, make in wanted.items()}
    times: dict[str, list[float]] = {name: [] for name in made}
    for number in range(steps + 3):
        for name, step in made.items():
            taken = seconds(step)
            if number >= 3:
                times[name].append(taken)
    bound = next(iter(times.values()))
    return [_row(name, each, bound) for name, each in times.items()]


def _row(name: str, times: list[float], bound: list[float]) -> Row:
    ratios = sorted(one / other for one, other in zip(times, bound, strict=True))
    first, middle, third = statistics.quantiles(ratios, n=4)
    median = statistics.median(times)
    return Row(name, 1000 * median, BATCH / median, middle, (third - first) / middle)


def main(
    threads: Annotated[int, typer.Option(help="torch threads")] = 1,
    timesteps: Annotated[int, typer.Option(help="T")] = 4,
    steps: Annotated[int, typer.Option(help="timed steps of each")] = 25,
    keep: Annotated[bool, typer.Option("--keep-memory", help="have the C library keep freed memory")] = False,
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    if keep:
        keep_memory()
    torch.set_num_threads(threads)
    rows = measure(timesteps, steps)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    print(f"{versions}, {threads} thread(s), T = {timesteps}, batch {BATCH}")
    print("| network | step | samples/s | times the bound | spread |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row.network} | {row.step_ms:.1f} ms | {row.samples_per_s:,.0f} | {row.ratio:.2f} | {row.spread:.0%} |"
        )
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    typer.run(main)
