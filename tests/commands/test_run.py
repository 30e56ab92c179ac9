"""`spikewright run` end to end on real data, and what it says when the answer is no."""

import json
import re

import pytest

from spikewright.commands.run import main
from spikewright.teachers.ann import train_teacher

FLAGS = ["--data", "digits", "--width", "4", "-T", "2", "--epochs", "3"]
QUICK_TEACHER = ["--teacher", "mlp", "--teacher-epochs", "2"]


def ran(capsys, out, *more):
    teacher = [] if "--teacher" in more else QUICK_TEACHER
    code = main([*FLAGS, *teacher, "-o", str(out), "--json", *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.lava
def test_from_teacher_to_verdict(tmp_path, capsys):
    pytest.importorskip("lava")
    code, out, _ = ran(capsys, tmp_path / "made" / "here", "--samples-lava", "3", "--energy-budget", "150nJ")
    verdict = json.loads(out)
    assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": 0}
    assert verdict["samples"] == {
        **dict.fromkeys(("teacher", "student", "float", "integer"), 359), **dict.fromkeys(("lava", "netx"), 3),
    }  # fmt: skip
    assert set(verdict["accuracy"]) == set(verdict["samples"])
    assert verdict["accuracy"]["student"] == verdict["accuracy"]["integer"]
    assert 0.2 < verdict["accuracy"]["integer"] <= 1
    assert verdict["budget_j"] == pytest.approx(150e-9)
    assert verdict["within_budget"] == (verdict["energy_j"] <= verdict["budget_j"])
    assert code == (0 if verdict["within_budget"] else 1)
    assert (verdict["profile"], verdict["timesteps"]) == ("loihi2-assumed", 2)
    assert verdict["spikes"] > 0 < verdict["synaptic_ops"]
    report = json.loads((tmp_path / "made" / "here" / "report.json").read_text())
    assert report["reports"][0]["energy"] == pytest.approx(verdict["energy_j"])
    for path in verdict["artefacts"].values():
        assert (tmp_path / "made" / "here" / path.rsplit("/", 1)[1]).stat().st_size > 0
    assert set(verdict["artefacts"]) == {"student", "nir", "chip", "activity", "agreement", "report", "card"}
    card = (tmp_path / "made" / "here" / "student.md").read_text()
    assert f"| accuracy, integer chip network | {verdict['accuracy']['integer']:.2%} | 359 test samples |" in card
    assert f"| accuracy, Lava's processes | {verdict['accuracy']['lava']:.2%} | 3 test samples |" in card
    assert "student and integer bit for bit on 359 samples; integer and lava bit for bit on 3 samples; " in card
    assert "integer and netx bit for bit on 3 samples." in card
    assert re.search(r"\| teacher \| mlp on digits, \d+\.\d\d% on validation, ", card)


def test_over_budget_is_exit_code_1_after_everything_is_written(tmp_path, capsys):
    """In one epoch the controller cannot bring the energy down to just above the floor."""
    flags = ["--epochs", "1", "--samples-lava", "0", "--energy-budget", "42nJ"]
    code, out, err = ran(capsys, tmp_path, *flags)
    verdict = json.loads(out)
    assert code == 1
    assert verdict["within_budget"] is False
    assert verdict["accuracy"]["lava"] is None
    assert verdict["skipped"] == {"lava": "--samples-lava is 0", "netx": "--samples-lava is 0"}
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: run: over budget: at least ")
    assert last.endswith("of 42 nJ")
    assert (tmp_path / "report.html").stat().st_size > 0


def test_loihi1_takes_current_input(tmp_path, capsys):
    code, out, err = ran(capsys, tmp_path, "--profile", "loihi1-davies", "--samples-lava", "0", "--epochs", "1")
    assert code == 0
    assert json.loads(out)["energy_j"] > 0
    assert "current input" in err


def test_relative_units_have_no_joules(tmp_path, capsys):
    code, out, _ = ran(capsys, tmp_path, "--profile", "loihi2", "--samples-lava", "0", "--epochs", "1")
    verdict = json.loads(out)
    assert code == 0
    assert verdict["energy_j"] is None
    assert verdict["energy_ops"] > 0


def test_direct_input_on_a_chip_without_graded_spikes(tmp_path, capsys):
    code, out, err = ran(capsys, tmp_path, "--profile", "loihi1-davies", "--encoding", "direct")
    last = err.strip().splitlines()[-1]
    assert (code, json.loads(out)) == (2, {"error": last.removeprefix("error: "), "exit_code": 2})
    assert "graded" in last
    assert "--encoding current" in last


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--energy-budget", "2"], "error: --energy-budget 2: say the unit, e.g. 2uJ, 350nJ or 40kops"),
        (
            ["--energy-budget", "2uJ", "--profile", "loihi2"],
            "error: --energy-budget 2uJ: profile 'loihi2' has no joules, since none are published for it; give its "
            "relative unit, e.g. 40kops, or choose a profile with joules",
        ),
    ],
)
def test_refused_before_any_work(tmp_path, capsys, flags, message):
    code, out, err = ran(capsys, tmp_path, *flags)
    assert (code, json.loads(out)) == (2, {"error": message.removeprefix("error: "), "exit_code": 2})
    assert err.strip().splitlines()[-1] == message


def test_an_onnx_teacher_serves(tmp_path, capsys):
    import warnings

    import torch

    from spikewright.data.load import load

    teacher = train_teacher(load("digits"), "mlp", epochs=2)
    path = tmp_path / "teacher.onnx"
    arguments = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(teacher._network, torch.zeros(1, 1, 8, 8), path, **arguments)
    code, out, err = ran(capsys, tmp_path / "out", "--teacher", str(path), "--samples-lava", "0")
    assert code == 0, err
    assert json.loads(out)["accuracy"]["student"] > 0.2


@pytest.mark.lava
@pytest.mark.parametrize("reset", ["subtract", "subtract-late"])
def test_reset_by_subtraction_to_lava(reset, tmp_path, capsys):
    pytest.importorskip("lava")
    code, out, _ = ran(capsys, tmp_path, "--reset", reset, "--samples-lava", "2", "--epochs", "2")
    verdict = json.loads(out)
    assert code == 0
    assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": None}
    assert "lava-dl's neurons are reset to zero" in verdict["skipped"]["netx"]
    assert verdict["spikes"] > 0
    report = (tmp_path / "report.md").read_text()
    assert "a spike takes the threshold off" in report
    assert "| reset | by subtraction of the threshold, " in (tmp_path / "student.md").read_text()
