"""Design rules that a network has to keep to run on a chip, as small named functions.

Each rule yields a sentence for every way in which it is broken, and messages give its name. :data:`GRAPH_RULES` hold
for a draft network before any pass and for every profile, :data:`PROFILE_RULES` depend on the profile, and
:data:`INTEGER_RULES` hold for the quantized network. To add a rule, write a function and add it to one of them. The
limits of cores are checked by the placement, and those of whole chips in :mod:`.chip_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from pydantic import ValidationError

from ..base.errors import InputError, Message, arg, refuse
from ..base.types import FloatArray
from ..chip.network import ChipNetwork, Connection
from ..chip.registers import BIAS_EXP, LAVA_WIDTHS, STATE_UNIT, Calibration
from ..profile.profile import HardwareProfile
from ..profile.resets import reset_faults
from .draft import Draft, DraftNeuron
from .quantize import CALIBRATION, CONVOLUTION, CURRENT, MEASURED, POTENTIAL, READOUT, TRAINED
from .split import MOST_PARTS, PARTS, decays_of, layers_of, varies

Rule: TypeAlias = Callable[..., Iterator[str]]

SYNAPTIC = "synaptic"
LARGEST = 1e30
"""Weights and constants of neurons up to here are lowered."""
_SAME = 1e-6  # relative difference of float32 parameters that are meant to be equal
_ON_GRID = 0.01  # distance from the grid, in steps, that float32 parameters explain
_FEWEST_DECAY = 0.5 / 4096
_FEW_LEVELS = 8  # three bits and a sign: where published accuracies of quantized networks start to fall
_COARSE_THRESHOLD = 0.02
_MEASURED = (
    f"; or room for what data cause instead of any input: {arg('scales', 'auto')} in training, {arg('calibrate')} in "
    "lowering"
)
_REMEDIES = {
    CURRENT: f"fewer input bits or a smaller fan-in would help{_MEASURED}",
    READOUT: f"fewer timesteps or a smaller fan-in would help{_MEASURED}",
    POTENTIAL: "fewer timesteps or a lower threshold would help",
    CONVOLUTION: "fewer input bits or a smaller kernel would help",
    "the threshold register": "a lower threshold would help",
    "the bias register": "a smaller bias or leak potential would help",
}


def check_draft(draft: Draft, profile: HardwareProfile) -> None:
    """Apply :func:`numbers_in_range`, then :data:`GRAPH_RULES` and :data:`PROFILE_RULES`.

    Raises:
        InputError: rules are broken; the message has the name of each.
    """
    refuse(f"profile {profile.name!r}", faults_by([numbers_in_range], draft))  # with which the others compute
    broken = [*faults_by(PROFILE_RULES, draft, profile), *faults_by(GRAPH_RULES, draft)]
    refuse(f"profile {profile.name!r}", broken)


def faults_by(rules: Sequence[Rule], *of: Any) -> list[str]:
    """What each of ``rules`` finds in the values that it takes, with the rule's name."""
    return [f"[{rule.__name__}] {fault}" for rule in rules for fault in rule(*of)]


def numbers_in_range(draft: Draft) -> Iterator[str]:
    """Weights and constants are finite, and none so large that sums and products of them are not."""
    values = [(c.target, f"weights from {c.source}", c.weight) for c in draft.connections]
    for name, neuron in _neurons(draft):
        values += [(name, what.replace("_", " "), each) for what, each in neuron.arrays.items()]
    for name, what, numbers in values:
        if not np.all(np.abs(numbers) <= LARGEST):
            yield f"{name}: its {what} reach {_extreme(numbers):g}; may be up to {LARGEST:g}: rescale the network"


