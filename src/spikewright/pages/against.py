"""The artificial network against the spiking one in plain words: who wins, where, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..chip.agreement import Agreement
from ..energy.ann import AnnCost, AnnCosts, Standing, standings
from ..energy.macs import Macs
from ..energy.report import EnergyReport
from ..energy.time import seconds
from .numbers import Rows, count

SCOPES = {
    "incremental": "the operation alone",
    "all-in": "the whole machine, static power included",
    "system": "the whole board",
}
LITERATURE = (
    "For scale: counting memory accesses, Dampfhoffer et al. (IEEE TETCI 7(3):731-741, 2023, abstract) let a spiking "
    "network compete at 0.15 to 1.38 spikes per synapse and inference, depending on how the artificial one is built."
)

_HEADINGS = (
    "machine", ">each MAC", ">the ANN", ">break-even", ">operations alone", ">all modelled", ">with static energy",
)  # fmt: skip
NOTE = (
    "Break-even: synaptic operations for each MAC at which those cost the same. Then who wins, and the spiking "
    "network's energy as a multiple of the artificial one's: synaptic operations alone, all that is modelled, with "
    "static energy"
)


def tables(report: EnergyReport, ann: AnnCosts) -> list[tuple[str, Rows]]:
    """Captions and rows: the same network run once as an ANN, and the teacher where it is known."""
    found = []
    for whom, macs in (("the same network run once as an ANN", ann.macs), ("the ANN teacher", ann.teacher_macs)):
        if macs is not None and macs.count and (known := standings(report, ann, macs)):
            rows: Rows = [_HEADINGS]
            for each in known:
                energy = f"{'≥ ' if macs.is_lower_bound else ''}{report.say(each.ann.energy)}"
                costs = (report.say(each.ann.constant), energy, visits(each.break_even))
                rows.append((name_of(each.ann), *costs, *(verdict(ratio, macs) for ratio in each.ratios)))
            found.append((f"Against {whom}: {macs} MACs{_left_out(macs)}", rows))
    return found


def sources(ann: AnnCosts) -> Rows:
    """Machine, kind and scope, and source of each price of a multiply-accumulate."""
    costs = sorted(ann.machines, key=lambda cost: cost.constant)
    rows = [(cost.title, f"{cost.kind}, {cost.scope}", cost.source) for cost in costs]
    return [("machine", "kind, scope", "+source"), *rows]


def sentences(report: EnergyReport, ann: AnnCosts, agreement: Agreement | None) -> list[str]:
    """Sentences on which network costs less and under which conditions, from known quantities only."""
    if not ann.macs.count:
        return []
    known, asked = standings(report, ann, ann.macs), ann.teacher_macs or Macs(0)
    teacher = f" The teacher takes {asked}{_left_out(asked)}." if asked != Macs(0) else ""
    found = [
        f"Run once as an artificial network, the same wiring takes {ann.macs} multiply-accumulates.{teacher} "
        f"The spiking network did {count(report.synaptic_ops)} synaptic operations an inference: "
        f"{visits(report.synaptic_ops / ann.macs.count)} for each synapse.",
        *_wins(known),
    ]
    if names := [name_of(row.ann) for row in known if row.is_out_of_reach]:
        found.append(
            f"Sparser spikes cannot win against it on {', '.join(names)}: without any hidden spike it would still cost "
            f"{report.say(report.floor)}."
        )
    if asked.count and ann.machines:
        sides = [f"{word} on {where}" for word, where in _sides(standings(report, ann, asked))]
        found.append(f"Against the teacher, which is another and mostly larger network, it {' and '.join(sides)}.")
    if ann.machines:
        found.append(_static(report, ann))
    return [*found, _accuracy(agreement)]


def left_out(report: EnergyReport, ann: AnnCosts) -> list[str]:
    """Sentences on what one side or both leave out of their energies."""
    names = ", ".join(item.words for item in report.not_modelled)
    found = [f"Left out on the spiking side: {names}."] if names else []
    kinds = {cost.scope for cost in ann.machines}
    if kinds:
        words = "; ".join(f"{scope}: {SCOPES[scope]}" for scope in SCOPES if scope in kinds)
        found.append(
            f"A MAC's figure covers what its scope says ({words}). Whole machines were measured busy with large "
            "networks; a small one costs more on them. Figures of unlike scope are a guide to orders of "
            "magnitude, no more."
        )
    return [*found, LITERATURE]


def verdict(ratio: float | None, macs: Macs) -> str:
    """Which network costs less, and the spiking energy as a multiple of the artificial one, of so many ``macs``."""
    if ratio is None:
        return "not known"
    if macs.is_lower_bound:
        return f"{'wins' if ratio < 1 else 'not known'}, ≤ {times(ratio)}"
    return f"{'wins' if ratio < 1 else 'loses'}, {times(ratio)}"


def times(ratio: float) -> str:
    """A factor to three digits, without powers of ten."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×" if ratio >= 0.001 else "<0.001×"


