"""The size of a student: past what the chip cannot hold, larger where a budget is left, and said in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.base.progress import Callback, Listeners
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.profile.profile import load_profile
from spikewright.profile.units import parse_budget
from spikewright.training import growth, sizing
from spikewright.training.distill import distill_to
from spikewright.training.early import check_early
from spikewright.training.prepare import FEWEST_STEPS, train_settings
from spikewright.training.settings import DistillSettings, StudentSpec, Training, settings_from


class Heard(Callback):
    """Keeps every message."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def on_message(self, text: str, kind: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("budget", [None, "10uJ"])
def test_a_size_that_the_chip_cannot_hold_is_passed_over(monkeypatch: pytest.MonkeyPatch, budget: str | None) -> None:
    digits, profile = load("digits"), load_profile("loihi2-assumed")
    real = sizing.size_of

    def held(config: Any, *rest: Any, **named: Any) -> sizing.Size:
        if config.width > 8:
            raise AnswerIsNo("does not fit")
        return real(config, *rest, **named)

    monkeypatch.setattr(sizing, "size_of", held)
    amount = None if budget is None else parse_budget(budget, profile)
    assert sizing.choose_size(StudentSpec(), digits, profile, amount).student.config.width == 8


def test_where_no_size_fits_the_reason_of_the_smallest_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(config: Any, *_: Any, **__: Any) -> sizing.Size:
        raise AnswerIsNo(f"width {config.width}, T = {config.timesteps} does not fit")

    monkeypatch.setattr(sizing, "size_of", none)
    with pytest.raises(AnswerIsNo, match=r"^width 4, T = 1 does not fit$"):
        sizing.choose_size(StudentSpec(), load("digits"), load_profile("loihi2-assumed"), None)


def test_the_next_larger_sizes_are_a_timestep_more_and_the_next_width() -> None:
    digits, profile = load("digits"), load_profile("loihi2-assumed")
    spec = StudentSpec()
    budget = parse_budget("10uJ", profile)
    now = next(c for c in sizing.candidates(spec, digits, profile, budget) if (c.width, c.timesteps) == (8, 1))
    assert sizing.larger(now, spec, digits, profile, budget) == [(8, 2), (12, 1)]
    assert sizing.larger(now, StudentSpec(timesteps=1), digits, profile, budget) == [(12, 1)]
    assert sizing.larger(now, spec, digits, profile, parse_budget("1nJ", profile)) == []


def test_input_events_of_a_floor_are_those_of_the_first_500_samples() -> None:
    digits, profile = load("digits"), load_profile("loihi2-assumed")
    config = sizing.student_config(StudentSpec(architecture="mlp"), digits, "direct", 4, 1)

    def inputs(*lit: int) -> float:
        samples = np.zeros((501, *digits.shape), np.float32)
        samples[list(lit)] = 1
        train = Split(samples, np.zeros(501, np.int64))
        size = sizing.size_of(config, replace(digits, train=train), profile, seed=0)
        return size.floor.inputs

    every = inputs(*range(501))
    assert every > 0
    assert inputs(499) == pytest.approx(every / 500)
    assert inputs(500) == 0


@dataclass
class Made:
    """A result as far as growth looks at it."""

    width: int
    timesteps: int
    energy: float
    quality: float
    met: bool = True

    @property
    def certificate(self) -> SimpleNamespace:
        return SimpleNamespace(energy=self.energy, quality=self.quality, met=self.met)

    @property
    def student(self) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(width=self.width, timesteps=self.timesteps))


