"""Starting weights: a training that begins with a student, and the conversion of its reset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.base.progress import Callback, Kind
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import student_provenance
from spikewright.training.early import check_early
from spikewright.training.fine_tuning import EPOCHS, OF_CONVERSION, RATE, with_start
from spikewright.training.objects import objects_of, settings_of
from spikewright.training.settings import DistillSettings, preset_names, settings_from
from spikewright.training.start import resets_in

SMALL = {"batch": 30, "epochs": 2, "rounds": 0}


class Heard(Callback):
    """What was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_message(self, text: str, kind: Kind) -> None:
        self.lines.append(str(text))


def digits() -> sw.DataSettings:
    return sw.DataSettings(name="digits", train_samples=60)


def named(reset: str = "subtract-late", encoding: str = "direct") -> sw.Student:
    torch.manual_seed(3)
    neuron = NeuronSettings(beta=0.8, learn_beta=True, reset=reset)  # type: ignore[arg-type]
    config = sw.StudentConfig("mlp", 12, (1, 8, 8), 10, 3, encoding, neuron=neuron)  # type: ignore[arg-type]
    return sw.Student(config).eval()


def imported() -> sw.Student:
    import snntorch as snn

    torch.manual_seed(4)
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 12),
        snn.Leaky(beta=0.7, init_hidden=True),
        nn.Linear(12, 10),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    return sw.Student.from_module(network, torch.rand(4, 1, 8, 8), timesteps=4)


def first_weights(student: sw.Student) -> torch.Tensor:
    return next(module.weight for module in student.modules() if isinstance(module, nn.Linear)).detach().clone()


@pytest.mark.parametrize("make", [named, imported])
def test_a_training_begins_with_the_weights_and_neurons_of_a_student(make: Callable[[], sw.Student]) -> None:
    student, heard = make(), Heard()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    tiny = sw.Training(**SMALL | {"epochs": 1}, learning_rate=1e-9, integer_from=1)
    made = sw.distill(digits(), init=student, training=tiny, callbacks=[heard])
    kinds = (nn.Linear, nn.Conv2d)
    for name, module in made.student.named_modules():
        if isinstance(module, kinds):
            assert torch.allclose(module.weight, before[f"{name}.weight"], atol=1e-6), name
    assert made.student.config.timesteps == student.config.timesteps
    assert resets_in(made.student) == resets_in(student) == {"subtract-late"}
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items()), "the object is left"
    assert made.provenance["init"] == "init" and len(str(made.provenance["init_sha256"])) == 64
    assert any(line.startswith("begins with init: validation accuracy ") for line in heard.lines)
    assert any(line.startswith("fine-tuning of init, on validation: before ") for line in heard.lines)


def test_what_is_left_out_suits_fine_tuning() -> None:
    settings = with_start(settings_of(digits(), init=named()))
    assert (settings.training.learning_rate, settings.training.epochs) == (RATE, EPOCHS)
    assert settings.teacher.name == "init" and objects_of(settings).teacher is not None
    assert with_start(settings) is settings
    asked = with_start(settings_of(digits(), "mlp", init=named(), training=sw.Training(learning_rate=0.01, epochs=9)))
    assert (asked.training.learning_rate, asked.training.epochs, asked.teacher.name) == (0.01, 9, "mlp")
    labels = with_start(settings_of(digits(), init=named(), method="none"))
    assert objects_of(labels).teacher is None, "a method without a teacher gets none"


def test_the_student_may_have_another_reset_encoding_and_t() -> None:
    wanted = sw.StudentSpec(timesteps=5, encoding="current", input_bits=7, reset="zero")
    settings = with_start(settings_of(digits(), student=wanted, init=imported()))
    start = objects_of(settings).start
    assert start is not None and start.converts and start.is_changed
    assert settings.training.learning_rate == OF_CONVERSION
    config = start.begins.config
    assert (config.timesteps, config.encoding, config.input_bits) == (5, "current", 7)
    assert start.begins.encoder is not None and resets_in(start.begins) == {"zero"}
    assert resets_in(start.before) == {"subtract-late"}, "the network as it was is left"
    assert torch.equal(first_weights(start.begins), first_weights(start.before))


def test_trained_neurons_of_the_input_are_kept() -> None:
    student = named(encoding="current")
    assert student.encoder is not None
    with torch.no_grad():
        student.encoder.threshold.fill_(0.75)
    tiny = sw.Training(**SMALL | {"epochs": 1}, learning_rate=1e-9, integer_from=1)
    made = sw.distill(digits(), init=student, training=tiny)
    assert made.student.encoder is not None and float(made.student.encoder.threshold) == pytest.approx(0.75, abs=1e-6)


def refused(**given: Any) -> str:
    with pytest.raises(InputError) as raised:
        with_start(settings_of(digits(), **given))
    return str(raised.value)


def test_what_contradicts_the_network_is_refused_at_once() -> None:
    spec = sw.StudentSpec(architecture="convnet", width=8, readout="count", beta=0.5, population=2)
    told = refused(student=spec, init=named())
    for name in ("architecture", "width", "readout", "beta", "population"):
        assert f"{name}=" in told or f"{name} " in told, (name, told)
    assert "constants of their own" in refused(student=sw.StudentSpec(beta=0.5), init=imported())
    assert "no other encoding makes" in refused(student=sw.StudentSpec(encoding="delta"), init=named())
    assert "give one of them" in refused(student=named(), init=named())
    same = sw.StudentSpec(architecture="mlp", width=12, beta=0.8)
    assert with_start(settings_of(digits(), student=same, init=named())).student.width == 12


def test_a_student_on_integers_goes_on_on_integers(tmp_path: Path) -> None:
    made = sw.distill(digits(), init=named("zero"), training=sw.Training(**SMALL)).student
    assert made.grid is not None
    assert "with integers alone" in refused(init=made, training=sw.Training(integer_from=1))
    sw.save_student(made, tmp_path / "s.pt", {})
    again = sw.distill(digits(), init=tmp_path / "s.pt", training=sw.Training(**SMALL))
    sw.save_student(again.student, tmp_path / "t.pt", again.provenance)
    assert student_provenance(tmp_path / "t.pt")["init_sha256"] == sha256_of(tmp_path / "s.pt")
    assert sw.load_student(tmp_path / "t.pt").grid is not None


def test_a_chip_without_the_reset_refuses_before_training() -> None:
    with pytest.raises(sw.InputError, match="reset") as raised:
        sw.distill(digits(), init=named(encoding="current"), within=sw.Budget(profile="loihi1-davies"))
    assert "one step late" in str(raised.value)


def test_early_refusals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        check_early(DistillSettings.of(init=tmp_path / "no.pt"))
    with pytest.raises(InputError, match="begins anew"):
        check_early(DistillSettings.of(teacher="init"))
    preset = tmp_path / "p.toml"
    preset.write_text('init = "student.pt"\n')
    with pytest.raises(InputError, match="a preset names only"):
        settings_from(str(preset), {})
    assert preset_names()


def test_sweeps_and_comparisons_begin_with_new_weights(tmp_path: Path) -> None:
    spec = sw.StudentSpec(init=tmp_path / "s.pt")
    with pytest.raises(InputError, match="is for distill and run"):
        sw.sweep(digits(), student=spec, budgets=["1uJ"], out=tmp_path / "sweep")
    with pytest.raises(InputError, match="is for distill and run"):
        sw.compare(digits(), student=spec, budgets=["1uJ"], out=tmp_path / "compare")
