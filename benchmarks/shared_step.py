"""How long a training step takes that processes share, beside the same step in one of them.

    torchrun --nproc-per-node 2 benchmarks/shared_step.py [--data fashion-mnist --width 16 -T 4 --batch 128]

The steps alternate, so that both meet the same machine; while the first process takes a step alone, the others wait.
Printed are the medians, their ratio, and what a step sends from each process.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Annotated

import typer
from torch import Tensor

from spikewright.base.processes import ALONE, Processes, working_together
from spikewright.profile.profile import load_profile
from spikewright.teachers.training_loop import batches
from spikewright.training.objects import dataset_of
from spikewright.training.settings import DistillSettings
from spikewright.training.together import begun_together, taught_together
from spikewright.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Counting(Processes):
    """Processes that count what this one sends."""

    sent: list[int] = field(default_factory=list)

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        self.sent.append(values.numel() * values.element_size())
        return super().summed(values)

    def joined(self, values: Tensor, count: int) -> Tensor:
        """The parts of all processes."""
        self.sent.append(values.numel() * values.element_size())
        return super().joined(values, count)


def main(
    data: str = "digits",
    method: str = "kd",
    architecture: str = "convnet",
    width: int = 16,
    timesteps: Annotated[int, typer.Option("-T")] = 4,
    batch: int = 128,
    steps: Annotated[int, typer.Option(help="of each kind")] = 20,
) -> None:
    """Time steps alone and shared."""
    settings = DistillSettings.of(
        data=data, method=method, architecture=architecture, width=width, timesteps=timesteps, batch=batch,
        teacher="mlp", teacher_epochs=1,
    )  # fmt: skip
    with working_together() as connected:
        group = Counting(connected.rank, connected.size, connected.local, connected.of_gpu)
        shared = _trainer(settings, group)
        alone = _trainer(settings, ALONE) if group.is_first else None
        times: tuple[list[float], list[float]] = ([], [])
        for number, each in zip(range(steps + 2), _batches(shared), strict=False):
            group.exchange("alone")
            if alone is not None:
                began = time.perf_counter()
                alone.train_on(each)
                times[0].append(time.perf_counter() - began)
            group.exchange("shared")
            group.sent.clear()
            began = time.perf_counter()
            shared.train_on(each)
            if number >= 2:  # the first steps load the compiled loops
                times[1].append(time.perf_counter() - began)
        if group.is_first:
            sent = f"{len(group.sent)} exchanges, {sum(group.sent) / 1024:,.0f} KiB from each process"
            one, several = (1000 * statistics.median(each) for each in (times[0][2:], times[1]))
            network = f"{architecture} of width {width}, T = {timesteps}, batch {batch}"
            print(
                f"{group.size} processes, {network}: alone {one:.1f} ms, shared {several:.1f} ms, "
                f"ratio {several / one:.2f}; {sent}"
            )


def _trainer(settings: DistillSettings, group: Processes) -> Trainer:
    whole = dataset_of(settings, settings.student.timesteps)
    trainer = begun_together(settings, whole, load_profile(settings.limits.profile), group)
    taught_together(trainer, settings, whole)
    trainer.student.train()
    return trainer


def _batches(trainer: Trainer):
    for epoch in range(1000):
        yield from batches(trainer.dataset.train, trainer.settings, epoch, trainer.device, trainer.augmenter)


if __name__ == "__main__":
    typer.run(main)
