"""`spikewright compare` on real data: end to end, gone on with, killed, shared, and refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import snntorch
import torch
from torch import nn

import spikewright as sw
from spikewright.base.progress import Callback
from spikewright.commands.compare import main
from spikewright.distillation.soft_labels import LabelsOnly
from spikewright.teachers.hashes import weights_sha256
from spikewright.training.settings import DistillSettings
from spikewright.training.trainer import Trainer

pytest.importorskip("optuna")

FLAGS = [
    "--data", "digits", "--train-samples", "160", "--width", "4", "-T", "2", "--epochs", "2", "--teacher", "mlp",
    "--teacher-epochs", "1",
]  # fmt: skip
SMALL, TEACHER = sw.StudentSpec(width=4, timesteps=2), sw.TeacherSpec(name="mlp", teacher_epochs=1)
"""The same in Python."""
ROWS = ["--methods", "none kd", "--seeds", "2"]

INTERRUPTED = "interrupted; the same command again goes on with what is missing"


def ran(capsys, out, *more):
    code = main([*FLAGS, "-o", str(out), *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def trained(err):
    """The trainings that a run began, in order."""
    return [line.split(": ")[0] for line in err.splitlines() if line.endswith((" is missing", " are missing"))]


def numbers(value):
    """Of every training what does not depend on the time that it took."""
    found = {}
    for group in value["groups"]:
        for entry in group["entries"]:
            for training in entry["trainings"]:
                record = dict(training["record"])
                outcome = {k: v for k, v in record.pop("outcome").items() if k not in ("seconds", "host", "files")}
                kept = {k: v for k, v in record.items() if "seconds" not in k} | outcome
                found[group["budget"], entry["row"], training["seed"]] = kept
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with two methods, two seeds, free and within two budgets, one of them below the floor."""
    out = tmp_path_factory.mktemp("finished") / "made" / "here"
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr("spikewright.commands.console.say", said.append)
        assert main([*FLAGS, *ROWS, "--energy-budget", "60nJ", "--energy-budget", "1nJ", "-o", str(out)]) == 0
    return out, said


@pytest.fixture
def copied(finished, tmp_path):
    """A copy with its records and without its study, as an earlier version left a folder."""
    return Path(shutil.copytree(finished[0], tmp_path / "copied", ignore=shutil.ignore_patterns("study.db*")))


def test_from_teacher_to_table(finished):
    out, said = finished
    value = json.loads((out / "compare.json").read_text())
    assert [group["budget"] for group in value["groups"]] == [None, "60nJ", "1nJ"]
    free, held, infeasible = value["groups"]
    for group in (free, held):
        assert sorted(group["ranking"]) == ["kd", "none"]
        assert [entry["n"] for entry in group["entries"]] == [2, 2]
        means = [entry["accuracy"]["validation"]["mean"] for entry in group["entries"]]
        assert means == sorted(means, reverse=True)
    assert [entry["refusal"].split(" nJ: ")[0] for entry in infeasible["entries"]] == ["--energy-budget 1"] * 2
    assert [entry["trainings"] for entry in infeasible["entries"]] == [[], []]
    assert (value["seeds"], value["settings"]["epochs"], value["settings"]["train_samples"]) == ([0, 1], 2, 160)
    assert sum("not trained: none, kd: --energy-budget 1 nJ: is below the floor" in line for line in said) == 1
    assert (out / "compare.png").stat().st_size > 0 < (out / "compare.svg").stat().st_size
    assert "| no budget | 1 |" in (out / "compare.md").read_text()
    (teacher,) = value["teachers"]
    assert set(teacher["accuracy"]) == {"validation", "test"}


