"""What is done in our own environment: networks for others to read, the reading of theirs, and the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZIP_LZMA, ZipFile, ZipInfo

import nir
import numpy as np

import spikewright as sw
from spikewright.base.errors import SpikewrightError
from spikewright.graph.nir_io import write_graph
from spikewright.graph.readers import READERS

from . import nets
from .__main__ import READING, TOOLS, _different, _write
from .pages import is_equal, page_of

DT_S = 1e-4
PAGE = Path("docs/compatibility.md")
ORACLES = Path("tests/oracles/compatibility")
LATEST = 4


def network(kind: str, reset: str) -> nir.NIRGraph:
    """One of the networks in our own convention."""
    weights, sizes = nets.weights(kind), nets.sizes(kind)
    nodes: dict[str, Any] = {"input": nir.Input(np.array(nets.IMAGE if kind == "conv" else (nets.INPUTS,)))}
    if kind == "conv":
        nodes["conv"] = nir.Conv2d(nets.IMAGE[1:], weights["conv"], 1, 1, 1, 1, weights["conv_bias"])
        nodes["n0"] = _lif("n0", sizes["n0"])
        two = np.array([2, 2])
        nodes["pool"] = nir.AvgPool2d(two, two, 0 * two)
        nodes["flatten"] = nir.Flatten({"input": np.array([nets.CHANNELS, 4, 4])}, 0, 2)
    for name in [name for name in nets.layers(kind) if name not in nodes]:
        nodes["fc" + name[1:]], nodes[name] = nir.Linear(weights["fc" + name[1:]]), _lif(name, sizes[name])
    nodes["output"] = nir.Output(np.array([nets.OUTPUTS]))
    edges = list(pairwise(nodes))
    if kind == "skip":
        edges.append(("n0", "fc2"))
    if kind == "recurrent":
        nodes["loop"] = nir.Linear(weights["loop"])
        edges += [("n0", "loop"), ("loop", "n0")]
    return nir.NIRGraph(nodes, edges, metadata={"dt_s": DT_S, "reset": reset}, type_check=False)


def _lif(name: str, shape: tuple[int, ...]) -> nir.LIF:
    tau, ones = DT_S / (1 - nets.KEEP[name]), np.ones(shape, np.float32)
    return nir.LIF(tau=tau * ones, r=tau / DT_S * ones, v_leak=0 * ones, v_threshold=ones)


def ours(out: Path) -> None:
    """Write our networks for every tool, and what they compute."""
    folder = out / "ours"
    folder.mkdir(parents=True, exist_ok=True)
    records: dict[str, list[dict[str, Any]]] = {tool: [] for tool in READING}
    for kind in nets.KINDS:
        for reset in ("zero", "subtract", "subtract-late"):
            graph = network(kind, reset)
            write_graph(graph, folder / f"{kind}-{reset}-default.nir")
            spikes = sw.interpret(graph, nets.drive(kind)[None]).spikes
            np.savez_compressed(folder / f"{kind}-{reset}.npz", **{n: s[0].astype(np.uint8) for n, s in spikes.items()})
            for tool in READING:
                records[tool] += _written(graph, kind, reset, tool, folder)
    write_graph(sw.translate(network("mlp", "zero"), "nir-1.0.4"), folder / "mlp-zero-nir-1.0.4.nir")
    _write(folder / "ours.json", records)


def _written(graph: nir.NIRGraph, kind: str, reset: str, tool: str, folder: Path) -> list[dict[str, Any]]:
    reader, record = READERS[tool], {"kind": kind, "reset": reset, "told": False}
    if reset not in (*reader.resets, "zero"):
        return []
    try:
        made = sw.translate(graph, tool)
    except SpikewrightError as error:
        return [record | {"refused here": str(error).splitlines()[0], "faults": str(error).splitlines()[1:]}]
    write_graph(made, folder / f"{kind}-{reset}-{tool}.nir")
    record |= {"file": f"{kind}-{reset}-{tool}", "said": list(made.remarks)}
    can_be_told = reset in reader.resets and bool(reader.resets[reset] or reader.says)
    return [record, *([record | {"told": True}] if can_be_told else [])]


def readings(out: Path) -> dict[str, Any]:
    """Everything that is known of every tool: the records behind the page."""
    found: dict[str, Any] = {}
    for tool in TOOLS:
        facts = json.loads((out / tool / "there.json").read_text())
        for record in facts["records"]:
            if "file" in record:
                record |= _read(tool, record, out / tool / record["file"])
        found[tool] = {"versions": facts["versions"], "theirs": facts["records"]}
        if tool in READING:
            records = json.loads((out / tool / "back.json").read_text())
            equal = [r for r in records["records"] if not any(each[0] for each in r.get("differs", {}).values())]
            for record in equal:
                record.pop("said", None)
            found[tool] |= {"ours": records["records"], "nir": records["nir"]}
    return found


def _read(tool: str, record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    spikes = np.load(path.with_suffix(".npz"))
    ordered = [spikes[name] for name in nets.layers(record["kind"])]
    told = record["told"] | ({} if "producer" in record["told"] else {"producer": tool})
    untold = _outcome(path, record, ordered, {})
    return {"untold": untold} | ({} if is_equal(untold) else {"told it": _outcome(path, record, ordered, told)})


def _outcome(path: Path, record: Mapping[str, Any], wanted: list[Any], told: dict[str, Any]) -> dict[str, Any]:
    try:
        read = sw.interpret(path.with_suffix(".nir"), nets.drive(record["kind"])[None], **told)
    except SpikewrightError as error:
        return {"refused": str(error)}
    found = [spikes[0] for spikes in read.spikes.values()]
    if [each.shape for each in found] != [each.shape for each in wanted]:
        return {"differs": "it has other layers", "said": list(read.assumed)}
    late = [_late(ours, theirs) for ours, theirs in zip(found, wanted, strict=True)]
    counts = [_different(each, theirs) for each, theirs in zip(found, wanted, strict=True)]
    total = [sum(each[0] for each in counts), sum(each[1] for each in counts)]
    said = {"said": list(read.assumed)} if total[0] else {}
    return {"late": late, "differs": total, "producer": read.producer, "dt_s": read.dt_s} | said


def _late(ours: Any, theirs: Any) -> int | None:
    """By how many steps their spikes come later, where they are the same; None where they are others."""
    steps = (s for s in range(LATEST) if np.array_equal(theirs[s:], ours[: len(ours) - s]) and not theirs[:s].any())
    return next(steps, None)


def page(out: Path) -> None:
    """Write the records and the page, and print it."""
    records = readings(out)
    PAGE.with_suffix(".json").write_text(lines_of(records))
    text = page_of(records)
    PAGE.write_text(text)
    print(text, end="")


def lines_of(records: Mapping[str, Any]) -> str:
    """The records as JSON, each on a line of its own."""
    tools = []
    for tool, facts in records.items():
        parts = []
        for name, value in facts.items():
            rows = ",\n   ".join(json.dumps(row) for row in value) if isinstance(value, list) else ""
            parts.append(f'  "{name}": ' + (f"[\n   {rows}]" if rows else json.dumps(value)))
        tools.append(f' "{tool}": {{\n' + ",\n".join(parts) + "}")
    return "{\n" + ",\n".join(tools) + "\n}\n"


def oracles(out: Path) -> None:
    """Put exports that are read right, with the spikes of their tools, where the tests read them."""
    ORACLES.mkdir(parents=True, exist_ok=True)
    for tool, facts in readings(out).items():
        with ZipFile(ORACLES / f"{tool}.zip", "w", ZIP_LZMA) as archive:
            for record in (r for r in facts["theirs"] if "file" in r):
                if is_equal(record["untold"]) or is_equal(record["told it"]):
                    for suffix in (".nir", ".npz"):
                        name = ZipInfo(record["file"] + suffix)  # whose date is always the same
                        archive.writestr(name, (out / tool / name.filename).read_bytes(), ZIP_LZMA)
