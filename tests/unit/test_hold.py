"""What a limit is held by: a price, the teacher's temperature, the regularizers' weights."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import tensor

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.data.load import load
from spikewright.distillation.base import BatchOutputs
from spikewright.distillation.soft_labels import HeterogeneousKD
from spikewright.profile.profile import load_profile
from spikewright.student.neurons import StudentOutput
from spikewright.training.early import contradictions
from spikewright.training.limits import Hold
from spikewright.training.prepare import check_settings, prepared
from spikewright.training.settings import DistillSettings
from spikewright.training.trainer import Trainer

LIMITED = {"data": "digits", "energy_budget": "700nJ", "width": 4, "timesteps": 2}


def faults_of(**flat):
    with pytest.raises(InputError) as caught:
        check_settings(DistillSettings.of(**LIMITED | flat), load("digits"))
    return str(caught.value)


def test_each_follows_the_multiplier():
    """By hand: 3 doublings are a factor of 8, 32 at most; weights grow by themselves for each 1."""
    assert [Hold.of("price").heat(3.0), Hold.of("price").weight(3.0)] == [1.0, 1.0]
    heated = Hold.of("temperature+regularizers")
    assert (heated.price, heated.heat(3.0), heated.heat(9.0), heated.weight(3.0)) == (False, 8.0, 32.0, 4.0)
    assert Hold.of("regularizers+price") == Hold(price=True, temperature=False, regularizers=True)


def test_heat_is_a_higher_temperature_of_the_teacher():
    z, teacher = tensor([[0.5, 0.0, 1.0]]), tensor([[2.0, 0.0, -1.0]])
    batch = BatchOutputs(tensor([2]), StudentOutput(z, z, z[None], {}, {}, z[None]), teacher, heat=4.0)
    warm = HeterogeneousKD(alpha=0.5, teacher_temperature=2, student_temperature=1)
    hot = HeterogeneousKD(alpha=0.5, teacher_temperature=8, student_temperature=1)
    assert warm.terms(batch) == hot.terms(replace(batch, heat=1.0))
    assert HeterogeneousKD.takes_heat and not sw.parse("kd").takes_heat


@pytest.mark.parametrize(
    ("hold", "names"),
    [("price", {"budget"}), ("temperature", set()), ("price+temperature", {"budget"}), ("regularizers", set())],
)
def test_a_step_has_the_terms_that_hold_the_limit(hold, names, monkeypatch):
    flat = LIMITED | {"method": "ht-kd", "regularize": ("activation:weight=2",), "hold": hold}
    settings, whole = DistillSettings.of(**flat), load("digits")
    profile = load_profile("loihi2-assumed")
    budget = SimpleNamespace(value=700e-9, unit="J")
    trainer = prepared(settings, whole, profile, budget)
    trainer.limits[0].controller.multiplier = 2.0
    trainer.limits[0].controller.step = 10**6  # behind the start without a constraint
    asked = []
    monkeypatch.setattr("spikewright.training.trainer.descend", lambda _optimizer, terms, *_: asked.append(terms))
    monkeypatch.setattr(HeterogeneousKD, "terms", lambda _self, batch: {"heat": torch.tensor(batch.heat)})
    images = torch.from_numpy(whole.train.samples[:16])
    labels = torch.from_numpy(whole.train.labels[:16])
    student = trainer.student(images)
    monkeypatch.setattr(Trainer, "outputs_of", lambda *_: BatchOutputs(labels, student, torch.zeros(16, 10)))
    trainer.train_on(SimpleNamespace(labels=labels))
    (terms,) = asked
    assert terms.keys() == {"heat", "activation"} | names
    assert float(terms["heat"]) == (4.0 if "temperature" in hold else 1.0)
    rate = torch.stack([each.mean() for each in student.spikes.values()]).mean()
    assert float(terms["activation"]) == pytest.approx(2 * float(rate) * (3.0 if hold == "regularizers" else 1.0))


def test_what_is_not_there_cannot_hold():
    said = "hold=temperature: method=kd has no temperature of the teacher alone; methods that have one: ht-kd"
    assert said in faults_of(method="kd", hold="temperature")
    assert "hold=price+regularizers: there is no regularizer" in faults_of(hold="price+regularizers")
    with pytest.raises(
        InputError, match=r"hold is .price.price.: may be price, temperature, regularizers, or several of them joined"
    ):
        DistillSettings.of(hold="price+price")
    (said,) = contradictions(DistillSettings.of(hold="temperature"))
    assert str(InputError(said)).startswith("hold=temperature: is how a limit is held, and there is no limit")
    assert DistillSettings.of(**LIMITED | {"hold": "temperature"}).within(None).limits.hold == "price"
