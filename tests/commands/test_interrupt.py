"""Ctrl-C and other requests to end: how to go on is said, the exit code names the signal, and going on works."""

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
from spikewright.commands import cli, console

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
@pytest.mark.parametrize(
    ("verb", "number", "code", "by"),
    [
        ("distill", signal.SIGINT, 130, ""),
        ("run", signal.SIGTERM, 143, " by SIGTERM"),
        ("distill", signal.SIGHUP, 129, " by SIGHUP"),
    ],
)
def test_an_interrupted_training_names_resume_and_goes_on(
    verb: str, number: int, code: int, by: str, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / ("student.pt" if verb == "distill" else "run")
    out.parent.mkdir(exist_ok=True)
    checkpoint = (out if verb == "distill" else out / "student.pt").with_name("student.pt.checkpoint")
    words = (verb, *TRAINING, "--width", "2", "--method", "none", "--out", str(out))
    with spikewright(root, tmp_path / "cache", *words, "--epochs", "5000") as training:
        deadline = time.monotonic() + 120
        while not checkpoint.is_file() and training.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        training.send_signal(number)
        said = training.communicate(timeout=60)[1]
    assert training.returncode == code, said
    assert said.splitlines()[-1] == (
        f"interrupted{by}; the same again with --resume goes on after the last finished epoch, from {checkpoint}: "
        f"spikewright {' '.join(words)} --epochs 5000 --resume"
    )
    assert not list(out.parent.rglob(".*")), "no lock and no temporary file is left"
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


def test_the_command_that_goes_on_is_said_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    def work(out: str = "", resume: bool = False) -> None:
        """Be interrupted in work that goes on with a flag."""
        with goes_on(lambda: f"the same again with {arg('resume')} goes on", "resume"):
            interrupted()

    for words in (["--out", "my student.pt"], ["--out", "my student.pt", "--resume"]):
        assert console.run(work, words, "work") == 130
        said = "interrupted; the same again with --resume goes on: spikewright work --out 'my student.pt' --resume\n"
        assert capsys.readouterr() == ("", said)


def test_a_command_that_begins_to_load_is_interrupted_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "import_module", lambda name: interrupted())
    assert cli.main(["lower", "x.nir"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_requests_to_end_are_heeded_as_long_as_a_command_runs(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        """Be asked to end."""
        os.kill(os.getpid(), number)
        time.sleep(5)

    assert console.run(work, [], "work") == code
    assert capsys.readouterr() == ("", f"interrupted by {number.name}\n")
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_that_comes_while_an_object_dies_is_not_lost(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """No exception can leave its last method."""

    class Dies:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    def work() -> None:
        """Let an object die."""
        Dies()
        time.sleep(5)

    hook = sys.unraisablehook
    assert console.run(work, [], "work") == code
    assert sys.unraisablehook is hook
    assert capsys.readouterr().err.startswith("interrupted")


def test_a_request_that_is_ignored_as_under_nohup_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert console.run(lambda: os.kill(os.getpid(), signal.SIGHUP), [], "work") == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)
