"""Which samples keep their labels, samples without labels from anywhere, and students that learn from both."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.few_labels import (
    first_of_each_class,
    followed_by_unlabelled,
    known_from_elsewhere,
    with_few_labels,
)
from spikewright.data.load import load
from spikewright.data.options import DataOptions
from spikewright.data.output_rule import NO_LABEL
from spikewright.data.split import Split
from spikewright.data.unlabelled import samples_sha256, unlabelled_split
from spikewright.distillation.methods import parse
from spikewright.sources.rows import Computed, joined
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student
from spikewright.student.train_settings import TrainSettings
from spikewright.teachers.order import passes, rows_of, steps_of
from spikewright.teachers.training_loop import TrainingLoop, batches
from spikewright.training.checkpoint import identity
from spikewright.training.distill import distill_with
from spikewright.training.samples import given_unlabelled
from spikewright.training.settings import DistillSettings
from spikewright.training.trainer import Trainer

QUICK = DistillSettings.of(
    data="digits", width=4, timesteps=1, epochs=2, teacher="mlp", teacher_epochs=1, train_samples=64, unlabelled=160
)


def split_of(labels, recordings=None):
    return Split(np.zeros((len(labels), 1, 1, 1), np.float32), np.asarray(labels), recordings)


def test_the_first_of_each_class_keep_their_labels():
    labels = np.array([0, 1, 0, 0, 2, 1, 0, 0, 0, 0, 1])  # seven of class 0, three of class 1, one of class 2
    assert np.flatnonzero(first_of_each_class(split_of(labels), 0.3)).tolist() == [0, 1, 2, 4]
    assert np.flatnonzero(first_of_each_class(split_of(labels), 0.01)).tolist() == [0, 1, 4]
    assert first_of_each_class(split_of(labels), 1.0).all()
    smaller, larger = (first_of_each_class(split_of(labels), share) for share in (0.2, 0.6))
    assert not (smaller & ~larger).any()


def test_windows_of_a_recording_keep_or_lose_their_labels_together():
    recordings = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    labels = np.array([0, 0, 1, 1, 1, 0, 1, 1])
    kept = first_of_each_class(split_of(labels, recordings), 0.5)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2, 3, 4]


def test_values_have_no_classes():
    split = Split(np.zeros((10, 1, 1, 1), np.float32), np.arange(10, dtype=np.float32)[:, None])
    assert np.flatnonzero(first_of_each_class(split, 0.3)).tolist() == [0, 1, 2]
    assert split.without_labels().labelled == 0
    assert np.isnan(split.without_labels().labels).all()


def test_samples_whose_labels_are_not_used():
    whole = load("digits")
    few = with_few_labels(whole, 50, None, 200)
    assert (few.train.labelled, few.train.unlabelled) == (50, 200)
    assert np.array_equal(few.train.samples, whole.train.samples[:250])
    assert np.array_equal(few.train.labels[:50], whole.train.labels[:50])
    assert (few.train.labels[50:] == NO_LABEL).all()
    assert few.validation is whole.validation and few.test is whole.test
    assert few.train.sha256 != whole.train.first(250).sha256
    assert len(with_few_labels(whole, 50, None, "rest").train) == len(whole.train)
    share = with_few_labels(whole, 100, 0.3, "rest").train
    assert len(share) == 100
    assert share.labelled == int(first_of_each_class(whole.train.first(100), 0.3).sum())
    assert np.array_equal(np.sort(share.samples, 0), np.sort(whole.train.samples[:100], 0))
    assert with_few_labels(whole, 50, None).train.unlabelled == 0
    assert len(with_few_labels(whole, None, 0.1).train) == int(first_of_each_class(whole.train, 0.1).sum())


def test_twins_stay_sample_for_sample():
    few = with_few_labels(load("digits-events", timesteps=2), 20, None, 30)
    assert few.twin is not None
    assert np.array_equal(few.twin.train.labels, few.train.labels)
    assert np.array_equal(few.twin.train.samples, load("digits").train.samples[:50])


@pytest.mark.parametrize(("samples", "unlabelled", "left"), [(None, "rest", 0), (1000, 80, 79), (None, 5, 0)])
def test_more_than_there_are(samples, unlabelled, left):
    with pytest.raises(InputError) as refused:
        with_few_labels(load("digits"), samples, None, unlabelled)
    assert str(refused.value) == (
        f"unlabelled={unlabelled}: digits has {left} training samples besides the {1079 - left} whose labels are used; "
        "give fewer labels by train_samples or label_fraction, ask for fewer samples, or give a path with others"
    )


def test_rows_of_two_sources():
    lazy = Computed(np.arange(4.0)[:, None], lambda rows, _: rows * 10, (4, 1), np.dtype(np.float64))
    both = joined(np.arange(3.0)[:, None], lazy)
    assert both.shape == (7, 1)
    assert both[np.array([6, 0, 3, 2])].ravel().tolist() == [30, 0, 0, 2]
    assert both[2:5].ravel().tolist() == [2, 0, 10]


SERIES = {"layout": "series"}


def series(count, seed=0, steps=20):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    waves = np.sin(np.arange(steps)[None, :, None] * (1 + labels[:, None, None]) / 3)
    return (3 * waves + random.normal(0, 0.3, (count, steps, 2))).astype(np.float32), labels


@pytest.mark.parametrize("encoding", [None, "delta"])
def test_others_are_prepared_by_the_same_rule(encoding, tmp_path):
    x, y = series(60)
    more, _ = series(25, seed=1)
    data = Dataset.from_arrays(x, y, **SERIES).for_student(encoding, "mlp" if encoding is None else None, None)
    np.savez(tmp_path / "more.npz", x=more)
    np.save(tmp_path / "more.npy", more)
    for given in (more, torch.from_numpy(more), tmp_path / "more.npz", str(tmp_path / "more.npy")):
        own, twin = unlabelled_split(given, data)
        assert np.array_equal(own.samples, data.input_rule(more))
        assert own.unlabelled == 25 and own.labelled == 0
        assert data.twin is not None and twin is not None
        assert np.array_equal(twin.samples, data.twin.input_rule(more))


def test_recordings_of_unequal_lengths_and_windows():
    random = np.random.default_rng(0)
    x = [random.normal(0, 1, (8 + n % 5, 2)) for n in range(40)]
    data = Dataset.from_arrays(x, np.arange(40) % 2, window=4, hop=2)
    own, _ = unlabelled_split([random.normal(0, 1, (6 + 4 * n, 2)) for n in range(3)], data)
    assert own.recordings is not None
    assert own.recordings.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    both = data.train.followed_by(own)
    assert both.recordings is not None
    assert (np.diff(both.recordings) >= 0).all()
    assert len(np.unique(both.recordings)) == len(np.unique(data.train.recordings)) + 3


def test_a_data_set_gives_its_training_samples_and_no_labels():
    other = load("mnist-5k")
    own, twin = unlabelled_split(other, load("mnist-5k"))
    assert twin is None and own.labelled == 0
    assert np.array_equal(own.samples, other.train.samples)
    x, y = series(60)
    data = Dataset.from_arrays(x, y, **SERIES)
    own, _ = unlabelled_split(data, data)
    assert np.array_equal(own.samples, data.train.samples)
    assert samples_sha256(data) == data.train.without_labels().sha256


def test_images_for_a_data_set_that_has_a_name():
    more = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    own, _ = unlabelled_split(more, load("digits"))
    assert own.samples.shape == (30, 1, 8, 8)
    assert np.allclose(own.samples[:, 0], more / 255)


@pytest.mark.parametrize(
    ("given", "data", "message"),
    [
        (
            np.zeros((5, 9, 9), np.float32),
            "digits",
            "unlabelled: its samples have shape (9, 9), and those of digits are images of shape (1, 8, 8); give "
            "samples like those with labels",
        ),
        (
            np.full((5, 8, 8), 3.0),
            "digits",
            "unlabelled: its intensities reach 3..3, and those of the samples with labels 0..1; give them in the same "
            "range",
        ),
        (np.zeros((0, 8, 8), np.float32), "digits", "unlabelled: holds no samples; leave it out"),
        (np.full((5, 8, 8), np.nan), "digits", "unlabelled: its unlabelled part holds NaN, first in sample 0; fill "
         "such values in, or leave the sample out"),
        (
            np.zeros((5, 8, 8), np.float32),
            "digits-events",
            "unlabelled: the events of digits-events were made from images, and those of other samples cannot be; give "
            "a number, or rest",
        ),
        ("absent.npz", "digits", "absent.npz: there is no such file or folder"),
    ],
)  # fmt: skip
def test_samples_that_are_not_alike(given, data, message):
    with pytest.raises(InputError) as refused:
        unlabelled_split(given, load(data))
    assert str(refused.value) == message


def test_bytes_beside_floats_are_refused():
    data = Dataset.from_arrays(np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8), np.arange(40) % 2)
    with pytest.raises(InputError, match=r"its intensities reach 0\.\d+..0\.9\d+, and those of the samples"):
        unlabelled_split(np.random.default_rng(1).random((20, 8, 8)), data)


def test_a_file_without_samples(tmp_path):
    np.savez(tmp_path / "other.npz", z=np.zeros(3))
    with pytest.raises(InputError, match=r"other.npz: its arrays are z; expected x and y"):
        unlabelled_split(tmp_path / "other.npz", load("digits"))
    np.savez(tmp_path / "objects.npz", x=np.array([None, 1], object))
    with pytest.raises(InputError, match="holds pickled objects, which are not read"):
        unlabelled_split(tmp_path / "objects.npz", load("digits"))


def table(path, rows, label=True):
    lines = [",".join((["kind"] if label else []) + ["width", "height", "note"])]
    for n in range(rows):
        lines.append(",".join(([f"k{n % 3}"] if label else []) + [f"{n % 3 + n / 100}", f"{n % 5}", "text"]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_table_needs_no_column_of_labels(tmp_path):
    options = DataOptions(label="kind", columns="width,height")
    data = load(table(tmp_path / "own.csv", 60), options=options)
    more = table(tmp_path / "more.csv", 20, label=False)
    own, _ = unlabelled_split(more, data)
    raw = np.stack([np.arange(20) % 3 + np.arange(20) / 100, np.arange(20) % 5], 1)
    assert np.array_equal(own.samples, data.input_rule(raw))
    (tmp_path / "narrow.csv").write_text("width\n3\n")
    with pytest.raises(InputError, match="has no column height; its parts need the same columns"):
        unlabelled_split(str(tmp_path / "narrow.csv"), data)


def test_a_long_table(tmp_path):
    def written(name, recordings, label):
        head = ["id", "t", "a", *(["kind"] if label else [])]
        lines = [",".join(head)]
        for r in range(recordings):
            for step in range(5, -1, -1):
                lines.append(f"r{r},{step},{np.sin(r + step):.4f}" + (f",{r % 2}" if label else ""))
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    options = DataOptions(label="kind", id_column="id", time_column="t")
    data = load(written("own.csv", 20, True), options=options)
    own, _ = unlabelled_split(written("more.csv", 7, False), data)
    raw = np.array([[[round(np.sin(r + step), 4)] for step in range(6)] for r in range(7)])
    assert np.allclose(own.samples, data.input_rule(raw), atol=1e-6)


def test_a_folder_needs_no_class_folders(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 6, 7), dtype=np.uint8)
    for n, image in enumerate(images):
        folder = tmp_path / "own" / f"class{n % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{n:03d}.png")
    more = tmp_path / "more" / "deep"
    more.mkdir(parents=True)
    for n in range(4):
        Image.fromarray(images[n].T).resize((7, 6)).save(more / f"{n}.png")
    (more / "notes.txt").write_text("not an image")
    data = load(str(tmp_path / "own"))
    own, _ = unlabelled_split(str(tmp_path / "more"), data)
    assert own.samples.shape == (4, 1, 6, 7) and own.unlabelled == 4
    with_classes, _ = unlabelled_split(str(tmp_path / "own"), data)
    assert len(with_classes) == 30


def test_a_function_gives_samples(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import numpy as np\ndef more():\n    return np.zeros((12, 8, 8), np.float32), np.arange(12) % 2\n")
    own, _ = unlabelled_split(f"{file}:more", load("digits"))
    assert own.samples.shape == (12, 1, 8, 8) and own.labelled == 0


def recordings(folder, count, classes):
    """Files of events in N-MNIST's layout, in class folders or in one."""
    random = np.random.default_rng(count)
    for n in range(count):
        x, y = random.integers(0, 34, 200), random.integers(0, 34, 200)
        t = np.sort(random.integers(0, 300_000, 200))
        file = folder / (f"{n % 2}" if classes else ".") / f"{n:03d}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(np.stack([x, y, t >> 16, t >> 8 & 255, t & 255], axis=1).astype(np.uint8).tobytes())
    return str(folder)


