"""Scales on which layers that share weights or have a shortcut agree."""

from __future__ import annotations

import math
from fractions import Fraction

from ...base.errors import refuse
from .plan import Plan, common


def agreed(scales: dict[str, float], plan: Plan, step: int) -> dict[str, float]:
    """The largest scales up to the given ones with which shared weights and shortcuts are whole numbers of the chip.

    Args:
        step: between the integers that weights of both signs may take.

    Raises:
        InputError: a shortcut that would be less than one step.
    """
    found = dict(scales)
    for group in plan.together:
        found |= dict.fromkeys(group, min(scales[name] for name in group))
    faults = []
    for names in _all_groups(plan):
        whole = [step * plan.multiples[name] for name in names if name in plan.multiples]
        if not whole:
            continue
        unit = whole[0]
        for other in whole[1:]:
            unit = common(unit, other)
        scale = math.floor(Fraction(min(found[name] for name in names)) / unit * (1 + Fraction(1, 10**9))) * unit
        if scale == 0:
            faults.append(
                f"{', '.join(sorted(names))}: the weight of its shortcut would be less than one step of the chip's "
                "weights, since the other weights are larger; give the shortcut a convolution of 1 x 1, or more bits"
            )
        found |= dict.fromkeys(names, float(scale))
    refuse("training on integers", faults)
    return found


def _all_groups(plan: Plan) -> list[frozenset[str]]:
    """The layers with shortcuts, together with those that share their scales."""
    shared = {name for group in plan.together for name in group}
    return [*plan.together, *(frozenset([name]) for name in plan.multiples if name not in shared)]
