"""Files appear whole or not at all, are on the disk before they have their names, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from spikewright.base import artefacts
from spikewright.base.artefacts import atomic_write, writable, write_bytes, write_text
from spikewright.base.errors import InputError
from spikewright.base.hdf5 import new_hdf5

WRITER = """
import sys, time
from spikewright.base.artefacts import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("began", flush=True)
    time.sleep(60)
"""


def started(root: Path, target: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of writing ``target``."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    words = [sys.executable, "-c", WRITER, str(target)]
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "began\n"
    return writer


def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_living_ones_is_not(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    for other in (".out.json.bak", ".out.json.spikewright-notes", "out.json.tmp"):
        (tmp_path / other).touch()
    with started(root, target) as killed, started(root, target) as living:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert sum(file.suffix == ".tmp" for file in tmp_path.iterdir()) == 3
        write_text(target, "whole")
        left = sorted(file.name for file in tmp_path.iterdir() if "spikewright-" in file.name and file.suffix == ".tmp")
        assert len(left) == 1, "the living writer's"
        living.kill()
    write_text(target, "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".out.json.bak", ".out.json.spikewright-notes", "out.json", "out.json.tmp",
    ]  # fmt: skip
    assert target.read_text() == "whole"


def test_a_leftover_is_removed_wherever_the_folder_lists_a_living_writers_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.json"
    with started(root, target) as living:
        (its,) = (file.name for file in tmp_path.iterdir())
        for order in (1, -1):
            (tmp_path / ".out.json.spikewright-leftover.tmp").touch()
            names = [its, ".out.json.spikewright-leftover.tmp"][::order]
            with monkeypatch.context() as patch:
                patch.setattr(artefacts.os, "listdir", lambda _, names=names: names)
                write_text(target, "whole")
            assert sorted(file.name for file in tmp_path.iterdir()) == sorted([its, "out.json"])
        living.kill()


def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.replace

    def sync(handle: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        fsync(handle)

    def move(source: str, target: str) -> None:
        done.append("rename")
        rename(source, target)

    monkeypatch.setattr(artefacts.os, "fsync", sync)
    monkeypatch.setattr(artefacts.os, "replace", move)
    write_bytes(tmp_path / "x", b"1")
    assert done == ["file", "rename", "folder"]


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("ä" * 127 + "x")
    write_text(target, "long")
    assert target.read_text() == "long"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_another_file_is_not_said_of_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
        (tmp_path / "other").read_bytes()
    assert not list(tmp_path.iterdir())


def test_trying_whether_a_file_can_be_written_leaves_it_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("before")
    assert writable(target) == target
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_an_hdf5_file_appears_only_when_all_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    with pytest.raises(RuntimeError), new_hdf5(target) as file:
        file["a"] = 1
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with new_hdf5(target) as file:
        file["a"] = 1
        assert not target.exists()
    with h5py.File(target) as read:
        assert read["a"][()] == 1


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder .*no does not exist; create it or choose another path"):
        write_text(tmp_path / "no" / "x", "")
