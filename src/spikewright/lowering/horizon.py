"""How long a sample lasts and how it enters: what a graph's metadata say, and what is taken where they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..base.errors import InputError, did_you_mean, refuse
from ..base.types import ENCODINGS, Encoding
from ..profile.profile import HardwareProfile

CUSTOMARY_INPUT_BITS = 8  # what a pixel has
_WITHOUT_PROFILE = 1


@dataclass(frozen=True)
class Asked:
    """What the caller wants, None where the graph is to say."""

    timesteps: int | None = None
    encoding: str | None = None
    input_bits: int | None = None


@dataclass(frozen=True)
class Horizon:
    """Steps per sample, encoding, and the width of graded input or currents."""

    timesteps: int
    encoding: Encoding
    input_bits: int


def horizon_of(
    metadata: Mapping[str, Any], asked: Asked, profile: HardwareProfile | None = None
) -> tuple[Horizon, list[str]]:
    """The graph's own horizon; where its metadata are silent the caller's, else a default that is said.

    Raises:
        InputError: values that cannot be, or that contradict the graph.
    """
    steps = profile.default_timesteps if profile else _WITHOUT_PROFILE
    named = f"the default of profile {profile.name}" if profile else "without a profile"
    assumed: list[str] = []
    chosen: dict[str, Any] = {}
    for name, given, default, why in (
        ("timesteps", asked.timesteps, steps, named),
        ("encoding", asked.encoding, "events", "the file does not say how samples enter"),
        ("input_bits", asked.input_bits, CUSTOMARY_INPUT_BITS, ""),
    ):
        said = metadata.get(name)
        if said is not None and given is not None and given != said:
            raise InputError(
                f"--{name.replace('_', '-')} {given}: the graph was made for {said}; leave the flag out, or train a "
                f"student for {given}"
            )
        chosen[name] = next((value for value in (said, given) if value is not None), default)
        if said is None and given is None and why:
            assumed.append(f"{name} {default}: {why}")
    refuse("NIR graph", _faults(chosen))
    return Horizon(chosen["timesteps"], cast(Encoding, chosen["encoding"]), chosen["input_bits"]), assumed


def _faults(chosen: dict[str, Any]) -> list[str]:
    faults = [
        f"{name} is {chosen[name]!r}; must be a whole number of at least 1"
        for name in ("timesteps", "input_bits")
        if not isinstance(chosen[name], int) or chosen[name] < 1
    ]
    if chosen["encoding"] not in ENCODINGS:
        faults.append(f"encoding is {chosen['encoding']!r}; {did_you_mean(str(chosen['encoding']), ENCODINGS)}")
    return faults
