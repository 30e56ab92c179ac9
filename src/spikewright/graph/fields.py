"""Numbers in the fields of NIR nodes: strides, paddings, groups, axes."""

from __future__ import annotations

from collections.abc import Sequence

import nir
import numpy as np


class NodeFault(Exception):
    """What is wrong with a node, without its name."""


def pair(value: object, field: str = "pair") -> tuple[int, int]:
    """``(vertical, horizontal)`` of a field that may be one number for both.

    Raises:
        NodeFault: more than two numbers, or what are no whole numbers.
    """
    numbers = whole_numbers(value)
    if numbers is None or len(numbers) not in (1, 2):
        raise NodeFault(f"has {field} {_few(value)}; must be one or two whole numbers")
    return numbers[0], numbers[-1]


def one_number(value: object, field: str) -> int:
    """The number of a field that holds one, such as a number of groups or an axis.

    Raises:
        NodeFault: none, several, or what is no whole number.
    """
    numbers = whole_numbers(value)
    if numbers is None or len(numbers) != 1:
        raise NodeFault(f"has {field} {_few(value)}; must be one whole number")
    return numbers[0]


def whole_numbers(value: object) -> tuple[int, ...] | None:
    """The numbers of a field that counts something; None for texts, fractions, NaN and infinities."""
    found = np.asarray(value).reshape(-1)
    if found.dtype.kind not in "iuf" or not np.all(np.isfinite(found)) or np.any(found != np.trunc(found)):
        return None
    return tuple(int(number) for number in found)


def _few(value: object) -> str:
    values: Sequence[object] = np.asarray(value).reshape(-1).tolist()
    return (", ".join(map(str, values[:4])) or "nothing") + (", ..." if len(values) > 4 else "")


def conv_padding(node: nir.Conv2d) -> tuple[int, int]:
    """Zeros on each side of a convolution's input, per axis, with ``same`` and ``valid`` worked out.

    Raises:
        NodeFault: what are no whole numbers, or ``same`` with an even kernel.
    """
    if not isinstance(node.padding, str):
        return pair(node.padding, "padding")
    if node.padding == "valid":
        return 0, 0
    first, second = _same(pair(node.dilation, "dilation"), node.weight.shape[2:])
    return first, second


def conv1d_padding(node: nir.Conv1d) -> int:
    """Zeros on each side of the input of a convolution over one axis, with ``same`` and ``valid`` worked out.

    Raises:
        NodeFault: what is no whole number, or ``same`` with an even kernel.
    """
    if not isinstance(node.padding, str):
        return pair(node.padding, "padding")[0]
    return 0 if node.padding == "valid" else _same(pair(node.dilation, "dilation")[:1], node.weight.shape[2:])[0]


def _same(dilation: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
    """The zeros on each side, per axis, with which a convolution keeps the size of its input."""
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(r % 2 for r in reach):
        raise NodeFault(f"is padded 'same' with an even kernel {kernel}, which pads one side more")
    return tuple(r // 2 for r in reach)
