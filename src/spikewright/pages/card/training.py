"""The part of a model card on how the network was trained."""

from __future__ import annotations

from ...profile.units import quantity
from .facts import Known, pairs


def training_part(known: Known) -> list[str]:
    """What the student's file says of its making; nothing where it was not noted."""
    return pairs(
        (
            ("data", _data(known)),
            ("method", _method(known)),
            ("regularizers", _listed(known, "regularizers")),
            ("teacher", _teacher(known)),
            ("assistants", _assistants(known)),
            ("epochs", _epochs(known)),
            ("seed", known.text("settings", "seed")),
            ("augmentation", known.text("training", "augmentation")),
            ("numbers", _numbers(known)),
            ("energy budget", _budget(known)),
            ("further limits", _further(known)),
        )
    )


def _data(known: Known) -> str | None:
    if known.data is None:
        return None
    samples = known.fact("settings", "train_samples")
    return f"`{known.data}`" + (f", {samples:,} samples of its training part" if samples is not None else "")


def _method(known: Known) -> str | None:
    asked, options = known.text("settings", "method"), known.text("method")
    if asked is None:
        return None if options is None else f"`{options}`"
    return f"`{asked}`" + (f": `{options}`" if options is not None else "")


def _listed(known: Known, key: str) -> str | None:
    found = known.fact(key)
    return ", ".join(f"`{each}`" for each in found) if isinstance(found, list) and found else None


def _teacher(known: Known) -> str | None:
    name, accuracy = known.text("teacher"), known.fact("teacher_validation_accuracy")
    if name is None:
        return None
    macs = known.fact("teacher_macs")
    good = f", {accuracy:.2%} on validation" if accuracy is not None else ""
    return f"{name}{good}{f', {macs:,} multiply-accumulates per inference' if macs is not None else ''}"


def _assistants(known: Known) -> str | None:
    found = known.fact("assistants")
    if not isinstance(found, list):
        return None
    words = []
    for each in found:
        accuracy = each.get("validation_accuracy")
        words.append(f"{each.get('name')}{f' ({accuracy:.2%} on validation)' if accuracy is not None else ''}")
    return ", ".join(words)


def _epochs(known: Known) -> str | None:
    asked, history = known.fact("training", "epochs"), known.fact("history")
    if asked is None:
        return None
    further = len(history) - asked if isinstance(history, list) else 0
    return f"{asked}" + (f" and {further} more, to keep or use up a limit" if further > 0 else "")


def _numbers(known: Known) -> str | None:
    share = known.fact("training", "integer_from")
    if known.grid is None:
        return "floats, to the end" if known.fact("training") is not None else None
    if share is None:
        return f"integers of `{known.grid.profile}`"
    return f"integers of `{known.grid.profile}` after a warm-up in floats, {share:.0%} of the epochs"


def _budget(known: Known) -> str | None:
    asked, found = known.text("settings", "energy_budget"), known.certificate
    if asked is None:
        return None
    words = f"{asked} per inference on `{known.text('settings', 'profile')}`"
    if not found or found.get("budget") is None:
        return words
    kept = "kept" if found["energy"] <= found["budget"] else "not kept"
    spent = quantity(found["energy"], found["unit"])
    return f"{words}, {kept}: its chip network spends {spent} on {found['samples']:,} {found['split']} samples"


def _further(known: Known) -> str | None:
    limits = {name: each for name, each in known.certificate.get("limits", {}).items() if name != "budget"}
    return "; ".join(f"{name}: {spent:.4g} of {limit:.4g}" for name, (spent, limit) in limits.items()) or None
