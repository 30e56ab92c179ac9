"""Few labels and samples without any through `spikewright run`: from two files to a certificate and a report."""

import json
from pathlib import Path

import numpy as np
import pytest

from spikewright.commands.distill import main as distill
from spikewright.commands.run import main as run
from spikewright.student.student import student_provenance


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Bars of three directions on noise: 120 images with labels, and 400 further ones without."""
    folder, random = tmp_path_factory.mktemp("bars"), np.random.default_rng(0)

    def images(count):
        kinds = random.integers(0, 3, count)
        made = random.integers(0, 90, (count, 12, 12))
        for image, kind in zip(made, kinds, strict=True):
            place = int(random.integers(2, 10))
            if kind == 0:
                image[place] = 230
            elif kind == 1:
                image[:, place] = 230
            else:
                np.fill_diagonal(image[:, place - 6 :] if place >= 6 else image[6 - place :], 230)
        return made.astype(np.uint8), kinds

    x, y = images(120)
    np.savez(folder / "bars.npz", x=x, y=y, names=np.array(["level", "upright", "slanted"]))
    np.savez(folder / "more.npz", x=images(400)[0])
    return folder / "bars.npz", folder / "more.npz"


FLAGS = ["--width", "4", "-T", "2", "--epochs", "3", "--teacher", "mlp", "--teacher-epochs", "15", "--batch", "32"]


@pytest.mark.parametrize("samples_lava", [0, pytest.param(3, marks=pytest.mark.lava)])
def test_from_two_files_to_a_report(files, tmp_path, capsys, samples_lava):
    if samples_lava:
        pytest.importorskip("lava")
    own, more = files
    flags = ["--data", str(own), "--unlabelled", str(more), "--augmentation", "shift:1", "--energy-budget", "200nJ"]
    code = run([*flags, *FLAGS, "-o", str(tmp_path), "--samples-lava", str(samples_lava), "--json"])
    said = capsys.readouterr()
    verdict = json.loads(said.out)
    assert code == (0 if verdict["within_budget"] else 1), said.err
    assert verdict["mismatches"]["student_integer"] == 0
    assert verdict["accuracy"]["student"] == verdict["accuracy"]["integer"]
    if samples_lava:
        assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": 0}
    facts = student_provenance(tmp_path / "student.pt")
    counts = {"labelled": 72, "unlabelled": 400}
    assert facts["samples"] == facts["certificate"]["learnt_from"] == counts
    assert facts["certificate"]["split"] == "validation"
    assert facts["settings"]["unlabelled"] == str(more)
    assert (tmp_path / "report.html").stat().st_size > 0
    card = (tmp_path / "student.md").read_text()
    assert f"| data | `{own}`, 72 training samples with labels and 400 without |" in card
    assert "certified:" in said.err


def test_numbers_of_the_training_part_from_the_command_line(files, tmp_path, capsys):
    own, _ = files
    flags = ["--data", str(own), "--label-fraction", "0.3", "--unlabelled", "rest", "--labelled-share", "0.2"]
    out = tmp_path / "student.pt"
    assert distill([*flags, *FLAGS, "--epochs", "2", "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["samples"]["labelled"] + said["samples"]["unlabelled"] == 72
    assert 20 <= said["samples"]["labelled"] <= 23
    assert said["training"]["labelled_share"] == 0.2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--unlabelled", "rest"],
            "error: --unlabelled rest: bars has 0 training samples besides the 72 whose labels are used; give fewer "
            "labels by --train-samples or --label-fraction, ask for fewer samples, or give a path with others",
        ),
        (
            ["--unlabelled", "absent.npz"],
            "error: --unlabelled absent.npz: there is no such file or folder; may be a number, rest, or a path",
        ),
        (
            ["--train-samples", "20", "--unlabelled", "30", "--method", "tssd"],
            "error: distill: --method tssd: has no teacher, by whose answers samples without labels (--unlabelled) are "
            "learned; choose a method that has one, such as --method kd, or leave --unlabelled out",
        ),
        (
            ["--augmentation", "time-mask:3,rotate"],
            "error: settings: --augmentation is 'time-mask:3,rotate': 'rotate' is unknown; may be: "
            "cutout, drop, flip, frequency-mask, jitter, mixup, none, scale, shift, shift-flip, time-jitter, "
            "time-mask, time-shift",
        ),
    ],
)
def test_refused_in_a_sentence(files, tmp_path, capsys, flags, message):
    assert distill(["--data", str(files[0]), *flags, "-o", str(tmp_path / "s.pt")]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == message
