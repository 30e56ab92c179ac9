"""Training: exact resume, a budget held on real data without collapse, the teacher left alone."""

from types import SimpleNamespace

import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.data.load import load
from spikewright.profile.profile import load_profile
from spikewright.profile.units import parse_budget
from spikewright.training.distill import distill_with
from spikewright.training.early import contradictions
from spikewright.training.objects import loss_terms, teaching_of
from spikewright.training.settings import DistillSettings, preset_names, settings_from
from spikewright.training.trainer import Trainer

QUICK = DistillSettings.of(data="digits", width=4, timesteps=2, epochs=3, teacher_epochs=1)


def weights_of(student):
    return {name: tensor.clone() for name, tensor in student.state_dict().items()}


class Killed(Exception):
    pass


@pytest.mark.parametrize(
    ("dies_at", "shorten", "method"),
    [
        (50, None, "ht-kd"),
        (80, 100.0, "ht-kd"),
        (115, None, "ht-kd"),
        (50, None, "kdsnn:form=feature,norm=true"),
        (80, None, "bkd"),
    ],
)
def test_killed_and_resumed_ends_in_the_same_weights(tmp_path, dies_at, shorten, method, killed):
    """Killed in floats, on integers (with fewer timesteps) and in a further round; with modules of a method's own."""
    settings = QUICK.changed(
        {"energy_budget": "50nJ", "method": method, "regularize": ("activation",), "shorten": shorten}
    )
    whole = weights_of(distill_with(settings).student)
    checkpoint = tmp_path / "checkpoint"
    with killed("train_on", dies_at):
        distill_with(settings, checkpoint)
    resumed = weights_of(distill_with(settings, checkpoint, resume=True).student)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    distill_with(QUICK.changed({"epochs": 1}), checkpoint)
    with pytest.raises(InputError) as caught:
        distill_with(QUICK, checkpoint, resume=True)
    assert str(caught.value) == (
        f"{checkpoint}: is of another training (settings.epochs was 1, is 3); use the settings and teacher "
        "that it began with, or leave out resume"
    )


def test_a_checkpoint_of_another_teacher_is_refused(tmp_path):
    checkpoint, once = tmp_path / "checkpoint", QUICK.changed({"epochs": 1})
    taught = distill_with(once, checkpoint).provenance["teacher_sha256"]
    other = once.changed({"teacher_seed": 1})
    with pytest.raises(InputError) as caught:
        distill_with(other, checkpoint, resume=True)
    now = distill_with(other).provenance["teacher_sha256"]
    assert now != taught
    assert str(caught.value) == (
        f"{checkpoint}: is of another training (teacher_sha256 was {taught}, is {now}); use the settings and teacher "
        "that it began with, or leave out resume"
    )
    distill_with(once, checkpoint, resume=True)


def test_resuming_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"resume: there is no checkpoint .*; leave out resume to start anew"):
        distill_with(QUICK, tmp_path / "none", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["300nJ", "260nJ"])
def test_a_tight_budget_is_met_without_silence(budget):
    """Naive dual ascent falls to 10 % here; the controller keeps the budget, the accuracy, and every layer alive."""
    settings = DistillSettings.of(
        data="digits", width=8, timesteps=4, epochs=20, teacher_epochs=10, energy_budget=budget
    )
    result = distill_with(settings)
    free = distill_with(settings.changed({"energy_budget": None, "epochs": 6}))
    last = result.history[-1]
    assert last.cost <= float(budget.removesuffix("nJ")) * 1e-9 < 0.8 * free.history[-1].cost
    assert result.provenance["validation_accuracy"] > 0.8
    assert all(count > 1 for count in last.spikes.values()), last.spikes


@pytest.mark.slow
def test_a_loss_of_any_weight_keeps_the_budget():
    """A multiplier with a ceiling does not: without the price of a heavy loss this ends 60 % over, after ten epochs."""
    settings = DistillSettings.of(
        data="digits", width=8, timesteps=4, teacher_epochs=4, energy_budget="250nJ", rounds=0
    )
    result = distill_with(settings.changed({"method": "nld:gamma=300"}))
    assert result.history[0].loss["distillation"] > 1000
    assert result.history[-1].cost <= 250e-9
    assert result.provenance["validation_accuracy"] > 0.8


