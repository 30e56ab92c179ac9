"""What stands between the weights and the neurons of a named architecture."""

from __future__ import annotations

from torch import nn

from ..base.types import Norm
from .neuron_settings import NeuronSettings


def norm_behind(
    layer: nn.Linear | nn.Conv2d, norm: Norm, settings: NeuronSettings, paths: int = 1
) -> nn.BatchNorm1d | nn.BatchNorm2d | None:
    """The batch norm behind a layer; None without one.

    With ``threshold`` the norm is that of Zheng, Wu, Deng, Hu, Li 2021 (tdBN, arXiv 2011.05280): statistics over the
    timesteps and the samples of a batch, and a gain that begins with the threshold, divided by the square root of the
    number of paths that meet in front of the neurons. The norms of ``batch`` have the same statistics and begin with a
    gain of 1, so that the two differ where the threshold is not 1 or paths meet.

    Args:
        layer: a dense layer or a convolution of images.
        settings: of the neurons behind it, with their threshold.
        paths: weights whose currents these neurons add up.
    """
    if norm == "none":
        return None
    made = nn.BatchNorm1d(layer.out_features) if isinstance(layer, nn.Linear) else nn.BatchNorm2d(layer.out_channels)
    if norm == "threshold":
        nn.init.constant_(made.weight, settings.threshold / paths**0.5)
    return made
