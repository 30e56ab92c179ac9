"""Our own Lava processes, alone in a folder: Lava imports every module beside a process to find the process's model."""
