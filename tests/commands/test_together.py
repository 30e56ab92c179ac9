"""Several processes at one command: one writes and speaks, all end when one does, what is refused is said once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shared_steps import start

TRAINING = (
    "distill", "--data", "digits", "--train-samples", "60", "--teacher", "mlp", "--teacher-epochs", "1", "-T", "1",
    "--width", "2", "--batch", "15",
)  # fmt: skip
RESUME = "the same again with --resume goes on after the last finished epoch, from"
LOST = "error: another of the processes that share this training has ended; it or its launcher says why"


def two(root: Path, cache: Path, *words: str, size: int = 2) -> list[subprocess.Popen[str]]:
    """Two processes, or more, with the same command line, which heed Ctrl-C."""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import runpy; runpy.run_module('spikewright', run_name='__main__', alter_sys=True)"
    return start(["-c", code, *words], size, {"PYTHONPATH": str(root / "src"), "SPIKEWRIGHT_CACHE": str(cache)})


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each."""
    found = []
    for process in processes:
        out, said = process.communicate(timeout=400)
        found.append((process.returncode, out, said))
    return found


def wait_for(file: Path, processes: list[subprocess.Popen[str]]) -> None:
    deadline = time.monotonic() + 600
    while not file.is_file() and processes[0].poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert file.is_file(), ended(processes)


@pytest.mark.slow
def test_the_first_process_alone_writes_and_speaks(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "student.pt"
    out.parent.mkdir()
    first, second = ended(two(root, tmp_path / "cache", *TRAINING, "--epochs", "4", "-o", str(out)))
    assert first[:2] == (0, f"{out}\n"), first
    assert second == (0, "", "")
    assert [line for line in first[2].splitlines() if line.startswith("certified: ")]
    assert sorted(each.name for each in out.parent.iterdir()) == ["student.pt", "student.times.json"]


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 1])
def test_all_end_when_one_is_killed_and_one_process_goes_on(dies: int, root: Path, tmp_path: Path) -> None:
    out, checkpoint = tmp_path / "student.pt", tmp_path / "student.pt.checkpoint"
    words = (*TRAINING, "--method", "none", "--epochs", "5000", "-o", str(out))
    processes = two(root, tmp_path / "cache", *words)
    wait_for(checkpoint, processes)
    processes[dies].kill()
    found = ended(processes)
    assert found[dies][0] == -signal.SIGKILL
    code, printed, said = found[1 - dies]
    assert (code, printed) == (1, "")
    if dies == 0:
        assert said == ""
    else:
        assert said.splitlines()[-1] == f"{LOST}; {RESUME} {checkpoint}"
        assert not list(tmp_path.glob(".*")), "no lock is left"
    again = [sys.executable, "-m", "spikewright", *words, "--resume"]
    with subprocess.Popen(
        again, env={**os.environ, "PYTHONPATH": str(root / "src")}, stderr=subprocess.PIPE, text=True
    ) as alone:
        while (line := alone.stderr.readline() if alone.stderr else "") and not line.startswith("resumed after epoch"):
            pass
        alone.kill()
    assert line.startswith("resumed after epoch ")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "by"), [(signal.SIGINT, ""), (signal.SIGTERM, " by SIGTERM")])
def test_a_request_to_end_is_answered_once(number: signal.Signals, by: str, root: Path, tmp_path: Path) -> None:
    out, checkpoint = tmp_path / "student.pt", tmp_path / "student.pt.checkpoint"
    processes = two(root, tmp_path / "cache", *TRAINING, "--method", "none", "--epochs", "5000", "-o", str(out))
    wait_for(checkpoint, processes)
    for process in processes:
        process.send_signal(number)
    (code, printed, said), second = ended(processes)
    assert (code, printed) == (128 + number, "")
    assert said.splitlines()[-1].startswith(f"interrupted{by}; {RESUME} {checkpoint}: spikewright distill ")
    assert said.count("interrupted") == 1
    assert second == (128 + number, "", "")


@pytest.mark.slow
def test_what_processes_cannot_share_is_refused_once_and_before_training(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "student.pt"
    few = (*TRAINING, "--batch", "2", "-o", str(out))
    first, *others = ended(two(root, tmp_path / "cache", *few, size=3))
    assert first[:2] == (2, "")
    assert first[2] == (
        "error: processes: --batch 2: gives 3 processes batches of 2, and each takes one at least; start 2 at most, or "
        "give a larger --batch\n"
    )
    assert others == [(0, "", "")] * 2
    assert not list(tmp_path.glob("student*"))


def test_other_commands_are_for_one_process(root: Path, tmp_path: Path) -> None:
    first, second = ended(two(root, tmp_path / "cache", "methods"))
    assert first == (2, "", (
        "error: methods: 2 processes were started, and each would do all of it; processes share distill alone: start "
        "one\n"
    ))  # fmt: skip
    assert second == (2, "", "")


def test_a_mistyped_flag_is_said_once(root: Path, tmp_path: Path) -> None:
    first, second = ended(two(root, tmp_path / "cache", "distill", "--methd", "kd"))
    assert first[0] == second[0] == 2
    assert first[2].startswith("error: there is no option --methd")
    assert second == (2, "", "")


@pytest.mark.slow
def test_torchrun_starts_them(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "student.pt"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*TRAINING[1:], "--method", "none", "--epochs", "1", "-o", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(root / "train" / "distill.py"), *words],
        capture_output=True, text=True, env=environment, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert done.stderr.count("certified: ") == 1
