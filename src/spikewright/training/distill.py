"""`spikewright distill`: an accurate ANN teaches a spiking student, inside an energy budget."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ..base import command as cli
from ..base.artefacts import writable
from ..base.errors import InputError, refuse
from ..base.threads import student_threads
from ..base.version import __version__
from ..data.dataset import Dataset
from ..data.load import load, recipe_of
from ..distillation.base import LossTerms
from ..distillation.methods import METHODS, REGULARIZERS, parse_spec
from ..energy.estimate import Budget, parse_budget
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import quantity
from ..student.student import Student, save_student
from ..student.train_settings import Chip, TrainSettings, device_of
from ..teachers.pupil import Pupil
from .certificate import certify
from .checkpoint import resume as take_up
from .checkpoint import save
from .limits import limits_of
from .records import EpochRecord
from .refusals import contradictions, unmet
from .settings import DistillSettings
from .sizing import choose_size
from .teaching import check_teaching, facts_of, teachers, unsuited
from .trainer import Training


@dataclass(frozen=True)
class Distillation:
    """A trained student and the record of its training.

    Attributes:
        provenance: JSON-able facts: settings, teacher, split, profile, budget, what was measured.
    """

    student: Student
    history: tuple[EpochRecord, ...]
    provenance: dict[str, object]


def distill(
    data: str = "digits",
    profile: str = "loihi2-assumed",
    energy_budget: str | None = None,
    teacher: str | None = None,
    method: str = "kd",
    epochs: int | None = None,
    seed: int = 0,
) -> Student:
    """Train a student and return it; :func:`distill_with` takes every setting.

    Args:
        data: a data set's name.
        profile: a hardware profile's name or path.
        energy_budget: a number with a unit, such as ``"2uJ"``, per inference.
        teacher: a named ANN architecture, an ONNX file, ``snn`` or a student's file; None for what suits the method.
        method: ``name`` or ``name:option=value,...``.

    Raises:
        InputError: an unknown name, an impossible value, or a budget below the network's floor.
    """
    settings = DistillSettings(
        data=data,
        profile=profile,
        energy_budget=energy_budget,
        teacher=teacher,
        method=method,
        epochs=epochs,
        seed=seed,
    )
    return distill_with(settings).student


def distill_with(
    settings: DistillSettings, checkpoint: Path | None = None, resume: bool = False, quiet: bool = True
) -> Distillation:
    """Train the student that ``settings`` describe.

    Args:
        checkpoint: where to save after each epoch, None for nowhere.
        resume: take up ``checkpoint`` where it stopped.
        quiet: say nothing on stderr.

    Raises:
        InputError: an unknown name, an impossible value, or a budget below the network's floor.
    """

    say = _silent if quiet else cli.say
    profile = load_profile(settings.profile)
    budget = parse_budget(settings.energy_budget, profile) if settings.energy_budget else None
    whole = load(settings.data, settings.data_dir, settings.timesteps)
    dataset = whole.with_train_samples(settings.train_samples)
    training = prepared(settings, dataset, profile, budget)
    say(_student_sentence(training, profile))
    with student_threads():
        chain = teachers(settings, training.method, whole, pupil_of(settings, training), say, quiet)
        training.meet(chain[-1].teacher if chain else None)
        _run(training, checkpoint, resume, say, quiet)
    facts = _provenance(settings, training, profile.sha256, dataset.train.sha256)
    facts["certificate"] = _certificate(training, dataset, profile, settings.seed, say)
    return Distillation(training.student, tuple(training.history), facts | facts_of(chain))


def prepared(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile, budget: Budget | None) -> Training:
    """Everything that can be refused, before the first step; the teacher is still missing."""

    method, regularizers = loss_terms(settings)
    faults = [*contradictions(settings), *unmet(settings, method, dataset), *unsuited(settings, method)]
    refuse("distill", faults)
    size = choose_size(settings, dataset, profile, budget)
    train = train_settings(settings)
    steps = max(1, len(dataset.train) // train.batch) * train.epochs
    training = Training(
        student=size.student,
        dataset=dataset,
        method=method,
        regularizers=regularizers,
        cost=size.cost,
        held=limits_of(settings, size, dataset, profile, budget, steps),
        settings=train,
        chip=Chip(profile, settings.profile, settings.weight_bits) if settings.integer_from < 1 else None,
        device=device_of(settings.device),
        floor=size.floor,
    )
    check_teaching(settings, method, dataset, training.student, pupil_of(settings, training))
    return training


def pupil_of(settings: DistillSettings, training: Training) -> Pupil:
    """The student, as far as a spiking teacher takes after it."""

    return Pupil(training.config, training.settings, recipe_of(settings.data).epochs, training.device)


def _student_sentence(training: Training, profile: HardwareProfile) -> str:
    config, floor = training.student.config, training.floor
    words = f"student: {config.architecture}, width {config.width}, T = {config.timesteps}, {config.encoding} input"
    if floor is None:
        return words
    return f"{words}, floor {quantity(floor.total, profile.cost_unit)} per inference on {profile.name}"


def _run(training: Training, checkpoint: Path | None, resume: bool, say: Callable[[str], None], quiet: bool) -> None:

    if resume:
        if checkpoint is None or not checkpoint.is_file():
            raise InputError(f"--resume: there is no checkpoint {checkpoint}; leave out --resume to start anew")
        take_up(training, checkpoint)
        say(f"resumed after epoch {len(training.history)}")
    keep = _nothing if checkpoint is None else partial(save, training, checkpoint)
    remaining = training.total_steps - training.step
    with cli.progress("training the student", remaining) if not quiet else nullcontext(_stand_still) as advance:
        training.run(advance, say, keep)
    dead = {name: count for name, count in training.history[-1].dead.items() if count}
    if dead:
        say(f"neurons that never spike on validation: {', '.join(f'{name} {count}' for name, count in dead.items())}")
    if training.held and training.best is None:
        say(f"warning: no epoch kept every limit ({training.unmet()}); train longer (--epochs, --rounds)")


def distill_to(settings: DistillSettings, out: Path, resume: bool = False) -> Distillation:
    """Distil and write the student to ``out``, keeping a checkpoint beside it until that is done."""

    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist; create it first")
    writable(out)
    checkpoint = out.with_name(out.name + ".checkpoint")
    result = distill_with(settings, checkpoint, resume, quiet=False)
    save_student(result.student, out, result.provenance)
    checkpoint.unlink(missing_ok=True)
    return result


def loss_terms(settings: DistillSettings) -> tuple[LossTerms, tuple[LossTerms, ...]]:

    regularizers = tuple(parse_spec("regularizer", text, REGULARIZERS) for text in settings.regularize)
    return parse_spec("method", settings.method, METHODS), regularizers


def train_settings(settings: DistillSettings) -> TrainSettings:
    """How a student of these settings is trained, what was left out filled in by data set."""

    recipe = recipe_of(settings.data)
    return TrainSettings(
        epochs=settings.epochs or recipe.epochs,
        batch=settings.batch or recipe.batch,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        augmentation=settings.chosen_augmentation,
        reach=recipe.reach,
        integer_from=settings.integer_from,
        max_rounds=settings.rounds,
        shorten=settings.shorten,
    )


def _certificate(
    training: Training, dataset: Dataset, profile: HardwareProfile, seed: int, say: Callable[[str], None]
) -> dict[str, object]:

    constraints = [held.constraint for held in training.held]
    found = certify(training.student, dataset.validation, profile, constraints, seed)
    share = f", {found.energy / found.budget:.1%} of the budget" if found.budget else ""
    say(
        f"certified: {quantity(found.energy, profile.cost_unit)} per inference on {profile.name}{share}, "
        f"{found.accuracy:.2%} on {found.samples} validation samples, measured on the chip network"
    )
    return found.as_json()


def _provenance(
    settings: DistillSettings, training: Training, profile_sha256: str, split_sha256: str
) -> dict[str, object]:

    last = training.history[-1]
    return {
        "made_by": f"spikewright {__version__} distill",
        "settings": settings.model_dump(mode="json", exclude={"data_dir"}),
        "student": asdict(training.student.config),
        "training": asdict(training.settings),
        "method": repr(training.method),
        "regularizers": [repr(r) for r in training.regularizers],
        "profile_sha256": profile_sha256,
        "train_split_sha256": split_sha256,
        "limits": {held.constraint.name: held.controller.describe() for held in training.held},
        "validation_accuracy": training.best.accuracy if training.best is not None else last.validation_accuracy,
        "history": [asdict(record) for record in training.history],
    }


def _silent(text: str) -> None:
    """Say nothing."""


def _nothing() -> None:
    """Keep no checkpoint."""


def _stand_still(steps: int = 1, /) -> None:
    """Move no bar."""
