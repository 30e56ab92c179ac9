"""Our counts and energies beside SANA-FE's, on the same networks, samples and placements.

    SPIKEWRIGHT_SANAFE_PYTHON=path/to/python python benchmarks/sanafe_agreement.py [--out agreement.json]

SANA-FE (`sanafe` on PyPI, GPL-3.0) runs in a process of its own, in whichever Python has it; without the variable this
one is asked. It gets the integer network, the input and the core of every neuron, and computes spikes, synaptic events,
messages, hops, updates and energy with its own Loihi model. See docs/energy-estimates.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from sanafe_cases import PROFILE, Case, cases

from spikewright.base.artefacts import write_json
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Population
from spikewright.energy.estimate import estimate
from spikewright.energy.report import EnergyReport
from spikewright.energy.time import core_work
from spikewright.placing.placement import Placement, place
from spikewright.profile.profile import load_profile
from spikewright.profile.schema import HardwareProfile
from spikewright.simulation.integer import run
from spikewright.simulation.recording import Recording, activity_of

PYTHON = "SPIKEWRIGHT_SANAFE_PYTHON"
REPLAY = Path(__file__).with_name("sanafe_replay.py")
NEURONS_OF_MANY_TILES = 12
"""Neurons per core in the runs that are spread over many tiles."""
Job = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One quantity of one run, over all its samples; ``difference`` is relative to SANA-FE's."""

    case: str
    cores: int
    tiles: int
    quantity: str
    ours: float
    sanafe: float

    @property
    def difference(self) -> float:
        """``ours / sanafe - 1``; 0 where both are 0."""
        return 0.0 if self.ours == self.sanafe else self.ours / self.sanafe - 1 if self.sanafe else float("inf")


def sanafe_python() -> str | None:
    """The Python that has SANA-FE, None where there is none."""
    python = os.environ.get(PYTHON, sys.executable)
    found = subprocess.run([python, "-c", "import sanafe"], capture_output=True, check=False)
    return python if found.returncode == 0 else None