def name_of(cost: AnnCost) -> str:
    """The short name of a machine; its whole title stands beside its source."""
    return cost.title.split(":")[0].split(" (")[0]


def visits(value: float | None) -> str:
    """Synaptic operations per synapse, to three digits."""
    return "not known" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _wins(rows: Sequence[Standing]) -> Iterator[str]:
    """Where it wins and loses by all that is modelled, and what sparsity would take on arithmetic alone."""
    if not rows:
        yield "No multiply-accumulate has a price in this profile's unit, so nothing is said about who wins."
    for word, names in _sides(rows):
        yield f"By all that is modelled the spiking network {word} against it on: {names}."
    if known := [row for row in rows if row.break_even is not None]:
        each = ", ".join(f"{visits(row.break_even)} ({name_of(row.ann)})" for row in known)
        yield (
            "Its synaptic operations alone cost less than the multiply-accumulates while a synapse is visited less "
            f"often in an inference than: {each}. Here it is {visits(known[0].visits)}."
        )


def _sides(rows: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """``wins`` and ``loses`` by all that is modelled, with the machines where it does.

    Where the multiply-accumulates are a lower bound, the artificial network may cost more: a loss is not known then.
    """
    lost = "may win or lose" if any(row.ann.macs.is_lower_bound for row in rows) else "loses"
    for won, word in ((True, "wins"), (False, lost)):
        if names := [name_of(row.ann) for row in rows if (row.ratios[1] < 1) is won]:
            yield word, ", ".join(names)


def _static(report: EnergyReport, ann: AnnCosts) -> str:
    """Whether static energy changes who wins, against either network."""
    if (time := report.time) is None or time.static_j is None:
        return "Static energy of the chip is not known here; it would add to the spiking side."
    turned = []
    uncertain = ann.teacher_macs is not None and ann.teacher_macs.is_lower_bound
    for whom, macs in (("the same network", ann.macs), ("the teacher", None if uncertain else ann.teacher_macs)):
        if (
            macs is not None
            and macs.count
            and (rows := [row for row in standings(report, ann, macs) if row.is_turned_by_static])
        ):
            turned.append(f"{whom} on {', '.join(name_of(row.ann) for row in rows)}")
    none = "changes no verdict against the same network" if uncertain else "changes no verdict"
    effect = f"turns the verdict against {' and '.join(turned)}" if turned else none
    return (
        f"Static energy, {report.say(time.static_j)} over at least {seconds(time.inference_s)}, {effect}. It is that "
        "of a whole chip with nothing else to do."
    )


def _left_out(macs: Macs) -> str:
    return f" ({macs.left_out})" if macs.unknown else ""


def _accuracy(known: Agreement | None) -> str:
    if known is not None and known.r2.get("teacher") is not None and known.r2.get("integer") is not None:
        return f"The spiking network has an R^2 of {known.r2['integer']:.3f}, the teacher {known.r2['teacher']:.3f}."
    if known is None or "teacher" not in known.accuracy or "integer" not in known.accuracy:
        return "How accurate the artificial network is on these samples is not known here, so neither is what is lost."
    teacher, own = known.accuracy["teacher"], known.accuracy["integer"]
    words = "gains" if own > teacher else "loses"
    return (
        f"The spiking network {words} {100 * abs(teacher - own):.2f} points of accuracy: {own:.2%} against the "
        f"teacher's {teacher:.2%}."
    )
