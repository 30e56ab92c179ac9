"""A chip network on Lava's fixed-point processes, in a child process."""
