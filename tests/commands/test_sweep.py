"""`spikewright sweep` on real data: end to end, killed, shared, and refused."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import snntorch
import torch
from torch import nn

import spikewright as sw
from spikewright.base.progress import SILENT
from spikewright.bench import road
from spikewright.bench.sweep import sweep as verb
from spikewright.commands.sweep import main
from spikewright.data.load import load
from spikewright.teachers.hashes import weights_sha256
from spikewright.training.settings import DistillSettings

pytest.importorskip("optuna")
FLAGS = ["--data", "digits", "--width", "4", "-T", "2", "--teacher", "mlp", "--teacher-epochs", "2"]
QUICK = [*FLAGS, "--epochs", "1"]

INTERRUPTED = "interrupted; the same command again goes on with what is missing"


def ran(capsys, out, *more):
    code = main([*QUICK, "-o", str(out), *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def states(value):
    return {(p["budget"], p["seed"]): p["state"] for row in value["rows"] for p in row["points"]}


@pytest.fixture
def trainings(monkeypatch):
    """The budgets that are trained, in order; ``stop`` holds those in which the worker is interrupted."""
    real, seen = road.distill_to, []

    def watched(settings, out, resume=False, listeners=SILENT):
        seen.append(settings.limits.energy_budget)
        if settings.limits.energy_budget in watched.stop:
            raise KeyboardInterrupt
        return real(settings, out, resume, listeners)

    watched.stop, watched.seen = set(), seen
    monkeypatch.setattr(road, "distill_to", watched)
    return watched


def test_two_budgets_from_teacher_to_table(tmp_path, capsys):
    out = tmp_path / "made" / "here"
    code, text, err = ran(capsys, out, "--budgets", "60nJ,150nJ,10nJ", "--json")
    value = json.loads(text)
    assert code == 0, err
    assert value == json.loads((out / "sweep.json").read_text())
    assert [row["budget"] for row in value["rows"]] == [None, "150nJ", "60nJ", "10nJ"]
    assert states(value) == {(None, 0): "done", ("150nJ", 0): "done", ("60nJ", 0): "done", ("10nJ", 0): "infeasible"}
    infeasible = value["rows"][3]["points"][0]
    assert "is below the floor of" in infeasible["sentence"]
    assert "infeasible: --energy-budget 10 nJ: is below the floor of" in err
    for row in value["rows"][:3]:
        outcome = row["points"][0]["outcome"]
        assert (outcome["width"], outcome["timesteps"], outcome["encoding"]) == (4, 2, "direct")
        assert outcome["samples"] == {"validation": 359, "test": 359}
        assert {name for name, path in outcome["files"].items() if (out / path).stat().st_size > 0} == {
            "student", "nir", "chip", "activity_validation", "activity_test",
        }  # fmt: skip
    assert (out / "pareto.png").stat().st_size > 0 < (out / "pareto.svg").stat().st_size
    assert "| 60nJ | width 4, T 2, direct |" in (out / "sweep.md").read_text()


def test_from_python(tmp_path, capsys):
    """The values of ``distill``, and the settings that came before them, are the same sweep."""
    made = sw.sweep(
        "digits", sw.TeacherSpec(name="mlp", teacher_epochs=2), student=sw.StudentSpec(width=4, timesteps=2),
        method=sw.methods.ConventionalKD(), budgets=["150nJ"], training=sw.Training(epochs=1), out=tmp_path,
    )  # fmt: skip
    assert capsys.readouterr() == ("", "")
    assert [(row.budget, row.results[0].state) for row in made.rows] == [(None, "done"), ("150nJ", "done")]
    settings = DistillSettings.of(width=4, timesteps=2, teacher="mlp", teacher_epochs=2, epochs=1)
    told = "the argument settings of sweep is deprecated and will be removed in 0.3; use data, teacher, student"
    with pytest.warns(DeprecationWarning, match=told) as warned:
        old = sw.sweep(settings, ["150nJ"], 1, tmp_path)
    assert warned[0].filename == __file__
    assert old.as_json() == made.as_json()


def test_networks_of_your_own_are_swept(tmp_path):
    """Budgets are chosen above the floor of the given student, which stays as it was; others are refused."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    snn = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 48),
        snntorch.Leaky(beta=0.5, threshold=0.1, init_hidden=True, reset_mechanism="zero", reset_delay=False),
        nn.Linear(48, 48),
        snntorch.Leaky(beta=0.5, threshold=0.1, init_hidden=True, reset_mechanism="zero", reset_delay=False),
        nn.Linear(48, 10),
        snntorch.Leaky(beta=1.0, init_hidden=True, reset_mechanism="none", reset_delay=False),
    )
    before = weights_sha256(snn)

    def swept(data):
        return sw.sweep(
            data, ann, student=snn, points=1, within=sw.Budget(profile="loihi1-davies"),
            training=sw.Training(epochs=1), out=tmp_path,
        )  # fmt: skip

    made = swept(load("digits").with_train_samples(64))
    assert [row.results[0].state for row in made.rows] == ["done", "done"]
    free = made.rows[0].outcomes[0]
    assert made.rows[1].limit == pytest.approx(1.25 * free.floor, rel=0.01)
    assert weights_sha256(snn) == before
    assert swept(load("digits").with_train_samples(64)).as_json() == made.as_json()
    with pytest.raises(sw.InputError, match=r"holds a sweep with other settings; .*: train_split_sha256 is "):
        swept(load("digits").with_train_samples(65))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda out: sw.sweep("digit", points=1, out=out), "digit: there is no such data set"),
        (lambda out: sw.sweep(method=3, points=1, out=out), "method 3: may be an object, such as LabelsOnly()"),
        (lambda out: sw.sweep(budgets=[2], out=out), "sweep: budgets 2: say the unit"),
        (lambda out: sw.sweep(out=out), "sweep: give budgets, such as 8uJ,4uJ,2uJ, or points, such as 5"),
        (lambda out: sw.sweep(budgets=["2uJ"], within="3uJ", out=out), "energy_budget is '3uJ': a sweep sets its own"),
    ],
)
def test_everything_wrong_from_python_is_an_input_error(tmp_path, wrong, message):
    with pytest.raises(sw.InputError) as caught:
        wrong(tmp_path)
    assert message in str(caught.value)


