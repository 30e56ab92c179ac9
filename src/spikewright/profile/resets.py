"""Whether the neurons of a chip can be reset as those of a network are, and what a report says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..base.errors import arg
from ..base.types import Reset
from .schema import HardwareProfile, Limits

WORDS: dict[Reset, str] = {
    "zero": "a spike sets the membrane potential to zero",
    "subtract": "a spike takes the threshold off",
    "subtract-late": "a spike takes the threshold off one step late",
}


def reset_faults(resets: Mapping[str, Reset], limits: Limits) -> Iterator[str]:
    """Why the neurons of a chip cannot be reset like this; nothing where they can.

    Args:
        resets: what a spike does, by the name of neurons.
    """
    known = limits.known_resets
    remedy = " or ".join(str(arg("reset", each)) for each in known)
    for reset, names in _by_reset(resets):
        if reset not in known:
            yield (
                f"{names}: {WORDS[reset]}, which this chip's neurons do not do; train with {remedy}, or take a chip "
                "whose neurons can (`spikewright profiles NAME` says it under limits)"
            )


def reset_sentences(resets: Mapping[str, Reset], profile: HardwareProfile) -> Iterator[str]:
    """What a report says of neurons that are not reset to zero: what they do, and who says that the chip can."""
    cited = profile.limit_sources.get("resets")
    for reset, names in _by_reset(resets):
        if reset != "zero" and cited is not None:
            note = f"; {cited.note}" if cited.note else ""
            said = f"{'assumed' if cited.assumed else 'said'} of this chip: {cited.source}, {cited.where}{note}"
            yield f"{names}: {WORDS[reset]}, charged like a reset to zero; {said}"


def _by_reset(resets: Mapping[str, Reset]) -> Iterator[tuple[Reset, str]]:
    for reset in dict.fromkeys(resets.values()):
        yield reset, ", ".join(name for name, each in resets.items() if each == reset)