def test_a_record_is_what_report_and_the_student_say(finished, capsys):
    from spikewright.commands.report import main as report
    from spikewright.data.load import load
    from spikewright.student.accuracy import accuracy_of
    from spikewright.student.student import load_student, student_provenance

    out, _ = finished
    value, test = json.loads((out / "compare.json").read_text()), load("digits").test
    for (budget, row, seed), record in numbers(value).items():
        if seed != (row == "kd"):
            continue  # one seed of each is enough
        (file,) = (out / "trainings").glob(f"{row}-*/{budget or 'no-budget'}-seed{seed}/student.pt")
        student, facts = load_student(file), student_provenance(file)
        assert report([str(file.with_name("activity.json")), str(file.with_name("chip.h5")), "--json", "--out",
                       str(out / "report")]) == 0  # fmt: skip
        (priced,) = json.loads(capsys.readouterr().out)["reports"]
        assert (priced["energy"], priced["accuracy"]) == (record["energy"]["test"], record["accuracy"]["test"])
        assert (priced["synaptic_ops"], priced["by_part"]) == (record["synaptic_ops"]["test"], record["energy_by_part"])
        assert record["accuracy_by_step"] == [accuracy_of(student.at(t), test, seed) for t in (1, 2)]
        assert record["accuracy_by_step"][-1] == priced["accuracy"]
        assert record["certificate"]["energy"] == record["energy"]["validation"]
        assert record["epochs"] == len(facts["history"]) >= 2
        assert record["teacher_sha256"] == (None if row == "none" else value["teachers"][0]["sha256"])
        assert (facts["settings"]["method"], facts["settings"]["energy_budget"]) == (row, budget)


def test_spikes_are_told_by_part(finished):
    out, _ = finished
    value = json.loads((out / "compare.json").read_text())
    for group in value["groups"][:2]:
        for entry in group["entries"]:
            for training in entry["trainings"]:
                record = training["record"]
                assert sum(record["spikes"].values()) == pytest.approx(record["outcome"]["spikes"]["test"])
                assert record["spikes"]["readout"] == 0 < record["spikes"]["hidden"]


def test_the_same_again_trains_nothing_and_says_the_same(finished, copied, capsys):
    code, text, err = ran(
        capsys, copied, *ROWS, "--energy-budget", "60nJ", "--energy-budget", "1nJ", "--json"
    )  # fmt: skip
    assert (code, trained(err)) == (0, [])
    assert json.loads(text) == json.loads((finished[0] / "compare.json").read_text())


def test_rows_seeds_and_budgets_are_added_and_one_is_lost(copied, capsys):
    (lost,) = copied.glob("trainings/kd-*/no-budget-seed1")
    shutil.rmtree(lost)
    code, _, err = ran(capsys, copied, "--methods", "none kd", "--methods", "kd + activation", "--seeds", "2")
    assert (code, trained(err)) == (
        0,
        ["kd + activation, no budget, seed 0", "kd, no budget, seed 1", "kd + activation, no budget, seed 1"],
    )


def test_the_table_of_what_is_there(copied, capsys):
    (lost,) = copied.glob("trainings/kd-*/no-budget-seed1/record.json")
    lost.unlink()
    code, text, err = ran(capsys, copied, *ROWS, "--table")
    assert (code, trained(err)) == (0, [])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert sorted(line.split()[1:3] for line in lines if line[:2] in ("1 ", "2 ")) == [["kd", "1"], ["none", "2"]]
    assert "- missing: 1 of 4 trainings; the next is kd, no budget, seed 1" in lines


def test_a_student_that_was_trained_when_the_worker_died_is_measured_alone(finished, copied, capsys):
    (lost,) = copied.glob("trainings/kd-*/no-budget-seed1/record.json")
    before = json.loads(lost.read_text())
    lost.unlink()
    code, _, err = ran(capsys, copied, *ROWS)
    assert (code, trained(err)) == (0, ["kd, no budget, seed 1"])
    assert "student.pt: is trained already" in err
    after = json.loads(lost.read_text())
    assert [r["outcome"].pop("seconds") > 0 for r in (before, after)] == [True, True]
    assert after == before


