"""The SVG of a network: boxes, arrows and text, legible on light and dark pages, without a script or anything to load.

The picture has a ground of its own, whose colour follows the reader's preference, so that it can stand on any page.
Names come from files: every text is escaped, and what cannot be shown is a mark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from ...base.visible import visible
from .layers import Layers, Way, in_layers
from .places import across
from .scheme import Arrow, Scheme

MARGIN, GAP, PORTS = 24.0, 22.0, 22.0
"""Pixels around the picture, between layers, and between two arrows at one side of a box."""
LINE, LABEL_LINE, PADDING = 15.5, 14.0, 12.0
LOOP = 26.0
"""Pixels that the arrow of a population with itself reaches out of its box."""
BAR = 5.0
BOLD = 1.12
"""How much wider bold text is."""
LONGEST = 48
"""Characters of a line; the rest is an ellipsis, and the whole of a name is its tooltip."""
LIGHT = {
    "paper": "fill:#ffffff", "frame": "stroke:#d0d7de", "ink": "fill:#1f2328", "faint": "fill:#57606a",
    "box": "fill:#f6f8fa;stroke:#afb8c1", "line": "stroke:#6e7781", "head": "fill:#6e7781",
    "late": "stroke:#a0410d", "latehead": "fill:#a0410d", "track": "fill:#d8dee4", "bar": "fill:#a0410d",
    "input": "fill:#1a7f5a", "neurons": "fill:#3b5bdb", "readout": "fill:#9c36b5", "linear": "fill:#8c959f",
    "added": "fill:#d0d7de",
}  # fmt: skip
DARK = {
    "paper": "fill:#161b22", "frame": "stroke:#3d444d", "ink": "fill:#e6edf3", "faint": "fill:#9da7b3",
    "box": "fill:#212830;stroke:#656c76", "line": "stroke:#9198a1", "head": "fill:#9198a1",
    "late": "stroke:#ff9b5e", "latehead": "fill:#ff9b5e", "track": "fill:#3d444d", "bar": "fill:#ff9b5e",
    "input": "fill:#3fb68b", "neurons": "fill:#7c9cff", "readout": "fill:#d58be8", "linear": "fill:#9198a1",
    "added": "fill:#656c76",
}  # fmt: skip
_UNSAID = re.compile("[\ud800-\udfff\ufffe\uffff]")


def svg_of(scheme: Scheme) -> str:
    """The picture of a scheme; equal schemes give equal text."""
    names = [box.name for box in scheme.boxes]
    edges = [(arrow.source, arrow.target) for arrow in scheme.arrows]
    layers = in_layers(names, edges)
    return _Page(scheme, layers).text()


def shown(text: str) -> str:
    """A text of whatever origin, in one line, as XML can hold it and a reader can see it; not escaped yet."""
    return _UNSAID.sub("\ufffd", visible(" ".join(text.split())))


def cut(text: str) -> str:
    """A text that is shown, at most :data:`LONGEST` characters of it."""
    line = shown(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def width_of(text: str, size: float) -> float:
    """Pixels that a text takes in most fonts without serifs, rather more than less."""
    return size * sum(map(_em, text))


def _em(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in " .,:;'|!ijlft()[]/·":
        return 0.38
    if character in "mwMW@%—…":
        return 0.98
    if character.isupper() or not character.isascii() or character in "+<=>~":
        return 0.84 if not character.isascii() else 0.72
    return 0.64


class _Page:
    """One picture while it is made: what is where, and the marks of it."""

    def __init__(self, scheme: Scheme, layers: Layers) -> None:
        self.scheme, self.layers = scheme, layers
        rows = layers.rows
        self.node_layers = {item: layer for layer in range(0, len(rows), 2) for item in rows[layer]}
        self.boxes = {f"node {box.name}": box for box in scheme.boxes}
        loops: dict[str, list[Arrow]] = {}
        for arrow in scheme.arrows:
            if arrow.source == arrow.target:
                loops.setdefault(f"node {arrow.source}", []).append(arrow)
        self.loops = loops
        self.labels = {
            item: scheme.arrows[way.edge] for way in layers.ways for item in way.items if item.startswith("label")
        }
        self.x = across(layers, {item: self._width(item) for row in layers.rows for item in row})
        self.head = self._head()
        self.top, self.height = self._levels(MARGIN + 30.0 + 17.0 * (len(self.head) - 1))
        self.ports = self._ports()
        self.shift = MARGIN

    def text(self) -> str:
        """The whole SVG."""
        extent = max((self.x[item] + self._width(item) / 2 for item in self.x), default=0.0)
        titles = max(width_of(line, BOLD * 15 if place == 0 else 12) for place, line in enumerate(self.head))
        width, height = max(extent, titles) + 2 * MARGIN, self.height + MARGIN
        self.shift = MARGIN + max(0.0, titles - extent) / 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_n(width)}" height="{_n(height)}" '
            f'viewBox="0 0 {_n(width)} {_n(height)}">',
            f"<title>{escape(shown(self.scheme.words))}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper frame" x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="8"/>',
            *self._titles(),
            *(mark for way in self.layers.ways for mark in self._way(way)),
            *(mark for item, arrows in self.loops.items() for mark in self._loops(item, arrows)),
            *(mark for item in self.labels for mark in self._label(item)),
            *(mark for item in self.boxes for mark in self._box(item)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    # sizes

    def _width(self, item: str) -> float:
        if item.startswith("bend"):
            return 6.0
        if item.startswith("label"):
            lines = self.labels[item].lines
            return max((width_of(cut(line), 11) for line in lines), default=0.0) + 8 if lines else 6.0
        return self._box_width(item) + 2 * self._loop_width(item)

    def _box_width(self, item: str) -> float:
        box = self.boxes[item]
        texts = [width_of(cut(box.name), BOLD * 13.5), *(width_of(cut(line), 11.5) for line in box.lines)]
        return max(96.0, max(texts) + 2 * PADDING)

    def _loop_width(self, item: str) -> float:
        if item not in self.loops:
            return 0.0
        texts = (width_of(cut(line), 11) for arrow in self.loops[item] for line in arrow.lines)
        return LOOP + max(texts, default=0.0) + 10

    def _item_height(self, item: str) -> float:
        if item in self.boxes:
            box = self.boxes[item]
            return 26.0 + LINE * len(box.lines) + (BAR + 7 if box.share is not None else 0) + 6
        return LABEL_LINE * len(self.labels[item].lines) + 4 if item in self.labels and self.labels[item].lines else 0.0

    def _levels(self, top: float) -> tuple[list[tuple[float, float]], float]:
        """Upper and lower end of each layer, and where the last ends."""
        found = []
        for row in self.layers.rows:
            height = max(map(self._item_height, row), default=0.0)
            found.append((top, top + height))
            top += height + GAP
        return found, top - GAP

    # ends of arrows

    def _ports(self) -> dict[int, tuple[float, float]]:
        """By edge, where its way leaves its upper node and enters its lower one, in pixels from their middles."""
        found: dict[int, list[float]] = {way.edge: [0.0, 0.0] for way in self.layers.ways}
        for end in (0, -1):
            sides: dict[str, list[Way]] = {}
            for way in self.layers.ways:
                sides.setdefault(way.items[end], []).append(way)
            for item, ways in sides.items():
                near = 1 if end == 0 else -2
                ways.sort(key=lambda way: (self.x[way.items[near]], way.edge))
                space = min(PORTS, (self._box_width(item) - 2 * PADDING) / max(1, len(ways) - 1))
                for place, way in enumerate(ways):
                    found[way.edge][end] = (place - (len(ways) - 1) / 2) * space
        return {edge: (ends[0], ends[1]) for edge, ends in found.items()}

    def _edges_of(self, item: str, layer: int) -> tuple[float, float]:
        """Upper and lower end of an item; nodes stand in the middle of their layer."""
        top, bottom = self.top[layer]
        height = self._item_height(item)
        if item in self.boxes:
            middle = (top + bottom) / 2
            return middle - height / 2, middle + height / 2
        return top, bottom

    # marks

    def _head(self) -> list[str]:
        return [shown(self.scheme.title), *filter(None, [shown(self.scheme.subtitle)])]

    def _titles(self) -> Iterator[str]:
        for place, line in enumerate(self.head):
            kind = "ink title" if place == 0 else "faint small"
            yield f'<text class="{kind}" x="{_n(MARGIN)}" y="{_n(MARGIN + 8 + 17 * place)}">{escape(line)}</text>'

    def _way(self, way: Way) -> Iterator[str]:
        first = self._layer_of(way.items[0])
        out, into = self.ports[way.edge]
        x = self._at(way.items[0]) + out
        _, y = self._edges_of(way.items[0], first)
        points = [f"M{_n(x)} {_n(y + (7 if way.is_turned else 0))}"]
        for step, item in enumerate(way.items[1:], start=1):
            upper, lower = self._edges_of(item, first + step)
            is_last = item == way.items[-1]
            if not is_last and upper == lower:  # nothing stands in this layer
                continue
            next_x = self._at(item) + (into if is_last else 0.0)
            end = upper - (0 if way.is_turned or not is_last else 7)
            middle = (y + end) / 2
            points.append(f"C{_n(x)} {_n(middle)} {_n(next_x)} {_n(middle)} {_n(next_x)} {_n(end)}")
            if not is_last and lower > upper:
                points.append(f"V{_n(lower)}")
            x, y = next_x, end if is_last else lower
        yield self._line(self.scheme.arrows[way.edge], " ".join(points), way.is_turned)
        tip_x = self._at(way.items[0]) + out if way.is_turned else x
        tip_y = self._edges_of(way.items[0], first)[1] if way.is_turned else y + 7
        yield self._tip(self.scheme.arrows[way.edge], tip_x, tip_y, -1 if way.is_turned else 1, way.is_turned)

    def _line(self, arrow: Arrow, path: str, is_turned: bool = False) -> str:
        kind = "line late" if arrow.is_late or is_turned else "line"
        width = 1.3 + 3.2 * (arrow.weight or 0.0)
        return f'<path class="{kind}" stroke-width="{_n(width)}" d="{path}"/>'

    def _tip(self, arrow: Arrow, x: float, y: float, down: int, is_turned: bool = False) -> str:
        kind = "latehead" if arrow.is_late or is_turned else "head"
        half = 4.0 + 1.2 * (arrow.weight or 0.0)
        return f'<path class="{kind}" d="M{_n(x)} {_n(y)} l{_n(-half)} {_n(-8 * down)} h{_n(2 * half)}z"/>'

    def _loops(self, item: str, arrows: Sequence[Arrow]) -> Iterator[str]:
        """Arrows of a node with itself, out of its right side and into it again."""
        upper, lower = self._edges_of(item, self._layer_of(item))
        right, middle = self._at(item) + self._box_width(item) / 2, (upper + lower) / 2
        for place, arrow in enumerate(arrows):
            reach, half = LOOP + 8 * place, min(12.0 + 4 * place, (lower - upper) / 2 - 4)
            path = (
                f"M{_n(right)} {_n(middle + half)} C{_n(right + reach)} {_n(middle + half)} {_n(right + reach)} "
                f"{_n(middle - half)} {_n(right + 7)} {_n(middle - half)}"
            )
            yield self._line(arrow, path, is_turned=True)
            yield f'<path class="latehead" d="M{_n(right)} {_n(middle - half)} l8 -4 v8z"/>'
            for line, text in enumerate(arrow.lines):
                y = middle + 4 + LABEL_LINE * (line - (len(arrow.lines) - 1) / 2)
                yield f'<text class="faint label" x="{_n(right + reach)}" y="{_n(y)}">{escape(cut(text))}</text>'

    def _label(self, item: str) -> Iterator[str]:
        lines = self.labels[item].lines
        if not lines:
            return
        top, bottom = self.top[self._layer_of(item)]
        height, x = self._item_height(item), self._at(item)
        first = (top + bottom - height) / 2
        half = (self._width(item) - 4) / 2
        yield f'<rect class="paper" x="{_n(x - half)}" y="{_n(first)}" width="{_n(2 * half)}" height="{_n(height)}"/>'
        for place, line in enumerate(lines):
            y = first + LABEL_LINE * (place + 1) - 2
            yield f'<text class="faint label middle" x="{_n(x)}" y="{_n(y)}">{escape(cut(line))}</text>'

    def _box(self, item: str) -> Iterator[str]:
        box = self.boxes[item]
        width, (upper, lower) = self._box_width(item), self._edges_of(item, self._layer_of(item))
        left = self._at(item) - width / 2
        tooltip = "\n".join([shown(box.name), *map(shown, box.lines)])
        yield f"<g><title>{escape(tooltip)}</title>"
        size = f'width="{_n(width)}" height="{_n(lower - upper)}"'
        yield f'<rect class="box" x="{_n(left)}" y="{_n(upper)}" {size} rx="5"/>'
        yield (
            f'<rect class="{box.kind}" x="{_n(left + 3)}" y="{_n(upper + 5)}" width="3.5" '
            f'height="{_n(lower - upper - 10)}" rx="1.5"/>'
        )
        yield f'<text class="ink name" x="{_n(left + PADDING)}" y="{_n(upper + 19)}">{escape(cut(box.name))}</text>'
        for place, line in enumerate(box.lines):
            y = upper + 19 + LINE * (place + 1)
            yield f'<text class="faint small" x="{_n(left + PADDING)}" y="{_n(y)}">{escape(cut(line))}</text>'
        if box.share is not None:
            yield from _bar(left + PADDING, lower - BAR - 7, width - 2 * PADDING, box.share)
        yield "</g>"

    def _at(self, item: str) -> float:
        return self.x[item] + self.shift

    def _layer_of(self, item: str) -> int:
        if item in self.boxes:
            return self.node_layers[item]
        return int(item.rsplit(" ", 1)[1])


def _bar(x: float, y: float, width: float, share: float) -> Iterator[str]:
    filled = 0.0 if not share else max(1.5, width * min(1.0, share))
    yield f'<rect class="track" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(BAR)}" rx="2"/>'
    if filled:
        yield f'<rect class="bar" x="{_n(x)}" y="{_n(y)}" width="{_n(filled)}" height="{_n(BAR)}" rx="2"/>'


def _n(value: float) -> str:
    """A number to a tenth of a pixel, so that the last bits of a sum change nothing."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def _rules(colours: Mapping[str, str]) -> str:
    return "".join(f".{name}{{{rule}}}" for name, rule in colours.items())


STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    ".title{font-size:15px;font-weight:600}.name{font-size:13.5px;font-weight:600}.small{font-size:11.5px}"
    ".label{font-size:11px}.middle{text-anchor:middle}.line{fill:none}.late{stroke-dasharray:5 3}"
    f"{_rules(LIGHT)}@media (prefers-color-scheme:dark){{{_rules(DARK)}}}"
)
"""One rule for each class; no variables, which some readers of SVG do not know."""
