"""What a reader of files is, for the fuzzer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import formats
from .seeds import Seeds

Beside = Callable[[int], Mapping[str, bytes]]
"""By the number of the seed, files that lie beside the one that is changed."""
SMALL = 20_000
"""Values of a network or a sample that is still run."""


def alone(_: int) -> Mapping[str, bytes]:
    """No files beside."""
    return {}


@dataclass(frozen=True)
class Reader:
    """A reader with valid files.

    Attributes:
        kind: the counts of the summary that this reader's count to.
        file: name of the file that is changed, below the folder that is given.
        seeds: valid files.
        change: makes another valid file of one.
        read: what the library reads; of the path of the file.
        step: what is then done with it, under the same rules.
        beside: files beside it.
        writes: names of files that reading makes beside it: a database with its lock and journal.
        is_read: whether any file is read; published pickles alone are, whose checksums are known.
    """

    kind: str
    file: str
    seeds: Sequence[bytes]
    change: formats.Change
    read: Callable[[Path], Any]
    step: Callable[[Any, int], object] = lambda found, seed: None
    beside: Beside = alone
    writes: tuple[str, ...] = ()
    is_read: bool = True


@dataclass(frozen=True)
class Row:
    """A reader before its seeds are made.

    Attributes:
        make: the reader.
        needs: modules of extras without which there is none.
    """

    make: Callable[[Seeds], Reader]
    needs: tuple[str, ...] = field(default=())


def same(files: Iterable[tuple[str, bytes]]) -> Beside:
    """The same files beside every seed."""
    kept = dict(files)
    return lambda _: kept
