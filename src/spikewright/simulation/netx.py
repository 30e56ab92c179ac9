"""The simulator ``netx``: a chip network written in lava-dl's format, loaded by lava-dl, run on Lava."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..base.types import Drive
from ..chip.network import ChipNetwork, Schedule
from ..exchange.netx import netx_faults, write_netx
from .lava.job import LavaSimulator
from .lava.network import LavaNetwork, events, flat

run = LavaSimulator("netx", netx_faults)


def build(chip: ChipNetwork, drive: Drive, schedule: Schedule, folder: Path) -> LavaNetwork:
    """Write the network's file, have lava-dl load it, and connect the input; called in the child."""
    from lava.lib.dl.netx import hdf5
    from lava.proc.io.source import RingBuffer

    path = folder / "network.net"
    write_netx(chip, path)
    # lava-dl gives the first block that has neurons the reset offset reset_offset + 1: step 1, where depth is 0.
    named = [p.name for p in chip.populations if p.neuron is not None]
    network = hdf5.Network(
        net_config=str(path),
        reset_interval=chip.timesteps,
        reset_offset=chip.depth[named[0]],
        input_message_bits=chip.input.payload_bits,
    )
    if chip.input.neuron is None:
        port = RingBuffer(data=events(chip, drive, schedule)).s_out
        (flat(port) if len(network.inp.shape) == 1 else port.reshape(network.inp.shape)).connect(network.inp)
    blocks: dict[str, Any] = dict(zip(named, network.layers, strict=True))
    return LavaNetwork({name: b.neuron for name, b in blocks.items()}, {name: b.out for name, b in blocks.items()})
