"""A chip file read and simulated with NumPy and h5py alone, as a program for silicon of your own would read it.

`python examples/read_chip_file.py chip.h5` prints the network in the file. Without a file a small one is made first,
and the spikes that the functions below give are compared with those of spikewright. docs/chip-file.md describes the
file.
"""

import json
import sys

import h5py
import numpy as np


def read(path):
    """The network of a chip file: a dictionary; and by index the biases of populations, the weights of connections."""
    with h5py.File(path, "r") as file:
        assert file.attrs["format"] == "spikewright chip network"
        assert file.attrs["format_version"] in (1, 2)
        network = json.loads(bytes(file["network"][()]))
        biases = {int(index): file[f"bias/{index}"][()].astype(np.int64) for index in file["bias"]}
        weights = {int(index): wide(file[f"weight/{index}"]) for index in file["weight"]}
    return network, biases, weights


def wide(stored):
    """Weights as int64: the numbers that are stored, most in eight bits, times their factor; version 1 has none."""
    return stored[()].astype(np.int64) * int(stored.attrs.get("factor", 1))


def delivered(connection, weight, spikes, shape):
    """What the spikes (or graded values) of a source add to each neuron of a target of this shape in one step."""
    conv = connection["conv"]
    if conv is None:
        return (weight @ spikes.reshape(-1)).reshape(shape)
    (down, right), (top, left), (row_gap, column_gap) = conv["stride"], conv["padding"], conv["dilation"]
    padded = np.pad(spikes, ((0, 0), (top, top), (left, left)))
    total, rows, columns = np.zeros(shape, np.int64), shape[1], shape[2]
    outputs, inputs = weight.shape[0] // conv["groups"], weight.shape[1]
    for group in range(conv["groups"]):
        channels = slice(group * outputs, (group + 1) * outputs)
        for row, column in np.ndindex(*weight.shape[2:]):
            first = row * row_gap, column * column_gap
            seen = padded[group * inputs : (group + 1) * inputs]
            seen = seen[:, first[0] :: down, first[1] :: right][:, :rows, :columns]
            total[channels] += np.tensordot(weight[channels, :, row, column], seen, 1)
    return (total + 2**23) % 2**24 - 2**23  # sums of a convolution have 24 bits


def decayed(state, register):
    """The share (4096 - register) / 4096 of a state, cut toward zero."""
    return np.sign(state) * (np.abs(state) * (4096 - register) >> 12)


def step(neuron, bias, state, arriving):
    """One timestep of the neurons of a population: the new state (u, v), and where they spike."""
    law, threshold = neuron.get("law", "lif"), neuron["vth"] << 6
    if law not in ("lif", "lif-subtract", "lif-subtract-late"):
        raise SystemExit(f"this reader does not know the neuron model {law}")
    u = decayed(state[0], neuron["du"] + 1) + (arriving << 6)
    u = (u + 2**31) % 2**32 - 2**31  # sums have 32 bits
    u = u + np.where(u <= -(2**23), 2**24, 0) - np.where(u > 2**23, 2**24, 0)  # currents wrap in 24
    v = decayed(state[1], neuron["dv"]) + u + (bias << neuron["bias_exp"])
    if law == "lif-subtract-late":
        v = v - np.where(state[1] > threshold, threshold, 0)  # of the spikes of the step before
    v = (v + 2**31) % 2**32 - 2**31
    v = np.clip(v, 1 - 2**23, 2**23 - 1)  # potentials are clipped to 24
    spikes = v > threshold
    after = {"lif": 0, "lif-subtract": v - threshold, "lif-subtract-late": v}[law]
    return (u, np.where(spikes, after, v)), spikes


def run(network, biases, weights, drive):
    """Spikes and last membrane potentials of each population for one sample.

    `drive` has one array of the input's shape for each timestep: spikes, graded values, or, where the input population
    has neurons, their bias mantissas.
    """
    populations = network["populations"]
    states, spikes = {}, {each["name"]: [] for each in populations}
    for t in range(network["timesteps"]):
        for index, population in enumerate(populations):
            name, neuron, shape = population["name"], population["neuron"], tuple(population["shape"])
            if neuron is None:
                spikes[name].append(drive[t])
                continue
            arriving = np.zeros(shape, np.int64)
            for number, connection in enumerate(network["connections"]):
                source = connection["source"]
                if connection["target"] == name and (source != name or t > 0):
                    # A population hears its own spikes one step later; those before it are a step ahead on the chip.
                    arriving += delivered(connection, weights[number], spikes[source][-1].astype(np.int64), shape)
            bias = drive[t] if population["role"] == "input" else biases[index]
            rest = np.zeros(shape, np.int64)
            states[name], fired = step(neuron, bias, states.get(name, (rest, rest)), arriving)
            spikes[name].append(fired)
    return spikes, {name: v for name, (_, v) in states.items()}


def scores(network, spikes, potentials):
    """What the host reads of the readout: the spikes of each neuron, or its membrane potential after the last step."""
    readout = next(each["name"] for each in network["populations"] if each["role"] == "readout")
    return (np.sum(spikes[readout], 0) if network["readout"] == "count" else potentials[readout]).reshape(-1)


def describe(network, weights):
    """Print the populations and connections of a network."""
    for population in network["populations"]:
        print(population["name"], population["shape"], population["role"], population["neuron"] or "events")
    for number, connection in enumerate(network["connections"]):
        print(f"{connection['source']} -> {connection['target']}: weights {weights[number].shape}")


def compare():
    """Make a small chip file, and compare the functions above with spikewright on ten samples."""
    import spikewright as sw
    from spikewright.chip.chip_file import save_chip
    from spikewright.simulation import integer
    from spikewright.simulation.simulate import drive_of

    student = sw.StudentSpec("convnet", width=4, timesteps=4)
    made = sw.distill("digits", student=student, method="none", training=sw.Training(epochs=1)).student
    chip = sw.lower(sw.to_nir(made), profile="loihi2-assumed")
    save_chip(chip, "chip.h5")
    drive = drive_of(chip, sw.load("digits").test.samples[:10])  # (timesteps or 1, samples, *shape)
    theirs = integer.run(chip, drive)

    network, biases, weights = read("chip.h5")
    describe(network, weights)
    different = 0
    for sample in range(10):
        steps = [drive[t if len(drive) > 1 else 0, sample] for t in range(network["timesteps"])]
        spikes, potentials = run(network, biases, weights, steps)
        different += sum(int((np.stack(spikes[name]) != theirs.spikes[name][:, sample]).sum()) for name in spikes)
        different += int((scores(network, spikes, potentials) != theirs.scores[sample]).sum())
    print(f"differences in spikes and scores on 10 samples: {different}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        network, _, weights = read(sys.argv[1])
        describe(network, weights)
    else:
        compare()
