"""The small functions of the methods, on values whose answer is seen at once, the dark and the constant included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from spikewright.distillation.features import FeaturePair, projection, same_size, to_unit
from spikewright.distillation.kdsnn import _clipped
from spikewright.distillation.losses import FEWEST_SAMPLES, entropy, linear_cka, mean_over_labelled
from spikewright.distillation.samd import ActivationMapKD
from spikewright.distillation.soft_labels import head_of
from spikewright.distillation.timesteps import StrongWeakSelfDistillation, _other_steps

MAPS = torch.tensor([[[1.0, 3.0], [2.0, 1.0]], [[4.0, 4.0], [4.0, 4.0]], [[0.0, 0.0], [0.0, 8.0]]])


def test_maps_are_normalised_each_or_all_together_or_not() -> None:
    def made(how: Any) -> list:
        return ActivationMapKD(normalise=how)._normalised(MAPS).tolist()

    assert made("none") == MAPS.tolist()
    assert made("sample") == [[[0, 1], [0.5, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 1]]], "a constant map stays constant"
    assert torch.allclose(torch.tensor(made("batch")), MAPS / 8.001)


def test_channels_are_scaled_by_their_largest_or_nearly_largest_value() -> None:
    maps = torch.arange(1.0, 2001.0).reshape(2, 1, 25, 40)
    maps = torch.cat([maps, torch.zeros_like(maps)], dim=1)
    assert to_unit(maps, "none") is maps
    largest = to_unit(maps, "max")
    assert torch.allclose(largest[:, 0], maps[:, 0] / 2000)
    assert not largest[:, 1].any(), "a dark channel is not divided"
    nearly = to_unit(maps, "percentile")
    assert torch.allclose(nearly[:, 0], (maps[:, 0] / 1998).clamp(max=1)), "0.999 of 2000 values are up to 1998"
    assert not nearly[:, 1].any()


def test_maps_are_pooled_to_the_students_size() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert same_size(maps, (3, 2, 2)).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert same_size(maps, (3, 4, 4)) is maps
    vector = torch.ones(2, 3)
    assert same_size(vector, (5,)) is vector


@pytest.mark.parametrize(
    ("channels", "norm", "kind"), [(3, True, nn.Identity), (5, False, nn.Conv2d), (5, True, nn.Sequential)]
)
def test_a_projection_leads_to_the_teachers_channels(channels: int, norm: bool, kind: type) -> None:
    made = projection(FeaturePair("t", "s", (channels, 2, 2), (3, 2, 2)), norm)
    assert type(made) is kind
    assert made(torch.ones(4, 3, 2, 2)).shape == (4, channels, 2, 2)
    if kind is nn.Sequential:
        assert made[0].kernel_size == (1, 1)
        assert made[0].bias is None


def test_a_teacher_is_clipped_to_the_largest_rate() -> None:
    rates = torch.tensor([0.25, 0.5], requires_grad=True)
    assert _clipped(torch.tensor([2.0, 8.0]), rates).tolist() == [0.125, 0.5]
    assert _clipped(torch.zeros(2), rates).tolist() == [0, 0]
    _clipped(torch.tensor([1.0, 0.5]), rates).sum().backward()  # 0.5 + 0.25, of which the largest rate has 1.5
    assert rates.grad is not None and rates.grad.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("mass", "head"),
    [(0.4, [0, 1, 0, 0]), (0.5, [0, 1, 0, 0]), (0.51, [0, 1, 0, 1]), (0.8, [1, 1, 0, 1]), (0.99, [1, 1, 1, 1])],
)
def test_a_head_is_the_smallest_set_of_a_mass(mass: float, head: list[int]) -> None:
    probabilities = torch.tensor([[0.125, 0.5, 0.125, 0.25]])
    assert head_of(probabilities, mass).int().tolist() == [head], "of equal ones the first"


def test_of_many_equally_likely_classes_the_first_are_the_head() -> None:
    """torch's sort changes their order from 17 on, unless it is told not to."""
    head = head_of(torch.full((1, 20), 0.05), mass=0.24)
    assert head.tolist() == [[True] * 5 + [False] * 15], "0.05, 0.1, 0.15, 0.2 are less than 0.24"


def test_activations_that_do_not_vary_are_alike_to_none() -> None:
    first = torch.randn(2, FEWEST_SAMPLES, 3)
    assert FEWEST_SAMPLES == 4
    for unbiased in (True, False):
        assert torch.allclose(linear_cka(first, 3 * first, unbiased), torch.ones(2))
        assert linear_cka(first, torch.ones(2, 4, 5), unbiased).tolist() == [0, 0]


def test_means_are_of_what_has_a_label() -> None:
    assert float(mean_over_labelled(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, 1.0, 0.0]))) == 1.5
    assert float(mean_over_labelled(torch.zeros(2), torch.zeros(2))) == 0
    assert float(mean_over_labelled(torch.tensor([4.0]), torch.tensor([0.5]))) == 8


def test_entropy_is_in_nats_and_of_the_last_axis() -> None:
    assert entropy(torch.zeros(2, 3, 4)).flatten().tolist() == pytest.approx([1.3862944] * 6)
    assert float(entropy(torch.tensor([100.0, 0.0]))) == pytest.approx(0, abs=1e-6)


def test_pairs_of_timesteps_are_ranked_by_confidence() -> None:
    sure, less, least = torch.tensor([[9.0, 0.0]]), torch.tensor([[2.0, 0.0]]), torch.tensor([[0.5, 0.0]])
    steps = torch.stack([less, sure, least])
    assert StrongWeakSelfDistillation()._pairs(steps) == [(1, 2)]
    assert StrongWeakSelfDistillation(pairs="cascade")._pairs(steps) == [(1, 0), (0, 2)]
    for pairs in ("extremes", "cascade"):
        assert StrongWeakSelfDistillation(pairs=pairs)._pairs(steps[:1]) == []
        assert StrongWeakSelfDistillation(pairs=pairs)._pairs(steps[:2]) == [(1, 0)]


def test_of_two_timesteps_each_has_the_other() -> None:
    steps = torch.tensor([[[1.0, 2.0, 3.0]], [[3.0, 0.0, 1.0]]])
    assert _other_steps(steps).tolist() == steps.flip(0).tolist()
    alike = steps[:1].expand(3, 1, 3)
    assert torch.allclose(_other_steps(alike), alike)
