"""``spikewright`` itself: the overview, and words that it does not know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikewright import __version__
from spikewright.commands.cli import VERBS, main

HEAVY = ("torch", "snntorch", "onnxruntime", "sklearn", "matplotlib", "lava")
ASK = """
import sys
from spikewright.commands.cli import main
code = main(sys.argv[1:])
loaded = sorted(set({heavy}) & set(sys.modules))
sys.exit(f"imported {{loaded}}" if loaded else code)
"""


def python(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]], ids=str)
def test_the_overview_lists_every_verb(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name, verb in VERBS.items():
        assert any(line.split()[:1] == [name] and line.rstrip().endswith(verb.help) for line in out.splitlines())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"spikewright {__version__}\n", "")


def test_an_unknown_verb_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["destill", "--help"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: there is no verb 'destill'; did you mean 'distill'? "
        "may be: check, compare, data, distill, draw, drift, import, lower, methods, profiles, report, run, simulate, "
        "sweep, to-nir\n",
    )


def test_an_unknown_option_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verson"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: there is no option '--verson'; did you mean '--version'? "
        "may be: --help, --install-completion, --show-completion, --version\n",
    )


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_light(verb: str, root: Path) -> None:
    asked = python(root, "-c", ASK.format(heavy=HEAVY), verb, "--help")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert f"Usage: spikewright {verb} " in asked.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_of_a_verb_is_one_line(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--no-such-option"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: there is no option --no-such-option; ")
    assert err.count("\n") == 1


def test_the_package_runs_as_a_module(root: Path) -> None:
    asked = python(root, "-m", "spikewright", "--version")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"spikewright {__version__}\n", "")


@pytest.mark.parametrize("door", [verb.door for verb in VERBS.values() if verb.door])
def test_a_door_works_from_another_directory(door: str, root: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    asked = subprocess.run(
        [sys.executable, str(root / door), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "Usage: spikewright " in asked.stdout