def test_recordings_of_events_are_framed_alike(tmp_path):
    data = load(recordings(tmp_path / "own", 20, True)).for_student(None, None, 6)
    own, twin = unlabelled_split(recordings(tmp_path / "more", 5, False), data)
    assert twin is None and own.samples.shape == (5, 6, *data.shape)
    same, _ = unlabelled_split(str(tmp_path / "own"), data)
    whole = np.concatenate([part.samples for part in (data.train, data.validation, data.test)])
    assert same.samples.sum() == whole.sum() > 0


def test_samples_of_the_test_part_are_noticed():
    whole = load("digits")
    more = np.concatenate([whole.test.samples[:7], whole.validation.samples[:2], 0.5 * whole.test.samples[:3]])
    said: list[str] = []

    class Ear(sw.Callback):
        def on_message(self, text, kind):
            said.append(f"{kind}: {text}")

    result = sw.distill(
        sw.DataSettings(train_samples=64), sw.TeacherSpec(name="mlp", teacher_epochs=1), unlabelled=more,
        student=sw.StudentSpec(width=4, timesteps=1), training=sw.Training(epochs=1), callbacks=[Ear()],
    )  # fmt: skip
    assert result.certificate.learnt_from == {"labelled": 64, "unlabelled": 12}
    assert (
        "warning: among the samples without labels are 2 of the validation part, 7 of the test part: what is measured "
        "there says too much of new samples"
    ) in said
    few = with_few_labels(whole, 50, None, 200)
    assert known_from_elsewhere(few) == {"validation": 0, "test": 0}


