"""Values, populations, class weights and scores through the command line, as a person at a terminal meets them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikewright.commands.cli import main

SMALL = ["--architecture", "mlp", "--width", "16", "-T", "3", "--epochs", "6"]


@pytest.fixture(scope="module")
def forces(tmp_path_factory) -> Path:
    """300 vectors of six numbers, and a force and a speed that follow from them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 6)).astype(np.float32)
    y = np.stack([x[:, 0] + 0.5 * x[:, 1], 100 + 20 * x[:, 2]], 1).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "forces.npz"
    np.savez(path, x=x, y=y, names=np.array(["force", "speed"]))
    return path


@pytest.fixture(scope="module")
def seldom(tmp_path_factory) -> Path:
    """300 vectors of two classes, one of which has a tenth of them."""
    random = np.random.default_rng(1)
    x = random.normal(size=(300, 4)).astype(np.float32)
    y = np.where(x[:, 0] + 0.3 * random.normal(size=300) > 1.3, "alarm", "quiet")
    path = tmp_path_factory.mktemp("data") / "seldom.npz"
    np.savez(path, x=x, y=y)
    return path


def run(out: Path, *words: str) -> int:
    return main(["run", *words, *SMALL, "--samples-lava", "0", "--json", "-o", str(out)])


def test_a_regression_ends_in_a_certificate_and_a_report(forces, tmp_path, capsys):
    words = ("--data", str(forces), "--task", "regression", "--teacher", "mlp", "--teacher-epochs", "6")
    assert run(tmp_path, *words, "--energy-budget", "1uJ", "--loss", "huber", "--regularize", "activation") == 0
    out, err = capsys.readouterr()
    verdict = json.loads(out)
    assert "teacher: mlp on forces, validation R^2 0." in err
    assert "huber 0." in err
    assert ", mean absolute error " in err
    assert verdict["mismatches"]["student_integer"] == 0
    assert verdict["accuracy"] == {"lava": None, "netx": None}
    assert verdict["r2"]["student"] == verdict["r2"]["integer"] > 0.3
    assert set(verdict["r2"]) == {"teacher", "student", "float", "integer"}
    report = json.loads((tmp_path / "report.json").read_text())["reports"][0]
    quality = report["quality"]
    assert report["accuracy"] is None
    assert quality["values"] == ["force", "speed"]
    assert np.mean(quality["r2"]) == pytest.approx(verdict["r2"]["integer"])
    assert quality["mae"][1] > quality["mae"][0] > 0
    page, markdown = ((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert "| value | mean absolute error | R^2 |" in markdown
    assert f"| force | {quality['mae'][0]:.4g} | {quality['r2'][0]:.3f} |" in markdown
    assert f'<td class="num">{quality["mae"][1]:.4g}</td>' in page
    card = (tmp_path / "student.md").read_text()
    assert "A spiking network for 2 values of `" in card
    assert f"| R^2, integer chip network | {verdict['r2']['integer']:.3f} | 60 test samples |" in card
    assert "| value speed, chip network | R^2 0." in card


def test_scores_of_a_regression_are_values_made_of_integers(forces, tmp_path, capsys):
    assert run(tmp_path, "--data", str(forces), "--task", "regression", "--method", "none") == 0
    chip, scores = tmp_path / "chip.h5", tmp_path / "scores.npz"
    words = ["--data", str(forces), "--scores", str(scores), "-o", str(tmp_path / "again.json")]
    assert main(["simulate", str(chip), *words]) == 0
    out, err = capsys.readouterr()
    assert "R^2           0." in out
    assert "  speed                    R^2 0." in out
    assert f"wrote {tmp_path / 'again.json'} and {scores}" in err
    with np.load(scores, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    with h5py.File(chip) as file:
        facts = json.loads(bytes(file["provenance"][()]))
        meaning = json.loads(bytes(file["network"][()]))["meaning"]
    unit = 64 * facts["scales"]["readout"] * 3
    values = np.array(meaning["center"]) + np.array(meaning["spread"]) * (found["scores"] / unit)
    assert found["scores"].dtype == np.int64
    assert np.array_equal(found["answers"], values)
    assert found["names"].tolist() == ["force", "speed"]
    activity = json.loads((tmp_path / "again.json").read_text())
    assert activity["quality"]["mae"] == pytest.approx(np.abs(values - found["labels"]).mean(0).tolist())
    assert activity["correct"] is None
    report = ["report", str(tmp_path / "again.json"), str(chip), "--json"]
    capsys.readouterr()
    assert main(report) == 0
    again = json.loads(capsys.readouterr().out)["reports"][0]["quality"]
    assert again["mae"] == activity["quality"]["mae"]
    assert main(["drift", str(tmp_path / "student.nir"), str(chip), "--data", str(forces)]) == 0
    assert "value 1         differs by 0 on average, by 0 at most" in capsys.readouterr().out


def test_class_weights_find_the_seldom_class(seldom, tmp_path, capsys):
    recalls = {}
    for weights in ("none", "balanced"):
        out = tmp_path / weights
        assert run(out, "--data", str(seldom), "--method", "none", "--class-weights", weights) == 0
        quality = json.loads((out / "report.json").read_text())["reports"][0]["quality"]
        recalls[weights] = quality["confusion"][0][0] / sum(quality["confusion"][0])
        assert quality["classes"] == ["alarm", "quiet"]
    assert recalls["balanced"] > recalls["none"]
    page = (tmp_path / "balanced" / "report.md").read_text()
    assert "| balanced accuracy, the mean of the classes' recalls | " in page
    assert "| 0 alarm | " in page
    assert "| alarm | " in page  # by class, with its name
    capsys.readouterr()


def test_a_population_code_is_the_same_at_every_level(tmp_path, capsys):
    words = ("--data", "digits", "--population", "3", "--teacher", "mlp", "--teacher-epochs", "3")
    assert run(tmp_path, *words, "--epochs", "3") == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["mismatches"]["student_integer"] == 0
    assert verdict["accuracy"]["student"] == verdict["accuracy"]["integer"] > 0.6
    scores = tmp_path / "scores.npz"
    more = ["--data", "digits", "--scores", str(scores), "-o", str(tmp_path / "again.json")]
    assert main(["simulate", str(tmp_path / "chip.h5"), *more]) == 0
    with np.load(scores) as file:
        assert file["scores"].shape == (359, 30)
        summed = file["scores"].reshape(359, 10, 3).sum(2).argmax(1)
        assert np.array_equal(file["answers"], summed)
        assert (summed == file["labels"]).mean() == verdict["accuracy"]["integer"]
    assert "3 neurons for each class, side by side" in (tmp_path / "student.md").read_text()
    capsys.readouterr()


def refused(capsys, tmp_path, *words):
    """What `distill` says last to these words, before any training."""
    assert main(["distill", *words, "-o", str(tmp_path / "student.pt")]) == 2
    err = capsys.readouterr().err
    assert "epoch 1/" not in err
    assert "teacher:" not in err
    return err[err.index("error:") :]


def test_what_does_not_suit_values_is_refused_at_once(forces, tmp_path, capsys):
    words = ("--data", str(forces), "--task", "regression", "--method", "twd", "--readout", "count")
    more = ("--population", "2", "--class-weights", "balanced", "--regularize", "logits")
    assert refused(capsys, tmp_path, *words, *more) == (
        "error: distill: 4 faults\n"
        "  - --method twd: is for classes, and the labels of forces are values; may be none, kd\n"
        "  - --class-weights balanced is for classes, and the labels are values; leave it out\n"
        "  - --readout count: counts are whole numbers up to T, and the labels of forces are values, which are read "
        "from membrane potentials; leave --readout out, or let the last neurons integrate\n"
        "  - --population 2: is a code for classes, and the labels of forces are values; leave --population out\n"
    )


def test_options_of_a_method_for_classes_are_refused_for_values(forces, tmp_path, capsys):
    words = ("--data", str(forces), "--task", "regression", "--method", "kd:temperature=8", "--teacher-outputs", "unit")
    assert refused(capsys, tmp_path, *words) == (
        "error: distill: 2 faults\n"
        "  - --method kd: temperature is for classes, and the labels of forces are values; leave it out\n"
        "  - --teacher-outputs unit: is for a teacher from a file, and mlp is none; leave it out\n"
    )


def test_a_loss_of_values_is_refused_for_classes(seldom, tmp_path, capsys):
    words = ("--data", str(seldom), "--loss", "huber", "--class-weights", "alarn=2")
    assert refused(capsys, tmp_path, *words) == (
        "error: distill: 2 faults\n"
        "  - --loss huber is for values, and the labels are classes; leave it out\n"
        "  - --class-weights alarn=2: there is no class 'alarn'; did you mean 'alarm'? may be: alarm, quiet\n"
    )


def test_float_labels_are_asked_what_they_are(forces, tmp_path, capsys):
    assert refused(capsys, tmp_path, "--data", str(forces)) == (
        "error: data forces: its labels are float32; give --task regression where they are values to learn, or --task "
        "classification where they are whole numbers of classes\n"
    )
