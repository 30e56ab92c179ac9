"""A file of lava-dl's, loaded by lava-dl and run on Lava, without spikewright: a program of its own for tests.

    python lava_dl_alone.py network.net job.npz out.npz '{"reset_interval": 8}'

The job holds ``drive``, of shape ``(chip steps, *Lava's shape)``: events, or biases of the input's neurons. The output
holds ``spikes<i>`` of every layer that lava-dl makes, ``(chip steps, *Lava's shape)``, and ``v``, the potentials of the
last layer after each step. The settings are those of ``hdf5.Network``.
"""

import json
import sys

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io import sink, source


def main() -> None:
    """Run the job."""
    path, job, out, settings = sys.argv[1:5]
    drive = np.load(job)["drive"].astype(np.int32)
    steps = len(drive)
    network = hdf5.Network(net_config=path, **json.loads(settings))
    currents = type(network.in_layer).__name__ == "Input"
    if not currents:
        port = source.RingBuffer(data=np.ascontiguousarray(np.moveaxis(drive, 0, -1))).s_out
        in_a_row = len(network.inp.shape) == 1 < len(port.shape)
        (port.transpose([2, 1, 0]).flatten() if in_a_row else port.reshape(network.inp.shape)).connect(network.inp)
    sinks = []
    for layer in network.layers:
        sinks.append(sink.RingBuffer(shape=layer.out.shape, buffer=steps))
        layer.out.connect(sinks[-1].a_in)
    v = []
    for step in range(steps):
        if currents and step == 0:
            network.in_layer.neuron.bias_mant.init = drive[0]
        elif currents and not np.array_equal(drive[step], drive[step - 1]):
            network.in_layer.neuron.bias_mant.set(drive[step])
        network.run(condition=RunSteps(num_steps=1), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        v.append(network.out_layer.neuron.v.get())
    spikes = {f"spikes{i}": np.moveaxis(each.data.get(), -1, 0).astype(np.int64) for i, each in enumerate(sinks)}
    network.stop()
    np.savez(out, v=np.stack(v), **spikes)


if __name__ == "__main__":
    main()
