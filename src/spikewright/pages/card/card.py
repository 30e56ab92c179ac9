"""The model card of a graph: what the network is, how it was trained, how good it is, how to use it, and its limits.

Everything in it comes from the graph's own nodes and metadata and, after a run, from the run's verdict. What neither of
them says is left out. Its words stand in ``templates/card.md.j2``.
"""

from __future__ import annotations

from pathlib import Path

import nir

from ...base.artefacts import sha256_of, write_text
from ...base.errors import check_type
from ...graph.nir_io import read_graph
from ..paths import MARK, card_path
from ..templating import environment
from ..verdict import Verdict
from .sections import Known, layer_rows, network_rows, result_rows, training_rows

MEANT = {
    "direct": "graded spikes that carry the intensities, 0 to 1, at every step",
    "current": "constant currents, intensities of 0 to 1, into input neurons that spike",
    "rate": "spikes drawn at random, at each step with the intensity, 0 to 1, as probability",
    "latency": "one spike for each intensity above 0, the earlier the more intense",
    "events": "frames of events, 0 or 1, one for each time step",
}
"""How samples enter, by encoding."""


def model_card(graph: nir.NIRGraph, path: Path | None = None, verdict: Verdict | None = None) -> str:
    """The model card of ``graph`` in Markdown; facts that nobody noted are left out.

    Args:
        path: of the graph's file, whose name the commands use and whose hash is given; None where it was not written.
        verdict: how a run of this graph ended.

    Raises:
        InputError: the graph is damaged.
    """
    check_type("graph", graph, nir.NIRGraph, "a NIR graph, such as to_nir(student) or nir.read(path)")
    template = environment(html=False).get_template("card.md.j2")
    tables = {each.__name__: each for each in (network_rows, layer_rows, training_rows, result_rows)}
    sha256 = None if path is None else sha256_of(path)
    return template.render(tables, known=Known.of(graph, path, verdict), mark=MARK, meant=MEANT, sha256=sha256)


def write_card(graph: Path, verdict: Verdict | None = None) -> Path:
    """Write the card of a graph's file beside it, atomically; returns where.

    Raises:
        InputError: no such graph, or something else has the card's name.
    """
    card = card_path(graph)
    write_text(card, model_card(read_graph(graph), graph, verdict))
    return card
