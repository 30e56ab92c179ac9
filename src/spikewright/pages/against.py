"""The artificial network against the spiking one in plain words: who wins, where, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..chip.agreement import Agreement
from ..energy.ann_twin import AnnCost, AnnTwins, Standing, standings
from ..energy.report import EnergyReport
from ..energy.time import seconds
from .numbers import count

SCOPES = {
    "incremental": "the operation alone",
    "all-in": "the whole machine, static power included",
    "system": "the whole board",
}
LITERATURE = (
    "For scale: counting memory accesses, Dampfhoffer et al. (IEEE TETCI 7(3):731-741, 2023, abstract) let a spiking "
    "network compete at 0.15 to 1.38 spikes per synapse and inference, depending on how the artificial one is built."
)

HEADINGS = (
    "machine",
    ">each MAC",
    ">the ANN",
    ">break-even",
    ">operations alone",
    ">all modelled",
    ">with static energy",
)
NOTE = (
    "Break-even: synaptic operations for each MAC at which those cost the same. Then who wins, and the spiking "
    "network's energy as a multiple of the artificial one's: synaptic operations alone, all that is modelled, with "
    "static energy"
)


def tables(report: EnergyReport, twins: AnnTwins) -> list[tuple[str, list[Standing]]]:
    """Captions and rows: the same network run once as an ANN, and the teacher where it is known."""
    found = []
    if twins.macs and (known := standings(report, twins, twins.macs)):
        found.append((f"Against the same network run once as an ANN: {twins.macs:,} MACs", known))
    if twins.teacher_macs and (known := standings(report, twins, twins.teacher_macs)):
        found.append((f"Against the ANN teacher: {twins.teacher_macs:,} MACs", known))
    return found


def rows(report: EnergyReport, known: Sequence[Standing]) -> list[tuple[str, ...]]:
    """A row under ``HEADINGS`` for each machine."""
    return [
        (
            name_of(each.ann),
            report.say(each.ann.constant),
            report.say(each.ann.energy),
            visits(each.break_even),
            *(verdict(ratio) for ratio in each.ratios),
        )
        for each in known
    ]


def sources(twins: AnnTwins) -> list[tuple[str, ...]]:
    """Machine, kind and scope, source."""
    costs = sorted(twins.machines, key=lambda cost: cost.constant)
    return [(cost.title, f"{cost.kind}, {cost.scope}", cost.source) for cost in costs]


def sentences(report: EnergyReport, twins: AnnTwins, agreement: Agreement | None) -> list[str]:
    """The conditions, from known quantities only."""
    if not twins.macs:
        return []
    known = standings(report, twins, twins.macs)
    found = [_counts(report, twins), *_wins(known), *_reach(known, report)]
    return [*found, *_teacher(report, twins), *_static(report, twins), *_accuracy(agreement)]


def left_out(report: EnergyReport, twins: AnnTwins) -> list[str]:
    """What neither side counts, or only one does."""
    names = ", ".join(item.words for item in report.not_modelled)
    found = [f"Left out on the spiking side: {names}."] if names else []
    kinds = {cost.scope for cost in twins.machines}
    if kinds:
        words = "; ".join(f"{scope}: {SCOPES[scope]}" for scope in SCOPES if scope in kinds)
        found.append(
            f"A MAC's figure covers what its scope says ({words}). Whole machines were measured busy with large "
            "networks; a small one costs more on them. Figures of unlike scope are a guide to orders of "
            "magnitude, no more."
        )
    return [*found, LITERATURE]


def verdict(ratio: float | None) -> str:
    """Who wins, and the spiking energy as a multiple of the artificial one."""
    if ratio is None:
        return "not known"
    return f"{'wins' if ratio < 1 else 'loses'}, {times(ratio)}"


def times(ratio: float) -> str:
    """A factor to three digits, without powers of ten."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×" if ratio >= 0.001 else "<0.001×"