def grown(monkeypatch: pytest.MonkeyPatch, made: list[Made], **settings: Any) -> tuple[Made, list[str], int]:
    """What growth takes of results that are made one after the other, what it says, and how many it asked for."""
    heard, asked = Heard(), 0
    monkeypatch.setattr(
        growth, "larger", lambda now, *_: [(now.width, now.timesteps + 1), (now.width + 4, now.timesteps)]
    )

    def train(_: DistillSettings, number: int) -> Made:
        nonlocal asked
        assert number == asked
        asked += 1
        return made[number]

    wanted = DistillSettings.of(**{"energy_budget": "1uJ", **settings})
    best: Any = growth.grown(train, wanted, load("digits"), Listeners((heard,)))  # type: ignore[arg-type]
    return best, heard.said, asked


def test_larger_students_are_tried_while_validation_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [Made(8, 1, 0.36e-6, 0.90), Made(8, 2, 0.5e-6, 0.89), Made(12, 1, 0.6e-6, 0.93), Made(12, 2, 0.9e-6, 0.95)]
    best, said, asked = grown(monkeypatch, made)
    assert (best.width, best.timesteps, asked) == (12, 2, 4)
    assert said == [
        "360 nJ of 1 µJ are used: a larger student is tried, width 8, T = 2",
        "360 nJ of 1 µJ are used: a larger student is tried, width 12, T = 1",
        "600 nJ of 1 µJ are used: a larger student is tried, width 12, T = 2",
        "best on validation: width 12, T = 2",
    ]


def test_a_larger_student_over_the_budget_or_no_better_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    over = replace(Made(8, 2, 1.2e-6, 0.99), met=False)
    best, _, asked = grown(monkeypatch, [Made(8, 1, 0.3e-6, 0.90), over, Made(12, 1, 0.6e-6, 0.90)])
    assert (best.width, best.timesteps, asked) == (8, 1, 3)


@pytest.mark.parametrize("settings", [{"grow": False}, {"width": 8, "timesteps": 1}, {"energy_budget": None}])
def test_nothing_larger_is_tried_where_it_was_not_left_open(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    assert grown(monkeypatch, [Made(8, 1, 0.1e-6, 0.9)], **settings)[1:] == ([], 1)


def test_a_used_budget_needs_nothing_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grown(monkeypatch, [Made(8, 1, 0.8e-6, 0.9)])[1:] == ([], 1)


def test_too_few_steps_are_lengthened_or_said(tmp_path: Path) -> None:
    digits = load("digits")
    assert train_settings(Training(), digits.recipe, 640).epochs == digits.recipe.epochs
    assert train_settings(Training(), digits.recipe, 64).epochs == 50  # 2 steps an epoch
    assert train_settings(Training(epochs=3), digits.recipe, 64).epochs == 3
    heard = Heard()
    sw.distill(
        sw.DataSettings(train_samples=64),
        student=sw.StudentSpec(width=4, timesteps=1),
        method="none",
        training=sw.Training(epochs=3),
        callbacks=[heard],
    )
    assert (
        f"6 optimiser steps in 3 epochs of 64 samples; fewer than {FEWEST_STEPS} rarely suffice: give more epochs or a "
        "smaller batch"
    ) in heard.said


def test_a_training_that_was_stopped_in_a_larger_student_goes_on_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(growth, "UNSPENT", 2.0)
    monkeypatch.setattr(growth, "MOST", 2)
    settings = DistillSettings.of(train_samples=64, method="none", epochs=2, energy_budget="100nJ", width=4)

    class Stops(Callback):
        """Stops in the second epoch of the second student."""

        def __init__(self) -> None:
            self.epochs: int | None = None

        def on_message(self, text: str, kind: str) -> None:
            if "a larger student is tried" in text:
                self.epochs = 0

        def on_epoch(self, record: object) -> None:
            if self.epochs is not None:
                self.epochs += 1
                if self.epochs == 2:
                    raise KeyboardInterrupt

    whole = distill_to(settings, tmp_path / "whole.pt")
    assert not list(tmp_path.glob("whole.pt.checkpoint*"))
    with pytest.raises(KeyboardInterrupt):
        distill_to(settings, tmp_path / "student.pt", listeners=Listeners((Stops(),)))
    assert [path.name for path in sorted(tmp_path.glob("student.pt*"))] == [
        "student.pt.checkpoint",
        "student.pt.checkpoint.0.done",
        "student.pt.checkpoint.1",
        "student.pt.checkpoint.begun",
    ]
    heard = Heard()
    resumed = distill_to(settings, tmp_path / "student.pt", resume=True, listeners=Listeners((heard,)))
    assert "resumed after epoch 1" in heard.said
    assert resumed.certificate == whole.certificate and resumed.student.config == whole.student.config
    for name, tensor in whole.student.state_dict().items():
        assert torch.equal(tensor, resumed.student.state_dict()[name]), name
    assert not list(tmp_path.glob("student.pt.checkpoint*"))


def test_faults_that_need_no_training_library_are_listed_together(tmp_path: Path) -> None:
    settings = DistillSettings.of(
        data="mine/none.npz", profile="loihi2-assumed", energy_budget="2", also_within=["nosuch=2uJ"], teacher="x.onnx"
    )
    with pytest.raises(InputError) as refusal:
        check_early(settings)
    lines = str(refusal.value).splitlines()
    assert lines[:2] == ["settings: 4 faults", "  - energy_budget=2: say the unit, e.g. 2uJ, 350nJ or 40kops"]
    assert lines[2].startswith("  - profile 'nosuch': there is none of that name")
    assert lines[3:] == [
        "  - mine/none.npz: there is no such file or folder",
        "  - teacher=x.onnx: there is no file x.onnx",
    ]


def test_what_the_integers_cannot_hold_is_refused_before_training() -> None:
    from torch import nn

    from spikewright.student.neuron_settings import NeuronSettings
    from spikewright.student.neurons import integrator, spiking

    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.MaxPool1d(1), spiking(NeuronSettings()), nn.Linear(8, 10), integrator()
    )
    heard = Heard()
    with pytest.raises(InputError):
        sw.distill("digits", student=network, method="none", training=sw.Training(epochs=1), callbacks=[heard])
    assert not any("epoch" in text for text in heard.said)


