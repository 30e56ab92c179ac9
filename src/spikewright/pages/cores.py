"""The cores of a placement and their messages: rows of tables, and a map of a chip's tiles in use as SVG.

On the map a core is told by a letter and a number, and shaded as well by its work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import ceil, sqrt

from ..placing.core_load import CoreLoad, RouteTraffic
from ..placing.placement import Placement
from .colours import FAINT, INK, RULE
from .numbers import Rows, count

SHOWN = 32
"""The most cores that are listed, the busiest first."""

WORK = "Work: synaptic operations of the spikes that arrive, and updates of compartments, in one inference"
LARGE, SMALL = (58, 42), (26, 30)
"""Width and height of a core in pixels, where its work is written out and where there are too many for that."""
LARGE_COLUMNS = 12
"""Up to so many cores side by side their work is written out."""
GAP, EDGE, TITLE = 5, 24, 8
SHADES = ("#f1f5f9", "#d7e3ee", "#b4cbe0", "#86a9ca", "#43709c", "#24507c")
LIGHT_FROM = 4
"""From this shade on the text is white: its contrast is above 4.5 on either side."""


@dataclass(frozen=True, eq=False)
class PlacedCores:
    """A placement, what each of its cores does, and how far messages go, per inference.

    Attributes:
        cores: one for each core in use; empty where the profile has no cores.
        ways: one for each connection; likewise.
    """

    placement: Placement
    cores: tuple[CoreLoad, ...]
    ways: tuple[RouteTraffic, ...]


@dataclass(frozen=True)
class CoreGrid:
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
        """Whether the map is narrow enough to write out the work of every core."""
        return len(self.columns) * self.across <= LARGE_COLUMNS

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a core in pixels."""
        return LARGE if self.is_written_out else SMALL

    @property
    def tile(self) -> tuple[int, int]:
        """Distance of a tile to the next one, across and down."""
        return self.across * self.cell[0] + GAP, self.down * self.cell[1] + GAP

    def corner(self, column: int, row: int) -> tuple[int, int]:
        """The upper left corner of a tile, in pixels."""
        return EDGE + (column - self.columns.start) * self.tile[0], EDGE + (row - self.rows.start) * self.tile[1]


def letters(placed: PlacedCores) -> dict[str, str]:
    """A letter for each population that lies on cores, in the network's order: A, B, ..., Z, AA, ..."""
    names = dict.fromkeys(site.population for site in placed.placement.sites)
    return {name: _letter(i) for i, name in enumerate(names)}


def tenths(core: CoreLoad, most: float) -> int:
    """A core's work in tenths of the busiest one's, 0 to 10, rounded."""
    return round(10 * core.work / most) if most else 0


def grid_of(placed: PlacedCores, chip: int) -> CoreGrid:
    """The tiles that are in use on a chip.

    Raises:
        ValueError: the profile has no mesh.
    """
    mesh = placed.placement.profile.limits.mesh
    if mesh is None:
        raise ValueError(f"{placed.placement.profile.name} has no mesh")
    places = [placed.placement.position(core.core) for core in placed.cores if core.chip == chip]
    columns, rows = ([place[axis] for place in places] for axis in (0, 1))
    across = ceil(sqrt(mesh.cores_per_tile))
    used = [range(min(axis), max(axis) + 1) for axis in (columns, rows)]
    return CoreGrid(used[0], used[1], across, ceil(mesh.cores_per_tile / across))


def core_map(placed: PlacedCores, chip: int) -> str:
    """The map of one chip; the shades of several have one scale.

    Raises:
        ValueError: the profile has no mesh.
    """
    grid, most = grid_of(placed, chip), max(core.work for core in placed.cores)
    named = letters(placed)
    parts = [*_tiles(grid)]
    for core in placed.cores:
        if core.chip == chip:
            parts += _core(placed, grid, named, core, most)
    width, height = (EDGE + len(n) * tile + GAP for n, tile in zip((grid.columns, grid.rows), grid.tile, strict=True))
    style = (
        f"text{{font-family:sans-serif;text-anchor:middle;fill:{INK}}}.f{{fill:{FAINT};font-size:10px}}.w{{fill:#fff}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<style>{style}</style>{''.join(parts)}</svg>"
    )


