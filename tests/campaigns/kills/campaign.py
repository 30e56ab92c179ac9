"""The campaign: every job is run to its end, and then ended in drawn ways and judged."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .jobs import JOBS, Job
from .judging import Files, faults_after_end, faults_at_the_end, files_in, may_go_on
from .starting import ENDING_SIGNALS, ESCAPED, Ended, Ending, fork, process

KINDS = ("signal", "signal", "signal", "signal", "aimed", "aimed", "file size", "memory", "full disk")
"""Ways to end a command, those that come more often more than once."""
TRUE_PROCESS = 10
"""One try in so many is a process of its own."""
LATEST = 1.1
"""Signals come until so many times the duration of a whole command."""
MOST_MEMORY = 256 << 20
"""Bytes beyond what is used that a limit on memory leaves at most."""
PAGE = 4096
TRACEBACK = re.compile(r"^Traceback \(most recent call last\)|^Exception ignored in|^escaped: ", re.MULTILINE)
OF_SIGNALS = {"TERM": 143, "INT": 130, "HUP": 129}
HINT = {
    "distill": ("student: ", "the same again"),
    "run": ("1/5", "the same again"),
    "sweep": (" missing", "the same command again"),
    "compare": (" missing", "the same command again"),
}
"""By verb, after which words a signal must be answered with which about going on."""
BY_NAME = {job.name: job for job in JOBS}

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Whole:
    """A job that nothing ended.

    Attributes:
        code: its exit code.
        seconds: it takes in a fork, and as a process of its own.
        writes: moments of writing.
        start: by whether former files are there, the folder that it starts from.
        made: all files in its folder afterwards.
    """

    code: int
    seconds: float
    process_seconds: float
    writes: int
    start: dict[bool, Path]
    made: Files


@dataclass
class Tally:
    """What became of the tries of one job.

    Attributes:
        faults: of all tries, each with the way of its end.
        kinds: how often each way was taken.
        codes: how often each exit code came.
    """

    faults: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    processes: int = 0


class Campaign:
    """Jobs in folders below one, all started from this process."""

    def __init__(self, main: Main, folder: Path, seed: int) -> None:
        self._main, self._folder, self._random = main, folder, random.Random(seed)
        self._wholes: dict[str, Whole] = {}

    def whole(self, job: Job) -> Whole:
        """Run a job to its end twice, from nothing and with former files in its place.

        Raises:
            RuntimeError: it fails, or the two differ.
        """
        if job.name in self._wholes:
            return self._wholes[job.name]
        start = {False: self._start(job, former=False)}
        if job.former:
            start[True] = self._start(job, former=True)
        found = [self._run_to_the_end(job, folder) for folder in (start[False], start.get(True, start[False]))]
        (first, made), (second, again) = found
        expected = self.whole(BY_NAME[job.like]).made if job.like else made
        if faults := [*faults_at_the_end(again, expected, job.varying)]:
            raise RuntimeError(f"{job.name}: two whole runs differ: {'; '.join(faults)}")
        alone = self._alone(job, start[False])
        self._wholes[job.name] = Whole(
            first.code, max(first.seconds, second.seconds), alone.seconds, first.writes, start, expected
        )
        return self._wholes[job.name]

    def attempt(self, job: Job, tally: Tally, number: int) -> None:
        """End the job once, judge what it leaves, go on, and judge the end."""
        whole, own = self.whole(job), number % TRUE_PROCESS == TRUE_PROCESS - 1
        kind = KINDS[number % len(KINDS)] if not own else "signal"
        has_former = True in whole.start and self._random.random() < 0.5
        ending = self._drawn(kind, whole, own)
        tally.kinds[ending.signal or kind] += 1
        tally.kinds["aimed"] += kind == "aimed"
        tally.processes += own
        folder = self._folder / "try"
        try:
            with self._placed(whole.start[has_former], folder, ending):
                before = files_in(folder)
                ended = process(job.words, folder, ending) if own else fork(self._main, job.words, folder, ending)
                tally.codes[ended.code] += 1
                faults = [*_faults_of_the_end(job, ended, ending, whole.code)]
                faults += faults_after_end(
                    files_in(folder), before, whole.made, (*job.varying, *job.passing), bool(ending.signal)
                )
                _make_room(folder, ending)
                left = files_in(folder)
                words = (*job.words, *(job.again if may_go_on(left, before) and self._random.random() < 0.5 else ()))
                again = fork(self._main, words, folder)
                if again.code != whole.code:
                    faults.append(f"the next run ends with {again.code}: {again.said[-300:]}")
                else:
                    faults += faults_at_the_end(files_in(folder), whole.made, job.varying)
                where = f"{job.name}, try {number}, {ending}{', over former files' if has_former else ''}"
                where += f"{', a process of its own' if own else ''}, went on with {words[len(job.words) :]}"
                tally.faults += [f"{where}: {fault}" for fault in faults]
        except PermissionError as error:  # nobody but root mounts a small file system
            tally.skipped[f"{kind}: {error}"] += 1

    def _drawn(self, kind: str, whole: Whole, own: bool) -> Ending:
        pick = self._random
        sent = pick.choice([*ENDING_SIGNALS])
        if kind == "signal":
            seconds = whole.process_seconds if own else whole.seconds
            return Ending(kind, sent, after_s=pick.uniform(0, LATEST * seconds))
        if kind == "aimed":
            return Ending(kind, sent, at=pick.randint(1, max(1, whole.writes)))
        largest = max(map(len, whole.made.values()))
        most = {"file size": largest, "memory": MOST_MEMORY, "full disk": sum(map(len, whole.made.values()))}[kind]
        return Ending(kind, limit=pick.randint(1, most))

    def _start(self, job: Job, former: bool) -> Path:
        """A folder with what the job starts from."""
        folder = self._folder / "starts" / f"{job.name.replace(' ', '_')}{'-former' if former else ''}"
        folder.mkdir(parents=True)
        for name in job.inputs:
            shutil.copy(self._folder / "material" / name, folder)
        if former:
            self._must(fork(self._main, job.former, folder), job.former)
        if job.stopped_after:
            words = tuple(word for word in job.words if word != "--resume")
            ended = fork(self._main, words, folder, Ending("aimed", "KILL", at=2, only=job.stopped_after))
            if ended.code != -ENDING_SIGNALS["KILL"]:
                raise RuntimeError(f"{job.name}: was not stopped ({ended})")
        return folder

    def _run_to_the_end(self, job: Job, start: Path) -> tuple[Ended, Files]:
        folder = self._folder / "try"
        with self._placed(start, folder, Ending()):
            ended = self._must(fork(self._main, job.words, folder), job.words)
            return ended, files_in(folder)

    def _alone(self, job: Job, start: Path) -> Ended:
        folder = self._folder / "try"
        with self._placed(start, folder, Ending()):
            return self._must(process(job.words, folder), job.words)

    @staticmethod
    def _must(ended: Ended, words: Sequence[str]) -> Ended:
        if ended.code not in (0, 1):
            raise RuntimeError(f"{' '.join(words)}: ended with {ended.code}: {ended.said[-1000:]}")
        return ended

    @contextmanager
    def _placed(self, start: Path, folder: Path, ending: Ending) -> Iterator[None]:
        """A copy of ``start`` at ``folder``; on a small file system of its own where the disk is to be full."""
        folder.mkdir()
        is_small = ending.kind == "full disk"
        try:
            if is_small:
                needed = sum(-(-len(content) // PAGE) * PAGE for content in files_in(start).values())
                _mount(folder, f"size={needed + 16 * PAGE + ending.limit}")
            try:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                yield
            finally:
                if is_small:
                    subprocess.run(["umount", "-l", str(folder)], check=True)
        finally:
            shutil.rmtree(folder)


def _mount(folder: Path, options: str) -> None:
    if os.geteuid() != 0:
        raise PermissionError("only root mounts a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PermissionError(done.stderr.strip())


def _make_room(folder: Path, ending: Ending) -> None:
    if ending.kind == "full disk":
        subprocess.run(["mount", "-o", "remount,size=256m", str(folder)], check=True)


def _faults_of_the_end(job: Job, ended: Ended, ending: Ending, whole: int) -> Iterator[str]:
    """What is wrong with how a command ended: its exit code, its words, or that it did not end at all."""
    if ended.has_hung:
        yield "hung"
    if TRACEBACK.search(ended.said):
        yield f"traceback: {ended.said[-700:]}"
    allowed = {whole}
    if ending.signal:
        allowed |= {-ENDING_SIGNALS[ending.signal], OF_SIGNALS.get(ending.signal, whole)}
    else:
        allowed |= {2}
    if ended.code not in allowed or ended.code == ESCAPED:
        yield f"exit code {ended.code}: {ended.said[-300:]}"
    if ending.kind in ("file size", "full disk", "memory") and ended.code == 2 and "error: " not in ended.said:
        yield "was refused without a word"
    began, hint = HINT.get(job.words[0], ("", ""))
    if ended.code in OF_SIGNALS.values() and began in ended.said and hint not in ended.said:
        yield f"does not say how to go on: {ended.said[-300:]}"