def test_infeasible_budget_says_the_floor():
    with pytest.raises(InputError) as refusal:
        distill_with(QUICK.changed({"energy_budget": "1nJ"}))
    text = str(refusal.value)
    assert text.startswith("energy_budget=1 nJ: is below the floor of ")
    assert "an encoding with fewer input events lower it" in text


def test_the_budget_chooses_the_size():
    from spikewright.profile.profile import load_profile
    from spikewright.profile.units import Amount
    from spikewright.training.sizing import ENOUGH, TRIAL, choose_size

    profile, dataset = load_profile("loihi2-assumed"), load("digits")
    images = torch.from_numpy(dataset.train.samples[:TRIAL])
    settings = DistillSettings.of(data="digits")
    free = choose_size(settings.student, dataset, profile, None)
    budget = Amount(0.25 * free.floor.total, "J")
    tight = choose_size(settings.student, dataset, profile, budget)
    before = weights_of(tight.student)
    assert tight.paid(budget, images) >= ENOUGH
    assert all(torch.equal(before[name], tensor) for name, tensor in weights_of(tight.student).items())
    assert tight.student.config.width < free.student.config.width
    fixed = choose_size(settings.changed({"width": 16, "timesteps": 4}).student, dataset, profile, Amount(1.0, "J"))
    assert (fixed.student.config.width, fixed.student.config.timesteps) == (16, 4)
    scarce = settings.changed({"width": 8, "timesteps": 4})
    half_paid = choose_size(scarce.student, dataset, profile, Amount(200e-9, "J"))
    assert 0 < half_paid.paid(Amount(200e-9, "J"), images) < ENOUGH


def test_a_size_whose_input_sends_nothing_is_not_taken_for_thrift():
    """At T = 1 a current of at most 1 would not exceed a threshold of 1: no spike, no cost, one answer to all."""
    from spikewright.profile.profile import load_profile
    from spikewright.profile.units import Amount
    from spikewright.training.sizing import choose_size

    profile, dataset = load_profile("loihi1-davies"), load("digits")
    images = torch.from_numpy(dataset.train.samples[:64])
    settings = DistillSettings.of(data="digits", profile="loihi1-davies", width=4, timesteps=1)
    size = choose_size(settings.student, dataset, profile, None)
    budget = Amount(2 * size.floor.total, "J")
    spikes = size.student(images).spikes["encoder"]
    assert torch.equal(spikes[0], (torch.round(255 * images) > 127.5).float())  # the current has 8 bits
    assert size.paid(budget, images) > 0
    assert size.student.encoder is not None
    torch.nn.init.constant_(size.student.encoder.threshold, 1.0)
    assert size.paid(budget, images) == 0


def test_steps_that_all_bring_the_same_input_go_first():
    from spikewright.training.sizing import _order

    for encoding in ("direct", "current"):
        assert _order((8, 4), 4, encoding, is_fixed=False) == [(w, t) for w in (8, 4) for t in (4, 3, 2, 1)]
    assert _order((8, 4), 4, "rate", is_fixed=False)[:6] == [(w, t) for w in (8, 4) for t in (4, 3, 2)]
    assert _order((8, 4), 4, "rate", is_fixed=False)[6:] == [(8, 1), (4, 1)]
    assert _order((8,), 10, "events", is_fixed=True) == [(8, 10)]


def test_history_keeps_terms_and_layers_apart():
    result = distill_with(QUICK.changed({"epochs": 1, "regularize": ("activation", "logits:weight=0.1")}))
    (record,) = result.history
    assert set(record.loss) == {"cross_entropy", "distillation", "activation", "logits"}
    assert set(record.spikes) == set(record.synaptic_ops) == {"input", "lif1", "lif2", "lif3", "lif4"}
    assert record.teacher_logit_range > 0 < record.student_logit_range
    assert result.provenance["teacher_macs"] > 0