def name_of(cost: AnnCost) -> str:
    """A machine in few words; its whole title stands beside its source."""
    return cost.title.split(":")[0].split(" (")[0]


def visits(value: float | None) -> str:
    """Operations per synapse."""
    return "not known" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _counts(report: EnergyReport, twins: AnnTwins) -> str:
    teacher = f" The teacher takes {twins.teacher_macs:,}." if twins.teacher_macs else ""
    return (
        f"Run once as an artificial network, the same wiring takes {twins.macs:,} multiply-accumulates.{teacher} "
        f"The spiking network did {count(report.synaptic_ops)} synaptic operations an inference: "
        f"{visits(report.synaptic_ops / twins.macs)} for each synapse."
    )


def _wins(rows: Sequence[Standing]) -> Iterator[str]:
    """Where it wins and loses by all that is modelled, and what sparsity would take on arithmetic alone."""
    if not rows:
        yield "No multiply-accumulate has a price in this profile's unit, so nothing is said about who wins."
        return
    for won, word in ((True, "wins"), (False, "loses")):
        if names := [name_of(row.ann) for row in rows if (row.ratios[1] < 1) is won]:
            yield f"By all that is modelled the spiking network {word} against it on: {', '.join(names)}."
    if known := [row for row in rows if row.break_even is not None]:
        each = ", ".join(f"{visits(row.break_even)} ({name_of(row.ann)})" for row in known)
        yield (
            "Its synaptic operations alone cost less than the multiply-accumulates while a synapse is visited less "
            f"often in an inference than: {each}. Here it is {visits(known[0].visits)}."
        )


def _reach(rows: Sequence[Standing], report: EnergyReport) -> Iterator[str]:
    names = [name_of(row.ann) for row in rows if row.is_out_of_reach]
    if names:
        yield (
            f"Sparser spikes cannot win against it on {', '.join(names)}: without any hidden spike it would still cost "
            f"{report.say(report.floor)}."
        )


def _static(report: EnergyReport, twins: AnnTwins) -> Iterator[str]:
    """Whether static energy changes who wins, against either network."""
    time = report.time
    if not twins.machines:
        return
    if time is None or time.static_j is None:
        yield "Static energy of the chip is not known here; it would add to the spiking side."
        return
    turned = []
    for whom, macs in (("the same network", twins.macs), ("the teacher", twins.teacher_macs)):
        where = [name_of(row.ann) for row in standings(report, twins, macs) if row.is_turned_by_static] if macs else []
        turned += [f"{whom} on {', '.join(where)}"] if where else []
    effect = f"turns the verdict against {' and '.join(turned)}" if turned else "changes no verdict"
    yield (
        f"Static energy, {report.say(time.static_j)} over at least {seconds(time.inference_s)}, {effect}. It is that "
        "of a whole chip with nothing else to do."
    )


def _teacher(report: EnergyReport, twins: AnnTwins) -> Iterator[str]:
    """Who wins against the teacher by all that is modelled."""
    if not (twins.teacher_macs and twins.machines):
        return
    known = standings(report, twins, twins.teacher_macs)
    sides = {True: "wins", False: "loses"}
    parts = [
        f"{word} on {', '.join(names)}"
        for won, word in sides.items()
        if (names := [name_of(row.ann) for row in known if (row.ratios[1] < 1) is won])
    ]
    yield f"Against the teacher, which is another and mostly larger network, it {' and '.join(parts)}."


def _accuracy(known: Agreement | None) -> Iterator[str]:
    if known is None or "teacher" not in known.accuracy or "integer" not in known.accuracy:
        yield "How accurate the artificial network is on these samples is not known here, so neither is what is lost."
        return
    teacher, own = known.accuracy["teacher"], known.accuracy["integer"]
    words = "gains" if own > teacher else "loses"
    yield (
        f"The spiking network {words} {100 * abs(teacher - own):.2f} points of accuracy: {own:.2%} against the "
        f"teacher's {teacher:.2%}."
    )
