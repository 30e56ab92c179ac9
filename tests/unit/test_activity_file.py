"""The activity's file: what is read is what was written, and nothing else is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, Counts, Overflows, PopulationActivity, Samples, Trace
from spikewright.chip.activity_file import as_json, load_activity, save_activity
from spikewright.data.quality import Quality

count = st.integers(0, 2**40)
shape = st.lists(st.integers(1, 3), min_size=1, max_size=3)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    populations = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=5), unique=True, min_size=1, max_size=3)):
        dimensions = draw(shape)
        size = int(np.prod(dimensions))
        spikes = draw(st.lists(count, min_size=size, max_size=size))
        overflows = draw(st.one_of(st.none(), st.builds(Overflows, count, count, count)))
        populations[name] = PopulationActivity(
            np.array(spikes).reshape(dimensions), draw(count), draw(count), overflows
        )
    samples, timesteps = draw(st.integers(1, 20)), draw(st.integers(1, 8))
    operations = draw(st.dictionaries(st.text(max_size=6), count, max_size=3))

    def counts(length: int) -> Counts:
        column = st.lists(count, min_size=length, max_size=length).map(np.array)
        names = (populations, [n for n, p in populations.items() if p.updates], operations)
        return Counts(*({name: draw(column) for name in table} for table in names))

    def trace(size: int) -> Trace:
        kept = draw(st.lists(st.integers(0, size - 1), unique=True, max_size=64).map(sorted))
        cells = draw(st.lists(st.booleans(), min_size=timesteps * len(kept), max_size=timesteps * len(kept)))
        return Trace(np.array(kept, dtype=np.int64), np.array(cells, dtype=bool).reshape(timesteps, len(kept)))

    classes = st.lists(st.integers(0, 9), min_size=samples, max_size=samples).map(np.array)
    return Activity(
        populations=populations,
        synaptic_ops=operations,
        samples=samples,
        timesteps=timesteps,
        backend=draw(st.sampled_from(["integer", "lava", "netx", "float"])),
        chip_sha256=draw(st.sampled_from(["", "ab" * 32])),
        correct=draw(st.one_of(st.none(), st.integers(0, samples))),
        split=draw(st.sampled_from(["", "test"])),
        provenance=draw(st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=4), st.integers(0, 9)))),
        by_step=counts(timesteps) if draw(st.booleans()) else None,
        by_sample=Samples(counts(samples), draw(classes), draw(st.one_of(st.none(), classes)))
        if draw(st.booleans())
        else None,
        raster={name: trace(p.spikes.size) for name, p in populations.items()} if draw(st.booleans()) else None,
    )


@given(activity=activities())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_of_write_is_the_same(activity: Activity, tmp_path: Path) -> None:
    path = tmp_path / "activity.json"
    save_activity(activity, path)
    back = load_activity(path)
    assert as_json(back) == as_json(activity)
    assert all(p.spikes.dtype == np.int64 for p in back.populations.values())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    populations = {"a": PopulationActivity(np.array([1, 2]), 8, 4)}
    save_activity(Activity(populations, {"a->b": 6}, 2, 2, "integer", correct=1), tmp_path / "a.json")
    return tmp_path / "a.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "another"}, "format: Input should be 'spikewright activity' (it is 'another')"),
        ({"format_version": 5}, "format_version: Input should be 1, 2, 3 or 4 (it is 5)"),
        ({"samples": -1}, "samples: Input should be greater than or equal to 0 (it is -1)"),
        ({"samples": 1.5}, "samples: Input should be a valid integer (it is 1.5)"),
        ({"spare": 1}, "spare: Extra inputs are not permitted (it is 1)"),
    ],
)
def test_refuses_what_is_not_an_activity(written: Path, change: dict[str, object], words: str) -> None:
    written.write_text(json.dumps({**json.loads(written.read_text()), **change}))
    with pytest.raises(InputError) as refusal:
        load_activity(written)
    assert str(refusal.value) == (f"{written}: is not an activity file, as written by `spikewright simulate`: {words}")


def test_refuses_counts_that_contradict_each_other(written: Path) -> None:
    value = json.loads(written.read_text())
    value["populations"]["a"]["shape"] = [3]
    value["correct"] = 5
    written.write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(written)
    assert str(refusal.value) == (
        f"{written}: 2 faults\n  - population a: 2 spike counts for the shape [3]\n  - correct is 5 of 2 samples"
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"timesteps": 2**31 - 1}, ""),
        ({"timesteps": 2**31}, "timesteps: Input should be less than 2147483648 (it is 2147483648)"),
        ({"timesteps": 0}, "timesteps: Input should be greater than or equal to 1 (it is 0)"),
        ({"samples": 2**63 - 1}, ""),
        ({"samples": 2**63}, "samples: Input should be less than 9223372036854775808 (it is 9223372036854775808)"),
        ({"samples": 0, "correct": 0}, ""),
        ({"correct": 2}, ""),
        ({"correct": 3}, "correct is 3 of 2 samples"),
        ({"correct": None}, ""),
    ],
)
def test_numbers_are_of_64_bits_and_sizes_of_31(written: Path, change: dict[str, object], fault: str) -> None:
    written.write_text(json.dumps({**json.loads(written.read_text()), **change}))
    if fault:
        with pytest.raises(InputError) as refusal:
            load_activity(written)
        assert str(refusal.value).endswith(f": {fault}")
    else:
        read = load_activity(written)
        assert all(getattr(read, name) == value for name, value in change.items())


def test_the_version_is_the_lowest_that_holds_what_there_is() -> None:
    plain = Activity({"a": PopulationActivity(np.array([1, 2]), 8, 4)}, {"a->b": 6}, 2, 2, "integer", correct=1)
    assert as_json(plain)["format_version"] == 3
    counted = {"a": PopulationActivity(np.array([1]), 8, 4), "b": PopulationActivity(np.array([1]), 8, 4, Overflows())}
    assert as_json(replace(plain, populations=counted))["format_version"] == 4
    assert as_json(replace(plain, stated=Quality(2, np.eye(2, dtype=int))))["format_version"] == 4


def test_refuses_too_many_classes_and_too_few(root: Path, tmp_path: Path) -> None:
    value = json.loads((root / "tests" / "golden" / "activity" / "version_2.json").read_text())
    value["by_sample"]["predicted"].append(0)
    value["by_sample"]["classes"].pop()
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(tmp_path / "a.json")
    assert str(refusal.value).splitlines()[1:] == [
        "  - by_sample: predicted has 6 entries; there are 5 samples",
        "  - by_sample: classes has 4 entries; there are 5 samples",
    ]


def test_refuses_classes_of_which_no_table_fits_into_memory(root: Path, tmp_path: Path) -> None:
    value = json.loads((root / "tests" / "golden" / "activity" / "version_2.json").read_text())
    value["by_sample"]["classes"][1], value["by_sample"]["predicted"][2] = 2**62, 2**14
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(tmp_path / "a.json")
    assert str(refusal.value).splitlines()[1:] == [
        "  - by_sample: predicted holds class 16384; must be below 16,384",
        "  - by_sample: classes holds class 4611686018427387904; must be below 16,384",
    ]


def test_refuses_counts_of_other_steps_populations_and_samples(root: Path, tmp_path: Path) -> None:
    value = json.loads((root / "tests" / "golden" / "activity" / "version_2.json").read_text())
    value["by_step"]["spikes"]["in"].append(1)
    value["by_step"]["active_updates"]["in"] = [0, 0, 0, 0]
    del value["by_sample"]["counts"]["synaptic_ops"]["in->conv"]
    value["by_sample"]["predicted"].pop()
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(tmp_path / "a.json")
    assert str(refusal.value).splitlines()[1:] == [
        "  - by_step: spikes of in has 5 entries; expected 4",
        "  - by_step: active_updates counts conv, in, out; expected conv, out",
        "  - by_sample: synaptic_ops counts conv->out; expected conv->out, in->conv",
        "  - by_sample: predicted has 4 entries; there are 5 samples",
    ]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_files_of_every_version_are_read(root: Path, version: int) -> None:
    activity = load_activity(root / "tests" / "golden" / "activity" / f"version_{version}.json")
    assert (activity.samples, activity.correct, activity.timesteps) == (5, 3, 4)
    assert activity.synaptic_ops == {"in->conv": 786, "conv->out": 360}
    assert activity.populations["conv"].spikes.tolist() == [[[9, 10], [12, 9]], [[20, 20], [20, 20]]]
    if version == 1:
        assert (activity.by_step, activity.by_sample, activity.raster) == (None, None, None)
        return
    assert activity.by_step.synaptic_ops["conv->out"].tolist() == [93, 111, 78, 78]
    assert activity.by_sample.counts.spikes["conv"].tolist() == [25, 27, 24, 23, 21]
    assert activity.by_sample.classes.tolist() == [0, 1, 2, 0, 1]
    if version == 2:
        assert activity.raster is None
        return
    assert activity.raster["conv"].compartments.tolist() == list(range(8))
    assert {name: int(trace.fired.sum()) for name, trace in activity.raster.items()} == {
        name: int(column[0]) for name, column in activity.by_sample.counts.spikes.items()
    }
    if version == 3:
        assert activity.overflows is None, "nobody counted"
        return
    assert activity.populations["conv"].overflows == Overflows(clips=3)
    assert activity.overflows == Overflows(wraps=1, clips=3, resets=2)


def test_overflows_add_up_where_both_know_them(root: Path) -> None:
    older, newer = (load_activity(root / "tests" / "golden" / "activity" / f"version_{n}.json") for n in (3, 4))
    assert (newer + newer).overflows == Overflows(wraps=2, clips=6, resets=4)
    assert (newer + older).overflows is None


def test_refuses_a_raster_of_other_compartments_and_steps(root: Path, tmp_path: Path) -> None:
    value = json.loads((root / "tests" / "golden" / "activity" / "version_3.json").read_text())
    value["raster"]["in"]["compartments"][0] = 16
    value["raster"]["conv"]["fired"][0] = [8]
    value["raster"]["out"]["fired"].append([])
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(tmp_path / "a.json")
    assert str(refusal.value).splitlines()[1:] == [
        "  - raster: compartments of in are not ascending numbers below 16",
        "  - raster: compartments of in fired that are not among those kept",
        "  - raster: compartments of conv fired that are not among those kept",
        "  - raster: out has 5 steps; expected 4",
    ]


def test_a_raster_of_an_unknown_population_has_no_compartments(root: Path, tmp_path: Path) -> None:
    value = json.loads((root / "tests" / "golden" / "activity" / "version_3.json").read_text())
    value["raster"]["more"] = {"compartments": [0], "fired": [[], [], [], []]}
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(InputError) as refusal:
        load_activity(tmp_path / "a.json")
    assert "  - raster: compartments of more are not ascending numbers below 0" in str(refusal.value).splitlines()


def test_refuses_text_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("spikes: many")
    with pytest.raises(InputError, match=r"a\.json: is not JSON \(Expecting value: line 1 column 1 \(char 0\)\)"):
        load_activity(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"b\.json: there is no such file; expected an activity file"):
        load_activity(tmp_path / "b.json")