def test_fewer_samples_for_the_student_and_all_for_the_teacher(tmp_path):
    few = QUICK.changed({"epochs": 1, "train_samples": 64})
    cut, whole = distill_with(few, tmp_path / "checkpoint"), distill_with(QUICK.changed({"epochs": 1}))
    assert cut.provenance["train_split_sha256"] == load("digits").train.first(64).sha256
    assert cut.provenance["settings"]["train_samples"] == 64
    assert cut.provenance["teacher_sha256"] == whole.provenance["teacher_sha256"]
    with pytest.raises(InputError, match=r"is of another training \(train_samples was 64, is 65\)"):
        distill_with(few.changed({"train_samples": 65}), tmp_path / "checkpoint", resume=True)


def test_an_epoch_says_how_long_it_took_and_a_resumed_training_adds_up(tmp_path, killed):
    settings = QUICK.changed({"epochs": 2, "method": "none", "train_samples": 96})
    with killed("run_epoch", 2):
        distill_with(settings, tmp_path / "checkpoint")
    first = torch.load(tmp_path / "checkpoint", weights_only=True)["history"][0]
    history = distill_with(settings, tmp_path / "checkpoint", resume=True).history
    assert (history[0].seconds, history[0].processor_seconds) == (first["seconds"], first["processor_seconds"])
    assert all(0 < record.processor_seconds and 0 < record.seconds < 60 for record in history)


@pytest.mark.parametrize("integer_from", [0.0, 1.0])
def test_accuracy_after_each_step_is_that_of_a_student_with_so_many_steps(integer_from):
    """With the same input at every step the two are the same; the last is the student's own."""
    from spikewright.student.accuracy import accuracy_of, main_by_step

    settings = QUICK.changed({"timesteps": 3, "epochs": 1, "method": "none", "integer_from": integer_from})
    student, split = distill_with(settings).student, load("digits").validation
    found = main_by_step(student, split)
    assert found == [accuracy_of(student.at(steps), split) for steps in (1, 2, 3)]
    assert len(set(found)) > 1, "the steps differ, or the test shows nothing"


def test_settings_gather_every_fault():
    with pytest.raises(InputError) as refusal:
        settings_from(None, {"timesteps": 0, "encoding": "morse", "beta": 2.0})
    text = str(refusal.value)
    assert all(f"{name} is " in text for name in ("timesteps", "encoding", "beta"))


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_that_comes_along_names_what_there_is(name):
    settings = settings_from(name, {})
    profile = load_profile(settings.limits.profile)
    assert settings.limits.energy_budget is not None and parse_budget(settings.limits.energy_budget, profile)
    method, _ = loss_terms(settings)
    assert [*teaching_of(settings, method, load("digits")).faults(), *contradictions(settings)] == []


def test_unknown_preset_suggests(tmp_path):
    with pytest.raises(InputError, match=r"preset=.*mine\.toml: there is no such file; may be: fashion-mnist-current"):
        settings_from(str(tmp_path / "mine.toml"), {})
    with pytest.raises(InputError, match="preset 'fashion' is unknown"):
        settings_from("fashion", {})
    mine = tmp_path / "mine.toml"
    mine.write_text('data = "mnist"\nwidth = 6\n')
    settings = settings_from(str(mine), {"width": 7, "timesteps": None})
    assert (settings.data.name, settings.student.width, settings.student.timesteps) == ("mnist", 7, None)


@pytest.mark.parametrize(
    ("silent", "norm", "sentence"),
    [
        (("lif1",), "batch", "lif1 fell silent; the biases of its inputs are raised"),
        (("lif1", "lif2"), "batch", "lif1 and lif2 fell silent; the biases of their inputs are raised"),
        (("lif1",), "none", "lif1 fell silent; the weights of its inputs are raised"),
    ],
)
def test_silent_layers_are_named(silent, norm, sentence, monkeypatch):
    monkeypatch.setattr("spikewright.training.trainer.revive", lambda *_: None)
    said = []
    trainer = SimpleNamespace(history=[], settings=SimpleNamespace(epochs=2), limits=(), student=None)
    trainer.config = SimpleNamespace(norm=norm)
    measured = SimpleNamespace(silent=silent, silent_channels=dict)
    Trainer._revive_silent(trainer, measured, SimpleNamespace(say=lambda text, kind: said.append((text, kind))))
    assert said == [(sentence, "warning")]
