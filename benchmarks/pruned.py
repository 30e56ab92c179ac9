"""What a pruned network saves: the smallest weights of a graph are set to zero, and the chip still visits them.

Run: ``python benchmarks/pruned.py build/demo/student.nir --data digits`` (``make demo`` writes that graph).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import spikewright as sw
from spikewright.graph.nir_io import read_graph

SHARES = (0.0, 0.5, 0.9)


def prune(weights: list[np.ndarray], share: float) -> None:
    """Set the ``share`` of all entries with the smallest absolute values to zero, in each array on its own."""
    for weight in weights:
        order = np.argsort(np.abs(weight), axis=None, kind="stable")
        weight.reshape(-1)[order[: round(share * weight.size)]] = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graph", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--profile", default="loihi2-assumed")
    arguments = parser.parse_args()
    data = sw.load(arguments.data)
    print("| weights set to zero | accuracy, test | spikes | synaptic operations | energy, nJ | of the unpruned |")
    print("| --- " * 6 + "|")
    whole = 0.0
    for share in SHARES:
        graph = read_graph(arguments.graph)
        nodes = (node for node in graph.nodes.values() if np.ndim(getattr(node, "weight", 0)) > 1)
        prune([node.weight for node in nodes], share)
        chip = sw.lower(graph, arguments.profile)
        activity = sw.simulate(chip, data)
        total = sw.report(activity, chip, arguments.profile).energy.total
        whole = whole or total
        operations = activity.total_synaptic_ops / activity.samples
        spikes = sum(int(each.spikes.sum()) for each in activity.populations.values()) / activity.samples
        counts = f"{activity.accuracy:.2%} | {spikes:,.0f} | {operations:,.0f}"
        print(f"| {share:.0%} | {counts} | {1e9 * total:,.1f} | {total / whole:.1%} |")


if __name__ == "__main__":
    main()
