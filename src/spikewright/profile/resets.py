"""Whether the neurons of a chip can be reset as those of a network are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..base.errors import arg
from ..base.types import Reset
from .schema import HardwareProfile

WORDS: dict[Reset, str] = {
    "zero": "a spike resets them to zero",
    "subtract": "a spike takes the threshold off",
    "subtract-late": "a spike takes the threshold off one step late",
}


def reset_faults(resets: Mapping[str, Reset], profile: HardwareProfile) -> Iterator[str]:
    """Why the neurons of a chip cannot be reset like this; nothing where they can.

    Args:
        resets: what a spike does, by the name of neurons.
    """
    known = profile.limits.known_resets
    remedy = " or ".join(str(arg("reset", each)) for each in known)
    for reset in dict.fromkeys(each for each in resets.values() if each not in known):
        names = ", ".join(name for name, each in resets.items() if each == reset)
        yield (
            f"{names}: {WORDS[reset]}, which neurons of {profile.name} do not do; train with {remedy}, or take a chip "
            f"whose neurons can (`spikewright profiles NAME` says it under limits)"
        )
