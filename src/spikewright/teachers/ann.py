"""Named ANN teachers: their architectures, and their training, whose results are cached.

Each architecture is a sequence whose parts have names (``stage1``, ``hidden``, ``logits`` ...), so that a distillation
method can request the output of a part by name.
"""

from __future__ import annotations

import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..augmentation.augment import augmented, still
from ..base.artefacts import sha256_of_json
from ..base.cache import cache_folder
from ..base.errors import InputError, arg, did_you_mean
from ..base.progress import SILENT, Listeners
from ..base.torch_file import save_torch, unpacked
from ..data.dataset import Dataset
from ..data.output_rule import OutputRule, ValueLoss
from ..data.recipe import TeacherRecipe
from ..data.split import Split
from ..student.label_loss import CROSS_ENTROPY, LabelLoss, label_loss_of, standardised
from .frozen import use_channels_last
from .torch_teacher import TorchTeacher, tensor_of

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Architecture:
    """A named architecture.

    Attributes:
        build: ``(input shape, classes) -> network``.
        halvings: how often height and width are halved, except the height of images with a single row.
        over_time: whether it takes recordings, ``(channels, steps, 1)``, whose steps alone are halved.
    """

    build: Callable[[Shape, int], nn.Sequential]
    halvings: int
    over_time: bool = False


def _convolution(inputs: int, outputs: int, halved: Shape | None = None) -> list[nn.Module]:
    """Convolution, max pooling, normalisation, rectification; pooling first leaves the others a quarter of the memory.

    Args:
        halved: the input shape of the network, if height and width are to be halved.
    """
    pooling: list[nn.Module] = [] if halved is None else [nn.MaxPool2d((2 if halved[1] > 1 else 1, 2))]
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *pooling, nn.BatchNorm2d(outputs), nn.ReLU()]


def _dense(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU())


def _head(size: int, classes: int) -> dict[str, nn.Module]:
    return {
        "flatten": nn.Flatten(),
        "hidden": _dense(size, 128),
        "dropout": nn.Dropout(0.3),
        "logits": nn.Linear(128, classes),
    }


def _flat(shape: Shape, channels: int, halvings: int) -> int:
    height = shape[1] >> halvings if shape[1] > 1 else 1
    return channels * height * (shape[2] >> halvings)


def mlp(shape: Shape, classes: int) -> nn.Sequential:
    """Two hidden layers of 256 neurons."""
    parts: dict[str, nn.Module] = {
        "flatten": nn.Flatten(),
        "hidden1": _dense(_flat(shape, shape[0], 0), 256),
        "hidden2": _dense(256, 256),
        "dropout": nn.Dropout(0.2),
        "logits": nn.Linear(256, classes),
    }
    return nn.Sequential(OrderedDict(parts))


def convnet(shape: Shape, classes: int) -> nn.Sequential:
    """Three 3 x 3 convolutions of 32, 64 and 128 channels, the first two halved, and 128 hidden neurons."""
    stages: dict[str, nn.Module] = {
        "stage1": nn.Sequential(*_convolution(shape[0], 32, shape)),
        "stage2": nn.Sequential(*_convolution(32, 64, shape)),
        "stage3": nn.Sequential(*_convolution(64, 128)),
    }
    return nn.Sequential(OrderedDict(stages | _head(_flat(shape, 128, 2), classes)))


def vgg(shape: Shape, classes: int) -> nn.Sequential:
    """Six 3 x 3 convolutions in three halved stages of 32, 64 and 128 channels, and 128 hidden neurons."""
    stages: dict[str, nn.Module] = {}
    inputs = shape[0]
    for number, outputs in enumerate((32, 64, 128), start=1):
        layers = [*_convolution(inputs, outputs), *_convolution(outputs, outputs, shape)]
        stages[f"stage{number}"] = nn.Sequential(*layers)
        inputs = outputs
    return nn.Sequential(OrderedDict(stages | _head(_flat(shape, 128, 3), classes)))


