"""Simulators of a chip network: our integers, Lava's processes, lava-dl's netx."""
