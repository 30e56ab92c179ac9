"""Recordings of events in class folders."""

from __future__ import annotations

import numpy as np

from .event_data import Scan, Usual, found_recordings, scanned
from .event_sources import FORMATS, Files
from .folders import Listing
from .found import Found
from .options import ReadingOptions

SUFFIXES = tuple(FORMATS)
NMNIST = Usual((34, 34), 315.0, words="its .bin files were read as N-MNIST's, which last 315 ms at 34 x 34 pixels")


def read_event_files(listing: Listing, options: ReadingOptions, usual: Usual | None = None) -> Found:
    """The recordings of class folders.

    Args:
        usual: of recordings of a known kind; None: as their files are.

    Raises:
        InputError: recordings that are damaged, of different cameras, or have events outside; all of them at once.
    """
    name, source = listing.root.name, Files(tuple(listing.every), options)
    scan = scanned(f"data {name}", source)
    if usual is None and _is_nmnist(source, scan):
        usual = NMNIST
    return found_recordings(
        name,
        source,
        scan,
        {part: np.array(classes) for part, classes in listing.classes.items()},
        options,
        groups=listing.groups(options.group),
        usual=usual,
        notes=listing.notes,
        identity=listing.identity,
    )


def _is_nmnist(source: Files, scan: Scan) -> bool:
    return {path.suffix.lower() for path in source.paths} == {".bin"} and NMNIST.holds(scan)
