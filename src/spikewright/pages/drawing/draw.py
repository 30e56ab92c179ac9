"""A network as a picture: `sw.draw`, which a notebook shows and a file holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...base.artefacts import write_text
from ...base.errors import check_type
from ...base.shown import Shown
from ...chip.activity import Activity
from ..pictures import Picture
from .schemes import scheme_of
from .svg import shown, svg_of


@dataclass(frozen=True, repr=False)
class Drawing(Shown):
    """A picture of a network.

    Attributes:
        title: of the picture.
        words: the picture in a sentence.
        svg: the picture, as SVG.
        remarks: what could not be shown, or is drawn otherwise than it stands in a file, as sentences.
    """

    title: str
    words: str
    svg: str
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Drawing({self.title}: {len(self.svg):,} characters of SVG)"

    @property
    def picture(self) -> Picture:
        """The picture with its words, for a page."""
        return Picture(self.title, self.words, self.svg)

    def save(self, path: Path | str) -> Path:
        """Write the picture to ``path``, an SVG file that needs nothing else; returns its path.

        Raises:
            InputError: the folder does not exist.
        """
        write_text(path, self.svg)
        return Path(path)


def draw(network: object, activity: Activity | None = None) -> Drawing:
    """Draw a network as a graph: its parts with shapes and constants, how they are connected, and how busy they are.

    Arrows that close a loop are dashed: what they bring arrives a timestep later. With ``activity`` a bar shows the
    spikes of a neuron in a step, and arrows of a chip network are the thicker the more synaptic operations they cause.

    Args:
        network: a NIR graph, a chip network, or a student.
        activity: what was counted, from :func:`spikewright.simulate`.

    Returns:
        the picture, which notebooks show and :meth:`Drawing.save` writes; equal networks give equal pictures.

    Raises:
        InputError: another kind of object, an activity of another network, or more than a thousand nodes.
    """
    if activity is not None:
        check_type("activity", activity, Activity, "what `sw.simulate` returns")
    scheme = scheme_of(network, activity)
    return Drawing(shown(scheme.title), shown(scheme.words), svg_of(scheme), scheme.remarks)
