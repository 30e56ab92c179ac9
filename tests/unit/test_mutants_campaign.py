"""The campaign of mutants draws changes that decide something, runs the tests on them, and counts how they end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Campaign = Callable[[str], ModuleType]

SOURCE = '''
Alias: TypeAlias = "int | None"

def area(width: int | None, height: float = 2.0) -> int | None:
    """2 + 2"""
    kept: int | None = width
    return kept + height
'''

TRIALS = """
import sys, time
from pathlib import Path
from campaigns.mutants.trial import Trial
path = Path("thing/half.py")
forever = "sum(1 for _ in iter(int, 1))"
for text, limit in (("2", 60), ("3", 60), ("__import__('time').sleep(60)", 3), (forever, 60)):
    code = compile(f"def half(x):\\n    return x / {text}\\n", str(path), "exec")
    trial = Trial(path, code, [["test_half.py"]], limit, Path("log"), {"test_half.py::test_it": -1.9})
    while not trial.ended():
        time.sleep(0.02)
    print(trial.outcome)
print(Trial(path, None, [], 9, Path("log")).outcome)
"""


def mutant(campaign: Campaign, **more: Any) -> Any:
    made = {"group": "law", "module": "src/x.py", "operator": "core/AddNot", "occurrence": 0, "line": 3, "end_line": 3}
    return campaign("mutants.mutant").Mutant(**{**made, "before": "if a:", "after": "if not a:", **more})


def test_annotations_and_texts_are_left_alone_and_changes_of_one_place_are_one_site(campaign: Campaign) -> None:
    pytest.importorskip("cosmic_ray")
    sample = campaign("mutants.sample")
    found = sample.sites(SOURCE)
    assert {(line, kind) for line, _, kind in found} == {
        (4, "core/NumberReplacer"),
        (7, "core/ReplaceBinaryOperator"),
    }
    ((_, changes),) = ((site, changes) for site, changes in found.items() if site[0] == 7)
    texts = {sample.mutated(SOURCE, name, which).splitlines()[6].strip() for name, which, _ in changes}
    assert texts == {f"return kept {sign} height" for sign in ("-", "*", "/", "//", "%", "**")}


def test_a_change_that_leaves_the_program_as_it_is_is_no_mutant(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cosmic_ray")
    sample = campaign("mutants.sample")
    file = tmp_path / "a.py"
    file.write_text("MOST = 1e30\nFEW = 3\n")
    monkeypatch.setattr(sample, "ROOT", tmp_path)
    assert sample.described("law", file, "core/NumberReplacer", 0, 1, 1) is None, "1e30 + 1 is 1e30"
    assert sample.described("law", file, "core/NumberReplacer", 2, 2, 2).after == "FEW = 4"


def test_the_tests_see_the_changed_code_and_only_it_kills(campaign: Campaign, root: Path, tmp_path: Path) -> None:
    del campaign
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "__init__.py").touch()
    (tmp_path / "thing" / "half.py").write_text("def half(x):\n    return x / 2\n")
    (tmp_path / "test_half.py").write_text("from thing.half import half\n\ndef test_it():\n    assert half(6) == 3\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{root / 'tests'}"}
    words = [sys.executable, "-c", TRIALS.replace("thing/half.py", str(tmp_path / "thing" / "half.py"))]
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.split("\n")[:5] == ["survived", "killed", "time limit", "time limit", "no test"], ran.stderr


def test_lines_lead_to_their_tests_those_that_run_little_else_first(campaign: Campaign) -> None:
    pytest.importorskip("coverage")
    covering = campaign("mutants.covering")
    seconds = {"t/a.py::wide": 0.1, "t/a.py::near": 0.1, "t/b.py::slow": 9.0, "t/c.py::other": 0.1}
    lines = {3: {"t/a.py::wide", "t/a.py::near", "t/b.py::slow"}, 4: {"t/a.py::wide"}, 5: {"t/c.py::other"}}
    reach = {name: sum(name in names for names in lines.values()) for name in seconds}
    known = covering.Covering(seconds, {"src/x.py": lines}, covering.Counter(reach))
    assert known.tests_of(mutant(campaign), 60) == [["t/a.py::near", "t/a.py::wide", "t/b.py::slow"]]
    imported = known.tests_of(mutant(campaign, line=1, end_line=1), 60)
    assert sorted(name for stage in imported for name in stage) == sorted([*seconds, *covering.DECLARED]), (
        "a line that runs at import: all tests of the module, and those of declarations"
    )


def test_what_survives_without_a_proof_counts_against_us(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = campaign("mutants.tally")
    proof = '[[mutant]]\nmodule = "src/x.py"\nbefore = "if a:"\nafter = "if not a:"\nproof = "a is never read"\n'
    (tmp_path / "equivalent.toml").write_text(proof)
    monkeypatch.setattr(module, "EQUIVALENT", tmp_path / "equivalent.toml")
    outcomes = ["killed"] * 96 + ["time limit", "survived", "survived", "no test"]
    tally = module.Tally()
    for number, outcome in enumerate(outcomes):
        after = "if not a:" if outcome == "survived" else f"{number}"
        tally.add(module.Tried(mutant(campaign, after=after, occurrence=number), outcome, 1.0))
    row = {"mutants": 100, "killed": 97, "of these, by the time limit": 1, "equivalent": 2, "survived": 1}
    assert tally.summary() == {"law": row, "all": row}
    assert tally.good()
    tally.write(tmp_path / "mutants.json")
    assert module.Tally.read(tmp_path / "mutants.json").summary() == tally.summary()
    resumed = module.Tally.read(tmp_path / "mutants.json")
    more = mutant(campaign, occurrence=300)
    assert resumed.untried([more, *(each.mutant for each in tally.tried[5:])]) == [more]
    assert [each.mutant for each in resumed.tried] == [each.mutant for each in tally.tried[5:]]
    assert [each.after for each in tally.forgotten_survivors()] == ["99"]
    for number in range(3):
        tally.add(module.Tried(mutant(campaign, occurrence=200 + number), "survived", 1.0))
    assert not tally.good(), "five of 102 are said to be equivalent"
