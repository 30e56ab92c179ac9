"""A data set: three parts of samples and labels, and the rules by which they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError, Message, arg
from ..base.shown import Shown
from ..sources.objects import found_in_data_sets
from ..sources.read import read
from .describe import describe
from .for_network import ForNetwork, renamed
from .input_rule import InputRule
from .options import DataOptions
from .output_rule import CLASSES, OutputRule
from .own import Prepared, cut_notes, prepare, raw_from_arrays, raw_of
from .raw import RawData
from .recipe import Recipe
from .split import DIGITS_SHARE, Images, Labels, Pixels, Samples, Split, official_split, permutation
from .summary import lines

SHOWN = 500
"""Samples of each part from which the ranges and rates of the short form of a data set are taken."""


@dataclass(frozen=True, eq=False)
class Dataset(Shown):
    """A data set with its fixed split.

    Attributes:
        name: a name of :data:`spikewright.data.load.DATASETS`, or any other of data of your own.
        train: what weights are fitted on.
        validation: what choices are made on.
        test: what the final report is made on, and nothing else.
        classes: number of classes K, labels are 0..K-1; or of values of a regression.
        shape: ``(channels, height, width)`` of one image or frame.
        timesteps: frames of each sample that changes from step to step, None for samples that do not.
        twin: the static samples that frames were made from, sample for sample, on which a teacher is trained; None
            where there are none.
        recipe: how students and teachers are trained on it where nothing else is asked for.
        output: what labels and outputs mean.
        input_rule: by which samples were prepared; None for a data set that has a name.
        raw: the data before they were prepared; None for a data set that has a name.
        options: how the data were asked to be read; None for a data set that has a name.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, int, int]
    timesteps: int | None = None
    twin: Dataset | None = None
    recipe: Recipe = field(default_factory=Recipe)
    output: OutputRule = CLASSES
    input_rule: InputRule | None = None
    raw: RawData | None = None
    options: DataOptions | None = None

    def __repr__(self) -> str:
        return "\n".join(lines(describe(self, samples=SHOWN)))

    @property
    def notes(self) -> tuple[Message, ...]:
        """Sentences about what was assumed when the data were read, and about recordings that are cut.

        There are none about a data set that has a name.
        """
        if self.raw is None:
            return ()
        cut = () if self.input_rule is None else cut_notes(self.raw, self.input_rule)
        return tuple(Message(f"data {self.name}: {note}") for note in (*self.raw.notes, *cut))

    @property
    def is_events(self) -> bool:
        """Whether samples are frames of events, 0 and 1."""
        return self.train.samples.dtype == np.uint8

    @staticmethod
    def from_arrays(
        x: object,
        y: object,
        *,
        name: str = "arrays",
        validation: tuple[object, object] | None = None,
        test: tuple[object, object] | None = None,
        groups: Sequence[object] | None = None,
        names: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        **options: Any,
    ) -> Dataset:
        """A data set of arrays or tensors.

        Args:
            x: samples: vectors ``(n, F)``, images ``(n, H, W)``, ``(n, C, H, W)`` or ``(n, H, W, C)``, series
                ``(n, T, C)`` or a list of recordings ``(T, C)`` of unequal lengths, or frames of events
                ``(n, T, C, H, W)``.
            y: classes as whole numbers or names, ``(n,)``; or values, ``(n,)`` or ``(n, D)``, with
                ``task="regression"``.
            name: for people, and in files.
            validation, test: ``(x, y)`` of official parts; what is left out is split off ``x``, stratified by class.
            groups: of each sample, such as its person or recording, which no split cuts.
            names: of the classes 0, 1, ... or of the values.
            recipe: how students are trained; None for one that suits the number of samples.
            options: of :class:`~spikewright.data.options.DataOptions`: layout, task, scaling and others.

        Raises:
            InputError: data that cannot be learned from; all faults at once.
        """
        asked = DataOptions(**options)
        given = {"train": (x, y), "validation": validation, "test": test}
        parts = {part: pair for part, pair in given.items() if pair is not None}
        raw = raw_from_arrays(name, parts, asked, groups=groups, names=names)
        return Dataset.of_raw(replace(raw, recipe=recipe), asked)

    @staticmethod
    def from_torch(
        dataset: object,
        *,
        name: str = "torch",
        validation: object = None,
        test: object = None,
        groups: Sequence[object] | None = None,
        names: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        **options: Any,
    ) -> Dataset:
        """A data set of a ``torch.utils.data.Dataset``.

        Each item is read once and kept, in memory or, where they are many, in a file of the cache folder.

        Args:
            dataset: map-style: it has a length, and its items are pairs of sample and label; samples are tensors,
                arrays or images of Pillow, and recordings ``(T, C)`` may be of unequal lengths.
            validation, test: official parts, likewise; what is left out is split off ``dataset``.
            groups, name, recipe: see :meth:`from_arrays`.
            names: of the classes; None for ``dataset.classes``, where it has them.
            options: of :class:`~spikewright.data.options.DataOptions`: layout, task, scaling and others.

        Raises:
            InputError: a data set that can only be iterated, or gives other samples each time; data that cannot be
                learned from.
        """
        parts = {"train": dataset, "validation": validation, "test": test}
        return _of_objects(parts, name, groups, names, recipe, DataOptions(**options))

    @staticmethod
    def from_huggingface(
        dataset: object,
        *,
        name: str = "hub",
        validation: object = None,
        test: object = None,
        recipe: Recipe | None = None,
        **options: Any,
    ) -> Dataset:
        """A data set of a ``datasets.Dataset`` of Hugging Face, or of the parts of a ``DatasetDict``.

        Sounds become spectra as in :mod:`spikewright.sources.sounds`.

        Args:
            dataset: rows with a label and an image, a sound, an array or numbers.
            validation, test: official parts; what is left out is split off ``dataset``.
            name, recipe: see :meth:`from_arrays`.
            options: of :class:`~spikewright.data.options.DataOptions`, among them ``label``, ``columns`` and ``group``.

        Raises:
            InputError: columns that are not there or not clear; data that cannot be learned from.
        """
        parts = {"train": dataset, "validation": validation, "test": test}
        if isinstance(dataset, Mapping):
            parts = {str(part): each for part, each in dataset.items()}
        return _of_objects(parts, name, None, None, recipe, DataOptions(**options))

    @staticmethod
    def from_file(path: str | Path, *, recipe: Recipe | None = None, **options: Any) -> Dataset:
        """A data set of a file, or of a folder with files in class folders.

        Args:
            path: of a kind that ``--data`` takes.
            recipe: how students are trained; None for one that suits the number of samples.
            options: of :class:`~spikewright.data.options.DataOptions`: layout, task, scaling, label and others.

        Raises:
            InputError: a file of another kind, or data that cannot be learned from; all faults at once.
        """
        asked = DataOptions(**options)
        return Dataset.of_raw(replace(raw_of(read(path, asked), asked), recipe=recipe), asked)

    @staticmethod
    def from_folder(path: str | Path, *, recipe: Recipe | None = None, **options: Any) -> Dataset:
        """A data set of the files in class folders; see :meth:`from_file`.

        Raises:
            InputError: no folder, or data that cannot be learned from.
        """
        if not Path(path).is_dir():
            raise InputError(f"{path}: is no folder; give one with a folder for each class")
        return Dataset.from_file(path, recipe=recipe, **options)

    @staticmethod
    def of_raw(
        raw: RawData,
        options: DataOptions | None = None,
        *,
        encoding: str | None = None,
        architecture: str | None = None,
        timesteps: int | None = None,
        rule: InputRule | None = None,
    ) -> Dataset:
        """A data set of data as they were found; see :func:`spikewright.data.own.prepare` for the arguments."""
        prepared = prepare(raw, options, encoding=encoding, architecture=architecture, timesteps=timesteps, rule=rule)
        made, rows = prepared.rule, prepared.rule.input_shape[1]
        recipe = raw.recipe or Recipe.for_samples(len(prepared.parts[0]), raw.layout, made.view, rows)
        return _of_prepared(prepared, raw, options or DataOptions(), recipe)

    def for_student(self, encoding: str | None, architecture: str | None, timesteps: int | None) -> Dataset:
        """The same data as a student with this input takes them; a data set that has a name stays as it is.

        Raises:
            InputError: an input that does not suit the data.
        """
        if self.raw is None or (self.raw.layout == "events" and timesteps in (None, self.timesteps)):
            return self
        return Dataset.of_raw(
            self.raw,
            self.options,
            encoding=encoding,
            architecture=architecture,
            timesteps=timesteps,
        )

    def by(self, network: ForNetwork) -> Dataset:
        """The same data prepared by the rule of a network, with its classes.

        Raises:
            InputError: the data cannot be prepared so, or have classes that the network does not know.
        """
        rule = network.rule
        if self.raw is None:
            if rule is None:
                return self
            raise InputError(
                f"data {self.name}: has a form of its own, and the network takes {rule.layout} prepared by the rule of "
                "other data; give data like those it was trained on"
            )
        raw = renamed(self.raw, network)
        if rule == self.input_rule or rule is None:
            return self if raw is self.raw else Dataset.of_raw(raw, self.options, rule=self.input_rule)
        return Dataset.of_raw(raw, self.options, rule=rule)

    def with_train_samples(self, samples: int | None) -> Dataset:
        """The same data set with only the first ``samples`` of its training part, whose order is fixed; None: all.

        Raises:
            InputError: the training part has fewer.
        """
        if samples is None:
            return self
        if samples > len(self.train):
            raise InputError(
                f"{arg('train_samples', samples)}: {self.name} has {len(self.train)} to train on; ask for no more, or "
                "leave it out"
            )
        twin = None if self.twin is None else self.twin.with_train_samples(samples)
        return replace(self, train=self.train.first(samples), twin=twin)

    def with_last_train_samples(self, samples: int | None) -> Dataset:
        """The same data set with only the last ``samples`` of its training part; None: all.

        Raises:
            InputError: the training part has fewer.
        """
        if samples is None:
            return self
        count = len(self.train)
        if samples > count:
            raise InputError(
                f"{arg('teacher_samples', samples)}: {self.name} has {count} to train on; ask for no more, or leave it "
                "out"
            )
        twin = None if self.twin is None else self.twin.with_last_train_samples(samples)
        return replace(self, train=self.train.of(np.arange(count - samples, count)), twin=twin)


