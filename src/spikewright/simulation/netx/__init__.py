"""A chip network on lava-dl's netx, and the file that it reads."""
