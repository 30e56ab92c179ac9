"""Accuracy against energy: students for two budgets and one without, in a table and a plot.

    python examples/sweep_small.py

Needs Optuna (the extra ``sweep``). The files are written to ``sweep`` in the current folder; started again, it
continues where it was stopped.
"""

from pathlib import Path

import spikewright as sw


def main() -> None:
    sw.sweep(
        "digits",
        student=sw.StudentSpec(architecture="mlp", width=16, timesteps=2),
        budgets=["36nJ", "34nJ"],
        within=sw.Budget(profile="loihi2-assumed"),
        training=sw.Training(epochs=6, rounds=0),
        out="sweep",
    )
    print(Path("sweep", "sweep.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
