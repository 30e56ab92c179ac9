"""Where a float network and the chip network made from it differ, and why."""
