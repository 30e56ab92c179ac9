"""Training with scales that leave room for measured peaks: when, how it stays so, and what the certificate says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.chip.activity import Overflows
from spikewright.chip.registers import GRID_KEY, trained_grid
from spikewright.data.dataset import Dataset
from spikewright.data.split import Split
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.lower import lower
from spikewright.lowering.peaks import Measuring
from spikewright.lowering.quantize import MEASURED, NO_ROOM
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.student import load_student
from spikewright.student.verify import differences, export
from spikewright.training.checkpoint import identity
from spikewright.training.deployment import Certificate
from spikewright.training.distill import distill_with
from spikewright.training.early import contradictions
from spikewright.training.objects import settings_of
from spikewright.training.prepare import prepared
from spikewright.training.settings import DistillSettings, Training
from spikewright.training.trainer import Trainer

T, LINES = 300, 100
PROFILE = load_profile("loihi2-assumed")
STUDENT = sw.StudentSpec(architecture="mlp", width=40, neuron="cubalif", alpha=0.8, beta=0.5, threshold=3.0)
QUICK = Training(epochs=4, batch=16, learning_rate=0.003, scales="measured")


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Long recordings of two classes, told apart by which half of the lines has more events."""
    random = np.random.default_rng(3)

    def part(count: int) -> Split:
        labels = np.arange(count) % 2
        rates = np.where((np.arange(LINES) < LINES // 2) == (labels[:, None] == 0), 0.12, 0.04)
        drawn = random.random((count, T, LINES)) < rates[:, None]
        return Split(drawn[..., None, None].astype(np.uint8), labels)

    return Dataset("long", part(96), part(40), part(40), 2, (LINES, 1, 1), T)


def settings(data: Dataset, training: Training) -> DistillSettings:
    return settings_of(data, None, STUDENT, method="none", training=training)


@pytest.fixture(scope="module")
def trained(data: Dataset) -> sw.Distillation:
    return distill_with(settings(data, QUICK))


def test_a_long_recording_is_trained_on_integers_and_certified(trained: sw.Distillation, data: Dataset) -> None:
    found = trained.certificate
    assert found.met
    assert found.accuracy > 0.9
    assert found.measured == ("readout",)
    assert list(found.overflows) == ["validation", "test"]
    assert all(each.harmful == 0 for each in found.overflows.values())
    assert found.about_overflows().startswith("0 wraps on validation and test")
    grid = trained.student.grid
    assert grid is not None
    assert grid.calibration is not None
    assert (grid.calibration.samples, grid.calibration.margin) == (96, 1.5)
    assert list(grid.calibration.peaks) == ["lif1", "lif2", "readout"]
    for name, peaks in grid.calibration.peaks.items():
        assert 64 * grid.scales[name] * peaks.current < 2**23, "room for the peaks"
    assert trained.provenance["settings"]["scales"] == "measured"


def test_what_was_trained_is_what_the_chip_runs(trained: sw.Distillation, data: Dataset, tmp_path: Path) -> None:
    student, samples = trained.student, data.test.samples
    export(student, tmp_path / "s.nir", torch.from_numpy(samples[:8]))
    graph = read_graph(tmp_path / "s.nir")
    chip = lower(graph, PROFILE)
    assert chip.provenance[MEASURED] == ["readout"]
    assert chip.provenance["calibration"] == student.grid.calibration.model_dump(mode="json")
    assert chip.provenance["scales"].items() >= student.grid.scales.items()
    assert [str(d) for d in differences(student, chip, torch.from_numpy(samples))] == []
    mine, theirs = simulate(chip, data, on=student), simulate(chip, data)
    assert {name: p.overflows for name, p in mine.populations.items()} == {
        name: p.overflows for name, p in theirs.populations.items()
    }
    sw.save_student(student, tmp_path / "s.pt", trained.provenance)
    assert load_student(tmp_path / "s.pt").grid == student.grid


@pytest.mark.lava
def test_lava_runs_the_same(trained: sw.Distillation, data: Dataset) -> None:
    pytest.importorskip("lava")
    chip = lower(sw.to_nir(trained.student), PROFILE)
    ours, theirs = (simulate(chip, data, on, samples=2) for on in ("integer", "lava"))
    assert {n: p.spikes.tolist() for n, p in ours.populations.items()} == {
        n: p.spikes.tolist() for n, p in theirs.populations.items()
    }


def test_by_default_layers_are_measured_where_the_worst_case_starves_them(data: Dataset) -> None:
    trainer = prepared(settings(data, Training(epochs=1)), data, PROFILE, None)
    assert isinstance(trainer.measuring, Measuring)
    assert trainer.measuring.only_starved
    student = become_integer(trainer.student, PROFILE, "loihi2-assumed", None, trainer.measuring)
    worst = lower(sw.to_nir(trainer.student), PROFILE).provenance["weight_levels"]
    bits = {name.split("->")[1]: np.log2(2 * count + 1) for name, count in worst.items()}
    assert student.grid.calibration is not None
    assert set(student.grid.calibration.peaks) == {name for name, each in bits.items() if each < 6} != set()
    levels = lower(sw.to_nir(student), PROFILE).provenance["weight_levels"]
    assert all(np.log2(2 * count + 1) > 6 for count in levels.values())


def test_short_recordings_keep_the_room_for_every_input() -> None:
    short = sw.load("digits")
    trainer = prepared(settings_of(short, None, "convnet", training=Training()), short, PROFILE, None)
    measured, worst = (
        become_integer(trainer.student, PROFILE, "loihi2-assumed", None, each) for each in (trainer.measuring, None)
    )
    assert measured.grid == worst.grid
    assert measured.grid.calibration is None
    assert "calibration" not in str(sw.to_nir(measured).metadata[GRID_KEY])


def test_a_scale_is_lowered_when_a_quarter_of_its_margin_is_used_up(data: Dataset) -> None:
    trainer = prepared(settings(data, QUICK), data, PROFILE, None)
    student = become_integer(trainer.student, PROFILE, "loihi2-assumed", None, trainer.measuring)
    before, peaks = dict(student.grid.scales), student.grid.calibration.peaks
    assert not settle(student, PROFILE, trainer.measuring), "nothing has moved"
    reach = {name: max(each.current, each.potential * (name == "readout")) for name, each in peaks.items()}
    rooms = {name: 2**23 / (64 * before[name] * each) for name, each in reach.items()}
    name, room = min(rooms.items(), key=lambda item: item[1])
    assert 1.5 <= room, "the margin that it was given"
    assert not settle(student, PROFILE, replace(trainer.measuring, margin=room**1.1)), "three quarters are left"
    assert student.grid.scales == before
    more = replace(trainer.measuring, margin=1.02 * room ** (1 / 0.75))
    assert settle(student, PROFILE, more)
    assert student.grid.scales[name] == pytest.approx(before[name] * room / more.margin, rel=0.03)
    assert all(student.grid.scales[other] == before[other] for other in before if other != name)
    assert student.grid.calibration.margin == more.margin


def test_without_data_the_peaks_stay_as_they_are(data: Dataset) -> None:
    trainer = prepared(settings(data, QUICK), data, PROFILE, None)
    student = become_integer(trainer.student, PROFILE, "loihi2-assumed", None, trainer.measuring)
    grid = student.grid
    assert not settle(student, PROFILE)
    assert student.grid == grid


def test_registers_that_overflow_on_validation_or_test_are_not_certified(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []

    class Heard(sw.Callback):
        def on_message(self, text: str, kind: str) -> None:
            said.append((str(text), kind))

    monkeypatch.setattr(Measuring, "_peaks", lambda *_: NO_ROOM)
    result = sw.distill(data, student=STUDENT, method="none", training=QUICK, callbacks=[Heard()])
    found = result.certificate
    assert not found.met
    assert found.overflows["validation"].harmful > 0
    counts = ", ".join(f"{each.harmful} on {part}" for part, each in found.overflows.items())
    expected = (
        f"registers overflowed ({counts}): not certified; train with a larger scale_margin, or with scales=worst-case"
    )
    assert str(sw.InputError(found.about_overflows())) == expected
    assert any(kind == "warning" and "not certified" in text for text, kind in said)
    assert any("times on validation samples" in text for text, kind in said if kind == "warning")
    assert result.provenance["certificate"]["overflows"]["test"].keys() == {"wraps", "clips", "resets"}


def test_words_of_a_certificate() -> None:
    base = Certificate("p", "h", "J", 1.0, None, True, {}, 1.0, 1.0, "validation", "h", 4, 0)
    assert replace(base, overflows={"validation": Overflows()}).about_overflows() == "0 wraps on any input"
    measured = replace(base, measured=("a",), overflows={"validation": Overflows(clips=2), "test": Overflows(clips=3)})
    assert measured.about_overflows() == "0 wraps on validation and test, 5 membrane potentials clipped"
    assert not measured.overflowed
    assert replace(measured, overflows={"test": Overflows(resets=1)}).overflowed


def test_worst_case_that_leaves_no_levels_is_refused_before_any_training(data: Dataset) -> None:
    long = replace(data, timesteps=T)
    spec = STUDENT.model_copy(update={"timesteps": None, "alpha": 0.9998})
    settled = settings_of(long, None, spec, method="none", training=Training(scales="worst-case"))
    with pytest.raises(InputError, match=r"round to zero; .* scales=auto in training, calibrate in lowering"):
        prepared(settled, long, PROFILE, None)
    assert prepared(settled.changed({"scales": "auto"}), long, PROFILE, None).measuring is not None


def test_contradictions_name_every_setting() -> None:
    training = {"scales": "worst-case", "scale_margin": 2.0, "scale_quantile": 0.5}
    found = [str(sw.InputError(each)) for each in contradictions(DistillSettings.of(**training))]
    assert found == [
        "scale_margin=2: is for measured peaks, which scales=worst-case leaves out",
        "scale_quantile=0.5: is for measured peaks, which scales=worst-case leaves out",
    ]


def test_a_checkpoint_of_other_scales_is_told_apart_and_the_default_is_as_before(data: Dataset) -> None:
    def facts(**changes: object) -> dict[str, object]:
        training = Training(epochs=1, **changes)
        return identity(prepared(settings(data, training), data, PROFILE, None))

    assert "scales" not in facts()
    assert facts(scales="worst-case")["scales"] == "worst-case"
    assert facts(scale_margin=2.0)["scales"] == {"quantile": 1.0, "margin": 2.0, "only_starved": True}
    assert facts(scales="measured")["scales"] == {"quantile": 1.0, "margin": 1.5, "only_starved": False}


def test_killed_and_resumed_on_measured_scales_ends_in_the_same_weights(
    data: Dataset, trained: sw.Distillation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, original = [], Trainer.train_on

    def dies(self: Trainer, *batch: object) -> None:
        steps.append(1)
        if len(steps) == 20:
            raise KeyboardInterrupt
        original(self, *batch)

    monkeypatch.setattr(Trainer, "train_on", dies)
    with pytest.raises(KeyboardInterrupt):
        distill_with(settings(data, QUICK), tmp_path / "c")
    monkeypatch.setattr(Trainer, "train_on", original)
    resumed = distill_with(settings(data, QUICK), tmp_path / "c", resume=True).student
    whole = trained.student.state_dict()
    assert all(torch.equal(whole[name], each) for name, each in resumed.state_dict().items())
    assert resumed.grid == trained.student.grid


def test_a_student_in_floats_is_lowered_with_room_for_its_training_data(data: Dataset) -> None:
    found = distill_with(settings(data, Training(epochs=1, integer_from=1.0))).certificate
    assert found.measured == ("readout",)
    assert list(found.overflows) == ["validation", "test"]


def test_metadata_of_another_tool_cannot_hold_a_damaged_calibration() -> None:
    with pytest.raises(InputError, match=r"'integer' cannot be read \(calibration.quantile: Input should be less than"):
        trained_grid(
            {
                GRID_KEY: '{"profile": "p", "profile_sha256": "", "registers": {"threshold_bits": 17, '
                '"bias_mantissa_bits": 13, "state_bits": 24, "weight_bits": 8, "mixed_weights_even": true}, '
                '"scales": {}, "calibration": {"quantile": 2, "margin": 1, "samples": 1, "peaks": {}}}'
            }
        )
