"""Every door is the template, and leads to the verb of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikewright.commands.cli import VERBS, module_of

ROOT = Path(__file__).resolve().parents[2]
DOORS = {verb.door: name for name, verb in VERBS.items() if verb.door}
FOLDERS = ("train", "convert", "deploy", "hardware_profiles")
BODY = """
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.{module} import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_named_after_its_verb(door: str) -> None:
    assert Path(door).stem.replace("_", "-") == DOORS[door]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_the_template(door: str) -> None:
    head, _, body = (ROOT / door).read_text(encoding="utf-8").partition("\n")
    module = module_of(DOORS[door]).removeprefix("spikewright.")
    assert head.startswith(f'"""Door to ``spikewright.{module}``: ')
    assert body == BODY.format(module=module)


def test_every_script_in_the_users_folders_is_in_the_verb_table() -> None:
    scripts = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert scripts == set(DOORS)
