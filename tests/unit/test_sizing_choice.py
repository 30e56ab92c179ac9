"""Which sizes are tried in which order, which is taken, and what a budget pays of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from spikewright.base.errors import AnswerIsNo, BelowFloor, InputError
from spikewright.data.load import load
from spikewright.data.output_rule import OutputRule
from spikewright.energy.estimate import Floor
from spikewright.profile.profile import load_profile
from spikewright.profile.units import Amount
from spikewright.student.neurons import integrator
from spikewright.student.student import Student
from spikewright.training import sizing
from spikewright.training.settings import StudentSpec
from spikewright.training.sizing import Size, outputs_in_words, require_outputs

DIGITS, PROFILE = load("digits"), load_profile("loihi2-assumed")
BUDGET = Amount(10.0, "J")


def sizes(budget: Amount | None = BUDGET, **spec: Any) -> list[tuple[int, int]]:
    return [(c.width, c.timesteps) for c in sizing.candidates(StudentSpec(**spec), DIGITS, PROFILE, budget)]


def test_widths_come_before_timesteps_and_both_from_the_largest() -> None:
    assert sizes() == [(w, t) for w in (24, 16, 12, 8, 6, 4) for t in (4, 3, 2, 1)], "the profile has T = 4"
    assert sizes(encoding="current") == [(w, t) for w in (16, 12, 8, 6, 4) for t in (4, 3, 2, 1)]
    assert sizes(encoding="rate") == [
        *((w, t) for w in (16, 12, 8, 6, 4) for t in (4, 3, 2)),
        *((w, 1) for w in (16, 12, 8, 6, 4)),
    ], "fewer than half of the steps come last"
    assert sizes(architecture="mlp", encoding="latency", width=None)[::3][:2] == [(256, 4), (192, 4)]
    assert [w for w, t in sizes(architecture="mlp") if t == 4] == [256, 192, 128, 96, 64, 32]


def test_what_is_given_is_not_varied() -> None:
    assert sizes(width=7) == [(7, 4), (7, 3), (7, 2), (7, 1)]
    assert sizes(timesteps=9) == [(w, 9) for w in (24, 16, 12, 8, 6, 4)]
    assert sizes(None) == [(w, 4) for w in (24, 16, 12, 8, 6, 4)], "no budget asks for fewer steps"
    assert sizes(width=7, timesteps=9) == [(7, 9)]


@pytest.mark.parametrize(
    ("spec", "bits"), [({}, 6), ({"encoding": "current"}, 8), ({"encoding": "rate"}, 8), ({"input_bits": 3}, 3)]
)
def test_the_bits_of_the_input(spec: dict[str, Any], bits: int) -> None:
    config = sizing.candidates(StudentSpec(**spec), DIGITS, PROFILE, BUDGET)[0]
    assert (config.input_bits, config.encoding) == (bits, spec.get("encoding", "direct"))


class Fakes:
    """Sizes whose floors and shares are given, by width and T; None where the chip holds none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shares: dict, floors: dict | None = None) -> None:
        self.shares, self.floors, self.asked = shares, floors or {}, list[Any]()
        monkeypatch.setattr(sizing, "size_of", self.size_of)

    def size_of(self, config: Any, dataset: Any, profile: Any, seed: int) -> Any:
        del dataset, profile
        key = (config.width, config.timesteps)
        self.asked.append((*key, seed))
        if self.shares.get(key, 0.1) is None:
            raise AnswerIsNo(f"{key} does not fit")
        floor = Floor(self.floors.get(key, 1.0), 0.0, config.width, config.timesteps)
        return SimpleNamespace(key=key, floor=floor, paid=lambda budget, images: self.paid(key, budget, images))

    def paid(self, key: tuple[int, int], budget: Amount, images: torch.Tensor) -> float:
        assert budget is BUDGET
        assert images.shape == (128, 1, 8, 8)
        return self.shares.get(key, 0.1)

    def chosen(self, budget: Amount | None = BUDGET, **spec: Any) -> Any:
        size: Any = sizing.choose_size(StudentSpec(**spec), DIGITS, PROFILE, budget, seed=5)
        return size.key


def test_the_first_size_whose_spikes_are_paid_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(monkeypatch, {(24, 4): 0.79, (24, 2): 0.8, (24, 1): 0.9})
    assert fakes.chosen() == (24, 2)
    assert fakes.asked == [(24, 4, 5), (24, 3, 5), (24, 2, 5)]
    assert Fakes(monkeypatch, {(24, 4): None, (24, 3): -1.0}).chosen(None) == (16, 4), "without a budget the widest"


