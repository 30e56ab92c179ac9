"""What sweeps and comparisons share: students made and measured in a folder, by workers that may die."""
