"""The cache folder, which holds downloaded data and trained teachers."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from .errors import InputError

CACHE_VARIABLE = "SPIKEWRIGHT_CACHE"


def cache_folder(part: str, cache_dir: Path | None = None) -> Path:
    """The folder ``part`` of the cache, created if it is missing.

    The cache is ``cache_dir``, else the folder that ``SPIKEWRIGHT_CACHE`` names, else the user's cache folder of the
    operating system.

    Raises:
        InputError: the folder cannot be created.
    """
    folder = cache_root(cache_dir) / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the cache folder cannot be made ({error.strerror}); "
            f"set {CACHE_VARIABLE} to a folder that can be written"
        ) from error
    return folder


def cache_root(cache_dir: Path | None = None) -> Path:
    """The cache's own folder, whether or not it exists."""
    if cache_dir is not None:
        return cache_dir
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("spikewright")
