"""Pages and notebook agree with each other and with the code, and the notebook runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spikewright as sw
from spikewright.augmentation.transforms import TRANSFORMS
from spikewright.profile.profile import HardwareProfile, load_profile, profile_names

NOTEBOOK = "own-data-to-report.ipynb"
RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.history_manager.enabled = False
kinds = []
for source in json.load(sys.stdin):
    ran = shell.run_cell(source)
    ran.raise_error()
    shown = {} if ran.result is None else shell.display_formatter.format(ran.result)[0]
    kinds.append(sorted(shown))
print("\\n" + json.dumps(kinds))
"""
"""Runs the cells that it reads as a notebook does, and prints the kinds of what each shows."""


@pytest.fixture(scope="module")
def docs(root: Path) -> Path:
    return root / "docs"


def cells(docs: Path) -> list[str]:
    """The code of the notebook, cell by cell."""
    notebook = json.loads((docs / NOTEBOOK).read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    return ["".join(cell["source"]) for cell in code]


def test_the_notebook_holds_the_code_of_its_page(docs: Path) -> None:
    page = (docs / "own-data-to-report.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)\n^```$", page, re.MULTILINE | re.DOTALL)
    assert cells(docs) == ["%load_ext spikewright", *blocks]


@pytest.mark.slow
def test_the_notebook_runs_and_shows_its_objects(docs: Path, root: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("IPython") is None:
        pytest.skip("needs IPython")
    ours = {"PYTHONPATH": str(root / "src"), "IPYTHONDIR": str(tmp_path / "ipython"), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(cells(docs)),
        cwd=tmp_path,
        env={**os.environ, **ours, "SPIKEWRIGHT_CACHE": str(tmp_path / "cache"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    kinds = json.loads(ran.stdout.splitlines()[-1])
    html, figure = ["text/html", "text/plain"], ["image/png", "text/plain"]
    assert kinds == [[], [], html, html, html, html, figure, []]
    assert "within budget: at least " in ran.stdout
    written = {path.name for path in tmp_path.iterdir()}
    assert {"movements.npz", "movements.pt", "energy.svg", "report-view.html"} <= written


def test_every_public_name_is_on_the_page_of_python(docs: Path) -> None:
    listed = re.findall(r"^::: spikewright\.([\w.]+)$", (docs / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = {name.replace("notebook.plot", "plot") for name in listed}
    assert names == set(sw.__all__) - {"__version__", "methods", "transforms"}
    assert len(listed) == len(set(listed))


def test_every_transform_is_on_the_page_of_data(docs: Path) -> None:
    section = (docs / "data.md").read_text(encoding="utf-8").partition("## Augmentation")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    shown = {row[0].strip("`").partition(":")[0]: set(row[2].split(", ")) for row in rows}
    assert shown == {name: set(kind.suits) for name, kind in TRANSFORMS.items()}


def test_every_plot_is_on_the_page_of_notebooks(docs: Path) -> None:
    page = (docs / "notebooks.md").read_text(encoding="utf-8").partition("## Figures")[2]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(sw.plot.__all__)


def chip_row(profile: HardwareProfile) -> str:
    """The row of a profile on the page about choosing a chip."""
    limits, whole = profile.limits, profile.limits.whole
    neurons = "no limit given"
    if limits.neurons_per_core and limits.cores:
        neurons = f"{limits.neurons_per_core * limits.cores:,}"
    elif whole is not None and whole.neurons:
        neurons = f"{whole.neurons:,}"
    elif whole is not None and whole.hidden_neurons:
        neurons = f"{whole.hidden_neurons:,} hidden"
    leak = "none" if limits.decay_bits == 0 else "halves" if limits.decay_shifts else "any"
    op = profile.energy.synaptic_op
    energy = f"{op.value:g} {op.unit}, {op.kind}, {op.scope}" if profile.has_joules else "no joules"
    graded = "graded" if limits.graded_spike_bits else "binary"
    return f"| `{profile.name}` | {graded} | {limits.weight_bits} | {leak} | {neurons} | {energy} |"


def test_the_chips_to_choose_from_are_as_their_profiles_say(docs: Path) -> None:
    page = (docs / "choosing-a-chip.md").read_text(encoding="utf-8")
    table = page.partition("## What differs")[2].partition("\n\n* ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [chip_row(load_profile(name)) for name in sorted(profile_names())]


@pytest.mark.parametrize("guide", ["methods.md", "results.md"])
def test_a_guide_is_two_screens(guide: str, docs: Path) -> None:
    lines = (docs / guide).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90


def test_every_page_of_the_laboratory_is_listed_there(docs: Path) -> None:
    index = (docs / "laboratory" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (docs / "laboratory").glob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"^\| \[[^\]]+\]\(([\w-]+\.md)\)", index, re.MULTILINE))


def test_pictures_in_html_are_there(docs: Path) -> None:
    for page in docs.glob("*.md"):
        for source in re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text(encoding="utf-8")):
            assert (page.parent / source).is_file(), f"{page.name} shows {source}"


def test_the_pages_are_built_so_that_a_warning_stops_the_build(root: Path) -> None:
    (build,) = [line for line in (root / "Makefile").read_text(encoding="utf-8").splitlines() if "mkdocs build" in line]
    assert "--strict" in build
    assert "--quiet" not in build  # it hides warnings, and --strict counts none that are hidden
