"""Where the oracles are: files that nobody on this project made."""

from __future__ import annotations

import importlib.util
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


@pytest.fixture(scope="session")
def lava_dl_truths() -> Path:
    """The folder of ground truths that lava-dl's wheel installs."""
    spec = importlib.util.find_spec("lava")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("lava-dl, which carries these ground truths, is not installed")
    for place in spec.submodule_search_locations:
        folder = Path(place).parent / "tests" / "lava" / "lib" / "dl" / "netx"
        if folder.is_dir():
            return folder
    pytest.skip("this lava-dl was installed without its ground truths")
