"""Where a network in floats and its integers part, and why."""
