"""The settings of a distillation, in groups; a preset overrides the defaults, and flags override the preset."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo

from ..augmentation.text import text_of as text_of_transforms
from ..base.bounds import MOST_COUNT, MOST_SEED
from ..base.errors import InputError, arg, did_you_mean, refuse
from ..base.options import Fault, Options, WrongOptions
from ..base.resources import presets_dir
from ..base.types import Encoding, Norm, OptimizerName, Readout, Reset
from ..chip.registers import MARGIN
from ..data.few_labels import REST
from ..data.load import DATA_HELP
from ..data.options import DataOptions
from ..data.output_rule import OutputUnit, ValueLoss
from ..sources.read import READERS
from ..student.neuron_settings import NeuronKind, NeuronSettings
from ..student.scales import Scales

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


NAMING_FILES = ("data", "unlabelled", "architecture", "teacher", "profile", "also_within")
"""Settings that may name a file; in a preset they must not."""
FILES = ("data_dir", "teacher_weights", "init")
"""Settings that name nothing but files or folders; a preset must not have them."""
_ENDS = ("py", "toml", "onnx", "pt", "pth", "ckpt", "safetensors", *(end[1:] for end in READERS))
_FILE = re.compile(rf"[/\\]|\.({'|'.join(_ENDS)})\b", re.IGNORECASE)


AUTO, OF_SIZE = "auto", ("width", "timesteps")
"""The word that leaves a setting of the student's size to data set, profile and budget, as leaving it out does."""
OF_FEW_LABELS = ("label_fraction", "unlabelled", "teacher_samples", "labelled_share", "epoch_samples")
"""Settings about few labels, and samples without them."""


