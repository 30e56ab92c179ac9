"""Code and paths that a file names are neither run nor followed, and outputs are regular files."""

import json
import os
import stat
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spikewright.base.artefacts import atomic_write, writable
from spikewright.base.errors import InputError
from spikewright.bench import workers
from spikewright.profile.profile import load_profile, named_profile
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, load_student, save_student
from spikewright.training.settings import settings_from

CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
from spikewright.student.architectures import convnet
def build(*arguments):
    return convnet(*arguments)
"""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A Python file that leaves a mark when it runs."""
    file = tmp_path / "notes.py"
    file.write_text(CODE)
    return file


def naming(trap: Path, path: Path) -> Path:
    """A student's file whose header names the trap."""
    student = Student(StudentConfig(f"{trap}:build", 2, (1, 8, 8), 3, 2))
    (trap.parent / "ran").unlink()
    save_student(student, path, {})
    return path


def test_code_that_a_students_file_names_is_not_run(trap, tmp_path):
    file = naming(trap, tmp_path / "student.pt")
    with pytest.raises(InputError, match="code that a file names is not run"):
        load_student(file)
    assert not (tmp_path / "ran").exists()


def test_a_student_of_ones_own_architecture_is_read_with_the_code_that_the_caller_names(trap, tmp_path):
    file = naming(trap, tmp_path / "student.pt")
    again = load_student(file, f"{trap}:build")
    assert again.config.architecture == f"{trap}:build"
    assert again(torch.rand(1, 1, 8, 8)).logits.shape == (1, 3)


@pytest.mark.parametrize(
    "line",
    [
        'architecture = "notes.py:build"',
        'teacher = "there/model.onnx"',
        'teacher = "student.pt"',
        'teacher = "model.onnx:logits"',
        'profile = "mine.toml"',
        'profile = "/etc/passwd"',
        'data_dir = "data"',
        'data = "samples/mine.npz"',
        'also_within = ["mine.toml=2uJ"]',
    ],
)
def test_a_path_in_a_preset_is_refused(line, tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text(line + "\n")
    name = line.split(" = ")[0]
    with pytest.raises(
        InputError, match=f"{name} is .*; a preset names only what comes with spikewright, give {name} yourself"
    ):
        settings_from(str(preset), {})


def test_a_profile_that_a_file_names_comes_with_spikewright(tmp_path):
    assert named_profile("loihi1-davies", "chip.h5", "") == load_profile("loihi1-davies")
    file = tmp_path / "mine.toml"
    file.write_text("title = 1")
    with pytest.raises(InputError, match=r"chip\.h5: names the profile .* is not followed; give --profile"):
        named_profile(str(file), "chip.h5", "give --profile")


def test_a_lock_that_a_study_names_elsewhere_is_not_opened(tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    worker = {**workers.lock_facts(tmp_path / "mine"), "lock": str(victim)}
    watch = workers.Watch()
    os.chmod(victim, 0)
    assert not watch.is_stale(0, worker, None, tmp_path / "mine")


def test_a_graph_that_points_into_another_file_is_refused(tmp_path):
    from spikewright.graph.nir_io import read_graph

    with h5py.File(tmp_path / "other.nir", "w") as other:
        other.create_group("node/nodes")
        other["node/edges"] = np.zeros((0, 2), "S1")
    with h5py.File(tmp_path / "mine.nir", "w") as mine:
        mine.create_group("node")
        mine["node/nodes"] = h5py.ExternalLink("other.nir", "/node/nodes")
        mine["node/edges"] = h5py.ExternalLink("other.nir", "/node/edges")
    with pytest.raises(InputError, match="has no 'nodes'"):
        read_graph(tmp_path / "mine.nir")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: os.mknod(path, stat.S_IFSOCK | 0o600)], ids=["pipe", "socket"]
)
def test_an_output_that_is_no_regular_file_is_refused_and_left_as_it_is(make, tmp_path):
    target = tmp_path / "out.json"
    make(target)
    before = target.lstat()
    with pytest.raises(InputError, match="is a device, a pipe or a socket; give the name of a regular file"):
        writable(target)
    with pytest.raises(InputError), atomic_write(target):
        raise AssertionError("must not be reached")
    assert (target.lstat().st_mode, target.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert sorted(tmp_path.iterdir()) == [target]


def test_dev_full_is_refused_on_the_command_line(tmp_path, capsys):
    from spikewright.commands.to_nir import main

    file = tmp_path / "student.pt"
    save_student(Student(StudentConfig("mlp", 2, (1, 8, 8), 3, 2)), file, json.loads("{}"))
    assert main([str(file), "-o", "/dev/full", "--no-card"]) == 2
    assert "/dev/full: is a device" in capsys.readouterr().err
    assert Path("/dev/full").is_char_device()
