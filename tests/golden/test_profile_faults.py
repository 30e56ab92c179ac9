"""What is said about hardware profiles with faults: the whole message, every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikewright.base.errors import InputError
from spikewright.profile.profile import read_profile

CASES = sorted(Path(__file__).with_name("profiles").glob("*.toml"))


def test_there_are_cases():
    assert len(CASES) == 9


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_message(path):
    with pytest.raises(InputError) as caught:
        read_profile(path)
    said = str(caught.value).replace(str(path), "PROFILE") + "\n"
    assert said == path.with_suffix(".txt").read_text(encoding="utf-8")
