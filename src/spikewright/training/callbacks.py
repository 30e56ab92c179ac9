"""Listeners of a training: Python's logging, a CSV file of epochs, TensorBoard."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import asdict
from pathlib import Path

from ..base.artefacts import existing_file, writable, write_text
from ..base.errors import InputError
from ..base.progress import Callback, Kind
from ..base.visible import visible
from .records import EpochRecord

Cell = float | int | bool | None


class LoggingCallback(Callback):
    """Passes messages to Python's logging: warnings as WARNING, others as INFO, begin and end of tasks as DEBUG."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        """Use this logger, None for the one called ``spikewright``."""
        self._logger = logger or logging.getLogger("spikewright")

    def on_message(self, text: str, kind: Kind) -> None:
        self._logger.log(logging.WARNING if kind == "warning" else logging.INFO, "%s", visible(str(text)))

    def on_start(self, task: str, total: int) -> None:
        self._logger.debug("%s: %d steps begin", task, total)

    def on_end(self, task: str) -> None:
        self._logger.debug("%s: done", task)


class CsvCallback(Callback):
    """Writes a row for each epoch to a CSV file, which is complete after every epoch.

    In an existing file, the rows of this epoch and of later ones are replaced, so that a resumed training continues its
    file and a new training overwrites it. The columns are those of :func:`flat_record`.
    """

    def __init__(self, path: Path | str) -> None:
        """Write to ``path``.

        Raises:
            InputError: a path that cannot be written, or a file without a column ``epoch``.
        """
        self._path = writable(path)
        self._rows = _read(self._path) if self._path.exists() else []

    def on_epoch(self, record: object) -> None:
        if not isinstance(record, EpochRecord):
            return
        row = {name: "" if value is None else str(value) for name, value in flat_record(record).items()}
        self._rows = [*(earlier for earlier in self._rows if int(earlier["epoch"]) < record.epoch), row]
        text = io.StringIO()
        columns = dict.fromkeys(name for each in self._rows for name in each)
        writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self._path, text.getvalue())


class TensorBoardCallback(Callback):
    """Writes the numbers of every epoch as scalars for TensorBoard, named as by :func:`flat_record`."""

    def __init__(self, folder: Path | str) -> None:
        """Write into ``folder``, which is created if it is missing.

        Raises:
            InputError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard.writer import SummaryWriter  # an optional dependency
        except ImportError as error:
            raise InputError(
                "TensorBoardCallback: TensorBoard is not installed; install it by `pip install tensorboard`"
            ) from error
        self._writer = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]

    def on_epoch(self, record: object) -> None:
        if not isinstance(record, EpochRecord):
            return
        for name, value in flat_record(record).items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, float(value), record.epoch)  # type: ignore[no-untyped-call]
        self._writer.flush()  # type: ignore[no-untyped-call]


def flat_record(record: EpochRecord) -> dict[str, Cell]:
    """The numbers of an epoch by name; those of a layer or a loss term as ``spikes/lif1``, ``loss/cross_entropy``."""
    flat: dict[str, Cell] = {}
    for name, value in asdict(record).items():
        if isinstance(value, dict):
            flat.update({f"{name}/{key}": number for key, number in value.items()})
        else:
            flat[name] = value
    return flat


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of a file that an earlier training wrote."""
    with existing_file(path, "a CSV file of epochs").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if any(not (row.get("epoch") or "").isdigit() for row in rows):
        raise InputError(f"{path}: is no CSV file of epochs, which has a column epoch; choose another path")
    return rows
