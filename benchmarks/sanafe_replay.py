"""Run a job of `sanafe_agreement.py` in SANA-FE and write what it counts; for the Python that has SANA-FE installed.

    python sanafe_replay.py job.json counts.json

Nothing of spikewright is needed here, and SANA-FE is needed nowhere else. Every population computes for itself, in
SANA-FE's own compartment model, from its first step on to its last and in the chip's own time: before and after, its
bias is taken away and its threshold put out of reach, so that samples do not run into each other.
"""

from __future__ import annotations

import csv
import json
import sys
from importlib.resources import files
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sanafe

OUT_OF_REACH = 1e12
SOMA = "loihi_lif"
Job = dict[str, Any]


def architecture(inputs: int) -> sanafe.Architecture:
    """SANA-FE's own Loihi, its somas told to log their energy at each step, and no more input units than are needed.

    No constant is touched. The 1024 input units of each of 128 cores would take most of the time.
    """
    text = (files("sanafe.examples") / "loihi.yaml").read_text(encoding="utf-8")
    last = min(max(inputs, 2), 1024) - 1
    text = replaced(text, "- name: loihi_inputs[0..1023]\n", f"- name: loihi_inputs[0..{last}]\n")
    head, model = "- name: loihi_lif\n", "                model: leaky_integrate_fire\n"
    start = text.index(head)
    text = text[:start] + replaced(text[start:], model, "                log_energy: true\n" + model)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "loihi.yaml"
        path.write_text(text, encoding="utf-8")
        return sanafe.load_arch(path)


def replaced(text: str, old: str, new: str) -> str:
    """``text`` with the one ``old`` in it replaced."""
    if text.count(old) != 1:
        raise ValueError(f"this SANA-FE describes its Loihi in another way: {text.count(old)} times {old!r}")
    return text.replace(old, new)


def network(job: Job, arch: sanafe.Architecture) -> sanafe.Network:
    """The job's populations on their cores, silent, and its connections."""
    net, cores = sanafe.Network(), arch.cores()
    groups = {}
    for population in job["populations"]:
        group = net.create_neuron_group(
            population["name"], population["size"], default_synapse_hw_name=population["synapse"] or ""
        )
        for index, (neuron, core) in enumerate(zip(group.neurons, population["cores"], strict=True)):
            if population["events"] is None:
                leak = {"leak_decay": population["leak_decay"], "threshold": OUT_OF_REACH}
                neuron.set_attributes(soma_hw_name=SOMA, log_spikes=True, model_attributes=leak)
            else:
                spikes = {"spikes": [bool(spike) for spike in population["events"][index]]}
                neuron.set_attributes(soma_hw_name=population["units"][index], model_attributes=spikes)
            neuron.map_to_core(cores[core])
        groups[population["name"]] = group
    for connection in job["connections"]:
        connect(groups[connection["source"]], groups[connection["target"]], connection)
    return net


def connect(source: sanafe.NeuronGroup, target: sanafe.NeuronGroup, connection: Job) -> None:
    """One connection, made by SANA-FE's own function for its kind."""
    weights = {"weight": connection["weights"]}
    if connection["kind"] == "dense":
        source.connect_neurons_dense(target, weights)
    elif connection["kind"] == "conv":
        source.connect_neurons_conv2d(target, weights, **connection["geometry"])
    else:
        source.connect_neurons_sparse(target, weights, [tuple(pair) for pair in connection["pairs"]])