def test_a_pass_takes_every_row_before_any_comes_again():
    rows = passes(torch.arange(5), 13, torch.Generator().manual_seed(0)).tolist()
    assert [sorted(rows[i : i + 5]) for i in (0, 5)] == [list(range(5))] * 2
    assert len(rows) == 13 and len(set(rows[10:])) == 3
    generators = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    assert passes(torch.arange(9), 9, generators[0]).equal(torch.randperm(9, generator=generators[1]))


@pytest.mark.parametrize(("share", "labelled"), [(None, 3), (0.5, 16), (0.001, 1), (0.999, 31)])
def test_each_batch_has_its_share_of_labels(share, labelled):
    split = with_few_labels(load("digits"), 20, None, 300).train
    batches = list(rows_of(split, 32, torch.Generator().manual_seed(0), None, share))
    assert len(batches) == steps_of(split, 32) == 10
    for rows in batches:
        assert len(rows) == 32
        assert int(split.is_labelled[rows.numpy()].sum()) == labelled
    others = [int(row) for rows in batches for row in rows if row >= 20]
    assert len(set(others)) == min(len(others), 300)


def test_epochs_of_any_length():
    split = load("digits").train.first(50)
    batches = list(rows_of(split, 20, torch.Generator().manual_seed(0), 160))
    assert [len(rows) for rows in batches] == [20] * 8
    assert np.bincount(torch.cat(batches).numpy(), minlength=50).tolist().count(3) >= 40
    assert len(list(rows_of(split, 20, torch.Generator(), 40))) == 2


