"""What networks take of chips, how long placing them takes, and how much nearer their cores lie than in order.

    python benchmarks/placement.py [--only vgg] [--out placement.json]

Each row runs in a process of its own, on one thread. Weights are untrained or random: a placement depends on structure
alone. Time and memory are those of placing; the process's peak counts the network and everything imported as well.
Networks that are too large for one chip may take up to `CHIPS`.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from spikewright.base.artefacts import atomic_write
from spikewright.base.errors import SpikewrightError
from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import HardwareProfile, load_profile, profile_names
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.training.settings import settings_from
from spikewright.training.sizing import student_config

CHIPS = 1024
"""Chips that networks too large for one may take."""
HEADINGS = (
    "network", "synapses", "profile", "cores", "chips", "CPU time", "memory added (peak)", "fullest", "hops a message",
    "change chip",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One network on one profile; ``refusal`` is empty where it fits.

    Attributes:
        seconds, megabytes: CPU time and memory that placing took; ``peak_megabytes`` of the whole process.
        hops, hops_in_order: of a message that stays on its chip, each source spiking once; None without a mesh.
        change_chip, change_chip_in_order: share of the messages between cores.
    """

    network: str
    profile: str
    synapses: int = 0
    cores: int = 0
    chips: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    peak_megabytes: float = 0.0
    fullest: str = ""
    hops: float | None = None
    hops_in_order: float | None = None
    change_chip: float = 0.0
    change_chip_in_order: float = 0.0
    refusal: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """For the table."""
        if self.refusal:
            return (self.network, "", self.profile, "does not fit", *[""] * 6)
        nearer = "" if self.hops is None else f"{self.hops:.2f} (in order {self.hops_in_order:.2f})"
        crossing = f"{self.change_chip:.1%} (in order {self.change_chip_in_order:.1%})" if self.chips > 1 else ""
        spent = f"{self.megabytes:.0f} MB ({self.peak_megabytes:.0f} MB)"
        return (
            self.network, f"{self.synapses:.3g}", self.profile, str(self.cores), str(self.chips),
            f"{self.seconds:.2f} s", spent, self.fullest, nearer, crossing,
        )  # fmt: skip