def test_interrupted_within_a_training_it_goes_on_from_the_checkpoint(finished, tmp_path, capsys, monkeypatch):
    """And ends in the numbers of one that ran through."""
    original, epochs = Trainer.run_epoch, []

    def stops(self, *given):
        epochs.append(given)
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return original(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", stops)
        code, out, err = ran(capsys, tmp_path, *ROWS)
        assert (code, out, err.splitlines()[-1]) == (130, "", INTERRUPTED)
    code, text, err = ran(capsys, tmp_path, *ROWS, "--json")
    assert (code, trained(err)[0]) == (0, "kd, no budget, seed 0")
    assert "resumed after epoch 1" in err
    whole = numbers(json.loads((finished[0] / "compare.json").read_text()))
    assert numbers(json.loads(text)) == {key: kept for key, kept in whole.items() if key[0] is None}


def test_a_method_that_the_data_do_not_have_is_listed_and_the_others_are_trained(copied, capsys, monkeypatch):
    from spikewright.distillation.methods import METHODS

    class FromTwins(LabelsOnly):
        needs = frozenset({"static twins"})

    monkeypatch.setitem(METHODS, "from-twins", FromTwins)
    code, text, err = ran(capsys, copied, "--methods", "from-twins none", "--seeds", "2", "--json")
    assert (code, trained(err)) == (0, [])
    (group,) = json.loads(text)["groups"]
    assert [(entry["row"], entry["rank"]) for entry in group["entries"]] == [("none", 1), ("from-twins", None)]
    why = "--method from-twins: learns from the images that events were made from, and digits has none"
    assert group["entries"][1]["refusal"].startswith(why)
    assert f"not trained: from-twins: {why}" in err
    code, out, err = ran(capsys, copied, "--methods", "from-twins")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: compare: nothing of it can be trained: {why}")


def test_a_failed_training_is_exit_code_1_after_everything_is_written(copied, capsys, monkeypatch):
    from spikewright.base.errors import InputError
    from spikewright.bench.compare import compare as verb

    (lost,) = copied.glob("trainings/kd-*/no-budget-seed1/record.json")
    lost.unlink()

    def fails(job, settings, out, listeners):
        raise InputError("the loss is no longer finite")

    with monkeypatch.context() as patch:
        patch.setattr(verb, "work", fails)
        code, text, err = ran(capsys, copied, *ROWS, "--json")
    assert code == 1
    assert err.splitlines()[-1] == (
        "error: compare: kd, no budget, seed 1: the loss is no longer finite; run it again to try once more"
    )
    states = [t["state"] for g in json.loads(text)["groups"] for e in g["entries"] for t in e["trainings"]]
    assert sorted(states) == ["done", "done", "done", "failed"]
    assert ran(capsys, copied, *ROWS)[0] == 0


def test_other_settings_never_mix_with_what_is_there(copied, capsys):
    code, _, err = ran(capsys, copied, *ROWS, "--beta", "0.25", "--seed", "5", "--train-samples", "128")
    assert code == 2
    lines = err.splitlines()
    assert lines[0].endswith("holds a comparison with other settings; give the same ones, or another folder: 3 faults")
    assert lines[1] == "  - beta is 0.5 there and 0.25 here"
    assert lines[2] == "  - train_samples is 160 there and 128 here"
    assert lines[3].startswith("  - train_split_sha256 is ")


def test_a_preset_brings_a_row_and_a_budget(copied, capsys, tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text('method = "kd:alpha=0.5"\nregularize = ["activation"]\nenergy_budget = "60nJ"\n')
    code, text, err = ran(capsys, copied, "--preset", str(preset), *ROWS, "--no-free", "--table", "--json")
    assert code == 0, err
    value = json.loads(text)
    assert [row["row"] for row in value["rows"]] == ["kd:alpha=0.5 + activation", "none", "kd"]
    assert [group["budget"] for group in value["groups"]] == ["60nJ"]


class Said(Callback):
    """Keeps what it hears."""

    def __init__(self):
        self.texts = []

    def on_message(self, text, kind):
        self.texts.append(text)


def test_from_python(copied, capsys):
    """The library prints nothing; callbacks hear it."""
    said = Said()
    result = sw.compare(
        sw.DataSettings(train_samples=160), TEACHER, student=SMALL, methods=["none", sw.methods.ConventionalKD()],
        budgets=["60nJ"], seeds=2, training=sw.Training(epochs=2), out=copied, train_missing=False, callbacks=[said],
    )  # fmt: skip
    assert [text.split()[0] for text in said.texts] == ["wrote"]
    assert capsys.readouterr() == ("", "")
    assert [group.title for group in result.groups] == ["no budget", "within 60nJ"]
    assert result.groups[0].best.accuracy("test").deviation is not None
    assert result.missing == []


def test_settings_in_place_of_values_warn_and_compare_the_same(copied):
    settings = DistillSettings.of(
        train_samples=160, width=4, timesteps=2, epochs=2, teacher="mlp", teacher_epochs=1
    )  # fmt: skip
    told = "the argument settings of compare is deprecated and will be removed in 0.3; use data, teacher, student"
    with pytest.warns(DeprecationWarning, match=told) as warned:
        old = sw.compare(settings, ["none", "kd"], 2, ["60nJ"], copied, train_missing=False)
    assert warned[0].filename == __file__
    new = sw.compare(
        sw.DataSettings(train_samples=160), TEACHER, student=SMALL, methods="none kd", budgets=["60nJ"], seeds=2,
        training=sw.Training(epochs=2), out=copied, train_missing=False,
    )  # fmt: skip
    assert old.as_json() == new.as_json()


class Halved(LabelsOnly):
    """A method of somebody's own, which is in no table."""

    weight: float = 0.5


def test_networks_and_methods_of_your_own_are_compared(tmp_path):
    """Also a method that no text describes; the caller's networks stay as they were, and others are refused."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    snn = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 12),
        snntorch.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False),
        nn.Linear(12, 10),
        snntorch.Leaky(beta=1.0, init_hidden=True, reset_mechanism="none", reset_delay=False),
    )
    before = weights_sha256(snn)

    def compared(teacher, methods, regularize=()):
        return sw.compare(
            sw.DataSettings(train_samples=64), teacher, student=snn, methods=methods, regularize=regularize, seeds=1,
            within=sw.Budget(profile="loihi1-davies"), training=sw.Training(epochs=1), out=tmp_path,
        )  # fmt: skip

    methods = [Halved(weight=0.25), sw.methods.LabelsOnly(), sw.methods.ConventionalKD(alpha=0.5)]
    result = compared(ann, methods, sw.methods.LogitsRegularization(weight=0.1))
    rows = ["Halved:weight=0.25", "none", "kd:alpha=0.5"]
    assert [str(row) for row in result.rows] == [*rows, *(f"{row} + logits:weight=0.1" for row in rows)]
    assert (str(result.baseline), result.missing, result.failures) == ("none", [], [])
    assert result.profile.name == "loihi1-davies"
    assert [facts.sha256 for facts in result.teachers] == [weights_sha256(ann)]
    assert weights_sha256(snn) == before
    by_row = {str(entry.row): entry.records[0] for entry in result.groups[0].entries}
    assert by_row["Halved:weight=0.25"].teacher_sha256 is None
    assert by_row["kd:alpha=0.5"].teacher_sha256 == weights_sha256(ann)
    assert compared(ann, "none").as_json()["groups"][0]["ranking"] == ["none"]
    with torch.no_grad():
        ann[1].weight.add_(1)
    with pytest.raises(sw.InputError, match=r"holds a comparison with other settings; .*: teacher_sha256 is "):
        compared(ann, "none")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda out: sw.compare("digit", out=out), "digit: there is no such data set"),
        (lambda out: sw.compare(methods=[3], out=out), "compare: method 3: may be an object, such as LabelsOnly()"),
        (lambda out: sw.compare(methods="kdd", out=out), "compare: method 'kdd' is unknown; did you mean 'kd'?"),
        (lambda out: sw.compare(methods=(), out=out), "compare: methods: names no method"),
        (lambda out: sw.compare(regularize="kd", out=out), "compare: regularizer 'kd' is unknown"),
        (lambda out: sw.compare(budgets=[2], out=out), "compare: budgets 2: say the unit"),
        (lambda out: sw.compare(training=3, out=out), "training: is 3; may be Training(...)"),
    ],
)
def test_everything_wrong_from_python_is_an_input_error(tmp_path, wrong, message):
    with pytest.raises(sw.InputError) as caught:
        wrong(tmp_path)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--methods", "kdd"], "error: compare: method 'kdd' is unknown; did you mean 'kd'? may be: "),
        (
            ["--energy-budget", "2", "--energy-budget", "1kops"],
            "error: compare: 2 faults\n"
            "  - --energy-budget 2: say the unit, e.g. 2uJ, 350nJ or 40kops\n"
            "  - --energy-budget 1kops: profile 'loihi2-assumed' counts in joules; give e.g. 2uJ or 350nJ\n",
        ),
        (
            ["--no-free"],
            "error: compare: without free students and without budgets there is nothing to compare; give "
            "--energy-budget\n",
        ),
        (["--train-samples", "5000"], "error: --train-samples 5000: digits has 1079 to train on; ask for no more"),
        (
            ["--methods", "strong2weak", "-T", "1"],
            "error: compare: nothing of it can be trained: --method strong2weak: compares time steps, and the "
            "student has T = 1, which leaves labels alone; ask for --timesteps 2 or more\n",
        ),
        (["--integer-from", "1", "--weight-bits", "4"], "error: distill: --weight-bits 4: is for training on integers"),
    ],
)
def test_refused_before_any_work(tmp_path, capsys, flags, message):
    code, out, err = ran(capsys, tmp_path / "out", *flags)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert not (tmp_path / "out").exists()


def worker(out, log, *more):
    words = [sys.executable, "-m", "spikewright", "compare", *FLAGS, *more, "-o", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as file:
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=file, env=environment)


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path):
    out, logs = tmp_path / "out", [tmp_path / "a.log", tmp_path / "b.log"]
    workers = [worker(out, log, "--methods", "none kd tser", "--seeds", "2") for log in logs]
    assert [each.wait(500) for each in workers] == [0, 0], "\n".join(log.read_text() for log in logs)
    begun = [name for log in logs for name in trained(log.read_text())]
    assert sorted(begun) == sorted(
        f"{row}, no budget, seed {seed}" for row in ("none", "kd", "tser") for seed in (0, 1)
    )
    value = json.loads((out / "compare.json").read_text())
    assert {entry["n"] for entry in value["groups"][0]["entries"]} == {2}


@pytest.mark.slow
def test_a_worker_that_is_killed_in_mid_training_is_taken_up_from_its_checkpoint(tmp_path, capsys):
    rows = ["--methods", "none", "--seeds", "1", "--epochs", "20"]
    out, log = tmp_path / "out", tmp_path / "log"
    first = worker(out, log, *rows)
    try:
        deadline = time.monotonic() + 300
        while not list(out.glob("trainings/*/*/student.pt.checkpoint")) and time.monotonic() < deadline:
            assert first.poll() is None, log.read_text()
            time.sleep(0.02)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(30)
    code, text, err = ran(capsys, out, *rows, "--json")
    assert code == 0
    assert "resumed after epoch" in err
    whole = json.loads(ran(capsys, tmp_path / "unbroken", *rows, "--json")[1])
    assert numbers(json.loads(text)) == numbers(whole)


def test_shares_of_the_labels_are_added_to_a_folder(tmp_path, capsys):
    """What was trained on all labels is not trained again; samples that have lost theirs make further rows."""
    out, one = tmp_path / "shares", ["--methods", "none kd", "--seeds", "1", "--epochs", "1"]
    assert ran(capsys, out, *one)[0] == 0
    before = {file: file.stat().st_mtime_ns for file in out.glob("trainings/*/*/record.json")}
    assert len(before) == 2
    shares = ["--label-fractions", "0.2,1", "--unlabelled", "rest"]
    code, said, err = ran(capsys, out, *one, *shares)
    assert code == 0, err
    assert trained(err) == [f"{row}, no budget, seed 0, 20 % of labels" for row in ("none", "kd", "kd with unlabelled")]
    assert before == {file: file.stat().st_mtime_ns for file in before}
    assert "not trained: kd with unlabelled: with 100 % of the labels (160), no sample is left without" in " ".join(
        said.split()
    )
    lines = (out / "compare-labels.csv").read_text().splitlines()
    found = [line.split(",")[1:6] for line in lines[1:]]
    labelled = int(found[0][1])
    assert found == [
        ["0.2", str(labelled), "0", "none", "1"],
        ["0.2", str(labelled), "0", "kd", "1"],
        ["0.2", str(labelled), str(160 - labelled), "kd with unlabelled", "1"],
        ["1.0", "160", "0", "none", "1"],
        ["1.0", "160", "0", "kd", "1"],
    ]
    assert (out / "compare-labels.svg").is_file() and (out / "compare-labels.png").is_file()
    assert ran(capsys, out, *one, *shares, "--json")[0] == 0
    (record,) = out.glob("trainings/kd-with-unlabelled-*/no-budget-seed0-labels0.2/record.json")
    noted = json.loads(record.read_text())
    assert noted["samples"] == {"labelled": labelled, "unlabelled": 160 - labelled}
    assert noted["outcome"]["certificate"]["learnt_from"] == noted["samples"]


def test_what_holds_a_limit_is_of_the_budgets_that_are_given_apart(tmp_path, capsys):
    held = ["--methods", "ht-kd kd", "--seeds", "1", "--no-free", "--hold", "price+temperature", "--reserve", "0.1"]
    code, printed, said = ran(capsys, tmp_path / "held", *held, "--energy-budget", "60nJ")
    assert code == 0 and trained(said) == ["ht-kd, 60nJ, seed 0"]
    assert "has no temperature of the teacher alone; methods that have one: ht-kd" in " ".join(printed.split())
    assert next((tmp_path / "held").glob("trainings/*/*/student.pt")).is_file()
    code, _, said = ran(capsys, tmp_path / "free", "--methods", "ht-kd", "--hold", "temperature")
    assert code == 2 and "--hold temperature: is how a limit is held, and there is no limit" in said
