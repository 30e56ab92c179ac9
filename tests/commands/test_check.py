"""``spikewright check``: every finding of a file, and the repaired copy."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from spikewright.commands.cli import main
from spikewright.graph.nir_io import read_graph, write_graph


def lif(size: int, **given: object) -> nir.LIF:
    ones = np.ones(size, np.float32)
    values = {"tau": 2e-4 * ones, "r": 2 * ones, "v_leak": 0 * ones, "v_threshold": ones}
    return nir.LIF(**values | {name: np.asarray(value, np.float32) * ones for name, value in given.items()})


def saved(path: Path, neuron: nir.NIRNode, metadata: dict[str, object] | None = None) -> Path:
    kernel = np.ones((2, 1, 2, 2), np.float32)
    nodes = {
        "in": nir.Input(np.array([1, 1, 3, 3])),
        "conv": nir.Conv2d((3, 3), kernel, 1, 0, 1, 1, np.zeros(2, np.float32)),
        "flat": nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1),
        "lif": neuron,
        "out": nir.Output(np.array([1, 8])),
    }
    names = list(nodes)
    edges = list(pairwise(names))
    write_graph(nir.NIRGraph(nodes, edges, metadata=metadata or {}, type_check=False), path)
    return path


RESET = (
    "reset to zero: NIR cannot say how its neurons were reset in training; a network trained with reset by subtraction "
    "will spike differently"
)


def test_every_finding_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", lif(8, v_threshold=np.arange(1, 9), r=3, tau=3e-4))
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "assumed graph: input 'in' has shape (1, 1, 3, 3): its first 1 is read as a batch and left out",
        "assumed graph: output 'out' says shape (1, 8): (8,) is what arrives",
        "assumed graph: reset to zero: NIR cannot say how its neurons were reset in training; neurons of snnTorch are "
        "reset by 'subtract-late' unless one says otherwise, and such a network will spike differently: say its reset "
        "if this is one",
        "assumed graph: time step 0.0001 s: r = tau/dt, snnTorch's convention: the gain per step is 1",
        "note    lif: membrane decays by 0.3333 per step, threshold 1 to 8",
        "note    lif: thresholds vary; the chip holds one for a population: divided into the weights",
    ]


def test_what_blocks_the_lowering_sets_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    varying = np.linspace(2e-4, 3e-4, 8)
    path = saved(tmp_path / "g.nir", lif(8, tau=varying, r=varying / 1e-4, v_reset=0.5), {"reset": "zero"})
    assert main(["check", str(path), "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == f"error: {path}: 1 finding keeps it from being lowered\n"
    blocking = [finding for finding in json.loads(out)["findings"] if finding["level"] == "blocks"]
    assert {finding["where"] for finding in blocking} == {"graph"}
    assert [finding["what"] for finding in blocking] == [
        "[one_decay_per_population] lif: its membrane time constants vary (decay 0.3333 to 0.5 per step); the chip "
        "has one readout population, with one decay: give its neurons one",
    ]


def test_a_graph_that_cannot_be_followed_is_still_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", nir.Delay(np.ones(8)))
    assert main(["check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert "blocks  graph: node 'lif' is a Delay; handled are Input, LIF" in out
    assert err == f"error: {path}: 1 finding keeps it from being lowered\n"


def test_a_repaired_copy_leaves_nothing_to_assume_but_the_reset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "g.nir", nir.IF(r=np.ones(1, np.float32), v_threshold=np.full(1, 2.0)))
    out = tmp_path / "repaired.nir"
    assert main(["check", str(path), "--repair", "-o", str(out)]) == 0
    assert capsys.readouterr().err == f"repaired: {out}\n"
    graph = read_graph(out)
    assert set(graph.nodes) == {"input", "conv", "flat", "lif", "output"}
    assert graph.nodes["input"].input_type["input"].tolist() == [1, 3, 3]
    below = float(np.nextafter(np.float32(2), np.float32(0)))  # sinabs fires at the threshold, too
    assert graph.nodes["lif"].v_threshold.tolist() == [below] * 8
    assert graph.metadata["dt_s"] == 1.0
    assert set(nir.read(out).nodes) == set(graph.nodes), "nir's own type check accepts it"
    assert main(["check", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("assumed")] == [f"assumed graph: {RESET}"]


def test_repair_and_out_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", lif(8))
    assert main(["check", str(path), "--repair"]) == 2
    assert capsys.readouterr().err == "error: --repair and --out belong together: give both, or neither\n"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_finding_speaks_of_flags_on_the_command_line(
    form: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two populations that no common time step explains."""
    first = nir.LIF(
        np.full(4, 2e-3), r=np.full(4, 3.0), v_leak=np.zeros(4), v_threshold=np.ones(4), v_reset=np.zeros(4)
    )
    second = nir.LIF(
        np.full(2, 5e-3), r=np.full(2, 7.0), v_leak=np.zeros(2), v_threshold=np.ones(2), v_reset=np.zeros(2)
    )
    nodes = {
        "input": nir.Input(np.array([4])),
        "a": nir.Linear(np.ones((4, 4))),
        "first": first,
        "b": nir.Linear(np.ones((2, 4))),
        "second": second,
        "output": nir.Output(np.array([2])),
    }
    path = tmp_path / "two.nir"
    nir.write(path, nir.NIRGraph(nodes, [(a, b) for a, b in zip(list(nodes)[:-1], list(nodes)[1:], strict=True)]))
    assert main(["check", str(path), *form]) == 1
    out = capsys.readouterr().out
    assert "give --dt SECONDS" in out
    assert not any(mark in out for mark in ("\ue000", "\ue001", "\\ue000", "\\ue001"))


