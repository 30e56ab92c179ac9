"""The Heidelberg spiking data sets: spoken digits (SHD) and Speech Commands (SSC), through a model of the cochlea.

A recording is a list of spikes of 700 units. Frames have one row of 700 columns and one polarity.

Source: B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke 2022, IEEE Trans. Neural Netw. Learn. Syst. 33(7).
"""

from __future__ import annotations

from pathlib import Path

from ..sources.event_data import Usual
from ..sources.event_file import read_spike_trains
from ..sources.found import Found
from .download import fetched_folder
from .options import DataOptions

SOURCE = "https://zenkelab.org/datasets"
UNITS = 700
# 14 and 10 ms a frame, so that nearly all spikes fall into the frames of the longest recordings.
USUAL = {"shd": Usual((UNITS, 1), 1400.0, timesteps=100), "ssc": Usual((UNITS, 1), 1000.0, timesteps=100)}
FILES = {
    "shd": {"train": "shd_train.h5", "test": "shd_test.h5"},
    "ssc": {"train": "ssc_train.h5", "validation": "ssc_valid.h5", "test": "ssc_test.h5"},
}
"""By data set and part, the published file. SHD has no validation part; one or more of its speakers become it."""


def load_shd(data_dir: Path | None, options: DataOptions) -> Found:
    """Twenty spoken digits, English and German, from ``shd_train.h5`` and ``shd_test.h5``.

    Raises:
        InputError: files are missing or damaged.
    """
    return _load("shd", data_dir, options)


def load_ssc(data_dir: Path | None, options: DataOptions) -> Found:
    """Thirty-five spoken words from ``ssc_train.h5``, ``ssc_valid.h5`` and ``ssc_test.h5``.

    Raises:
        InputError: files are missing or damaged.
    """
    return _load("ssc", data_dir, options)


def _load(name: str, data_dir: Path | None, options: DataOptions) -> Found:
    files = FILES[name]
    folder = fetched_folder(name, data_dir, (name.upper(), name, "hsd"), list(files.values()), SOURCE)
    return read_spike_trains(name, {part: folder / file for part, file in files.items()}, options, USUAL[name])
