"""What the tables of sweeps and comparisons have in common, in Markdown and on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ..pages.numbers import markdown_table


def markdown_page(
    title: str, banner: str, plot: str, headings: Sequence[str], rows: Iterable[Sequence[str]], note: str,
    remarks: Iterable[str],
) -> str:  # fmt: skip
    """A page with one plot and one table.

    Args:
        banner: of the hardware profile; empty for none.
        plot: file name of the plot.
        note: what the columns mean.
        remarks: what the table cannot hold.
    """
    lines = [
        f"# {title}",
        "",
        *([f"> {banner}", ""] if banner else []),
        f"![Accuracy against deployed energy]({plot})",
        "",
        *markdown_table(headings, *rows),
        "",
        note,
        *(line for remark in remarks for line in ("", f"- {remark}")),
    ]
    return "\n".join(lines) + "\n"


def terminal_page(title: str, banner: str, table: RenderableType, note: str, remarks: Iterable[Text]) -> Group:
    """The same for a rich console, without the plot."""
    parts: list[RenderableType] = [Text(title, style="bold")]
    if banner:
        parts.append(Text(banner, style="yellow"))
    return Group(*parts, table, Text(note, style="dim"), *remarks)
