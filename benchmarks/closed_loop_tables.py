"""Tables of benchmarks/closed_loop.py: what budgets cost, what other ways reach, and whether the chip ran the student.

A finished training is a record: its name, ``way``, ``share`` of E0 (None where it was aimed at an energy by trial),
``width``, ``timesteps``, and what its chip network spends and gets right on validation and test.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np

from spikewright.profile.profile import load_profile
from spikewright.profile.units import quantity

SHARES = (0.5, 0.2, 0.1, 0.05)
COMPARED = (0.2, 0.1)
"""Budgets at which the other ways are tried at the loop's size."""
OTHERS = ("rounded", "spikes", "synops")
NEAR = 0.03
"""Runs whose energies differ by less (in their logarithm) are compared as they are."""
LEFT_FOR_SPIKES = 0.1


def leaves_spikes(student: dict[str, Any], energy: float) -> bool:
    """Whether an energy leaves a tenth of itself for spikes, above what a student of that size costs without any."""
    return float(student["floor"]) <= (1 - LEFT_FOR_SPIKES) * energy


def spread(values: list[float], digits: int) -> str:
    """Mean and, of several, the standard deviation."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def at_energy(points: list[dict[str, Any]], energy: float) -> float | None:
    """Accuracy of a way at an energy, between its points; None beyond them."""
    ordered = sorted((math.log(p["energy_test"]), 100 * p["accuracy_test"]) for p in points)
    logs = [log for log, _ in ordered]
    if len(ordered) < 2 or not logs[0] <= math.log(energy) <= logs[-1]:
        return None
    return float(np.interp(math.log(energy), logs, [accuracy for _, accuracy in ordered]))


def compared(found: list[dict[str, Any]], ours: dict[str, Any], way: str, size: tuple[int, int]) -> float | None:
    """Accuracy of another way at the energy of a student of the loop, in percent; None where it was not reached.

    A run that spent nearly as much counts as it is. Otherwise a way is read off between its runs, and the unlimited
    student of that size where there is one.
    """
    stem = ours["name"].split("-ours-")[0]
    mine = [f for f in found if f["name"].startswith(f"{stem}-") and (f["width"], f["timesteps"]) == size]
    runs = [f for f in mine if f["way"] == way and f["share"] in (None, ours["share"])]
    if not runs:
        return None
    best = min(runs, key=lambda run: _apart(run, ours))
    if _apart(best, ours) < NEAR:
        return 100 * float(best["accuracy_test"])
    return at_energy(runs + [f for f in mine if f["way"] == "base"], ours["energy_test"])


def _apart(run: dict[str, Any], ours: dict[str, Any]) -> float:
    """How far the energies of two runs are apart, in their logarithm."""
    return abs(math.log(run["energy_test"] / ours["energy_test"]))


def rows_of(found: list[dict[str, Any]], profile: str, way: str, share: float) -> list[dict[str, Any]]:
    """Finished trainings of one way at one budget."""
    return [f for f in found if f["name"].startswith(profile) and f["way"] == way and f["share"] == share]


def loop_table(profile: str, found: list[dict[str, Any]]) -> Iterator[str]:
    """What budgets cost: lines of Markdown."""
    bases = {f["name"].removesuffix("-base"): f for f in found if f["way"] == "base" and f["name"].startswith(profile)}
    if not bases:
        return
    energy = statistics.mean(b["energy_test"] for b in bases.values())
    accuracy = [100 * b["accuracy_test"] for b in bases.values()]
    sizes = ", ".join(sorted({f"width {b['width']}, T = {b['timesteps']}" for b in bases.values()}))
    unit = load_profile(profile).cost_unit
    yield f"`{profile}`, {sizes}: E0 = {quantity(energy, unit)}, A0 = {spread(accuracy, 2)} %, {len(bases)} seeds"
    yield ""
    yield "| budget / E0 | seeds | width, T | energy / budget on test | on validation, most | accuracy | against A0 |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for share in SHARES:
        rows = rows_of(found, profile, "ours", share)
        if rows:
            yield _loop_row(rows, share, bases)
    yield ""


def _loop_row(rows: list[dict[str, Any]], share: float, bases: dict[str, dict[str, Any]]) -> str:
    base = [bases[f["name"].split("-ours-")[0]] for f in rows]
    used, held = (
        [f[f"energy_{split}"] / (share * b["energy_validation"]) for f, b in zip(rows, base, strict=True)]
        for split in ("test", "validation")
    )
    gained = [100 * (f["accuracy_test"] - b["accuracy_test"]) for f, b in zip(rows, base, strict=True)]
    sizes = "; ".join(sorted({f"{f['width']}, {f['timesteps']}" for f in rows}))
    accuracy = spread([100 * f["accuracy_test"] for f in rows], 2)
    cells = [str(share), str(len(rows)), sizes, spread(used, 3), f"{max(held):.3f}", f"{accuracy} %", spread(gained, 2)]
    return "| " + " | ".join(cells) + " |"


def other_table(profile: str, found: list[dict[str, Any]]) -> Iterator[str]:
    """What other ways reach at the loop's energy: lines of Markdown."""
    yield "| budget / E0 | size | seeds | closed loop | rounded afterwards | spike price | SynOp loss |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for share in SHARES:
        for size in ("the loop's", "own"):
            yield from _other_row(profile, found, share, size)
        yield from _too_large(profile, found, share)
    for bits in sorted({int(f["way"][4:]) for f in found if f["way"].startswith("ours") and f["way"] != "ours"}):
        for share in SHARES:
            yield from _bits_row(profile, found, share, bits)
    yield ""


