"""The tables of methods and regularizers, and the parser of their options."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..base.errors import InputError, did_you_mean
from .base import LossTerms
from .cist import SampleTemperatureKD
from .cross_kd import CrossKD
from .distilling_spikes import DistillingSpikes
from .hdkd import SharedStagesKD
from .kdsnn import KDSNN, BlurredKD
from .regularizers import ActivationRegularization, LogitsRegularization, SpikeCountPenalty, SynapticOperationsLoss
from .samd import ActivationMapKD, MapAndNoiseKD
from .soft_labels import ConventionalKD, HeadTailKD, HeterogeneousKD, LabelsOnly, NoiseSmoothedKD
from .timesteps import SelectiveAlignmentKD, StrongWeakSelfDistillation, TemporalSeparationKD, TemporalWiseKD
from .tssd import TemporalSpatialSelfDistillation

Known = Mapping[str, type[LossTerms]]

METHODS: dict[str, type[LossTerms]] = {
    "none": LabelsOnly,
    "kd": ConventionalKD,
    "ht-kd": HeterogeneousKD,
    "kdsnn": KDSNN,
    "tser": TemporalSeparationKD,
    "twd": TemporalWiseKD,
    "seal-kd": SelectiveAlignmentKD,
    "hta-kl": HeadTailKD,
    "cist": SampleTemperatureKD,
    "nld": NoiseSmoothedKD,
    "samd": ActivationMapKD,
    "samd-nld": MapAndNoiseKD,
    "bkd": BlurredKD,
    "hdkd": SharedStagesKD,
    "strong2weak": StrongWeakSelfDistillation,
    "tssd": TemporalSpatialSelfDistillation,
    "distilling-spikes": DistillingSpikes,
    "cross-kd": CrossKD,
}
REGULARIZERS: dict[str, type[LossTerms]] = {
    "activation": ActivationRegularization,
    "logits": LogitsRegularization,
    "spikes": SpikeCountPenalty,
    "synops": SynapticOperationsLoss,
}


def parse_spec(kind: str, text: str, known: Known) -> LossTerms:
    """Build a method or regularizer from text: ``name`` or ``name:option=value,option=value``.

    Args:
        kind: "method" or "regularizer", for messages.
        known: classes by name: :data:`METHODS` or :data:`REGULARIZERS`.

    Raises:
        InputError: an unknown name, text that is not ``option=value``, or every unknown option and value out of range.
    """
    name, _, rest = text.partition(":")
    options: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        option, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{kind} {text!r}: {pair!r} is not option=value; write {name}:option=value,option=value")
        options[option.strip()] = value.strip()
    name = name.strip()
    if name not in known:
        raise InputError(f"{kind} {name!r} is unknown; {did_you_mean(name, known)}")
    return known[name].model_validate(options, context={"called": f"{kind} {name}"})


def parse(text: str) -> LossTerms:
    """The method or regularizer that ``name`` or ``name:option=value,option=value`` describes.

    Raises:
        InputError: an unknown name, or every unknown option and value that is not allowed.
    """
    name = text.partition(":")[0].strip()
    if name in REGULARIZERS:
        return parse_spec("regularizer", text, REGULARIZERS)
    if name in METHODS:
        return parse_spec("method", text, METHODS)
    raise InputError(f"method {name!r} is unknown; {did_you_mean(name, [*METHODS, *REGULARIZERS])}")


def _terms_of(kind: str, known: Known, others: Known, given: LossTerms | str) -> LossTerms:
    """A method or regularizer itself, or the one that text describes.

    Raises:
        InputError: neither, one of the other kind, an unknown name, or options that are not allowed.
    """
    if isinstance(given, str):
        return parse_spec(kind, given, known)
    if isinstance(given, type) and issubclass(given, LossTerms):
        raise InputError(f"{kind}: is the class {given.__name__}; give an object of it, {given.__name__}()")
    if not isinstance(given, LossTerms):
        raise InputError(
            f"{kind} {given!r}: may be an object, such as {next(iter(known.values())).__name__}(), or text"
        )
    if type(given) in others.values():
        raise InputError(f"{kind} {name_of(given)}: is no {kind}; may be: {', '.join(known)}")
    return given


method_of = partial(_terms_of, "method", METHODS, REGULARIZERS)
regularizer_of = partial(_terms_of, "regularizer", REGULARIZERS, METHODS)


def name_of(terms: LossTerms) -> str:
    """The name of a method or regularizer in the table; of a class that is not in it, the name of the class."""
    names = {kind: name for name, kind in (METHODS | REGULARIZERS).items()}
    return names.get(type(terms), type(terms).__name__)


def text_of(terms: LossTerms) -> str:
    """``name`` or ``name:option=value,...`` with the options that were given, which :func:`parse` reads."""
    given = terms.model_dump(mode="json", exclude_defaults=True)
    options = ",".join(f"{option}={value}" for option, value in given.items())
    return f"{name_of(terms)}:{options}" if options else name_of(terms)
