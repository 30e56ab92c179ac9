"""``spikewright to-nir``: the file, what is said, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from spikewright.base.artefacts import sha256_of
from spikewright.commands.cli import main
from spikewright.data.load import load
from spikewright.graph.nir_io import read_graph
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student, load_student, save_student


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "student.pt"
    save_student(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4)).eval(), path, {"seed": 7, "teacher_macs": 99})
    return path


def test_a_student_becomes_a_file_that_is_compared(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "5"]) == 0
    said, progress = capsys.readouterr()
    assert said == f"{out}\n"
    assert progress == (
        f"{out}: computes what {saved} does: 240 spikes and silences and the readout equal on 5 samples\n"
        f"{out.with_suffix('.md')}: its model card\n"
    )
    metadata = read_graph(out).metadata
    assert metadata["parent_sha256"] == sha256_of(saved)
    assert metadata["teacher_macs"] == 99
    assert json.loads(metadata["provenance"])["seed"] == 7


def test_samples_of_a_data_set(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "8", "--data", "digits", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["nir"], said["card"]) == (str(out), str(out.with_suffix(".md")))
    assert said["samples"] + said["ties"] == 8
    assert said["spikes"] == 48 * said["samples"]


def test_reference_spikes_are_written_beside_the_graph(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lively = StudentConfig("mlp", 6, (1, 8, 8), 10, 4, neuron=NeuronSettings(threshold=0.1))
    save_student(Student(lively).eval(), saved, {})
    out, reference = saved.with_suffix(".nir"), saved.with_name("reference.nir")
    words = ["to-nir", str(saved), "-o", str(out), "--samples", "8", "--data", "digits", "--reference", str(reference)]
    assert main([*words, "--json"]) == 0
    said, progress = capsys.readouterr()
    assert json.loads(said)["reference"] == str(reference)
    assert f"{reference}: what the graph does on these samples, in float64\n" in progress
    student, images = load_student(saved), torch.from_numpy(load("digits").validation.samples[:8])
    exact = student.double()
    with torch.no_grad():
        expected = exact(images.double())
    data = nir.read_data(reference)
    drive = data.nodes["input"].observables["values"].data
    np.testing.assert_array_equal(
        drive, np.repeat(np.rint(images.double().numpy().reshape(8, 1, 64) * 255) / 255, 4, axis=1)
    )
    hidden = {name: node for name, node in data.nodes.items() if name in expected.spikes}
    assert hidden
    for name, node in hidden.items():
        found = node.observables["spikes"].data
        np.testing.assert_array_equal(found, expected.spikes[name].numpy().transpose(1, 0, 2))
        assert found.any()


def test_samples_of_the_wrong_shape(saved: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = tmp_path / "other.pt"
    save_student(Student(StudentConfig("mlp", 6, (1, 9, 9), 10, 4)).eval(), other, {})
    assert main(["to-nir", str(other), "-o", str(tmp_path / "x.nir"), "--data", "digits"]) == 2
    assert capsys.readouterr().err == (
        "error: --data digits: its samples have shape (1, 8, 8); the student takes (1, 9, 9)\n"
    )
    assert not (tmp_path / "x.nir").exists()


def test_a_file_that_is_no_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "student.pt"
    assert main(["to-nir", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: there is no such file; expected a student written by `spikewright distill`\n"
    )


def test_a_folder_that_is_not_there(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.parent / "none" / "s.nir"
    assert main(["to-nir", str(saved), "-o", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: {out}: the folder {out.parent} does not exist; create it or choose another path\n"
    )


def test_the_card_lies_beside_the_graph_and_its_commands_exist(
    saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    student, facts = load_student(saved), {"settings": {"data": "digits", "profile": "loihi2-assumed"}}
    save_student(student, saved, facts)
    monkeypatch.chdir(saved.parent)
    assert main(["to-nir", str(saved), "-o", "net.nir", "--samples", "2"]) == 0
    card = Path("net.md").read_text(encoding="utf-8")
    assert f"- SHA-256 of `net.nir`: `{sha256_of('net.nir')}`\n" in card
    assert f"- SHA-256 of the student's file: `{sha256_of(saved)}`\n" in card
    commands = card.split("```bash\n")[1].split("\n```")[0].splitlines()
    assert [line.split()[:2] for line in commands] == [["spikewright", w] for w in ("lower", "simulate", "report")]
    for line in commands:
        assert main(line.split()[1:]) == 0
    assert Path("report.html").is_file()
    assert "error" not in capsys.readouterr().err


def test_no_card_where_none_is_wanted(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "2", "--no-card", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] is None
    assert not out.with_suffix(".md").exists()


def test_a_card_is_written_over_and_nothing_else_is(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, card = saved.with_suffix(".nir"), saved.with_suffix(".md")
    words = ["to-nir", str(saved), "-o", str(out), "--samples", "2"]
    assert main(words) == 0
    first = card.read_bytes()
    assert main(words) == 0
    assert card.read_bytes() == first
    out.unlink()
    card.write_text("# My notes\n")
    capsys.readouterr()
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"error: {card}: is there and is no model card; move it away, give the graph another name, or --no-card\n"
    )
    assert not out.exists()
    assert card.read_text() == "# My notes\n"
    assert main(["to-nir", str(saved), "-o", str(card)]) == 2
    assert capsys.readouterr().err == (
        f"error: {card}: a graph that ends in .md leaves no name for its card; call it .nir, or --no-card\n"
    )


def test_a_student_for_another_tool(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_suffix(".nir")
    assert main(["to-nir", str(saved), "-o", str(out), "--samples", "5", "--for", "rockpool"]) == 0
    said, progress = capsys.readouterr()
    assert said == f"{out}\n"
    assert progress.splitlines() == [
        f"{out}: computes what {saved} does: 240 spikes and silences and the readout equal on 5 samples",
        "note: 'flatten' is left out: give Rockpool flat samples",
        "note: 'readout' is a readout: it never fires, and what it answers is its membrane potential",
        "note: Rockpool resets by 'subtract', and this network by 'zero': it computes other spikes",
        "note: Rockpool: its neurons fire several times in a step where a potential is several thresholds high, unless "
        "max_spikes_per_dt is 1",
    ]
    graph = read_graph(out)
    assert (graph.metadata["written_for"], graph.metadata["step_s"]) == ("rockpool", 1e-3)
    assert graph.metadata["parent_sha256"] == sha256_of(saved)
    assert "dt_s" not in graph.metadata
    assert not out.with_suffix(".md").exists()
    assert main(["lower", str(out), "-p", "loihi2-assumed", "-o", str(out.with_suffix(".h5"))]) == 0


def test_reference_spikes_of_a_file_for_another_tool(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rockpool takes flat samples; the spikes are those of the student's own graph."""
    lively = StudentConfig("mlp", 6, (1, 8, 8), 10, 4, neuron=NeuronSettings(threshold=0.1))
    save_student(Student(lively).eval(), saved, {})
    files = {}
    for reader in ([], ["--for", "rockpool"]):
        out, reference = saved.with_name(f"{len(reader)}.nir"), saved.with_name(f"{len(reader)}-reference.nir")
        words = [
            "to-nir",
            str(saved),
            "-o",
            str(out),
            "--samples",
            "8",
            "--data",
            "digits",
            "--reference",
            str(reference),
        ]
        assert main([*words, *reader]) == 0
        files[len(reader)] = nir.read_data(reference).nodes
    capsys.readouterr()
    fired = [name for name, node in files[0].items() if "spikes" in node.observables]
    assert fired
    for name in fired:
        plain, other = (files[each][name].observables["spikes"].data for each in (0, 2))
        np.testing.assert_array_equal(plain, other)
        assert plain.any()