def graded_input(draft: Draft, profile: HardwareProfile) -> Iterator[str]:
    """The chip takes graded spikes as wide as direct encoding sends them."""
    if draft.encoding != "direct":
        return
    bits = profile.limits.graded_spike_bits
    if bits == 0:
        other = arg("encoding", profile.default_encoding)
        yield f"encoding 'direct' sends graded spikes, which this chip does not have; train with {other}"
    elif draft.input_bits > bits:
        yield f"input has {draft.input_bits} bits, a graded spike carries {bits}; train with {arg('input_bits', bits)}"


def input_width(draft: Draft, profile: HardwareProfile) -> Iterator[str]:
    """An input current fits the mantissa of a bias, as which it is set."""
    most = profile.limits.bias_mantissa_bits - 1
    if draft.encoding == "current" and draft.input_bits > most:
        fewer = arg("input_bits", most)
        yield f"input has {draft.input_bits} bits, a bias mantissa holds {most}; train with {fewer}"


def bias_exponent(draft: Draft, profile: HardwareProfile) -> Iterator[str]:
    """The chip has the exponent with which biases, and input currents, are lowered."""
    most = profile.limits.bias_exponent_max
    for population in draft.populations if most < BIAS_EXP else ():
        neuron = population.neuron
        if neuron is not None and (population.role == "input" or np.any(neuron.bias)):
            what = "input current" if population.role == "input" else "bias"
            yield f"{population.name}: its {what} needs the bias exponent {BIAS_EXP}; the chip's largest is {most}"


def reset_to_zero(draft: Draft) -> Iterator[str]:
    """Neurons reset to zero or by subtraction, and to no other potential."""
    for name, neuron in _neurons(draft):
        if np.any(neuron.v_reset != 0):
            reset = _extreme(neuron.v_reset)
            if neuron.reset != "zero":
                yield f"{name}: v_reset reaches {reset:g}, and it is reset by subtraction; set v_reset to 0"
                continue
            yield f"{name}: v_reset reaches {reset:g}; the chip resets to 0: shift v_leak and v_threshold by it"


def resets(draft: Draft, profile: HardwareProfile) -> Iterator[str]:
    """What a spike does to the membrane potential is something that the chip's neurons can do."""
    own = [p for p in draft.populations if p.role not in ("relay", "bias")]
    resets = {p.name: p.neuron.reset for p in own if p.neuron is not None and p.neuron.threshold is not None}
    yield from reset_faults(resets, profile.limits)


def one_decay_per_population(draft: Draft) -> Iterator[str]:
    """Neurons of a population that cannot be split have the same time constants, since they share decay registers.

    Hidden layers are split into populations of one decay each (:mod:`.split`), up to :data:`.split.MOST_PARTS` of them.
    """
    loops = {c.source for c in draft.connections if c.source == c.target}
    for population in draft.populations:
        neuron, name = population.neuron, population.name
        if neuron is None:
            continue
        count = len(np.unique(decays_of(neuron), axis=0))
        splits = population.role == "hidden" and name not in loops and count <= MOST_PARTS
        for what, leak in () if splits else ((SYNAPTIC, neuron.leak_u), ("membrane", neuron.leak_v)):
            if not varies(leak):
                continue
            vary = f"its {what} time constants vary (decay {leak.min():.4g} to {leak.max():.4g} per step)"
            yield f"{name}: {vary}; {_why_whole(population.role, name in loops, count)}"


def _why_whole(role: str, loops: bool, count: int) -> str:
    """Why a population with several decays cannot be split."""
    if loops:
        return "its neurons feed each other, so that it stays one population, which has one decay: give them one"
    if role != "hidden":
        return f"the chip has one {role} population, with one decay: give its neurons one"
    return f"they make {count} populations, and a layer is split into at most {MOST_PARTS}: let neurons share them"


