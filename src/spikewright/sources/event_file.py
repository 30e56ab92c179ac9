"""Events from one file of many recordings: spike trains or groups in HDF5, or arrays one after the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..base.errors import InputError, refuse
from .event_arrays import FIELDS, Array, arrays_in, fields_in, h5_file, member, npz_file, values
from .event_data import Usual, found_recordings, scanned
from .event_sources import Groups, Joined, Pieces, SpikeTrains, train_faults
from .found import Found
from .official import part_files
from .options import ReadingOptions
from .recordings import Source

SPIKES = ("spikes/times", "spikes/units", "labels")
COCHLEA = Usual((700, 1), timesteps=100, words="its spike trains were read as those of a cochlea of 700 units")
"""The artificial cochlea of the Heidelberg data sets."""
_NAMES = (*(name for names in FIELDS.values() for name in names), "labels", "lengths", "recording")
"""Names of arrays that a file of many recordings may hold; others may be there too."""
ONE = "holds one recording without a class; give a folder that holds a folder of recordings for each class"


def is_spike_trains(path: Path) -> bool:
    """Whether an HDF5 file holds ``spikes/times``, ``spikes/units`` and ``labels``.

    Raises:
        InputError: it is damaged.
    """
    with h5_file(path) as file:
        return all(isinstance(member(file, name), h5py.Dataset) for name in SPIKES)


@dataclass(frozen=True, eq=False)
class _Head:
    """What a file of spike trains says of its recordings.

    Attributes:
        count: recordings.
        labels: of each, its class.
        names: of the classes; None where there are none.
        speakers: of each recording; None where they are not said.
    """

    count: int
    labels: Array
    names: tuple[str, ...] | None
    speakers: Array | None

    def faults(self, path: Path) -> Iterator[str]:
        """What does not fit together."""
        if self.labels.dtype.kind not in "iu" or self.labels.shape != (self.count,) or not self.count:
            yield f"{path}: has {self.count} recordings and labels {self.labels.shape}; each needs a class, a number"
        elif self.labels.min() < 0 or (self.names is not None and self.labels.max() >= len(self.names)):
            known = len(self.names or ())
            yield f"{path}: labels reach {self.labels.min()}..{self.labels.max()}, and extra/keys names {known} classes"


def _head(path: Path) -> _Head:
    with h5_file(path) as file:
        missing = [name for name in SPIKES if not isinstance(member(file, name), h5py.Dataset)]
        if missing:
            raise InputError(f"{path}: has no {', '.join(missing)}; spike trains need {', '.join(SPIKES)}")
        refuse(str(path), list(train_faults(file)))
        keys, speakers = member(file, "extra/keys"), member(file, "extra/speaker")
        names = None if keys is None else tuple(map(_text, np.asarray(values(path, keys)).reshape(-1).tolist()))
        count = len(file[SPIKES[0]])
        said = None if speakers is None else values(path, speakers)
        return _Head(
            count, values(path, file["labels"]), names, None if said is None or said.shape != (count,) else said
        )


def _said_in(group: h5py.Group) -> object:
    """The class that a group says of its recording; None where it says none."""
    said = group.attrs.get("label")
    return said if isinstance(said, str | bytes | int | np.integer) else None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def read_spike_trains(
    name: str, files: Mapping[str, Path], options: ReadingOptions, usual: Usual | None = None
) -> Found:
    """Spike trains of a cochlea, as the Heidelberg data sets hold them.

    What is split off the training part are whole speakers, where its file names them.

    Args:
        files: by part, its file.
        usual: of a known data set.

    Raises:
        InputError: files or recordings that are damaged; all of them at once.
    """
    heads = {part: _head(path) for part, path in files.items()}
    refuse(f"data {name}", [fault for part, path in files.items() for fault in heads[part].faults(path)])
    source = Joined(tuple(SpikeTrains(path, heads[part].count) for part, path in files.items()))
    scan = scanned(f"data {name}", source)
    if usual is None and COCHLEA.holds(scan):
        usual = COCHLEA
    first = next(iter(heads.values()))
    return found_recordings(
        name,
        source,
        scan,
        {part: head.labels.astype(np.int64) for part, head in heads.items()},
        options,
        names=first.names,
        groups=heads["train"].speakers if "train" in heads else None,
        usual=usual,
        identity=identity_of_files(files.values()),
    )


def identity_of_files(files: Iterable[Path]) -> str:
    """A hash of the names and sizes of files, by which they are known again."""
    return hashlib.sha256(repr([(file.name, file.stat().st_size) for file in files]).encode()).hexdigest()


def read_event_h5(path: Path, options: ReadingOptions) -> Found:
    """Recordings in HDF5: spike trains, of parts in files beside each other; in one file a group for each recording, or
    arrays with one after the other.

    Raises:
        InputError: it holds none of these, or recordings that are damaged; all of them at once.
    """
    if is_spike_trains(path):
        return read_spike_trains(*part_files(path), options)
    with h5_file(path) as file:
        arrays = {name: values(path, file[name]) for name in _NAMES if isinstance(member(file, name), h5py.Dataset)}
        groups = sorted((name for name in file if isinstance(member(file, name), h5py.Group)), key=_natural)
        said = [_said_in(file[name]) for name in groups]
    if fields_in(arrays):
        return _of_arrays(path, arrays, options)
    labels = arrays.get("labels", np.array(said) if groups and None not in said else None)
    if labels is None:
        raise InputError(f"{path}: {ONE}" if not groups or "events" in groups else f"{path}: {_GROUPS_NEED}")
    return _classified(path, Groups(path, tuple(groups), options), labels, options)


_GROUPS_NEED = (
    "its groups have no classes; give each an attribute 'label', or the file an array 'labels' in their order"
)


def read_event_npz(path: Path, options: ReadingOptions) -> Found | None:
    """Recordings in one ``.npz`` file: arrays of events, one recording after the other, and their classes.

    Arrays: ``t, x, y, p`` of all events; ``lengths``, events of each recording, or ``recording``, of each event the
    number of its recording, ascending from 0; ``labels`` of the recordings.

    Returns:
        None for a file that holds no times, columns, rows and polarities.

    Raises:
        InputError: arrays that are missing or do not fit together, or recordings that are damaged; all at once.
    """
    if not holds_events(path):
        return None
    with npz_file(path) as file:
        return _of_arrays(path, arrays_in(file), options)


def holds_events(path: Path) -> bool:
    """Whether an ``.npz`` file has arrays of times, columns, rows and polarities.

    Raises:
        InputError: a damaged file.
    """
    with npz_file(path) as file:
        return bool(fields_in(dict.fromkeys(file.files)))


def _of_arrays(path: Path, arrays: Mapping[str, Array], options: ReadingOptions) -> Found:
    fields = {field: arrays[name].reshape(-1) for field, name in fields_in(arrays).items()}
    labels, lengths, recording = (arrays.get(name) for name in ("labels", "lengths", "recording"))
    if labels is None:
        raise InputError(f"{path}: {ONE}, or add arrays 'labels' and 'lengths', of each recording its class and events")
    if labels.ndim != 1:
        raise InputError(f"{path}: has labels of shape {labels.shape}; each recording has one class, (recordings,)")
    if not fields:
        raise InputError(f"{path}: its arrays of times, columns, rows and polarities are no arrays; save it again")
    events = len(fields["t"])
    if lengths is None and recording is not None and _are_numbers_of(recording, len(labels)):
        lengths = np.bincount(recording, minlength=len(labels))
    if lengths is None or not _are_lengths(lengths, labels, events):
        raise InputError(
            f"{path}: has {len(labels)} labels and {events} events; 'lengths' must say how many events each recording "
            "has, or 'recording' which one each event is of, ascending from 0"
        )
    ends = np.cumsum(lengths).astype(np.int64)
    return _classified(path, Pieces(path, fields, ends, options), labels, options)


def _are_numbers_of(recording: Array, count: int) -> bool:
    """Whether an array holds of each event the number of one of ``count`` recordings, ascending from 0."""
    if recording.dtype.kind not in "iu" or recording.ndim != 1 or not recording.size:
        return False
    return bool((np.diff(recording.astype(np.int64)) >= 0).all() and recording[0] >= 0 and recording[-1] < count)


def _are_lengths(lengths: Array, labels: Array, events: int) -> bool:
    """Whether an array holds of each recording how many of the events it has."""
    if lengths.shape != labels.shape or lengths.dtype.kind not in "iu" or not lengths.size:
        return False
    return bool(0 <= lengths.min() and lengths.max() <= events and lengths.sum() == events)


def _classified(path: Path, source: Source, labels: Array, options: ReadingOptions) -> Found:
    if labels.shape != (len(source.names),):
        raise InputError(f"{path}: has {len(source.names)} recordings and labels {labels.shape}; each needs one class")
    words = list(map(_text, labels.tolist()))
    scan = scanned(f"data {path.stem}", source)
    parts = {"train": np.array(words)}
    return found_recordings(path.stem, source, scan, parts, options, identity=identity_of_files([path]))


def _natural(text: str) -> list[str | int]:
    """A key that sorts text with numbers by the numbers."""
    return [int(each) if each.isdigit() else each for each in re.split(r"(\d+)", text)]
