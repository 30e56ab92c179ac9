"""All that decides what a distillation does: defaults, presets, flags, in this order."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..base.errors import InputError, did_you_mean, refuse
from ..base.resources import presets_dir
from ..base.types import Encoding, Readout
from ..data.load import DATA_HELP, recipe_of
from ..data.recipe import Augmentation
from ..student.neuron_settings import NeuronKind, NeuronSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


NAMING_FILES = ("data", "architecture", "teacher", "profile", "also_within")
"""Settings that may name a file; from a preset none of them is followed."""
_FILE = re.compile(r"[/\\]|\.(py|toml|onnx|pt)\b", re.IGNORECASE)


class DistillSettings(BaseModel):
    """One distillation; None leaves the choice to the data set, the profile and the budget.

    The description of each field is also the help of the flag of the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field("digits", description=DATA_HELP)
    data_dir: Path | None = Field(None, description="folder with the data set's standard files")
    train_samples: int | None = Field(
        None, ge=2, description="how many of the training part the student learns from; the teacher has them all"
    )
    profile: str = Field("loihi2-assumed", description="hardware profile, a name or a .toml file")
    energy_budget: str | None = Field(None, description="per inference, with its unit: 2uJ, 350nJ, 40kops")
    teacher: str | None = Field(
        None,
        description="mlp, convnet, vgg, an .onnx file, snn, snn:width=32, or a student.pt; left out, convnet, or snn "
        "for a method that learns from spikes",
    )
    teacher_epochs: int | None = Field(None, ge=1, description="instead of the data set's default")
    teacher_seed: int = Field(0, ge=0, description="of the teacher, whatever the student's seed is")
    assistant: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (),
        description="width of a spiking network between teacher and student, taught by one and teaching the "
        "other; repeatable",
    )
    method: str = Field("kd", description="a name of `spikewright methods`, as name:option=value,...")
    regularize: tuple[str, ...] = Field(
        (), description="activation, logits, spikes or synops, as name:option=value; repeatable"
    )
    architecture: str = Field("convnet", description="mlp, convnet, vgg, skipnet, or file.py:function")
    width: int | None = Field(None, ge=1, description="channels of the first layer; left out, as the budget allows")
    timesteps: int | None = Field(None, ge=1, description="T; left out, the profile's or as the budget allows")
    encoding: Encoding | None = Field(None, description="direct, current, rate or latency; left out, the profile's")
    readout: Readout = Field("membrane", description="membrane or count")
    input_bits: int | None = Field(None, ge=1, le=12, description="width of graded input; left out, 6 (current: 8)")
    neuron: NeuronKind = Field("lif", description="lif or cubalif")
    beta: float = Field(0.5, ge=0, le=1, description="membrane decay per step")
    alpha: float = Field(0.5, ge=0, le=1, description="current decay per step (cubalif)")
    threshold: float = Field(1.0, gt=0, description="firing threshold")
    learn_beta: bool = Field(False, description="learn beta, one per layer")
    learn_threshold: bool = Field(False, description="learn the threshold, one per layer")
    epochs: int | None = Field(None, ge=1, description="passes over the training part; left out, by data set")
    batch: int | None = Field(None, ge=2, description="samples per step; left out, by data set")
    learning_rate: float = Field(3e-3, gt=0, description="peak of AdamW's rate")
    weight_decay: float = Field(1e-4, ge=0, description="of weights")
    augmentation: Augmentation | None = Field(None, description="none, shift or shift-flip; left out, by data set")
    integer_from: float = Field(
        0.5, ge=0, le=1, description="share of the epochs before the forward pass is the chip's integers; 1: never"
    )
    weight_bits: int | None = Field(None, ge=2, le=8, description="of integer weights with their sign; the chip's own")
    rounds: int = Field(3, ge=0, description="further epochs at most, for a limit that is not met or not used")
    reserve: float = Field(
        0.0, ge=0, lt=0.5, description="share of every limit left unused, for data that cost more than validation's"
    )
    also_within: tuple[str, ...] = Field((), description="a further chip's budget, profile=2uJ; repeatable")
    max_synaptic_ops: str | None = Field(None, description="synaptic operations per inference: 300k, 1.5M")
    max_rate: tuple[str, ...] = Field((), description="spikes per neuron and step of a layer, lif1=0.05; repeatable")
    shorten: float | None = Field(None, ge=0, description="take the fewest timesteps that cost so many points at most")
    device: Literal["auto", "cpu", "cuda"] = Field("cpu", description="where to train: cpu, cuda or auto")
    seed: int = Field(0, ge=0, description="of weights, order and encoding")

    @property
    def neuron_settings(self) -> NeuronSettings:
        """The hidden neurons."""
        return NeuronSettings(self.neuron, self.beta, self.alpha, self.threshold, self.learn_beta, self.learn_threshold)

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to hold the training to."""
        return bool(self.energy_budget or self.also_within or self.max_synaptic_ops or self.max_rate)

    def within(self, budget: str | None) -> DistillSettings:
        """The same within another budget; where nothing is limited, nothing is left in reserve."""
        moved = self.model_copy(update={"energy_budget": budget})
        return moved if moved.is_limited else moved.model_copy(update={"reserve": 0.0})

    @property
    def chosen_augmentation(self) -> Augmentation:
        """What was asked for, else what suits the data set."""
        return self.augmentation or recipe_of(self.data).augmentation


def preset_names() -> list[str]:
    """Presets that come with the project."""
    return sorted(path.stem for path in presets_dir().glob("*.toml"))


def settings_from(preset: str | None, flags: Mapping[str, object]) -> DistillSettings:
    """Defaults, overlaid with a preset, overlaid with the flags that were given (those that are not None).

    Raises:
        InputError: an unknown preset, or faults in any field, all of them at once.
    """
    values: dict[str, object] = _read_preset(preset) if preset is not None else {}
    refuse(f"preset {preset}", list(_paths_in(values)))
    values.update({key: value for key, value in flags.items() if value is not None})
    try:
        return DistillSettings.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))} is {e['input']!r}: {e['msg'].lower()}" for e in error.errors()]
        where = f"preset {preset}" if preset is not None else "settings"
        raise InputError(f"{where}: {'; '.join(faults)}") from error


def _paths_in(values: Mapping[str, object]) -> Iterator[str]:
    """Files that a preset names; a preset comes from anywhere, and what it names is neither run nor read."""
    for name, value in values.items():
        for text in value if isinstance(value, list) else [value]:
            if name == "data_dir" or (name in NAMING_FILES and isinstance(text, str) and _FILE.search(text)):
                flag = f"--{name.replace('_', '-')}"
                yield f"{name} is {text!r}; a preset names only what comes with spikewright, give {flag} yourself"


def _read_preset(name: str) -> dict[str, object]:
    path = Path(name) if name.endswith(".toml") else presets_dir() / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"preset {name!r} is unknown; {did_you_mean(name, preset_names())}, or a path to a .toml file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"preset {path}: is not TOML ({error})") from error
