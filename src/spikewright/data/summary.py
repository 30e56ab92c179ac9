"""A description of data in a few lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .describe import Description, InputRate, PartDescription
from .input_rule import InputRule

CLASSES_NAMED = 6
"""Up to so many classes each is named with its number of samples."""
NOTES = 3
HOW = {"steps": "step by step", "channels": "at once", "image": "at once"}
"""By view of a series, how a network takes it."""


def lines(found: Description) -> list[str]:
    """The description in fewer than 20 lines."""
    names = found.output.names
    rows = [(name, part_words(part, names)) for name, part in found.parts.items()]
    if found.rule is not None:
        rows.append(("scaling", scaling_words(found.rule, found.constant)))
    by_input: dict[str, list[InputRate]] = {}
    for rate in found.rates:
        by_input.setdefault(HOW.get(str(rate.view), "input"), []).append(rate)
    for how, rates in by_input.items():
        kinds = ", ".join(f"{rate.encoding} {rate_words(rate)}" for rate in rates)
        size = " x ".join(map(str, rates[0].shape))
        rows.append((how, f"{size} lines, T = {rates[0].timesteps}; events of a sample: {kinds}"))
    rows += [("assumed", note) for note in found.notes[:NOTES]]
    return [headline(found), *(f"  {word:<12} {text}" for word, text in rows)]


def headline(found: Description) -> str:
    """Name, layout and task."""
    shape = ", ".join(map(str, found.shape))
    if not found.output.is_classes:
        named = f": {', '.join(found.output.names)}" if found.output.names else ""
        return f"{found.name}: {found.layout} ({shape}), {found.classes} values{named}"
    return f"{found.name}: {found.layout} ({shape}), {found.classes} classes"


def part_words(part: PartDescription, names: Sequence[str]) -> str:
    """One part in words."""
    size = f"{part.samples:,} samples"
    if part.recordings is not None:
        size = f"{part.samples:,} windows of {part.recordings:,} recordings"
    words = [size + (f" of {part.groups} groups" if part.groups else "")]
    if part.lengths is not None:
        words.append(length_words(part.lengths))
    if part.cut:
        words.append(f"{part.cut:,} cut at the end")
    words.append(balance(part, names))
    if part.least is not None and part.most is not None:
        words.append(f"values {part.least:.4g} to {part.most:.4g}")
    if part.beyond:
        words.append(f"{percent(part.beyond)} of them beyond the scaling")
    return "; ".join(words)


def length_words(lengths: tuple[int, int, int]) -> str:
    """Steps of recordings in words."""
    shortest, median, longest = lengths
    return f"{longest:,} steps" if shortest == longest else f"{shortest:,} to {longest:,} steps, median {median:,}"


def balance(part: PartDescription, names: Sequence[str]) -> str:
    """How many samples each class has, or how values spread."""
    if part.values:
        return ", ".join(f"mean {mean:.4g}, deviation {spread:.4g}" for mean, spread, _, _ in part.values[:3])
    least, most = min(part.counts, default=0), max(part.counts, default=0)
    if least == most:
        return f"{most:,} of each class"
    if len(part.counts) > CLASSES_NAMED:
        return f"{least:,} to {most:,} of a class"
    return ", ".join(f"{names[i] if names else i} {count:,}" for i, count in enumerate(part.counts))


def scaling_words(rule: InputRule, constant: Sequence[int]) -> str:
    """The scaling rule in words."""
    words: list[str] = [rule.scaling]
    if rule.layout == "images":
        words = [f"intensities {rule.low[0]:g} to {rule.low[0] + 1 / rule.gain[0]:g}"]
    if rule.layout == "events":
        words = ["none, events are 0 and 1"]
    if rule.signed:
        words.append("positive and negative parts are channels of their own")
    if constant:
        words.append(f"channels that never change and carry nothing: {', '.join(map(str, constant[:8]))}")
    return "; ".join(words)


def amount(events: float) -> str:
    """A number of events."""
    return f"{events:,.0f}" if events >= 100 else f"{events:.3g}"


def percent(share: float) -> str:
    """A share in percent, never rounded to zero."""
    return "under 0.01 %" if 0 < share < 0.0001 else f"{share:.2%}".replace("%", " %")


def rate_words(rate: InputRate) -> str:
    """The events of an encoding in words; of input neurons a bound is known."""
    return f"{'at most ' if rate.encoding == 'current' else ''}{amount(rate.events)}"


def refusals(found: Description) -> Iterator[str]:
    """The encodings that would be refused, a sentence each."""
    for each in found.unsuitable:
        how = f" {HOW[each.view]}" if each.view else ""
        yield f"encoding {each.encoding}{how}: {each.why}"