def convolutions(*layers: tuple[int, int], size: int) -> Callable[[HardwareProfile], ChipNetwork]:
    """3 x 3 convolutions of 8-bit integers, each ``(channels, stride)``, on 3 channels of ``size`` squared, and a
    dense readout of 10."""

    def build(profile: HardwareProfile) -> ChipNetwork:
        generator = np.random.default_rng(0)
        populations, connections = [Population("l0", (3, size, size), "input", None)], []
        for i, (channels, stride) in enumerate(layers, 1):
            before = populations[-1]
            shape = (channels, *(-(-side // stride) for side in before.shape[1:]))
            neuron = Neuron(4095, 0, 100, np.zeros(shape, dtype=np.int64))
            populations.append(Population(f"l{i}", shape, "hidden", neuron))
            weight = generator.integers(-128, 127, (channels, before.shape[0], 3, 3), dtype=np.int8)
            geometry = ConvGeometry((stride, stride), (1, 1))
            connections.append(Connection(before.name, f"l{i}", weight, 8, geometry))
        last = populations[-1]
        populations.append(Population("out", (10,), "readout", Neuron(4095, 0, 100, np.zeros(10, dtype=np.int64))))
        connections.append(Connection(last.name, "out", generator.integers(-128, 127, (10, last.size), dtype=np.int8)))
        return ChipNetwork(tuple(populations), tuple(connections), 1, "events", "count", profile.name, profile.sha256)

    return build


def dense(*sizes: int) -> Callable[[HardwareProfile], ChipNetwork]:
    """Dense layers of 8-bit integers."""

    def build(profile: HardwareProfile) -> ChipNetwork:
        generator = np.random.default_rng(0)
        last = len(sizes) - 1
        populations = [Population("l0", (sizes[0],), "input", None)]
        for i, size in enumerate(sizes[1:], 1):
            neuron = Neuron(4095, 0, 100, np.zeros(size, dtype=np.int64))
            populations.append(Population(f"l{i}", (size,), "readout" if i == last else "hidden", neuron))
        connections = tuple(
            Connection(a.name, b.name, generator.integers(-128, 127, (b.size, a.size), dtype=np.int8))
            for a, b in pairwise(populations)
        )
        return ChipNetwork(tuple(populations), connections, 1, "events", "count", profile.name, profile.sha256)

    return build


def student(architecture: str, width: int, shape: tuple[int, int, int]) -> Callable[[HardwareProfile], ChipNetwork]:
    """An untrained student, lowered; its input is graded where the chip takes graded spikes, else neurons."""

    def build(profile: HardwareProfile) -> ChipNetwork:
        flags: dict[str, object] = {"profile": profile.name, "architecture": architecture, "width": width}
        if profile.limits.decay_bits == 0:
            flags["beta"] = 1.0  # neurons that cannot leak
        settings = settings_from(None, flags)
        encoding = "direct" if profile.limits.graded_spike_bits else "current"
        torch.manual_seed(0)
        config = student_config(settings, shape, 10, encoding, width, profile.default_timesteps)
        return lower(to_nir(Student(config).eval()), profile)

    return build


def cases() -> Iterator[tuple[str, str, Callable[[HardwareProfile], ChipNetwork]]]:
    """Name of network, name of profile, and how to make the network for the profile."""
    for name in profile_names():  # both presets train a convnet of width 16; its input follows the profile
        yield "presets, convnet 16", name, student("convnet", 16, (1, 28, 28))
    for name in ("loihi1-davies", "loihi2-assumed"):
        yield "vgg 16, 1x28x28", name, student("vgg", 16, (1, 28, 28))
    for name in ("loihi1-davies", "loihi2-assumed", "darwin3", "spinnaker2"):
        yield "vgg 64, CIFAR-10", name, student("vgg", 64, (3, 32, 32))
    for name in ("loihi1-davies", "loihi2-assumed"):
        yield "dense 10^7", name, dense(2000, 2000, 2000, 1000, 10)
    yield "dense 10^8", "loihi2-assumed", dense(10_000, 10_000, 10)
    wide = ((256, 1), (256, 1), (256, 2), (512, 2), (512, 1), (512, 2))
    yield "convolutions 10^9", "loihi2-assumed", convolutions(*wide, size=32)
    yield "dense 10^9", "loihi2-assumed", dense(*[10_000] * 11, 10)


def measure(number: int) -> Row:
    """One row; runs in a process of its own."""
    torch.set_num_threads(1)
    network, name, build = list(cases())[number]
    profile = load_profile(name)
    row = Row(network, name)
    try:
        chip = build(profile)
        before, began = _peak(), time.process_time()
        placement = place(chip, profile, chips=CHIPS)
        seconds = time.process_time() - began
    except SpikewrightError as error:
        return replace(row, refusal=str(error))
    how, bound = placement.arrangement, placement.binding
    within = how.messages - how.between_chips
    return replace(
        row,
        synapses=sum(int(np.sum(fan_out(chip, c))) for c in chip.connections),
        cores=placement.cores,
        chips=how.chips,
        seconds=seconds,
        megabytes=_peak() - before,
        peak_megabytes=_peak(),
        fullest="" if bound is None else f"{bound.resource} {bound.share:.0%}",
        hops=how.hops / within if how.hops is not None and within else None,
        hops_in_order=how.hops_in_order / within if how.hops_in_order is not None and within else None,
        change_chip=how.between_chips / max(how.messages, 1),
        change_chip_in_order=how.cut_in_order / max(how.messages, 1),
    )


def main(
    only: Annotated[str, typer.Option(help="networks and profiles whose names contain this")] = "",
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    rows = []
    print("| " + " | ".join(HEADINGS) + " |\n" + "| --- " * len(HEADINGS) + "|")
    for number, (network, name, _) in enumerate(cases()):
        if only not in f"{network} {name}":
            continue
        with multiprocessing.get_context("fork").Pool(1) as pool:  # torch is imported once, before
            rows.append(pool.apply(measure, (number,)))
        print("| " + " | ".join(rows[-1].cells) + " |", flush=True)
    for row in rows:
        if row.refusal:
            print(f"\n{row.network}: {row.refusal}")
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps([asdict(row) for row in rows], indent=1))


def _peak() -> float:
    """Most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    typer.run(main)
