"""One writer for each output: the second is told who the first is, and a lock ends with its process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spikewright.base import lock
from spikewright.base.errors import InputError
from spikewright.base.lock import only_writer
from spikewright.base.progress import Callback, Listeners

HOLDER = """
import sys, time
from pathlib import Path
from spikewright.base.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("has it", flush=True)
    time.sleep(60)
"""


def holding(root: Path, output: Path) -> subprocess.Popen[str]:
    """A process that has the lock of ``output``."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", HOLDER, str(output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"
    return process


def test_the_second_is_told_who_the_first_is_and_a_killed_one_holds_up_nobody(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "student.pt"
    with holding(root, out) as first:
        with pytest.raises(InputError) as refused, only_writer(out):
            raise AssertionError("two at once")
        assert str(refused.value) == (
            f"{out}: process {first.pid} on {socket.gethostname()} is writing it; wait until that has ended, or "
            "choose another path"
        )
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".student.pt.spikewright-lock"]
    with only_writer(out):
        pass
    assert not list(tmp_path.iterdir()), "and what it left is gone"


def test_two_threads_of_one_process(tmp_path: Path) -> None:
    found: list[str] = []

    def second() -> None:
        try:
            with only_writer(tmp_path / "x", called="out"):
                found.append("two at once")
        except InputError as error:
            found.append(str(error))

    with only_writer(tmp_path / "x"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert found == ["out: this process itself is writing it; wait until that has ended, or choose another path"]


def test_of_many_that_come_and_go_one_has_it_at_a_time(tmp_path: Path) -> None:
    """Each removes the lock's file at its end, in which another may have opened it already."""
    inside, most, entered = 0, 0, 0
    guard = threading.Lock()

    def come_and_go() -> None:
        nonlocal inside, most, entered
        for _ in range(200):
            try:
                with only_writer(tmp_path / "x"):
                    with guard:
                        inside, entered = inside + 1, entered + 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
            except InputError:
                continue

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)
    assert entered >= 200
    assert not list(tmp_path.iterdir())


def test_a_lock_whose_file_was_removed_meanwhile_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first holder ends between the second's opening of the file and its locking of it."""
    real, removed = fcntl.flock, list[int]()

    def flock(handle: int, what: int) -> None:
        if not removed and what & fcntl.LOCK_EX:
            (tmp_path / ".x.spikewright-lock").unlink()
            removed.append(handle)
        real(handle, what)

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with only_writer(tmp_path / "x"):
        assert removed
        assert (tmp_path / ".x.spikewright-lock").is_file(), "and another one was made"
        with pytest.raises(InputError), only_writer(tmp_path / "x"):
            pass


def test_a_fork_neither_holds_nor_removes_it(tmp_path: Path) -> None:
    with only_writer(tmp_path / "x"):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # lives on behind its parent's end
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    with only_writer(tmp_path / "x"):
        pass
    os.write(write, b"x")
    assert os.waitpid(child, 0)[1] == 0


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(handle: int, what: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    class Heard(Callback):
        said: list[str] = []  # noqa: RUF012

        def on_message(self, text: str, kind: str) -> None:
            self.said.append(f"{kind}: {text}")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with only_writer(tmp_path / "x", listeners=Listeners((Heard(),))):
        pass
    assert Heard.said == [
        f"warning: {tmp_path / 'x'}: its file system has no locks; let nothing else write it meanwhile"
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("noted", [b"", b"[1]", b'{"pid": "no", "host": 3}', b"\xff", b"[" * 100_000])
def test_what_a_lock_says_is_not_believed_blindly(noted: bytes, tmp_path: Path) -> None:
    with only_writer(tmp_path / "x"):
        (tmp_path / ".x.spikewright-lock").write_bytes(noted)
        with pytest.raises(InputError, match="another process is writing it"), only_writer(tmp_path / "x"):
            pass


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / ".x.spikewright-lock").symlink_to(other)
    with pytest.raises(InputError, match=r"its lock .* cannot be had \(.*\); remove that"), only_writer(tmp_path / "x"):
        pass
    assert other.read_text() == "mine"


def test_the_holder_is_noted_and_long_names_are_shortened(tmp_path: Path) -> None:
    with only_writer(tmp_path / ("x" * 250)):
        (file,) = tmp_path.iterdir()
        assert json.loads(file.read_bytes()) == {"pid": os.getpid(), "host": socket.gethostname()}
