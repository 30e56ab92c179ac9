"""Refusals of data that are not available: no network, no folder, no package."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

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