def test_the_time_of_a_long_training_is_said_after_its_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright.training import trainer

    monkeypatch.setattr(trainer, "WORTH_SAYING", 0.0)
    heard = Heard()
    x = np.random.default_rng(0).random((400, 4)).astype(np.float32)
    data = sw_dataset(x, (x[:, 0] > 0.5).astype(int))
    training = sw.Training(epochs=12, batch=16)
    sw.distill(data, student=sw.StudentSpec(width=32, timesteps=1), method="none", training=training, callbacks=[heard])
    said = [text for text in heard.said if text.startswith("about ")]
    assert len(said) == 1 and said[0].endswith("measuring between epochs and further rounds not counted")


def sw_dataset(x: Any, y: Any) -> Any:
    from spikewright.data.dataset import Dataset

    return Dataset.from_arrays(x, y)


@pytest.mark.parametrize("name", ["width", "timesteps"])
def test_auto_is_what_leaving_out_a_size_means(name: str, tmp_path: Path) -> None:
    left_out = DistillSettings()
    assert DistillSettings.of(**{name: "auto"}) == left_out
    preset = tmp_path / "mine.toml"
    preset.write_text(f'{name} = "auto"\n')
    assert settings_from(str(preset), {}).flat() == left_out.flat()
    preset.write_text(f"{name} = 4\n")
    assert settings_from(str(preset), {name: "auto"}).flat() == left_out.flat(), "a flag overrides the preset"
    assert settings_from(str(preset), {name: "6"}).flat()[name] == 6
    assert settings_from(str(preset), {name: None}).flat()[name] == 4
    for wrong, why in (
        ("0", "0: input should be greater"),
        ("-1", "-1: input should be greater"),
        ("4x", "'4x': must be"),
    ):
        with pytest.raises(InputError, match=f"^settings: {name} is {why}"):
            DistillSettings.of(**{name: wrong})
