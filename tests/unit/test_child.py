"""Work in a process of its own: nothing of it is left, whoever ends, and how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from spikewright.base import child as child_module
from spikewright.base.child import Child
from spikewright.base.errors import InputError, SpikewrightError

PREFIX = "spikewright-test-"
FAMILY = """
import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        time.sleep(600)
print("forked", flush=True)
time.sleep(600)
"""
OWNER = f"""
import sys, threading
from spikewright.base.child import Child
def simulate():
    with Child({FAMILY!r}, {PREFIX!r}) as child:
        child.start()
        while not (child.folder / "stdout.txt").exists() or "forked" not in (child.folder / "stdout.txt").read_text():
            child.wait(0.05)
        print(child.folder, flush=True)
        ready.set()
        while child.wait(0.1) is None and not done.is_set():
            pass
ready, done = threading.Event(), threading.Event()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@pytest.fixture
def traces(campaign: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The traces of a run that this process or one that it starts owns."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    made = campaign("traces").Traces(uuid.uuid4().hex, folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def owner(root: Path, traces):
    """Starts a process that owns a child, which has forked three processes, and is in the middle of it."""
    started: list[subprocess.Popen[str]] = []

    def start(last_line: str = "simulate()") -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        command = [sys.executable, "-c", f"{heed}{OWNER}\n{last_line}"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), process.stderr
        return process

    yield start
    for each in traces.processes():
        os.kill(each, signal.SIGKILL)
    for process in started:
        process.communicate()


def family(traces, owner_id: int) -> dict[str, list[int]]:
    """The processes of a run apart from its owner: the keeper, the worker and what that has forked."""
    parents = {
        each: int(Path(f"/proc/{each}/stat").read_text().split(")")[1].split()[1]) for each in traces.processes()
    }
    (kept,) = [each for each, parent in parents.items() if parent == owner_id]
    (worker,) = [each for each, parent in parents.items() if parent == kept]
    return {"keeper": [kept], "worker": [worker], "forked": [e for e, parent in parents.items() if parent == worker]}


def test_its_words_and_files_lie_in_its_folder(traces) -> None:
    code = "import sys, tempfile; print(sys.argv[1], tempfile.gettempdir()); sys.exit(3)"
    with Child(code, PREFIX) as child:
        assert child.wait(0) is None
        child.start()
        assert child.wait(30) == 3
        assert (child.folder / "stdout.txt").read_text() == f"{child.folder} {child.folder}\n"
        assert child.folder.parent == traces.folder
    assert not traces.left()


def test_what_lies_in_the_folder_of_the_moment_is_not_imported(
    traces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "shutil", "colorsys"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for a module')")
    monkeypatch.chdir(tmp_path)
    with Child("import colorsys", PREFIX) as child:
        child.start()
        assert child.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_nothing_is_left_when_the_owner_ends(number: signal.Signals, traces, owner) -> None:
    process = owner()
    assert len(family(traces, process.pid)["forked"]) == 3
    process.send_signal(number)
    left, _ = traces.left_after(10)
    assert not left
    assert process.wait(10) == -number


def test_a_second_interrupt_does_not_stop_the_first_from_tidying_up(traces, owner) -> None:
    process = owner()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert not traces.left_after(10)[0]


@pytest.mark.parametrize("last", ["threading.Thread(target=simulate, daemon=True).start(); sys.stdin.read(1)"])
def test_nothing_is_left_of_a_thread_whose_process_is_done(last: str, root: Path, traces) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", f"{OWNER}\n{last}"]
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.communicate("x")
    assert process.returncode == 0
    assert not traces.left_after(10)[0]


@pytest.mark.parametrize("who", ["worker", "keeper", "forked"])
def test_nothing_is_left_when_another_is_killed(who: str, traces, owner) -> None:
    process = owner("simulate()\nprint('over', flush=True)\nsys.stdin.read()")
    (first, *_) = family(traces, process.pid)[who]
    os.kill(first, signal.SIGKILL)
    if who == "forked":  # which the worker alone can tell from one that has ended
        os.kill(family(traces, process.pid)["worker"][0], signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    assert traces.processes() == [process.pid]
    assert not traces.left().files


def test_when_owner_and_keeper_are_killed_the_next_keeper_removes_the_folder(traces, owner) -> None:
    process = owner()
    (kept,) = family(traces, process.pid)["keeper"]
    process.send_signal(signal.SIGSTOP)  # so that neither sees the other end
    os.kill(kept, signal.SIGKILL)
    process.kill()
    deadline = time.monotonic() + 10
    while traces.processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    left = traces.left()
    assert not left.processes
    assert len(left.files) == 1
    with Child("", PREFIX) as child:
        assert os.listdir(traces.folder) == [child.folder.name]


def test_only_folders_that_nobody_uses_any_more_are_removed(traces) -> None:
    theirs = traces.folder / f"{PREFIX}of-a-person"
    theirs.mkdir()
    (theirs / "notes").touch()
    (traces.folder / f"{PREFIX}empty").mkdir()
    with Child("", PREFIX) as first, Child("", PREFIX) as second:
        there = set(os.listdir(traces.folder))
        assert there == {theirs.name, first.folder.name, second.folder.name}
    assert os.listdir(traces.folder) == [theirs.name]


@pytest.mark.parametrize("last", ["os.kill(os.getpid(), 9)", "done.set(); thread.join(); sys.stdin.read()"])
def test_a_process_forked_from_the_owner_does_not_keep_the_child_alive(last: str, traces, owner) -> None:
    fork = """
import os, time
thread = threading.Thread(target=simulate)
thread.start()
ready.wait()
if os.fork() == 0:
    time.sleep(600)
"""
    owner(fork + last)
    others = 1 if "kill" in last else 2  # the one that was forked, and its owner if that lives
    deadline = time.monotonic() + 10
    while (left := traces.left()) and time.monotonic() < deadline:
        if len(left.processes) == others and not left.files:
            return
        time.sleep(0.05)
    raise AssertionError(left)


def test_the_child_is_ended_within_a_thread_of_ours(traces) -> None:
    codes: list[int | None] = []

    def work() -> None:
        with Child(FAMILY, PREFIX) as child:
            child.start()
            codes.append(child.wait(0.5))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert codes == [None]
    assert not traces.left()


def test_a_keeper_that_hangs_is_killed(traces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "END_LIMIT_S", 0.5)
    with Child(FAMILY, PREFIX) as child:
        child.start()
        child.wait(0.5)
        os.kill(child._keeper.pid, signal.SIGSTOP)
    assert not traces.left_after(5)[0]


def test_an_exit_code_of_a_signal_is_negative(traces) -> None:
    with Child("import os; os.kill(os.getpid(), 9)", PREFIX) as child:
        child.start()
        assert child.wait(20) == -9


def test_a_temporary_folder_that_cannot_be_made_is_said(traces, monkeypatch: pytest.MonkeyPatch) -> None:
    full = "import tempfile\ndef mkdtemp(**given): raise OSError(28, 'No space left on device', '/full/x')"
    start = f"{child_module._START.replace('; main()', '')}\n{full}\ntempfile.mkdtemp = mkdtemp\nmain()"
    monkeypatch.setattr(child_module, "_START", start)
    said = r"^no temporary folder can be made \(/full/x: No space left on device\); set TMPDIR to another place$"
    with pytest.raises(InputError, match=said), Child("", PREFIX):
        raise AssertionError("started")


def test_a_python_that_does_not_start_is_said(traces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_START", "raise SystemExit('no Python today')")
    with pytest.raises(SpikewrightError, match="could not be started to work in: no Python today"), Child("", PREFIX):
        raise AssertionError("started")
    assert not traces.left()


def test_a_keeper_that_is_killed_as_it_starts_is_said(traces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_START", "import os; os.kill(os.getpid(), 9)")
    said = "could not be started to work in: it was ended by SIGKILL; the system does that when memory runs out"
    with pytest.raises(SpikewrightError, match=said), Child("", PREFIX):
        raise AssertionError("started")
    assert not traces.left()
