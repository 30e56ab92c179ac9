"""Live exports of other tools, read to the spikes that these tools computed; and the page that says what came out.

`PYTHONPATH=benchmarks python -m compatibility all` makes the records, `... oracles` the exports.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import spikewright as sw
from spikewright.simulation import integer

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).with_name("compatibility")
RECORDS: dict[str, Any] = json.loads((ROOT / "docs" / "compatibility.json").read_text("utf-8"))
THEIRS = [(tool, record) for tool, facts in RECORDS.items() for record in facts["theirs"]]
OURS = [(tool, record) for tool, facts in RECORDS.items() for record in facts.get("ours", [])]
EXPORTS = [(path.stem, name) for path in sorted(HERE.glob("*.zip")) for name in ZipFile(path).namelist()]


@pytest.fixture(scope="module")
def scripts() -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules of benchmarks/compatibility that need no other tool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        from compatibility import nets, pages

        yield nets, pages


def named(records: list[tuple[str, Any]]) -> list[Any]:
    return [pytest.param(*each, id=f"{each[0]}-{each[1]['kind']}-{n}") for n, each in enumerate(records)]


@pytest.mark.parametrize(("tool", "name"), [each for each in EXPORTS if each[1].endswith(".nir")])
def test_an_export_is_read_to_the_spikes_of_its_tool(
    tool: str, name: str, tmp_path: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    nets, pages = scripts
    (record,) = (each for each in RECORDS[tool]["theirs"] if each.get("file") == name.removesuffix(".nir"))
    with ZipFile(HERE / f"{tool}.zip") as archive:
        archive.extract(name, tmp_path)
        spikes = np.load(io.BytesIO(archive.read(name.replace(".nir", ".npz"))))
    told = {} if pages.is_equal(record["untold"]) else {"producer": tool} | record["told"]
    read = sw.interpret(tmp_path / name, nets.drive(record["kind"])[None], **told)
    late = record["untold" if not told else "told it"]["late"]
    for layer, ours, steps in zip(nets.layers(record["kind"]), read.spikes.values(), late, strict=True):
        assert 0 < spikes[layer].mean() < 1
        np.testing.assert_array_equal(ours[0][: nets.STEPS - steps], spikes[layer][steps:])


@pytest.mark.parametrize(("tool", "name"), [each for each in EXPORTS if each[1].endswith(".nir")])
def test_an_export_becomes_a_student_and_a_chip_network(
    tool: str, name: str, tmp_path: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    """A student is compared with the graph when it is made; on the chip its neurons still fire."""
    nets, pages = scripts
    (record,) = (each for each in RECORDS[tool]["theirs"] if each.get("file") == name.removesuffix(".nir"))
    with ZipFile(HERE / f"{tool}.zip") as archive:
        archive.extract(name, tmp_path)
    told = {} if pages.is_equal(record["untold"]) else {"producer": tool} | record["told"]
    student = sw.Student.from_nir(tmp_path / name, nets.STEPS, encoding="events", **told)
    assert student.config.outputs == np.prod(nets.sizes(record["kind"])[nets.layers(record["kind"])[-1]])
    chip = sw.lower(tmp_path / name, "loihi2-assumed", timesteps=nets.STEPS, encoding="events", **told)
    ran = integer.run(chip, nets.drive(record["kind"])[:, None].astype(np.int64))
    assert all(ran.spikes[population.name].any() for population in chip.populations)


def test_there_are_exports_of_every_tool() -> None:
    assert {tool for tool, _ in EXPORTS} == set(RECORDS) == {
        "snntorch", "spikingjelly", "sinabs", "norse", "rockpool", "spyx",
    }  # fmt: skip


def test_the_page_is_what_the_records_say(scripts: tuple[ModuleType, ModuleType]) -> None:
    assert (ROOT / "docs" / "compatibility.md").read_text("utf-8") == scripts[1].page_of(RECORDS)


@pytest.mark.parametrize(("tool", "record"), named([each for each in THEIRS if "file" in each[1]]))
def test_nothing_is_read_wrongly_without_a_word(
    tool: str, record: dict[str, Any], scripts: tuple[ModuleType, ModuleType]
) -> None:
    pages = scripts[1]
    if pages.is_equal(record["untold"]):
        return
    for outcome in (record["untold"], record["told it"]):
        if "refused" not in outcome and not pages.is_equal(outcome):
            more = [sentence for sentence in outcome["said"] if not sentence.startswith("time step")]
            assert more, "only its time step was said"
    told = record["told it"]
    assert "refused" in told or pages.is_equal(told) or pages.why(tool, record)


def cells(tool: str, part: str, says: str, scripts: tuple[ModuleType, ModuleType]) -> dict[str, str]:
    found = [each for each in RECORDS[tool][part] if says in each.get("says", "")]
    make = scripts[1].their_cell if part == "theirs" else scripts[1].our_cell
    return {each["kind"]: make(tool, each, []) for each in found}


def test_what_was_equal_stays_equal(scripts: tuple[ModuleType, ModuleType]) -> None:
    for tool, says, kinds in (
        ("snntorch", "Leaky, reset to zero", ("mlp", "conv")),
        ("spikingjelly", "LIFNode, dt = 0.0001, decay_input=True", ("mlp", "conv", "skip")),
        ("sinabs", "IAF, reset to zero", ("mlp", "conv")),
    ):
        found = cells(tool, "theirs", says, scripts)
        assert {kind: found[kind] for kind in kinds} == dict.fromkeys(kinds, "equal")


def test_the_silent_kinds_are_equal_once_the_producer_or_the_time_step_is_known(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    assert cells("sinabs", "theirs", "LIF, reset to zero", scripts)["mlp"] == "equal"
    slow = cells("spikingjelly", "theirs", "LIFNode, dt = 0.001, decay_input=True", scripts)
    assert slow["mlp"] == slow["conv"] == slow["skip"] == "asked; equal, told `--dt 0.001`"
    assert cells("rockpool", "theirs", "LIFNeuronTorch", scripts)["mlp"] == "equal"
    assert cells("spyx", "theirs", "LIF", scripts)["mlp"].startswith("refused here")  # the last, CuBaLIF
    (spyx,) = (r for r in RECORDS["spyx"]["theirs"] if (r["says"], r["kind"]) == ("LIF", "mlp"))
    assert spyx["untold"]["late"] == [1, 2]
    assert cells("norse", "theirs", "LIFBoxCell", scripts)["mlp"] == "equal"


def test_resets_by_subtraction_are_equal_once_they_are_told(scripts: tuple[ModuleType, ModuleType]) -> None:
    for tool, says in (("snntorch", "Leaky, reset by sub"), ("snntorch", "Synaptic, reset by sub")):
        found = cells(tool, "theirs", says, scripts)
        assert all(found[kind].endswith("equal, told `--reset subtract-late`") for kind in ("mlp", "recurrent", "conv"))
    for says in ("LIF, reset by subtraction", "IAF, reset by subtraction"):
        found = cells("sinabs", "theirs", says, scripts)
        assert all(found[kind].endswith("equal, told `--reset subtract`") for kind in ("mlp", "conv"))


def test_five_tools_read_ours_with_equal_spikes() -> None:
    """Of the networks that they take, each with the reset that it has or can be told."""
    equal: dict[str, set[str]] = {}
    for tool, record in OURS:
        if "differs" in record and not any(each[0] for each in record["differs"].values()):
            equal.setdefault(tool, set()).add(f"{record['kind']} {record['reset']}")
    kinds = "mlp", "recurrent", "conv", "skip"
    for tool in ("snntorch", "spikingjelly", "norse", "sinabs"):
        assert {f"{kind} zero" for kind in kinds} <= equal[tool]
    assert {f"{kind} subtract" for kind in ("mlp", "recurrent", "skip")} <= equal["rockpool"]


@pytest.mark.parametrize(("tool", "record"), named(OURS))
def test_what_a_tool_computes_differently_was_said(tool: str, record: dict[str, Any]) -> None:
    assert "refused there" not in record
    if any(each[0] for each in record.get("differs", {}).values()):
        assert record["said"] and not record["told"]


def test_nir_1_0_4_reads_what_is_written_for_it() -> None:
    assert all(facts["nir"]["nir-1.0.4"] == "" for facts in RECORDS.values() if "nir" in facts)
    assert "v_reset" in RECORDS["sinabs"]["nir"]["default"]
