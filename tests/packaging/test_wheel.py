"""An installed wheel finds what a checkout finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ASK = "from spikewright.base import resources; print(resources.profiles_dir()); print(resources.presets_dir())"


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
        timeout=300,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_holds_the_package_and_the_files_that_users_edit(wheel: Path, root: Path) -> None:
    with ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    profiles = {
        f"spikewright/_data/{path.relative_to(root).as_posix()}"
        for path in (root / "hardware_profiles").rglob("*.toml")
    }
    assert "spikewright/_data/hardware_profiles/teachers/edge-gpu.toml" in profiles
    assert "spikewright/_data/hardware_profiles/anchors/mnist.toml" in profiles
    presets = {f"spikewright/_data/presets/{path.name}" for path in (root / "train" / "presets").glob("*.toml")}
    sources = {
        path.relative_to(root / "src").as_posix()
        for path in (root / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert profiles
    assert names == profiles | presets | sources


@pytest.mark.slow
def test_an_unpacked_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as file:
        file.extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def ask(*words: str) -> str:
        # -S leaves out site-packages' .pth files, through which an editable install would answer instead.
        paths = f"{tmp_path}{os.pathsep}{os.pathsep.join(p for p in sys.path if p.endswith('-packages'))}"
        return subprocess.run(
            [sys.executable, "-S", *words],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": paths},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout

    assert ask("-m", "spikewright", "--version").startswith("spikewright ")
    profiles, presets = (Path(line) for line in ask("-c", ASK).splitlines())
    assert profiles == tmp_path / "spikewright" / "_data" / "hardware_profiles"
    assert list(profiles.glob("*.toml"))
    assert "loihi" in ask("-m", "spikewright", "profiles")
    assert not presets.exists() or list(presets.glob("*.toml"))