def test_else_the_one_of_which_most_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(monkeypatch, {(12, 3): 0.5, (8, 1): 0.5, (24, 1): 0.4})
    assert fakes.chosen() == (12, 3), "the first of those"
    assert len(fakes.asked) == 24
    none = {(w, t): 0.0 for w in (24, 16, 12, 8, 6, 4) for t in (4, 3, 2, 1)}
    assert Fakes(monkeypatch, none | {(8, 2): 1e-9}).chosen() == (8, 2)
    with pytest.raises(BelowFloor, match=r"energy_budget=10 J: is below the floor of 1 J on loihi2-assumed") as refusal:
        Fakes(monkeypatch, none).chosen()
    assert "into updating 4 neurons at 1 step;" in str(refusal.value), "of the smallest"
    assert Fakes(monkeypatch, dict.fromkeys(none) | {(4, 1): 0.1}).chosen(None) == (4, 1), "which is all that fits"


def test_a_budget_below_the_smallest_floor_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for floor in (10.0, 11.0):
        fakes = Fakes(monkeypatch, {}, {(24, 4): floor, (4, 1): floor})
        with pytest.raises(BelowFloor):
            fakes.chosen()
        assert fakes.asked == [(24, 4, 5), (4, 1, 5)]
    fakes = Fakes(monkeypatch, {(24, 3): 0.8}, {(24, 4): 10.0, (24, 3): 12.0})
    assert fakes.chosen() == (24, 3)
    assert fakes.asked == [(24, 4, 5), (4, 1, 5), (24, 3, 5)], "the smallest is looked at once"
    fakes = Fakes(monkeypatch, {(24, 3): 0.8, (4, 1): None}, {(24, 4): 10.0})
    assert fakes.chosen() == (24, 3), "a smallest that the chip cannot hold says nothing"
    fakes = Fakes(monkeypatch, {(24, 4): 0.8}, {(24, 4): 9.99})
    assert (fakes.chosen(), len(fakes.asked)) == ((24, 4), 1)


def test_larger_sizes_are_within_the_budget_and_on_the_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(shares: dict, floors: dict, width: int = 8, timesteps: int = 2) -> list[tuple[int, int]]:
        fakes = Fakes(monkeypatch, shares, floors)
        every = sizing.candidates(StudentSpec(), DIGITS, PROFILE, BUDGET)
        now = next(c for c in every if (c.width, c.timesteps) == (width, timesteps))
        larger = sizing.larger(now, StudentSpec(), DIGITS, PROFILE, BUDGET)
        assert [(w, t) for w, t, _ in fakes.asked] == [
            pair for pair in ((width, timesteps + 1), (12, timesteps)) if pair[1] < 5
        ]
        return larger

    assert found({}, {}) == [(8, 3), (12, 2)]
    assert found({}, {}, timesteps=4) == [(12, 4)]
    assert found({}, {(8, 3): 10.0, (12, 2): 9.9}) == [(12, 2)]
    assert found({}, {(8, 3): 11.0}) == [(12, 2)]
    assert found({(12, 2): None}, {}) == [(8, 3)]
    assert found({(8, 3): None}, {}) == [(12, 2)]


class Normed(nn.Module):
    """A student whose training changes what it keeps."""

    def __init__(self, spikes: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.norm, self.spikes = nn.BatchNorm1d(2), spikes

    def forward(self, images: torch.Tensor) -> SimpleNamespace:
        assert self.training
        self.norm(images)
        return SimpleNamespace(spikes=self.spikes)


@pytest.mark.parametrize(
    ("spikes", "untrained", "paid"),
    [
        ({}, 9.0, 0.5),
        ({}, 3.0, 2.0),
        ({"encoder": torch.ones(2)}, 9.0, 0.5),
        ({"encoder": torch.tensor([0.0, 1.0])}, 9.0, 0.5),
        ({"encoder": torch.zeros(2)}, 9.0, 0.0),
        ({"lif1": torch.zeros(2)}, 9.0, 0.5),
        ({}, 1.0, 4e30),
    ],
)
def test_a_budget_pays_a_share_of_the_spikes_above_the_floor(
    spikes: dict[str, torch.Tensor], untrained: float, paid: float
) -> None:
    student: Any = Normed(spikes)
    cost: Any = SimpleNamespace(read=lambda output: SimpleNamespace(total=torch.tensor(untrained)))
    size = Size(student, cost, Floor(0.75, 0.25, 4, 1))
    assert size.paid(Amount(5.0, "J"), torch.rand(4, 2)) == pytest.approx(paid)
    assert size.paid(Amount(0.5, "J"), torch.rand(4, 2)) <= 0
    assert student.norm.num_batches_tracked == 0
    assert student.norm.running_mean.tolist() == [0, 0], "nothing is left of the trial"


def student_of(outputs: int, population: int = 1, inputs: int = 64, **output: Any) -> Student:
    config = sizing.candidates(StudentSpec(width=4, timesteps=1), DIGITS, PROFILE, BUDGET)[0]
    config = replace(config, output=replace(OutputRule(**output), population=population))
    return Student(config, nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs), integrator()))


