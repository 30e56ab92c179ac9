"""What the hosting platform reads: the workflow runs the Makefile's targets, forms and citation are well-formed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from spikewright.base.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted(path.name for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
FIELDS = {"input", "textarea", "dropdown", "checkboxes"}
CFF_KEYS = {
    *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
    *("repository-code", "title", "type", "url", "version"),
}
"""The keys that the Citation File Format 1.2.0 knows at its top level."""


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def workflow() -> Any:
    return read(".github/workflows/ci.yml")


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_the_workflow_runs_targets_of_the_makefile_and_nothing_else(workflow: Any) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    runs = [step["run"] for step in steps(workflow) if "run" in step]
    assert sorted(runs) == ["make ci", "make test-newer"]
    assert {run.removeprefix("make ") for run in runs} <= targets


def test_the_workflow_may_read_and_no_more(workflow: Any) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    assert "secrets." not in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_actions_are_pinned_to_a_major_version(workflow: Any) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[\w-]+@v\d+", name)] == []


def test_the_workflow_takes_the_pythons_that_the_pins_are_for(workflow: Any) -> None:
    found = [step["with"]["python-version"] for step in steps(workflow) if "setup-python" in step.get("uses", "")]
    assert found == ["3.10", "3.13"]
    keys = " ".join(step["with"]["key"] for step in steps(workflow) if "cache" in step.get("uses", ""))
    pins = re.findall(r"hashFiles\('([^']+)'\)", keys)
    assert pins == ["requirements/lava-py310.txt", "requirements/core.txt"]
    assert all((ROOT / pin).is_file() for pin in pins)


def test_lava_must_run_on_the_python_that_has_it(workflow: Any) -> None:
    assert workflow["jobs"]["lava"]["env"] == {"SPIKEWRIGHT_REQUIRE_LAVA": "1"}


def test_there_is_a_form_for_every_kind_of_issue() -> None:
    assert FORMS == ["bug.yml", "hardware-profile.yml", "question.yml", "wrong-result.yml"]


@pytest.mark.parametrize("form", FORMS)
def test_an_issue_form_is_well_formed(form: str) -> None:
    found = read(f".github/ISSUE_TEMPLATE/{form}")
    assert set(found) <= {"name", "description", "title", "labels", "assignees", "body"}
    assert found["name"]
    assert found["description"]
    fields = [field for field in found["body"] if field["type"] != "markdown"]
    assert fields
    assert {field["type"] for field in fields} <= FIELDS
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_wrong_result_asks_for_files_and_versions() -> None:
    fields = {field.get("id"): field for field in read(".github/ISSUE_TEMPLATE/wrong-result.yml")["body"]}
    assert all(fields[name]["validations"]["required"] for name in ("number", "commands", "files", "versions"))


def test_an_issue_may_also_be_blank() -> None:
    assert read(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}


def test_the_citation_is_one() -> None:
    found = read("CITATION.cff")
    assert set(found) <= CFF_KEYS
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert found["message"]
    assert all(set(author) <= {"name"} for author in found["authors"])


def test_the_citation_agrees_with_the_project() -> None:
    found = read("CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert str(found["version"]) == __version__
    assert found["title"] == project["name"]
    assert found["license"] == project["license"]
    assert found["authors"] == project["authors"]
    assert found["keywords"] == project["keywords"]
