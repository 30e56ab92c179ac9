"""The folders of the files that come with spikewright, in the checkout or in the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def profiles_dir() -> Path:
    """The folder of the hardware profiles, one TOML file each."""
    return _folder("hardware_profiles", _CHECKOUT / "hardware_profiles")


def presets_dir() -> Path:
    """The folder of the training presets, one TOML file each."""
    return _folder("presets", _CHECKOUT / "train" / "presets")


def _folder(name: str, in_checkout: Path) -> Path:
    # A wheel carries copies under _data (see pyproject.toml); a checkout, editable or bare, has no _data.
    in_wheel = _PACKAGE / "_data" / name
    return in_wheel if in_wheel.is_dir() else in_checkout