def test_a_network_must_have_as_many_outputs_as_are_needed() -> None:
    for outputs, population in ((10, 1), (20, 2)):
        student = student_of(outputs, population).train()
        require_outputs(student, DIGITS, "mine")
        assert student.training
    assert not student.eval().training
    require_outputs(student, DIGITS, "mine")
    assert not student.training


def test_a_network_is_tried_without_a_graph_for_gradients() -> None:
    seen: list[bool] = []
    student = student_of(10)
    student.network[1].register_forward_pre_hook(lambda module, given: seen.append(torch.is_grad_enabled()))
    require_outputs(student, DIGITS, "mine")
    assert seen
    assert not any(seen)


@pytest.mark.parametrize(
    ("outputs", "population", "found"),
    [
        (5, 1, "5 outputs, and digits has 10 classes; give it 10"),
        (15, 1, "15 outputs, and digits has 10 classes; give it 10"),
        (
            30, 1, "30 outputs, and digits has 10 classes; give it 10, or population=3 where 3 of them, side by side, "
            "stand for each class",
        ),
        (30, 2, "30 outputs, and digits has 10 classes, 2 outputs for each; give it 20"),
    ],
)  # fmt: skip
def test_other_numbers_of_outputs_are_refused(outputs: int, population: int, found: str) -> None:
    with pytest.raises(InputError) as refusal:
        require_outputs(student_of(outputs, population), DIGITS, "mine")
    assert str(refusal.value) == f"mine: its network has {found}"


def test_outputs_of_two_axes_stand_for_no_classes() -> None:
    plain = student_of(20)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Unflatten(1, (4, 5)), integrator())
    with pytest.raises(
        InputError, match=r"^mine: its network has 4 x 5 outputs, and digits has 10 classes; give it 10$"
    ):
        require_outputs(Student(plain.config, network), DIGITS, "mine")


def test_events_are_encoded_as_they_are() -> None:
    events: Any = SimpleNamespace(is_events=True)
    for data, encoding, found in (
        (DIGITS, "rate", "rate"), (DIGITS, None, "direct"), (DIGITS, "delta", "events"),
        (events, "rate", "events"), (events, None, "events"), (events, "delta", "events"),
    ):  # fmt: skip
        assert sizing.encoding_of(StudentSpec(encoding=encoding), data, PROFILE) == found


def test_a_network_that_does_not_take_the_samples_is_refused() -> None:
    with pytest.raises(InputError) as refusal:
        require_outputs(student_of(10, inputs=63), DIGITS, "mine")
    said = str(refusal.value)
    assert said.startswith("mine: its network cannot be run on samples of shape (1, 8, 8) (mat1 and mat2")
    assert said.endswith("); give one for the samples of digits")


def test_outputs_in_words() -> None:
    config = student_of(10).config
    assert outputs_in_words(config) == "10 classes"
    assert outputs_in_words(replace(config, output=OutputRule(population=3))) == "10 classes, 3 outputs for each"
    for count, words in ((1, "1 value"), (2, "2 values")):
        names, zeros, ones = ("a", "b")[:count], (0.0,) * count, (1.0,) * count
        rule = OutputRule("regression", names, center=zeros, spread=ones)
        assert outputs_in_words(replace(config, classes=count, output=rule)) == words


def test_a_size_is_measured_on_500_samples_with_the_seed_0(monkeypatch: pytest.MonkeyPatch) -> None:
    drives = []

    def floor(_: object, drive: torch.Tensor) -> Floor:
        drives.append(drive.shape[1])
        return Floor(1.0, 0.0, 4, 1)

    monkeypatch.setattr(sizing.SpikeCost, "floor", floor)
    sizing.size_of(student_of(10).config, DIGITS, PROFILE, 0)
    assert drives == [500]
    fakes = Fakes(monkeypatch, {})
    sizing.choose_size(StudentSpec(), DIGITS, PROFILE, None)
    sizing.smallest_size(StudentSpec(), DIGITS, PROFILE)
    sizing.smallest_size(StudentSpec(width=7, timesteps=9), DIGITS, PROFILE)
    assert fakes.asked == [(24, 4, 0), (4, 1, 0), (7, 9, 0)]