def test_a_student_learns_from_both(tmp_path):
    result = distill_with(QUICK)
    facts = result.provenance
    assert facts["samples"] == {"labelled": 64, "unlabelled": 160}
    assert facts["certificate"]["learnt_from"] == {"labelled": 64, "unlabelled": 160}
    assert facts["settings"]["unlabelled"] == 160
    assert facts["train_split_sha256"] == with_few_labels(load("digits"), 64, None, 160).train.sha256
    assert json.loads(json.dumps(facts, default=str))["samples"]["unlabelled"] == 160
    hits = [record.train_accuracy * 7 * 3 for record in result.history]  # a tenth of 32 samples has labels
    assert all(abs(hit - round(hit)) < 1e-6 for hit in hits)
    again = distill_with(QUICK)
    for name, value in result.student.state_dict().items():
        assert torch.equal(value, again.student.state_dict()[name])


class Killed(Exception):
    pass


def test_killed_and_resumed_ends_in_the_same_weights(tmp_path, killed):
    settings = QUICK.changed({"labelled_share": 0.4, "epoch_samples": 300, "batch": 32})
    whole = distill_with(settings).student.state_dict()
    with killed("train_on", 12):
        distill_with(settings, tmp_path / "checkpoint")
    with pytest.raises(InputError, match=r"is of another training \(labelled_samples was 64, is 63; train_sha256 was"):
        distill_with(settings.changed({"train_samples": 63, "unlabelled": 161}), tmp_path / "checkpoint", resume=True)
    resumed = distill_with(settings, tmp_path / "checkpoint", resume=True).student.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_without_such_samples_checkpoints_are_as_they_were(monkeypatch):
    kept = []
    monkeypatch.setattr(Trainer, "run", lambda self, *_: kept.append(identity(self)) or (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        distill_with(QUICK.changed({"unlabelled": None}))
    assert set(kept[0]) == {
        "student", "data", "train_samples", "method", "regularizers", "teacher_sha256", "settings", "held", "chip",
    }  # fmt: skip


def test_the_teacher_learns_from_the_last_samples_alone(monkeypatch):
    seen = {}

    def train(dataset, *_, **__):
        seen["train"] = dataset.train
        raise Killed

    monkeypatch.setattr("spikewright.teachers.teacher.train_teacher", train)
    with pytest.raises(Killed):
        distill_with(QUICK.changed({"teacher_samples": 500}))
    whole = load("digits").train
    assert np.array_equal(seen["train"].samples, whole.samples[-500:])
    assert np.array_equal(seen["train"].labels, whole.labels[-500:])
    with pytest.raises(InputError) as refused:
        distill_with(QUICK.changed({"teacher_samples": 1080}))
    assert str(refused.value) == ("teacher_samples=1080: digits has 1079 to train on; ask for no more, or leave it out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"method": "none"},
            "distill: method=none: has no teacher, by whose answers samples without labels (unlabelled) are learned; "
            "choose a method that has one, such as method=kd, or leave unlabelled out",
        ),
        (
            {"unlabelled": None, "labelled_share": 0.3},
            "distill: labelled_share=0.3: is for samples with labels beside others, and every sample has one; give "
            "unlabelled, or leave labelled_share out",
        ),
        (
            {"method": "none", "unlabelled": None, "teacher_samples": 50},
            "distill: teacher_samples=50: the teacher mlp is trained already, or none is needed; leave teacher_samples "
            "out",
        ),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError) as refused:
        distill_with(QUICK.changed(changes))
    assert str(refused.value) == message


@pytest.mark.parametrize("value", [0, "0", -3, ""])
def test_no_number_of_samples(value):
    with pytest.raises(InputError, match="a number must be at least 1; leave it out for none"):
        DistillSettings.of(unlabelled=value)


def test_numbers_and_paths_in_settings():
    assert DistillSettings.of(unlabelled="4000").data.unlabelled == 4000
    assert DistillSettings.of(unlabelled="more.npz").data.has_unlabelled_path
    assert not DistillSettings.of(unlabelled="rest").data.has_unlabelled_path
    with pytest.raises(InputError) as refused:
        sw.distill(sw.DataSettings(unlabelled=3), unlabelled=4)
    assert str(refused.value) == "unlabelled: is given twice, in DataSettings, too; leave one out"


def test_the_recipe_follows_the_samples_that_there_are():
    x, y = series(60)
    more, _ = series(3000, seed=1)
    data = Dataset.from_arrays(x, y, **SERIES)
    own, twin = unlabelled_split(more, data)
    both = followed_by_unlabelled(data, own, twin)
    assert (data.recipe.batch, both.recipe.batch) == (8, 128)
    assert both.recipe.teacher == data.recipe.teacher
    assert replace(both, train=data.train).train is data.train


def values(count=80):
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (count, 4)).astype(np.float32)
    return x, np.stack([x[:, 0] + x[:, 1], 10 * x[:, 2]], 1)