def decays_in_range(draft: Draft) -> Iterator[str]:
    """A decay is between 0 and 1 per timestep, and that of a synaptic filter is not rounded to 0 in 12 bits."""
    for name, what, leak in _decays(draft):
        if leak.max() > 1 + _SAME or leak.min() < 0:
            too_long = "the time step is too long for its time constants, give a shorter one"
            yield f"{name}: its {what} decay per step (dt / tau) is {_extreme(leak):.4g}; may be 0..1: {too_long}"
        if what == SYNAPTIC and leak.min() < _FEWEST_DECAY:
            yield f"{name}: its synaptic decay per step is {leak.min():.3g}; the chip needs at least 1/8192"


def one_threshold_per_population(draft: Draft) -> Iterator[str]:
    """A population has one threshold, not negative; positive thresholds that vary are divided out in the draft."""
    for name, threshold in ((name, neuron.threshold) for name, neuron in _neurons(draft)):
        if threshold is None:
            continue
        if threshold.min() < 0:
            yield f"{name}: its threshold is {threshold.min():g}; may be 0 or more"
        elif np.ptp(threshold) > _SAME * threshold.max():
            yield f"{name}: its thresholds are {threshold.min():g} to {threshold.max():g}; a population has one"


def steady_encoder(draft: Draft) -> Iterator[str]:
    """Neurons driven by input currents have no bias of their own, since the host sets their bias register."""
    for population in draft.populations:
        neuron = population.neuron
        if population.role != "input" or neuron is None:
            continue
        if np.any(neuron.bias) or np.any(neuron.synaptic_bias) or np.any(neuron.leak_u != 1):
            yield f"{population.name}: takes the input current and has a v_leak or a synaptic filter; may have neither"
        if neuron.threshold is None or neuron.threshold.max() <= 0:
            yield f"{population.name}: takes the input current and never spikes; it needs a positive threshold"


def no_circles(draft: Draft) -> Iterator[str]:
    """A population may feed itself, but no population before it."""
    place = {population.name: index for index, population in enumerate(draft.populations)}
    for connection in draft.connections:
        if place[connection.source] > place[connection.target]:
            back = f"{connection.source} feeds {connection.target}, which comes before it"
            yield f"{back}; only a population's own recurrence is handled"


def weights_survive(chip: ChipNetwork, draft: Draft) -> Iterator[str]:
    """Rounding leaves every connection some weight that is not zero; of populations that were split, all together."""
    there = {f"{c.source}->{c.target}" for c in draft.connections if np.any(c.weight)}
    wholes = _layers(chip)

    def ends(connection: Connection) -> tuple[str, str]:
        return wholes.get(connection.source, connection.source), wholes.get(connection.target, connection.target)

    kept = {ends(connection) for connection in chip.connections if np.any(connection.packed.values)}
    limited = _noted(chip, "scale_limited_by")
    for connection in chip.connections:
        if connection.name in there and ends(connection) not in kept:
            why = f"{_limit(limited[connection.target])}; or train it for this chip, {arg('profile', chip.profile)}"
            yield f"{connection.name}: all weights round to zero; {why}"


def threshold_survives(chip: ChipNetwork, draft: Draft) -> Iterator[str]:  # noqa: ARG001
    """Rounding leaves no neuron a threshold of zero, at which any input makes it fire."""
    for population in chip.populations:
        neuron = population.neuron
        if neuron is not None and neuron.fires and neuron.vth == 0:
            most = "the largest weight may be at most about 250 thresholds"
            yield f"{population.name}: its threshold rounds to zero beside its weights; {most}"


def trained_integers_stay(chip: ChipNetwork, draft: Draft) -> Iterator[str]:  # noqa: ARG001
    """A network that was trained with integer arithmetic is on the chip's grid, so that nothing is rounded."""
    rounding = _noted(chip, "rounding")
    for name, why in _noted(chip, "scale_limited_by").items():
        if why == TRAINED and rounding[name] > _ON_GRID:
            yield (
                f"{name}: the graph says it was trained on integers, and its numbers lie {rounding[name]:.2g} of a "
                "step beside them; export it again, or remove 'integer' from its metadata to round it"
            )


