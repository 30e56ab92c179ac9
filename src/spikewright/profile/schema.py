"""What a hardware profile says: limits, costs, and the source of every number.

A constant that is absent is unknown and is listed as not modelled; a constant of zero is a measured zero.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from ..base.artefacts import sha256_of_json
from ..base.types import Encoding
from .durations import Durations

CostUnit = Literal["J", "ops"]
EnergyUnit = Literal["fJ", "pJ", "nJ", "ops"]
PowerUnit = Literal["uW", "mW", "W"]
Kind = Literal[
    "measured", "pre-silicon", "simulated", "synthesis", "fit", "derived", "convention", "assumed", "unstated"
]
Scope = Literal["incremental", "all-in", "unstated"]

JOULES = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9}
WATTS = {"uW": 1e-6, "mW": 1e-3, "W": 1.0}

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of a file: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(Table):
    """A publication or a programme that numbers come from."""

    cite: Text
    access: Literal["primary", "secondary"]
    note: str = ""

    @property
    def cited(self) -> str:
        """The citation, and whether it is quoted at second hand."""
        return f"{self.cite}{' (quoted at second hand)' if self.access == 'secondary' else ''}"


class Citation(Table):
    """Where a limit comes from: a source, and the place in it."""

    source: Text
    where: Text
    note: str = ""
    assumed: bool = False


class Constant(Table):
    """The cost of one event, and where the number comes from.

    Attributes:
        value: in ``unit``; zero says that zero was measured.
        source: key of the profile's ``sources``; ``where`` is the table, page or file in it.
        kind: how the number was obtained; ``convention`` is a number that a community agreed to count with,
            ``unstated`` where the source does not say.
        scope: ``incremental`` is the marginal cost of one event, ``all-in`` total power divided by event rate,
            ``unstated`` where the source does not say.
    """

    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: EnergyUnit
    source: Text
    where: Text
    kind: Kind
    scope: Scope
    note: str = ""

    @property
    def cost(self) -> float:
        """The value in joules, or in ops where the unit is ops."""
        return self.value * JOULES.get(self.unit, 1.0)

    @property
    def assumed(self) -> bool:
        """Whether nobody published this number for this chip."""
        return self.kind == "assumed"


class StaticPower(Table):
    """Power that a chip draws whether or not anything happens; shown beside the energy that is charged, never in it."""

    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: PowerUnit
    source: Text
    where: Text
    kind: Kind
    note: str = ""


class Mesh(Table):
    """Cores in tiles, tiles on a grid; tile ``i`` is at column ``i // rows``, row ``i % rows``."""

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt

    @property
    def cores(self) -> int:
        """Cores that the grid holds."""
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
    header_bits: Count
    synapses_per_block: PositiveInt
    index_bits: Annotated[list[Count], Field(min_length=1)]
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
    padding: Count
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
    mesh: Mesh | None = None
    synapse_format: SynapseFormat | None = None
    whole: Whole | None = None
    layers: Layers | None = None


class Energy(Table):
    """Cost of each event; an absent one is unknown.

    Neuron updates are published in one of two ways, and a profile gives one of them: ``neuron_update_active`` and
    ``neuron_update_inactive`` (a compartment's whole step, by whether it had something to do), or ``neuron_access``
    (every compartment, every step) and ``neuron_active_extra`` (in addition, where it had something to do).

    Attributes:
        synaptic_op: one spike visiting one synapse; ``synaptic_op_conv`` and ``synaptic_op_graded`` replace it for
            convolutions and for spikes that carry a payload.
        spike_read: a spike (or input event) entering one connection, before it visits its synapses;
            ``spike_read_conv`` replaces it for convolutions. Where neither is given, nobody counts it apart.
        spike_out: a compartment firing.
        message: a spike reaching one destination core.
        hop_x, hop_y: a message crossing one tile border, east-west and north-south.
        chip_crossing: a message going from one chip to another.
        input_event: an event injected from outside the chip.
        teacher_mac: one multiply-accumulate of the artificial network that is compared with.
    """

    synaptic_op: Constant | None = None
    synaptic_op_conv: Constant | None = None
    synaptic_op_graded: Constant | None = None
    neuron_update_active: Constant | None = None
    neuron_update_inactive: Constant | None = None
    neuron_access: Constant | None = None
    neuron_active_extra: Constant | None = None
    spike_read: Constant | None = None
    spike_read_conv: Constant | None = None
    spike_out: Constant | None = None
    message: Constant | None = None
    hop_x: Constant | None = None
    hop_y: Constant | None = None
    chip_crossing: Constant | None = None
    input_event: Constant | None = None
    teacher_mac: Constant | None = None

    def given(self) -> dict[str, Constant]:
        """The constants that are known, by event."""
        return {name: value for name, value in self if isinstance(value, Constant)}


class HardwareProfile(Table):
    """One chip, or one way of counting: limits, costs, and the sources of both.

    Attributes:
        name: the file's name without ``.toml``.
        cost_unit: joules, or the relative unit ``ops`` where no joules are published.
        banner: what every report says first, empty where nothing has to be said.
        absent: by event, why its constant is not given; it is listed as not modelled.
        included: by event (or ``static_power``, ``barrier``), which constant has its cost in it, or why the chip has
            no such event; it is not listed as not modelled.
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
    time: Durations | None = None
    band: list[Text] = Field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """Hash of what the file says (not of its comments or layout)."""
        return sha256_of_json(self.model_dump(mode="json", exclude_unset=True))

    @property
    def has_joules(self) -> bool:
        """Whether energies can be given in joules."""
        return self.cost_unit == "J"
