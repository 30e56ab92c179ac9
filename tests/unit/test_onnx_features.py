"""Methods that learn from feature maps, taught by an ONNX file."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.teachers.ann import build
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The convnet for digits, untrained, as torch exports it."""
    torch.manual_seed(1)
    network, path = build("convnet", (1, 8, 8), 10).eval(), tmp_path_factory.mktemp("onnx") / "teacher.onnx"
    exporter = {"dynamo": False} if torch.__version__ >= (2, 5) else {}
    axes = {"images": {0: "n"}, "logits": {0: "n"}}
    names = {"input_names": ["images"], "output_names": ["logits"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(2, 1, 8, 8),), str(path), dynamic_axes=axes, **names, **exporter)
    return str(path)


def settings(teacher: str, method: str) -> DistillSettings:
    return DistillSettings.of(teacher=teacher, method=method, width=4, timesteps=1, epochs=1, train_samples=200)


@pytest.mark.parametrize(
    ("method", "term"),
    [
        ("bkd", "features"),
        ("kdsnn:form=feature", "features"),
        ("hdkd:project=conv", "features"),
        ("samd:map=mean", "maps"),
        ("samd-nld:map=mean", "maps"),
    ],
)
def test_maps_come_from_the_values_of_the_graph(teacher: str, method: str, term: str) -> None:
    made = distill_with(settings(teacher, method))
    losses = made.history[-1].loss
    assert math.isfinite(losses[term])
    assert losses[term] > 0
    assert made.provenance["teacher"] == Path(teacher).name


def test_a_map_by_gradients_is_refused_before_the_first_step(teacher: str) -> None:
    with pytest.raises(InputError) as caught:
        distill_with(settings(teacher, "samd"))
    assert str(caught.value) == (
        f"teacher={teacher}: an ONNX file gives no gradients, and method=samd needs them for the teacher's "
        "saliency; give method=samd:map=mean, or a named teacher"
    )
