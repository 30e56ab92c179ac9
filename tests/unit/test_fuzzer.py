"""The fuzzer itself: it finds every kind of fault that is planted, and its inputs are the same again."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from campaigns.fuzz import __main__ as campaign
from campaigns.fuzz import data_seeds, formats, judge, teacher_seeds, work
from campaigns.fuzz.byte_changes import CHANGES, changed_bytes
from campaigns.fuzz.inputs import WAYS, Input, input_of, shared_out
from campaigns.fuzz.reader import Reader
from campaigns.fuzz.readers import READERS, SHARES
from campaigns.fuzz.value_changes import Obeyed, changed_tree

from spikewright.base.errors import InputError

VALID = b'{"a": [1, 2.5, "x"], "b": {"c": null}}'


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[work.Rooms]:
    """Folders of a campaign."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with work.rooms() as made:
        yield made


def ended(room: work.Rooms, read: Callable[[Path], Any], count: int = 1, **more: Any) -> work.Found:
    """How inputs end that a planted reader reads."""
    reader = Reader("planted", "one.json", [VALID], formats.of_json, read, **more)
    return work.run_batch(reader, lambda _: Input(0, VALID), list(range(count)), room)


def raises(error: BaseException) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        raise error

    return read


def allocates(_: Path) -> None:
    np.ones(judge.MEMORY // 4)  # twice the bound: what other threads give back meanwhile is below it


def runs_a_pickle(_: Path) -> None:
    import pickle

    pickle.loads(pickle.dumps(Obeyed("true")))


PLANTED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "another exception": ("traceback", raises(KeyError("x"))),
    "an exit": ("traceback", raises(SystemExit(2))),
    "no words": ("message", raises(InputError(""))),
    "words of others": ("message", lambda path: exec_from(ValueError("invalid literal one.json"))),
    "nothing of the file": ("message", raises(InputError("is damaged"))),
    "a warning": ("warning", lambda path: warnings.warn("one.json", RuntimeWarning, stacklevel=1)),
    "too much memory": ("memory", allocates),
    "a file beside": ("written", lambda path: path.with_name("other").write_text("x")),
    "a file in the folder of the process": ("written", lambda path: Path("x").touch()),
    "a folder": ("written", lambda path: Path("x").mkdir()),
    "its own file": ("written", lambda path: path.unlink()),
    "a file elsewhere": ("followed", lambda path: Path("../elsewhere/data.h5").read_bytes()),
    "a file of the system": ("followed", lambda path: Path("/etc/passwd").read_bytes()),
    "a file that C opens": ("followed", lambda path: h5_open(path.parents[1] / "elsewhere" / "data.h5")),
    "code in a text": ("code", lambda path: exec("1 + 1")),
    "a pickle": ("code", runs_a_pickle),
    "a process": ("code", lambda path: subprocess.run(["true"], check=True)),
    "a shell": ("code", lambda path: os.system("true")),
    "a crash": ("crash", lambda path: os.kill(os.getpid(), 11)),
}


def exec_from(error: Exception) -> None:
    try:
        raise error
    except ValueError as caught:
        raise InputError(str(caught)) from caught


