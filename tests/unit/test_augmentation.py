"""Transforms of training samples: what each does, from the seed alone, alike to student and teacher; refusals."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import spikewright as sw
from spikewright.augmentation import transforms as tr
from spikewright.augmentation.augment import Augmenter, augmented
from spikewright.augmentation.changes import DRAWS, drawn
from spikewright.augmentation.text import misfits_of, read_transforms, text_of
from spikewright.augmentation.transforms import TRANSFORMS, Form
from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.distillation.base import MixedLabels
from spikewright.student.train_settings import TrainSettings
from spikewright.teachers.outputs import CachedOutputs
from spikewright.teachers.training_loop import TrainingLoop, batches
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings

IMAGES = Form("images", (1, 6, 6), None, 1)
EVENTS = Form("events", (2, 6, 6), 5, 2)
CHANNELS = Form("series", (6, 8, 1), 8, 3, "channels", signed=True)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def change(transform, samples, form, seed=0):
    return drawn(transform, len(samples), form, seeded(seed))(samples, form)


def before(images, augmentation, generator, reach):
    """The three named augmentations as they were before there were lists."""
    if augmentation == "none":
        return images
    batch, _, height, width = images.shape
    padded = F.pad(images, (reach, reach, reach, reach))
    top, left = (torch.randint(0, 2 * reach + 1, (batch,), generator=generator) for _ in range(2))
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + torch.arange(width)
    if augmentation == "shift-flip":
        flip = torch.rand(batch, generator=generator) < 0.5
        columns = torch.where(flip[:, None], columns.flip(1), columns)
    index = torch.arange(batch)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("name", ["none", "shift", "shift-flip"])
@pytest.mark.parametrize("reach", [1, 3])
def test_names_mean_bit_for_bit_what_they_meant(name, reach):
    images = torch.rand(20, 3, 8, 9, generator=seeded(1))
    old, new = seeded(5), seeded(5)
    for _ in range(3):
        assert torch.equal(augmented(images, name, new, reach), before(images, name, old, reach))
    assert torch.equal(torch.rand(3, generator=new), torch.rand(3, generator=old))
    listed = {"none": "none", "shift": f"shift:{reach}", "shift-flip": f"shift:{reach},flip"}[name]
    assert torch.equal(augmented(images, listed, seeded(5), 7), before(images, name, seeded(5), reach))


def test_a_shift_moves_all_frames_alike():
    frames = torch.zeros(30, 5, 2, 6, 6, dtype=torch.uint8)
    frames[:, :, :, 2, 3] = 1
    moved = change(tr.Shift(2), frames, EVENTS)
    assert moved.dtype == torch.uint8
    places = {tuple(each.nonzero()[0, -2:].tolist()) for each in moved}
    assert all((moved[n] == moved[n, 0, 0]).all() for n in range(30))
    assert len(places) > 8 and all(abs(y - 2) <= 2 and abs(x - 3) <= 2 for y, x in places)


def test_half_are_mirrored():
    images = torch.rand(200, 1, 6, 6)
    made = change(tr.Flip(), images, IMAGES)
    flipped = [torch.equal(a, b.flip(-1)) for a, b in zip(made, images, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(made, images, strict=True)]
    assert all(a != b for a, b in zip(flipped, same, strict=True)) and 70 < sum(flipped) < 130


def test_a_square_is_cut_out():
    made = change(tr.CutOut(3), torch.ones(300, 1, 6, 6), IMAGES)
    sizes = {int((each == 0).sum()) for each in made}
    assert sizes == {4, 6, 9}  # centres in a corner, at a border, and inside
    for each in made:
        rows, columns = (each[0] == 0).nonzero().T
        height, width = (int(axis.max() - axis.min()) + 1 for axis in (rows, columns))
        assert height * width == len(rows)


def test_a_mixture_has_both_in_their_shares():
    whole = load("digits")
    shown = Augmenter(whole, "mixup:0.4", 1)(torch.arange(40), seeded())
    other, share = shown.mixed
    images = torch.from_numpy(whole.train.samples[:40])
    weights = share[:, None, None, None]
    assert torch.allclose(shown.samples, weights * images + (1 - weights) * images[other])
    assert (share >= 0.5).all() and sorted(other.tolist()) == list(range(40))
    drawn_shares = torch.cat([Augmenter(whole, "mixup:1", 1)(torch.arange(200), seeded(n)).mixed[1] for n in range(9)])
    assert float(drawn_shares.mean()) == pytest.approx(0.75, abs=0.02)  # of the larger part of a uniform one


def test_a_signal_moves_in_time():
    values = torch.zeros(50, 6, 8, 1)
    values[:, 1, 4] = 0.7
    moved = change(tr.TimeShift(3), values, CHANNELS)
    steps = {int(each[1, :, 0].argmax()) for each in moved}
    assert steps == {1, 2, 3, 4, 5, 6, 7} and float(moved.sum()) == pytest.approx(50 * 0.7)
    frames = torch.zeros(50, 5, 2, 6, 6, dtype=torch.uint8)
    frames[:, 4] = 1
    later = change(tr.TimeShift(2), frames, EVENTS)
    assert {int(each.any(-1).any(-1).any(-1).sum()) for each in later} == {0, 1}  # what leaves the end is lost


@pytest.mark.parametrize(("transform", "axis", "size"), [(tr.TimeMask(3), 2, 8), (tr.FrequencyMask(2), 1, 3)])
def test_a_stretch_is_hidden(transform, axis, size):
    form = Form("series", (3, 8, 1), 8, 3, "channels")
    made = change(transform, torch.ones(400, 3, 8, 1), form)
    others = [a for a in (1, 2, 3) if a != axis]
    hidden = (made == 0).all(others[1]).all(others[0]) if others[0] < others[1] else None
    assert hidden is not None and hidden.shape == (400, size)
    lengths = hidden.sum(1)
    assert sorted(set(lengths.tolist())) == list(range(int(transform.amount) + 1))
    for each in hidden:
        places = each.nonzero().flatten()
        assert len(places) == 0 or int(places[-1] - places[0]) + 1 == len(places)
    assert {int(each.nonzero()[0]) for each in hidden if each.any()} >= {0, size - 1}


def test_noise_has_its_deviation_and_keeps_signs_apart():
    form = Form("series", (2, 8, 1), 8, 1, "channels", signed=True)
    samples = torch.zeros(4000, 2, 8, 1)
    samples[:, 0, :6] = 0.5  # the recording ends after six steps
    made = change(tr.Jitter(0.1), samples, form)
    values = made[:, 0] - made[:, 1]
    assert float(values[:, :6].std()) == pytest.approx(0.1, rel=0.03)
    assert float(values[:, :6].mean()) == pytest.approx(0.5, abs=0.005)
    assert not values[:, 6:].any()
    assert not (made[:, 0] * made[:, 1]).any() and made.min() >= 0 and made.max() <= 1


def test_channels_are_scaled_by_a_factor_each():
    samples = torch.rand(500, 6, 8, 1) * 0.3
    samples[:, 3:] = 0
    made = change(tr.Scaling(0.1), samples, CHANNELS)
    factors = (made[:, :3] / samples[:, :3]).squeeze(-1)
    assert torch.allclose(factors, factors[:, :, :1].expand_as(factors), rtol=1e-4)
    assert float(factors[:, :, 0].std()) == pytest.approx(0.1, rel=0.1)
    vectors = Form("vectors", (4, 1, 1), None, 4)
    made = change(tr.Scaling(0.1), torch.full((50, 4, 1, 1), 0.5), vectors)
    assert torch.allclose(made, made[:, :1].expand_as(made)) and len(made[:, 0].unique()) == 50


def test_events_are_dropped():
    frames = (torch.rand(60, 5, 2, 6, 6, generator=seeded(9)) < 0.5).to(torch.uint8)
    made = change(tr.DropEvents(0.25), frames, EVENTS)
    assert made.dtype == torch.uint8 and not (made & ~frames).any()
    assert float(made.sum() / frames.sum()) == pytest.approx(0.75, abs=0.02)


def test_events_move_in_time_one_by_one():
    frames = torch.zeros(80, 5, 2, 6, 6, dtype=torch.uint8)
    frames[:, 2, 0] = 1
    made = change(tr.TimeJitter(1), frames, EVENTS)
    assert torch.equal(made.sum(1), frames.sum(1))  # at the same pixels, none lost
    counts = made.sum((0, 2, 3, 4))
    assert counts[0] == counts[4] == 0 and all(0.28 < c / frames.sum() < 0.39 for c in counts[1:4])
    frames = torch.zeros(80, 5, 2, 6, 6, dtype=torch.uint8)
    frames[:, 0] = 1
    assert float(change(tr.TimeJitter(1), frames, EVENTS).sum() / frames.sum()) == pytest.approx(2 / 3, abs=0.03)


def series(**options):
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    waves = np.sin(np.arange(12)[None, :, None] * (1 + labels[:, None, None]) / 3)
    x = (3 * waves + random.normal(0, 0.3, (60, 12, 2))).astype(np.float32)
    return Dataset.from_arrays(x, labels, layout="series", **options)


LISTS = {
    "images": "shift:2,flip,cutout:3,mixup:0.2,jitter",
    "vectors": "jitter:0.1,scale:0.2,mixup",
    "series": "time-shift:2,time-mask:2,frequency-mask:1,jitter,scale,mixup",
    "events": "shift:1,flip,cutout:2,time-shift:1,time-jitter:1,drop:0.1",
}


def datasets():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    yield "images", load("digits")
    yield "images", Dataset.from_arrays(random.integers(0, 256, (60, 3, 9, 9), np.uint8), labels)
    yield "vectors", Dataset.from_arrays(random.normal(0, 1, (60, 5)), labels)
    yield "vectors", Dataset.from_arrays(random.random((60, 5)), labels, scaling="minmax")
    yield "events", Dataset.from_arrays(random.integers(0, 2, (60, 6, 2, 7, 7), np.uint8), labels)
    yield "events", load("digits-events", timesteps=4)
    for view in ("image", "channels", "steps"):
        yield "series", series(view=view)
        yield "series", series(view=view, scaling="minmax")
    yield "series", series().for_student("delta", None, None)
    yield "series", series(view="steps").for_student(None, None, 5)


CASES = list(datasets())


@pytest.mark.parametrize("number", range(len(CASES)))
def test_every_list_suits_its_samples_and_nothing_moves_without_it(number):
    """Shape, type and range stay; the same seed gives the same samples; what changes nothing gives back the samples."""
    kind, dataset = CASES[number]
    read = read_transforms(LISTS[kind], 1)
    assert list(misfits_of(read, dataset)) == []
    rows = torch.arange(20)
    plain = Augmenter(dataset, "none", 1)(rows, seeded())
    assert np.array_equal(plain.samples, dataset.train.samples[:20]) and plain.twins is None
    first, second, third = (Augmenter(dataset, LISTS[kind], 1)(rows, seeded(n)) for n in (3, 3, 4))
    assert first.samples.shape == plain.samples.shape and first.samples.dtype == plain.samples.dtype
    assert torch.equal(first.samples, second.samples) and not torch.equal(first.samples, third.samples)
    assert first.samples.min() >= 0 and first.samples.max() <= 1
    if dataset.twin is not None:
        assert first.twins.shape == (20, *dataset.twin.shape)
        assert torch.equal(first.twins, second.twins)
    nothing = {"series": "jitter:1e-9", "vectors": "jitter:1e-9", "images": "jitter:1e-9", "events": "drop:1e-9"}[kind]
    same = Augmenter(dataset, nothing, 1)(rows, seeded())
    assert np.allclose(same.samples, dataset.train.samples[:20], atol=1e-6)


@pytest.mark.parametrize("encoding", [None, "delta"])
@pytest.mark.parametrize("timesteps", [None, 5])
def test_frames_are_made_of_the_changed_recording(encoding, timesteps):
    dataset = series(view="steps").for_student(encoding, None, timesteps)
    shown = Augmenter(dataset, "time-shift:3,jitter:0.02", 1)(torch.arange(30), seeded())
    assert not np.array_equal(shown.twins, dataset.twin.train.samples[:30])
    assert np.array_equal(shown.samples, dataset.input_rule.from_channels(shown.twins.numpy()))
    same = dataset.input_rule.from_channels(dataset.twin.train.samples)
    assert np.array_equal(same, dataset.train.samples)


def test_images_and_their_events_move_alike():
    dataset = load("digits-events", timesteps=4)
    shown = Augmenter(dataset, "shift:1,drop:0.5", 1)(torch.arange(40), seeded(2))
    still = Augmenter(load("digits"), "shift:1", 1)(torch.arange(40), seeded(2))
    assert torch.equal(shown.twins, still.samples)  # dropping touches events alone
    alone = Augmenter(dataset, "shift:1", 1)(torch.arange(40), seeded(2))
    assert not (shown.samples & ~alone.samples).any()


def test_student_and_teacher_see_the_same_sample(monkeypatch):
    seen = []
    original = CachedOutputs.of

    def of(self, rows, samples, share=None):
        seen.append(samples)
        return original(self, rows, samples, share)

    monkeypatch.setattr(CachedOutputs, "of", of)
    shown = []
    outputs = TrainingLoop.outputs_of
    monkeypatch.setattr(TrainingLoop, "outputs_of", lambda self, batch: shown.append(batch) or outputs(self, batch))
    quick = sw.Training(epochs=1, augmentation="shift:1,mixup", batch=64)
    sw.distill(sw.DataSettings(train_samples=128), sw.TeacherSpec(name="mlp", teacher_epochs=1), training=quick,
               student=sw.StudentSpec(width=4, timesteps=1))  # fmt: skip
    assert len(seen) == len(shown) == 2
    assert all(torch.equal(a, b.samples) for a, b in zip(seen, shown, strict=True))
    seen.clear()
    shown.clear()
    jittered = sw.Training(epochs=1, augmentation="jitter")
    spec = sw.StudentSpec(architecture="mlp", width=8)
    sw.distill(series(view="steps"), sw.TeacherSpec(name="temporal", teacher_epochs=1), training=jittered, student=spec)
    assert seen and all(torch.equal(a, b.twins) and a.shape[1:] == (4, 12, 1) for a, b in zip(seen, shown, strict=True))
    assert all(not np.array_equal(b.samples, b.twins) for b in shown)


def test_second_labels_are_those_of_the_second_sample():
    dataset = load("digits")
    settings = TrainSettings(batch=50, augmentation="mixup:0.3", seed=4)
    augmenter = Augmenter(dataset, settings.augmentation, 1)
    (first, *_) = batches(dataset.train, settings, 0, torch.device("cpu"), augmenter)
    assert isinstance(first.mixed, MixedLabels)
    assert first.labels.tolist() == dataset.train.labels[first.rows.numpy()].tolist()
    other = [int(label) for label in first.mixed.labels]
    assert sorted(other) == sorted(first.labels.tolist()) and other != first.labels.tolist()


@pytest.mark.parametrize("augmentation", ["shift:1,cutout:3,mixup:0.3", "shift-flip"])
def test_killed_and_resumed_ends_in_the_same_weights(tmp_path, augmentation, killed):
    settings = DistillSettings.of(
        data="digits", width=4, timesteps=1, epochs=3, teacher="mlp", teacher_epochs=1, train_samples=128,
        augmentation=augmentation,
    )  # fmt: skip
    whole = distill_with(settings).student.state_dict()
    with killed("train_on", 6):
        distill_with(settings, tmp_path / "checkpoint")
    resumed = distill_with(settings, tmp_path / "checkpoint", resume=True).student.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_objects_and_text_are_one():
    made = sw.Training(augmentation=[tr.Shift(2), tr.Flip(), tr.CutOut(size=4), tr.MixUp(0.3), tr.Jitter()])
    assert made.augmentation == "shift:2,flip,cutout:4,mixup:0.3,jitter:0.05"
    assert sw.Training(augmentation=tr.Flip()).augmentation == "flip"
    assert sw.Training(augmentation=[]).augmentation == "none"
    assert read_transforms("shift, flip", 3) == (tr.Shift(3), tr.Flip()) == read_transforms("shift-flip", 3)
    for name, kind in TRANSFORMS.items():
        example = kind() if name in ("flip", "mixup", "jitter", "scale") else kind(0.5 if name == "drop" else 2)
        assert read_transforms(str(example), 1) == (example,)
        assert kind in DRAWS or name == "mixup"
        assert sw.transforms.TRANSFORMS[name] is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rotate", "'rotate' is unknown; may be: cutout, drop, flip, frequency-mask, jitter, mixup, none, scale, "
         "shift, shift-flip, time-jitter, time-mask, time-shift"),
        ("cutuot:4", "'cutuot' is unknown; did you mean 'cutout'? may be: "),
        ("cutout", "cutout needs an amount, its size; write such as cutout:4"),
        ("flip:3", "flip has no amount; write flip"),
        ("shift:0,drop:2", "shift: pixels is 0; must be a whole number of 1 or more; drop: share is 2; must be a "
         "number above 0, at most 0.99"),
        ("shift:1.5", "shift: pixels is 1.5; must be a whole number of 1 or more"),
        ("shift:inf", "shift: pixels is inf; must be a whole number of 1 or more"),
        ("jitter:nan", "jitter: deviation is nan; must be a number above 0"),
        ("shift:two", "'shift:two' is no number of pixels; write such as shift:2,flip,cutout:4"),
        ("none,flip", "none stands alone"),
        ("mixup,mixup:0.4", "mixup stands there twice; samples are mixed once"),
        ("", "'' is unknown"),
    ],
)  # fmt: skip
def test_text_that_cannot_be_read(text, message):
    with pytest.raises(InputError) as refused:
        sw.Training(augmentation=text)
    assert message in str(refused.value)
    with pytest.raises(InputError):
        DistillSettings.of(augmentation=text)


@pytest.mark.parametrize("made", [lambda: tr.Shift(0), lambda: tr.DropEvents(1.0), lambda: tr.MixUp(-1)])
def test_objects_of_no_amount(made):
    with pytest.raises(ValueError, match="must be a"):
        made()


def test_other_objects_are_no_transforms():
    with pytest.raises(ValueError, match=re.escape("3 is no transform; may be text, or a list of Shift, Flip, CutOut")):
        text_of([3])


NO_IMAGE = "is for images, series and vectors, and the samples are events; for these there are"
NO_SERIES = "is for series, and the samples are images; for these there are shift, flip, cutout, mixup, jitter"
OTHERS = "and what the teacher sees of mnist1d has others (1 x 40, not 1 x 16); leave it out"
UNSUITED = [
    ("digits", "time-mask:2", NO_SERIES),
    ("digits", "shift:8", "is of 8 pixels, and the samples have 8 x 8"),
    ("digits-events", "mixup:0.2", f"{NO_IMAGE} shift, flip, cutout, time-shift, drop, time-jitter"),
    ("digits-events", "time-jitter:9", "is of 9 steps, and the samples have 4"),
    ("mnist1d", "flip", f"moves pixels, {OTHERS}"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "augmentation", "message"), UNSUITED)
def test_what_does_not_suit_is_refused_before_training(data, augmentation, message):
    steps = {"digits": 1, "digits-events": 4, "mnist1d": 8}[data]
    with pytest.raises(InputError) as refused:
        distill_with(DistillSettings.of(data=data, augmentation=augmentation, timesteps=steps, width=4))
    assert str(refused.value) == f"data {data}: augmentation={augmentation} {message}"


def test_a_mask_of_all_channels():
    (fault,) = misfits_of(read_transforms("frequency-mask:2", 1), series())
    assert fault.endswith("takes up to 2 channels of 2; ask for fewer")
