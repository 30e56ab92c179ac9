"""The pins: hashed, from nowhere in particular, and as pyproject.toml asks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = {
    "lava-py310.txt": ("3.10", ("lava", "data", "events", "safetensors", "sound", "sweep", "tables", "dev", "docs")),
    "core.txt": ("3.12", ("data", "events", "safetensors", "sound", "sweep", "tables", "dev", "docs")),
}


TOOLS = {"norse": "3.10", "sinabs": "3.10", "spikingjelly": "3.11"}
"""Other tools, each in an environment of its own, by the Python that it wants."""
FILES = [*EXTRAS, "campaigns.txt", *(f"tools/{tool}.txt" for tool in TOOLS)]


def pins(file: Path) -> list[tuple[Requirement, int]]:
    """Each pinned requirement and how many hashes it has."""
    entries = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    return [(Requirement(entry.split(" --hash")[0].strip()), entry.count("--hash=sha256:")) for entry in entries]


def environment(version: str) -> dict[str, str]:
    return {
        "python_version": version,
        "python_full_version": f"{version}.1",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }


@pytest.mark.parametrize("name", FILES)
def test_every_pin_is_exact_and_hashed(name: str, root: Path) -> None:
    found = pins(root / "requirements" / name)
    assert len(found) > 40
    assert [str(pin) for pin, hashes in found if hashes == 0] == []
    assert [str(pin) for pin, _ in found if not re.fullmatch(r"==[^*,]+", str(pin.specifier))] == []


@pytest.mark.parametrize("name", FILES)
def test_pins_name_no_index_and_no_machine(name: str, root: Path) -> None:
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    assert re.findall(r"https?:|file:|--(?:extra-)?index|--find-links|\B/(?:home|root|opt|tmp|Users)/", text) == []


def unmet(root: Path, name: str, version: str, extras: tuple[str, ...]) -> list[str]:
    """What the project asks for and the pins of a file do not give."""
    here = environment(version)
    applying = [pin for pin, _ in pins(root / "requirements" / name) if not pin.marker or pin.marker.evaluate(here)]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in applying}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    wanted = [r for r in map(Requirement, asked) if not r.marker or r.marker.evaluate(here)]
    return [str(r) for r in wanted if not r.specifier.contains(pinned.get(canonicalize_name(r.name), "0"))]


@pytest.mark.parametrize("name", EXTRAS)
def test_pins_satisfy_the_project(name: str, root: Path) -> None:
    assert unmet(root, name, *EXTRAS[name]) == []


@pytest.mark.parametrize("tool", TOOLS)
def test_pins_beside_another_tool_satisfy_the_project(tool: str, root: Path) -> None:
    """But for the nir of sinabs, which is older than ours."""
    assert unmet(root, f"tools/{tool}.txt", TOOLS[tool], ()) == (["nir>=1.0.8"] if tool == "sinabs" else [])
    assert tool in {pin.name for pin, _ in pins(root / "requirements" / "tools" / f"{tool}.txt")}


def test_lava_is_pinned_where_it_exists_and_nowhere_else(root: Path) -> None:
    names = {file: {pin.name for pin, _ in pins(root / "requirements" / file)} for file in EXTRAS}
    assert {"lava-nc", "lava-dl", "setuptools"} <= names["lava-py310.txt"]
    assert not {"lava-nc", "lava-dl"} & names["core.txt"]


def test_the_tools_of_the_campaigns_change_no_other_version(root: Path) -> None:
    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    tools = {canonicalize_name(pin.name): pin.specifier for pin, _ in pins(root / "requirements" / "campaigns.txt")}
    here = {canonicalize_name(pin.name): pin.specifier for pin, _ in pins(root / "requirements" / "lava-py310.txt")}
    assert {name for name in tools.keys() & here.keys() if tools[name] != here[name]} == set()
    assert {canonicalize_name(Requirement(line).name) for line in groups["campaigns"]} <= tools.keys()


def test_an_unknown_environment_is_refused(root: Path) -> None:
    script = root / "requirements" / "make-env.sh"
    asked = subprocess.run([str(script), "older"], capture_output=True, text=True, timeout=60, check=False)
    said = (
        "error: make-env.sh makes default, newer, campaigns, snntorch, norse, sinabs, spikingjelly, rockpool or spyx, "
        "not 'older'\n"
    )
    assert (asked.returncode, asked.stderr) == (2, said)
