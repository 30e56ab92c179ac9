"""A map of a chip's used tiles as SVG: cores told by a letter and a number, shaded as well by their work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import ceil, sqrt

from ..energy.report import EnergyReport
from ..placing.core_load import CoreLoad
from .plot_style import FAINT, INK, RULE

LARGE, SMALL = (58, 42), (26, 30)
"""Width and height of a core in pixels, where its work is written out and where there are too many for that."""
LARGE_COLUMNS = 12
"""Up to so many cores side by side their work is written out."""
GAP, EDGE, TITLE = 5, 24, 8
SHADES = ("#f1f5f9", "#d7e3ee", "#b4cbe0", "#86a9ca", "#43709c", "#24507c")
LIGHT_FROM = 4
"""From this shade on the text is white: its contrast is above 4.5 on either side."""


@dataclass(frozen=True)
class Grid:
    """The part of a mesh that is in use, and how large it is drawn.

    Attributes:
        columns, rows: of tiles.
        across, down: cores in a tile.
    """

    columns: range
    rows: range
    across: int
    down: int

    @property
    def is_written_out(self) -> bool:
        """Whether there is room for every core's work."""
        return len(self.columns) * self.across <= LARGE_COLUMNS

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a core."""
        return LARGE if self.is_written_out else SMALL

    @property
    def tile(self) -> tuple[int, int]:
        """Distance of a tile to the next one, across and down."""
        return self.across * self.cell[0] + GAP, self.down * self.cell[1] + GAP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the map."""
        return EDGE + len(self.columns) * self.tile[0] + GAP, EDGE + len(self.rows) * self.tile[1] + GAP

    def corner(self, column: int, row: int) -> tuple[int, int]:
        """Where a tile begins."""
        return EDGE + (column - self.columns.start) * self.tile[0], EDGE + (row - self.rows.start) * self.tile[1]


def letters(report: EnergyReport) -> dict[str, str]:
    """A letter for each population that lies on cores, in the network's order: A, B, ..., Z, AA, ..."""
    names = dict.fromkeys(site.population for site in report.placement.sites)
    return {name: _letter(i) for i, name in enumerate(names)}


def tenths(core: CoreLoad, most: float) -> int:
    """A core's work in tenths of the busiest one's, 0 to 10, rounded."""
    return round(10 * core.work / most) if most else 0


def grid_of(report: EnergyReport, chip: int) -> Grid:
    """The tiles that are in use on a chip.

    Raises:
        ValueError: the profile has no mesh.
    """
    mesh = report.profile.limits.mesh
    if mesh is None:
        raise ValueError(f"{report.profile.name} has no mesh")
    places = [report.placement.position(core.core) for core in report.cores if core.chip == chip]
    columns, rows = ([place[axis] for place in places] for axis in (0, 1))
    across = ceil(sqrt(mesh.cores_per_tile))
    return Grid(
        range(min(columns), max(columns) + 1),
        range(min(rows), max(rows) + 1),
        across,
        ceil(mesh.cores_per_tile / across),
    )


def core_map(report: EnergyReport, chip: int) -> str:
    """The map of one chip; the shades of several have one scale.

    Raises:
        ValueError: the profile has no mesh.
    """
    grid, most = grid_of(report, chip), max(core.work for core in report.cores)
    named = letters(report)
    parts = [*_tiles(grid), *_axes(grid)]
    for core in report.cores:
        if core.chip == chip:
            parts += _core(grid, _place(report, grid, core), _words(grid, named, core, most), tenths(core, most))
    width, height = grid.size
    style = (
        f"text{{font-family:sans-serif;text-anchor:middle;fill:{INK}}}.f{{fill:{FAINT};font-size:10px}}.w{{fill:#fff}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<style>{style}</style>{''.join(parts)}</svg>"
    )


def _tiles(grid: Grid) -> Iterator[str]:
    width, height = (distance - GAP + 2 for distance in grid.tile)
    for column in grid.columns:
        for row in grid.rows:
            x, y = grid.corner(column, row)
            yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="none" stroke="{RULE}"/>'


def _axes(grid: Grid) -> Iterator[str]:
    """Numbers of the tiles' columns above and of their rows on the left."""
    for column in grid.columns:
        x = grid.corner(column, 0)[0] + (grid.tile[0] - GAP) / 2
        yield f'<text class="f" x="{x:g}" y="{EDGE - TITLE}">{column}</text>'
    for row in grid.rows:
        y = grid.corner(0, row)[1] + (grid.tile[1] - GAP) / 2 + 4
        yield f'<text class="f" x="{EDGE / 2:g}" y="{y:g}">{row}</text>'


def _place(report: EnergyReport, grid: Grid, core: CoreLoad) -> tuple[int, int]:
    """The upper left corner of a core within its tile."""
    mesh = report.profile.limits.mesh
    assert mesh is not None
    x, y = grid.corner(*report.placement.position(core.core))
    down, across = divmod(core.core % mesh.cores_per_tile, grid.across)
    return x + across * grid.cell[0] + 1, y + down * grid.cell[1] + 1


def _words(grid: Grid, named: Mapping[str, str], core: CoreLoad, most: float) -> tuple[str, str]:
    """Whose a core is, and its work."""
    if grid.is_written_out:
        return "+".join(named[name] for name in core.compartments), brief(core.work)
    return named[core.main], str(tenths(core, most))


def _core(grid: Grid, corner: tuple[int, int], words: tuple[str, str], tenth: int) -> Iterator[str]:
    (x, y), (width, height) = corner, grid.cell
    shade = tenth * len(SHADES) // 11
    white = ' class="w"' if shade >= LIGHT_FROM else ""
    points = (13, 11.5) if grid.is_written_out else (11, 10.5)
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{SHADES[shade]}" stroke="#fff"/>'
    for word, line, size in zip(words, (0.42, 0.8), points, strict=True):
        yield f'<text{white} x="{x + width / 2:g}" y="{y + line * height:.1f}" font-size="{size}">{escape(word)}</text>'


def brief(value: float) -> str:
    """A count in at most five characters: ``812``, ``12.3k``, ``4.1M``."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g}{suffix}"
    return f"{value:.3g}"


def _letter(index: int) -> str:
    return ("" if index < 26 else _letter(index // 26 - 1)) + chr(65 + index % 26)
