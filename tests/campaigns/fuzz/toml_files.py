"""Readers of profiles and presets."""

from __future__ import annotations

from typing import Any

from spikewright.chip.activity_file import load_activity
from spikewright.chip.chip_file import load_chip
from spikewright.energy.pricing import price
from spikewright.pages.anchors import AnchorTable, in_words, rows
from spikewright.profile.anchors import read_anchors
from spikewright.profile.profile import load_profile, read_profile, read_teacher
from spikewright.training.objects import loss_terms
from spikewright.training.settings import DistillSettings, settings_from

from . import formats
from .reader import Reader
from .seeds import ROOT, Seeds


def profile(made: Seeds) -> Reader:
    """Hardware profiles, on which an activity is priced."""
    files = [
        *sorted((ROOT / "hardware_profiles").glob("*.toml")),
        *sorted((ROOT / "tests/golden/profiles").glob("*.toml")),
    ]
    valid = [file.read_bytes() for file in files if _parses(file.read_bytes())]
    road = made.roads[1]

    def step(profile: Any, _: int) -> None:
        _ = profile.sha256
        price(load_activity(road / "few.json"), load_chip(road / "chip.h5"), profile)

    return Reader("presets and profiles", "profile.toml", valid, formats.of_toml, read_profile, step)


def _parses(data: bytes) -> bool:
    try:
        formats.tomllib.loads(data.decode())
    except ValueError:
        return False
    return True


def machine(_: Seeds) -> Reader:
    """Machines for comparison."""
    files = sorted((ROOT / "hardware_profiles/teachers").glob("*.toml"))
    return Reader(
        "presets and profiles",
        "machine.toml",
        [file.read_bytes() for file in files],
        formats.of_toml,
        read_teacher,
        lambda found, _: (found.source, found.mac.cost),
    )


def anchors(_: Seeds) -> Reader:
    """Published points, set beside a chip."""
    files = sorted((ROOT / "hardware_profiles/anchors").glob("*.toml"))
    chip = load_profile("loihi1-davies")

    def step(found: Any, _: int) -> None:
        table = AnchorTable(found, chip, "mnist")
        table.as_json()
        rows(table)
        in_words(table)

    return Reader(
        "presets and profiles",
        "anchors.toml",
        [file.read_bytes() for file in files],
        formats.of_toml,
        read_anchors,
        step,
    )


def preset(_: Seeds) -> Reader:
    """Presets."""
    files = sorted((ROOT / "train/presets").glob("*.toml"))
    every = "".join(
        f"{name} = {_toml(value)}\n" for name, value in DistillSettings().flat().items() if value is not None
    )

    def step(settings: DistillSettings, _: int) -> None:
        settings.flat()
        loss_terms(settings)

    return Reader(
        "presets and profiles",
        "preset.toml",
        [*(file.read_bytes() for file in files), every.encode()],
        formats.of_toml,
        lambda path: settings_from(str(path), {}),
        step,
    )


def _toml(value: Any) -> str:
    return formats._toml(value)
