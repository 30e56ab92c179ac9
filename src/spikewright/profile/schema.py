"""What a hardware profile says: limits, costs, and the source of every number; an absent limit is not checked."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from ..base.artefacts import sha256_of_json
from ..base.shown import Shown
from ..base.types import Encoding, Reset
from .costs import Citation, Durations, Energy, Source, StateReset, StaticPower, Table, Text

CostUnit = Literal["J", "ops"]


class Mesh(Table):
    """Cores in tiles, tiles on a grid; tile ``i`` is at column ``i // rows``, row ``i % rows``."""

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt

    @property
    def cores(self) -> int:
        """The number of cores that the mesh holds."""
        return self.columns * self.rows * self.cores_per_tile


class SynapseFormat(Table):
    """How synapses lie in a core's memory.

    A list of n synapses takes ``ceil(n / synapses_per_block)`` blocks, each of
    ``round_up(synapses x (weight bits + index bits) + header_bits, word_bits)`` bits.

    Attributes:
        index_bits: widths that a target index may have, ascending; a dense list needs none.
        shared_kernels: a convolution stores one list per channel-wise border pattern, and one input axon per source
            pixel serves all its channels; otherwise every source has an axon and a list of its own.
        shared_axon_slots: output axon slots that such a shared axon takes for each destination core.
    """

    word_bits: PositiveInt
    header_bits: NonNegativeInt
    synapses_per_block: PositiveInt
    index_bits: Annotated[list[NonNegativeInt], Field(min_length=1)]
    shared_kernels: bool
    shared_axon_slots: PositiveInt


class Whole(Table):
    """What a network may be on the whole chip, however its cores are filled; an absent limit is not checked.

    Attributes:
        timesteps: most steps of an inference; 1 where no state is kept from one step to the next.
        inputs: lines that enter the chip.
        neurons: compartments in all; ``hidden_neurons`` those that are not read out, ``outputs`` those that are.
        sources: lines and compartments that have synapses (the rows of a crossbar).
        targets: populations that one population, or the input, may feed.
    """

    timesteps: PositiveInt | None = None
    inputs: PositiveInt | None = None
    neurons: PositiveInt | None = None
    hidden_neurons: PositiveInt | None = None
    outputs: PositiveInt | None = None
    sources: PositiveInt | None = None
    targets: PositiveInt | None = None


class Layers(Table):
    """Cores that each hold one convolution with its neurons; a dense layer is one whose kernel is its whole input.

    A layer takes ``input channels x 2^(ceil log2(kernel positions) + ceil log2(output channels))`` words of a core's
    weights and ``output channels x 2^(ceil log2(height) + ceil log2(width))`` of its neurons.

    Attributes:
        kernel: longest side of a kernel, which must be square where ``square_kernels``.
        strides: that a convolution may have.
        padding: most of it.
        input_side: longest side of what enters a layer, ``output_side`` of what leaves it.
        channels: most of them, in and out.
        weight_words: of each core; ``neuron_words`` of the same core.
    """

    kernel: PositiveInt
    square_kernels: bool
    strides: Annotated[list[PositiveInt], Field(min_length=1)]
    padding: NonNegativeInt
    input_side: PositiveInt
    output_side: PositiveInt
    channels: PositiveInt
    weight_words: Annotated[list[PositiveInt], Field(min_length=1)]
    neuron_words: Annotated[list[PositiveInt], Field(min_length=1)]


