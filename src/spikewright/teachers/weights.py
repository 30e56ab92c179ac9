"""Weights of a network from a state dict in a file, opened out of checkpoints and fitted to the network's names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..base.artefacts import existing_file
from ..base.errors import InputError, a_kind, arg, refuse
from ..base.torch_file import claimed_bytes, unpacked
from ..student.finite import not_finite
from .foreign import keras_or_tensorflow, pickled, program_of_torch
from .reparametrized import put_together

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints of Lightning and of common training scripts hold the state dict."""
ADDED = ("module", "_orig_mod")
"""Parts of names that data parallelism and compilation add."""
SHOWN = 3
SAFETENSORS = ".safetensors"


@dataclass(frozen=True, eq=False)
class StateDict:
    """Weights by name, and what was done to find them.

    Attributes:
        path: of the file.
        values: tensors by name; a quantized layer has other values, too.
        remarks: sentences for the user.
        prefix: of the names in the file that these are under.
    """

    path: Path
    values: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    prefix: str = ""


def read_weights(path: Path) -> StateDict:
    """The state dict in a file of ``torch.save``, or of safetensors; nothing in it is executed.

    Raises:
        InputError: no such file, or a file that holds no state dict, with what it is where that is known.
    """
    existing_file(path, "a state dict, as torch.save(network.state_dict(), 'w.pt') writes it")
    if path.suffix.lower() == SAFETENSORS:
        return StateDict(path, _safetensors(path))
    if path.suffix.lower() == ".onnx":
        raise InputError(
            f"{path}: is an ONNX model, which is a network with its weights; give {arg('teacher', path)} alone"
        )
    if (fault := keras_or_tensorflow(path) or program_of_torch(path)) is not None:
        raise InputError(f"{path}: {fault}")
    if (claimed := claimed_bytes(path)) > path.stat().st_size:
        raise InputError(f"{path}: claims {claimed} bytes and stores {path.stat().st_size}; write it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about bytes in another format; the refusal below covers them
            content = unpacked(path)
    except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
        raise InputError(f"{path}: {_why_unreadable(path)}") from error
    return _opened(path, content)


def _why_unreadable(path: Path) -> str:
    made, asked = pickled(path)
    others = [name for name in asked if not name.startswith(("collections.", "torch."))]
    if made is None and not others:
        return "is no state dict, or is cut short; write one by torch.save(network.state_dict(), 'w.pt')"
    return (
        f"holds objects of {_few(others)} beside its weights, and objects of a file are not made; where you trust it, "
        "write its weights alone: torch.save(torch.load(FILE, weights_only=False)['state_dict'], 'w.pt')"
    )


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(
            f"{path}: is read by safetensors, which is not installed; install it with "
            "`pip install 'spikewright[safetensors]'`"
        ) from error
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is no safetensors file, or is cut short ({error})") from error


def _opened(path: Path, content: object) -> StateDict:
    """The state dict itself, or the one in a checkpoint."""
    wrapper = next(
        (key for key in WRAPPERS if isinstance(content, Mapping) and isinstance(content.get(key), Mapping)), None
    )
    found = content if wrapper is None else content[wrapper]  # type: ignore[index]
    if isinstance(content, Mapping) and {"header", "weights"} <= content.keys():
        raise InputError(
            f"{path}: is a student, which is a network with its weights; give {arg('teacher', path)} alone"
        )
    if not isinstance(found, Mapping) or not any(isinstance(value, Tensor) for value in found.values()):
        held = f"the keys {_few(map(str, found))}" if isinstance(found, Mapping) else f"{a_kind(type(found).__name__)}"
        raise InputError(
            f"{path}: holds {held} and no state dict, not under {', '.join(WRAPPERS)} either; write one by "
            "torch.save(network.state_dict(), 'w.pt')"
        )
    if wrapper is None:
        return StateDict(path, dict(found))
    beside = [str(key) for key in content if key != wrapper]  # type: ignore[attr-defined]
    left = f"; left out: {_few(beside)}" if beside else ""
    return StateDict(path, dict(found), (f"{path.name}: {wrapper} of the checkpoint is used{left}",))


def load_weights(network: nn.Module, state: StateDict, called: str) -> tuple[str, ...]:
    """Give ``network`` these weights; returns what was done to their names, in sentences.

    Parts of names that wrappers added are taken off, and a prefix where what is under it fits exactly.

    Args:
        called: the network, in messages.

    Raises:
        InputError: weights that do not fit: missing, unexpected and of other shapes, a few of each; or that are NaN or
            infinite.
    """
    expected = network.state_dict()
    whole = [each for found in _renamings(state, expected) for each in (found, *_whole_weights(found))]
    fitting = [each for each in whole if not _misfits(each.values, expected)][:1]
    fitting = fitting or [each for each in _parts(whole, expected) if not _misfits(each.values, expected)]
    if not fitting:
        nearest = max(whole, key=lambda each: _likeness(each.values, expected))
        raise InputError(
            f"{state.path}: does not fit {called}: {'; '.join(_misfits(nearest.values, expected))}; give the function "
            "that built the network of these weights"
        )
    if len(fitting) > 1:
        prefixes = " and ".join(repr(each.prefix) for each in fitting)
        raise InputError(
            f"{state.path}: holds more than one set of weights that fits {called}, under {prefixes}; write one alone"
        )
    refuse(
        str(state.path),
        [
            f"{name!r} holds complex numbers; {called} has real ones"
            for name, value in fitting[0].values.items()
            if isinstance(value, Tensor) and value.is_complex() and not expected[name].is_complex()
        ],
    )
    try:
        network.load_state_dict(fitting[0].values, strict=False)
    except (RuntimeError, LookupError) as error:
        raise InputError(f"{state.path}: does not fit {called} ({str(error).splitlines()[0]})") from error
    refuse(f"{state.path}, as {called}", list(not_finite(fitting[0].values)))
    return fitting[0].remarks


def _whole_weights(state: StateDict) -> Iterator[StateDict]:
    """The same weights with those in parts, as pruning and norms leave them, put together."""
    values = put_together(state.values)
    if values.keys() != state.values.keys():
        yield _renamed(state, values, "weights that were pruned or normed are put together")


def _renamings(state: StateDict, expected: Mapping[str, Any]) -> Iterator[StateDict]:
    """The weights under their own names, without the parts that wrappers added, without beginnings that all share."""
    yield state
    known = {part for name in expected for part in name.split(".")}
    added = [part for part in ADDED if part not in known]
    bare = {
        ".".join(part for part in name.split(".") if part not in added): value for name, value in state.values.items()
    }
    if bare.keys() != state.values.keys() and len(bare) == len(state.values):
        prefixes = " and ".join(
            repr(f"{part}.") for part in added if any(part in name.split(".") for name in state.values)
        )
        state = _renamed(state, bare, f"{prefixes} taken off its names")
        yield state
    values, off = dict(state.values), ""
    while values and all("." in name for name in values) and len({name.split(".")[0] for name in values}) == 1:
        off += f"{next(iter(values)).split('.')[0]}."
        values = {name.partition(".")[2]: value for name, value in values.items()}
        yield _renamed(state, values, f"the prefix {off!r} taken off its names")


def _parts(whole: Iterable[StateDict], expected: Mapping[str, Any]) -> Iterator[StateDict]:
    """The weights under each prefix that an expected name has somewhere, without those beside them."""
    first, seen = next(iter(expected), ""), set()
    for state in whole if first else ():
        for prefix in (name[: -len(first)] for name in state.values if name.endswith(f".{first}")):
            under = {name[len(prefix) :]: value for name, value in state.values.items() if name.startswith(prefix)}
            beside = [name for name in state.values if not name.startswith(prefix)]
            if (identity := tuple(map(id, under.values()))) not in seen:
                seen.add(identity)
                found = _renamed(state, under, f"what is under {prefix!r} is used; left out: {_few(beside)}")
                yield replace(found, prefix=prefix)


def _renamed(state: StateDict, values: Mapping[str, Any], done: str) -> StateDict:
    return StateDict(state.path, values, (*state.remarks, f"{state.path.name}: {done}"))


def _misfits(values: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What is missing, unexpected or of another shape, a few of each."""
    given = {tensor.data_ptr() for name, tensor in expected.items() if name in values and _is_sized(tensor)}
    missing = [name for name in expected if name not in values and not _is_spare(name, expected[name], given)]
    unexpected = [name for name in values if name not in expected]
    shapes = [
        f"{name} is {_shape(values[name])} and should be {_shape(expected[name])}"
        for name in expected
        if name in values and _is_sized(values[name]) and _is_sized(expected[name])
        if values[name].shape != expected[name].shape
    ]
    found = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    return [f"{len(names)} {what}: {_few(names)}" for what, names in found if names]


def _is_spare(name: str, expected: Any, given: set[int]) -> bool:
    """Whether nothing is missing without this name: a counter of batches, or a tensor with another name as well."""
    tied = _is_sized(expected) and expected.data_ptr() != 0 and expected.data_ptr() in given
    return tied or name.endswith("num_batches_tracked")


def _is_sized(value: Any) -> bool:
    return isinstance(value, Tensor) and not nn.parameter.is_lazy(value)


def _shape(value: Tensor) -> str:
    return str(tuple(value.shape))


def _likeness(values: Mapping[str, Any], expected: Mapping[str, Any]) -> int:
    """How many names, and then how many shapes, are those expected."""
    same = [name for name in values if name in expected]
    return sum(1 + (getattr(values[name], "shape", None) == getattr(expected[name], "shape", None)) for name in same)


def _few(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
