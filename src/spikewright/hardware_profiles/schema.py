"""What a hardware profile says: limits, costs, and the source of every number.

A constant that is absent is unknown and is listed as not modelled; a constant of zero is a measured zero.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from ..artefacts import sha256_of_json
from ..chip import Encoding

CostUnit = Literal["J", "ops"]
EnergyUnit = Literal["fJ", "pJ", "nJ", "ops"]
PowerUnit = Literal["uW", "mW", "W"]
Kind = Literal["measured", "pre-silicon", "simulated", "synthesis", "fit", "derived", "convention", "assumed"]
Scope = Literal["incremental", "all-in"]

JOULES = {"fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9}
WATTS = {"uW": 1e-6, "mW": 1e-3, "W": 1.0}

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(_Table):
    """A publication or a programme that numbers come from."""

    cite: Text
    access: Literal["primary", "secondary"]
    note: str = ""


class Citation(_Table):
    """Where a limit comes from: a source, and the place in it."""

    source: Text
    where: Text
    note: str = ""
    assumed: bool = False


class Constant(_Table):
    """The cost of one event, with its passport.

    Attributes:
        value: in ``unit``; zero says that zero was measured.
        source: key of the profile's ``sources``; ``where`` is the table, page or file in it.
        kind: how the number was obtained; ``convention`` is a number that a community agreed to count with.
        scope: ``incremental`` is the marginal cost of one event, ``all-in`` total power divided by event rate.
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


class StaticPower(_Table):
    """Power that a chip draws whether or not anything happens; never charged, since time is not modelled."""

    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: PowerUnit
    source: Text
    where: Text
    kind: Kind
    note: str = ""


class Mesh(_Table):
    """Cores in tiles, tiles on a grid; tile ``i`` is at column ``i // rows``, row ``i % rows``."""

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt

    @property
    def cores(self) -> int:
        """Cores that the grid holds."""
        return self.columns * self.rows * self.cores_per_tile


class SynapseFormat(_Table):
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


class Limits(_Table):
    """What the chip can hold; an absent limit is unknown and is not checked.

    Attributes:
        weight_bits: stored bits of a weight.
        mixed_weights_even: weights of mixed sign are even numbers (their lowest bit is the sign's).
        graded_spike_bits: widest payload of a spike; 0 where spikes are binary.
        delay_max: longest synaptic delay in steps.
        fan_in: most synapses of one neuron; ``fan_out`` most synapses that one spike visits.
        chips: most chips that work together; one where it is absent.
        neuron_configs_per_core: sets of decays, thresholds and bias exponents that a core holds for all its neurons.
        synapse_formats_per_core: layouts of synapses (widths of weight and index, dense or shared) that a core holds.
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
    decay_bits: Annotated[int, Field(ge=1, le=12)]
    threshold_bits: Annotated[int, Field(ge=1, le=17)]
    bias_mantissa_bits: Annotated[int, Field(ge=1, le=13)]
    bias_exponent_max: Annotated[int, Field(ge=0, le=7)]
    state_bits: Annotated[int, Field(ge=8, le=24)]
    graded_spike_bits: Annotated[int, Field(ge=0, le=32)]
    delay_max: Annotated[int, Field(ge=0, le=63)]
    mesh: Mesh | None = None
    synapse_format: SynapseFormat | None = None


class Energy(_Table):
    """Cost of each event; an absent one is unknown.

    Neuron updates are published in one of two ways, and a profile gives one of them: ``neuron_update_active`` and
    ``neuron_update_inactive`` (a compartment's whole step, by whether it had something to do), or ``neuron_access``
    (every compartment, every step) and ``neuron_active_extra`` (in addition, where it had something to do).

    Attributes:
        synaptic_op: one spike visiting one synapse; ``synaptic_op_conv`` and ``synaptic_op_graded`` replace it for
            convolutions and for spikes that carry a payload.
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
    spike_out: Constant | None = None
    message: Constant | None = None
    hop_x: Constant | None = None
    hop_y: Constant | None = None
    chip_crossing: Constant | None = None
    input_event: Constant | None = None
    teacher_mac: Constant | None = None

    def given(self) -> dict[str, Constant]:
        """The constants that are known, by event."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: constant for name, constant in found.items() if constant is not None}


class HardwareProfile(_Table):
    """One chip, or one way of counting: limits, costs, and the sources of both.

    Attributes:
        name: the file's name without ``.toml``.
        cost_unit: joules, or the relative unit ``ops`` where no joules are published.
        banner: what every report says first, empty where nothing has to be said.
        absent: by event, why its constant is not given.
        limit_sources: where each given limit comes from.
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
    static_power: StaticPower | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of what the file says (not of its comments or layout)."""
        return sha256_of_json(self.model_dump(mode="json", exclude_unset=True))

    @property
    def has_joules(self) -> bool:
        """Whether energies can be given in joules."""
        return self.cost_unit == "J"
