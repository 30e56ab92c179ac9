"""Refusals of data that are not available: no network, no folder, no package."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..base.cache import cache_root
from ..base.errors import InputError, arg


@contextlib.contextmanager
def download(name: str, files: str) -> Iterator[None]:
    """Run a download; what it prints goes to standard error, and a failure becomes an :class:`InputError`.

    Args:
        files: names of the files that may be put into a folder instead.

    Raises:
        InputError: the download failed.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (OSError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".:")
        raise InputError(
            f"{name}: is not on this machine and could not be downloaded ({reason}); connect to the "
            f"network once, or give with {arg('data_dir')} a folder that holds {files}"
        ) from error


def fetched_folder(name: str, data_dir: Path | None, below: Sequence[str], wanted: Sequence[str], source: str) -> Path:
    """The folder that holds the files of a data set that a person has fetched: the given one, or one of the cache.

    Args:
        name: of the data set.
        data_dir: the given folder; None: look in the cache.
        below: names of folders in it that may hold the files in its stead.
        wanted: names of files and folders that it must hold.
        source: where a person gets them, for the message.

    Raises:
        InputError: there is no such folder, or it lacks some of them.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise InputError(
            f"{data_dir}: there is no such folder; {arg('data_dir')} is the folder with the files of {name}"
        )
    root = cache_root() / "data" if data_dir is None else data_dir
    places = [root, *(root / folder for folder in below)]
    lacking = {place: [each for each in wanted if not (place / each).exists()] for place in places if place.is_dir()}
    found = next((place for place, missing in lacking.items() if not missing), None)
    if found is not None:
        return found
    if data_dir is None:
        raise InputError(
            f"{name}: is not on this machine; get it from {source}, unpack it, and give with {arg('data_dir')} the "
            f"folder that holds {_listed(wanted)}"
        )
    nearest = min(lacking, key=lambda place: len(lacking[place]))
    missing = lacking[nearest]
    packed = sorted(
        each.name for each in nearest.iterdir() if each.name.split(".")[0] in {m.split(".")[0] for m in missing}
    )
    hint = f"unpack {_listed(packed)}" if packed else f"get what is missing from {source}"
    raise InputError(f"{nearest}: lacks {_listed(missing)} of {name}; {hint}, or give another {arg('data_dir')}")


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(names[:4])
    return some if len(names) <= 4 else f"{some} and {len(names) - 4} more"


def missing_folder(data_dir: Path, name: str) -> InputError:
    """The refusal of a ``data_dir`` that is not a folder."""
    return InputError(
        f"{data_dir}: there is no such folder; {arg('data_dir')} is the folder that holds the files of {name}, "
        "or leave it out to have them found or downloaded"
    )


def reads_no_folder(data_dir: Path, name: str, package: str) -> InputError:
    """The refusal of a ``data_dir`` for data that come with a package."""
    return InputError(f"{data_dir}: {name} comes with {package} and reads no folder; leave {arg('data_dir')} out")


def missing_package(name: str, package: str, extra: str) -> InputError:
    """The refusal of data whose package, which brings or reads them, is not installed."""
    return InputError(
        f"{name}: needs {package}, which is not installed; install it with `pip install 'spikewright[{extra}]'`"
    )
