"""What the help of every verb looks like, and what shells complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from rich.text import Text

from spikewright.commands.cli import VERBS, main, module_of
from spikewright.commands.console import typer_command
from spikewright.commands.options import PANELS
from spikewright.commands.panels import SUBJECTS
from spikewright.training.settings import FLAT

PANEL = re.compile(r"^╭─ (.+?) ─+╮$", re.MULTILINE)


def help_of(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERMINAL_WIDTH", "120")
    assert main([verb, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_no_flag_shows_a_value_and_no_value_is_a_type_of_python(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = help_of(verb, capsys, monkeypatch)
    assert "--help" in shown
    assert re.findall(r"<bool>|list\[|<\w+ range>", shown) == []


def test_what_is_on_by_default_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "--no-grow", "--epochs", "0"]) == 2
    said = capsys.readouterr().err
    assert "--epochs is 0" in said and "grow" not in said
    on = [name for name, each in FLAT.items() if each.info.default is True]
    assert on == ["grow"]


@pytest.mark.parametrize("verb", VERBS)
def test_brackets_of_every_help_text_survive(verb: str) -> None:
    command = typer_command(import_module(module_of(verb)).command)
    texts = [getattr(each, "help", None) or "" for each in command.params] + [command.help or "", command.epilog or ""]
    for text in texts:
        meant = re.sub(r"\[/?dim\]", "", text).replace("\\[", "[")
        assert Text.from_markup(text).plain == meant


def test_run_has_a_panel_for_each_subject(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = PANEL.findall(help_of("run", capsys, monkeypatch))
    assert found == ["Options", *PANELS.values(), "Output", "Simulation"]


@pytest.mark.parametrize("verb", ["simulate", "report", "lower", "to-nir", "drift"])
def test_options_of_a_stage_stand_in_panels_of_their_subjects(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = PANEL.findall(help_of(verb, capsys, monkeypatch))
    assert found[:2] == ["Arguments", "Options"]
    assert {"Output"} < set(found[2:]) <= set(SUBJECTS)


def test_an_option_has_one_panel() -> None:
    options = [option for panel in SUBJECTS.values() for option in panel]
    assert len(options) == len(set(options))


def completed(root: Path, words: str) -> list[str]:
    """What bash offers for the last of ``words``."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "src"),
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_SPIKEWRIGHT_COMPLETE": "complete_bash",
    }
    asked = subprocess.run(
        [sys.executable, "-m", "spikewright"], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    return asked.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("spikewright ", list(VERBS)),
        ("spikewright si", ["simulate"]),
        ("spikewright run --learn-", ["--learn-beta", "--learn-threshold"]),
        ("spikewright simulate chip.h5 --split ", ["test", "validation", "train"]),
        ("spikewright nonsense", []),
    ],
)
def test_bash_completes(words: str, offered: list[str], root: Path) -> None:
    assert sorted(completed(root, words)) == sorted(offered)


def test_the_script_for_a_shell_is_shown(root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    shown = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m spikewright --show-completion; true"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert shown.stderr == ""
    assert "complete -o default -F _spikewright_completion spikewright" in shown.stdout