@pytest.mark.parametrize("profile", ["loihi2-assumed", "loihi1-davies", "akida", "speck"])
@pytest.mark.parametrize("given", [(), ("--reset", "subtract"), ("--encoding", "direct"), ("-T", "3")])
def test_with_a_profile_its_yes_is_that_of_lower(
    profile: str, given: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, chip = saved(tmp_path / "g.nir", lif(8)), tmp_path / "chip.h5"
    lowered = main(["lower", str(path), "-p", profile, "-o", str(chip), *given])
    why = capsys.readouterr().err
    checked = main(["check", str(path), "-p", profile, *given])
    said = capsys.readouterr().out
    assert (checked == 0) == (lowered == 0) == chip.exists(), f"{why}\n{said}"
    assert ("note    graph: fits" in said) == (checked == 0)


def test_a_chip_that_is_too_small_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", lif(8, tau=0.5e-3, r=5))
    assert main(["check", str(path), "-p", "akida", "-T", "4"]) == 1
    blocking = [line for line in capsys.readouterr().out.splitlines() if line.startswith("blocks")]
    assert len(blocking) == 1
    assert "[steps] it runs 4 time steps; the chip takes 1" in blocking[0]


def test_what_is_for_lowering_needs_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", lif(8))
    assert main(["check", str(path), "-T", "4", "--chips", "2"]) == 2
    assert capsys.readouterr().err == (
        "error: check: 2 faults\n  - --timesteps: is for lowering; give --profile too\n"
        "  - --chips: is for lowering; give --profile too\n"
    )


@pytest.mark.parametrize("kind", ["missing", "text", "node"])
def test_json_is_printed_for_a_file_that_cannot_be_read(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "g.nir"
    if kind == "text":
        path.write_text("<html>404</html>", "utf-8")
    if kind == "node":
        saved(path, lif(8))
        with h5py.File(path, "a") as file:
            for name in ("lif", "conv"):
                del file[f"node/nodes/{name}/type"]
                file[f"node/nodes/{name}/type"] = "Izhikevich"
    assert main(["check", str(path), "--json"]) == 2
    out, err = capsys.readouterr()
    findings = json.loads(out)["findings"]
    assert {(each["level"], each["where"]) for each in findings} == {("blocks", "file")}
    assert len(findings) == (2 if kind == "node" else 1)
    assert all(each["what"].split(";")[0] in err for each in findings)


def test_the_producer_is_asked_for_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "g.nir", lif(8, tau=2e-3, r=1, v_threshold=0.5))
    assert main(["check", str(path)]) == 1
    assert "--producer nengo --dt 0.001 (Nengo); give --dt SECONDS or --producer NAME" in capsys.readouterr().out
    out = tmp_path / "plain.nir"
    assert main(["check", str(path), "--producer", "nengo", "--repair", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "assumed graph: Nengo: its refractory time is not in the graph" in said
    assert "note    lif: membrane decays by 0.3935 per step, threshold 0.5" in said  # 1 - exp(-1/2)
    assert main(["check", str(out)]) == 0
    again = capsys.readouterr().out
    assert "note    lif: membrane decays by 0.3935 per step, threshold 0.5" in again
    assert "note    graph: time step 0.001 s: as the file's metadata says" in again
    assert main(["check", str(path), "--producer", "brian"]) == 1
    assert "--producer brian: may be: lava, nengo, norse, norse-paper" in capsys.readouterr().out
