"""A graph of another tool: made with the package ``nir`` alone, checked, lowered and simulated on integers.

    python examples/other_tools_nir.py

NIR says nothing about the timestep, the number of timesteps or how data enter, so ``lower`` is told.
"""

from itertools import pairwise

import nir
import numpy as np

import spikewright as sw
from spikewright.lowering.check import check

PROFILE = "loihi1-davies"
INPUTS, HIDDEN, CLASSES, TIMESTEPS, DT_S = 16, 32, 4, 10, 1e-3


def graph_of_another_tool() -> nir.NIRGraph:
    """Two dense layers of leaky neurons with random weights."""
    rng = np.random.default_rng(0)

    def weights(size: int, sources: int) -> np.ndarray:
        return rng.normal(0, 2 / np.sqrt(sources), (size, sources)).astype(np.float32)

    def leaky(size: int) -> nir.LIF:
        ones = np.ones(size, np.float32)
        tau = 5 * DT_S * ones
        return nir.LIF(tau=tau, r=5 * ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones)

    nodes = {
        "input": nir.Input({"input": np.array([INPUTS])}),
        "dense1": nir.Affine(weights(HIDDEN, INPUTS), np.zeros(HIDDEN, np.float32)),
        "lif1": leaky(HIDDEN),
        "dense2": nir.Affine(weights(CLASSES, HIDDEN), np.zeros(CLASSES, np.float32)),
        "lif2": leaky(CLASSES),
        "output": nir.Output({"output": np.array([CLASSES])}),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)))


def main() -> None:
    nir.write("other.nir", graph_of_another_tool())
    graph = nir.read("other.nir")
    for finding in check(graph, dt_s=DT_S):
        print(f"{finding.level}: {finding.where}: {finding.what}")

    chip = sw.lower(graph, profile=PROFILE, timesteps=TIMESTEPS, encoding="events", dt_s=DT_S)
    rng = np.random.default_rng(1)
    events = (rng.random((8, TIMESTEPS, INPUTS)) < 0.2).astype(np.uint8)
    labels = np.zeros(len(events), np.int64)  # nothing was trained, so there is nothing to be right about
    activity = sw.simulate(chip, data=(events, labels), on="integer")
    for name, population in activity.populations.items():
        print(f"{name}: {population.spikes} spikes")
    print(sw.report(activity, chip, profile=PROFILE))


if __name__ == "__main__":
    main()
