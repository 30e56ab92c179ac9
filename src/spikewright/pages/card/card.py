"""The model card of a graph: what the network is, how it was trained, how good it is, how to use it, and its limits.

Everything in it comes from the graph's own nodes and metadata and, after a run, from the run's verdict. What neither of
them says is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nir

from ...base.artefacts import sha256_of, write_text
from ...base.errors import InputError, arg
from ...graph.nir_io import read_graph
from ..verdict import Verdict
from .sections import Known, bullets, network_part, results_part, training_part

MARK = "<!-- model card, written by spikewright beside its graph -->"
"""The first line: a file without it is somebody else's and is not written over."""

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
    known = Known.of(graph, path, verdict)
    parts: tuple[tuple[str, Callable[[Known], list[str]]], ...] = (
        ("What it is", network_part),
        ("How it was trained", training_part),
        ("How good it is", results_part),
        ("How to use it", _use),
        ("What it is not for", _limits),
        ("Hashes and versions", _origin),
    )
    classes, data = known.graph.classes, known.making.settings.data
    what = f"A spiking network{'' if classes is None else f' for {classes} classes'}{f' of `{data}`' if data else ''}"
    lines = [MARK, "", f"# {known.files.nir.name}", "", f"{what}, as a [NIR](https://neuroir.org) graph."]
    for title, part in parts:
        if found := part(known):
            lines += ["", f"## {title}", "", *found]
    return "\n".join(lines) + "\n"


def card_path(graph: Path) -> Path:
    """Where the card of a graph's file goes.

    Raises:
        InputError: there is something else of that name.
    """
    card = graph.with_suffix(".md")
    if card == graph:
        raise InputError(
            f"{graph}: a graph that ends in .md leaves no name for its card; call it .nir, or {arg('no_card')}"
        )
    if card.exists() and not (card.is_file() and card.read_bytes().startswith(MARK.encode())):
        raise InputError(
            f"{card}: is there and is no model card; move it away, give the graph another name, or {arg('no_card')}"
        )
    return card


def write_card(graph: Path, verdict: Verdict | None = None) -> Path:
    """Write the card of a graph's file beside it, atomically; returns where.

    Raises:
        InputError: no such graph, or something else has the card's name.
    """
    card = card_path(graph)
    write_text(card, model_card(read_graph(graph), graph, verdict))
    return card


def _use(known: Known) -> list[str]:
    profile = f" --profile {known.profile}" if known.profile else ""
    files, data = known.files, known.making.settings.data
    lines = [f"spikewright lower {files.nir.name}{profile} --out {files.chip.name}"]
    if data:
        lines.append(f"spikewright simulate {files.chip.name} --data {data} --out {files.activity.name}")
        lines.append(f"spikewright report {files.activity.name} {files.chip.name}{profile} --out {files.report.name}")
    enters = MEANT.get(str(known.graph.encoding))
    taken = [] if enters is None else ["", f"Samples enter as {enters}."]
    return ["```bash", *lines, "```", *taken]


def _limits(known: Known) -> list[str]:
    steps, data = known.graph.timesteps, known.making.settings.data
    faults = []
    if data:
        faults.append(
            f"Anything but samples like those of `{data}`: it always answers one of its classes, and nothing was "
            "measured on other, shifted, noisy or hostile samples."
        )
    if steps is not None:
        only = "1 time step" if steps == 1 else f"{steps} time steps"
        faults.append(f"Other horizons: it runs {only}, from rest.")
    if known.grid is not None:
        faults.append(
            f"Other integers: on a chip whose registers are not those of `{known.grid.profile}` its weights are "
            "rounded anew, and accuracy, spikes and energy have to be measured anew."
        )
    elif known.student is not None:
        faults.append(
            "Integers without a look: it was trained in floats, and a chip's rounding changes its spikes; "
            f"`spikewright drift {known.files.nir.name} {known.files.chip.name}` says where."
        )
    if known.making.certificate is not None or known.verdict is not None:
        faults.append(
            "Promises about a device: energies are counts times a profile's constants, an estimate and no measurement."
        )
    if known.verdict is not None and (banner := known.verdict.report.energy.profile.banner):
        faults.append(f"`{known.verdict.report.energy.profile.name}`: {banner}")
    return bullets(faults)


def _origin(known: Known) -> list[str]:
    said, making = known.graph, known.making
    grid_sha256 = known.grid.profile_sha256 if known.grid is not None else making.profile_sha256
    split_sha256 = None if making.certificate is None else making.certificate.split_sha256
    facts = (
        (f"SHA-256 of `{known.files.nir.name}`", sha256_of(known.path) if known.path is not None else None),
        ("SHA-256 of the student's file", said.parent_sha256),
        ("SHA-256 of the teacher's weights", making.teacher_sha256),
        ("SHA-256 of the training part", making.train_split_sha256),
        ("SHA-256 of the validation part", split_sha256),
        ("SHA-256 of the profile", grid_sha256),
        ("graph made by", said.source),
        ("student made by", making.made_by),
        ("format version of the graph", said.format_version),
    )
    return bullets([f"{what}: {f'`{value}`' if 'SHA' in what else value}" for what, value in facts if value])
