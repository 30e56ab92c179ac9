"""Accuracy against energy: students for two budgets and one without, in a table and a plot.

    python examples/sweep_small.py

Needs Optuna (the extra ``sweep``). The files are written to ``sweep`` in the current folder; started again, it
continues where it was stopped.
"""

from pathlib import Path

import spikewright as sw
from spikewright.training.settings import DistillSettings


def main() -> None:
    common = DistillSettings.of(
        data="digits", profile="loihi2-assumed", architecture="mlp", width=16, timesteps=2, epochs=6, rounds=0
    )
    sw.sweep(common, budgets=["36nJ", "34nJ"], seeds=1, out="sweep")
    print(Path("sweep", "sweep.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
