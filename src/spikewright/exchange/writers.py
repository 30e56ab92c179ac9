"""The table of formats that a chip network is written in beside its own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TypeAlias

from ..base.errors import InputError, arg, did_you_mean, refuse
from ..chip.network import ChipNetwork

Write: TypeAlias = Callable[[ChipNetwork, Path], None]
Faults: TypeAlias = Callable[[ChipNetwork], Sequence[str]]


@dataclass(frozen=True)
class Writer:
    """One line of the table.

    Attributes:
        writer: writes a network to a path: the function, or its place, ``package.module:function``, which is imported
            when it is needed.
        refusals: why the format cannot hold a network, in sentences; nothing where it can. A function or its place.
        ending: what stands behind the stem of the chip network's file in the name of what is written.
        words: what is written, in a few words.
        is_folder: whether that is a folder.
        place_check: raises an InputError where something at the path would be lost; a function, its place, or None.
    """

    writer: Write | str
    refusals: Faults | str
    ending: str
    words: str
    is_folder: bool = False
    place_check: Write | str | None = None

    def write(self, chip: ChipNetwork, path: Path) -> None:
        """Write a network that the format can hold to ``path``."""
        write: Write = resolve_name(self.writer) if isinstance(self.writer, str) else self.writer
        write(chip, path)

    def check_place(self, chip: ChipNetwork, path: Path) -> None:
        """Refuse a path where something would be lost."""
        check = resolve_name(self.place_check) if isinstance(self.place_check, str) else self.place_check
        if check is not None:
            check(chip, path)

    def faults(self, chip: ChipNetwork) -> Sequence[str]:
        """Why the format cannot hold ``chip``; nothing where it can."""
        faults: Faults = resolve_name(self.refusals) if isinstance(self.refusals, str) else self.refusals
        return faults(chip)


_HERE = __package__

WRITERS: dict[str, Writer] = {
    "netx": Writer(f"{_HERE}.netx:write_netx", f"{_HERE}.netx:netx_faults", ".net", "a file for lava-dl"),
    "lava": Writer(
        f"{_HERE}.lava_script:write_lava",
        f"{_HERE}.lava_script:script_faults",
        "_lava",
        "a folder with a script for Lava",
        is_folder=True,
        place_check=f"{_HERE}.lava_script:check_folder",
    ),
    "onnx": Writer(
        f"{_HERE}.onnx_network:write_network",
        f"{_HERE}.onnx_network:onnx_faults",
        ".onnx",
        "an ONNX model of all timesteps on integers",
    ),
}


def described() -> str:
    """Every format in words, for a help text."""
    return "; ".join(f"{name}: {each.words}, CHIP{each.ending}" for name, each in WRITERS.items())


def places(names: Sequence[str], chip_file: Path) -> dict[str, Path]:
    """Where each format goes, beside the chip network's own file.

    Raises:
        InputError: there is no such format, or its place is taken: by the chip network, or a folder's by a file.
    """
    found = {}
    for name in names:
        if name not in WRITERS:
            raise InputError(f"{arg('emit', name)}: there is no such format; {did_you_mean(name, WRITERS)}")
        found[name] = chip_file.with_name(chip_file.stem + WRITERS[name].ending)
        if found[name] == chip_file:
            raise InputError(f"{arg('emit', name)}: would be written to {chip_file}, where the chip network goes")
        if WRITERS[name].is_folder and found[name].exists() and not found[name].is_dir():
            raise InputError(f"{found[name]}: is there and is no folder, which {arg('emit', name)} makes; move it away")
    return found


def check_formats(chip: ChipNetwork, written: Mapping[str, Path]) -> None:
    """Refuse a network that one of these formats cannot hold, or a path where something would be lost.

    Args:
        written: by name of a format, where it goes.

    Raises:
        InputError: says every reason of every format.
    """
    refuse("emit", [f"{arg('emit', name)}: {fault}" for name in written for fault in WRITERS[name].faults(chip)])
    for name, path in written.items():
        WRITERS[name].check_place(chip, path)
