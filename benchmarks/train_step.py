"""How long a training step takes, in floats and on a chip's integers, side by side.

    python benchmarks/train_step.py [--threads 1 --threads 2] [--device cuda] [--out step.json]

Both students are the same network at the same point of training; steps alternate, so that both meet the same machine.
The ratio of medians is what counts.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer

from spikewright.base.artefacts import atomic_write
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student

CASES = (
    ("convnet", 16, 4, "direct", "lif", 0.5),
    ("convnet", 16, 4, "direct", "lif", 0.7),  # a decay that no power of two divides: states are split
    ("convnet", 16, 6, "current", "lif", 0.5),
    ("convnet", 16, 4, "direct", "cubalif", 0.7),
    ("vgg", 16, 4, "direct", "lif", 0.5),
    ("mlp", 256, 4, "direct", "lif", 0.5),
    ("skipnet", 16, 4, "direct", "lif", 0.5),
)


@dataclass(frozen=True)
class Row:
    """Medians in milliseconds."""

    case: str
    threads: int
    float_ms: float
    integer_ms: float
    ratio: float


def timed(student: Student, images: torch.Tensor, labels: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """One step: forward, backward, update; seconds."""
    began = time.perf_counter()
    loss = F.cross_entropy(student(images).logits, labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if images.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def compare(case: tuple[str, int, int, str, str, float], steps: int, device: str) -> tuple[float, float]:
    """Median seconds of a step in floats and on integers."""
    architecture, width, timesteps, encoding, kind, beta = case
    torch.manual_seed(0)
    config = StudentConfig(
        architecture, width, (1, 28, 28), 10, timesteps, encoding, input_bits=6, neuron=NeuronSettings(kind, beta)
    )
    floats = Student(config).train()
    integers = become_integer(floats, load_profile("loihi2-assumed"), "loihi2-assumed").train()
    images, labels = torch.rand(128, 1, 28, 28, device=device), torch.randint(0, 10, (128,), device=device)
    times: list[list[float]] = [[], []]
    students = [student.to(device) for student in (floats, integers)]
    optimizers = [torch.optim.AdamW(student.parameters()) for student in students]
    for step in range(steps + 2):
        for student, optimizer, found in zip(students, optimizers, times, strict=True):
            seconds = timed(student, images, labels, optimizer)
            if step >= 2:
                found.append(seconds)
    return statistics.median(times[0]), statistics.median(times[1])


def main(
    threads: Annotated[list[int] | None, typer.Option(help="torch threads; repeatable")] = None,
    steps: Annotated[int, typer.Option(help="timed steps of each")] = 9,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    rows = []
    print("| network | threads | float | on integers | ratio |\n| --- | --- | --- | --- | --- |")
    for count in threads or [1]:
        torch.set_num_threads(count)
        for case in CASES:
            floats, integers = (1000 * seconds for seconds in compare(case, steps, device))
            name = "{} {}, T = {}, {}, {}, beta {}".format(*case)
            rows.append(Row(name, count, floats, integers, integers / floats))
            print(f"| {name} | {count} | {floats:.1f} ms | {integers:.1f} ms | {integers / floats:.2f} |", flush=True)
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    typer.run(main)
