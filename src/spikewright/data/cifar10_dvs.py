"""CIFAR10-DVS: images of CIFAR-10 that move before an event camera of 128 x 128 pixels, 1000 recordings of each class.

The published archives hold a folder for each class, with recordings as AEDAT 2.0; there are copies as AEDAT 4 and as
matrices of jAER's ``dat2mat``. There is no official split.

Source: H. Li, H. Liu, X. Ji, G. Li, L. Shi 2017, Front. Neurosci. 11:309.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..sources.event_data import Usual
from ..sources.event_folder import read_event_files
from ..sources.folders import list_folder
from ..sources.found import Found
from .download import fetched_folder
from .options import DataOptions

NAME = "cifar10-dvs"
SOURCE = "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FORMATS = (".aedat", ".aedat4", ".mat")
USUAL = Usual((128, 128), 1300.0, pool=4)
"""The first 1.3 s of a recording, as 32 x 32 pixels."""


def load_cifar10_dvs(data_dir: Path | None, options: DataOptions) -> Found:
    """The recordings of the ten class folders.

    Raises:
        InputError: folders are missing, or recordings are damaged; all of them at once.
    """
    folder = fetched_folder(NAME, data_dir, ("CIFAR10DVS", "CIFAR10-DVS"), CLASSES, SOURCE)
    _, listing = list_folder(folder, {"recordings": FORMATS})
    return replace(read_event_files(listing, options, USUAL), name=NAME)