def _of_objects(
    parts: Mapping[str, object],
    name: str,
    groups: Sequence[object] | None,
    names: Sequence[str] | None,
    recipe: Recipe | None,
    options: DataOptions,
) -> Dataset:
    given = {part: each for part, each in parts.items() if each is not None}
    found = found_in_data_sets(given, name, f"data {name}", options)
    found = replace(found, groups=groups or found.groups, names=names or found.names)
    return Dataset.of_raw(replace(raw_of(found, options), recipe=recipe), options)


def _of_prepared(prepared: Prepared, raw: RawData, options: DataOptions, recipe: Recipe) -> Dataset:
    rule = prepared.rule
    twin = None if prepared.twin is None else _of_prepared(prepared.twin, raw, options, recipe)
    parts = prepared.parts
    return Dataset(
        raw.name, *parts, raw.classes, rule.input_shape, rule.frames, twin, recipe, raw.output, rule, raw, options
    )


def official(name: str, train: Samples, test: Samples, classes: int) -> Dataset:
    """Cut the validation part out of the official training part; the official test part stays as it is.

    Pixels are 0..255, of shape ``(n, channels, height, width)``, labels of shape ``(n,)``.
    """
    parts = [(train[0][rows], train[1][rows]) for rows in official_split(len(train[1]))]
    return _scaled(name, [*parts, test], 255, classes)


