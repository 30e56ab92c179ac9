"""The fixed parts of a script that runs a network on Lava; :mod:`.lava_script` puts the network between them."""

from __future__ import annotations

HEAD = '''"""A spiking network as processes of Lava.

    pip install lava-nc numpy                   # for Python 3.10
    python run.py samples.npy --out spikes.npz

Samples: <<SAMPLES>>

Written by spikewright <<VERSION>>; it needs Lava and NumPy alone. The weights and biases lie in network.npz.
A spike arrives one step later, so that a population at depth d works at chip step t + d on timestep t.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import <<PORTS>>
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
<<LIF>>

HERE = Path(__file__).parent
DATA = np.load(HERE / "network.npz")
<<CONSTANTS>>

class Recorder(AbstractProcess):
    """Writes the spikes of every chip step into a file; Lava's own sink hands them back one number at a time."""

    def __init__(self, *, shape, path):
        super().__init__(shape=shape, path=path)
        self.a_in = InPort(shape=shape)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorder(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.file = np.load(proc_params["path"], mmap_mode="r+")

    def run_spk(self):
        self.file[self.time_step - 1] = self.a_in.recv()

'''

SUBTRACTING = '''
class SubtractingLIF(LIF):
    """Lava's LIF, but that a spike takes the threshold off the potential: at once, or (late) in the step after."""

    def __init__(self, *, late, reset_interval=0, reset_offset=0, **settings):
        super().__init__(late=late, reset_interval=reset_interval, reset_offset=reset_offset, **settings)


@implements(proc=SubtractingLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PySubtractingLIF(AbstractPyLifModelFixed):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: int = LavaPyType(int, np.int32, precision=17)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.effective_vth = 0
        self.late, self.interval = proc_params["late"], proc_params["reset_interval"]
        self.first = proc_params["reset_offset"]

    def scale_threshold(self):
        self.effective_vth = np.left_shift(self.vth, self.vth_shift)
        self.isthrscaled = True

    def spiking_activation(self):
        return self.v > self.effective_vth

    def subthr_dynamics(self, activation_in):
        if self.late:
            owed = np.where(self.v > self.effective_vth, self.effective_vth, 0)
            self.effective_bias = (self.effective_bias - owed).astype(np.int32)
        super().subthr_dynamics(activation_in)

    def reset_voltage(self, spike_vector):
        if not self.late:
            self.v[:] = self.v - np.where(spike_vector, self.effective_vth, 0)

    def run_spk(self):
        if self.interval and self.time_step % self.interval == self.first % self.interval:
            self.u[:], self.v[:] = 0, 0
        super().run_spk()

'''

