"""Every listener hears messages, tasks and epochs, in order."""

from __future__ import annotations

import pytest

from spikewright.base.errors import arg
from spikewright.base.progress import SILENT, Callback, Listeners


class Noted(Callback):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def on_message(self, text, kind):
        self.heard.append(("message", text, kind))

    def on_start(self, task, total):
        self.heard.append(("start", task, total))

    def on_advance(self, task, steps):
        self.heard.append(("advance", task, steps))

    def on_end(self, task):
        self.heard.append(("end", task))

    def on_epoch(self, record):
        self.heard.append(("epoch", record))


def test_every_callback_hears_the_same() -> None:
    first, second = Noted(), Noted()
    listeners = Listeners((first, Callback(), second))
    listeners.say("hello")
    listeners.say("careful", "warning")
    with listeners.task("counting", 3) as advance:
        advance()
        advance(2)
    listeners.epoch(7)
    assert first.heard == second.heard
    assert first.heard == [
        ("message", "hello", "info"),
        ("message", "careful", "warning"),
        ("start", "counting", 3),
        ("advance", "counting", 1),
        ("advance", "counting", 2),
        ("end", "counting"),
        ("epoch", 7),
    ]


def test_a_task_that_fails_ends_too() -> None:
    noted = Noted()
    with pytest.raises(ValueError, match="no"), Listeners((noted,)).task("work", 1):
        raise ValueError("no")
    assert noted.heard == [("start", "work", 1), ("end", "work")]


def test_silence(capsys) -> None:
    SILENT.say("nobody")
    with SILENT.task("nothing", 1) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_marks_of_arguments_reach_no_callback() -> None:
    noted = Noted()
    Listeners((noted,)).say(f"infeasible: {arg('energy_budget', '2pJ')}: is below the floor")
    assert noted.heard == [("message", "infeasible: energy_budget=2pJ: is below the floor", "info")]