def test_values_without_labels_and_in_mixtures():
    """A mixture of two values lies between them, and one with a part that has none is left out of the loss."""
    x, y = values()
    data = with_few_labels(Dataset.from_arrays(x, y, task="regression"), 20, None, 25)
    assert (data.train.labelled, data.train.unlabelled) == (20, 25)
    settings = TrainSettings(batch=20, augmentation="mixup", labelled_share=0.5)
    config = StudentConfig("mlp", 4, data.shape, 2, 1, encoding="direct", output=data.output)
    loop = TrainingLoop(student=Student(config), dataset=data, method=parse("kd"), settings=settings)
    (batch, *_) = batches(data.train, settings, 0, torch.device("cpu"), loop.augmenter)
    right, mixed = loop._right(batch)
    assert mixed is None and batch.mixed is not None
    center, spread = np.array(data.output.center), np.array(data.output.spread)
    share = batch.mixed.share.numpy()[:, None]
    by_hand = (
        share * (batch.labels.numpy() - center) / spread + (1 - share) * (batch.mixed.labels.numpy() - center) / spread
    )
    assert np.allclose(right.numpy(), by_hand, atol=1e-5, equal_nan=True)
    assert 0 < int(np.isnan(by_hand).any(1).sum()) < 20


def test_a_regression_learns_from_values_and_from_answers():
    x, y = values()
    data = Dataset.from_arrays(x, y, task="regression")
    result = sw.distill(
        data,
        sw.TeacherSpec(name="mlp", teacher_epochs=2),
        student=sw.StudentSpec(architecture="mlp", width=8, timesteps=1),
        unlabelled=values(30)[0],
        training=sw.Training(epochs=2, batch=16),
    )
    assert result.certificate.learnt_from == {"labelled": len(data.train), "unlabelled": 30}
    assert all(np.isfinite(list(record.loss.values())).all() for record in result.history)


@pytest.mark.parametrize("given", [7, "rest", np.zeros((3, 8, 8), np.float32)])
def test_sweeps_and_comparisons_take_the_same(monkeypatch, given):
    seen = []
    monkeypatch.setattr("spikewright.bench.sweep.sweep.sweep_with", lambda settings, *_, **__: seen.append(settings))
    monkeypatch.setattr(
        "spikewright.bench.compare.compare.compare_with", lambda settings, *_, **__: seen.append(settings)
    )
    sw.sweep(sw.DataSettings(train_samples=50), unlabelled=given, budgets=["1uJ"])
    sw.compare(sw.DataSettings(train_samples=50), unlabelled=given, methods="none kd")
    wanted = "arrays" if isinstance(given, np.ndarray) else given
    assert [settings.data.unlabelled for settings in seen] == [wanted, wanted]
    assert all((given_unlabelled(settings) is given) == isinstance(given, np.ndarray) for settings in seen)
