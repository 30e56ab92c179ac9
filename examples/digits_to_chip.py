"""From a teacher to a chip in Python: distil within a budget, export, lower, simulate on integers, report.

    python examples/digits_to_chip.py

Writes ``student.nir``, which other tools read, into the current folder.
"""

import nir

import spikewright as sw

PROFILE = "loihi2-assumed"
BUDGET = "2uJ"


def main() -> None:
    # A convolutional teacher is trained first, and cached for the next time.
    budget = sw.Budget(energy_budget=BUDGET, profile=PROFILE)
    student = sw.distill("digits", within=budget, training=sw.Training(epochs=2)).student

    graph = sw.to_nir(student)
    nir.write("student.nir", graph)

    chip = sw.lower(graph, profile=PROFILE)
    activity = sw.simulate(chip, data="digits", on="integer")
    report = sw.report(activity, chip, profile=PROFILE, energy_budget=BUDGET)
    print(report)
    print(f"accuracy on the chip's integers: {activity.accuracy:.1%}")


if __name__ == "__main__":
    main()