class DataSettings(DataOptions):
    """The data set, how data of one's own are read, and how much of them the student is trained on."""

    name: str = Field("digits", description=f"{DATA_HELP}; or the path of data of your own")
    data_dir: Path | None = Field(None, description="folder with the data set's standard files")
    train_samples: int | None = Field(
        None,
        ge=2,
        le=MOST_COUNT,
        description="how many of the training part the student learns from; the teacher has them all",
    )
    label_fraction: float | None = Field(
        None, gt=0, le=1, description="share of these whose labels the student gets, the first of each class"
    )
    unlabelled: str | int | None = Field(
        None,
        description="samples that the student learns from without labels: a number of those of the training part whose "
        "labels are not used, rest for all of these, or the path of others",
    )

    @field_validator("unlabelled", mode="before")
    @classmethod
    def _number_or_path(cls, value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("unlabelled")
    @classmethod
    def _not_none_of_them(cls, value: int | str | None) -> int | str | None:
        if value in (0, "") or (isinstance(value, int) and value < 0):
            raise ValueError("a number must be at least 1; leave it out for none")
        return value

    @property
    def has_unlabelled_path(self) -> bool:
        """Whether the samples without labels are others than the training part's."""
        return isinstance(self.unlabelled, str) and self.unlabelled != REST


HOLDS = ("price", "temperature", "regularizers")
"""What a limit may be held by."""


class Budget(Options):
    """The chip that a student is trained for, and its limits there, per inference: ``Budget("1uJ", chip="tianjic")``.

    ``chip`` is another name of ``profile``.
    """

    first: ClassVar[str] = "energy_budget"

    profile: str = Field("loihi2-assumed", description="hardware profile, a name or a .toml file")
    energy_budget: str | None = Field(None, description="per inference, with its unit: 2uJ, 350nJ, 40kops")
    reserve: float = Field(
        0.0, ge=0, lt=0.5, description="share of every limit left unused, for data that cost more than validation's"
    )
    also_within: tuple[str, ...] = Field((), description="a further chip's budget, profile=2uJ; repeatable")
    hold: str = Field(
        "price",
        description="what limits are held by, several joined by +: price, a term of the loss; temperature, a higher "
        "one of the teacher (ht-kd); regularizers, larger weights of them",
    )
    max_synaptic_ops: str | None = Field(None, description="synaptic operations per inference: 300k, 1.5M")
    max_rate: tuple[str, ...] = Field(
        (),
        description="spikes per neuron and step of a layer, lif1=0.05, or of each that matches, lif*=0.05; repeatable",
    )

    @field_validator("hold")
    @classmethod
    def _known_holds(cls, value: str) -> str:
        names = value.split("+")
        if not set(names) <= set(HOLDS) or len(set(names)) < len(names):
            raise ValueError(f"may be {', '.join(HOLDS)}, or several of them joined by +")
        return value

    @model_validator(mode="before")
    @classmethod
    def _chip_is_the_profile(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "chip" not in values:
            return values
        if "profile" in values:
            raise ValueError("chip and profile are two names of one option; give one of them")
        return {("profile" if name == "chip" else name): value for name, value in values.items()}

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self.energy_budget or self.also_within or self.max_synaptic_ops or self.max_rate)


class TeacherSpec(Options):
    """The teacher, ``TeacherSpec("vgg")``, and assistants between the teacher and the student."""

    first: ClassVar[str] = "name"

    name: str | None = Field(
        None,
        description="mlp, convnet, vgg, temporal, an .onnx file, file.py:function, torchvision:NAME, snn, "
        "snn:width=32, a student.pt, or init, the network of --init as it was; left out, init where there is one, else "
        "the data set's (convnet for images, temporal for series, mlp for vectors), or snn for a method that learns "
        "from spikes",
    )
    weights: Path | None = Field(None, description="state dict of a torch network: .pt, .pth, .ckpt or .safetensors")
    layout: str | None = Field(None, description="how the teacher takes samples: images, series, channels or vectors")
    normalize: str | None = Field(
        None, description="what the teacher's samples were normalised by: imagenet, none, or MEAN/STD, as 0.5/0.25"
    )
    channels: int | None = Field(
        None, ge=1, le=MOST_COUNT, description="that the teacher takes; a grey image's one is copied"
    )
    size: str | None = Field(None, description="of the teacher's images, as 224 or 224x224; others are interpolated")
    values: str | None = Field(
        None,
        description="that the teacher takes of your own data: raw or scaled; left out, raw of vectors and series",
    )
    teacher_epochs: int | None = Field(None, ge=1, le=MOST_COUNT, description="instead of the data set's default")
    teacher_seed: int = Field(0, ge=0, le=MOST_SEED, description="of the teacher, whatever the student's seed is")
    teacher_samples: int | None = Field(
        None,
        ge=2,
        le=MOST_COUNT,
        description="how many of the training part the teacher learns from, the last ones; left out, all",
    )
    assistant: tuple[Annotated[int, Field(ge=1, le=MOST_COUNT)], ...] = Field(
        (),
        description="width of a spiking network between teacher and student, taught by one and teaching the "
        "other; repeatable",
    )
    teacher_outputs: OutputUnit | None = Field(
        None,
        description="of a regression, outputs of a teacher from a file: unit, the labels' own, or deviations, standard "
        "deviations from their training mean; left out, unit",
    )


class MethodSpec(Options):
    """The distillation method, and regularizers in addition to it."""

    name: str = Field("kd", description="a name of `spikewright methods`, as name:option=value,...")
    regularize: tuple[str, ...] = Field(
        (), description="activation, logits, spikes or synops, as name:option=value; repeatable"
    )


class StudentSpec(Options):
    """The student's network, ``StudentSpec("convnet")``; None leaves the choice to data set, profile and budget."""

    first: ClassVar[str] = "architecture"

    architecture: str | None = Field(
        None, description="mlp, convnet, vgg, skipnet, temporal, or file.py:function; left out, by data set"
    )
    width: int | None = Field(
        None, ge=1, le=MOST_COUNT, description="channels of the first layer; auto, as left out: as the budget allows"
    )
    timesteps: int | None = Field(
        None, ge=1, le=MOST_COUNT, description="T; auto, as left out: the profile's, or as the budget allows"
    )
    encoding: Encoding | Literal["delta"] | None = Field(
        None, description="direct, current, rate, latency, or delta for series; left out, the profile's"
    )
    readout: Readout = Field("membrane", description="membrane or count")
    input_bits: int | None = Field(None, ge=1, le=12, description="width of graded input; left out, 6 (current: 8)")
    neuron: NeuronKind = Field("lif", description="lif or cubalif")
    beta: float = Field(0.5, ge=0, le=1, description="membrane decay per step")
    alpha: float = Field(0.5, ge=0, le=1, description="current decay per step (cubalif)")
    threshold: float = Field(1.0, gt=0, description="firing threshold")
    learn_beta: bool = Field(False, description="learn beta, one per layer")
    learn_threshold: bool = Field(False, description="learn the threshold, one per layer")
    reset: Reset = Field(
        "zero", description="zero; subtract: a spike takes the threshold off; subtract-late: one step late, as snnTorch"
    )
    norm: Norm = Field(
        "batch",
        description="between weights and neurons: batch; threshold: batch norms that begin with the threshold as gain; "
        "none: weights alone, without biases, balanced on training samples",
    )
    population: int = Field(1, ge=1, le=MOST_COUNT, description="outputs for each class, whose scores are added up")
    init: Path | None = Field(
        None,
        description="what the training begins with: a student.pt or the graph.nir of any tool, its network, weights, T "
        "and neurons (T, encoding, input-bits and reset may be others); or weights of an ANN with the layers of the "
        "student, .pt, .safetensors or .onnx",
    )

    @field_validator(*OF_SIZE, mode="before")
    @classmethod
    def _number_or_auto(cls, value: Any) -> Any:
        """The command line and presets may give text."""
        if not isinstance(value, str):
            return value
        if value != AUTO and not value.removeprefix("-").isdecimal():
            raise ValueError(f"must be a whole number, or {AUTO}")
        return None if value == AUTO else int(value)

    @property
    def neuron_settings(self) -> NeuronSettings:
        """The neuron model of the hidden layers and its constants."""
        learnt = self.learn_beta, self.learn_threshold
        return NeuronSettings(self.neuron, self.beta, self.alpha, self.threshold, *learnt, self.reset)


class Training(Options):
    """How the student is trained; None leaves the choice to the data set or the chip."""

    epochs: int | None = Field(
        None, ge=1, le=MOST_COUNT, description="passes over the training part; left out, by data set"
    )
    batch: int | None = Field(None, ge=2, le=MOST_COUNT, description="samples per step; left out, by data set")
    labelled_share: float | None = Field(
        None, gt=0, lt=1, description="share of every batch that has labels, beside samples without; left out, 0.1"
    )
    epoch_samples: int | None = Field(
        None,
        ge=2,
        le=MOST_COUNT,
        description="samples of an epoch, in several passes or in part of one; left out, the training part",
    )
    optimizer: OptimizerName = Field("adamw", description="adamw, or sgd with a momentum of 0.9")
    learning_rate: float | None = Field(
        None, gt=0, description="its peak; left out, 3e-3 for adamw, 0.1 for sgd; 0.015 and 0.3 without norms"
    )
    weight_decay: float = Field(1e-4, ge=0, description="of weights")
    augmentation: str | None = Field(
        None,
        description="none, shift, shift-flip, or a list such as shift:2,flip,cutout:4,mixup:0.2; for series "
        "time-shift, time-mask, frequency-mask, jitter, scale, mixup; for events shift, flip, time-shift, time-jitter, "
        "drop; left out, by data set",
    )
    integer_from: float = Field(
        0.5, ge=0, le=1, description="share of the epochs before the forward pass is the chip's integers; 1: never"
    )
    weight_bits: int | None = Field(None, ge=2, le=8, description="of integer weights with their sign; the chip's own")
    scales: Scales = Field(
        "auto",
        description="what registers must have room for: worst-case, any input; measured, peaks on training data; auto, "
        "peaks where the worst case leaves a layer too few bits",
    )
    scale_margin: float | None = Field(
        None, ge=1, description=f"factor by which registers may go beyond measured peaks; left out, {MARGIN:g}"
    )
    scale_quantile: float | None = Field(
        None, gt=0, le=1, description="of the peaks of single samples; left out, 1, the largest"
    )
    rounds: int = Field(
        3, ge=0, le=MOST_COUNT, description="further epochs at most, for a limit that is not met or not used"
    )
    grow: bool = Field(
        True,
        description="try larger students while much of the budget is unspent and validation gains",
    )
    shorten: float | None = Field(None, ge=0, description="take the fewest timesteps that cost so many points at most")
    device: Literal["auto", "cpu", "cuda"] = Field("cpu", description="where to train: cpu, cuda or auto")
    seed: int = Field(0, ge=0, le=MOST_SEED, description="of weights, order and encoding")
    loss: ValueLoss | None = Field(None, description="of a regression, mse or huber; left out, mse")
    class_weights: str | None = Field(
        None, description="of the labels' loss: balanced, none, or name=2.0,other=0.5; left out, none"
    )

    @field_validator("augmentation", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if value is None else text_of_transforms(value)


@dataclass(frozen=True)
class DistillSettings:
    """The settings of one distillation, in groups.

    Files, presets and command-line flags have the same values in a flat form, in the order of :data:`FLAT`. A flat
    value has the name of its field; for the field ``name`` of a group, it is the name of the group.
    """

    data: DataSettings = field(default_factory=DataSettings)
    limits: Budget = field(default_factory=Budget)
    teacher: TeacherSpec = field(default_factory=TeacherSpec)
    method: MethodSpec = field(default_factory=MethodSpec)
    student: StudentSpec = field(default_factory=StudentSpec)
    training: Training = field(default_factory=Training)

    @classmethod
    def of(cls, **values: object) -> DistillSettings:
        """Settings from flat values, defaults for the others.

        Raises:
            InputError: unknown names or values that are not allowed, all of them at once.
        """
        return cls().changed(values)

    def changed(self, values: Mapping[str, object]) -> DistillSettings:
        """The same settings with some flat values changed.

        Raises:
            InputError: unknown names or values that are not allowed, all of them at once.
        """
        unknown = [(name, value) for name, value in values.items() if name not in FLAT]
        faults = [Fault(name, value, "extra inputs are not permitted") for name, value in unknown]
        groups: dict[str, Any] = {}
        for group in dict.fromkeys(FLAT[name].group for name in values if name in FLAT):
            before: Options = getattr(self, group)
            given = {at.field: values[name] for name, at in FLAT.items() if name in values and at.group == group}
            try:
                groups[group] = type(before)(**{**before.model_dump(exclude_unset=True), **given})
            except WrongOptions as error:
                faults += [replace(f, name=_flat_name(group, f.name)) for f in error.faults]
        if faults:
            raise WrongOptions("settings", faults)
        return replace(self, **groups)

    def flat(self, without: Collection[str] = ()) -> dict[str, Any]:
        """The JSON-able flat values, as in student files and sweep folders.

        Values that came later are left out while they are the default, so that older files hold the same settings.

        Args:
            without: names to leave out.
        """
        dumped = {group.name: getattr(self, group.name).model_dump(mode="json") for group in fields(DistillSettings)}
        values = {name: dumped[at.group][at.field] for name, at in FLAT.items() if name not in without}
        return {name: value for name, value in values.items() if name not in LATER or value != FLAT[name].info.default}

    def within(self, budget: str | None) -> DistillSettings:
        """The same settings with another energy budget; without any limit, there is no reserve and nothing holds it."""
        moved = self.changed({"energy_budget": budget})
        return moved if moved.limits.is_limited else moved.changed({"reserve": 0.0, "hold": "price"})


@dataclass(frozen=True)
class FlatField:
    """The place of a flat value in the settings.

    Attributes:
        group: attribute of :class:`DistillSettings`.
        field: of the group.
        info: its type, default and description.
    """

    group: str
    field: str
    info: FieldInfo


OF_TEACHER = ("weights", "layout", "normalize", "channels", "size", "values")
"""Fields of the teacher's group whose flat name says so: ``teacher_weights``."""


def _flat_name(group: str, name: str) -> str:
    """The name of a group's field among flat values."""
    if group == "teacher" and name in OF_TEACHER:
        return f"teacher_{name}"
    return group if name == "name" else name


def _flat_fields() -> dict[str, FlatField]:
    """Every flat value, in the order of files since the first version, in which limits stand in two places."""
    found: dict[str, FlatField] = {}
    for group, options in vars(DistillSettings()).items():
        for name, info in type(options).model_fields.items():
            found[_flat_name(group, name)] = FlatField(group, name, info)
    apart = ("reserve", "also_within", "max_synaptic_ops", "max_rate")
    last = (
        *DataOptions.model_fields,
        *("scales", "scale_margin", "scale_quantile", "population", "loss", "class_weights", "teacher_outputs"),
        *OF_FEW_LABELS,
    )
    first = [name for name in found if name not in (*apart, *last)]
    after = first.index("rounds") + 1
    return {name: found[name] for name in (*first[:after], *apart, *first[after:], *last)}


FLAT = _flat_fields()
"""By name of a flat value, its place in the settings."""
LATER = (*(f"teacher_{name}" for name in OF_TEACHER), *OF_FEW_LABELS, "reset", "norm", "optimizer", "hold", "init")
"""Flat values that files of the first versions do not have."""


def preset_names() -> list[str]:
    """The names of the presets that come with the project."""
    return sorted(path.stem for path in presets_dir().glob("*.toml"))


def settings_from(preset: str | None, flags: Mapping[str, object]) -> DistillSettings:
    """Settings from defaults, a preset and flags; of the flags, those that are not None override the preset.

    Raises:
        InputError: an unknown preset, or faults in any field, all of them at once.
    """
    values: dict[str, object] = _read_preset(preset) if preset is not None else {}
    refuse(f"preset {preset}", list(_paths_in(values)))
    values.update({key: value for key, value in flags.items() if value is not None})
    try:
        return DistillSettings.of(**values)
    except WrongOptions as error:
        raise error if preset is None else WrongOptions(f"preset {preset}", error.faults) from error


def _paths_in(values: Mapping[str, object]) -> Iterator[str]:
    """Faults of a preset that names files; a preset may come from anywhere, and its files are neither run nor read."""
    for name, value in values.items():
        for text in value if isinstance(value, list) else [value]:
            if name in FILES or (name in NAMING_FILES and isinstance(text, str) and _FILE.search(text)):
                yield f"{name} is {text!r}; a preset names only what comes with spikewright, give {arg(name)} yourself"


def _read_preset(name: str) -> dict[str, object]:
    path = Path(name) if name.endswith(".toml") else presets_dir() / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise InputError(f"{arg('preset', name)}: there is no such file; may be: {', '.join(preset_names())}")
        raise InputError(f"preset {name!r} is unknown; {did_you_mean(name, preset_names())}, or a path to a .toml file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, not UTF-8, a number without end
        raise InputError(f"preset {path}: is not TOML ({error})") from error
