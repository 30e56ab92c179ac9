"""The table of formats that a chip network is written in beside its own file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from ..base.errors import InputError, arg, did_you_mean, refuse
from ..chip.network import ChipNetwork
from .lava_script import script_faults, write_lava
from .netx import netx_faults, write_netx


@dataclass(frozen=True)
class Writer:
    """One line of the table.

    Attributes:
        write: writes a network to a path.
        faults: why the format cannot hold a network, in sentences; nothing where it can.
        ending: what stands behind the stem of the chip network's file in the name of what is written.
        words: what is written, in a few words.
        is_folder: whether that is a folder.
    """

    write: Callable[[ChipNetwork, Path], None]
    faults: Callable[[ChipNetwork], Sequence[str]]
    ending: str
    words: str
    is_folder: bool = False


def _of_onnx(name: str) -> Callable[..., object]:
    """A function of the module that writes ONNX, imported when it is needed: onnx and torch take long to load."""
    return cast(Callable[..., object], resolve_name(f"{__package__}.onnx_network:{name}"))


WRITERS: dict[str, Writer] = {
    "netx": Writer(write_netx, netx_faults, ".net", "a file for lava-dl"),
    "lava": Writer(write_lava, script_faults, "_lava", "a folder with a script for Lava", is_folder=True),
    "onnx": Writer(
        lambda chip, path: cast(None, _of_onnx("write_network")(chip, path)),
        lambda chip: cast("list[str]", _of_onnx("onnx_faults")(chip)),
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
        InputError: there is no such format, or its place is that of the chip network.
    """
    found = {}
    for name in names:
        if name not in WRITERS:
            raise InputError(f"{arg('emit', name)}: there is no such format; {did_you_mean(name, WRITERS)}")
        found[name] = chip_file.with_name(chip_file.stem + WRITERS[name].ending)
        if found[name] == chip_file:
            raise InputError(f"{arg('emit', name)}: would be written to {chip_file}, where the chip network goes")
    return found


def check_formats(chip: ChipNetwork, names: Sequence[str]) -> None:
    """Refuse a network that one of these formats cannot hold.

    Raises:
        InputError: says every reason of every format.
    """
    refuse("emit", [f"{arg('emit', name)}: {fault}" for name in names for fault in WRITERS[name].faults(chip)])