class Limits(Table):
    """What the chip can hold, in the units of Loihi's rules; an absent limit is unknown and is not checked.

    A chip of other widths is written in these units: weights count up to 255, and a state has six bits beneath a
    weight's unit.

    Attributes:
        weight_bits: stored bits of a weight.
        mixed_weights_even: weights of mixed sign are even numbers (their lowest bit is the sign's).
        always_signed: so are weights of one sign: every weight has a sign bit.
        decay_bits: a decay is a multiple of ``2^-decay_bits`` per step; 0 where neurons cannot leak.
        decay_shifts: a decay is a power of 2, made by a shift.
        state_bits: within which the current of a neuron stays; potentials are simulated with Loihi's 24 bits.
        graded_spike_bits: widest payload of a spike; 0 where spikes are binary.
        delay_max: longest synaptic delay in steps.
        resets: what a spike of the chip's neurons can do to their membrane potential; absent, set it to zero alone.
        fan_in: most synapses of one neuron; ``fan_out`` most synapses that one spike visits.
        chips: most chips that work together; one where it is absent.
        neuron_configs_per_core: sets of decays, thresholds and bias exponents that a core holds for all its neurons.
        synapse_formats_per_core: layouts of synapses (widths of weight and index, dense or shared) that a core holds.
        whole: limits of the whole chip.
        layers: of chips whose cores hold a layer each.
    """

    neurons_per_core: PositiveInt | None = None
    cores: PositiveInt | None = None
    chips: PositiveInt | None = None
    axons_in_per_core: PositiveInt | None = None
    axons_out_per_core: PositiveInt | None = None
    synapse_bits_per_core: PositiveInt | None = None
    fan_in: PositiveInt | None = None
    fan_out: PositiveInt | None = None
    neuron_configs_per_core: PositiveInt | None = None
    synapse_formats_per_core: PositiveInt | None = None
    weight_bits: Annotated[int, Field(ge=1, le=8)]
    mixed_weights_even: bool
    always_signed: bool | None = None
    decay_bits: Annotated[int, Field(ge=0, le=12)]
    decay_shifts: bool | None = None
    threshold_bits: Annotated[int, Field(ge=1, le=17)]
    bias_mantissa_bits: Annotated[int, Field(ge=1, le=13)]
    bias_exponent_max: Annotated[int, Field(ge=0, le=7)]
    state_bits: Annotated[int, Field(ge=8, le=24)]
    graded_spike_bits: Annotated[int, Field(ge=0, le=32)]
    delay_max: Annotated[int, Field(ge=0, le=63)] | None = None
    resets: Annotated[list[Reset], Field(min_length=1)] | None = None
    mesh: Mesh | None = None
    synapse_format: SynapseFormat | None = None
    whole: Whole | None = None
    layers: Layers | None = None

    @property
    def known_resets(self) -> tuple[Reset, ...]:
        """What a spike can do to a membrane potential; to zero alone where the profile does not say."""
        return ("zero",) if self.resets is None else tuple(self.resets)


class HardwareProfile(Shown, Table):
    """One chip, or one way of counting: limits, costs, and the sources of both.

    Attributes:
        name: the file's name without ``.toml``.
        cost_unit: joules, or the relative unit ``ops`` where no joules are published.
        banner: what every report says first, empty where nothing has to be said.
        absent: by event, why its constant is not given; it is listed as not modelled.
        included: by event (or ``static_power``, ``barrier``, ``state_reset``), which constant has its cost in it, or
            why the chip has no such event; it is not listed as not modelled.
        state_reset: what it takes to set a chip's states to rest before an inference; listed as not modelled, and
            priced beside the total where it is known.
        limit_sources: where each given limit comes from.
        time: how long events take; without it, run time and static energy are not estimated.
        band: other profiles whose constants were published for the same chip; a report says what they would give.
    """

    name: Text
    schema_version: Literal[1]
    title: Text
    summary: Text
    banner: str = ""
    cost_unit: CostUnit
    default_encoding: Encoding
    default_timesteps: PositiveInt
    uncertainty: list[Text] = Field(default_factory=list)
    sources: dict[str, Source]
    limits: Limits
    limit_sources: dict[str, Citation]
    energy: Energy
    absent: dict[str, Text] = Field(default_factory=dict)
    included: dict[str, Text] = Field(default_factory=dict)
    static_power: StaticPower | None = None
    state_reset: StateReset | None = None
    time: Durations | None = None
    band: list[Text] = Field(default_factory=list)

    def __repr__(self) -> str:
        op, given = self.energy.synaptic_op, sum(value is not None for _, value in self.limits)
        each = "unknown" if op is None else f"{op.value:g} {op.unit}, {op.kind}, {op.scope}"
        return (
            f"HardwareProfile({self.name}: {self.title}; synaptic operation {each}; "
            f"{len(self.energy.given())} constants, {given} limits)"
        )

    @cached_property
    def sha256(self) -> str:
        """Hash of what the file says (not of its comments or layout).

        The resets are left out: they decide whether a network is refused and nothing that is computed, and profiles
        had none before there was more than one.
        """
        later = {"limits": {"resets"}, "limit_sources": {"resets"}}
        return sha256_of_json(self.model_dump(mode="json", exclude_unset=True, exclude=later))

    @property
    def keeps_states(self) -> bool:
        """Whether neurons keep states from one step to the next, so that an inference begins with a reset."""
        return self.limits.whole is None or self.limits.whole.timesteps != 1

    @property
    def has_joules(self) -> bool:
        """Whether energies can be given in joules."""
        return self.cost_unit == "J"
