"""What a file is that cannot be used as a teacher or its weights, told by its content without running any of it."""

from __future__ import annotations

import mmap
import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ..base.damaged import UNPACKING
from ..base.errors import arg

MODULE_AND_WEIGHTS = (
    f"{arg('teacher', 'net.py:build')} with {arg('weights', 'w.pt')}, where build() returns the network and "
    "w.pt is torch.save(network.state_dict(), 'w.pt')"
)
ONNX_OF_TORCH = "an ONNX model, torch.onnx.export(network.eval(), (samples[:1],), 'model.onnx')"
ONNX_OF_KERAS = (
    "write it as ONNX, network.export('model.onnx', format='onnx') in Keras 3, or python -m tf2onnx.convert for a "
    f"saved model, and give {arg('teacher', 'model.onnx')}"
)
WEIGHT_FILES = (".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".th", ".tar")
KERAS_FILES = (".h5", ".hdf5", ".keras", ".pb", ".tflite")

_MOST_OPERATIONS = 100_000
_PREPARING = ("PROTO", "FRAME", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "BINUNICODE", "SHORT_BINUNICODE")
"""Operations that may stand before the one that begins an object."""
_LEGACY_PREFACES = 3
"""Pickles before the object itself in a file that torch wrote before version 1.6."""


def keras_or_tensorflow(path: Path) -> str | None:
    """What is wrong with a model of Keras or TensorFlow, and how to use it; None for anything else."""
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return f"is a TensorFlow saved model, which is not run here; {ONNX_OF_KERAS}"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n" or _holds(path, "model.weights.h5"):
        return f"is a Keras model or another HDF5 file, which is not run here; {ONNX_OF_KERAS}"
    if path.suffix.lower() in KERAS_FILES:
        return f"is a model of Keras or TensorFlow, which is not run here; {ONNX_OF_KERAS}"
    return None


def program_of_torch(path: Path) -> str | None:
    """What is wrong with a file of torch that holds code instead of numbers; None for anything else."""
    ways = f"give {MODULE_AND_WEIGHTS}; or {ONNX_OF_TORCH}"
    if _holds(path, "constants.pkl", "serialized_exported_program.json", "archive_format"):
        return f"is a program (TorchScript, or torch.export), which is code, and code in a file is not run; {ways}"
    made, _ = pickled(path)
    if made is not None and not made.startswith(("collections.", "torch._utils.")):
        return (
            f"holds an object of class {made} in a pickle, as torch.save(network) writes it, and code that a file names"
            f" is not run; {ways}"
        )
    return None


def pickled(path: Path) -> tuple[str | None, list[str]]:
    """The class of the object in a file of ``torch.save``, and every class or function that it asks for.

    Nothing is unpickled. The class is None for plain numbers, texts, lists and dictionaries, and where it is no pickle.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python, about texts in a pickle that are none
            return _pickled(path)
    except UNPACKING:
        return None, []


def _pickled(path: Path) -> tuple[str | None, list[str]]:
    if not zipfile.is_zipfile(path):
        # Mapped: lengths that stand in a pickle are asked for as they are, and a map gives what there is.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _asked(cast("IO[bytes]", content), _LEGACY_PREFACES)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if not names:
            return None, []
        with archive.open(names[0]) as member:
            return _asked(member, 0)


def _asked(file: IO[bytes], prefaces: int) -> tuple[str | None, list[str]]:
    for _ in range(prefaces):
        for _operation in pickletools.genops(file):
            pass
    operations = [(name, asked) for name, asked in _operations(file) if name not in _PREPARING]
    return operations[0][1], list(dict.fromkeys(asked for _, asked in operations if asked is not None))


def _operations(file: IO[bytes]) -> Iterator[tuple[str, str | None]]:
    """Operations of a pickle, and the class or function that an operation asks for."""
    texts: list[str] = []
    for count, (operation, value, _) in enumerate(pickletools.genops(file)):
        if count == _MOST_OPERATIONS:
            return
        if operation.name == "GLOBAL":
            yield operation.name, str(value).replace(" ", ".")
        elif operation.name == "STACK_GLOBAL":
            yield operation.name, ".".join(texts[-2:])
        else:
            yield operation.name, None
        if isinstance(value, str):
            texts.append(value)


def _holds(path: Path, *names: str) -> bool:
    """Whether a file is an archive with a member of one of these names."""
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(member.rsplit("/", 1)[-1] in names for member in archive.namelist())
    except UNPACKING:  # a damaged archive, which holds nothing that can be named
        return False