def temporal(shape: Shape, classes: int) -> nn.Sequential:
    """Three convolutions of 5 steps over time, of 32, 64 and 128 channels, the first two halved, and 128 neurons."""

    def stage(inputs: int, outputs: int, halved: bool) -> nn.Sequential:
        pooling: list[nn.Module] = [nn.MaxPool2d((2, 1))] if halved else []
        layer = nn.Conv2d(inputs, outputs, (5, 1), padding=(2, 0), bias=False)
        return nn.Sequential(layer, *pooling, nn.BatchNorm2d(outputs), nn.ReLU())

    stages: dict[str, nn.Module] = {
        "stage1": stage(shape[0], 32, halved=True),
        "stage2": stage(32, 64, halved=True),
        "stage3": stage(64, 128, halved=False),
    }
    return nn.Sequential(OrderedDict(stages | _head(128 * (shape[1] // 4) * shape[2], classes)))


ARCHITECTURES = {
    "mlp": Architecture(mlp, 0),
    "convnet": Architecture(convnet, 2),
    "vgg": Architecture(vgg, 3),
    "temporal": Architecture(temporal, 2, over_time=True),
}


def build(name: str, shape: Shape, classes: int) -> nn.Sequential:
    """A new network with random weights.

    Args:
        name: one of :data:`ARCHITECTURES`.
        shape: ``(channels, height, width)`` of one image.
        classes: number of logits.

    Raises:
        InputError: no such architecture, or an image too small for it.
    """
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        raise InputError(f"teacher {name!r}: there is no such architecture; {did_you_mean(name, ARCHITECTURES)}")
    least = 2**architecture.halvings
    if architecture.over_time and shape[1] < least:
        raise InputError(
            f"teacher {name!r}: needs recordings of at least {least} steps, found {shape[1]}; choose 'mlp'"
        )
    if not architecture.over_time and (shape[2] < least or 1 < shape[1] < least):
        raise InputError(
            f"teacher {name!r}: halves its input {architecture.halvings} times and needs at least {least} x {least} "
            f"pixels, found {shape[1]} x {shape[2]}; choose the teacher 'mlp'"
        )
    return architecture.build(shape, classes)


CODE_VERSION = 1  # raise it when the training changes, so that cached teachers of older versions are trained again
FORMAT_VERSION = 1
LONGEST_GRADIENT = 1.0
"""Of a regression: the squared error has no bound on its curvature, and rates that suit a cross-entropy diverge."""
# What torch.load and load_state_dict raise on bytes that are not a cached teacher.
UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError),
    *(AssertionError, OverflowError),
)


def train_teacher(
    dataset: Dataset,
    architecture: str,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    listeners: Listeners = SILENT,
    loss: ValueLoss | None = None,
    class_weights: str | None = None,
) -> TorchTeacher:
    """The teacher of this architecture for this data set, from the cache or newly trained.

    Args:
        dataset: whose training part the teacher learns; on its validation part the accuracy is measured.
        architecture: a name in :data:`ARCHITECTURES`.
        epochs: None for the data set's default.
        seed: of initial weights, order and augmentation.
        cache_dir: None for the user's cache folder.
        listeners: receive the progress of the training.
        loss, class_weights: of outputs against labels; see :func:`~spikewright.student.label_loss.label_loss_of`.

    Raises:
        InputError: an unknown architecture, epochs below 1, or a cache that cannot be written.
    """
    if epochs is not None and epochs < 1:
        raise InputError(f"{arg('epochs', epochs)}: must be at least 1")
    network = build(architecture, dataset.shape, dataset.classes)
    default = dataset.recipe.teacher
    recipe = default if epochs is None else replace(default, epochs=epochs)
    label_loss = label_loss_of(dataset, loss, class_weights)
    key = teacher_key(dataset, architecture, recipe, seed, label_loss)
    file = cache_folder("teachers", cache_dir) / f"{dataset.name}-{architecture}-{key[:16]}.pt"
    name = f"{architecture} on {dataset.name}"
    accuracy = _restore(file, key, network)
    if accuracy is not None:
        return _of_data(TorchTeacher(network, dataset.shape, name, accuracy), dataset)
    network = fit(dataset, architecture, recipe, seed, listeners, label_loss)
    teacher = _of_data(TorchTeacher(network, dataset.shape, name), dataset)
    teacher.validation_accuracy = teacher.quality(dataset.validation, dataset.output).main
    facts = {"format_version": FORMAT_VERSION, "key": key}
    weights = {"state": teacher.state_dict(), "validation_accuracy": teacher.validation_accuracy}
    save_torch(facts | weights, file)
    return teacher


def _of_data(teacher: TorchTeacher, dataset: Dataset) -> TorchTeacher:
    """A teacher that was trained on a data set, with what its samples and outputs are."""
    teacher.in_deviations, teacher.meaning, teacher.prepared_by = True, dataset.output, dataset.input_rule
    return teacher


def teacher_key(
    dataset: Dataset, architecture: str, recipe: TeacherRecipe, seed: int, label_loss: LabelLoss = CROSS_ENTROPY
) -> str:
    """The hash of everything that decides the weights of the trained teacher."""
    further = {} if label_loss == CROSS_ENTROPY else {"label_loss": asdict(label_loss)}
    return sha256_of_json(
        {
            **further,
            "data": dataset.name,
            "train_sha256": dataset.train.sha256,
            "classes": dataset.classes,
            "architecture": architecture,
            "recipe": asdict(recipe),
            "seed": seed,
            "code_version": CODE_VERSION,
        }
    )


def fit(
    dataset: Dataset,
    architecture: str,
    recipe: TeacherRecipe,
    seed: int,
    listeners: Listeners = SILENT,
    label_loss: LabelLoss = CROSS_ENTROPY,
) -> nn.Sequential:
    """Train a new network; the caller's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(architecture, dataset.shape, dataset.classes)
        use_channels_last(network)
        steps = recipe.epochs * _steps(dataset.train, recipe)
        optimizer = torch.optim.SGD(
            network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
        generator = torch.Generator().manual_seed(seed)
        with listeners.task(f"teacher {architecture}", steps) as advance:
            for _ in range(recipe.epochs):
                for images, labels in _batches(dataset.train, recipe, generator):
                    optimizer.zero_grad(set_to_none=True)
                    right = labels if dataset.output.is_classes else standardised(labels, dataset.output)
                    _backward(architecture, network, label_loss(network(images), right), dataset.output)
                    optimizer.step()
                    schedule.step()
                    advance(1)
    network.eval()
    return network


def _backward(architecture: str, network: nn.Module, loss: Tensor, output: OutputRule) -> None:
    """The gradient of a loss.

    Raises:
        InputError: the loss is not finite.
    """
    if not bool(torch.isfinite(loss)):
        raise InputError(
            f"teacher {architecture!r}: its loss is no longer finite; give the data set a recipe with a lower learning "
            "rate, or another teacher"
        )
    torch.autograd.backward(loss)
    if not output.is_classes:
        nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)


def _steps(split: Split, recipe: TeacherRecipe) -> int:
    """Whole batches in an epoch (at least one): batch normalisation cannot learn from a batch of one."""
    return max(1, len(split) // recipe.batch_size)


def _batches(split: Split, recipe: TeacherRecipe, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    labels = torch.from_numpy(split.labels)
    order = torch.randperm(len(split), generator=generator)
    for step in range(_steps(split, recipe)):
        chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        batch = augmented(still(tensor_of(split.samples, chosen)), recipe.augmentation, generator, recipe.reach)
        yield batch.contiguous(memory_format=torch.channels_last), labels[chosen]


def _restore(file: Path, key: str, network: nn.Module) -> float | None:
    """Load cached weights into ``network`` and return their validation accuracy; None if there are no usable ones."""
    if not file.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about bytes in another format; the warning below covers them
            cached = unpacked(file)
        if cached["format_version"] != FORMAT_VERSION or cached["key"] != key:
            raise ValueError("was made from something else")
        network.load_state_dict(cached["state"])
        return float(cached["validation_accuracy"])
    except UNREADABLE as error:
        warnings.warn(
            f"{file}: the cached teacher cannot be used ({type(error).__name__}); it is trained again",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
