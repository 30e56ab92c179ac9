"""Brackets in what is printed: rich takes them for markup unless it is told not to."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.table import Table

from spikewright.commands import console, run
from spikewright.pages.numbers import filled

INSTALL = "pip install 'spikewright[lava]'"


def test_a_table_keeps_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_result(filled([("level", "why"), ("lava", INSTALL)]), f"then {INSTALL}", width=80)
    assert capsys.readouterr().out.count(INSTALL) == 2


def test_the_end_of_a_run_keeps_brackets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(show_header=False)
    table.add_row("agreement", f"lava was not compared (needs Lava: {INSTALL})")
    verdict = SimpleNamespace(renderable=lambda: table, faults=[])
    monkeypatch.setattr("spikewright.bench.run.finish", lambda *_: verdict)
    monkeypatch.setattr("spikewright.bench.begin.begin", lambda *_, **__: nullcontext())
    monkeypatch.setenv("COLUMNS", "120")
    assert run.main(["--data", "digits"]) == 0
    assert INSTALL in capsys.readouterr().out


def test_a_message_and_a_bar_keep_brackets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    listeners = console.listeners()
    with listeners.task("simulating on a[b].pt", 1) as advance:
        listeners.say(INSTALL, "note")
        advance()
    said = capsys.readouterr().err
    assert f"note: {INSTALL}" in said
    assert "a[b].pt" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)


def test_there_is_one_way_to_a_console(root: Path) -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (root / "src" / "spikewright").rglob("*.py")}
    makers = [path.name for path, text in sources.items() if re.search(r"\b(Console|_Terminal)\(", text)]
    assert makers == ["terminal.py"]
    assert [path.name for path, text in sources.items() if re.search(r"TextColumn\((?!.*markup=False)", text)] == []
