"""Every chip that ships: a digits student on its integers, lowered, simulated and priced, or refused for a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikewright.base.errors import AnswerIsNo
from spikewright.chip.encoding import encode
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.energy.estimate import estimate
from spikewright.lowering.lower import lower
from spikewright.pages.pricing import report
from spikewright.placing.placement import place
from spikewright.profile.profile import HardwareProfile, load_profile, profile_names
from spikewright.simulation import integer
from spikewright.simulation.lava import backend as on_lava
from spikewright.simulation.recording import compare
from spikewright.simulation.simulate import simulate
from spikewright.student.architectures import Shape
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences
from spikewright.training.cost import SpikeCost
from spikewright.training.records import measure

DIGITS: Shape = (1, 8, 8)
REFUSED = {
    "xylo": "xylo: the network does not fit: [totals] it has 64 input lines; the chip has 16: take data of smaller "
    "samples; [totals] it has 10 outputs; the chip has 8: take data of fewer classes"
}


def student_for(
    profile: HardwareProfile, architecture: str = "mlp", width: int = 24, shape: Shape = DIGITS, classes: int = 10
) -> Student:
    """An untrained student in floats whose neurons leak where the chip's can, in what the profile does by default."""
    torch.manual_seed(3)
    neuron = NeuronSettings(beta=0.5 if profile.limits.decay_bits else 1.0, threshold=0.6)
    config = StudentConfig(
        architecture, width, shape, classes, profile.default_timesteps, profile.default_encoding, "count", 6, neuron
    )
    return Student(config).eval()


def split(count: int) -> Split:
    test = load("digits").test
    return Split(test.samples[:count], test.labels[:count])


DENSE = [(name, "mlp", 24) for name in sorted(set(profile_names()) - REFUSED.keys())]
CONVOLUTIONS = [(name, "convnet", 2) for name in ("akida", "lemaire", "speck", "truenorth")]


@pytest.mark.parametrize(("name", "architecture", "width"), DENSE + CONVOLUTIONS)
def test_a_student_on_the_chip_s_integers_is_what_the_chip_runs(name: str, architecture: str, width: int) -> None:
    profile = load_profile(name)
    student = become_integer(student_for(profile, architecture, width), profile, name)
    chip = lower(to_nir(student), profile)
    assert [str(d) for d in differences(student, chip, torch.from_numpy(split(12).samples))] == []
    activity = simulate(chip, split(30), seed=3)
    priced = estimate(activity, place(chip, profile), profile)
    assert priced.total > 0
    measured = measure(student, split(30), SpikeCost.of(student, profile), seed=3)
    assert measured.cost == pytest.approx(priced.total, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(profile_names()) - REFUSED.keys()))
def test_a_student_in_floats_is_lowered_and_reported(name: str) -> None:
    profile = load_profile(name)
    chip = lower(to_nir(student_for(profile)), profile)
    limits = profile.limits
    assert {c.weight_bits for c in chip.connections} == {limits.weight_bits}
    for connection in chip.connections:
        values = np.unique(connection.weight)
        assert values.size <= 2**limits.weight_bits * (1 if limits.mixed_weights_even else 2)
    said = str(report(simulate(chip, split(20), seed=3), chip, profile))
    assert said.splitlines()[0] == f"{name}: {profile.title}"
    assert " ".join(profile.banner.split()) in " ".join(said.split())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(AnswerIsNo) as caught:
        lower(to_nir(student_for(load_profile(name))), name)
    assert str(caught.value) == REFUSED[name]


def test_xylo_takes_what_has_its_size() -> None:
    profile = load_profile("xylo")
    student = become_integer(student_for(profile, width=20, shape=(1, 4, 4), classes=8), profile, "xylo")
    chip = lower(to_nir(student), profile)
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert [str(d) for d in differences(student, chip, images)] == []
    priced = report(simulate(chip, Split(images.numpy(), np.zeros(10, np.int64))), chip, profile)
    updates = 22 * profile.default_timesteps * (20 + 20 + 8)
    assert (priced.unit, priced.floor >= updates) == ("ops", True)


@pytest.mark.parametrize("name", ["odin", "speck", "truenorth"])
def test_a_chip_without_leak_says_how_to_train_for_it(name: str) -> None:
    leaky = load_profile("loihi1-davies").model_copy(update={"default_encoding": "rate", "default_timesteps": 8})
    with pytest.raises(AnswerIsNo) as caught:
        lower(to_nir(student_for(leaky)), name)
    assert str(caught.value) == (
        f"{name}: the network does not fit: [decays] the membrane potential of 'lif1', 'lif2', 'readout' decays by "
        "0.5 per step; this chip's neurons cannot leak: train with neuron=lif beta=1"
    )


def test_akida_takes_one_step() -> None:
    several = load_profile("akida").model_copy(update={"default_timesteps": 4})
    with pytest.raises(AnswerIsNo) as caught:
        lower(to_nir(student_for(several)), "akida")
    assert str(caught.value) == (
        "akida: the network does not fit: [steps] it runs 4 time steps; the chip takes 1; no state is kept between "
        "steps: train with timesteps=1"
    )


def test_odin_has_few_rows() -> None:
    with pytest.raises(AnswerIsNo) as caught:
        lower(to_nir(student_for(load_profile("odin"), "convnet", 4)), "odin")
    assert str(caught.value) == (
        "odin: the network does not fit: [totals] it has 224 lines and neurons with synapses; the chip has 128: train "
        "with a smaller width"
    )


@pytest.mark.lava
@pytest.mark.parametrize("name", ["odin", "tianjic", "truenorth"])
def test_lava_runs_their_few_bits_as_well(lava: None, name: str) -> None:
    profile = load_profile(name)
    chip = lower(to_nir(become_integer(student_for(profile), profile, name)), profile)
    drive = encode(chip.encoding, split(3).samples, chip.timesteps, 8)
    ours = integer.run(chip, drive, record_states=True)
    assert [str(m) for m in compare(ours, on_lava.run(chip, drive, record_states=True))] == []
    assert ours.spikes["lif1"].any()
