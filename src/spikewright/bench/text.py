"""What the tables of sweeps and comparisons have in common, in Markdown and on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ..pages import markdown
from ..pages.measure import ACCURACY, Measure, Spread
from .result import BenchResult


def energy(result: BenchResult, spread: Spread | None, around: str = " ±") -> str:
    """Mean energy, and standard deviation in % of it; ``around`` stands between the two."""
    if spread is None:
        return "-"
    deviation = "" if spread.deviation is None else f"{around}{spread.deviation / spread.mean:.1%}"
    return result.say(spread.mean) + deviation


def markdown_page(
    title: str,
    banner: str,
    plot: str,
    table: Iterable[Sequence[str]],
    note: str,
    remarks: Iterable[str],
    measure: Measure = ACCURACY,
) -> str:
    """A page with one plot and one table.

    Args:
        banner: of the hardware profile; empty for none.
        plot: file name of the plot.
        table: its rows, the headings first.
        note: what the columns mean.
        remarks: what the table cannot hold.
        measure: by which students are compared.
    """
    picture = measure.heading(f"![Accuracy against deployed energy]({plot})")
    above = [f"# {markdown.text(title)}", *([f"> {markdown.text(banner)}"] if banner else []), picture]
    below = [markdown.text(note), *(f"- {markdown.text(remark)}" for remark in remarks)]
    return "\n\n".join([*above, markdown.table(*table).rstrip(), *below]) + "\n"


def terminal_page(title: str, banner: str, table: RenderableType, note: str, remarks: Iterable[Text]) -> Group:
    """The same for a rich console, without the plot."""
    above = [Text(title, style="bold"), *([Text(banner, style="yellow")] if banner else [])]
    return Group(*above, table, Text(note, style="dim"), *remarks)
