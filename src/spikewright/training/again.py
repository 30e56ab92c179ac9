"""Going on with a training that was begun: whether the settings are those it began with, and what is finished."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..base.errors import arg, refuse
from ..base.own_code import is_own
from ..base.progress import Listeners
from ..profile.profile import load_profile
from ..student.student import student_provenance
from .objects import dataset_of, loss_terms, network_of, object_hashes, objects_of, teaching_of
from .result import Attempts, Distillation, read_result
from .samples import learnt_part
from .settings import DistillSettings
from .times import times_of

OF_MACHINE = {"data_dir", "device"}
"""Settings that depend on the machine and not on the student."""
FORMER_DEFAULTS = {"learning_rate": 3e-3}
"""What files of earlier versions note where nothing was asked for, and nothing is noted now."""


def begun_with(settings: DistillSettings) -> dict[str, object]:
    """What a training that goes on must agree in with its beginning, whatever the machine; JSON-able."""
    profile = {"profile_sha256": load_profile(settings.limits.profile).sha256}
    return settings.flat(without=OF_MACHINE) | object_hashes(settings) | profile


def settings_differing(noted: object, asked: DistillSettings) -> list[str]:
    """Each setting in which what a file notes, as JSON, is not what is asked for; none where all are the same.

    Args:
        noted: flat settings; names that came later may be missing, and those of the machine are not looked at.
    """
    if not isinstance(noted, dict):
        return ["it notes no settings"]
    default = DistillSettings().flat(without=OF_MACHINE)
    before = {**default, **{name: value for name, value in noted.items() if name not in OF_MACHINE}}
    after = {**default, **asked.flat(without=OF_MACHINE)}
    for name, value in FORMER_DEFAULTS.items():
        if after[name] is None and before[name] == value:
            before[name] = None
    return _differing(before, after)


def same_settings(noted: object, asked: DistillSettings) -> bool:
    """Whether the settings that a student's file notes, as JSON, are those asked for, on whatever machine."""
    return not settings_differing(noted, asked)


def finished(settings: DistillSettings, out: Path, attempts: Attempts, listeners: Listeners) -> Distillation | None:
    """The student at ``out``, if these settings made it; None if its training is still to do or to go on with.

    Raises:
        InputError: other settings, data, profile or teacher began or made it; says which.
    """
    other = f"give what it was begun with, or leave out {arg('resume')} to start anew"
    noted = attempts.begun()
    if noted is not None:
        refuse(f"{out}: its training was begun with other settings; {other}", _differing(noted, begun_with(settings)))
        return None
    if not out.is_file():
        return None
    facts = student_provenance(out)
    differing = settings_differing(facts.get("settings"), settings)
    if differing and attempts.can_resume:  # an earlier version's checkpoint, which says itself what it is of
        return None
    refuse(f"{out}: was made with other settings; {other}", differing or _others(facts, settings, listeners))
    listeners.say(f"{out}: is trained already")
    attempts.forget()
    times = [each.model_dump() for each in times_of(out) or ()]
    return read_result(out, dict(facts), deepcopy(network_of(settings)), times)


def _others(facts: Mapping[str, Any], settings: DistillSettings, listeners: Listeners) -> list[str]:
    """What else differs between the facts of a finished student and what is asked for, behind equal names."""
    whole = dataset_of(settings, settings.student.timesteps)
    now = {
        "profile_sha256": load_profile(settings.limits.profile).sha256,
        "train_split_sha256": learnt_part(settings, whole).train.sha256,
    }
    if (start := objects_of(settings).start) is not None:
        now["init_sha256"] = start.sha256
    if (ann := objects_of(settings).ann) is not None:
        now["init_sha256"] = ann.sha256
    method, _ = loss_terms(settings)
    if method.needs_teacher() and _is_own_teacher(settings):
        now["teacher_sha256"] = teaching_of(settings, method, whole).trained_teacher(whole, listeners).sha256
    return _differing({name: facts.get(name) for name in now}, now)


def _is_own_teacher(settings: DistillSettings) -> bool:
    """Whether the teacher is an object or comes from files, which may have changed since."""
    name = settings.teacher.name or ""
    is_file = is_own(name) or settings.teacher.weights is not None or Path(name).is_file()
    return objects_of(settings).teacher is not None or is_file


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    found = []
    for name in [*after, *(name for name in before if name not in after)]:
        was, now = _as_listed(before.get(name)), _as_listed(after.get(name))
        if was != now:
            called = name if name.endswith("_sha256") else arg(name)
            found.append(f"{called} was {_said(was)}, is {_said(now)}")
    return found


def _as_listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _said(value: object) -> str:
    return "not given" if value is None else str(value)