def three_way(name: str, images: Pixels, labels: Labels, full_scale: int, classes: int) -> Dataset:
    """Cut a data set without an official test part into 60 % train, 20 % validation and 20 % test.

    Pixels are 0..``full_scale``, of shape ``(n, channels, height, width)``, labels of shape ``(n,)``.
    """
    order = permutation(len(labels))
    part = round(DIGITS_SHARE * len(order))
    rows = order[2 * part :], order[part : 2 * part], order[:part]
    return _scaled(name, [(images[part], labels[part]) for part in rows], full_scale, classes)


def _scaled(name: str, parts: Sequence[Samples], full_scale: int, classes: int) -> Dataset:
    """The data set of a training, a validation and a test part."""
    train, validation, test = (
        Split(pixels.astype(np.float32) / np.float32(full_scale), labels.astype(np.int64)) for pixels, labels in parts
    )
    _, channels, height, width = train.samples.shape
    return Dataset(name, train, validation, test, classes, (channels, height, width))


def as_events(
    name: str, twin: Dataset, shape: tuple[int, int, int], timesteps: int, frames: Callable[[Images], Pixels]
) -> Dataset:
    """Make a static data set into events, part by part and sample by sample.

    Args:
        twin: the static data set; its split is kept.
        frames: makes images ``(n, channels, height, width)`` into frames of events ``(n, T, *shape)``.
    """
    train, validation, test = (
        Split(frames(np.asarray(part.samples, np.float32)), part.labels)
        for part in (twin.train, twin.validation, twin.test)
    )
    return Dataset(name, train, validation, test, twin.classes, shape, timesteps, twin)


def steps_within(name: str, timesteps: int | None, default: int, most: int, what: str) -> int:
    """The number of frames of a sample: ``timesteps``, or ``default`` where that is None.

    Args:
        what: what a sample has ``most`` of, for the message.

    Raises:
        InputError: fewer than one, or more than ``most``.
    """
    steps = default if timesteps is None else timesteps
    if not 1 <= steps <= most:
        raise InputError(f"{name}: timesteps is {steps}; may be 1 to {most}, {what}")
    return steps
