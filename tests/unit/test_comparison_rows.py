"""Rows of a comparison: how they are written, and when two are one."""

from pathlib import Path

import pytest

from spikewright.base.errors import InputError
from spikewright.bench.compare.jobs import TrainingJob, jobs_of
from spikewright.bench.compare.rows import Variant, read_rows
from spikewright.bench.point import Point
from spikewright.distillation.methods import METHODS
from spikewright.training.settings import DistillSettings


def names(*words, regularize=(), further=()):
    return [str(row) for row in read_rows(words, regularize, further)]


def test_all_is_every_method_there_is():
    assert names("all") == list(METHODS)
    assert names("all + logits")[0] == "none + logits"


def test_blanks_part_rows_and_a_plus_between_them_joins():
    assert names("none kd:alpha=0.7,temperature=4", "kd + logits:weight=0.01 + activation tser") == [
        "none", "kd:alpha=0.7,temperature=4", "kd + logits:weight=0.01 + activation", "tser",
    ]  # fmt: skip
    assert read_rows(["kd + logits"], []) == [Variant("kd", ("logits",))]


def test_a_plus_within_a_word_belongs_to_it():
    with pytest.raises(InputError, match=r"compare: method kd: pairs: extra inputs are not permitted"):
        read_rows(["kd:pairs=stage1:lif1+stage3:lif3"], [])


def test_a_regularizer_takes_every_row_once_more():
    assert names("none kd", regularize=["activation", "logits:weight=0.01"]) == [
        "none", "kd", "none + activation", "kd + activation", "none + logits:weight=0.01", "kd + logits:weight=0.01",
    ]  # fmt: skip


def test_the_same_options_are_one_row_however_they_are_written():
    written_out = "kd:" + ",".join(f"{k}={v}" for k, v in METHODS["kd"]().model_dump().items())
    assert names("kd", written_out, "all", further=[Variant("tser")])[:2] == ["tser", "kd"]
    assert len(names("kd", written_out, "all")) == len(METHODS)
    assert Variant("kd").name.split("-")[-1] == Variant(written_out).name.split("-")[-1]


def test_other_options_are_another_folder():
    jobs = [
        TrainingJob(Variant("kd", regularize), Point("3uJ", 1))
        for regularize in ((), ("logits",), ("logits:weight=0.5",))
    ]
    folders = [job.folder(Path("out")) for job in jobs]
    assert len(set(folders)) == 3
    assert {folder.name for folder in folders} == {"3uJ-seed1"}


def test_every_fault_is_named():
    with pytest.raises(InputError) as refused:
        read_rows(["kdd kd + nothing", "+ logits", "kd +"], ["activation:height=2"])
    assert [line.split(";")[0] for line in str(refused.value).splitlines()] == [
        "compare: 6 faults",
        "  - methods=+ logits: a + stands between a method and a regularizer",
        "  - methods=kd +: a + stands between a method and a regularizer",
        "  - method 'kdd' is unknown",
        "  - regularizer 'nothing' is unknown",
        "  - method 'logits' is unknown",
        "  - regularizer activation: height: extra inputs are not permitted",
    ]


def test_no_method_at_all():
    with pytest.raises(InputError, match="compare: methods: names no method; give all, or"):
        read_rows([" "], [])


def test_a_seed_is_done_for_all_before_the_next_one():
    rows = [Variant("none"), Variant("kd")]
    assert [str(job) for job in jobs_of(rows, [None, "3uJ"], [4, 5])][:5] == [
        "none, no budget, seed 4", "kd, no budget, seed 4", "none, 3uJ, seed 4", "kd, 3uJ, seed 4",
        "none, no budget, seed 5",
    ]  # fmt: skip


def test_a_job_sets_what_is_its_own_and_nothing_else():
    common = DistillSettings.of(width=7, epochs=3)
    mine = TrainingJob(Variant("kd:alpha=0.5", ("logits",)), Point("3uJ", 2)).settings(common)
    own = {"method": "kd:alpha=0.5", "regularize": ["logits"], "energy_budget": "3uJ", "seed": 2}
    assert mine.flat() == common.flat() | own
