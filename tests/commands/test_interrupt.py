"""Ctrl-C during a training: how to go on is said, the exit code is 130, and going on works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikewright.base.errors import arg
from spikewright.base.interrupt import Interrupted, goes_on
from spikewright.commands import console

TRAINING = ("--data", "digits", "--train-samples", "60", "--teacher", "mlp", "--teacher-epochs", "1", "-T", "1")


def spikewright(root: Path, cache: Path, *words: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "src"),
        "SPIKEWRIGHT_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
    }
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start = f"{heed}; import runpy; runpy.run_module('spikewright', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", start, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["distill", "run"])
def test_an_interrupted_training_names_resume_and_goes_on(verb: str, root: Path, tmp_path: Path) -> None:
    out = tmp_path / ("student.pt" if verb == "distill" else "run")
    out.parent.mkdir(exist_ok=True)
    checkpoint = (out if verb == "distill" else out / "student.pt").with_name("student.pt.checkpoint")
    words = (verb, *TRAINING, "--width", "2", "--method", "none", "--out", str(out))
    with spikewright(root, tmp_path / "cache", *words, "--epochs", "5000") as training:
        deadline = time.monotonic() + 120
        while not checkpoint.is_file() and training.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        training.send_signal(signal.SIGINT)
        said = training.communicate(timeout=60)[1]
    assert training.returncode == 130, said
    assert said.splitlines()[-1] == (
        f"interrupted; the same again with --resume goes on after the last finished epoch, from {checkpoint}"
    )
    with spikewright(root, tmp_path / "cache", *words, "--epochs", "5000", "--resume") as again:
        while (line := again.stderr.readline() if again.stderr else "") and not line.startswith("resumed after epoch"):
            pass
        again.send_signal(signal.SIGINT)
        again.communicate(timeout=60)
    assert line.startswith("resumed after epoch ")
    assert again.returncode == 130


def interrupted() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


def test_what_to_do_is_said_with_the_flags_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        """Be interrupted in work that can be gone on with."""
        with goes_on(lambda: f"give {arg('resume')}"):
            interrupted()

    assert console.run(work, [], "work") == 130
    assert capsys.readouterr() == ("", "interrupted; give --resume\n")


def test_from_python_it_is_a_keyboard_interrupt_that_speaks_of_the_argument() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, goes_on(lambda: f"give {arg('resume')}"):
        interrupted()
    assert isinstance(caught.value, Interrupted)
    assert str(caught.value) == "give resume"


def test_where_nothing_is_left_to_go_on_from_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        """Be interrupted too early."""
        with goes_on(lambda: None):
            interrupted()

    assert console.run(work, [], "work") == 130
    assert capsys.readouterr() == ("", "interrupted\n")