BODY = '''

def build(stream):
    """The processes: neurons by population, the ports that they send from, and variables that hold input on its way.

    Shapes are Lava's, (column, row, channel). The stream drives the input at every chip step.
    """
    neurons, ports, under_way = {}, {}, []

    def dense(source, target, weight, num_weight_bits, weight_exp, num_message_bits):
        port = ports[source]
        if len(port.shape) == 3:  # in the order (channel, row, column)
            port = port.transpose([2, 1, 0]).flatten()
        synapses = Dense(
            weights=weight, num_weight_bits=num_weight_bits, weight_exp=weight_exp, num_message_bits=num_message_bits
        )
        port.connect(synapses.s_in)
        arriving = synapses.a_out
        if len(SHAPES[target]) == 3:
            arriving = arriving.reshape(SHAPES[target][::-1]).transpose([2, 1, 0])
        arriving.connect(neurons[target].a_in)
        under_way.append(synapses.a_buff)

    def conv(source, target, weight, **geometry):
        synapses = Conv(weight=weight, input_shape=SHAPES[source], **geometry)
        ports[source].connect(synapses.s_in)
        synapses.a_out.connect(neurons[target].a_in)
        under_way.append(synapses.a_buf)

<<POPULATIONS>>
    ports.update({name: each.s_out for name, each in neurons.items()})

<<CONNECTIONS>>
    return neurons, ports, under_way


def encode(samples):
    """Samples as what drives the input, (timesteps or 1, samples, *shape)."""
<<ENCODE>>

def run(samples):
    """Spikes by population, (timesteps, samples, *shape), and scores, (samples, outputs)."""
    drive, count = encode(samples), len(samples)
    steps = (count - 1) * STRIDE + T + max(DEPTH.values())
    stream = np.zeros((steps, *drive.shape[2:]), np.int32)  # what drives the input at each chip step
    for sample in range(count):
        stream[sample * STRIDE : sample * STRIDE + T] = drive[:, sample]
    stream = np.ascontiguousarray(stream.T)
    neurons, ports, under_way = build(stream)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, port) in enumerate(ports.items()):
            np.save(f"{folder}/{number}.npy", np.zeros((steps, *port.shape), np.int32))
            port.connect(Recorder(shape=port.shape, path=f"{folder}/{number}.npy").a_in)
        last = _run(neurons, under_way, stream, steps, count)
        recorded = {name: np.load(f"{folder}/{number}.npy") for number, name in enumerate(ports)}
    when = np.arange(T)[:, None] + np.arange(count) * STRIDE
    spikes = {name: _ours(rows[DEPTH[name] + when]) for name, rows in recorded.items()}
    scores = spikes[READOUT].sum(axis=0) if last is None else _ours(last[None])[0]
    return spikes, scores.reshape(count, -1)


def _run(neurons, under_way, stream, steps, count):
    """Advance from one chip step at which something has to be done to the next; potentials of the readout, or None."""
    output = neurons[READOUT]
    tasks = {0: []}  # what is done before a chip step

    def at(step, *task):
        tasks.setdefault(step, []).append(task)

    for sample in range(count) if RECURRENT else ():  # the network is emptied, and its biases wake depth by depth
        for each in neurons.values():
            at(sample * STRIDE, each.u, np.zeros(each.u.shape))
            at(sample * STRIDE, each.v, np.zeros(each.v.shape))
        for variable in under_way:
            at(sample * STRIDE, variable, np.zeros(variable.shape))
        for name, bias in BIASES.items():
            at(sample * STRIDE, neurons[name].bias_mant, np.zeros(bias.shape))
            at(sample * STRIDE + DEPTH[name], neurons[name].bias_mant, bias)
    for step in range(steps) if INPUT in neurons else ():  # a host sets the currents that drive the input
        if step == 0 or np.any(stream[..., step] != stream[..., step - 1]):
            at(step, neurons[INPUT].bias_mant, stream[..., step])
    ends = {DEPTH[READOUT] + T + sample * STRIDE for sample in range(count)} if MEMBRANE else set()
    stops, last = sorted({*tasks, *ends, steps}), []
    for step, following in zip(stops, stops[1:]):
        for variable, values in tasks.get(step, ()):
            if output.runtime is None:
                variable.init = values.astype(np.int32)
            else:
                variable.set(values.astype(np.int32))
        output.run(condition=RunSteps(num_steps=following - step), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        if following in ends:
            last.append(output.v.get())
    output.stop()
    return np.stack(last).astype(np.int64) if MEMBRANE else None


def _ours(rows):
    """Lava's (column, row, channel), behind two axes, as (channel, row, column)."""
    return rows.transpose(0, 1, *range(rows.ndim - 1, 1, -1)).astype(np.int64)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", help="array file: .npy, or .npz with an array x")
    parser.add_argument("--out", help="also write all spikes, by population, and the scores to this .npz file")
    options = parser.parse_args()
    try:
        samples = np.load(options.samples, allow_pickle=False)
        samples = samples["x"] if options.samples.endswith(".npz") else samples
    except (OSError, ValueError, KeyError, EOFError) as error:
        parser.error(f"{options.samples}: cannot be read as an array ({error})")
    if samples.shape[1:] != SAMPLE or not len(samples):
        parser.error(f"samples have shape {samples.shape}; must be one or more of {SAMPLE}, behind an axis of samples")
    if samples.dtype.kind not in "fiub" or not np.all(<<ALLOWED>>):
        parser.error("samples hold other values than <<VALUES>>")
    spikes, scores = run(samples)
    print("spikes", *(f"{name}: {int((raster != 0).sum())}" for name, raster in spikes.items()), sep="\\n  ")
    for number, row in enumerate(scores):
<<ANSWER>>
    if options.out:
        np.savez(options.out, scores=scores, **{f"spikes/{name}": raster for name, raster in spikes.items()})


if __name__ == "__main__":
    main()
'''