def compare(case: Case, profile: HardwareProfile, python: str) -> list[Row]:
    """Every quantity of one case on one profile, both ways.

    Raises:
        RuntimeError: SANA-FE failed, or its spikes are not ours.
    """
    placement = place(case.chip, profile)
    recording = run(case.chip, case.drive)
    theirs = replay(job_of(case, placement), python)
    if theirs["spikes"] != spikes_of(case.chip, recording):
        raise RuntimeError(f"{case.name}: the spikes of SANA-FE are not ours")
    report = estimate(activity_of(case.chip, recording, "integer"), placement, profile)
    used = {core for p in case.chip.populations for core in cores_of(placement, p)}
    tiles = {core // mesh_of(profile) for core in used}
    ours = {quantity: count * recording.samples for quantity, count in quantities(report).items()}
    ours["time_s"] = time_of(case, placement, profile)
    return [
        Row(case.name, len(used), len(tiles), quantity, value, theirs[quantity]) for quantity, value in ours.items()
    ]


def quantities(report: EnergyReport) -> dict[str, float]:
    """What both count, per inference, under SANA-FE's names."""
    events = {
        "synaptic_ops": ("synaptic_op", "synaptic_op_conv"),
        "messages": ("message",),
        "hops_x": ("hop_x",),
        "hops_y": ("hop_y",),
        "accesses": ("neuron_access",),
        "active_updates": ("neuron_active_extra",),
    }
    found = {name: sum(row.count for row in report.rows if row.event.name in of) for name, of in events.items()}
    return {**found, "energy_j": report.total}


def time_of(case: Case, placement: Placement, profile: HardwareProfile) -> float:
    """Our estimate of the time that all samples take, each let out of the pipeline before the next one comes."""
    mesh, total = profile.limits.mesh, 0.0
    assert mesh is not None
    assert profile.time is not None
    steps = case.chip.timesteps + max(case.chip.depth.values())
    for sample in range(case.drive.shape[1]):
        alone = activity_of(case.chip, run(case.chip, case.drive[:, sample : sample + 1]), "integer")
        work = core_work(alone, placement, profile.time, steps)
        tiles = len({core // mesh.cores_per_tile for _, core in work.cores})
        total += float(work.busy_s.max(axis=0).sum()) + steps * profile.time.barrier.seconds(tiles)
    return total


def replay(job: Job, python: str) -> Job:
    """Run a job in SANA-FE, in a process of its own."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "job.json", Path(folder) / "counts.json"
        source.write_text(json.dumps(job), encoding="utf-8")
        done = subprocess.run([python, str(REPLAY), str(source), str(target)], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"SANA-FE failed: {done.stderr.decode(errors='replace')}")
        counts: Job = json.loads(target.read_text(encoding="utf-8"))
    return {**counts, "spikes": [tuple(spike) for spike in counts["spikes"]]}


def job_of(case: Case, placement: Placement) -> Job:
    """A case as SANA-FE needs it.

    Raises:
        ValueError: the network has what SANA-FE cannot compute exactly.
    """
    chip = case.chip
    if chip.is_recurrent:
        raise ValueError("a recurrent population hears its last spikes after its last step")
    return {
        "timesteps": chip.timesteps,
        "chip_steps": chip.timesteps + max(chip.depth.values()),
        "samples": case.drive.shape[1],
        "populations": [population_job(case, placement, population) for population in chip.populations],
        "connections": [connection_job(case, connection) for connection in chip.connections],
    }


def population_job(case: Case, placement: Placement, population: Population) -> Job:
    """Registers in SANA-FE's unit, which is a weight's: 64 of the chip's."""
    job: Job = {"name": population.name, "size": population.size, "depth": case.chip.depth[population.name]}
    job["synapse"] = synapse_of(case, population)
    neuron = population.neuron
    if neuron is None:
        return job | events_job(case, placement, population)
    if neuron.du != 4095:
        raise ValueError(f"{population.name}: SANA-FE does not round the decay of a current")
    bias = case.drive[0] if population.role == "input" else neuron.bias[None]
    return job | {
        "events": None,
        "cores": cores_of(placement, population),
        "threshold": neuron.vth,
        "leak_decay": (4096 - neuron.dv) / 4096,
        "bias": (bias.reshape(len(bias), -1) * 2**neuron.bias_exp / 64).tolist(),
    }


def events_job(case: Case, placement: Placement, population: Population) -> Job:
    """Event inputs on the cores after the last one used, a hardware unit each, their spikes in the chip's own time."""
    steps, samples = case.drive.shape[:2]
    padded = np.zeros((samples, case.chip.timesteps + max(case.chip.depth.values()), population.size), dtype=np.int64)
    padded[:, :steps] = np.swapaxes(case.drive.reshape(steps, samples, -1), 0, 1)
    first = 1 + max(core for p in case.chip.populations for core in cores_of(placement, p))
    return {
        "events": padded.reshape(-1, population.size).T.tolist(),
        "cores": [first + index // 1024 for index in range(population.size)],
        "units": [f"loihi_inputs[{index % 1024}]" for index in range(population.size)],
    }


def synapse_of(case: Case, population: Population) -> str | None:
    """SANA-FE's synapse unit for what arrives at a population, None where nothing does."""
    kinds = {"conv" if c.conv else case.tables for c in case.chip.into(population.name)}
    if len(kinds) > 1:
        raise ValueError(f"{population.name}: SANA-FE keeps one kind of synapse for each target, here are {kinds}")
    return f"loihi_{kinds.pop()}_synapse" if kinds else None


def connection_job(case: Case, connection: Connection) -> Job:
    """A connection for SANA-FE's own constructors; a padded, dilated or grouped convolution as pairs of neurons."""
    job: Job = {"source": connection.source, "target": connection.target}
    geometry, weight = connection.conv, connection.weight
    if geometry is None and case.tables == "dense":
        return job | {"kind": "dense", "weights": weight.T.reshape(-1).tolist()}
    if geometry is None:
        targets, sources = np.nonzero(weight)
        pairs = np.stack([sources, targets], axis=1).tolist()
        return job | {"kind": "pairs", "pairs": pairs, "weights": weight[targets, sources].tolist()}
    channels, height, width = case.chip.by_name[connection.source].shape
    if geometry == ConvGeometry(geometry.stride):
        return job | {
            "kind": "conv",
            "weights": weight.transpose(2, 3, 1, 0).reshape(-1).tolist(),
            "geometry": {
                "input_width": width, "input_height": height, "input_channels": channels,
                "kernel_width": weight.shape[3], "kernel_height": weight.shape[2], "kernel_count": weight.shape[0],
                "stride_width": geometry.stride[1], "stride_height": geometry.stride[0],
            },
        }  # fmt: skip
    found = list(synapses(connection, (channels, height, width), case.chip.by_name[connection.target].shape))
    return job | {"kind": "pairs", "pairs": [pair for pair, _ in found], "weights": [each for _, each in found]}


def synapses(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...]
) -> Iterator[tuple[tuple[int, int], int]]:
    """Each synapse of a convolution as ``((source, target), weight)``, tap by tap."""
    assert connection.conv is not None
    geometry, weight = connection.conv, connection.weight
    outs, ins = target[0] // geometry.groups, source[0] // geometry.groups
    for (o, i, ky, kx), value in np.ndenumerate(weight):
        for y, x in np.ndindex(target[1], target[2]):
            row = y * geometry.stride[0] + ky * geometry.dilation[0] - geometry.padding[0]
            column = x * geometry.stride[1] + kx * geometry.dilation[1] - geometry.padding[1]
            if 0 <= row < source[1] and 0 <= column < source[2]:
                channel = o // outs * ins + i
                pair = (
                    int(np.ravel_multi_index((channel, row, column), source)),
                    int(np.ravel_multi_index((o, y, x), target)),
                )
                yield pair, int(value)


def cores_of(placement: Placement, population: Population) -> list[int]:
    """The core of each neuron of a population, in flat order; none for event inputs."""
    cores = np.zeros(population.size, dtype=np.int64)
    for site in placement.sites_of(population.name):
        cores[site.block.members] = site.core
    return cores.tolist() if population.neuron is not None else []


def mesh_of(profile: HardwareProfile) -> int:
    """Cores per tile."""
    assert profile.limits.mesh is not None
    return profile.limits.mesh.cores_per_tile


def spikes_of(chip: ChipNetwork, recording: Recording) -> list[tuple[str, int, int, int]]:
    """Spikes of all compartments as ``(population, sample, step, neuron)``, sorted."""
    found = []
    for population in chip.populations:
        if population.neuron is not None:
            raster = recording.spikes[population.name]
            steps, samples, neurons = np.nonzero(raster.reshape(*raster.shape[:2], -1))
            found += [
                (population.name, int(s), int(t), int(n)) for t, s, n in zip(steps, samples, neurons, strict=True)
            ]
    return sorted(found)


def spread(profile: HardwareProfile, neurons_per_core: int) -> HardwareProfile:
    """The profile with smaller cores, so that a small network takes many tiles."""
    limits = profile.limits.model_copy(update={"neurons_per_core": neurons_per_core})
    return profile.model_copy(update={"limits": limits})


def runs(python: str) -> Iterator[list[Row]]:
    """Every case on as few tiles as it takes, and on many; not those with event inputs, whose way is not modelled."""
    profile = load_profile(PROFILE)
    for case in cases():
        yield compare(case, profile, python)
        if case.chip.encoding == "current":
            yield compare(case, spread(profile, NEURONS_OF_MANY_TILES), python)


def cell(row: Row) -> str:
    """A count, or ours and SANA-FE's where they differ."""
    unit = 1e6 if row.quantity in ("energy_j", "time_s") else 1
    ours, theirs = (f"{value * unit:,.4f}" if unit > 1 else f"{value:,.0f}" for value in (row.ours, row.sanafe))
    return ours if ours == theirs else f"{ours} / {theirs}"


def main(out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None) -> None:
    """Print a table, ours / SANA-FE's where they differ; write it as JSON where asked."""
    if (python := sanafe_python()) is None:
        raise SystemExit(f"error: SANA-FE cannot be imported; set {PYTHON} to a Python in which `sanafe` is installed")
    headings = "synaptic events | messages | hops x | hops y | accesses | active updates | µJ | differ | µs | differ"
    print(f"| network | cores, tiles | {headings} |\n| --- | --- " + "| ---: " * 10 + "|")
    kept = []
    for rows in runs(python):
        first = rows[0]
        cells = [
            cell(row) + (f" | {row.difference:+.3%}" if row.quantity.endswith(("_j", "_s")) else "") for row in rows
        ]
        print(f"| {first.case} | {first.cores}, {first.tiles} | {' | '.join(cells)} |", flush=True)
        kept += rows
    if out is not None:
        write_json(out, {"rows": [{**asdict(row), "difference": row.difference} for row in kept]})


if __name__ == "__main__":
    typer.run(main)
