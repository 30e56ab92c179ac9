"""Layers of torch that no chip has, and why: what stands behind "is a MaxPool2d"."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

_MAX = (
    ": the largest of several currents is no weighted sum, and neither NIR nor the chip has it; put it behind the "
    "neurons, where any of several spikes makes one, or use nn.AvgPool2d or a convolution with a stride"
)
_OF_THE_SAMPLE = (
    ", whose mean and variance are those of each sample; a chip has fixed weights and sums spikes: use nn.BatchNorm, "
    "which becomes part of the weights"
)
_ATTENTION = (
    ": attention multiplies values of the sample by one another, and a chip multiplies spikes by fixed weights alone; "
    "use convolutions, or linear layers with neurons after each"
)
_OUTPUT = (
    ": it changes what neurons give, and between layers only spikes travel; leave it out (the readout's scores are "
    "compared as they are)"
)
_ANALOGUE = ": it is the nonlinearity of an artificial network, and a chip has spiking neurons in its place: snn.Leaky"
_RECURRENT = (
    ": its gates multiply values of the sample by one another, which the chip's neurons do not; use snn.RLeaky or "
    "snn.RSynaptic"
)

REASONS: dict[str, str] = {
    **dict.fromkeys(
        ("MaxPool1d", "MaxPool2d", "MaxPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "FractionalMaxPool2d"), _MAX
    ),
    **dict.fromkeys(
        (
            "LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LocalResponseNorm", "RMSNorm",
        ),
        _OF_THE_SAMPLE,
    ),
    **dict.fromkeys(
        (
            "MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder",
            "TransformerDecoder", "Transformer",
        ),
        _ATTENTION,
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Softmax2d", "Softmin"), _OUTPUT),
    **dict.fromkeys(
        (
            "ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh",
            "Hardtanh", "Hardswish", "Hardsigmoid", "Softplus", "Softsign",
        ),
        _ANALOGUE,
    ),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "LSTMCell", "GRUCell", "RNNCell"), _RECURRENT),
}  # fmt: skip
"""What follows the name of each kind of layer that is refused."""

_PER_STEP = (
    "is a BatchNormTT, with statistics and gains of its own for each timestep; a chip has one set of weights for all "
    "timesteps: use one nn.BatchNorm, which becomes part of the weights"
)


def norms_per_step(network: nn.Module) -> Iterator[str]:
    """A sentence for each list of batch norms, one for every timestep, which snnTorch makes without biases."""
    for name, module in network.named_modules():
        norms = list(module) if isinstance(module, nn.ModuleList) else []
        if len(norms) > 1 and all(isinstance(e, nn.BatchNorm1d | nn.BatchNorm2d) and e.bias is None for e in norms):
            yield f"module {name!r} {_PER_STEP}"
