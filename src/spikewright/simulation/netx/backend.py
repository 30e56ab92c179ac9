"""The chip network through lava-dl: written to a netx file, loaded by lava-dl, run on Lava."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...base.errors import arg, refuse
from ...base.types import IntArray
from ...chip.network import ChipNetwork, Schedule
from ..drive import check_drive
from ..lava.backend import LavaNetwork, events, flat
from ..lava.job import SILENCE_LIMIT_S, require_lava, run_in_child
from ..recording import Progress, Recording
from .file import netx_faults, write_netx


def run(
    chip: ChipNetwork,
    drive: IntArray,
    *,
    record_states: bool = False,
    progress: Progress | None = None,
    time_limit_s: float = SILENCE_LIMIT_S,
) -> Recording:
    """Run ``chip`` on the processes that lava-dl makes; same arguments as `lava`.

    Raises:
        InputError: lava-dl is not installed, or its format cannot hold the network.
        SpikewrightError: Lava failed or hung.
    """
    require_lava("netx")
    check_drive(chip, drive)
    refuse(arg("on", "netx"), netx_faults(chip))
    return run_in_child("netx", chip, drive, record_states=record_states, progress=progress, time_limit_s=time_limit_s)


def build(chip: ChipNetwork, drive: IntArray, schedule: Schedule, folder: Path) -> LavaNetwork:
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
        (flat(port) if len(network.inp.shape) == 1 else port).connect(network.inp)
    blocks: dict[str, Any] = dict(zip(named, network.layers, strict=True))
    return LavaNetwork(
        neurons={name: block.neuron for name, block in blocks.items()},
        ports={name: block.out for name, block in blocks.items()},
    )
