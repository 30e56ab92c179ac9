"""What the pages tell people to type exists, and what they show in Python runs."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from spikewright.commands.cli import VERBS, module_of
from spikewright.commands.console import typer_command
from spikewright.data.load import DATASETS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("train", "convert", "deploy", "hardware_profiles", "examples")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", ".github/*.md", *(f"{folder}/*.md" for folder in FOLDERS))
    for path in ROOT.glob(pattern)
)
NEEDS = {"docs/from-spikingjelly.md": "spikingjelly", "docs/from-sinabs.md": "sinabs"}
"""Tools of others that a page is about; it runs where they are installed."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
DOORS = {verb.door: name for name, verb in VERBS.items() if verb.door}


def blocks(page: str, language: str) -> list[str]:
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [body for kind, body in found if kind == language]


def commands() -> list[tuple[str, str]]:
    """Every command line of every page, its continuation lines joined and its comments left out."""
    lines = []
    for page in PAGES:
        for body in blocks(page, "bash"):
            lines += [(page, line) for line in body.replace("\\\n", " ").splitlines() if line.split("#")[0].strip()]
    return lines


def verb_of(words: list[str]) -> str | None:
    if words[0].endswith("spikewright") and len(words) > 1:
        return words[1]
    return DOORS[words[1]] if words[0] == "python" and words[1] in DOORS else None


def as_one_process(words: list[str]) -> list[str]:
    """A command line that torchrun starts several times, as it is started once."""
    if words[0] != "torchrun":
        return words
    begin = next(place for place, word in enumerate(words) if word == "-m" or word.endswith(".py"))
    return words[begin + 1 :] if words[begin] == "-m" else ["python", *words[begin:]]


def test_there_are_pages_with_commands() -> None:
    assert {"README.md", "docs/index.md", "CONTRIBUTING.md"} <= set(PAGES)
    assert len(commands()) > 10


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda text: str(text)[:60])
def test_a_command_line_names_what_exists(page: str, line: str) -> None:
    words = as_one_process(shlex.split(line, comments=True))
    if words[0] == "make":
        assert set(words[1:]) <= TARGETS
        return
    if words[0] in ("pip", "source"):
        return
    if words[0] == "python" and words[1].startswith(("benchmarks/", "examples/")):
        assert (ROOT / words[1]).is_file()
        return
    verb = verb_of(words)
    assert verb in VERBS, f"{page} shows {line!r}, which is no command of ours"
    module = import_module(module_of(verb))
    known = {flag for option in typer_command(module.command).params for flag in option.opts + option.secondary_opts}
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    assert used <= known | {"--help", "-h", "--debug"}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    missing = [target for target in LINK.findall(text) if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spikewright.data.load.DATASETS", dict(DATASETS))
    names: dict[str, object] = {}
    for number, body in enumerate(blocks(page, "python")):
        exec(compile(body, f"{page}, block {number}", "exec"), names)