def h5_open(path: Path) -> None:
    """Open a file by a C library alone."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fclose.argtypes = [ctypes.c_void_p]
    libc.fclose(libc.fopen(os.fsencode(path), b"rb"))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, room: work.Rooms) -> None:
    kind, read = PLANTED[name]
    found = ended(room, read)
    assert found.ended == {kind: 1}, found
    assert found.faults[0].kind == kind


def test_a_hang_is_ended_and_the_next_input_is_read(room: work.Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "HANG_S", 0.2)
    seen = room.cache / "seen"

    def hangs_once(_: Path) -> None:
        if not seen.exists():
            seen.touch()
            while True:
                pass

    found = ended(room, hangs_once, 3)
    assert found.ended == {"hang": 1, "read": 2}


def test_an_input_over_which_the_campaign_itself_breaks_is_not_held_against_the_reader(room: work.Rooms) -> None:
    reader = Reader("x", "x", [VALID], lambda valid, random: valid, lambda path: None)

    def made(number: int) -> Input:
        if number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return Input(0, VALID)

    found = work.run_batch(reader, made, range(3), room)
    assert found.ended == {"read": 2, "not made": 1}
    assert found.faults == {}


def test_waiting_without_end_is_a_hang(room: work.Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WALL_S", 0.3)
    found = ended(room, lambda _: time.sleep(60))
    assert found.ended == {"hang": 1}


def test_what_is_right_is_no_fault(room: work.Rooms) -> None:
    read = ended(room, lambda path: path.read_bytes(), 3)
    assert (read.ended, read.faults) == ({"read": 3}, {})
    refused = ended(room, raises(InputError("one.json: 2 faults\n  - a\n  - b")))
    assert (refused.ended, refused.faults) == ({"refused": 1}, {})

    def step(*_: Any) -> None:
        raise InputError("it is not lowered")

    later = ended(room, lambda path: 1, step=step)
    assert later.ended == {"refused later": 1}


def test_a_fault_is_kept_with_how_to_read_it_again(
    room: work.Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(campaign, "OUT", tmp_path)
    reader = Reader("planted", "one.json", [VALID], formats.of_json, raises(KeyError("x")))
    options = campaign._options(["--inputs", "6", "--seed", "7"])
    tallies = campaign._campaign({"planted": reader}, options, room)
    assert sum(tallies["planted"].inputs.values()) == 5, "of six, shared out in whole numbers"
    (kept,) = (tmp_path / "failures").iterdir()  # five equal faults are one
    assert "--seed 7 --again planted:structure:0" in (kept / "why.txt").read_text()
    assert (kept / "one.json").read_bytes() == input_of(reader, "planted", 7, "structure", 0).data
    campaign._write_summary(tallies, options)
    assert '"traceback": 5' in (tmp_path / "summary.json").read_text()
    assert "5 traceback" in campaign._table(tallies)


def test_inputs_are_the_same_again_and_others_for_other_seeds() -> None:
    reader = Reader("json", "one.json", [VALID, b"[1, 2, 3]"], formats.of_json, lambda path: None)
    for way in WAYS:
        first = [input_of(reader, "json", 0, way, number) for number in range(50)]
        assert first == [input_of(reader, "json", 0, way, number) for number in range(50)]
        assert len({made.data for made in first}) > 25
        assert first != [input_of(reader, "json", 1, way, number) for number in range(50)]


def test_every_change_of_bytes_changes_some_file() -> None:
    for change in CHANGES:
        assert any(change(bytearray(VALID), Random(n), [VALID]) != VALID for n in range(20)), change
    assert len(changed_bytes(VALID * 10**5, Random(0), [VALID])) <= 2**20


def test_a_change_of_values_leaves_the_tree_it_was_made_of() -> None:
    tree = {"a": [1, 2.5, "x"], "b": {"c": None}, "d": np.arange(3)}
    before = repr(tree)
    made = [repr(changed_tree(tree, Random(number))) for number in range(300)]
    assert repr(tree) == before
    assert len(set(made)) > 150


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (formats.of_json, lambda: VALID),
        (formats.of_toml, lambda: b"a = 1\n[b]\nc = ['x', 2.5]\n"),
        (formats.of_torch, lambda: teacher_seeds.state_dicts()[0]),
        (formats.of_npz, lambda: data_seeds.npz_files()[0]),
    ],
)
def test_most_changed_files_are_of_their_format(change: formats.Change, valid: Callable[[], bytes]) -> None:
    import json
    import zipfile

    reader = Reader("x", "x", [valid()], change, lambda path: None)
    opened: dict[Any, Callable[[bytes], Any]] = {
        formats.of_json: lambda data: json.loads(data),
        formats.of_toml: lambda data: formats.tomllib.loads(data.decode()),
        formats.of_torch: lambda data: zipfile.is_zipfile(io.BytesIO(data)) or 1 / 0,
        formats.of_npz: lambda data: zipfile.is_zipfile(io.BytesIO(data)) or 1 / 0,
    }
    good = 0
    for number in range(60):
        try:
            opened[change](input_of(reader, "x", 0, "structure", number).data)
            good += 1
        except (ValueError, ZeroDivisionError, RecursionError):
            continue
    assert good >= 48


def test_a_million_has_enough_of_every_kind() -> None:
    kinds = {f"{kind} {number}": kind for kind in (*campaign.MANY, "others") for number in range(3)}
    planned = campaign.counts_of(kinds, campaign.INPUTS)
    for kind in campaign.MANY:
        assert sum(planned[name]["structure"] for name in kinds if kinds[name] == kind) >= campaign.LEAST
    assert 995_000 <= sum(count for ways in planned.values() for count in ways.values()) <= campaign.INPUTS
    assert shared_out(100, [1, 3], [10, 0]) == [32, 67]
    few = campaign.counts_of(kinds, 900)
    assert sum(count for ways in few.values() for count in ways.values()) <= 900
    assert all(ways["structure"] >= ways["bytes"] > 0 for ways in few.values())


def test_each_share_is_of_a_reader() -> None:
    assert SHARES.keys() <= READERS.keys()