def test_a_graph_for_another_tool(saved: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    graph, out = tmp_path / "graph.nir", tmp_path / "of-sinabs.nir"
    assert main(["to-nir", str(saved), "-o", str(graph), "--samples", "5", "--no-card"]) == 0
    capsys.readouterr()
    assert main(["to-nir", str(graph), "--for", "sinabs", "-o", str(out), "--samples", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["nir"], said["for"], said["samples"], said["ties"]) == (str(out), "sinabs", 3, 0)
    assert said["spikes"] == 3 * 8 * 6
    assert len(said["remarks"]) == 2
    assert main(["to-nir", str(out), "--for", "norse", "-o", str(tmp_path / "of-norse.nir"), "--samples", "3"]) == 0
    assert read_graph(tmp_path / "of-norse.nir").metadata["written_for"] == "norse"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "is a NIR graph already; give --for TOOL to write it as another tool reads it"),
        (["--for", "norse", "-o", "graph.nir"], "graph.nir: is read by this command, and would be written over"),
        (["--for", "norse", "--data", "digits", "--network", "a.py:f"], "--data: is for students\n  - --network: is"),
        (["--for", "norse", "--card"], "--card: describes our own graphs; leave it out where there is --for"),
        (["--for", "nors", "-o", "x.nir"], "--for nors: did you mean 'norse'"),
        (["--for", "norse", "-o", "x.nir", "--dt", "1e-3", "--producer", "norse"], "say its time step, so that"),
        (["--for", "norse", "-o", "x.nir", "--samples", "99999999"], "--samples 99999999: take"),
    ],
)  # fmt: skip
def test_a_graph_for_another_tool_refused(
    saved: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str],
    says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["to-nir", str(saved), "-o", "graph.nir", "--samples", "2", "--no-card"]) == 0
    capsys.readouterr()
    assert main(["to-nir", "graph.nir", *given]) == 2
    assert says in capsys.readouterr().err


def test_what_is_for_graphs_is_refused_for_students(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["to-nir", str(saved), "--reset", "zero", "--dt", "1e-3"]) == 2
    said = capsys.readouterr().err
    assert "--dt: is for graphs of other tools" in said and "--reset: is for graphs of other tools" in said


def test_a_student_on_integers_for_another_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its grid stays behind, and that is said."""
    made = Student(StudentConfig("mlp", 3, (1, 2, 2), 2, 3, "rate")).eval()
    profile = load_profile("loihi2-assumed")
    save_student(become_integer(made, profile, profile.name), tmp_path / "i.pt", {})
    words = ["to-nir", str(tmp_path / "i.pt"), "-o", str(tmp_path / "i.nir"), "--for", "spikingjelly", "--json"]
    assert main(words) == 0
    assert any(
        "the scales of the integers are not in the file, so that lowering it rounds anew" in remark
        for remark in json.loads(capsys.readouterr().out)["remarks"]
    )
