"""How many larger students are tried, and what is said early of settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.base.progress import Callback, Listeners
from spikewright.data.load import load
from spikewright.training import growth
from spikewright.training.early import check_early, contradictions
from spikewright.training.settings import DistillSettings


@dataclass
class Made:
    """A result as far as growth looks at it."""

    width: int
    timesteps: int
    quality: float
    energy: float = 0.1e-6

    @property
    def certificate(self) -> SimpleNamespace:
        return SimpleNamespace(energy=self.energy, quality=self.quality, met=True)

    @property
    def student(self) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(width=self.width, timesteps=self.timesteps))


def grown(
    monkeypatch: pytest.MonkeyPatch, qualities: list[float], first: float = 0.1e-6, **settings: Any
) -> tuple[Any, list]:
    """What is taken where students of these qualities are made, and the sizes that were asked for."""
    monkeypatch.setattr(
        growth, "larger", lambda now, *_: [(now.width, now.timesteps + 1), (now.width + 4, now.timesteps)]
    )
    asked: list[tuple[int | None, int | None]] = []

    def train(wanted: DistillSettings, number: int) -> Made:
        assert number == len(asked)
        asked.append((wanted.student.width, wanted.student.timesteps))
        return Made(
            wanted.student.width or 8,
            wanted.student.timesteps or 1,
            qualities[number],
            first if number == 0 else 0.1e-6,
        )

    every = DistillSettings.of(**{"energy_budget": "1uJ", **settings})
    best: Any = growth.grown(train, every, load("digits"), Listeners((Callback(),)))  # type: ignore[arg-type]
    return best, asked[1:]


def test_four_larger_students_are_tried_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    best, asked = grown(monkeypatch, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert asked == [(8, 2), (8, 3), (8, 4), (8, 5)], "each is better than the one before"
    assert (best.width, best.timesteps) == (8, 5)
    best, asked = grown(monkeypatch, [0.1, 0.0, 0.2, 0.3, 0.0, 0.9])
    assert asked == [(8, 2), (12, 1), (12, 2), (12, 3)], "and no fifth, though a wider one is left"
    assert (best.width, best.timesteps) == (12, 2)


def test_less_than_seven_tenths_of_the_budget_leaves_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grown(monkeypatch, [0.5], first=0.7e-6)[1] == []
    assert grown(monkeypatch, [0.5, 0.4, 0.3], first=0.699e-6)[1] == [(8, 2), (12, 1)]
    assert grown(monkeypatch, [0.5, 0.5, 0.5])[1] == [(8, 2), (12, 1)], "no better, not taken"


@pytest.mark.parametrize(
    ("settings", "grows"),
    [
        ({}, True), ({"width": 8}, True), ({"timesteps": 1}, True), ({"width": 8, "timesteps": 1}, False),
        ({"grow": False}, False), ({"shorten": True}, False),
    ],
)  # fmt: skip
def test_a_size_that_is_left_open_may_grow(settings: dict[str, Any], grows: bool) -> None:
    made = DistillSettings.of(energy_budget="1uJ", **settings) if "shorten" not in settings else None
    if made is None:
        made = DistillSettings.of(energy_budget="1uJ")
        made = made.changed({"shorten": 1})
    assert growth._may_grow(made, load("digits")) is grows


def faults(**settings: Any) -> list[str]:
    try:
        check_early(DistillSettings.of(**settings))
    except InputError as error:
        lines = str(error).splitlines()
        return [lines[0], *(line.removeprefix("  - ") for line in lines[1:])]
    return []


def test_a_single_fault_stands_alone_and_several_are_listed(tmp_path: Path) -> None:
    assert faults(data="digits") == []
    assert faults(data="mine/none.npz") == ["mine/none.npz: there is no such file or folder"]
    assert faults(data="digits", reserve=0.1) == [
        "distill: reserve=0.1: is the share of a limit to leave unused, and there is no limit; give one, such as "
        "energy_budget, or leave reserve out"
    ]
    assert faults(data="none.npz", teacher="x.onnx")[0] == "settings: 2 faults"
    both = faults(data="none.npz", reserve=0.1)
    assert (both[0], both[1]) == ("settings: 2 faults", "none.npz: there is no such file or folder")
    assert both[2].startswith("reserve=0.1: ")


def test_files_that_are_there_and_functions_are_no_faults(tmp_path: Path) -> None:
    here = tmp_path / "here.pt"
    here.write_bytes(b"")
    gone = tmp_path / "gone.pt"
    for argument, text in (("teacher", str(gone)), ("architecture", f"{gone.with_suffix('.py')}:make")):
        file = text.rpartition(":")[0] if ".py:" in text else text
        assert faults(data="digits", **{argument: text}) == [f"{argument}={text}: there is no file {file}"]
    assert faults(data="digits", teacher="cnn", teacher_weights=str(gone)) == [
        f"teacher_weights={gone}: there is no file {gone}"
    ]
    for settings in ({"teacher": str(here)}, {"teacher": "cnn", "teacher_weights": str(here)}):
        assert faults(data="digits", **settings) == []
    said = "there is no such file or folder; may be a number, rest, or a path"
    assert faults(data="digits", unlabelled=str(gone)) == [f"unlabelled={gone}: {said}"]
    for fine in (str(tmp_path), "rest", "100", "some.py:make"):
        assert faults(data="digits", unlabelled=fine) == []


def test_settings_that_have_no_effect() -> None:
    def said(**settings: Any) -> list[str]:
        return [str(sw.InputError(each)) for each in contradictions(DistillSettings.of(**settings))]

    assert said(reserve=0.1, energy_budget="1uJ") == said(reserve=0.1, max_synaptic_ops="1k") == []
    assert said(labelled_share=0.25) == [
        "labelled_share=0.25: is for samples with labels beside others, and every sample has one; give unlabelled, or "
        "leave labelled_share out"
    ]
    assert said(labelled_share=0.25, unlabelled="rest") == []
    assert said(scales="measured", scale_margin=2.0) == said(scales="worst-case") == []
    assert said(integer_from=0.9, weight_bits=4) == said(integer_from=1.0) == []
    assert said(integer_from=1.0, weight_bits=4) == [
        "weight_bits=4: is for training on integers, which integer_from=1 leaves out; round afterwards, when the graph "
        "is lowered with weight_bits=4"
    ]