def _bits_row(profile: str, found: list[dict[str, Any]], share: float, bits: int) -> Iterator[str]:
    ours, rounded = (rows_of(found, profile, f"{way}{bits}", share) for way in ("ours", "rounded"))
    if not ours or not rounded:
        return
    loop, after = (spread([100 * f["accuracy_test"] for f in rows], 2) for rows in (ours, rounded))
    before = spread([100 * f["accuracy_student_test"] for f in rounded], 2)
    energy = {f["name"].removesuffix("-base"): f["energy_validation"] for f in found if f["way"] == "base"}
    shares = [f["energy_test"] / (share * energy[f["name"].split(f"-rounded{bits}-")[0]]) for f in rounded]
    used = ", ".join(f"{value:.3f}" for value in shares)
    words = f"{after} % (before rounding {before} %; energy / budget {used})"
    yield f"| {share} | the loop's, {bits} bits | {len(ours)} | {loop} % | {words} | - | - |"


def _other_row(profile: str, found: list[dict[str, Any]], share: float, which: str) -> Iterator[str]:
    reached: dict[str, list[float]] = {way: [] for way in OTHERS}
    leads: dict[str, list[float]] = {way: [] for way in OTHERS}
    loop = []
    for ours in rows_of(found, profile, "ours", share):
        base = next(f for f in found if f["name"] == ours["name"].split("-ours-")[0] + "-base")
        of, accuracy = base if which == "own" else ours, 100 * ours["accuracy_test"]
        values = {way: compared(found, ours, way, (of["width"], of["timesteps"])) for way in OTHERS}
        if any(value is not None for value in values.values()):
            loop.append(accuracy)
        for way, value in values.items():
            if value is not None:
                reached[way].append(value)
                leads[way].append(accuracy - value)
    if loop:
        words = [_reached(reached[way], leads[way]) for way in OTHERS]
        yield f"| {share} | {which} | {len(loop)} | {spread(loop, 2)} % | " + " | ".join(words) + " |"


def _reached(values: list[float], leads: list[float]) -> str:
    """A way's accuracy, its seeds, and by how much the loop is ahead of it with the same seed."""
    if not values:
        return "-"
    return f"{spread(values, 2)} % ({len(values)}; loop {min(leads):+.2f} to {max(leads):+.2f})"


def _too_large(profile: str, found: list[dict[str, Any]], share: float) -> Iterator[str]:
    """Say so where the student without a budget could not keep this one whatever it was trained for."""
    bases = [f for f in found if f["way"] == "base" and f["name"].startswith(profile)]
    loop = rows_of(found, profile, "ours", share)
    if not bases or not loop or any(leaves_spikes(b, o["energy_validation"]) for b in bases for o in loop):
        return
    floor = quantity(statistics.mean(b["floor"] for b in bases), load_profile(profile).cost_unit)
    accuracy = spread([100 * o["accuracy_test"] for o in loop], 2)
    yield f"| {share} | own | {len(loop)} | {accuracy} % | {floor} without a spike of a hidden neuron | | |"


def exactness(profile: str, found: list[dict[str, Any]]) -> str:
    """Whether the chip ran what was trained."""
    exact = [f for f in found if "mismatches" in f and f["name"].startswith(profile)]
    changed = max((abs(f["accuracy_student_test"] - f["accuracy_test"]) for f in exact), default=0.0)
    return (
        f"{len(exact)} students on integers over the whole test split: {sum(f['mismatches'] for f in exact)} differing "
        f"spikes, currents and membranes; largest change of accuracy from student to chip {100 * changed:.2f} points.\n"
    )
