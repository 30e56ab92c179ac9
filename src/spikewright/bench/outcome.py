"""A student on the chip: what it gets right and what it costs."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel, ConfigDict

from ..base.types import Encoding
from ..base.version import __version__
from ..energy.report import EnergyReport
from ..student.config import StudentConfig

SPLITS = ("validation", "test")


class Outcome(BaseModel):
    """A student on the chip: counts and energy of its integer network, per inference and by part of the data set.

    Attributes:
        energy: in the profile's unit, as `spikewright report` computes it.
        energy_is_at_least: whether the profile leaves something unmodelled.
        floor: what the network costs before any hidden neuron fires (validation).
        accuracy: from 0 to 1.
        spikes: input events included.
        certificate: the student's own; None if its training wrote none.
        files: relative to the folder of the bench on the machine ``host``.
        seconds: from the start of the worker that finished it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: dict[str, float]
    energy_is_at_least: bool
    floor: float
    accuracy: dict[str, float]
    synaptic_ops: dict[str, float]
    spikes: dict[str, float]
    samples: dict[str, int]
    timesteps: int
    width: int
    encoding: Encoding
    certificate: object = None
    files: dict[str, str]
    made_by: str
    host: str
    seconds: float

    @classmethod
    def of(
        cls,
        reports: Mapping[str, EnergyReport],
        config: StudentConfig,
        certificate: object,
        files: dict[str, str],
        seconds: float,
    ) -> Outcome:
        """The outcome that the reports on both parts give, made here and now."""
        return cls(
            energy={part: report.total for part, report in reports.items()},
            energy_is_at_least=any(report.at_least for report in reports.values()),
            floor=reports["validation"].floor,
            accuracy={part: cast(float, report.accuracy) for part, report in reports.items()},  # all data have labels
            synaptic_ops={part: report.synaptic_ops for part, report in reports.items()},
            spikes={part: sum(each.spikes for each in report.spikes) for part, report in reports.items()},
            samples={part: report.samples for part, report in reports.items()},
            timesteps=config.timesteps,
            width=config.width,
            encoding=config.encoding,
            certificate=certificate,
            files=files,
            made_by=f"spikewright {__version__}",
            host=socket.gethostname(),
            seconds=seconds,
        )

    @property
    def student(self) -> str:
        """Size and input of the student, for people."""
        return f"width {self.width}, T {self.timesteps}, {self.encoding}"
