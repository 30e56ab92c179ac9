"""The chip network in integers, what it does in a step, and what was counted on it."""
