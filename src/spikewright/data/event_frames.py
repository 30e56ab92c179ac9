"""Recordings of events in the frames that a network takes."""

from __future__ import annotations

from dataclasses import replace

from ..base.errors import InputError
from ..base.types import IntArray
from ..sources.recordings import EventRows, Framing, recorded
from ..sources.rows import Rows
from .input_rule import InputRule


def framed(samples: Rows, rule: InputRule) -> tuple[Rows, IntArray | None]:
    """Recordings in frames by a rule, and of windows the recording that each is of; other samples as they are."""
    found = recorded(samples)
    if found is None:
        return samples, None
    rows, chosen = found
    framing, spans, recordings = Framing.of(rule.reading), rows.spans.of(chosen), None
    if rule.window is not None and rule.hop is not None:
        framing = replace(framing, duration_us=1000 * rule.window)
        spans, recordings = spans.windows(1000 * rule.window, 1000 * rule.hop)
    return EventRows(rows.source, spans, framing, rule.timesteps or rows.shape[1]), recordings


def check_framing(where: str, samples: Rows, rule: InputRule) -> None:
    """Refuse recordings of a sensor that is larger than the one that a rule was made for.

    Raises:
        InputError: they are, or the rule was made for frames in an array.
    """
    found = recorded(samples)
    if found is None:
        return
    if "sensor" not in rule.reading:
        raise InputError(
            f"{where}: holds recordings of events, and the network was made for frames in an array; give frames of "
            f"shape {rule.shape}"
        )
    here, there = found[0].framing, Framing.of(rule.reading)
    if here.width > there.width or here.height > there.height:
        raise InputError(
            f"{where}: was recorded with {here.width} x {here.height} pixels, and the network was made for "
            f"{there.width} x {there.height}; give recordings of the same camera"
        )
