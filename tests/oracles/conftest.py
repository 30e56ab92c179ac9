"""Where the oracles are: files that nobody on this project made."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def traces(root: Path) -> Path:
    """The recordings of the NIR paper, among them one of a real Loihi 2 chip; they lie beside the checkout."""
    folder = root.parent / "shared" / "oracles"
    if not folder.is_dir():
        pytest.skip("the oracle files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def cases(root: Path) -> Path:
    """Small files that were read wrongly or refused, each in the convention of a tool; they lie beside the checkout."""
    folder = root.parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("the case files are not beside this checkout")
    return folder
