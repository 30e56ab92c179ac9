"""What our estimates give for PilotNet-LIF, whose energy Intel measured on Loihi 2.

    python benchmarks/pilotnet.py [--out pilotnet.json]

The network and its input are those that lava-dl 0.6.0 installs with its tests (the extra `lava`). The measurement is in
its notebook tutorials/lava/lib/dl/netx/pilotnet_snn/benchmark.ipynb. See docs/energy-estimates.md.
"""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer

from spikewright.base.artefacts import write_json
from spikewright.base.types import IntArray
from spikewright.chip.activity import Activity
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.energy.estimate import estimate
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.profile.schema import HardwareProfile
from spikewright.simulation.integer import run
from spikewright.simulation.recording import activity_of

LAYERS = ("input", "conv-0", "conv-1", "conv-2", "conv-3", "conv-4", None, "fc-0", "fc-1", "fc-2", "fc-3")
"""Names of the blocks of the file; None is the flattening."""

TIMESTEPS = 16


@dataclass(frozen=True)
class Measured:
    """What lava-dl's notebook shows for an Oheo Gulch board that runs one frame again and again."""

    cores: int = 74
    frames_per_s: float = 408.91
    static_w: float = 0.232
    dynamic_w: float = 0.447

    @property
    def dynamic_j(self) -> float:
        """Dynamic energy of an inference."""
        return self.dynamic_w / self.frames_per_s

    @property
    def static_j(self) -> float:
        """Static energy of an inference."""
        return self.static_w / self.frames_per_s


def folder() -> Path | None:
    """Where lava-dl put its PilotNet, None where it is not installed."""
    spec = importlib.util.find_spec("lava")
    for place_of in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(place_of).parent / "tests" / "lava" / "lib" / "dl" / "netx" / "gts" / "pilotnet_lif"
        if found.is_dir():
            return found
    return None


def pilotnet(path: Path) -> ChipNetwork:
    """The network of lava-dl's file: input neurons, five convolutions, three dense layers and an integrator."""
    populations: list[Population] = []
    connections: list[Connection] = []
    with h5py.File(path / "network.net") as file:
        for index, name in enumerate(LAYERS):
            if name is not None:
                block = file[f"layer/{index}"]
                role = "input" if index == 0 else "readout" if name == LAYERS[-1] else "hidden"
                shape = shape_of(block)
                populations.append(Population(name, shape, role, neuron_of(block, shape, role)))
                if len(populations) > 1:
                    connections.append(connection_of(block, populations[-2].name, name))
    network = (tuple(populations), tuple(connections))
    return ChipNetwork(*network, TIMESTEPS, "current", "membrane", "loihi2", "")


def shape_of(block: h5py.Group) -> tuple[int, ...]:
    """``(channels, rows, columns)``, or ``(neurons,)``."""
    shape = tuple(int(size) for size in block["shape"][()])
    return shape[:1] if shape[1:] == (1, 1) else shape


def neuron_of(block: h5py.Group, shape: tuple[int, ...], role: str) -> Neuron:
    """Registers, and the bias of each channel; the input's comes with the frame."""
    bias = np.zeros(shape, dtype=np.int64)
    if role != "input":
        channels = np.asarray(block["bias"][()], dtype=np.int64).reshape(-1, *[1] * (len(shape) - 1))
        bias = np.broadcast_to(channels, shape).copy()
    registers = {name: int(block["neuron"][name][()]) for name in ("iDecay", "vDecay", "vThMant")}
    return Neuron(registers["iDecay"] - 1, registers["vDecay"], registers["vThMant"], bias)


def connection_of(block: h5py.Group, source: str, target: str) -> Connection:
    """Weights, and the geometry of a convolution."""
    weight = np.atleast_2d(block["weight"][()].astype(np.int64))
    if "stride" not in block:
        return Connection(source, target, weight)
    stride, padding = (tuple(int(step) for step in block[name][()]) for name in ("stride", "padding"))
    return Connection(source, target, weight, conv=ConvGeometry((stride[0], stride[1]), (padding[0], padding[1])))


def frame(path: Path) -> IntArray:
    """The one input, as the integer simulator takes it: biases of the input neurons, ``(1, 1, 3, 66, 200)``."""
    image: IntArray = np.load(path / "image.npy").astype(np.int64).transpose(2, 1, 0)
    return image[None, None]


def counted(path: Path) -> tuple[ChipNetwork, Activity]:
    """The network, and what it does in one inference."""
    chip = pilotnet(path)
    return chip, activity_of(chip, run(chip, frame(path)), "integer")


def with_constants_of(name: str) -> HardwareProfile:
    """Loihi 2's limits with the energies of another profile."""
    other = load_profile(name)
    return load_profile("loihi2-assumed").model_copy(update={"name": f"loihi2 with {name}", "energy": other.energy})


def rows(chip: ChipNetwork, activity: Activity) -> list[dict[str, Any]]:
    """What each set of constants gives, per inference, beside the measurement."""
    found = []
    for profile in (with_constants_of("loihi1-davies"), with_constants_of("loihi1-sanafe"), load_profile("loihi2")):
        placement = place(chip, profile)
        report = estimate(activity, placement, profile)
        row: dict[str, Any] = {"profile": profile.name, "total": report.total, "unit": report.unit}
        row["cores"] = placement.worst[-1].used
        row["by_event"] = {event.name: energy for event, energy in report.by_event().items()}
        row["counts"] = {
            event.name: sum(r.count for r in report.rows if r.event is event) for event in report.by_event()
        }
        if report.unit == "J":
            row["share_of_measured"] = report.total / Measured().dynamic_j
        else:
            row["measured_pj_per_op"] = Measured().dynamic_j / report.total * 1e12
        found.append(row)
    return found


def bounds(activity: Activity) -> dict[str, float]:
    """The most that one event can cost, in joules: what the measurement leaves it if all others cost nothing."""
    updates = sum(population.updates for population in activity.populations.values())
    measured = Measured().dynamic_j
    return {"synaptic operation": measured / activity.total_synaptic_ops, "neuron update": measured / updates}


def main(out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None) -> None:
    """Print what is counted and what it would cost; write it as JSON where asked."""
    if (path := folder()) is None:
        raise SystemExit("error: lava-dl is not installed; the extra `lava` has it, on Python 3.10")
    chip, activity = counted(path)
    measured = Measured()
    print(f"{sum(p.size for p in chip.populations):,} neurons, {activity.spikes:,} spikes, ", end="")
    print(f"{activity.total_synaptic_ops:,} synaptic operations in {chip.timesteps} steps")
    print(f"measured: {measured.dynamic_j * 1e3:.3f} mJ dynamic, {measured.static_j * 1e3:.3f} mJ static, 74 cores")
    found = rows(chip, activity)
    for row in found:
        said = {event: f"{energy:.4g}" for event, energy in row["by_event"].items()}
        rest = f"{row['share_of_measured']:.1%} of measured" if "share_of_measured" in row else ""
        rest = rest or f"measured energy per op {row['measured_pj_per_op']:.1f} pJ"
        print(f"{row['profile']}: {row['total']:.4g} {row['unit']} on {row['cores']} cores, {rest}; {said}")
        print(f"  counts { ({event: round(count) for event, count in row['counts'].items()}) }")
    said = ", ".join(f"{event} {energy * 1e12:.1f} pJ" for event, energy in bounds(activity).items())
    print(f"at most, on Loihi 2: {said}")
    if out is not None:
        write_json(out, {"measured": asdict(measured), "bounds_j": bounds(activity), "rows": found})


if __name__ == "__main__":
    typer.run(main)
