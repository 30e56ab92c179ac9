"""What a file system, or a standard stream, refuses: one sentence, exit code 2, and nothing half written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WRITERS = ("to-nir", "lower", "simulate", "scores", "record", "report", "drift", "check", "data", "distill", "run")
"""What writes a file or, ``run``, a folder."""
TRAINING = ["--data", "digits", "--train-samples", "20", "--epochs", "1", "--width", "2", "-T", "1", "--method", "none"]


def writing(what: str, out: Path | str, small: Any, other: Path) -> list[str]:
    """The command line of ``what`` with its output at ``out``; other files go into ``other``."""
    simulate = ["simulate", str(small.chip), "--samples", "4"]
    return {
        "to-nir": ["to-nir", str(small.student), "--samples", "2", "--no-card", "-o", str(out)],
        "lower": ["lower", str(small.graph), "-o", str(out)],
        "simulate": [*simulate, "-o", str(out)],
        "scores": [*simulate, "-o", str(other / "a.json"), "--scores", str(out)],
        "record": [*simulate, "-o", str(other / "a.json"), "--record", str(out)],
        "report": ["report", str(small.activity), str(small.chip), "-o", str(out)],
        "drift": ["drift", str(small.graph), str(small.chip), "--samples", "4", "-o", str(out)],
        "check": ["check", str(small.graph), "--repair", "-o", str(out)],
        "data": ["data", "digits", "--show", f"{out}.png"],
        "distill": ["distill", *TRAINING, "-o", str(out)],
        "run": ["run", *TRAINING, "--samples-lava", "0", "-o", str(out)],
    }[what]


def assert_refused(ended: Any, why: str, code: int = 2) -> None:
    assert ended.code == code, ended
    last = ended.said.splitlines()[-1]
    assert last.startswith("error: "), ended
    assert why in last, ended
    assert "Traceback" not in ended.said


def assert_all_refused(tries: dict[str, dict[str, Any]], why: str, tried: Any) -> None:
    for name, ended in zip(tries, tried(list(tries.values())), strict=True):
        try:
            assert_refused(ended, why)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB with 4 left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    (folder / "filled").write_bytes(bytes(12 << 10))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_name_that_is_too_long(small: Any, tried: Any, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)
    tries = {what: {"words": writing(what, long, small, tmp_path)} for what in WRITERS}
    assert_all_refused(tries, "(File name too long)", tried)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written(small: Any, tried: Any, open_folder: Path) -> None:
    open_folder.chmod(0o555)
    tries = {
        what: {"words": writing(what, open_folder / "x", small, open_folder), "as_other": True} for what in WRITERS
    }
    assert_all_refused(tries, "(Permission denied)", tried)
    assert not list(open_folder.iterdir())


def test_a_file_that_may_not_be_written_stays(small: Any, tried: Any, open_folder: Path) -> None:
    """Its folder would let it be replaced."""
    names = {"report": "report.json", "data": "data.png", "run": "run/student.pt"}
    files = {what: open_folder / names.get(what, what) for what in WRITERS}
    for file in files.values():
        file.parent.mkdir(exist_ok=True)
        file.parent.chmod(0o777)
        file.write_text("kept")
        file.chmod(0o444)
    tries = {
        what: {"words": writing(what, open_folder / what, small, open_folder), "as_other": True} for what in WRITERS
    }
    assert_all_refused(tries, "is there and is not yours to write", tried)
    assert {file.read_text() for file in files.values()} == {"kept"}
    assert not list(open_folder.rglob(".*"))


@pytest.mark.parametrize("verb", ["sweep", "compare"])
def test_a_bench_in_a_folder_that_may_not_be_written(verb: str, tried: Any, open_folder: Path) -> None:
    pytest.importorskip("optuna")
    words = [verb, *TRAINING[:-2], *(["--budgets", "60nJ"] if verb == "sweep" else ["--methods", "none"])]
    open_folder.chmod(0o555)
    tries = {
        "the folder": {"words": [*words, "-o", str(open_folder)], "as_other": True},
        "one within it": {"words": [*words, "-o", str(open_folder / "new")], "as_other": True},
    }
    assert_all_refused(tries, "(Permission denied)", tried)
    assert not list(open_folder.iterdir())


def test_a_limit_on_the_size_of_files(small: Any, tried: Any, open_folder: Path) -> None:
    tries = {what: {"words": writing(what, open_folder / what, small, open_folder), "largest": 600} for what in WRITERS}
    assert_all_refused(tries, "(File too large)", tried)
    assert [each.name for each in open_folder.iterdir()] == ["run"]
    assert not list((open_folder / "run").iterdir())


def test_a_full_disk(small: Any, tried: Any, small_disk: Path, open_folder: Path) -> None:
    (small_disk / "more").write_bytes(bytes(3 << 10))
    tries = {what: {"words": writing(what, small_disk / "x", small, open_folder)} for what in WRITERS}
    assert_all_refused(tries, "(No space left on device)", tried)
    assert not any(file.suffix == ".tmp" for file in small_disk.iterdir())


def test_a_disk_that_fills_up_while_hdf5_is_written(
    small: Any, tried: Any, small_disk: Path, open_folder: Path
) -> None:
    whats = ("to-nir", "lower", "record", "distill")
    tries = {what: {"words": writing(what, small_disk / "x", small, open_folder)} for what in whats}
    for what, ended in zip(whats, tried(list(tries.values())), strict=True):
        assert_refused(ended, f"{small_disk}/x")
        assert "(No space left on device)" in ended.said, what
    assert [file.name for file in small_disk.iterdir()] == ["filled"]


def test_a_device_is_neither_written_nor_replaced(small: Any, tried: Any, tmp_path: Path) -> None:
    whats = [what for what in WRITERS if what not in ("data", "run")]
    tries = {what: {"words": writing(what, "/dev/full", small, tmp_path)} for what in whats}
    assert_all_refused(tries, "/dev/full: is a device, a pipe or a socket", tried)
    assert Path("/dev/full").is_char_device()


def test_files_that_cannot_be_read(small: Any, tried: Any, open_folder: Path) -> None:
    for name in ("closed", "closed.toml"):
        (open_folder / name).write_bytes(small.chip.read_bytes())
        (open_folder / name).chmod(0)
    file, long = f"{open_folder}/closed", f"{open_folder}/{'x' * 300}"

    def reading(path: str) -> dict[str, list[str]]:
        return {
            "to-nir": ["to-nir", path],
            "lower": ["lower", path],
            "simulate": ["simulate", path],
            "report": ["report", str(small.activity), path],
            "check": ["check", path],
            "profiles": ["profiles", f"{path}.toml"],
            "preset": ["distill", "--preset", f"{path}.toml"],
        }

    for path, why in ((file, "/closed"), (long, "/xxx")):
        tries = {
            what: {"words": words, "as_other": True, "folder": str(open_folder)}
            for what, words in reading(path).items()
        }
        assert_all_refused(tries, why, tried)


PRINTING = (
    ["--help"], ["--version"], ["lower", "--help"], ["profiles"], ["methods"], ["data", "digits"],
    ["profiles", "loihi2-assumed", "--json"], ["--show-completion", "bash"],
)  # fmt: skip


def test_standard_output_that_is_full(tried: Any) -> None:
    tries = {" ".join(words): {"words": words, "stdout": "/dev/full"} for words in PRINTING}
    assert_all_refused(tries, "standard output cannot be written (No space left on device)", tried)


def test_standard_output_that_nobody_reads(tried: Any) -> None:
    for ended in tried([{"words": words, "stdout": "pipe"} for words in PRINTING]):
        assert (ended.code, ended.said) == (141, "")


def test_closed_standard_output_is_refused_before_any_work(small: Any, tried: Any, tmp_path: Path) -> None:
    out = tmp_path / "chip.h5"
    (ended,) = tried([{"words": ["lower", str(small.graph), "-o", str(out)], "stdout": "closed"}])
    assert_refused(ended, "standard output is closed")
    assert not out.exists()


@pytest.mark.parametrize("stderr", ["closed", "/dev/full"])
def test_without_standard_error_the_work_is_done(stderr: str, small: Any, tried: Any, tmp_path: Path) -> None:
    out = tmp_path / "chip.h5"
    (ended,) = tried([{"words": ["lower", str(small.graph), "-o", str(out)], "stderr": stderr}])
    assert (ended.code, ended.said) == (0, "")
    assert out.read_bytes()[1:4] == b"HDF"  # and nothing that was meant for standard error