def _tiles(grid: CoreGrid) -> Iterator[str]:
    """A frame for each tile, the numbers of their columns above and of their rows on the left."""
    width, height = (distance - GAP + 2 for distance in grid.tile)
    for column in grid.columns:
        for row in grid.rows:
            x, y = grid.corner(column, row)
            yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="none" stroke="{RULE}"/>'
    for column in grid.columns:
        middle = grid.corner(column, 0)[0] + (grid.tile[0] - GAP) / 2
        yield f'<text class="f" x="{middle:g}" y="{EDGE - TITLE}">{column}</text>'
    for row in grid.rows:
        middle = grid.corner(0, row)[1] + (grid.tile[1] - GAP) / 2 + 4
        yield f'<text class="f" x="{EDGE / 2:g}" y="{middle:g}">{row}</text>'


def _core(placed: PlacedCores, grid: CoreGrid, named: Mapping[str, str], core: CoreLoad, most: float) -> Iterator[str]:
    """A square in its tile, with the letter of the core's populations and its work."""
    mesh, (width, height), tenth = placed.placement.profile.limits.mesh, grid.cell, tenths(core, most)
    assert mesh is not None
    left, top = grid.corner(*placed.placement.position(core.core))
    down, across = divmod(core.core % mesh.cores_per_tile, grid.across)
    x, y = left + across * width + 1, top + down * height + 1
    if grid.is_written_out:
        words, points = ("+".join(named[name] for name in core.compartments), brief(core.work)), (13, 11.5)
    else:
        words, points = (named[core.main], str(tenth)), (11, 10.5)
    shade = tenth * len(SHADES) // 11
    white = ' class="w"' if shade >= LIGHT_FROM else ""
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


def rest(placed: PlacedCores) -> str:
    """What the list of cores leaves out; empty where it is whole."""
    left = len(placed.cores) - SHOWN
    return f"{left:,} more cores have less to do than these" if left > 0 else ""


def population_rows(placed: PlacedCores) -> Rows:
    """Population, cores that hold its compartments, and the least, mean and most work of these."""
    rows: Rows = [("population", ">cores", ">least work", ">mean", ">most")]
    for name, letter in letters(placed).items():
        work = [core.work for core in placed.cores if name in core.compartments]
        numbers = (min(work), sum(work) / len(work), max(work))
        rows.append((f"{letter} {name}", str(len(work)), *map(count, numbers)))
    return rows


def busiest_rows(placed: PlacedCores) -> Rows:
    """Core, populations, synaptic operations and updates of the busiest cores, the busiest first."""
    rows: Rows = [("core", "+holds", ">synaptic operations", ">updates")]
    for core in sorted(placed.cores, key=lambda core: (-core.work, core.chip, core.core))[:SHOWN]:
        name = f"{core.core} of chip {core.chip}" if placed.placement.arrangement.chips > 1 else str(core.core)
        rows.append((name, ", ".join(core.compartments), count(core.synaptic_ops), count(core.updates)))
    return rows


def way_rows(placed: PlacedCores) -> Rows:
    """A row for each connection, a dash where something is not known; messages between chips only for several."""
    several = placed.placement.arrangement.chips > 1
    rows: Rows = [("connection", ">messages", ">hops each", *([">to other chips"] if several else []))]
    for way in placed.ways:
        crossings = "-" if way.crossings is None else count(way.crossings)
        name = way.connection.replace("->", " → ")
        hops = "-" if way.mean_hops is None else f"{way.mean_hops:.2f}"
        rows.append((name, count(way.messages), hops, *([crossings] if several else [])))
    return rows


def key(placed: PlacedCores, chip: int) -> str:
    """How to read the map of a chip."""
    most = count(max(core.work for core in placed.cores))
    if grid_of(placed, chip).is_written_out:
        return "A square is a core: the letter says whose, the number is its work; the darker, the more."
    return f"A square is a core: the letter says whose, the number is its work in tenths of the busiest core's, {most}."


def in_words(placed: PlacedCores, chip: int) -> str:
    """The map of a chip for those who do not see it."""
    grid = grid_of(placed, chip)
    here = [core for core in placed.cores if core.chip == chip]
    words = []
    for name, letter in letters(placed).items():
        places = [placed.placement.position(core.core) for core in here if name in core.compartments]
        if places:
            shown = ", ".join(f"{column}/{row}" for column, row in dict.fromkeys(places[:12]))
            more = f" and {len(places) - 12} more" if len(places) > 12 else ""
            words.append(f"{letter}, {name}, on tiles {shown}{more}")
    top = max(here, key=lambda core: core.work)
    column, row = placed.placement.position(top.core)
    return (
        f"Map of the tiles in use, columns {grid.columns.start} to {grid.columns.stop - 1} and rows {grid.rows.start} "
        f"to {grid.rows.stop - 1}: {'; '.join(words)}. Busiest is core {top.core} ({' and '.join(top.compartments)}) "
        f"on tile {column}/{row} with {brief(top.work)} operations and updates."
    )
