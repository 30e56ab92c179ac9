"""How every level agrees: its file, and how a report takes it up."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError, refuse
from spikewright.base.progress import SILENT
from spikewright.bench.levels import _compare_simulators
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.activity_file import save_activity
from spikewright.chip.agreement import Agreement, load_agreement, save_agreement
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.commands.report import main
from spikewright.data.split import Split
from spikewright.pages.numbers import agreement_rows as rows
from spikewright.simulation import integer
from spikewright.simulation.backends import BACKENDS, Backend

KNOWN = Agreement(
    chip_sha256="ab" * 32,
    split="test",
    accuracy={"teacher": 0.95, "student": 0.9, "float": 0.91, "integer": 0.9, "lava": 1.0},
    samples={"teacher": 100, "student": 100, "float": 100, "integer": 100, "lava": 1},
    mismatches={"student_integer": 0, "integer_lava": 12},
    compared={"student_integer": 100, "integer_lava": 1},
    skipped={"netx": "lava-dl is not installed"},
)


def test_read_of_write_is_the_same(tmp_path):
    save_agreement(KNOWN, tmp_path / "a.json")
    assert load_agreement(tmp_path / "a.json") == KNOWN


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "format_version: Input should be 1"),
        ({"accuracy": {"integer": 1.5}}, "accuracy.integer: Input should be less than or equal to 1"),
        ({"spare": 1}, "spare: Extra inputs are not permitted"),
        ({"compared": {}}, "mismatches has student_integer, integer_lava and compared has ; both must have the same"),
    ],
)
def test_refuses_what_is_none(tmp_path, change, words):
    (tmp_path / "a.json").write_text(json.dumps({**KNOWN.as_json(), **change}))
    with pytest.raises(InputError) as refusal:
        load_agreement(tmp_path / "a.json")
    assert words in str(refusal.value)


def test_refuses_levels_that_are_unknown(tmp_path):
    save_agreement(replace(KNOWN, accuracy={"chip": 0.5}, samples={"chip": 5}), tmp_path / "a.json")
    with pytest.raises(InputError, match="accuracy: 'chip' is unknown; may be: teacher, student, float"):
        load_agreement(tmp_path / "a.json")


def test_a_further_simulator_is_known_by_its_comparison(tmp_path):
    accuracy, samples = KNOWN.accuracy | {"mine": 0.5}, KNOWN.samples | {"mine": 2}
    pairs = KNOWN.mismatches | {"integer_mine": 3}, KNOWN.compared | {"integer_mine": 2}
    known = replace(KNOWN, accuracy=accuracy, samples=samples, mismatches=pairs[0], compared=pairs[1])
    save_agreement(known, tmp_path / "a.json")
    assert load_agreement(tmp_path / "a.json") == known
    assert "integer and mine differ in 3 values on 2 samples" in known.in_words()
    assert rows(known)[-1] == ("mine", "50.00%", "2", "3 values on 2 samples")
    save_agreement(replace(known, mismatches=KNOWN.mismatches, compared=KNOWN.compared), tmp_path / "a.json")
    with pytest.raises(InputError, match="accuracy: 'mine' is unknown"):
        load_agreement(tmp_path / "a.json")


def test_every_exact_simulator_is_compared_with_the_integers(monkeypatch):
    """Those that are not exact are left out; of those that refuse the network, the reason is kept, in one line."""

    def deaf(chip, drive, *, record_states=False, progress=None):
        found = integer.run(chip, drive, record_states=record_states)
        return replace(found, v={name: v + 1 for name, v in found.v.items()})

    def particular(chip, drive, *, record_states=False, progress=None):
        refuse("on=particular", ["too few neurons", "too few steps"])

    for name in ("lava", "netx"):
        monkeypatch.delitem(BACKENDS, name)
    monkeypatch.setitem(BACKENDS, "deaf", Backend(deaf, "one off"))
    monkeypatch.setitem(BACKENDS, "particular", Backend(particular, "refuses"))
    monkeypatch.setitem(BACKENDS, "rough", Backend(particular, "rough", exact=False))
    neuron = Neuron(4095, 0, 100, np.zeros(3, dtype=np.int64), 6)
    populations = (Population("in", (1, 2, 2), "input", None), Population("out", (3,), "readout", neuron))
    chip = ChipNetwork(populations, (Connection("in", "out", np.eye(3, 4, dtype=int)),), 2, "rate", "count", "none", "")
    split = Split(np.ones((5, 1, 2, 2), np.float32), np.zeros(5, dtype=np.int64))
    found = Agreement("", "test", {}, {}, {}, {})
    _compare_simulators(found, chip, split, 4, 0, SILENT)
    assert found.mismatches == {"integer_deaf": 3 * 2 * 4}
    assert (found.samples, found.compared) == ({"deaf": 4}, {"integer_deaf": 4})
    assert found.skipped == {"particular": "on=particular: 2 faults; too few neurons; too few steps"}


def test_refuses_text(tmp_path):
    (tmp_path / "a.json").write_text("all agree")
    with pytest.raises(InputError, match=r"a\.json: is not JSON"):
        load_agreement(tmp_path / "a.json")


def test_every_level_in_words():
    assert rows(KNOWN) == [
        ("level", ">accuracy", ">samples", "+values that differ"),
        ("teacher, an artificial network", "95.00%", "100", ""),
        ("student, as trained on integers", "90.00%", "100", "none on 100 samples"),
        ("its equations in floats", "91.00%", "100", ""),
        ("integer chip network", "90.00%", "100", ""),
        ("Lava's processes", "100.00%", "1", "12 values on 1 sample"),
        ("lava-dl's netx", "-", "-", "not run: lava-dl is not installed"),
    ]


@pytest.fixture
def files(tmp_path):
    """An activity and its network, with an agreement of a chip beside them."""

    def write(chip_sha256=None):
        neuron = Neuron(4095, 0, 100, np.zeros(3, dtype=np.int64), 6)
        populations = (Population("in", (4,), "input", None), Population("out", (3,), "readout", neuron))
        connections = (Connection("in", "out", np.ones((3, 4), dtype=np.int64)),)
        chip = ChipNetwork(populations, connections, 2, "events", "count", "loihi1-davies", "")
        save_chip(chip, tmp_path / "chip.h5")
        own = sha256_of(tmp_path / "chip.h5")
        counted = {
            "in": PopulationActivity(np.ones(4, dtype=np.int64), 0, 0),
            "out": PopulationActivity(np.zeros(3, dtype=np.int64), 6, 0),
        }
        save_activity(Activity(counted, {"in->out": 12}, 1, 2, "integer", own, 1, "test"), tmp_path / "activity.json")
        save_agreement(replace(KNOWN, chip_sha256=chip_sha256 or own), tmp_path / "agreement.json")
        return [str(tmp_path / "activity.json"), str(tmp_path / "chip.h5")]

    return write


def test_a_report_takes_up_what_lies_beside_the_activity(files, tmp_path, capsys):
    assert main(files()) == 0
    printed = capsys.readouterr().out
    lost = "The spiking network loses 5.00 points of accuracy: 90.00% against the teacher's 95.00%."
    for text in (printed, *((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "html"))):
        flat = " ".join(text.replace("&#39;", "'").split())
        assert "12 values on 1 sample" in flat
        assert "not run: lava-dl is not installed" in flat
        assert lost in flat
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["agreement"]["mismatches"] == {"student_integer": 0, "integer_lava": 12}


def test_an_agreement_of_another_network_is_left_out(files, tmp_path, capsys):
    assert main(files(chip_sha256="cd" * 32)) == 0
    assert "agreement.json is of another network and left out" in capsys.readouterr().err
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["agreement"] is None
    assert "Nothing lies beside this activity" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_pairs_in_words():
    """Equal, differing, and not compared with the reason; nothing at all where nothing was."""
    assert KNOWN.in_words() == (
        "student and integer bit for bit on 100 samples; integer and lava differ in 12 values on 1 sample; "
        "netx was not compared (lava-dl is not installed)"
    )
    assert replace(KNOWN, mismatches={}, compared={}, skipped={}).in_words() == "nothing was compared"