GRAPH_RULES: tuple[Rule, ...] = (  # of a draft
    reset_to_zero,
    one_decay_per_population,
    decays_in_range,
    one_threshold_per_population,
    steady_encoder,
    no_circles,
)
PROFILE_RULES: tuple[Rule, ...] = (graded_input, input_width, bias_exponent, resets)  # of a draft and a profile
INTEGER_RULES: tuple[Rule, ...] = (weights_survive, threshold_survives, trained_integers_stay)  # of a chip and a draft


def remarks(chip: ChipNetwork) -> Iterator[str]:
    """Warnings about coarse weights and thresholds, and about registers that data may leave, which are allowed.

    Raises:
        InputError: the network's provenance was not written by the lowering.
    """
    levels, limited = _noted(chip, "weight_levels"), _noted(chip, "scale_limited_by")
    for connection in chip.connections:
        if (count := levels[connection.name]) < _FEW_LEVELS:
            only, why = "1 level" if count == 1 else f"{count} levels", _limit(limited[connection.target])
            yield Message(f"{connection.name}: only {only} from zero to the largest weight; {why}")
    for name, error in _noted(chip, "threshold_errors").items():
        if error > _COARSE_THRESHOLD:
            yield f"{name}: its threshold is {error:.1%} off by rounding"
    yield from _calibration_remarks(chip)


def _calibration_remarks(chip: ChipNetwork) -> Iterator[str]:
    """Which registers have room for measured peaks alone, and membranes that are clipped at these already."""
    if (measured := calibration_of(chip)) is None:
        return
    if names := chip.provenance[MEASURED]:
        assert isinstance(names, list)
        yield (
            f"{', '.join(names)}: room for {measured.margin:g} times the peaks of {measured.samples} samples, not for "
            "every input; `simulate` counts what goes beyond"
        )
    scales, layers = _noted(chip, "scales"), _layers(chip)
    for name, population in chip.by_name.items():
        peaks, neuron = measured.peaks.get(name, measured.peaks.get(layers.get(name, name))), population.neuron
        if peaks is None:
            continue
        share = peaks.potential * scales[name] * STATE_UNIT / LAVA_WIDTHS.state_limit
        if neuron is not None and neuron.fires and share >= 1:
            where = "below" if neuron.law == "lif" else "from"
            yield f"{name}: membranes go {share:.1f} times as far {where} zero as their register, and are clipped there"


def calibration_of(chip: ChipNetwork) -> Calibration | None:
    """The peaks by which scales of a chip network were chosen; None where all of them hold in the worst case.

    Raises:
        InputError: the network's provenance was not written by the lowering.
    """
    found = chip.provenance.get(CALIBRATION)
    try:
        return None if found is None else Calibration.model_validate(found)
    except ValidationError as error:
        raise InputError("chip network: its provenance was not written by the lowering") from error


def _layers(chip: ChipNetwork) -> dict[str, str]:
    """By population that is part of a layer, that layer."""
    return layers_of({PARTS: _noted(chip, PARTS)}) if PARTS in chip.provenance else {}


def _noted(chip: ChipNetwork, key: str) -> dict[str, Any]:
    found = chip.provenance[key]
    if not isinstance(found, dict):
        raise InputError("chip network: its provenance was not written by the lowering")
    return found


def _limit(limited_by: str) -> str:
    return f"the scale is limited by {limited_by}: {_REMEDIES.get(limited_by, 'weights of similar size would help')}"


def _neurons(draft: Draft) -> list[tuple[str, DraftNeuron]]:
    return [(p.name, p.neuron) for p in draft.populations if p.neuron is not None]


def _decays(draft: Draft) -> Iterator[tuple[str, str, FloatArray]]:
    for name, neuron in _neurons(draft):
        yield name, SYNAPTIC, neuron.leak_u
        yield name, "membrane", neuron.leak_v


def _extreme(values: FloatArray) -> float:
    return float(values.flat[np.abs(values).argmax()])
