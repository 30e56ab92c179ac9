"""The tables of methods and regularizers, and the parser of their options."""

from __future__ import annotations

from collections.abc import Mapping

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
from .regularizers import ActivationRegularization, LogitsRegularization, SpikeCountPenalty, SynapticOperationsLoss
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


def parse_spec(kind: str, text: str, known: Mapping[str, type[LossTerms]]) -> LossTerms:
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
