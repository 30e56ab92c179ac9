"""Refusals that need no training library: what can be said of settings before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import InputError, SpikewrightError, arg, refuse
from ..base.own_code import is_own
from ..data.load import DATASETS, load
from ..profile.profile import HardwareProfile, load_profile
from ..profile.resets import reset_faults
from ..profile.units import parse_budget
from ..teachers.foreign import WEIGHT_FILES
from .settings import DistillSettings

INIT = "init"
"""The name of the teacher that is the network with which the training begins."""
PEAKS = ("scale_margin", "scale_quantile")
"""Settings that measured peaks have, and the worst case has not."""


def check_early(settings: DistillSettings, budgets_apart: bool = False) -> None:
    """Refuse what is wrong with profiles, budgets, paths and flags, and then with data of one's own.

    These data stay in memory.

    Args:
        budgets_apart: energy budgets are given beside the settings, so that these may be of a limit.

    Raises:
        InputError: every fault at once.
    """
    found, contradicting = [*_faults(settings)], [*contradictions(settings, budgets_apart)]
    if len(found) == 1 and not contradicting:
        raise InputError(found[0])
    refuse("settings" if found else "distill", [*found, *contradicting])
    if settings.data.name not in DATASETS:
        student = settings.student
        own = load(settings.data.name, settings.data.data_dir, student.timesteps, settings.data)
        if student.init is None:  # otherwise the network says how they are prepared
            own.for_student(student.encoding, student.architecture, student.timesteps)


def no_init(settings: DistillSettings, verb: str) -> None:
    """Refuse a network to begin with, where students of several kinds are trained, each from new weights.

    Raises:
        InputError: there is one.
    """
    if (init := settings.student.init) is not None:
        raise InputError(
            f"{arg('init', init)}: is for distill and run; those of a {verb} begin with new weights, leave it out (and "
            "run distill with it, once for each budget)"
        )


def _faults(settings: DistillSettings) -> Iterator[str]:
    limits = settings.limits
    try:
        profile = load_profile(limits.profile)
        yield from _reset_faults(settings, profile)
        if limits.energy_budget:
            parse_budget(limits.energy_budget, profile)
    except SpikewrightError as error:
        yield error.message
    for text in limits.also_within:
        name, equals, amount = text.rpartition("=")
        if equals:
            try:
                other = load_profile(name)
                yield from _reset_faults(settings, other)
                parse_budget(amount, other, f"{arg('also_within', name)}:")
            except SpikewrightError as error:
                yield error.message
    yield from _missing(settings)


def _reset_faults(settings: DistillSettings, profile: HardwareProfile) -> Iterator[str]:
    reset = settings.student.reset
    yield from reset_faults({f"{arg('reset', reset)} on {profile.name}": reset}, profile.limits)


def _missing(settings: DistillSettings) -> Iterator[str]:
    """Files that are named and not there."""
    name = settings.data.name
    if name not in DATASETS and (Path(name).suffix or "/" in name) and ".py:" not in name and not Path(name).exists():
        yield f"{name}: there is no such file or folder"
    more = settings.data.unlabelled
    if settings.data.has_unlabelled_path and ".py:" not in str(more) and not Path(str(more)).exists():
        yield f"{arg('unlabelled', more)}: there is no such file or folder; may be a number, rest, or a path"
    teacher = (settings.teacher.name or "").rpartition("taught_by=")[2]
    if (init := settings.student.init) is not None and not init.is_file():
        yield f"{arg('init', init)}: there is no such file; give a student, as `spikewright distill` or `import` writes"
    for argument, text in (("teacher", teacher), ("architecture", settings.student.architecture or "")):
        file = text.rpartition(":")[0] if is_own(text) else text
        if file.endswith((".py", ".onnx", *WEIGHT_FILES)) and not Path(file).is_file():
            yield f"{arg(argument, text)}: there is no file {file}"
    if (weights := settings.teacher.weights) is not None and not weights.is_file():
        yield f"{arg('teacher_weights', weights)}: there is no file {weights}"


def _norm_faults(settings: DistillSettings) -> Iterator[str]:
    norm, architecture = settings.student.norm, settings.student.architecture or ""
    if norm != "batch" and is_own(architecture):
        why = f"is for named architectures, and the norms of {architecture} stand in its function"
        yield f"{arg('norm', norm)}: {why}; leave it out"


def _limitless(settings: DistillSettings) -> Iterator[str]:
    """Settings about limits where there is none."""
    limits = settings.limits
    if limits.is_limited:
        return
    for name, value, what in (
        ("reserve", f"{limits.reserve:g}" if limits.reserve else None, "the share of a limit to leave unused"),
        ("hold", limits.hold if limits.hold != "price" else None, "how a limit is held"),
    ):
        if value is not None:
            given = f"{arg(name, value)}: is {what}, and there is no limit"
            yield f"{given}; give one, such as {arg('energy_budget')}, or leave {arg(name)} out"


def contradictions(settings: DistillSettings, budgets_apart: bool = False) -> Iterator[str]:
    """Faults of settings that have no effect together with others."""
    training = settings.training
    if settings.teacher.name == INIT and settings.student.init is None:
        yield (
            f"{arg('teacher', INIT)}: is the network with which the training begins, and it begins anew; give "
            f"{arg('init', 'student.pt')}, or another teacher"
        )
    yield from _norm_faults(settings)
    if not budgets_apart:
        yield from _limitless(settings)
    if training.labelled_share is not None and settings.data.unlabelled is None:
        yield (
            f"{arg('labelled_share', f'{training.labelled_share:g}')}: is for samples with labels beside others, and "
            f"every sample has one; give {arg('unlabelled')}, or leave {arg('labelled_share')} out"
        )
    if training.scales == "worst-case":
        for name in PEAKS:
            if (value := getattr(training, name)) is not None:
                why = f"is for measured peaks, which {arg('scales', 'worst-case')} leaves out"
                yield f"{arg(name, f'{value:g}')}: {why}"
    if training.integer_from < 1:
        return
    if (bits := training.weight_bits) is not None:
        yield (
            f"{arg('weight_bits', bits)}: is for training on integers, which {arg('integer_from', 1)} leaves out; "
            f"round afterwards, when the graph is lowered with {arg('weight_bits', bits)}"
        )
    if training.shorten is not None:
        yield (
            f"{arg('shorten')}: T is shortened where training on integers begins, which {arg('integer_from', 1)} "
            "leaves out"
        )