def test_energy_is_what_report_says(tmp_path, capsys):
    from spikewright.commands.report import main as report

    assert ran(capsys, tmp_path, "--budgets", "150nJ")[0] == 0
    value = json.loads((tmp_path / "sweep.json").read_text())
    outcome = value["rows"][1]["points"][0]["outcome"]
    for split in ("validation", "test"):
        files = [str(tmp_path / outcome["files"][name]) for name in (f"activity_{split}", "chip")]
        assert report([*files, "--out", str(tmp_path / "report"), "--json"]) == 0
        (priced,) = json.loads(capsys.readouterr().out)["reports"]
        assert priced["energy"] == outcome["energy"][split]
        assert (priced["accuracy"], priced["split"]) == (outcome["accuracy"][split], split)
        assert priced["synaptic_ops"] == outcome["synaptic_ops"][split]


def test_an_interrupt_in_the_second_point_leaves_the_first_as_it_is(tmp_path, capsys, trainings):
    flags = ["--budgets", "150nJ,60nJ"]
    trainings.stop.add("150nJ")
    code, out, err = ran(capsys, tmp_path, *flags)
    assert (code, out, err.splitlines()[-1]) == (130, "", INTERRUPTED)
    first = (tmp_path / "points" / "no-budget-seed0" / "student.pt").stat()
    trainings.stop.clear()
    code, out, err = ran(capsys, tmp_path, *flags)
    assert (code, trainings.seen) == (0, [None, "150nJ", "150nJ", "60nJ"]), err
    assert (tmp_path / "points" / "no-budget-seed0" / "student.pt").stat() == first
    assert "150nJ" in out


