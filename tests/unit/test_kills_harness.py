"""The kill harness of tests/campaigns sees what it is there to see: planted faults of each kind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

TRIES = 10
WHOLE, FORMER = b"new " * 5000, b"old " * 5000


@pytest.fixture
def kills(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules of the harness."""
    monkeypatch.syspath_prepend(str(root / "tests"))
    from campaigns.kills import campaign, jobs, judging, starting

    yield SimpleNamespace(campaign=campaign, jobs=jobs, judging=judging, starting=starting)
    for name in [name for name in sys.modules if name.split(".")[0] == "campaigns"]:
        del sys.modules[name]


def torn(words: Sequence[str]) -> int:
    """A writer that is not atomic: it writes over what is there, slowly."""
    with open("out.md", "wb") as file:
        for first in range(0, len(WHOLE), 200):
            file.write(WHOLE[first : first + 200])
            file.flush()
            time.sleep(0.002)
    return 0


def loses(words: Sequence[str]) -> int:
    """A writer that first removes what is there."""
    Path("out.md").unlink(missing_ok=True)
    time.sleep(0.2)
    Path("new").write_bytes(WHOLE)
    os.replace("new", "out.md")
    return 0


def leaves(words: Sequence[str]) -> int:
    """A writer whose temporary files have other names each time and are never removed."""
    name = f".out.md.spikewright-{os.getpid()}.tmp"
    Path(name).write_bytes(WHOLE)
    time.sleep(0.2)
    os.replace(name, "out.md")
    return 0


def escapes(words: Sequence[str]) -> int:
    """A command that does not answer a signal."""
    print("Traceback (most recent call last):", flush=True)
    return loses(words)


def former(words: Sequence[str]) -> int:
    Path("out.md").write_bytes(FORMER)
    return 0


def tally_of(
    kills: SimpleNamespace, tmp_path: Path, writer: Callable[[Sequence[str]], int], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The faults that signals to ``writer`` bring to light."""

    def main(words: Sequence[str]) -> int:
        return former(words) if words == ["former"] else writer(words)

    job = kills.jobs.Job("planted", ("planted",), former=("former",))
    monkeypatch.setattr(kills.campaign, "KINDS", ("signal",))
    monkeypatch.setattr(kills.campaign, "TRUE_PROCESS", 10**6)
    monkeypatch.setattr(kills.campaign.Campaign, "_alone", lambda self, job, start: self._run_to_the_end(job, start)[0])
    campaign, tally = kills.campaign.Campaign(main, tmp_path, seed=1), kills.campaign.Tally()
    for number in range(TRIES):
        campaign.attempt(job, tally, number)
    assert sum(tally.codes.values()) == TRIES
    return [fault.split(": ", 1)[1].split(":")[0] for fault in tally.faults]


PLANTED = [(torn, "torn"), (loses, "lost"), (leaves, "left"), (escapes, "traceback")]


@pytest.mark.parametrize(("writer", "fault"), PLANTED)
def test_a_planted_fault_is_found(
    kills: SimpleNamespace, tmp_path: Path, writer: object, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tally_of(kills, tmp_path, writer, monkeypatch)
    assert fault in found
    assert found.count(fault) >= 2, found


def test_an_atomic_writer_has_no_faults(
    kills: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spikewright.base.artefacts import write_bytes
    from spikewright.commands.streams import guarded

    def whole(words: Sequence[str]) -> int:
        time.sleep(0.05)
        write_bytes("out.md", WHOLE)
        return 0

    def main(words: Sequence[str]) -> int:
        return guarded(lambda: whole(words))

    assert tally_of(kills, tmp_path, main, monkeypatch) == []


def test_a_writer_is_stopped_in_the_middle_of_its_writing(kills: SimpleNamespace, tmp_path: Path) -> None:
    def main(words: Sequence[str]) -> int:
        Path("out.md").write_bytes(WHOLE)
        return 0

    start = kills.starting
    assert start.fork(main, [], tmp_path).writes == 1
    ended = start.fork(main, [], tmp_path, start.Ending("aimed", "KILL", at=1))
    assert (ended.code, (tmp_path / "out.md").stat().st_size) == (-9, len(WHOLE) // 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"a": 1'), ("a.nir", b"\x89HDF"), ("a.png", b"\x89PNG"), ("a.svg", b"<svg>"), ("study.db", b"no"),
        ("a.npz", b"PK"), ("s.pt", b"PK"), ("a.xyz", b"what"),
    ],
)  # fmt: skip
def test_a_file_that_may_differ_must_be_readable(kills: SimpleNamespace, name: str, content: bytes) -> None:
    assert kills.judging.unreadable(name, {name: content})


def test_a_former_graph_beside_a_new_student_is_a_mixture(kills: SimpleNamespace) -> None:
    before, whole = ({"made/student.pt": each, "made/student.nir": each} for each in (b"old", b"new"))
    mixed = {"made/student.pt": b"new", "made/student.nir": b"old"}
    found = list(kills.judging.faults_after_end(mixed, before, whole, (), True))
    assert found == ["mixed: made/student.nir is of the former student"]
    begun = {**mixed, "made/student.pt.checkpoint.begun": b"{}"}
    assert list(kills.judging.faults_after_end(begun, before, whole, (), True)) == []
