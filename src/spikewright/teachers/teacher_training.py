"""Training a named teacher, once: the result is kept under a hash of all that went into it."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base.artefacts import atomic_write, sha256_of_json
from ..base.cache import cache_folder
from ..base.errors import InputError, arg
from ..base.progress import SILENT, Listeners
from ..data.augment import augmented, still
from ..data.dataset import Dataset, Split
from ..data.recipe import TeacherRecipe
from .ann import build
from .torch_teacher import TorchTeacher, use_channels_last

CODE_VERSION = 1  # raise it when training changes: kept teachers of older versions are then trained anew
FORMAT_VERSION = 1
# What torch.load and load_state_dict raise on bytes that are not a kept teacher.
UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError),
    AssertionError,
)


def train_teacher(
    dataset: Dataset,
    architecture: str,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    listeners: Listeners = SILENT,
) -> TorchTeacher:
    """The teacher of this architecture for this data set, trained unless the cache has it.

    Args:
        dataset: its training part is learnt from, its validation part is only measured on.
        architecture: a name in :data:`spikewright.teachers.ann.ARCHITECTURES`.
        epochs: instead of the data set's default.
        seed: of initial weights, order and augmentation.
        cache_dir: instead of the user's cache folder.
        listeners: hear of the training.

    Raises:
        InputError: an unknown architecture, epochs below 1, or a cache that cannot be written.
    """
    if epochs is not None and epochs < 1:
        raise InputError(f"{arg('epochs', epochs)}: must be at least 1")
    network = build(architecture, dataset.shape, dataset.classes)
    default = dataset.recipe.teacher
    recipe = default if epochs is None else replace(default, epochs=epochs)
    key = teacher_key(dataset, architecture, recipe, seed)
    file = cache_folder("teachers", cache_dir) / f"{dataset.name}-{architecture}-{key[:16]}.pt"
    name = f"{architecture} on {dataset.name}"
    accuracy = _restore(file, key, network)
    if accuracy is not None:
        return TorchTeacher(network, dataset.shape, name, accuracy)
    started = time.perf_counter()
    teacher = TorchTeacher(fit(dataset, architecture, recipe, seed, listeners), dataset.shape, name)
    teacher.validation_accuracy = teacher.accuracy(dataset.validation)
    _keep(file, key, teacher, time.perf_counter() - started)
    return teacher


def teacher_key(dataset: Dataset, architecture: str, recipe: TeacherRecipe, seed: int) -> str:
    """The hash of all that decides what the trained teacher is."""
    return sha256_of_json(
        {
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
    dataset: Dataset, architecture: str, recipe: TeacherRecipe, seed: int, listeners: Listeners = SILENT
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
                    torch.autograd.backward(F.cross_entropy(network(images), labels))
                    optimizer.step()
                    schedule.step()
                    advance(1)
    network.eval()
    return network


def _steps(split: Split, recipe: TeacherRecipe) -> int:
    """Whole batches in an epoch (at least one): batch normalisation cannot learn from a batch of one."""
    return max(1, len(split) // recipe.batch_size)


def _batches(split: Split, recipe: TeacherRecipe, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    order = torch.randperm(len(split), generator=generator)
    for step in range(_steps(split, recipe)):
        chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        batch = augmented(still(images[chosen]), recipe.augmentation, generator, recipe.reach)
        yield batch.contiguous(memory_format=torch.channels_last), labels[chosen]


def _keep(file: Path, key: str, teacher: TorchTeacher, seconds: float) -> None:
    kept = {
        "format_version": FORMAT_VERSION,
        "key": key,
        "state": teacher.state_dict(),
        "validation_accuracy": teacher.validation_accuracy,
        "seconds": seconds,
    }
    with atomic_write(file) as temporary:
        torch.save(kept, temporary)


def _restore(file: Path, key: str, network: nn.Module) -> float | None:
    """Load kept weights into ``network`` and return their validation accuracy, None when there are no good ones."""
    if not file.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of bytes that are none of its own: ours says it all
            kept = torch.load(file, map_location="cpu", weights_only=True)
        if kept["format_version"] != FORMAT_VERSION or kept["key"] != key:
            raise ValueError("was made from something else")
        network.load_state_dict(kept["state"])
        return float(kept["validation_accuracy"])
    except UNREADABLE as error:
        warnings.warn(
            f"{file}: the kept teacher cannot be used ({type(error).__name__}); it is trained anew",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
