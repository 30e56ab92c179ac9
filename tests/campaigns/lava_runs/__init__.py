"""Lava simulations in a row, some of them ended, and what each has left behind: nothing."""