def test_a_student_that_was_trained_when_the_worker_died_is_not_trained_again(tmp_path, capsys, trainings, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(road, "export", dies)
        assert ran(capsys, tmp_path, "--budgets", "150nJ")[0] == 130
    code, _, err = ran(capsys, tmp_path, "--budgets", "150nJ")
    assert (code, trainings.seen) == (0, [None, "150nJ"])
    assert "student.pt: is trained already" in err


def test_budgets_can_be_chosen(tmp_path, capsys):
    code, text, err = ran(capsys, tmp_path, "--points", "2", "--json")
    value = json.loads(text)
    assert code == 0, err
    free, *limits = (row["limit"] for row in value["rows"])
    spent = value["rows"][0]["energy"]["validation"]["mean"]
    floor = value["rows"][0]["points"][0]["outcome"]["floor"]
    assert free is None
    assert limits[1] == pytest.approx(1.25 * floor, rel=0.03)
    assert limits[0] == pytest.approx((limits[1] * spent) ** 0.5, rel=0.01)
    assert len(limits) == 2


def worker(out, log, *more):
    words = [sys.executable, "-m", "spikewright", "sweep", *more, "-o", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as file:
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=file, env=environment)


@pytest.mark.slow
def test_two_workers_share_a_study(tmp_path):
    out, logs = tmp_path / "out", [tmp_path / "a.log", tmp_path / "b.log"]
    workers = [worker(out, log, *QUICK, "--budgets", "150nJ,60nJ", "--seeds", "2") for log in logs]
    assert [each.wait(300) for each in workers] == [0, 0], "\n".join(log.read_text() for log in logs)
    began = [line for log in logs for line in log.read_text().splitlines() if line.endswith("missing")]
    names = sorted(line.split(":")[0] for line in began)
    assert names == sorted(f"{budget}, seed {seed}" for budget in ("no budget", "150nJ", "60nJ") for seed in (0, 1))
    value = json.loads((out / "sweep.json").read_text())
    assert set(states(value).values()) == {"done"}


@pytest.mark.slow
def test_a_worker_that_is_killed_in_mid_training_is_taken_up_from_its_checkpoint(tmp_path, capsys):
    """And ends in the same numbers as one that ran through."""
    flags = [*FLAGS, "--epochs", "12", "--budgets", "150nJ"]
    out, log = tmp_path / "out", tmp_path / "log"
    first = worker(out, log, *flags)
    checkpoint = out / "points" / "150nJ-seed0" / "student.pt.checkpoint"
    try:
        deadline = time.monotonic() + 200
        while not checkpoint.is_file() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.02)
        assert checkpoint.is_file(), log.read_text()
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(30)
    assert main([*flags, "-o", str(out), "--json"]) == 0
    resumed = capsys.readouterr()
    assert "taking up what a worker left: 150nJ, seed 0" in resumed.err
    assert "resumed after epoch" in resumed.err
    assert main([*flags, "-o", str(tmp_path / "unbroken"), "--json"]) == 0
    unbroken = json.loads(capsys.readouterr().out)
    for name in ("energy", "accuracy"):
        assert [row[name] for row in json.loads(resumed.out)["rows"]] == [row[name] for row in unbroken["rows"]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--budgets", "2uJ,4,1kops,3Parsec"],
            "error: sweep: 3 faults\n"
            "  - --budgets 4: say the unit, e.g. 2uJ, 350nJ or 40kops\n"
            "  - --budgets 1kops: profile 'loihi2-assumed' counts in joules; give e.g. 2uJ or 350nJ\n"
            "  - --budgets 3Parsec: unknown unit 'Parsec'; may be: ",
        ),
        (["--budgets", " , "], "error: sweep: --budgets: names no budget; give e.g. 8uJ,4uJ,2uJ"),
        ([], "error: sweep: give --budgets, such as 8uJ,4uJ,2uJ, or --points, such as 5"),
        (
            ["--budgets", "2", "--points", "3"],
            "error: sweep: 2 faults\n"
            "  - --budgets 2: say the unit, e.g. 2uJ, 350nJ or 40kops\n"
            "  - --points 3: chooses the budgets, and --budgets gives them; leave one out",
        ),
        (
            ["--budgets", "2uJ", "--profile", "loihi2"],
            "error: sweep: --budgets 2uJ: profile 'loihi2' has no joules, since none are published for it; give its "
            "relative unit, e.g. 40kops, or choose a profile with joules",
        ),
        (
            ["--budgets", "2uJ", "--study", "nonsense"],
            "error: --study: is not the URL of a database; give one such as sqlite:///",
        ),
    ],
)
def test_refused_before_any_work(tmp_path, capsys, flags, message):
    code, out, err = ran(capsys, tmp_path / "out", *flags)
    assert (code, out) == (2, "")
    assert err.startswith(message)


def test_an_energy_budget_in_a_preset_is_refused(tmp_path, capsys):
    preset = tmp_path / "mine.toml"
    preset.write_text('energy_budget = "3uJ"\n')
    code, _, err = ran(capsys, tmp_path / "out", "--preset", str(preset), "--budgets", "2uJ")
    assert (code, err) == (2, "error: sweep: energy_budget is '3uJ': a sweep sets its own; leave it out\n")


def test_a_folder_holds_one_sweep(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(verb, "_complete", lambda *_: None)
    assert ran(capsys, tmp_path, "--budgets", "150nJ")[0] == 0
    code, _, err = ran(capsys, tmp_path, "--budgets", "150nJ", "--neuron", "cubalif", "--beta", "0.25", "--seed", "5")
    assert code == 2
    assert err == (
        f"error: --out {tmp_path}: holds a sweep with other settings; give the same ones, or another folder: 2 faults\n"
        "  - beta is 0.5 there and 0.25 here\n"
        "  - neuron is 'lif' there and 'cubalif' here\n"
    )


def test_without_optuna_it_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = ran(capsys, tmp_path, "--budgets", "150nJ")
    assert code == 2
    assert err.startswith("error: sweep: needs Optuna, which cannot be imported (")
    assert err.endswith("install it: pip install 'spikewright[sweep]'\n")


def test_a_failed_point_is_exit_code_1_after_everything_is_written(tmp_path, capsys, monkeypatch):
    from spikewright.base.errors import InputError

    real = verb.work

    def fails(point, settings, out, listeners):
        if point.budget == "150nJ":
            raise InputError("the loss is no longer finite")
        return real(point, settings, out, listeners)

    monkeypatch.setattr(verb, "work", fails)
    code, out, err = ran(capsys, tmp_path, "--budgets", "150nJ,60nJ", "--json")
    assert code == 1
    assert states(json.loads(out)) == {(None, 0): "done", ("150nJ", 0): "failed", ("60nJ", 0): "done"}
    last = err.splitlines()[-1]
    assert last == "error: sweep: 150nJ, seed 0: the loss is no longer finite; run it again to try once more"
