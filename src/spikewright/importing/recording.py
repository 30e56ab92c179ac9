"""What a network's forward pass computes, written down call by call while it runs.

Symbolic tracing follows one layer after the other and fails at loops over time, at ``x.size(0)`` and at states that are
handed round. Here the user's code runs as it is, on a sample; neurons and layers are noted as a whole, everything else
as single operations of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from typing import Any

import snntorch.spikegen
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from .calls import Call, Recording, Value, tensors_in, values_in
from .reads import DECISIONS, NUMBERS, Read, read

CODES = ("rate", "latency", "delta", "rate_conv", "latency_code")
"""Functions of snnTorch's ``spikegen`` that are noted as a whole."""


class Recorder(TorchFunctionMode):
    """Notes the calls of layers and operations while it is entered."""

    def __init__(
        self,
        network: nn.Module,
        is_leaf: Callable[[nn.Module], bool],
        hidden: Callable[[nn.Module], list[Tensor]],
    ) -> None:
        """Hooks are put on the leaves of ``network``; :meth:`record` takes them off again.

        Args:
            is_leaf: whether a module is noted as a whole.
            hidden: tensors that a layer keeps after a call, which count as results behind those that it returns.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._network, self._hidden = network, hidden
        self._leaves = dict(_leaves_of(network, is_leaf))
        self._known: dict[int, Value] = {}
        self._inside, self._entered = 0, False
        self._counts: dict[str, int] = {}
        self.calls: list[Call] = []
        self.reads: list[Read] = []
        for name, parameter in (*network.named_parameters(), *network.named_buffers()):
            self._known.setdefault(id(parameter), Value(parameter, name=name))

    def record(self, passes: list[tuple[Any, ...]] | Callable[[int, Any], tuple[Any, ...] | None]) -> Recording:
        """Run forward passes and note what they compute.

        Args:
            passes: the arguments of each; or a function of the number of a pass and the result of the one before, that
                returns them, None at the end.
        """
        outputs: list[Any] = []
        inputs: list[Value] = []
        arguments = passes if callable(passes) else lambda step, _: passes[step] if step < len(passes) else None
        result: Any = None
        with ExitStack() as stack, torch.no_grad():
            for name, module in self._leaves.items():
                stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
                hook = partial(self._leave, name)
                stack.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
            stack.enter_context(self._codes())
            stack.enter_context(self._indexing())
            while (given := arguments(len(outputs), result)) is not None:
                entering = given[0].clone()  # which the code may change in place
                inputs.append(self._known.setdefault(id(entering), Value(entering, name="input")))
                with self:
                    self._entered = True
                    result = self._network(entering, *given[1:])
                    self._entered = False
                outputs.append(self._noted(result))
        return Recording(self.calls, outputs, inputs, self.reads)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note it unless a layer or an operation that is noted as a whole runs it."""
        named = kwargs or {}
        if self._inside:
            return func(*args, **named)
        name = _name_of(func)
        if name in ("__getitem__", "__setitem__"):
            return func(*args, **named)  # noted by _indexing
        noted = self._noted(args), self._noted(named)
        if name in DECISIONS or name in NUMBERS:
            self.reads += filter(None, [read(name, values_in(noted))])
        if _changes_in_place(name) and args:
            self._keep(args[0])
        result = func(*args, **named)
        made = list(tensors_in(result))
        if made:
            self._note(Call(name, None, noted[0], noted[1]), made)
        return result

    @contextmanager
    def _indexing(self) -> Iterator[None]:
        """Indexing of tensors, which does not come to :meth:`__torch_function__`, noted as an operation."""
        taken, put = Tensor.__getitem__, Tensor.__setitem__

        def getitem(tensor: Tensor, place: Any) -> Any:
            if self._inside or not self._entered:
                return taken(tensor, place)
            noted = self._noted((tensor, place))
            result = taken(tensor, place)
            self._note(Call("__getitem__", None, noted, {}), [result])
            return result

        def setitem(tensor: Tensor, place: Any, value: Any) -> None:
            if self._inside or not self._entered:
                put(tensor, place, value)
                return
            noted = self._noted((tensor, place, value))
            self._keep(tensor)
            put(tensor, place, value)
            self._note(Call("__setitem__", None, noted, {}), [tensor])

        own = {name: vars(Tensor)[name] for name in ("__getitem__", "__setitem__") if name in vars(Tensor)}
        Tensor.__getitem__, Tensor.__setitem__ = getitem, setitem  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            for name in ("__getitem__", "__setitem__"):  # which torch's Tensor inherits
                if name in own:
                    setattr(Tensor, name, own[name])
                else:
                    delattr(Tensor, name)

    def _enter(self, _: nn.Module, args: Any, kwargs: Any) -> None:
        if not self._inside:
            self._arguments = self._noted(args), self._noted(kwargs)
        self._inside += 1

    def _leave(self, name: str, module: nn.Module, _: Any, __: Any, result: Any) -> None:
        self._inside -= 1
        if not self._inside:
            index = self._counts.get(name, 0)
            self._counts[name] = index + 1
            made = list(tensors_in(result))
            kept = [each for each in self._hidden(module) if all(each is not other for other in made)]
            self._note(Call(name, module, *self._arguments, index=index), [*made, *kept])

    @contextmanager
    def _codes(self) -> Iterator[None]:
        """snnTorch's functions that make spikes of samples, noted as a whole, also where code imports them by name."""
        codes = {name: getattr(snntorch.spikegen, name) for name in CODES if hasattr(snntorch.spikegen, name)}
        found = [getattr(type(module).forward, "__globals__", {}) for module in self._network.modules()]
        spaces = {id(space): space for space in (vars(snntorch.spikegen), *found)}.values()
        before = [(space, key, name, code) for space in spaces for key, value in space.items()
                  for name, code in codes.items() if value is code]  # fmt: skip
        for space, key, name, code in before:
            space[key] = self._whole(f"spikegen.{name}", code)
        try:
            yield
        finally:
            for space, key, _, code in before:
                space[key] = code

    def _whole(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def noted(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            arguments = self._noted(args), self._noted(kwargs)
            self._inside += 1
            try:
                result = function(*args, **kwargs)
            finally:
                self._inside -= 1
            self._note(Call(name, None, *arguments), list(tensors_in(result)))
            return result

        return noted

    def _keep(self, changing: Tensor) -> None:
        """Leave the value that a tensor is with its numbers, before an operation in place gives the tensor others."""
        if (before := self._known.get(id(changing))) is not None:
            before.tensor = changing.clone()

    def _note(self, call: Call, results: list[Tensor]) -> None:
        # A layer that hands its argument back, such as Identity or Dropout, makes a value of its own all the same.
        call.results = [Value(tensor, call, index) for index, tensor in enumerate(results)]
        self.calls.append(call)
        for value in call.results:
            self._known[id(value.tensor)] = value  # the value keeps the tensor, so its id stays its own

    def _noted(self, tree: Any) -> Any:
        """Arguments or results with values in place of tensors."""
        if isinstance(tree, Tensor):
            return self._known.setdefault(id(tree), Value(tree))
        if isinstance(tree, Mapping):
            return {name: self._noted(each) for name, each in tree.items()}
        if isinstance(tree, list | tuple):
            return tuple(self._noted(each) for each in tree)
        return tree


def _leaves_of(network: nn.Module, is_leaf: Callable[[nn.Module], bool]) -> Iterator[tuple[str, nn.Module]]:
    """Modules that are noted as a whole, by name; what is inside of one is not looked at."""
    found: dict[int, None] = {}

    def search(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
        if id(module) in found:
            return
        found[id(module)] = None
        if is_leaf(module):
            yield prefix or type(module).__name__.lower(), module
            return
        for part, child in module.named_children():
            yield from search(child, f"{prefix}.{part}" if prefix else part)

    yield from search(network, "")


def _name_of(function: Any) -> str:
    """The name of an operation, without its module: ``add``, ``__getitem__``, ``avg_pool2d``; of a property its own."""
    whole: str = resolve_name(function) or getattr(function, "__name__", str(function))
    return whole.removesuffix(".__get__").rsplit(".", 1)[-1]


def _changes_in_place(name: str) -> bool:
    """Whether an operation changes its first argument: ``add_``, ``__iadd__``."""
    return name in _IN_PLACE or (name.endswith("_") and not name.endswith("__"))


_IN_PLACE = tuple(f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "and", "or", "xor"))
