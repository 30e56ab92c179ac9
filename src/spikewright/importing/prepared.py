"""A user's network made ready to be recorded: a copy on the CPU, in float32, at rest, without wrappers."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..base.errors import InputError, SpikewrightError, arg
from .ends import VOTES
from .neuron import is_foreign_neuron, rest
from .reads import own_frames
from .refusals import REFUSED

T = TypeVar("T")
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is recorded as a whole: neurons, and torch's own layers."""
    if isinstance(module, _CONTAINERS):
        return False
    of_torch = type(module).__module__.startswith("torch.nn.") or hasattr(module, "parametrizations")
    if type(module).__name__ == VOTES:
        return True
    named = any(kind.__name__ in REFUSED for kind in type(module).__mro__)
    layer_of_other = any(
        kind.__module__.startswith("torch.nn.modules") and kind is not nn.Module and not issubclass(kind, _CONTAINERS)
        for kind in type(module).__mro__
    )
    return is_foreign_neuron(module) or of_torch or named or layer_of_other


def prepared(module: object) -> nn.Module:
    """A copy of a network, in evaluation mode, in float32 on the CPU, at rest, without wrappers around it.

    Raises:
        InputError: no module, TorchScript, or one that cannot be copied.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"{arg('module')}: is TorchScript, which is compiled code; give the torch.nn.Module that it was made of"
        )
    if isinstance(module, Mapping):
        raise InputError(
            f"{arg('module')}: is a state dict, which is weights without a network; build the network and load them"
        )
    if not isinstance(module, nn.Module):
        raise InputError(f"{arg('module')}: is of type {type(module).__name__}; may be a torch.nn.Module")
    inner = unwrapped(module)
    for each in inner.modules():
        if isinstance(each, torch.jit.ScriptModule):
            raise InputError(
                f"{arg('module')}: holds TorchScript, which is compiled code; give the module that it was made of"
            )
        _detach(each)
    try:
        network = copy.deepcopy(inner)
    except Exception as error:  # whatever a user's class raises when it is copied
        raise InputError(f"{type(inner).__name__}: cannot be copied ({error}); take out what cannot be") from error
    network = network.cpu().float().eval().requires_grad_(False)
    if any(nn.parameter.is_lazy(each) for each in network.parameters()):
        raise InputError(f"{type(inner).__name__}: has layers without sizes yet; run it once on a sample before")
    rest(network)
    return network


def unwrapped(module: nn.Module) -> nn.Module:
    """A network without data parallelism, compilation and modules that only hold it for training."""
    while True:
        inner = getattr(module, _WRAPPERS.get(type(module).__name__, ""), None)
        if inner is None and type(module).forward in _NO_FORWARD:
            children = [child for child in module.children() if any(map(is_foreign_neuron, child.modules()))]
            inner = children[0] if len(children) == 1 and not isinstance(module, _CONTAINERS) else None
        if inner is None:
            return module
        module = inner


_NO_FORWARD = (nn.Module.forward, nn.Module().forward)


def _detach(module: nn.Module) -> None:
    """Let go of the history of states that a training left behind, which cannot be copied."""
    for store in (module.__dict__, module._buffers, getattr(module, "_memories", {})):
        for name, value in list(store.items()):
            if isinstance(value, Tensor) and value.grad_fn is not None:
                store[name] = value.detach()


class OwnCodeRaises(InputError):
    """An exception in the user's own forward pass."""


def of_the_user(called: str, function: Callable[[], T]) -> T:
    """The result of the user's own code.

    Raises:
        OwnCodeRaises: whatever it raises, with the line of the user's file that it came from.
    """
    try:
        return function()
    except SpikewrightError:
        raise
    except Exception as error:  # whatever a user's code may raise
        said = str(error).strip().splitlines()
        frames = own_frames(traceback.extract_tb(error.__traceback__))
        where = next((f" in line {f.lineno} of {f.filename}" for f in frames), "")
        told = f": {said[0]}" if said else ""
        raise OwnCodeRaises(f"{called}: its forward raises {type(error).__name__}{where}{told}") from error