class Tally:
    """Sums of what SANA-FE reports, its somas within the steps that belong to their population."""

    def __init__(self, job: Job, arch: sanafe.Architecture) -> None:
        per_tile = len(arch.tiles[0].cores)
        self.timesteps, self.length, self.chip_step = job["timesteps"], job["chip_steps"], 0
        self.depths = {p["name"]: p["depth"] for p in job["populations"]}
        self.soma = next(unit.model_info.model_attributes for unit in arch.cores()[0].pipeline_hw if unit.name == SOMA)
        self.cores: dict[str, tuple[int, int]] = {}
        for population in job["populations"]:
            for core in set(population["cores"]) if population["events"] is None else ():
                column = f"loihi_tile[{core // per_tile}].loihi_core[{core % per_tile}].{SOMA}.energy"
                self.cores[column] = (population["depth"], population["cores"].count(core))
        sums = (
            "synaptic_ops",
            "messages",
            "hops_x",
            "hops_y",
            "accesses",
            "synapse_j",
            "soma_j",
            "network_j",
            "time_s",
        )
        self.total = dict.fromkeys(sums, 0.0)
        self.spikes: list[tuple[str, int, int, int]] = []

    def simulate(self, chip: sanafe.SpikingChip, steps: int) -> None:
        """Let some steps go by and take in what they did."""
        perf = StringIO()
        result = chip.sim(steps, timing_model="simple", perf_trace=perf, spike_trace=True, message_trace=True)
        self.total["synaptic_ops"] += result["spikes"]
        self.total["messages"] += result["packets_sent"]
        self.total["synapse_j"] += result["energy"]["synapse"] + result["energy"]["dendrite"]
        self.total["network_j"] += result["energy"]["network"]
        self.total["time_s"] += result["sim_time"]
        for message in (each for step in result["message_trace"] for each in step if not each["placeholder"]):
            self.total["hops_x"] += abs(message["src_x"] - message["dest_x"])
            self.total["hops_y"] += abs(message["src_y"] - message["dest_y"])
        perf.seek(0)
        for energies, fired in zip(csv.DictReader(perf), result["spike_trace"], strict=True):
            self.step(energies, fired)

    def step(self, energies: dict[str, str], fired: list[sanafe.NeuronAddress]) -> None:
        """Somas and spikes of one step."""
        sample, step = divmod(self.chip_step, self.length)
        for address in fired:
            self.spikes.append(
                (address.group_name, sample, step - self.depths[address.group_name], address.neuron_offset)
            )
        for column, (depth, neurons) in self.cores.items():
            if depth <= step < depth + self.timesteps:
                self.total["soma_j"] += float(energies[column])
                self.total["accesses"] += neurons
        self.chip_step += 1

    def counts(self) -> Job:
        """What is compared; active updates are what accesses and spikes leave of the somas' energy."""
        access, update, spike = (
            self.soma[f"energy_{name}"] for name in ("access_neuron", "update_neuron", "spike_out")
        )
        left = self.total["soma_j"] - access * self.total["accesses"] - spike * len(self.spikes)
        energy = sum(self.total[name] for name in ("synapse_j", "soma_j", "network_j"))
        return {**self.total, "active_updates": left / update, "energy_j": energy, "spikes": sorted(self.spikes)}


def run(job: Job) -> Job:
    """All samples, one after the other."""
    arch = architecture(max((p["size"] for p in job["populations"] if p["events"] is not None), default=0))
    chip = sanafe.SpikingChip(arch)
    chip.load(network(job, arch))
    tally = Tally(job, arch)
    neurons = [p for p in job["populations"] if p["events"] is None]
    edges = sorted({0, job["chip_steps"]} | {p["depth"] + t for p in neurons for t in (0, job["timesteps"])})
    for sample in range(job["samples"]):
        chip.reset()
        for start, stop in pairwise(edges):
            for population in neurons:
                if start in (0, population["depth"] + job["timesteps"]):
                    silence(chip, population)
                if start == population["depth"]:
                    wake(chip, population, sample)
            tally.simulate(chip, stop - start)
    return tally.counts()


def wake(chip: sanafe.SpikingChip, population: Job, sample: int) -> None:
    """A population's own threshold, and its bias in this sample."""
    rows = population["bias"]
    bias = rows[sample] if len(rows) > 1 else rows[0]
    for neuron, each in zip(chip.mapped_neuron_groups[population["name"]], bias, strict=True):
        neuron.set_attributes(model_attributes={"threshold": population["threshold"], "bias": each})


def silence(chip: sanafe.SpikingChip, population: Job) -> None:
    """No bias, and a threshold that is never reached."""
    for neuron in chip.mapped_neuron_groups[population["name"]]:
        neuron.set_attributes(model_attributes={"threshold": OUT_OF_REACH, "bias": 0.0})


if __name__ == "__main__":
    source, target = (Path(word) for word in sys.argv[1:3])
    target.write_text(json.dumps(run(json.loads(source.read_text(encoding="utf-8")))), encoding="utf-8")
