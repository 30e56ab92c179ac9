"""Energies in words: ``2uJ`` to a number and back. A number without a unit says nothing and is refused."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..base.errors import InputError, arg, did_you_mean
from .schema import CostUnit, HardwareProfile

PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0}
OPS_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
UNITS: dict[str, tuple[CostUnit, float]] = {
    **{f"{prefix}J": ("J", factor) for prefix, factor in PREFIXES.items()},
    **{f"{prefix}ops": ("ops", factor) for prefix, factor in OPS_PREFIXES.items()},
}
MOST: dict[CostUnit, float] = {"J": 1e3, "ops": 1e18}
"""By unit, the largest budget of one inference that is taken for meant."""
EXAMPLES = "e.g. 2uJ, 350nJ or 40kops"
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s]*)\s*")


@dataclass(frozen=True)
class Amount:
    """An amount of energy or operations, such as what one inference may cost.

    Attributes:
        value: in joules, or in ops.
        unit: of the profile that it is for.
    """

    value: float
    unit: CostUnit

    def __str__(self) -> str:
        return quantity(self.value, self.unit)


def parse_budget(text: str, profile: HardwareProfile, where: str | None = None) -> Amount:
    """The budget that ``text`` gives, in the profile's unit.

    Args:
        text: a number with a unit, such as ``2uJ`` or ``40kops``.
        where: what the text was given for, for the refusal; None means the argument ``energy_budget``.

    Raises:
        InputError: no number, no unit, an unknown unit, not above zero, or a unit that the profile does not have.
    """
    where = arg("energy_budget", text) if where is None else f"{where} {text}"
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise InputError(f"{where}: is not a number with a unit, {EXAMPLES}")
    number, word = float(match[1]), match[2]
    if not word:
        raise InputError(f"{where}: say the unit, {EXAMPLES}")
    if word not in UNITS:
        spelt = [unit for unit in UNITS if unit.isascii()]
        meant = next((unit for unit in spelt if unit.lower() == word.lower()), word)
        raise InputError(f"{where}: unknown unit {word!r}; {did_you_mean(meant, spelt)}")
    unit, factor = UNITS[word]
    if unit != profile.cost_unit and profile.has_joules:
        raise InputError(f"{where}: profile {profile.name!r} counts in joules; give e.g. 2uJ or 350nJ")
    if unit != profile.cost_unit:
        raise InputError(
            f"{where}: profile {profile.name!r} has no joules, since none are published for it; give its relative "
            "unit, e.g. 40kops, or choose a profile with joules"
        )
    value = number * factor
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{where}: a budget must be finite and above zero, {EXAMPLES}")
    if value > MOST[unit]:
        raise InputError(f"{where}: is no budget of one inference; may be up to {spelled(MOST[unit], unit)}")
    return Amount(value, unit)


def quantity(value: float, unit: CostUnit) -> str:
    """``value`` to four digits with the prefix that suits it: ``195.6 nJ``, ``40.2 kops``."""
    prefix, factor = _prefix(abs(value), unit, ("p", "n", "µ", "m", ""), 0.99995) if value else ("", 1.0)
    return f"{value / factor:.4g} {prefix}{unit}"


def spelled(value: float, unit: CostUnit) -> str:
    """``value`` to six digits in ASCII without a space, as :func:`parse_budget` reads it: ``1.5uJ``, ``40kops``."""
    prefix, factor = _prefix(value, unit, ("f", "p", "n", "u", "m", ""), 0.9999995)
    return f"{value / factor:.6g}{prefix}{unit}"


def _prefix(value: float, unit: CostUnit, of_joules: tuple[str, ...], nearly: float) -> tuple[str, float]:
    """The largest prefix that ``value`` reaches, up to rounding, and its factor; the smallest one below that."""
    steps = list(OPS_PREFIXES.items()) if unit == "ops" else [(prefix, PREFIXES[prefix]) for prefix in of_joules]
    return next((step for step in reversed(steps) if value >= step[1] * nearly), steps[0])
