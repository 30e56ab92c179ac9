"""The listeners that come along: logging, a CSV file, TensorBoard."""

from __future__ import annotations

import csv
import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from spikewright.base.errors import InputError, arg
from spikewright.base.progress import Listeners
from spikewright.training.callbacks import CsvCallback, LoggingCallback, TensorBoardCallback, flat_record
from spikewright.training.records import EpochRecord

RECORD = EpochRecord(
    0, {"cross_entropy": 2.0}, 0.1, 0.2, 1e-6, {"lif1": 3.0}, {"lif1": 9.0}, 1.0, None, dead={"lif1": 4}
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_record_is_flattened_by_layer_and_term() -> None:
    flat = flat_record(RECORD)
    assert (flat["epoch"], flat["loss/cross_entropy"], flat["spikes/lif1"], flat["dead/lif1"]) == (0, 2.0, 3.0, 4)
    assert flat["teacher_logit_range"] is None


def test_a_csv_file_is_whole_after_every_epoch_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    path = tmp_path / "epochs.csv"
    first = CsvCallback(path)
    for epoch in (0, 1, 2):
        first.on_epoch(replace(RECORD, epoch=epoch, cost=epoch + 1.5))
        assert [row["epoch"] for row in rows_of(path)] == [str(e) for e in range(epoch + 1)]
    resumed = CsvCallback(path)
    resumed.on_epoch(replace(RECORD, epoch=2, cost=9.0, loss={"cross_entropy": 1.0, "budget": 0.5}))
    assert [row["cost"] for row in rows_of(path)] == ["1.5", "2.5", "9.0"]
    assert [row["loss/budget"] for row in rows_of(path)] == ["", "", "0.5"], "a term that came later has a column"
    CsvCallback(path).on_epoch(RECORD)
    assert [row["epoch"] for row in rows_of(path)] == ["0"], "a new training starts the file anew"


def test_a_csv_file_of_something_else_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("name,age\nAda,36\n")
    with pytest.raises(InputError, match=r"mine\.csv: is no CSV file of epochs"):
        CsvCallback(path)
    assert path.read_text() == "name,age\nAda,36\n"
    with pytest.raises(InputError, match="does not exist"):
        CsvCallback(tmp_path / "nowhere" / "epochs.csv")


def test_messages_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="spikewright")
    listeners = Listeners((LoggingCallback(),))
    listeners.say("hello 100 %")
    listeners.say("a name\x1b[2J")
    listeners.say(f"careful with {arg('epochs', 3)}", "warning")
    with listeners.task("counting", 3) as advance:
        advance()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "hello 100 %"),
        ("INFO", "a name\ufffd[2J"),
        ("WARNING", "careful with epochs=3"),
        ("DEBUG", "counting: 3 steps begin"),
        ("DEBUG", "counting: done"),
    ]


def test_tensorboard_gets_every_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            written.append((name, value, epoch))

        def flush(self) -> None:
            written.append(("flush", 0.0, 0))

    package, writer = ModuleType("torch.utils.tensorboard"), ModuleType("torch.utils.tensorboard.writer")
    writer.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, writer.__name__, writer)
    TensorBoardCallback(tmp_path).on_epoch(replace(RECORD, epoch=3))
    assert ("spikes/lif1", 3.0, 3) in written
    assert written[-1] == ("flush", 0.0, 0)
    assert not {"epoch", "teacher_logit_range"} & {name for name, _, _ in written}


def test_without_tensorboard_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(InputError, match="TensorBoard is not installed; install it by `pip install tensorboard`"):
        TensorBoardCallback(tmp_path)
