"""The methods and regularizers there are: one line here for each file."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from ..base.errors import InputError, did_you_mean
from .base import LossTerms
from .bkd import BlurredKD
from .conventional import ConventionalKD, LabelsOnly
from .cross_kd import CrossKD
from .distilling_spikes import DistillingSpikes
from .hdkd import SharedStagesKD
from .head_tail import HeadTailKD
from .heterogeneous import HeterogeneousKD
from .kdsnn import KDSNN
from .noise import NoiseSmoothedKD
from .penalties import SpikeCountPenalty, SynapticOperationsLoss
from .regularizers import ActivationRegularization, LogitsRegularization
from .samd import ActivationMapKD, MapAndNoiseKD
from .seal import SelectiveAlignmentKD
from .strong_weak import StrongWeakSelfDistillation
from .tser import TemporalSeparationKD
from .tssd import TemporalSpatialSelfDistillation
from .twd import TemporalWiseKD

METHODS: dict[str, type[LossTerms]] = {
    "none": LabelsOnly,
    "kd": ConventionalKD,
    "ht-kd": HeterogeneousKD,
    "kdsnn": KDSNN,
    "tser": TemporalSeparationKD,
    "twd": TemporalWiseKD,
    "seal-kd": SelectiveAlignmentKD,
    "hta-kl": HeadTailKD,
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


def make_terms(kind: str, name: str, known: Mapping[str, type[LossTerms]], options: Mapping[str, str]) -> LossTerms:
    """Build one method or regulariser from the words of a command line.

    Raises:
        InputError: an unknown name, an unknown option, or a value that is not allowed (all of them at once).
    """
    if name not in known:
        raise InputError(f"{kind} {name!r} is unknown; {did_you_mean(name, known)}")
    terms = known[name]
    try:
        return terms.model_validate(dict(options))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        may_be = ", ".join(f"{key}={field.default}" for key, field in terms.model_fields.items()) or "none"
        raise InputError(f"{kind} {name}: {faults}; options and their defaults: {may_be}") from error


def parse_spec(kind: str, text: str, known: Mapping[str, type[LossTerms]]) -> LossTerms:
    """Build from ``name`` or ``name:option=value,option=value``."""
    name, _, rest = text.partition(":")
    options: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{kind} {text!r}: {pair!r} is not option=value; write {name}:option=value,option=value")
        options[key.strip()] = value.strip()
    return make_terms(kind, name.strip(), known, options)
