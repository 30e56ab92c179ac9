"""Pieces of a view: a heading, a table and pictures, legible on a light and on a dark page without a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..pages.numbers import Rows
from ..pages.pictures import Picture

ROWS = 24
"""Rows of a table that are shown; how many more there are is said below it."""
STYLE = """
.spikewright{font-size:13px;line-height:1.4;max-width:62em}
.spikewright p{margin:.2em 0}.spikewright .faint{opacity:.7}
.spikewright table{border-collapse:collapse;margin:.6em 0;font-variant-numeric:tabular-nums}
.spikewright th,.spikewright td{text-align:left;padding:.2em .8em .2em 0;vertical-align:top;background:none;border:0;
border-bottom:1px solid rgba(128,128,128,.35)}
.spikewright th{font-weight:600;border-bottom-color:rgba(128,128,128,.9)}.spikewright .num{text-align:right}
.spikewright td.num,.spikewright td:first-child{white-space:nowrap}.spikewright .scroll{overflow-x:auto}
.spikewright .plots{display:flex;flex-wrap:wrap;gap:.8em}
.spikewright figure{margin:0;flex:1 1 20em;max-width:34em}
.spikewright .wide figure{max-width:52em}
.spikewright figcaption{font-weight:600;margin:.4em 0 .2em}
.spikewright img{width:100%;height:auto;background:#fff;border-radius:4px;padding:6px;box-sizing:border-box}
"""
"""All colours but the pictures' white ground are the notebook's own, so a view suits every theme."""


def view(title: str, *parts: str) -> str:
    """A view: its title and its parts, below each other."""
    style = STYLE.replace("\n", "")
    return (
        f'<div class="spikewright"><style>{style}</style><p><strong>{escape(title)}</strong></p>{"".join(parts)}</div>'
    )


def text(*sentences: str, faint: bool = False) -> str:
    """A paragraph for each sentence that is not empty."""
    kind = ' class="faint"' if faint else ""
    return "".join(f"<p{kind}>{escape(sentence)}</p>" for sentence in sentences if sentence)


def table(rows: Rows, most: int = ROWS) -> str:
    """A table; headings as in :mod:`spikewright.pages.numbers`, ``>`` for numbers. Empty without a row below them."""
    headings, *body = rows
    if not body:
        return ""
    kinds = [' class="num"' if heading.startswith(">") else "" for heading in headings]
    head = _cells("th", [heading.lstrip(">+") for heading in headings], kinds)
    lines = "".join(f"<tr>{_cells('td', row, kinds)}</tr>" for row in body[:most])
    more = text(f"and {len(body) - most:,} more", faint=True) if len(body) > most else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>{more}'


def _cells(tag: str, cells: Sequence[str], kinds: Sequence[str]) -> str:
    return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))


def pictures(shown: Iterable[Picture], wide: bool = False) -> str:
    """Pictures beside each other, each with its heading; what they show is in their alternative text.

    Args:
        wide: for one that has the whole width.
    """
    figures = [
        f'<figure><figcaption>{escape(each.title)}</figcaption><img src="{each.uri}" alt="{escape(each.alt)}"></figure>'
        for each in shown
    ]
    kind = "plots wide" if wide else "plots"
    return f'<div class="{kind}">{"".join(figures)}</div>' if figures else ""


def drawing(shown: Picture) -> str:
    """A picture at its own size, which has a ground of its own."""
    style = "width:auto;max-width:100%;height:auto;padding:0;background:none"
    return f'<img src="{shown.uri}" alt="{escape(shown.alt)}" style="{style}">'
