"""Hardware profiles, one TOML file a chip, and ordinary machines for scale; read and checked whole.

Add a chip by adding a file, and a machine by adding one to the folder ``teachers`` beside the hardware profiles.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError

from ..base.artefacts import existing_file
from ..base.errors import InputError, check_type, did_you_mean, refuse
from ..base.resources import profiles_dir
from .costs import JOULES, Constant, Energy, Source, Table, Text
from .schema import HardwareProfile, Limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["HardwareProfile", "load_profile", "named_profile", "profile_names", "read_profile"]

Model = TypeVar("Model", bound=BaseModel)


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    return tuple(sorted(path.stem for path in profiles_dir().glob("*.toml")))


def load_profile(name: str | Path | HardwareProfile) -> HardwareProfile:
    """The profile of that name, or of that TOML file; a profile is returned as it is.

    Raises:
        InputError: unknown name (with the nearest one), or every fault of the file at once.
    """
    if isinstance(name, HardwareProfile):
        return name
    check_type("profile", name, str | Path, "the name of a profile, the path of its .toml file, or a HardwareProfile")
    if isinstance(name, Path) or name.endswith(".toml"):
        return read_profile(Path(name))
    if name not in profile_names():
        raise InputError(
            f"profile {name!r}: there is none of that name; {did_you_mean(name, profile_names())}, or a path to a .toml"
        )
    return _packaged(name)


def named_profile(name: str, where: str, remedy: str) -> HardwareProfile:
    """The profile that a file names; one that does not come with spikewright is not looked for.

    Args:
        name: as the file has it.
        where: the file, or what of it names the profile; for the refusal.
        remedy: what to do instead; for the refusal.

    Raises:
        InputError: the name is of no profile that comes with spikewright.
    """
    if name not in profile_names():
        raise InputError(
            f"{where}: names the profile {name!r}, which does not come with spikewright, and a path in a file is not "
            f"followed; {remedy}"
        )
    return _packaged(name)


@cache
def _packaged(name: str) -> HardwareProfile:
    return read_profile(profiles_dir() / f"{name}.toml")


def read_profile(path: Path) -> HardwareProfile:
    """Read and check one TOML file; every fault is reported at once."""
    profile = read_named(path, "a hardware profile in TOML", HardwareProfile)
    refuse(str(path), list(_contradictions(profile)))
    return profile


def _contradictions(profile: HardwareProfile) -> Iterator[str]:
    given, limits = profile.energy.given(), profile.limits
    for event, constant in given.items():
        if (constant.unit == "ops") != (profile.cost_unit == "ops"):
            allowed = "ops" if profile.cost_unit == "ops" else ", ".join(JOULES)
            yield f"energy.{event}.unit: is {constant.unit!r}; with cost_unit {profile.cost_unit!r} may be: {allowed}"
    yield from _source_faults(profile)
    yield from _update_faults(set(given))
    yield from _event_faults(profile)
    yield from profile.time.faults() if profile.time else ()
    for other in profile.band:
        if other not in profile_names() or other == profile.name:
            yield f"band: is {other!r}; {did_you_mean(other, [n for n in profile_names() if n != profile.name])}"
    if profile.default_encoding == "direct" and limits.graded_spike_bits == 0:
        yield "default_encoding: is 'direct'; with limits.graded_spike_bits 0 it may be: current, rate, latency, events"
    if limits.synapse_bits_per_core and not limits.synapse_format:
        yield "limits.synapse_format: is missing; say how synapses take up limits.synapse_bits_per_core"
    if limits.mesh and limits.cores and limits.cores > limits.mesh.cores:
        yield f"limits.cores: is {limits.cores}; the mesh holds {limits.mesh.cores}"
    if layers := limits.layers:
        weights, neurons = len(layers.weight_words), len(layers.neuron_words)
        if weights != neurons:
            yield f"limits.layers.neuron_words: has {neurons} cores; limits.layers.weight_words has {weights}"


def _event_faults(profile: HardwareProfile) -> Iterator[str]:
    """Events that are said to be absent or included, and are unknown or given as well."""
    given, events = {name: f"energy.{name}" for name in profile.energy.given()}, tuple(Energy.model_fields)
    given |= {"state_reset": "state_reset"} if profile.state_reset else {}
    costs = (*events, "static_power", "barrier", "state_reset")
    for table, said, may_be in (
        ("absent", profile.absent, (*events, "state_reset")),
        ("included", profile.included, costs),
    ):
        for event in said:
            if event not in may_be:
                yield f"{table}.{event}: unknown event; {did_you_mean(event, may_be)}"
            elif event in given:
                yield f"{table}.{event}: {given[event]} is given; remove one of the two"
    for event in sorted(profile.absent.keys() & profile.included.keys()):
        yield f"included.{event}: stands in absent as well; remove one of the two"


def _update_faults(given: set[str]) -> Iterator[str]:
    whole = given & {"neuron_update_active", "neuron_update_inactive"}
    parts = given & {"neuron_access", "neuron_active_extra"}
    if whole and parts:
        yield f"energy.{min(parts)}: stands beside energy.{min(whole)}; neuron updates are given in one of the two ways"
    if len(whole) == 1:
        yield f"energy.{whole.pop()}: stands alone; neuron_update_active and neuron_update_inactive go together"
    if parts == {"neuron_active_extra"}:
        yield "energy.neuron_active_extra: stands alone; it comes on top of neuron_access"


def _source_faults(profile: HardwareProfile) -> Iterator[str]:
    cited = {f"energy.{event}": constant.source for event, constant in profile.energy.given().items()}
    cited |= {f"limit_sources.{limit}": citation.source for limit, citation in profile.limit_sources.items()}
    if profile.static_power:
        cited["static_power"] = profile.static_power.source
    if profile.state_reset:
        cited["state_reset"] = profile.state_reset.source
    if profile.time:
        cited |= {f"time.{event}": duration.source for event, duration in profile.time.given().items()}
        cited["time.barrier"] = profile.time.barrier.source
    for where, source in cited.items():
        if source not in profile.sources:
            yield f"{where}.source: is {source!r}; {did_you_mean(source, profile.sources)}"
    given = {name for name in Limits.model_fields if getattr(profile.limits, name) is not None}
    for limit in sorted(given - profile.limit_sources.keys()):
        yield f"limit_sources.{limit}: is missing; say where limits.{limit} comes from"
    for limit in sorted(profile.limit_sources.keys() - given):
        yield f"limit_sources.{limit}: limits.{limit} is not given; {did_you_mean(limit, given)}"


def read_named(path: Path, what: str, model: type[Model]) -> Model:
    """The model that a file holds; its ``name`` is the file's.

    Args:
        what: was expected there, for the refusal.

    Raises:
        InputError: there is no such file, it is not TOML, or every fault that a single field can see.
    """
    file = existing_file(path, what)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, not UTF-8, a number without end
        raise InputError(f"{file}: is not TOML: {error}") from error
    if "name" in table:
        noun = what.removesuffix(" in TOML").split()[-1]
        raise InputError(f"{file}: name: the file's name is the {noun}'s name; remove the key")
    try:
        return model.model_validate({"name": file.stem, **table})
    except ValidationError as error:
        refuse(str(file), [_sentence(dict(fault), model) for fault in error.errors(include_url=False)])
        raise


def _sentence(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; {did_you_mean(str(fault['loc'][-1]), _keys_at(fault['loc'][:-1], model))}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    may_be = re.sub(r"^(Input should be|\w+ should have) (a |an )?(valid )?", "", fault["msg"])
    may_be = re.sub(r" after validation, not \d+$", "", may_be)
    return f"{path}: is {fault['input']!r}; may be: {may_be}"


def _keys_at(path: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, ...]:
    """Keys that may stand in the table at ``path``."""
    table = model
    for part in path:
        if (inner := table.model_fields.get(str(part))) is not None:
            table = next(iter(_tables_in(inner.annotation)), table)
    return tuple(key for key in table.model_fields if (table, key) != (model, "name"))


def _tables_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables_in(inner)


class ReferenceMachine(Table):
    """A machine that the artificial network could run on.

    Attributes:
        name: the file's name without ``.toml``.
        mac: energy of one multiply-accumulate, in joules.
    """

    name: Text
    schema_version: Literal[1]
    title: Text
    uncertainty: list[Text] = Field(default_factory=list)
    sources: dict[str, Source]
    mac: Constant

    @property
    def source(self) -> str:
        """Where the number is from, in full: a report has no list of a machine's sources."""
        return f"{self.sources[self.mac.source].cited}, {self.mac.where}"


@cache
def load_teachers() -> tuple[ReferenceMachine, ...]:
    """The machines that come with the package, the cheapest multiply-accumulate first."""
    found = (read_teacher(path) for path in (profiles_dir() / "teachers").glob("*.toml"))
    return tuple(sorted(found, key=lambda teacher: (teacher.mac.cost, teacher.name)))


def read_teacher(path: Path) -> ReferenceMachine:
    """Read and check one TOML file; every fault is reported at once."""
    teacher = read_named(path, "a teacher's machine in TOML", ReferenceMachine)
    faults = []
    if teacher.mac.unit not in JOULES:
        faults.append(f"mac.unit: is {teacher.mac.unit!r}; may be: {', '.join(JOULES)}")
    if teacher.mac.source not in teacher.sources:
        faults.append(f"mac.source: is {teacher.mac.source!r}; {did_you_mean(teacher.mac.source, teacher.sources)}")
    refuse(str(path), faults)
    return teacher
