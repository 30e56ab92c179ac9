"""A chip of your own: one TOML file says what its integers can hold and what its events cost.

    python examples/own_profile.py

``my_chip.toml`` beside this script is the file; on the command line it is ``--profile examples/my_chip.toml``. Events
for which it has no constant are listed in the report as not modelled, and are not taken as zero.
``hardware_profiles/README.md`` describes the keys.
"""

from pathlib import Path

import spikewright as sw

PROFILE = str(Path(__file__).with_name("my_chip.toml"))
BUDGET = "100nJ"


def main() -> None:
    budget = sw.Budget(energy_budget=BUDGET, profile=PROFILE)
    student = sw.distill("digits", within=budget, training=sw.Training(epochs=2)).student
    chip = sw.lower(sw.to_nir(student), profile=PROFILE)
    activity = sw.simulate(chip, data="digits", on="integer")
    print(sw.report(activity, chip, profile=PROFILE, energy_budget=BUDGET))


if __name__ == "__main__":
    main()
