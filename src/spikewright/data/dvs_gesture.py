"""DVS128 Gesture: eleven gestures of 29 people before an event camera, in their published files.

A file holds one person's gestures one after the other; a table beside it says from when to when each of them goes. The
published lists of files are the training and the test part. Whole people are taken out of the training part for
validation.

Source: A. Amir et al. 2017, CVPR, A low power, fully event-based gesture recognition system; its README describes the
files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import InputError, refuse
from ..base.types import IntArray
from ..sources.event_data import Usual, found_recordings, scanned
from ..sources.event_file import identity_of_files
from ..sources.event_sources import Files
from ..sources.found import Found
from ..sources.recordings import Spans
from .download import fetched_folder
from .options import DataOptions

NAME = "dvs128-gesture"
SOURCE = "https://research.ibm.com/interactive/dvsgesture"
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
HEADER = "class,startTime_usec,endTime_usec"
GESTURES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter clockwise",
    "left arm clockwise",
    "left arm counter clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
"""By class, in the order of its number in the tables, from 1."""
USUAL = Usual((128, 128), 1500.0, pool=4, timesteps=20)
"""The first 1.5 s of a gesture as 20 frames of 32 x 32 pixels."""


@dataclass(frozen=True)
class _Gesture:
    file: int
    label: int
    start: int
    end: int


def load_gestures(data_dir: Path | None, options: DataOptions) -> Found:
    """The gestures of ``trials_to_train.txt`` and ``trials_to_test.txt``.

    Raises:
        InputError: files are missing or damaged; all faults of the tables at once.
    """
    folder = fetched_folder(NAME, data_dir, ("DvsGesture", "DVSGesture"), list(LISTS.values()), SOURCE)
    listed = {part: _lines(folder / name) for part, name in LISTS.items()}
    trials = [trial for names in listed.values() for trial in names]
    files = [folder / trial for trial in trials]
    tables = [folder / f"{file.stem}_labels.csv" for file in files]
    absent = [f"{each}: is listed and missing; {_AGAIN}" for each in (*files, *tables) if not each.is_file()]
    refuse(f"data {NAME}", absent)
    faults: list[str] = []
    found = [gesture for index, table in enumerate(tables) for gesture in _gestures(index, table, faults)]
    refuse(f"data {NAME}", faults)
    source = Files(tuple(files), options)
    scan = scanned(f"data {NAME}", source)
    spans = Spans(*(np.array([getattr(g, name) for g in found], np.int64) for name in ("file", "start", "end")))
    refuse(f"data {NAME}", list(_outside(tables, spans, scan.start, scan.end)))
    count = len(listed["train"])
    labels = np.array([gesture.label for gesture in found], np.int64)
    return found_recordings(
        NAME,
        source,
        scan,
        {"train": labels[spans.recording < count], "test": labels[spans.recording >= count]},
        options,
        names=GESTURES,
        groups=[trials[gesture.file].split("_")[0] for gesture in found if gesture.file < count],
        usual=USUAL,
        spans=spans,
        identity=identity_of_files(files),
    )


_AGAIN = "get the files again"


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {_AGAIN}") from error
    names = [line for line in lines if line]
    strange = [name for name in names if not _is_file_name(name)]
    if strange or not names:
        raise InputError(
            f"{path}: lists {strange[0] if strange else 'nothing'}; each line is a file userNN_LIGHT.aedat"
        )
    return names


def _is_file_name(text: str) -> bool:
    return Path(text).name == text and text.endswith(".aedat") and len(text) < 100 and text.isprintable()


def _gestures(file: int, table: Path, faults: list[str]) -> Iterator[_Gesture]:
    """The gestures of a table; what is wrong with it is noted."""
    lines = table.read_text(encoding="utf-8", errors="replace").split()
    if not lines or lines[0] != HEADER:
        faults.append(f"{table}: does not begin with {HEADER}; {_AGAIN}")
        return
    for number, line in enumerate(lines[1:], 2):
        fields = line.split(",")
        if len(fields) != 3 or not all(field.isascii() and field.isdigit() and len(field) < 16 for field in fields):
            faults.append(f"{table}: line {number} is {line!r}; must be a class and two times in us")
            continue
        label, start, end = map(int, fields)
        if not 1 <= label <= len(GESTURES) or start >= end:
            faults.append(
                f"{table}: line {number} is {line!r}; classes are 1 to {len(GESTURES)}, and the end comes later"
            )
            continue
        yield _Gesture(file, label - 1, start, end)


def _outside(tables: list[Path], spans: Spans, first: IntArray, last: IntArray) -> Iterator[str]:
    """Gestures that begin after the last event of their file, or end before the first."""
    for each in np.flatnonzero((spans.start >= last[spans.recording]) | (spans.end <= first[spans.recording])):
        file = spans.recording[each]
        yield (
            f"{tables[file]}: has a gesture from {spans.start[each]} to {spans.end[each]} us, and the events of its "
            f"recording go from {first[file]} to {last[file]}; {_AGAIN}"
        )
